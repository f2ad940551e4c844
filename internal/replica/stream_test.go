package replica

import (
	"crypto/tls"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tandem"
	"tandem/internal/store/storetest"
)

// TestStream: what is written at the primary is at the standby, over HTTP/1.1 and over HTTP/2 with mutual TLS.
func TestStream(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(map[bool]string{false: "plain", true: "mutual TLS"}[secure], func(t *testing.T) {
			defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
			var server, client *tls.Config
			if secure {
				server, client = mutual(t)
			}
			p := newPrimary(t, storetest.Memory(), 7)
			standby := openSpace(t, storetest.Memory(), "apim/other")
			s := newSite(t, NewSource(SourceConfig{Space: p.space, Clock: tandem.SystemClock{}, Heartbeat: 20 * time.Millisecond}), server)
			defer s.close()
			f, stop := follow(t, s.http.Listener.Addr().String(), client, NewApplier(ApplierConfig{Space: standby, Clock: tandem.SystemClock{}, Guard: Guard{Share: 1}}))
			for range 60 {
				if err := p.change(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			await(t, 20*time.Second, "the standby equals the primary", func() bool {
				text, state, err := flat(t.Context(), standby)
				if err != nil {
					t.Fatal(err)
				}
				if want, _ := p.at(state.Revision); text != want {
					t.Fatalf("at revision %d the standby has\n%s\nwant\n%s", state.Revision, text, want)
				}
				return text == p.text()
			})
			await(t, 5*time.Second, "the lag is known and small on both sides", func() bool {
				l, theirs := f.Lag(), s.server.Lags()
				return l.Known && l.Attached && l.Commits == 0 && l.Seconds == 0 && l.Bound < time.Second && len(theirs) == 1 && theirs[0].Known && theirs[0].Commits == 0
			})
			if err := stop(); err == nil {
				t.Error("the follower ended without its context's error")
			}
		})
	}
}
