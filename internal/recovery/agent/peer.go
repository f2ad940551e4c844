package agent

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"tandem"
	"tandem/internal/recovery"
	"tandem/internal/replica"
	"tandem/internal/store"
)

// documentsHead is the first line of a service's documents as one node sends them to another; a line for each document
// follows, and one that says how many there were. Secrets in them are sealed (law 7).
type documentsHead struct {
	Epoch    tandem.Epoch     `json:"epoch"`
	Revision tandem.Revision  `json:"revision"`
	Follows  replica.Position `json:"follows"`
	Parted   tandem.Revision  `json:"parted"`
}

type documentLine struct {
	Key      string          `json:"key,omitempty"`
	Value    []byte          `json:"value,omitempty"`
	Revision tandem.Revision `json:"revision,omitempty"`
	Count    *int            `json:"count,omitempty"` // of the last line
}

// mergeRequest asks a holder to write what a merge brings. All or nothing of each piece is written; a piece whose documents
// changed meanwhile ends it with Precondition, and the merge begins anew with what is there then.
type mergeRequest struct {
	Service string        `json:"service"`
	Epoch   tandem.Epoch  `json:"epoch"`
	Changes []mergeChange `json:"changes"`
}

type mergeChange struct {
	Key      string          `json:"key"`
	Value    []byte          `json:"value,omitempty"`
	Gone     bool            `json:"gone,omitempty"`
	Revision tandem.Revision `json:"revision"` // the document's at the holder, zero: it is absent
}

// holders reads the documents of the holder, from its node.
func (m *member) holders(ctx context.Context) (*contents, error) {
	now := m.membership()
	resp, err := m.a.call(ctx, http.MethodGet, now.PeerNode+documentsPath+"?"+url.Values{"service": {now.Peer}}.Encode(), nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // it was read to its end
	cut := func(err error) error {
		return &tandem.Error{Op: "read documents", Subject: now.Peer, Kind: tandem.Unavailable, Err: fmt.Errorf("they came in part only: %w", err), Remedy: "ask again"}
	}
	d := json.NewDecoder(bufio.NewReaderSize(resp.Body, 1<<20))
	var head documentsHead
	if err := d.Decode(&head); err != nil {
		return nil, cut(err)
	}
	out := &contents{Epoch: head.Epoch, Revision: head.Revision, Follows: head.Follows, Parted: head.Parted, Documents: map[string]store.Document{}}
	for {
		var line documentLine
		if err := d.Decode(&line); err != nil {
			return nil, cut(err)
		}
		if line.Count != nil {
			if *line.Count != len(out.Documents) {
				return nil, cut(errors.New("documents are missing"))
			}
			return out, nil
		}
		out.Documents[line.Key] = store.Document{Key: line.Key, Value: line.Value, Revision: line.Revision}
	}
}

func (a *Agent) serveDocuments(w http.ResponseWriter, r *http.Request) {
	m, err := a.known(r.URL.Query().Get("service"))
	if err != nil {
		fail(w, err)
		return
	}
	service, err := m.service(r.Context())
	if err != nil {
		fail(w, err)
		return
	}
	c, err := read(r.Context(), service.Space)
	if err != nil {
		fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	e := json.NewEncoder(w)
	err = e.Encode(documentsHead{c.Epoch, c.Revision, c.Follows, c.Parted})
	for _, key := range c.keys() {
		if err != nil {
			return // the peer went away; it asks again
		}
		d := c.Documents[key]
		err = e.Encode(documentLine{Key: key, Value: d.Value, Revision: d.Revision})
	}
	n := len(c.Documents)
	_ = e.Encode(documentLine{Count: &n}) // the same
}

// bring sends a merge to the holder's node.
func (a *Agent) bring(ctx context.Context, now recovery.Membership, r mergeRequest) error {
	body, err := json.Marshal(r)
	if err != nil {
		return err
	}
	resp, err := a.call(ctx, http.MethodPost, now.PeerNode+mergePath, bytes.NewReader(body))
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

func (a *Agent) serveMerge(w http.ResponseWriter, r *http.Request) {
	var in mergeRequest
	err := json.NewDecoder(r.Body).Decode(&in)
	if err != nil {
		err = &tandem.Error{Op: "read merge", Kind: tandem.Invalid, Err: err, Remedy: "use the same version of Tandem on all nodes"}
	} else {
		err = a.accept(r.Context(), in)
	}
	if err != nil {
		fail(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// accept writes a merge as any management write: with the right before, and with the right after.
func (a *Agent) accept(ctx context.Context, in mergeRequest) error {
	m, err := a.known(in.Service)
	if err != nil {
		return err
	}
	if now := m.membership(); now.Epoch != in.Epoch || !holds(now) {
		return &tandem.Error{Op: "merge", Subject: in.Service, Kind: tandem.Unavailable, Err: fmt.Errorf("it does not hold epoch %d now", in.Epoch), Remedy: "ask again when it was told its role"}
	}
	service, err := m.service(ctx)
	if err != nil {
		return err
	}
	end, err := a.Begin(in.Service)
	if err != nil {
		return unavailable("merge", in.Service, err)
	}
	for changes := in.Changes; len(changes) > 0 && err == nil; {
		b, size, n := store.Batch{}, 0, 0
		for n < len(changes) && n < store.SpaceMaxOps/2 && (n == 0 || size+len(changes[n].Key)+len(changes[n].Value) < store.MaxBytes/2) {
			c := changes[n]
			b.If = append(b.If, store.Condition{Key: c.Key, Revision: c.Revision})
			if c.Gone {
				b.Delete = append(b.Delete, c.Key)
			} else {
				b.Put = append(b.Put, store.Write{Key: c.Key, Value: c.Value})
			}
			size += len(c.Key) + len(c.Value)
			n++
		}
		_, err = service.Space.Commit(ctx, b)
		changes = changes[n:]
	}
	if late := end(); err == nil && late != nil {
		return unavailable("merge", in.Service, late)
	}
	return err
}

// unavailable is what a gate's answer means to another node.
func unavailable(op, subject string, err error) error {
	return &tandem.Error{Op: op, Subject: subject, Kind: tandem.Unavailable, Err: err}
}
