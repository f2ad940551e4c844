package policy

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"tandem/internal/exchange"
	"tandem/internal/policy/markup"
)

var policyCacheLookup = &Policy{
	Name: "cache-lookup", Category: "Caching", Does: "answers from the cache when it can",
	Sections: inboundOnly,
	Attrs: []Attribute{need("vary-by-developer", trueFalse...), need("vary-by-developer-groups", trueFalse...),
		attr("allow-private-response-caching", trueFalse...).def("false"), attr("caching-type", cachingTypes...).lit().def("prefer-external"),
		attr("downstream-caching-type", "none", "private", "public").def("none"), attr("must-revalidate", trueFalse...).def("true")},
	Children: []Child{{Name: "vary-by-header", Many: true, Text: true}, {Name: "vary-by-query-parameter", Many: true, Text: true}},
	compile:  compileCacheLookup,
}

// cachePlan is what cache-lookup found out and cache-store needs.
type cachePlan struct {
	cache      Cache
	key        string
	downstream string
	revalidate bool
	storable   bool // the request may be answered from a cache at all
}

// storedResponse is an answer in the cache.
type storedResponse struct {
	Status int
	Reason string
	Header exchange.Header
	Body   []byte
	Stored int64 // Unix seconds
	TTL    int64 // seconds
}

func compileCacheLookup(c *compiler, n *markup.Node) runFunc {
	developer, groups := c.boolean(n, "vary-by-developer", false), c.boolean(n, "vary-by-developer-groups", false)
	private, revalidate := c.boolean(n, "allow-private-response-caching", false), c.boolean(n, "must-revalidate", true)
	downstream, cache := c.text(n, "downstream-caching-type", "none"), c.cacheOf(n)
	headers, params := c.texts(n, "vary-by-header"), c.texts(n, "vary-by-query-parameter")
	return func(s *State) error {
		p := &cachePlan{cache: cache, storable: s.Request.Method == "GET"}
		s.caching = p
		var err error
		if p.downstream, err = downstream.get(s); err != nil {
			return err
		}
		if p.revalidate, err = revalidate.get(s); err != nil {
			return err
		}
		if s.Request.Header.Has("Authorization") {
			if ok, err := private.get(s); err != nil {
				return err
			} else if !ok {
				p.storable = false
			}
		}
		if !p.storable {
			return nil
		}
		if p.key, err = s.cacheKey(developer, groups, headers, params); err != nil {
			return err
		}
		data, ok, err := cache.Get(s.Ctx(), p.key)
		if err != nil || !ok {
			return nil
		}
		var r storedResponse
		if json.Unmarshal(data, &r) != nil {
			return nil
		}
		s.resetResponse()
		s.Response.Status, s.Response.Reason, s.Response.Header = r.Status, r.Reason, r.Header
		s.Response.Body = exchange.Bytes(r.Body)
		p.cacheControl(s, time.Duration(r.TTL-(s.Now().Unix()-r.Stored))*time.Second)
		s.skipTo = true
		return nil
	}
}

// cacheKey is the API's and operation's name, the path and what the policy varies by. Without vary-by-query-parameter
// every query parameter counts.
func (s *State) cacheKey(developer, groups *boolean, headers, params []*text) (string, error) {
	var b strings.Builder
	b.WriteString("response:")
	if s.API != nil {
		b.WriteString(s.API.ID + ";rev=" + s.API.Revision)
	}
	b.WriteString("\x00" + s.Request.Method + "\x00" + s.Original.Host + s.Original.Path)
	if ok, err := developer.get(s); err != nil {
		return "", err
	} else if ok && s.Subscription != nil {
		b.WriteString("\x00developer=" + s.Subscription.ID)
	}
	if ok, err := groups.get(s); err != nil {
		return "", err
	} else if ok && s.User != nil {
		var ids []string
		for _, g := range s.User.Groups {
			ids = append(ids, g.ID)
		}
		slices.Sort(ids)
		b.WriteString("\x00groups=" + strings.Join(ids, ","))
	}
	for _, t := range headers {
		name, err := t.get(s)
		if err != nil {
			return "", err
		}
		b.WriteString("\x00" + strings.ToLower(name) + ":" + strings.Join(s.Request.Header.Values(name), ","))
	}
	q := parseQuery(s.Original.Query)
	if len(params) == 0 {
		sorted := slices.Clone(q)
		slices.SortStableFunc(sorted, func(a, b Param) int { return strings.Compare(a.Name, b.Name) })
		b.WriteString("\x00?" + sorted.String())
	}
	for _, t := range params {
		list, err := t.get(s)
		if err != nil {
			return "", err
		}
		for _, name := range strings.Split(list, ";") {
			name = strings.TrimSpace(name)
			b.WriteString("\x00?" + name + "=" + strings.Join(q.get(name), ","))
		}
	}
	return b.String(), nil
}

// cacheControl tells caches on the way to the client what they may do.
func (p *cachePlan) cacheControl(s *State, left time.Duration) {
	switch p.downstream {
	case "private", "public":
		v := p.downstream + ", max-age=" + strconv.FormatInt(max(0, int64(left/time.Second)), 10)
		if p.revalidate {
			v += ", must-revalidate"
		}
		s.Response.Header.Set("Cache-Control", v)
	default:
		s.Response.Header.Set("Cache-Control", "no-store, must-revalidate, no-cache")
	}
}

var policyCacheStore = &Policy{
	Name: "cache-store", Category: "Caching", Does: "puts the answer into the cache that cache-lookup asks",
	Sections: []Section{Outbound},
	Attrs:    []Attribute{need("duration"), attr("cache-response", trueFalse...), attr("caching-mode", "cache-on", "do-not-cache")},
	compile:  compileCacheStore,
}

func compileCacheStore(c *compiler, n *markup.Node) runFunc {
	duration, always := c.integer(n, "duration", 0, 0), c.boolean(n, "cache-response", false)
	_, decided := n.Attr("cache-response")
	off := c.attrText(n, "caching-mode") == "do-not-cache"
	return func(s *State) error {
		p := s.caching
		if p == nil || !p.storable || s.skipTo || off {
			return nil // nobody looked: there is no key to store under
		}
		ttl, err := duration.seconds(s)
		if err != nil || ttl <= 0 {
			return err
		}
		keep := s.Response.Status == 200
		if decided {
			if keep, err = always.get(s); err != nil {
				return err
			}
		}
		p.cacheControl(s, ttl)
		if !keep {
			return nil
		}
		body, err := s.Response.Body.Bytes(s.Host.maxBody())
		if err != nil {
			return nil // too large for the cache; the answer still goes to the client
		}
		header := s.Response.Header.Clone()
		for _, name := range []string{"Set-Cookie", "Connection", "Transfer-Encoding", "Content-Length", "Cache-Control"} {
			header.Del(name)
		}
		data, err := json.Marshal(storedResponse{s.Response.Status, s.Response.Reason, header, body, s.Now().Unix(), int64(ttl / time.Second)})
		if err != nil {
			return nil
		}
		_ = p.cache.Set(s.Ctx(), p.key, data, ttl)
		return nil
	}
}
