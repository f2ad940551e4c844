package etcd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"path/filepath"
	"testing"
	"time"

	"tandem"
	"tandem/internal/keys"
	"tandem/internal/store"
	"tandem/internal/store/storetest"
)

// cluster is several members in this process, on loopback.
type cluster struct {
	t     testing.TB
	dir   string
	ca    *keys.CA
	peers map[string]string
	open  map[string]*Store
}

func newCluster(t testing.TB, names ...string) *cluster {
	t.Helper()
	c := &cluster{t: t, dir: t.TempDir(), peers: map[string]string{}, open: map[string]*Store{}}
	var err error
	if c.ca, err = keys.OpenCA(filepath.Join(c.dir, "ca"), tandem.SystemClock{}); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		c.peers[name] = freeAddress(t)
	}
	for _, name := range names {
		c.start(name, false, c.peers)
	}
	t.Cleanup(func() {
		for name := range c.open {
			c.stop(name)
		}
	})
	return c
}

// freeAddress gives an address that nobody listens on at the moment.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (c *cluster) member(name string, join bool, peers map[string]string) Member {
	source, err := c.ca.Source(keys.Leaf{Name: PeerName, Hosts: []string{"127.0.0.1"}, Client: true})
	if err != nil {
		c.t.Fatal(err)
	}
	return Member{Config: Config{Dir: filepath.Join(c.dir, name), Name: name, Log: slog.New(slog.DiscardHandler)}, Listen: c.peers[name], Peers: peers, Join: join,
		Certificate: source.Certificate, CAFile: c.ca.File()}
}

func (c *cluster) start(name string, join bool, peers map[string]string) *Store {
	c.t.Helper()
	s, err := OpenMember(context.WithoutCancel(c.t.Context()), c.member(name, join, peers))
	if err != nil {
		c.t.Fatal(err)
	}
	c.open[name] = s
	return s
}

func (c *cluster) stop(name string) {
	c.t.Helper()
	if err := c.open[name].Close(); err != nil {
		c.t.Errorf("close %s: %v", name, err)
	}
	delete(c.open, name)
}

// until waits for something to come true, for a minute.
func (c *cluster) until(what string, is func() bool) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	for !is() {
		if (tandem.SystemClock{}).Sleep(ctx, 20*time.Millisecond) != nil {
			c.t.Fatalf("after a minute: not yet %s", what)
		}
	}
}

// leader waits for a member that leads and that the others know.
func (c *cluster) leader() string {
	c.t.Helper()
	var found string
	c.until("a leader", func() bool {
		for name, s := range c.open {
			if s.Leading() {
				found = name
			}
		}
		return found != ""
	})
	return found
}

// commit writes by way of a member, again while there is no leader.
func (c *cluster) commit(name, key, value string) {
	c.t.Helper()
	c.until("a write by "+name, func() bool {
		_, err := c.open[name].Commit(c.t.Context(), store.Batch{Put: []store.Write{{Key: key, Value: []byte(value)}}})
		if err != nil && !errors.Is(err, tandem.Unavailable) {
			c.t.Fatal(err)
		}
		return err == nil
	})
}

func (c *cluster) expect(name, key, value string) {
	c.t.Helper()
	c.until(fmt.Sprintf("%s=%s at %s", key, value, name), func() bool {
		d, err := c.open[name].Get(c.t.Context(), key, 0)
		return err == nil && string(d.Value) == value
	})
}

// bound gives a store a prefix of its own in a cluster that several tests use. Closing it leaves the cluster running.
func bound(t *testing.T, s *Store, prefix string) *Store {
	b := newStore(s.client, prefix, s.clock)
	b.engine = s.engine
	t.Cleanup(func() { b.end(&tandem.Error{Op: "use store", Kind: tandem.Closed}) })
	return b
}

