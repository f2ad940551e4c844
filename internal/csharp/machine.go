package csharp

import (
	"context"
	"crypto/rand"
	"io"
	"time"

	"tandem"
)

// Limits bound what one run of an expression may use. A zero field means its default.
type Limits struct {
	Steps  int64         // loop turns, calls of lambdas, elements walked; default 5,000,000
	Depth  int           // nested calls of local functions and lambdas; default 200
	Memory int64         // bytes that strings and collections are built of, freed or not; default 256 MiB
	Time   time.Duration // default 10 s
}

const defaultTime = 10 * time.Second

// Env is what one run sees of the world.
type Env struct {
	Globals []Value      // in the order of Options.Globals
	Clock   tandem.Clock // nil: the machine's
	Limits  Limits
	Rand    io.Reader       // nil: crypto/rand
	Context context.Context // nil: none; when it is done the run stops with a time limit error
}

// Machine is one run in progress: what the bodies of members get to see.
type Machine struct {
	lib      *Library
	env      *Env
	globals  []Value
	args     []Value
	asp      int
	high     int
	frames   []*Frame
	depth    int
	steps    int64
	memory   int64
	deadline time.Time
	maxDepth int
	nest     int
}

// Frame holds the variables of one running function.
type Frame struct {
	m   *Machine
	l   []Value
	up  []*Value
	ret Value
}

// Fn is the body of a member. a[0] is the receiver of an instance member, never null; then come the arguments in the
// order of the signature, converted to the types that it names. The body of an out parameter is assigned by writing its
// element of a. The slice belongs to the caller: do not keep it.
type Fn func(m *Machine, a []Value) Value

func (m *Machine) reset(p *Program, env *Env) {
	m.env, m.globals, m.lib = env, env.Globals, p.lib
	m.steps, m.memory = env.Limits.Steps, env.Limits.Memory
	if m.steps == 0 {
		m.steps = 5_000_000
	}
	if m.memory == 0 {
		m.memory = 256 << 20
	}
	if m.maxDepth = env.Limits.Depth; m.maxDepth == 0 {
		m.maxDepth = 200
	}
	m.deadline = time.Time{}
	m.asp, m.high, m.depth, m.nest = 0, 0, 0, 0
}

// clear drops what the run referred to.
func (m *Machine) clear() {
	clear(m.args[:min(m.high, len(m.args))])
	for _, f := range m.frames {
		clear(f.l[:cap(f.l)])
		f.up, f.ret = nil, Value{}
	}
	m.env, m.globals = nil, nil
}

// Step counts one step of work, and stops the run when it has done too many or takes too long.
func (m *Machine) Step() {
	m.steps--
	if m.steps&1023 == 0 || m.steps < 0 {
		m.check()
	}
}

// Steps counts n steps at once.
func (m *Machine) Steps(n int) {
	before := m.steps >> 10
	m.steps -= int64(n)
	if m.steps>>10 != before {
		m.check()
	}
}

func (m *Machine) check() {
	if m.steps < 0 {
		panic(&LimitError{"steps"})
	}
	if m.env.Context != nil && m.env.Context.Err() != nil {
		panic(&LimitError{"time"})
	}
	now := m.clock().Now()
	if m.deadline.IsZero() {
		m.deadline = now.Add(m.TimeLimit())
	}
	if now.After(m.deadline) {
		panic(&LimitError{"time"})
	}
}

// maxHeight bounds how deep objects may hold each other, so that walking them cannot exhaust the stack.
const maxHeight = 1000

// Deeper is called before library code recurses through objects, and Shallower after it.
func (m *Machine) Deeper() {
	if m.nest++; m.nest > maxHeight {
		panic(&LimitError{"depth"})
	}
}

// Shallower ends what Deeper began.
func (m *Machine) Shallower() { m.nest-- }

// Nested is implemented by immutable objects that hold others: how deep they go.
type Nested interface{ NetHeight() int }

// HeightOf is one more than the height of the highest of the values; it stops the run where that is too much.
func HeightOf(vs ...Value) int {
	h := 0
	for _, v := range vs {
		if n, ok := v.R.(Nested); ok {
			h = max(h, n.NetHeight())
		}
	}
	CheckHeight(h)
	return h + 1
}

// CheckHeight stops the run when objects hold each other too deeply.
func CheckHeight(h int) {
	if h > maxHeight {
		panic(&LimitError{"depth"})
	}
}

// Charge counts n bytes of new memory, and stops the run before it takes too much.
func (m *Machine) Charge(n int) {
	if m.memory -= int64(n); m.memory < 0 || n < 0 {
		panic(&LimitError{"memory"})
	}
	if n > 1<<12 {
		m.Steps(n >> 10)
	}
}

// TimeLimit is the time that the whole run may take, for parts that keep time by themselves.
func (m *Machine) TimeLimit() time.Duration {
	if m.env.Limits.Time == 0 {
		return defaultTime
	}
	return m.env.Limits.Time
}

func (m *Machine) clock() tandem.Clock {
	if m.env == nil || m.env.Clock == nil {
		return tandem.SystemClock{}
	}
	return m.env.Clock
}

// Now is the time of the run's clock.
func (m *Machine) Now() time.Time { return m.clock().Now() }

// Random fills b from the run's source of randomness.
func (m *Machine) Random(b []byte) {
	src := m.env.Rand
	if src == nil {
		src = rand.Reader
	}
	if _, err := io.ReadFull(src, b); err != nil {
		Throw("System.Security.Cryptography.CryptographicException", "The source of randomness failed.")
	}
}

// Library is the library of the running program.
func (m *Machine) Library() *Library { return m.lib }

// push reserves n arguments on the argument stack. A new chunk replaces one that is full; callers keep their slices.
func (m *Machine) push(n int) []Value {
	if m.asp+n > len(m.args) {
		m.args = make([]Value, max(64, 2*(m.asp+n)))
	}
	a := m.args[m.asp : m.asp+n : m.asp+n]
	m.asp += n
	if m.asp > m.high {
		m.high = m.asp
	}
	return a
}

func (m *Machine) pop(n int) { m.asp -= n }

// enter gives a frame with room for the function's variables.
func (m *Machine) enter(slots int) *Frame {
	if m.depth >= m.maxDepth {
		panic(&LimitError{"depth"})
	}
	if m.depth == len(m.frames) {
		m.frames = append(m.frames, &Frame{m: m})
	}
	f := m.frames[m.depth]
	m.depth++
	f.m = m
	if cap(f.l) < slots {
		f.l = make([]Value, slots, slots+8)
	}
	f.l = f.l[:slots]
	return f
}

func (m *Machine) leave() { m.depth-- }
