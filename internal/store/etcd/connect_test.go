package etcd

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"

	"tandem"
	"tandem/internal/store"
	"tandem/internal/store/storetest"
)

// outside runs an etcd with default limits on a unix socket in dir. stop may be called more than once.
func outside(t *testing.T, dir string) (endpoint string, stop func()) {
	t.Helper()
	c := embed.NewConfig()
	c.Dir = filepath.Join(dir, "data")
	c.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	c.TickMs, c.ElectionMs = 10, 50
	socket := url.URL{Scheme: "unix", Path: filepath.Join(dir, "s")}
	c.ListenPeerUrls, c.ListenClientUrls, c.AdvertiseClientUrls = nil, []url.URL{socket}, []url.URL{socket}
	e, err := embed.StartEtcd(c)
	if err != nil {
		t.Fatal(err)
	}
	<-e.Server.ReadyNotify()
	closed := false
	stop = func() {
		if !closed {
			closed = true
			e.Close()
		}
	}
	t.Cleanup(stop)
	return socket.String(), stop
}

// shortDir is a temporary folder whose name leaves room for a socket's: the kernel takes about 100 bytes.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "t")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func connect(t *testing.T, endpoint, prefix string) *Store {
	t.Helper()
	s, err := Connect(t.Context(), []string{endpoint}, nil, prefix)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestConnectConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		endpoint, _ := outside(t, shortDir(t))
		neighbour := connect(t, endpoint, "tandem-2/")
		if _, err := neighbour.Commit(t.Context(), store.Batch{Put: []store.Write{{Key: "a"}, {Key: "k"}, {Key: "n"}}}); err != nil {
			t.Fatal(err)
		}
		return connect(t, endpoint, "tandem/")
	})
}

// TestWatchBridgesRestart watches through an etcd that goes away and comes back.
func TestWatchBridgesRestart(t *testing.T) {
	dir := shortDir(t)
	endpoint, stop := outside(t, dir)
	s := connect(t, endpoint, "tandem/")
	first, err := s.Commit(t.Context(), store.Batch{Put: []store.Write{{Key: "a", Value: []byte("1")}}})
	if err != nil {
		t.Fatal(err)
	}
	finished := errors.New("finished")
	events := make(chan string)
	ended := make(chan error, 1)
	go func() {
		ended <- s.Watch(t.Context(), "a", first-1, func(e store.Event) error {
			events <- string(e.Changes[0].Value)
			if string(e.Changes[0].Value) == "2" {
				return finished
			}
			return nil
		})
	}()
	if got := <-events; got != "1" {
		t.Fatalf("the first event has %s", got)
	}
	stop()
	outside(t, dir)
	for { // the client reconnects at its own pace
		_, err := s.Commit(t.Context(), store.Batch{Put: []store.Write{{Key: "a", Value: []byte("2")}}})
		if err == nil {
			break
		}
		if tandem.KindOf(err) != tandem.Unavailable {
			t.Fatal(err)
		}
	}
	if got := <-events; got != "2" {
		t.Errorf("after the restart the event has %s, want 2", got)
	}
	if err := <-ended; !errors.Is(err, finished) {
		t.Error(err)
	}
}

func TestConnectErrors(t *testing.T) {
	dead, cancel := context.WithCancel(t.Context())
	cancel()
	nobody := []string{"unix://" + filepath.Join(shortDir(t), "nobody")}
	for _, c := range []struct {
		name      string
		ctx       context.Context
		endpoints []string
		prefix    string
		kind      tandem.Kind
	}{
		{"no endpoint", t.Context(), nil, "", tandem.Invalid},
		{"prefix without slash", t.Context(), nobody, "tandem", tandem.Invalid},
		{"nobody answers", dead, nobody, "tandem/", tandem.Unavailable},
	} {
		if _, err := Connect(c.ctx, c.endpoints, nil, c.prefix); tandem.KindOf(err) != c.kind {
			t.Errorf("%s: got %v, want kind %q", c.name, err, c.kind)
		}
	}
}
