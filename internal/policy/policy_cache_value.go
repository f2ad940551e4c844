package policy

import (
	"tandem/internal/policy/markup"
)

var policyCacheLookupValue = &Policy{
	Name: "cache-lookup-value", Category: "Caching", Does: "gets a value of the cache into a variable",
	Sections: everySection,
	Attrs:    []Attribute{need("key"), need("variable-name").lit(), attr("default-value"), attr("caching-type", cachingTypes...).lit().def("prefer-external")},
	compile: func(c *compiler, n *markup.Node) runFunc {
		key, variable, def, cache := c.text(n, "key", ""), c.text(n, "variable-name", ""), c.text(n, "default-value", ""), c.cacheOf(n)
		return func(s *State) error {
			k, err := key.get(s)
			if err != nil {
				return err
			}
			name, err := variable.get(s)
			if err != nil {
				return err
			}
			if data, ok, err := cache.Get(s.Ctx(), "value:"+k); err == nil && ok {
				if v, err := decodeBoxed(data); err == nil {
					s.vars.set(name, v)
					return nil
				}
			}
			if def.set {
				v, err := def.box(s)
				if err != nil {
					return err
				}
				s.vars.set(name, v)
			}
			return nil
		}
	},
}

var policyCacheStoreValue = &Policy{
	Name: "cache-store-value", Category: "Caching", Does: "puts a value into the cache",
	Sections: everySection,
	Attrs:    []Attribute{need("key"), need("value"), need("duration"), attr("caching-type", cachingTypes...).lit().def("prefer-external")},
	compile: func(c *compiler, n *markup.Node) runFunc {
		key, value, duration, cache := c.text(n, "key", ""), c.text(n, "value", ""), c.integer(n, "duration", 0, 0), c.cacheOf(n)
		return func(s *State) error {
			k, err := key.get(s)
			if err != nil {
				return err
			}
			v, err := value.box(s)
			if err != nil {
				return err
			}
			ttl, err := duration.seconds(s)
			if err != nil {
				return err
			}
			data, err := encodeBoxed(v)
			if err != nil {
				return failure(500, ReasonExpression, err.Error())
			}
			if ttl > 0 {
				_ = cache.Set(s.Ctx(), "value:"+k, data, ttl) // a cache that fails is a cache that forgets
			}
			return nil
		}
	},
}

var policyCacheRemoveValue = &Policy{
	Name: "cache-remove-value", Category: "Caching", Does: "removes a value from the cache",
	Sections: everySection,
	Attrs:    []Attribute{need("key"), attr("caching-type", cachingTypes...).lit().def("prefer-external"), attr("fail-on-cache-removal-error", trueFalse...).def("false")},
	compile: func(c *compiler, n *markup.Node) runFunc {
		key, fail, cache := c.text(n, "key", ""), c.boolean(n, "fail-on-cache-removal-error", false), c.cacheOf(n)
		return func(s *State) error {
			k, err := key.get(s)
			if err != nil {
				return err
			}
			if err := cache.Delete(s.Ctx(), "value:"+k); err != nil {
				if f, ferr := fail.get(s); ferr != nil || !f {
					return ferr
				}
				return &LastError{Status: 500, Reason: "CacheRemovalFailure", Message: "The value could not be removed from the cache.", Err: err}
			}
			return nil
		}
	},
}

// cacheOf chooses the cache by caching-type.
func (c *compiler) cacheOf(n *markup.Node) Cache {
	kind := c.attrText(n, "caching-type")
	chosen := c.host.External
	if kind == "internal" || kind != "external" && chosen == nil {
		chosen = c.host.Cache
	}
	if chosen == nil && !c.opts.Presume {
		name := "a cache"
		if kind == "external" {
			name = "an external cache"
		}
		c.report(Error, n.Pos, KindPart, n.Name, "%s needs %s, which this gateway does not have; configure it or choose another caching-type", n.Name, name)
	}
	return chosen
}