// TestMemberConformance runs the suite on a follower of three.
func TestMemberConformance(t *testing.T) {
	c := newCluster(t, "a", "b", "c")
	follower := "a"
	if c.leader() == "a" {
		follower = "b"
	}
	c.commit(follower, "first", "1")
	storetest.Run(t, func(t *testing.T) store.Store { return shared{bound(t, c.open[follower], t.Name()+"/")} })
}

// shared closes without its engine, which other tests go on with.
type shared struct{ *Store }

func (s shared) Close() error {
	s.end(&tandem.Error{Op: "use store", Kind: tandem.Closed})
	return nil
}

func TestMembersSurviveOne(t *testing.T) {
	c := newCluster(t, "a", "b", "c")
	first := c.leader()
	c.commit("a", "k", "before")
	for name := range c.peers {
		c.expect(name, "k", "before")
	}
	c.stop(first)
	second := c.leader()
	if second == first {
		t.Fatalf("%s is stopped and leads", first)
	}
	for name := range maps.Clone(c.open) {
		c.commit(name, "k-"+name, "after")
	}
	c.start(first, false, c.peers)
	for _, name := range []string{"a", "b", "c"} {
		if name != first {
			c.expect(first, "k-"+name, "after")
		}
	}
	list, err := c.open[first].Members(t.Context())
	if err != nil || len(list) != 3 {
		t.Fatalf("members: %v, %v", list, err)
	}
	for _, m := range list {
		if m.Learner || m.Address != c.peers[m.Name] || m.Self != (m.Name == first) {
			t.Errorf("member %+v", m)
		}
	}
}

