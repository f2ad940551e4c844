package workflow

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"tandem/internal/store"
)

// sweepRest deletes firings that started no run, by the rules for runs, and the versions of workflows that are no more.
func (x *executor) sweepRest(ctx context.Context, oldest time.Time) error {
	exists := map[string]bool{}
	gone := func(place string) (bool, error) {
		if _, asked := exists[place]; !asked {
			_, _, found, err := get[workflowDoc](ctx, x.c.Store, workflowKey(place))
			if err != nil {
				return false, err
			}
			exists[place] = found
		}
		return !exists[place], nil
	}
	kept, of := 0, ""
	for _, prefix := range []string{"logic/history/", "logic/version/"} {
		for after := ""; ; {
			l, err := x.c.Store.List(ctx, prefix, store.ListOptions{After: after, Limit: store.MaxOps/2 - 4})
			if err != nil {
				return err
			}
			var b store.Batch
			absent := map[string]bool{} // a workflow that comes back meanwhile keeps its versions
			for _, d := range l.Documents {
				after = d.Key
				parts := strings.Split(d.Key, "/")
				if len(parts) < 6 {
					continue
				}
				place := strings.Join(parts[2:5], "/")
				old, err := gone(place)
				if err != nil {
					return err
				}
				if old && !absent[place] {
					absent[place] = true
					b.If = append(b.If, store.Condition{Key: workflowKey(place)})
				}
				var h historyDoc
				if prefix == "logic/history/" && json.Unmarshal(d.Value, &h) == nil {
					if trigger := strings.Join(parts[:6], "/"); trigger != of {
						kept, of = 0, trigger
					}
					kept++ // the newest come first
					old = old || kept > x.c.KeepRuns || h.Time.Before(oldest)
				}
				if old {
					b.Delete = append(b.Delete, d.Key)
				}
			}
			if len(b.Delete) > 0 {
				if _, err := x.c.commit(ctx, x.fence, b); err != nil {
					return err
				}
			}
			if !l.More {
				break
			}
		}
	}
	return nil
}
