package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"tandem"
	"tandem/internal/identity"
)

// directoryWait is how long a question for a newer directory is kept open.
const directoryWait = 20 * time.Second

// errNews ends a watch that has what it waited for.
var errNews = errors.New("there is news")

// serveDirectory is the control plane's side.
func (n *Node) serveDirectory(w http.ResponseWriter, r *http.Request) {
	p := n.controlPlane()
	if p == nil || !n.shared.hasLeader() { // who asks finds another member that knows what is new
		http.Error(w, "this node does not serve the control plane now", http.StatusServiceUnavailable)
		return
	}
	after, err := strconv.ParseInt(r.URL.Query().Get("after"), 10, 64)
	if err != nil {
		http.Error(w, "after must be a revision", http.StatusBadRequest)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), directoryWait)
	defer cancel()
	var s identity.Snapshot
	err = p.directory.WatchSnapshots(ctx, func(next identity.Snapshot) error {
		if s = next; s.Revision > tandem.Revision(after) {
			return errNews
		}
		return nil
	})
	if !errors.Is(err, errNews) {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(s) // the peer went away; it asks again
}

// openReplica starts from the directory's copy on disk, where there is one (law 8).
func (n *Node) openReplica() error {
	var s identity.Snapshot
	raw, err := os.ReadFile(n.path("directory.json"))
	if err == nil {
		err = json.Unmarshal(raw, &s)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		n.Log.Warn("the copy of the directory cannot be read; the home is asked for another", "error", err)
		s = identity.Snapshot{}
	}
	n.replica, err = identity.NewReplica(identity.AccessConfig{Clock: n.Clock, Audiences: n.audiences()}, s)
	return err
}

// homeAt gives the control members in turn, from the one that answered last.
func (n *Node) homeAt(i int) Peer {
	homes := n.homes()
	return homes[(int(n.homeNow.Load())+i)%len(homes)]
}

// followDirectory keeps the copy of the directory up to date from any control member that answers, until ctx ends.
func (n *Node) followDirectory(ctx context.Context) {
	client := &http.Client{Transport: n.outbound, Timeout: directoryWait + peerWithin}
	wait := 20 * time.Millisecond
	for ctx.Err() == nil {
		s, err := n.fetchDirectory(ctx, client, n.homeAt(0))
		if err != nil {
			if homes := int32(len(n.homes())); homes > 1 {
				n.homeNow.Store((n.homeNow.Load() + 1) % homes)
			}
			_ = n.Clock.Sleep(ctx, wait) // ended by ctx, which the loop looks at
			wait = min(2*wait, time.Second)
			continue
		}
		wait = 20 * time.Millisecond
		if s == nil {
			continue
		}
		if n.takeDirectory(*s) != nil {
			_ = n.Clock.Sleep(ctx, time.Second)
		}
	}
}

// takeDirectory makes a snapshot the copy that this node decides by and keeps on disk.
func (n *Node) takeDirectory(s identity.Snapshot) error {
	if err := n.replica.Update(s); err != nil {
		n.Log.Error("the directory cannot be used; this region decides by the copy it has", "error", err)
		return err
	}
	n.directoryNews.tell()
	if err := n.saveDirectory(s); err != nil {
		n.Log.Warn("the copy of the directory cannot be kept", "error", err)
	}
	return nil
}

// keepDirectory keeps a control member's own copy, from which its region starts when the control plane is dead (law 8).
func (n *Node) keepDirectory(ctx context.Context, d *identity.Directory) {
	_ = d.WatchSnapshots(ctx, func(s identity.Snapshot) error { // it ends with ctx alone
		_ = n.takeDirectory(s) // it was told
		return nil
	})
}

func (n *Node) fetchDirectory(ctx context.Context, client *http.Client, home Peer) (*identity.Snapshot, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, home.Internal+directoryPath+"?after="+formatRevision(n.replica.Snapshot().Revision), nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	switch resp.StatusCode {
	case http.StatusNoContent:
		return nil, nil
	case http.StatusOK:
		var s identity.Snapshot
		return &s, json.NewDecoder(resp.Body).Decode(&s)
	}
	return nil, fmt.Errorf("the home answered %s", resp.Status)
}

func (n *Node) saveDirectory(s identity.Snapshot) error {
	raw, err := json.Marshal(s)
	if err != nil {
		return err
	}
	file := n.path("directory.json")
	tmp := filepath.Join(n.Dir, ".directory.new")
	if err := os.WriteFile(tmp, raw, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, file)
}

// awaitDirectory waits, for a short time, until this node knows as much of the directory as the node that passed the call
// on: a role that was just assigned counts at once.
func (n *Node) awaitDirectory(r *http.Request) {
	want, err := strconv.ParseInt(r.Header.Get(directoryHeader), 10, 64)
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	if p := n.controlPlane(); p != nil {
		_ = p.directory.WatchSnapshots(ctx, func(s identity.Snapshot) error { // whatever ends the wait, the call goes on
			if s.Revision >= tandem.Revision(want) {
				return errNews
			}
			return nil
		})
		return
	}
	for n.replica != nil {
		news := n.directoryNews.wait()
		if n.replica.Snapshot().Revision >= tandem.Revision(want) {
			return
		}
		select {
		case <-news:
		case <-ctx.Done():
			return
		}
	}
}
