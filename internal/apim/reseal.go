package apim

import (
	"context"

	"tandem"
	"tandem/internal/keys"
	"tandem/internal/store"
)

// Resealer seals anew with its newest key what an older one sealed, and gives what is sealed with the newest as it is.
// keys.Master is one.
type Resealer interface {
	Version() int
	Reseal(sealed string, context []byte) (string, error)
}

// resealPage is how many documents are read at once.
const resealPage = 500

// Reseal seals the secrets of all services of the region with the newest version of the master key, soft-deleted services
// included. It gives how many documents changed. It may be called again after an error, and while clients write: their writes
// win. A service whose space is locked gives Locked: call again when its operation ended. Generations that are kept for an
// undo stay as they are until they are dropped.
func (p *Provider) Reseal(ctx context.Context, r Resealer) (changed int, err error) {
	newest := r.Version()
	l, err := p.Store.List(ctx, recordPrefix, store.ListOptions{})
	if err != nil {
		return 0, err
	}
	for _, d := range l.Documents {
		rec, err := p.decodeRecord(d)
		if err != nil {
			return changed, err
		}
		if older(d.Value, newest) {
			if err := p.putRecord(ctx, rec); err == nil { // a record is sealed anew with every write
				changed++
			} else if tandem.KindOf(err) != tandem.Precondition {
				return changed, err
			}
		}
		s, err := p.Open(ctx, rec)
		if err != nil {
			return changed, err
		}
		n, err := s.reseal(ctx, r, newest)
		if changed += n; err != nil {
			return changed, serviceError(s, err)
		}
	}
	return changed, nil
}

// older tells whether a text has something that an older key sealed.
func older(text []byte, newest int) bool {
	for _, v := range keys.Versions(text) {
		if v < newest {
			return true
		}
	}
	return false
}

func (s *Service) reseal(ctx context.Context, r Resealer, newest int) (changed int, err error) {
	o := store.ListOptions{Limit: resealPage}
	for {
		l, err := s.Space.List(ctx, "", o)
		if err != nil {
			return changed, err
		}
		for _, d := range l.Documents {
			o.After = d.Key
			if !older(d.Value, newest) {
				continue
			}
			doc, err := Decode(d.Key, d)
			if err != nil {
				return changed, err
			}
			for name, sealed := range doc.Sealed {
				if doc.Sealed[name], err = r.Reseal(sealed, secretContext(doc.Key, name)); err != nil {
					return changed, &tandem.Error{Op: "reseal", Subject: name + " of " + doc.Key, Err: err}
				}
			}
			w, err := doc.Write()
			if err == nil {
				_, err = s.Space.Commit(ctx, store.Batch{If: []store.Condition{{Key: doc.Key, Revision: doc.Revision}}, Put: []store.Write{w}})
			}
			switch tandem.KindOf(err) {
			case "":
				changed++
			case tandem.Precondition: // written meanwhile, with the newest key
			default:
				return changed, err
			}
		}
		if !l.More {
			return changed, nil
		}
	}
}

// SealedWith names the documents of a store, of whatever package, in which something is sealed with a version of the master
// key: what keys.Master.Retire asks for. History counts too, since it would become unreadable.
func SealedWith(ctx context.Context, s store.Store) func(version int) ([]string, error) {
	return func(version int) (out []string, err error) {
		o := store.ListOptions{Limit: resealPage}
		for {
			l, err := s.List(ctx, "", o)
			if err != nil {
				return nil, err
			}
			for _, d := range l.Documents {
				o.After = d.Key
				for _, v := range keys.Versions(d.Value) {
					if v == version {
						out = append(out, d.Key)
					}
				}
			}
			if !l.More {
				return out, nil
			}
			o.At = l.Revision
		}
	}
}
