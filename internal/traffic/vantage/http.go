package vantage

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"tandem"
)

// send tells p what changes, and that this place is there, until ctx ends. A message that hangs is given up after two
// beats; as many as atOnce may be under way.
func (x *Exchange) send(ctx context.Context, p *peer) {
	room := make(chan struct{}, atOnce)
	ended := make(chan error, atOnce)
	silent, owed := false, false
	for {
		select {
		case <-ctx.Done():
			for len(room) > 0 {
				<-ended
				<-room
			}
			return
		case err := <-ended:
			<-room
			switch {
			case err != nil && !silent && ctx.Err() == nil:
				x.config.Log.Warn("another vantage point is not reached; it is told again on every beat", "error", err)
				silent = true
			case err == nil && silent:
				x.config.Log.Info("another vantage point is reached again", "vantage", p.Name)
				silent = false
			}
			if !owed {
				continue
			}
		case <-p.wake:
		case <-x.config.Clock.After(x.config.Beat):
		}
		select {
		case room <- struct{}{}:
			owed = false
		default: // all are under way: the end of one tells
			owed = true
			continue
		}
		x.work.Go(func() { ended <- x.push(ctx, p) })
	}
}

// push sends one message and takes the answer in.
func (x *Exchange) push(ctx context.Context, p *peer) error {
	ctx, cancel := context.WithTimeout(ctx, 2*x.config.Beat)
	defer cancel()
	x.mu.Lock()
	m, url := x.write(p, x.config.Clock.Now()), p.URL
	x.mu.Unlock()
	fail := func(err error) error {
		return &tandem.Error{Op: "tell verdicts to vantage point", Subject: p.Name, Kind: tandem.Unavailable, Err: err, Remedy: "check the network to it and its internal listener"}
	}
	body, err := json.Marshal(m)
	if err != nil {
		return fail(err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(url, "/")+Path, bytes.NewReader(body))
	if err != nil {
		return fail(err)
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := x.config.Client.Do(r)
	if err != nil {
		return fail(err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 200))
		return fail(fmt.Errorf("it answered %s: %s", resp.Status, bytes.TrimSpace(text)))
	}
	answer, err := read(resp.Body)
	if err != nil {
		return fail(err)
	}
	if answer.Vantage != p.Name {
		return fail(fmt.Errorf("%s answered in its place", answer.Vantage))
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.hear(p, answer)
	if x.known(answer) < m.Top || len(m.Verdicts) == maxSaid { // it missed something, could not believe it yet, or gets the rest
		p.rouse()
	}
	return nil
}

// hear takes a message in and gives its news on. Called with the lock held.
func (x *Exchange) hear(p *peer, m *message) {
	was := p.confirmed
	for _, endpoint := range x.take(p, m, x.config.Clock.Now()) {
		x.pending[endpoint] = true
	}
	if p.confirmed.After(was) {
		x.pending[""] = true
	}
	x.hint()
}

func read(r io.Reader) (*message, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxBody+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > maxBody {
		return nil, fmt.Errorf("the message is longer than %d octets", maxBody)
	}
	m := new(message)
	if err := json.Unmarshal(raw, m); err != nil {
		return nil, fmt.Errorf("the message is not one: %w", err)
	}
	return m, m.check()
}

// ServeHTTP takes a message of another place and answers with what that one does not yet have.
func (x *Exchange) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "send POST", http.StatusMethodNotAllowed)
		return
	}
	name, err := x.config.Identify(r)
	if err != nil {
		http.Error(w, "the certificate names no vantage point", http.StatusForbidden)
		return
	}
	m, err := read(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if m.Vantage != name {
		http.Error(w, "the certificate is of another vantage point than the message", http.StatusForbidden)
		return
	}
	x.mu.Lock()
	p := x.peers[name]
	if p == nil {
		x.mu.Unlock()
		http.Error(w, "this vantage point is not among the others known here", http.StatusForbidden)
		return
	}
	x.hear(p, m)
	answer := x.write(p, x.config.Clock.Now())
	answer.Echo = &mark{m.Boot, m.Sequence}
	if m.Boot != p.boot {
		answer.Known = &mark{m.Boot, 0}
	}
	x.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(answer) //nolint:errcheck // a lost answer is told again on the beat
}
