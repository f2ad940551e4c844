package auditlog

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"time"

	"tandem"
)

// Reader gives entries of a time, the newest first; zero times are open ends. Log.Entries is one.
type Reader func(ctx context.Context, from, to time.Time) iter.Seq2[Entry, error]

// Handler serves a log to other nodes: GET with from and to (RFC 3339, both optional) answers JSON lines, the newest first,
// and last an empty object, which says that they are all. Whoever serves it lets only nodes in.
func (l *Log) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var from, to time.Time
		for name, into := range map[string]*time.Time{"from": &from, "to": &to} {
			if text := r.FormValue(name); text != "" {
				t, err := time.Parse(time.RFC3339Nano, text)
				if err != nil {
					http.Error(w, name+" is not a time of RFC 3339", http.StatusBadRequest)
					return
				}
				*into = t
			}
		}
		w.Header().Set("Content-Type", "application/jsonl")
		out := json.NewEncoder(w)
		for e, err := range l.Entries(r.Context(), from, to) {
			if err != nil {
				if r.Context().Err() == nil {
					l.Log.Error("the audit log cannot be read for another node", "error", err)
				}
				return // without the last line: the other node sees that it is not all
			}
			if out.Encode(e) != nil { // the other node went away: it has what it asked for
				return
			}
		}
		_, _ = io.WriteString(w, "{}\n")
	})
}

// Remote reads the log that another node serves at an address.
func Remote(client *http.Client, address string) Reader {
	return func(ctx context.Context, from, to time.Time) iter.Seq2[Entry, error] {
		return func(yield func(Entry, error) bool) {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			fail := func(err error) {
				yield(Entry{}, &tandem.Error{Op: "read audit log", Subject: address, Kind: tandem.Unavailable, Err: err, Remedy: "try again when that node answers"})
			}
			query := url.Values{}
			for name, t := range map[string]time.Time{"from": from, "to": to} {
				if !t.IsZero() {
					query.Set(name, t.UTC().Format(time.RFC3339Nano))
				}
			}
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"?"+query.Encode(), nil)
			if err != nil {
				fail(err)
				return
			}
			resp, err := client.Do(req)
			if err != nil {
				fail(err)
				return
			}
			defer resp.Body.Close() //nolint:errcheck // it was read
			if resp.StatusCode != http.StatusOK {
				fail(fmt.Errorf("it answered %s", resp.Status))
				return
			}
			in := json.NewDecoder(bufio.NewReader(resp.Body))
			for {
				var e Entry
				if err := in.Decode(&e); err != nil {
					fail(fmt.Errorf("it did not tell all: %w", err))
					return
				}
				if e.Sequence == 0 || !yield(e, nil) {
					return
				}
			}
		}
	}
}

// Merge reads several logs as one, the newest first. A log that cannot be read ends it: part of an audit log is none.
func Merge(readers ...Reader) Reader {
	return func(ctx context.Context, from, to time.Time) iter.Seq2[Entry, error] {
		return func(yield func(Entry, error) bool) {
			type source struct {
				next func() (Entry, error, bool)
				head Entry
			}
			var open []*source
			for _, r := range readers {
				next, stop := iter.Pull2(r(ctx, from, to))
				defer stop()
				open = append(open, &source{next: next})
			}
			advance := func(i int) (gone bool, err error) {
				e, err, more := open[i].next()
				if !more {
					open = append(open[:i], open[i+1:]...)
					return true, nil
				}
				open[i].head = e
				return false, err
			}
			for i := 0; i < len(open); {
				gone, err := advance(i)
				if err != nil {
					yield(Entry{}, err)
					return
				}
				if !gone {
					i++
				}
			}
			for len(open) > 0 {
				newest := 0
				for i := range open {
					if open[i].head.newer(open[newest].head) < 0 {
						newest = i
					}
				}
				if !yield(open[newest].head, nil) {
					return
				}
				if _, err := advance(newest); err != nil {
					yield(Entry{}, err)
					return
				}
			}
		}
	}
}
