package recovery

import (
	"context"
	"strings"
	"sync"
	"time"

	"tandem/internal/failover"
)

const (
	notifyTimeout = 10 * time.Second
	notifyTries   = 5
	notifyQueue   = 64
)

// Notice is one message to people.
type Notice struct {
	Group string    `json:"group"`
	Time  time.Time `json:"time"`
	Title string    `json:"title"` // "recovery group prod: failover began"
	Text  string    `json:"text"`
	Run   string    `json:"run,omitempty"`
	Kind  string    `json:"kind"` // of the fact: "seen down"
}

// notifier sends the notices of one group, in order, with a bounded queue: the newest are kept.
type notifier struct {
	c     *Controller
	place string
	done  chan struct{} // closed when the runner ends
	queue chan queued

	mu       sync.Mutex
	failures map[string]string // by the notification's name: why the last one was not sent
	dropped  int
}

type queued struct {
	to     Notification
	group  string // its id
	notice Notice
}

func newNotifier(c *Controller, place string) *notifier {
	return &notifier{c: c, place: place, done: make(chan struct{}), queue: make(chan queued, notifyQueue), failures: map[string]string{}}
}

// told is whether people are told of a fact.
func told(k failover.FactKind) bool {
	switch k {
	case failover.SeenDown, failover.SeenUp, failover.Began, failover.Refused, failover.Given, failover.Moved, failover.Ended, failover.GaveUp, failover.Rehearsed,
		failover.ConflictsFound, failover.WroteLate, failover.KeptOrphans, failover.QuorumLost, failover.QuorumBack:
		return true
	}
	return false
}

// fact queues the notices of a fact.
func (n *notifier) fact(g groupDoc, _ stateDoc, e Entry) {
	if !told(e.Fact.Kind) {
		return
	}
	kind := factWord(e.Fact)
	text := e.Text
	for i, m := range g.Properties.Members() {
		text = strings.ReplaceAll(text, failover.Service(i).String()+" epoch", lastSegment(m)+" epoch")
	}
	notice := Notice{Group: g.ID, Time: e.Time, Title: "Recovery group " + g.Name + ": " + kind, Text: text, Kind: kind}
	if e.Fact.Run > 0 {
		notice.Run = coreRunID(e.Fact.Run)
	}
	n.post(g, notice)
}

// post queues a notice for every notification of the group.
func (n *notifier) post(g groupDoc, notice Notice) {
	for _, to := range g.Properties.Notifications {
		select {
		case n.queue <- queued{to, g.ID, notice}:
		default:
			n.mu.Lock()
			n.dropped++
			n.mu.Unlock()
		}
	}
}

func (n *notifier) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case q := <-n.queue:
			n.deliver(ctx, q)
		}
	}
}

// deliver sends one notice, with patience.
func (n *notifier) deliver(ctx context.Context, q queued) {
	wait := time.Second
	for try := 1; ; try++ {
		err := n.c.send(ctx, q)
		n.mu.Lock()
		if err == nil {
			delete(n.failures, q.to.Name)
		} else {
			n.failures[q.to.Name] = err.Error()
		}
		n.mu.Unlock()
		if err == nil || try == notifyTries || n.c.Clock.Sleep(ctx, wait) != nil {
			return
		}
		wait *= 2
	}
}

// troubles are the notifications that were not sent, in words.
func (n *notifier) troubles() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []string
	for name, why := range n.failures {
		out = append(out, "the notification "+name+" was not sent: "+why)
	}
	if n.dropped > 0 {
		out = append(out, "notifications were dropped because too many waited")
	}
	return out
}

func factWord(f failover.Fact) string {
	word := f.String()
	if i := strings.Index(word, " run "); i > 0 {
		word = word[:i]
	}
	if i := strings.Index(word, " epoch "); i > 0 {
		word = strings.TrimSuffix(strings.TrimSuffix(word[:i], " first"), " second")
	}
	if f.Of != failover.NoRun {
		return f.Of.String() + " " + word
	}
	return word
}

func lastSegment(id string) string { return id[strings.LastIndexByte(id, '/')+1:] }
