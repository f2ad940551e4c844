package agent

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"tandem"
	"tandem/internal/recovery"
	"tandem/internal/store"
)

const (
	bootKey       = "recovery/boot"
	membersPrefix = "recovery/members/"
)

// raiseBoot counts a start of the process. No two starts get the same number.
func raiseBoot(ctx context.Context, s store.Store) (uint64, error) {
	for {
		boot, at := uint64(0), tandem.Revision(0)
		d, err := s.Get(ctx, bootKey, 0)
		switch tandem.KindOf(err) {
		case "":
			if boot, err = strconv.ParseUint(string(d.Value), 10, 64); err != nil {
				return 0, &tandem.Error{Op: "count the starts of the node", Subject: bootKey, Kind: tandem.Corrupt, Err: err, Remedy: "restore the region's store from a sound copy"}
			}
			at = d.Revision
		case tandem.NotFound:
		default:
			return 0, err
		}
		boot++
		_, err = s.Commit(ctx, store.Batch{If: []store.Condition{{Key: bootKey, Revision: at}}, Put: []store.Write{{Key: bootKey, Value: strconv.AppendUint(nil, boot, 10)}}})
		if tandem.KindOf(err) != tandem.Precondition {
			return boot, err
		}
	}
}

func membershipKey(service string) string {
	return membersPrefix + strings.Trim(keyOf(service), "/")
}

func loadMemberships(ctx context.Context, s store.Store) ([]recovery.Membership, error) {
	l, err := s.List(ctx, membersPrefix, store.ListOptions{})
	if err != nil {
		return nil, err
	}
	var out []recovery.Membership
	for _, d := range l.Documents {
		var m recovery.Membership
		if err := json.Unmarshal(d.Value, &m); err != nil {
			return nil, &tandem.Error{Op: "read membership", Subject: d.Key, Kind: tandem.Corrupt, Err: err, Remedy: "delete the document; the group's controller brings it again"}
		}
		out = append(out, m)
	}
	return out, nil
}

func saveMembership(ctx context.Context, s store.Store, m recovery.Membership) error {
	value, err := json.Marshal(m)
	if err != nil {
		return err
	}
	_, err = s.Commit(ctx, store.Batch{Put: []store.Write{{Key: membershipKey(m.Service), Value: value}}})
	return err
}
