package gateway

import (
	"context"
	"strings"
	"time"

	"tandem/internal/apim"
	"tandem/internal/gateway/remote"
)

// compileCache finds the external cache that serves this gateway: that of its region, else the one for all. Its
// connection may be given by a named value.
func (c *compiler) compileCache(sh *shared) {
	sh.external = c.host.External
	var chosen *apim.Document
	for _, d := range c.source.list("caches") {
		switch from := squeezed(d.String("useFromLocation")); {
		case from == squeezed(c.region):
			chosen = d
		case from == "default" && chosen == nil:
			chosen = d
		}
	}
	if chosen == nil || sh.external != nil {
		return
	}
	connection := sh.resolve(c.secret(&sh.part, chosen, "connectionString"))
	if connection == "" {
		connection = sh.resolve(chosen.String("connectionString"))
	}
	sh.cachePrint = digest(connection)
	if c.connect == nil {
		if _, err := remote.ParseConnection(connection); err != nil {
			sh.problem(chosen.Key, false, "%v; caching policies use the gateway's own cache", err)
			return
		}
		sh.external = absent{}
		return
	}
	server, err := c.connect(connection)
	if err != nil {
		sh.problem(chosen.Key, false, "%v; caching policies use the gateway's own cache", err)
		return
	}
	sh.server, sh.external = server, server
}

// squeezed writes a region as Azure compares it: "West Europe" is "westeurope".
func squeezed(region string) string {
	return strings.ToLower(strings.ReplaceAll(region, " ", ""))
}

// absent stands for an external cache while documents are compiled dry.
type absent struct{}

// Get implements policy.Cache.
func (absent) Get(context.Context, string) ([]byte, bool, error) { return nil, false, nil }

// Set implements policy.Cache.
func (absent) Set(context.Context, string, []byte, time.Duration) error { return nil }

// Delete implements policy.Cache.
func (absent) Delete(context.Context, string) error { return nil }

// connect gives the server of a connection string: the one in use, or a new one.
func (g *Gateway) connect(connection string) (*remote.Server, error) {
	if s := g.counters.server.Load(); s != nil && s.Connection == connection {
		return s, nil
	}
	return remote.Open(connection, strings.ToLower(g.Service), g.clock, g.counters.MemoryCounters)
}

// useServer takes up the server of the generation that serves from now on, and lets go of the one before it: what asks that
// one still, finds nothing in it.
func (g *Gateway) useServer(s *remote.Server) {
	if old := g.counters.server.Swap(s); old != nil && old != s {
		if err := old.Close(); err != nil {
			g.Log.Warn("connections to an external cache were not closed cleanly", "service", g.Service, "error", err)
		}
	}
}
