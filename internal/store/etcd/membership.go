package etcd

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"strings"

	"go.etcd.io/etcd/api/v3/etcdserverpb"

	"tandem"
)

// MemberInfo is one member as the cluster lists it.
type MemberInfo struct {
	ID      string `json:"id"`      // hexadecimal
	Name    string `json:"name"`    // empty until it has started for the first time
	Address string `json:"address"` // host:port for the other members
	Learner bool   `json:"learner"` // it takes in the data and has no vote yet
	Leader  bool   `json:"leader"`
	Self    bool   `json:"self"` // it is the one that was asked
}

// Members lists the members of the cluster.
func (s *Store) Members(ctx context.Context) ([]MemberInfo, error) {
	ctx, done, err := s.begin(ctx, "list members", "")
	defer done()
	if err != nil {
		return nil, err
	}
	r, err := s.client.MemberList(ctx)
	if err != nil {
		return nil, s.failed(ctx, "list members", "", err)
	}
	return s.infos(r.Members), nil
}

func (s *Store) infos(members []*etcdserverpb.Member) []MemberInfo {
	out := make([]MemberInfo, 0, len(members))
	for _, m := range members {
		i := MemberInfo{ID: strconv.FormatUint(m.ID, 16), Name: m.Name, Learner: m.IsLearner}
		if len(m.PeerURLs) > 0 {
			if u, err := url.Parse(m.PeerURLs[0]); err == nil {
				i.Address = u.Host
			}
		}
		if s.engine != nil {
			i.Leader = m.ID == s.engine.etcd.Server.Lead()
			i.Self = m.ID == uint64(s.engine.etcd.Server.MemberID())
		}
		out = append(out, i)
	}
	return out
}

// AddMember tells the cluster of a member at an address, host:port, that will join: as a learner, which has no vote and so
// cannot cost the quorum before it has the data. It gives the members, the new one with them.
func (s *Store) AddMember(ctx context.Context, address string) ([]MemberInfo, error) {
	ctx, done, err := s.begin(ctx, "add member", address)
	defer done()
	if err != nil {
		return nil, err
	}
	r, err := s.client.MemberAddAsLearner(ctx, []string{"https://" + address})
	if err != nil {
		return nil, memberError(s.failed(ctx, "add member", address, err))
	}
	return s.infos(r.Members), nil
}

// PromoteMember gives a learner its vote; Unavailable while it has not caught up.
func (s *Store) PromoteMember(ctx context.Context, id string) error {
	return s.onMember(ctx, "promote member", id, func(ctx context.Context, n uint64) error {
		_, err := s.client.MemberPromote(ctx, n)
		return err
	})
}

// RemoveMember takes a member out of the cluster, whether it runs or not. Its data is of no use afterwards.
func (s *Store) RemoveMember(ctx context.Context, id string) error {
	return s.onMember(ctx, "remove member", id, func(ctx context.Context, n uint64) error {
		_, err := s.client.MemberRemove(ctx, n)
		return err
	})
}

// MoveLeader makes another member the leader; only the leader can be asked.
func (s *Store) MoveLeader(ctx context.Context, id string) error {
	return s.onMember(ctx, "move leadership to member", id, func(ctx context.Context, n uint64) error {
		if s.engine == nil {
			_, err := s.client.MoveLeader(ctx, n)
			return err
		}
		server := s.engine.etcd.Server // etcd's client within the process lacks this call
		if !s.Leading() {
			return errors.New("this member does not lead")
		}
		return server.MoveLeader(ctx, server.Lead(), n)
	})
}

// PromoteSelf gives this member its vote, once it has caught up; a voter stays what it is.
func (s *Store) PromoteSelf(ctx context.Context) error {
	if s.engine == nil {
		return nil
	}
	list, err := s.Members(ctx) // as the quorum knows them: a member that has just joined does not know yet what it is
	if err != nil {
		return err
	}
	for _, m := range list {
		if m.Self && m.Learner {
			return s.PromoteMember(ctx, m.ID)
		}
	}
	return nil
}

func (s *Store) onMember(ctx context.Context, op, id string, do func(context.Context, uint64) error) error {
	ctx, done, err := s.begin(ctx, op, id)
	defer done()
	if err != nil {
		return err
	}
	n, err := strconv.ParseUint(id, 16, 64)
	if err != nil {
		return &tandem.Error{Op: op, Subject: id, Kind: tandem.Invalid, Err: err, Remedy: "give the id that the list of members shows"}
	}
	if err := do(ctx, n); err != nil {
		return memberError(s.failed(ctx, op, id, err))
	}
	return nil
}

// memberError says what to do about the refusals of etcd that are about members.
func memberError(err error) error {
	var e *tandem.Error
	if !errors.As(err, &e) || e.Err == nil {
		return err
	}
	switch why := e.Err.Error(); {
	case strings.Contains(why, "unhealthy cluster"), strings.Contains(why, "not been connected"), strings.Contains(why, "not enough started members"):
		e.Remedy = "bring the other members up first: the change would cost the quorum now"
	case strings.Contains(why, "in sync"):
		e.Remedy = "try again when the new member has caught up"
	case strings.Contains(why, "too many learner"):
		e.Remedy = "let the member that was added last start and catch up, or remove it"
	case strings.Contains(why, "already exist"), strings.Contains(why, "Peer URLs already"):
		e.Kind, e.Remedy = tandem.Exists, "list the members; one has this address"
	case strings.Contains(why, "member not found"):
		e.Kind, e.Remedy = tandem.NotFound, "give the id that the list of members shows"
	}
	return err
}
