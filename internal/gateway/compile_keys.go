package gateway

import (
	"crypto/sha256"
	"maps"
	"slices"
	"strings"
	"time"

	"tandem/internal/apim"
	"tandem/internal/policy"
)

// keyring is the subscriptions of a service by the hash of their keys. Generations share keys, which is not written again.
type keyring struct {
	keys  map[[sha256.Size]byte]*subscription
	of    map[string]*compiledSubscription // by document key
	users map[string]*policy.UserInfo
	twice bool // a key belongs to two subscriptions: which one keeps it depends on them all
}

type compiledSubscription struct {
	part
	keys []keyed
}

type keyed struct {
	sum [sha256.Size]byte
	sub *subscription
}

// all lists what is wrong with subscriptions.
func (k *keyring) all() (out []Problem) {
	for _, s := range k.of {
		out = append(out, s.problems...)
	}
	slices.SortFunc(out, func(a, b Problem) int { return strings.Compare(a.Document, b.Document) })
	return out
}

// compileKeys compiles what a change touches of the subscriptions.
func (c *compiler) compileKeys(d dirt) {
	switch {
	case c.keyring == nil || d.products || d.users:
		c.compileAllKeys()
	case len(d.subscriptions) > 0:
		if c.keyring.twice || !c.changeKeys(d.subscriptions) {
			c.compileAllKeys()
		}
	}
}

// changeKeys compiles some subscriptions; false where a key turns out to be of two.
func (c *compiler) changeKeys(changed map[string]bool) bool {
	k := c.keyring
	keys := maps.Clone(k.keys)
	for at := range changed {
		if old := k.of[at]; old != nil {
			for _, one := range old.keys {
				delete(keys, one.sum)
			}
		}
	}
	for at := range changed {
		delete(k.of, at)
		doc := c.source.docs[at]
		if doc == nil {
			continue
		}
		s := c.subscription(c.source.open(doc))
		k.of[at] = s
		for _, one := range s.keys {
			if other := keys[one.sum]; other != nil && other.info.ID != one.sub.info.ID {
				return false
			}
			keys[one.sum] = one.sub
		}
	}
	k.keys = keys
	return true
}

func (c *compiler) compileAllKeys() {
	docs := c.source.list(typeSubscriptions)
	k := &keyring{keys: make(map[[sha256.Size]byte]*subscription, 2*len(docs)), of: make(map[string]*compiledSubscription, len(docs)), users: c.users()}
	c.keyring = k
	for _, d := range docs {
		s := c.subscription(c.source.open(d))
		k.of[d.Key] = s
		for _, one := range s.keys {
			if other := k.keys[one.sum]; other != nil && other.info.ID != one.sub.info.ID {
				k.twice = true
				s.problem(d.Key, false, "one of its keys is also a key of the subscription %s, which keeps it; regenerate one of them", other.info.ID)
				continue
			}
			k.keys[one.sum] = one.sub
		}
	}
}

func (c *compiler) users() map[string]*policy.UserInfo {
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
	return users
}

// subscription compiles one subscription: an entry for each of its keys.
func (c *compiler) subscription(d *apim.Document) *compiledSubscription {
	k := &compiledSubscription{}
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
	s.user = c.keyring.users[strings.ToLower(strings.TrimPrefix(d.String("ownerId"), "/users/"))]
	info := policy.SubscriptionInfo{ID: d.Name(), Name: d.String("displayName"), PrimaryKey: c.secret(&k.part, d, "primaryKey"), SecondaryKey: c.secret(&k.part, d, "secondaryKey"),
		Created: when(d.String("createdDate")), Start: s.start, End: s.end}
	for _, key := range []string{info.PrimaryKey, info.SecondaryKey} {
		if key == "" {
			continue
		}
		one, as := s, info
		as.Key = key
		one.info, one.key = &as, key
		k.keys = append(k.keys, keyed{sha256.Sum256([]byte(key)), &one})
	}
	return k
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