// TestMoveLeader moves the leadership and sees it told.
func TestMoveLeader(t *testing.T) {
	c := newCluster(t, "a", "b", "c")
	from := c.leader()
	c.commit(from, "k", "v")
	list, err := c.open[from].Members(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range list {
		if m.Self {
			continue
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := c.open[m.Name].MoveLeader(ctx, m.ID); err == nil {
			t.Error("a member that does not lead gave the leadership away")
		}
		c.until("moved", func() bool {
			err := c.open[from].MoveLeader(ctx, m.ID)
			return err == nil || c.open[m.Name].Leading()
		})
		if err := errors.Join(c.open[from].Await(ctx, false), c.open[m.Name].Await(ctx, true)); err != nil {
			t.Fatal(err)
		}
		break
	}
}

// TestReplaceMember loses a member for good, with its disk, and puts another in its place.
func TestReplaceMember(t *testing.T) {
	c := newCluster(t, "a", "b", "c")
	c.leader()
	c.commit("a", "k", "v")
	c.stop("c")
	list, err := c.open["a"].Members(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	lost := ""
	for _, m := range list {
		if m.Name == "c" || m.Address == c.peers["c"] {
			lost = m.ID
		}
	}
	c.until("removed", func() bool { err = c.open["a"].RemoveMember(t.Context(), lost); return err == nil })
	c.peers["d"] = freeAddress(t)
	c.until("added", func() bool { // a quorum of the two must have been connected for five seconds
		list, err = c.open["b"].AddMember(t.Context(), c.peers["d"])
		return err == nil
	})
	if _, err := c.open["b"].AddMember(t.Context(), c.peers["d"]); err == nil {
		t.Error("the same address was added twice")
	}
	peers := map[string]string{"a": c.peers["a"], "b": c.peers["b"], "d": c.peers["d"]}
	d := c.start("d", true, peers)
	c.until("promoted", func() bool { return d.PromoteSelf(t.Context()) == nil })
	c.expect("d", "k", "v")
	c.stop("a") // the new one counts for the quorum now
	c.commit("d", "k", "w")
	c.expect("b", "k", "w")
}

// TestLastKnown reads without a quorum, and writes to no effect.
func TestLastKnown(t *testing.T) {
	c := newCluster(t, "a", "b", "c")
	c.leader()
	c.commit("a", "k", "v")
	c.expect("b", "k", "v")
	c.stop("a")
	c.stop("c")
	b := c.open["b"]
	c.until("without a leader", func() bool { return !b.HasLeader() })
	if b.Leading() {
		t.Error("one of three leads")
	}
	d, err := b.LastKnown().Get(t.Context(), "k", 0)
	if err != nil || string(d.Value) != "v" {
		t.Fatalf("got %q, %v", d.Value, err)
	}
	page, err := b.LastKnown().List(t.Context(), "", store.ListOptions{})
	if err != nil || len(page.Documents) != 1 {
		t.Fatalf("got %v, %v", page, err)
	}
	if _, err := b.LastKnown().Commit(t.Context(), store.Batch{Put: []store.Write{{Key: "k", Value: []byte("w")}}}); !errors.Is(err, tandem.Unavailable) {
		t.Errorf("a write without quorum gives %v", err)
	}
	c.stop("b") // and again from the disk alone
	if d, err := c.start("b", false, c.peers).LastKnown().Get(t.Context(), "k", 0); err != nil || string(d.Value) != "v" {
		t.Fatalf("after a start: got %q, %v", d.Value, err)
	}
}

func TestMemberErrors(t *testing.T) {
	c := &cluster{t: t, dir: t.TempDir(), peers: map[string]string{"a": "127.0.0.1:1"}}
	var err error
	if c.ca, err = keys.OpenCA(filepath.Join(c.dir, "ca"), tandem.SystemClock{}); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Member){
		"no folder":                func(m *Member) { m.Dir = "" },
		"no certificates":          func(m *Member) { m.Certificate = nil },
		"it is none of its peers":  func(m *Member) { m.Name = "b" },
		"a peer without a port":    func(m *Member) { m.Peers = map[string]string{"a": "127.0.0.1:1", "b": "host"} },
		"a name that cannot be":    func(m *Member) { m.Peers = map[string]string{"a": "127.0.0.1:1", "b=c": "127.0.0.1:2"} },
		"nothing to listen on":     func(m *Member) { m.Listen = "" },
		"a name without any sense": func(m *Member) { m.Name = "" },
	} {
		m := c.member("a", false, c.peers)
		spoil(&m)
		if _, err := OpenMember(t.Context(), m); !errors.Is(err, tandem.Invalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestPeerFile writes the file at the first time and when there is another certificate.
func TestPeerFile(t *testing.T) {
	ca, err := keys.OpenCA(filepath.Join(t.TempDir(), "ca"), tandem.SystemClock{})
	if err != nil {
		t.Fatal(err)
	}
	issue := func() *tls.Certificate {
		c, err := ca.Issue(keys.Leaf{Name: PeerName, Hosts: []string{"127.0.0.1"}, Client: true})
		if err != nil {
			t.Fatal(err)
		}
		return &c
	}
	now := issue()
	f := &peerFile{path: filepath.Join(t.TempDir(), "peer.pem"), get: func() (*tls.Certificate, error) { return now, nil }}
	for range 2 {
		for range 2 {
			if err := f.write(); err != nil {
				t.Fatal(err)
			}
			pair, err := tls.LoadX509KeyPair(f.path, f.path)
			if err != nil || !pair.Leaf.Equal(now.Leaf) {
				t.Fatalf("the file has another certificate: %v", err)
			}
		}
		now = issue()
	}
}

// TestCampaign has two processes share an etcd outside: one leads, and the other after it.
func TestCampaign(t *testing.T) {
	endpoint, _ := outside(t, shortDir(t))
	a, b := connect(t, endpoint, "tandem/"), connect(t, endpoint, "tandem/")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	first, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() { defer close(ended); a.Campaign(first, "a") }()
	if err := a.Await(ctx, true); err != nil {
		t.Fatal(err)
	}
	second, stopSecond := context.WithCancel(ctx)
	endedSecond := make(chan struct{})
	go func() { defer close(endedSecond); b.Campaign(second, "b") }()
	if b.Leading() {
		t.Error("two lead")
	}
	stop()
	if err := errors.Join(a.Await(ctx, false), b.Await(ctx, true)); err != nil {
		t.Fatal(err)
	}
	stopSecond()
	<-ended
	<-endedSecond
}
