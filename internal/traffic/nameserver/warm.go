package nameserver

import "hash/maphash"

// warmer is the room that warm works in.
type warmer struct {
	entries [64]*entry
	nodes   [64]*Node
	touched uint64 // what was read, so that it is read
}

// warmZones is for how many zones warming is worth it.
const warmZones = 4

// warm reads what the answers to a batch of questions will read, a step for all of them at a time. Each step is a wait for
// memory, and the processor waits for all of a step together, where answering one after the other would wait for each. It
// decides nothing.
func (s *Server) warm(w *warmer, queries []query, verdicts []verdict) {
	if len(queries) < 4 || len(queries) > len(w.entries) {
		return
	}
	for k, z := range s.zones {
		if k == warmZones {
			return
		}
		x := &z.table.Load().index
		mask, touched := uint64(len(x.slots)-1), uint64(0)
		for i := range queries {
			w.entries[i], w.nodes[i] = nil, nil
			if q := &queries[i]; verdicts[i] == parseOK {
				w.entries[i] = x.slots[maphash.Bytes(x.seed, q.name[:q.nameLen])&mask].entry
			}
		}
		for i := range queries {
			if e := w.entries[i]; e != nil {
				w.nodes[i] = e.node.Load()
			}
		}
		for i := range queries {
			if n := w.nodes[i]; n != nil {
				touched += uint64(n.kind)
			}
		}
		for i := range queries {
			switch n := w.nodes[i]; {
			case n == nil:
			case n.choice != nil:
				touched += uint64(n.choice.sums[0])
			case n.leaf.a != nil:
				touched += uint64(n.leaf.a.count)
			}
		}
		w.touched += touched
	}
}
