package failover

import "tandem"

// world is a small model of everything around the core: two services, three witnesses, a leader, a network and time. It
// is a plain value, so that states can be told apart and counted.
//
// The network is a set of messages that only grows: each may be delivered at any time, in any order, again and again, or
// never. That is loss, duplication and reordering at once. A pause, of a service or of the leader, is an interleaving in
// which time passes and it takes no step. Witnesses may report anything, which is every cut and asymmetry of the network.
type world struct {
	s   State
	t   int8 // true time
	off int8 // the leader's clock is true time plus this

	svc [2]modelService
	net [netSize]message
	n   uint8

	budget budget
	people uint16 // which of the scene's events have happened
	ghost  ghost
}

const netSize = 12

type modelService struct {
	lease Lease
	epoch tandem.Epoch // told by Promote
	slow  int8         // its clock is behind true time by this
}

func (w *world) clock(i Service) Tick { return Tick(w.t - w.svc[i].slow) }
func (w *world) now() Tick            { return Tick(w.t + w.off) }
func (w *world) may(i Service) bool   { return w.svc[i].lease.MayAcknowledge(w.clock(i)) }

// budget bounds the faults and other free choices of a world.
type budget struct{ drifts, restarts, takeovers, looks, asks, replications, badGates int8 }

// ghost is the truth that the core cannot see; the checks are made on it.
type ghost struct {
	acked    [2]Stamp // the last moment at which the service could acknowledge
	applied  Stamp    // what the standby has of the holder's history
	apart    [2]bool  // it has a history of its own that was not merged
	gates    GateSet  // not passing, as the world answered last in this run
	views    [3]Verdict
	shown    Bound // the loss that people were shown last
	accepted Override
	onRecord bool
	agreed   uint8 // a set of people
	promoted [6]ActionID
	broken   string // the first broken invariant
}

type messageKind uint8

const (
	question messageKind = iota
	answer
	task
	outcome
)

type message struct {
	id     ActionID // task, outcome
	kind   messageKind
	svc    Service
	epoch  int8
	seq    int8 // question, answer
	boot   int8
	sent   int8
	length int8 // answer
	rev    int8
	good   bool // outcome
}

// about makes a message about a question; renewal reads it back.
func about(kind messageKind, svc Service, q Renewal, length Tick) message {
	return message{kind: kind, svc: svc, epoch: int8(q.Epoch), seq: int8(q.Seq), boot: int8(q.Sent.Boot), sent: int8(q.Sent.At), length: int8(length)}
}

func (m message) renewal() Renewal {
	return Renewal{tandem.Epoch(m.epoch), uint64(m.seq), Stamp{uint64(m.boot), Tick(m.sent)}}
}

// send adds a message to the set. A world that would need a larger network is cut off there.
func (w *world) send(m message) bool {
	for _, have := range w.net[:w.n] {
		if have == m {
			return true
		}
	}
	if w.n == netSize {
		return false
	}
	// The set is kept in order, so that the same set is the same value.
	i := w.n
	for ; i > 0 && m.less(w.net[i-1]); i-- {
		w.net[i] = w.net[i-1]
	}
	w.net[i] = m
	w.n++
	return true
}

func (m message) less(o message) bool {
	return m.rank() < o.rank()
}

// rank packs a message into a number; equal messages are found before.
func (m message) rank() uint64 {
	n := uint64(0)
	for _, part := range [...]uint8{uint8(m.kind), uint8(m.svc), uint8(m.id.Run)<<4 | uint8(m.id.Round), uint8(m.id.Step), uint8(m.epoch),
		uint8(m.seq)<<4 | uint8(m.boot), uint8(m.sent), uint8(m.rev)} {
		n = n<<8 | uint64(part)
	}
	if m.good {
		return n<<1 | 1
	}
	return n << 1
}

// feed gives the core one event and takes its actions: into the network, and against the invariants.
func (w *world) feed(r rules, e Event) {
	before := w.s
	next, actions := r.step(before, e, w.now())
	w.s = next
	if next.Runs != before.Runs {
		w.ghost.gates = 1<<Gates - 1<<(LagGate+1) // nothing is proven yet
		w.ghost.agreed, w.ghost.accepted, w.ghost.onRecord = 0, Override{}, false
	}
	for _, a := range actions {
		switch a.Kind {
		case Answer:
			w.send(about(answer, a.Service, a.Grant.Renewal, a.Grant.Length))
		case Record:
			switch a.Fact.Kind {
			case Refused:
				w.ghost.shown = a.Fact.Loss
			case Overrode:
				w.ghost.onRecord = a.Fact.By != ""
			}
		case Do:
			if a.ID.Step == Promote {
				w.promoting(a)
			}
			if a.ID.Step != Approve && a.ID.Step != Resolve {
				w.send(message{kind: task, svc: a.Service, id: a.ID, epoch: int8(a.Epoch), rev: int8(a.Upto)})
			}
		}
	}
	w.judgeStep(before, e)
}
