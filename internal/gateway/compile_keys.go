package gateway

import (
	"crypto/sha256"
	"strings"
	"time"

	"tandem/internal/apim"
	"tandem/internal/policy"
)

// keyring is the subscriptions of a service by the hash of their keys.
type keyring struct {
	part
	keys map[[sha256.Size]byte]*subscription
}

type keyed struct {
	sum [sha256.Size]byte
	sub *subscription
}

func (c *compiler) compileKeys() *keyring {
	users := map[string]*policy.UserInfo{}
	for _, d := range c.source.list("users") {
		users[strings.ToLower(d.Name())] = &policy.UserInfo{ID: d.Name(), FirstName: d.String("firstName"), LastName: d.String("lastName"), Email: d.String("email"), Note: d.String("note"),
			Registered: when(d.String("registrationDate")), Identities: []policy.IdentityInfo{{ID: d.String("email"), Provider: "Basic"}}}
	}
	for _, d := range c.source.list("groups.users") {
		if u := users[strings.ToLower(d.IDs[1])]; u != nil {
			u.Groups = append(u.Groups, policy.GroupInfo{ID: d.IDs[0], Name: d.IDs[0]})
		}
	}
	docs := c.source.list("subscriptions")
	k := &keyring{keys: make(map[[sha256.Size]byte]*subscription, 2*len(docs))}
	for _, d := range docs {
		for _, one := range c.subscription(k, d, users) {
			if other := k.keys[one.sum]; other != nil && other.info.ID != one.sub.info.ID {
				k.problem(d.Key, false, "one of its keys is also a key of the subscription %s, which keeps it; regenerate one of them", other.info.ID)
				continue
			}
			k.keys[one.sum] = one.sub
		}
	}
	return k
}

// subscription compiles one subscription: an entry for each of its keys.
func (c *compiler) subscription(k *keyring, d *apim.Document, users map[string]*policy.UserInfo) []keyed {
	s := subscription{active: d.String("state") == "active", start: when(d.String("startDate")), end: when(d.String("expirationDate"))}
	scope := strings.ToLower(d.String("scope"))
	collection, name, _ := strings.Cut(strings.Trim(scope, "/"), "/")
	switch {
	case collection == "" || collection == "apis" && name == "":
		s.all = true
	case collection == "apis":
		s.api, _ = apim.SplitRevision(name)
	case collection == "products":
		if s.product = c.shared.products.byName[name]; s.product == nil {
			k.problem(d.Key, false, "the product %s does not exist; its keys open nothing", name)
		}
	default:
		k.problem(d.Key, false, "the scope %s is not one that this gateway knows; its keys open nothing", scope)
	}
	s.user = users[strings.ToLower(strings.TrimPrefix(d.String("ownerId"), "/users/"))]
	info := policy.SubscriptionInfo{ID: d.Name(), Name: d.String("displayName"), PrimaryKey: c.secret(&k.part, d, "primaryKey"), SecondaryKey: c.secret(&k.part, d, "secondaryKey"),
		Created: when(d.String("createdDate")), Start: s.start, End: s.end}
	var out []keyed
	for _, key := range []string{info.PrimaryKey, info.SecondaryKey} {
		if key == "" {
			continue
		}
		one, as := s, info
		as.Key = key
		one.info, one.key = &as, key
		out = append(out, keyed{sha256.Sum256([]byte(key)), &one})
	}
	return out
}

// when reads a time of the management API; zero where there is none.
func when(text string) time.Time {
	if text == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}
	}
	return t
}
