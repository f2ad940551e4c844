package nameserver

import (
	"cmp"
	"slices"
	"strings"
	"sync/atomic"
)

// MaxAreas is how many areas of clients questions are counted by.
const MaxAreas = 8

// counters are the questions for one name from one area by type.
type counters struct{ a, aaaa, https, other atomic.Uint64 }

func (c *counters) count(typ uint16) {
	switch typ {
	case typeA:
		c.a.Add(1)
	case typeAAAA:
		c.aaaa.Add(1)
	case typeHTTPS:
		c.https.Add(1)
	default:
		c.other.Add(1)
	}
}

// Count is how many questions came for one name from one area of clients; the numbers only grow while the name is there.
type Count struct {
	Name                  string // relative to the zone; empty for the zone's own
	Area                  int
	A, AAAA, HTTPS, Other uint64
}

// Total is the sum over all types.
func (c Count) Total() uint64 { return c.A + c.AAAA + c.HTTPS + c.Other }

// Counts gives the questions for names of profiles and for the zone's own name since they were added, sorted by name and
// area. Areas that asked nothing are left out.
func (z *Zone) Counts() []Count {
	var out []Count
	for k, e := range z.table.Load().names {
		if e.role == inner || e.role == static {
			continue
		}
		name := strings.TrimSuffix(strings.TrimSuffix(dotted([]byte(k)), z.Name()), ".")
		for area := range e.counts {
			n := &e.counts[area]
			c := Count{Name: name, Area: area, A: n.a.Load(), AAAA: n.aaaa.Load(), HTTPS: n.https.Load(), Other: n.other.Load()}
			if c.Total() > 0 {
				out = append(out, c)
			}
		}
	}
	slices.SortFunc(out, func(a, b Count) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Area, b.Area)) })
	return out
}
