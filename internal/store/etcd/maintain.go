package etcd

import (
	"context"
	"errors"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Size is how full the engine's database is, in bytes; of several members, the fullest. Warn at 80 % of Quota: at 100 %
// writes are refused with Unavailable.
type Size struct {
	File  int64 // on disk; it shrinks by Defragment alone
	InUse int64 // of it
	Quota int64 // zero where an older etcd does not tell
}

// Size asks every member.
func (s *Store) Size(ctx context.Context) (Size, error) {
	ctx, done, err := s.begin(ctx, "read size of database", "")
	defer done()
	if err != nil {
		return Size{}, err
	}
	var fullest Size
	for _, member := range s.members() {
		r, err := s.client.Status(ctx, member)
		if err != nil {
			return Size{}, s.failed(ctx, "read size of database", member, err)
		}
		if r.DbSize >= fullest.File {
			fullest = Size{File: r.DbSize, InUse: r.DbSizeInUse, Quota: r.DbSizeQuota}
		}
	}
	return fullest, nil
}

// Defragment gives the space of deleted and compacted documents back to the disk, one member after the other, and lets
// writes in again if they were refused for want of space. A member answers nobody meanwhile; run it at night.
func (s *Store) Defragment(ctx context.Context) error {
	ctx, done, err := s.begin(ctx, "defragment", "")
	defer done()
	if err != nil {
		return err
	}
	for _, member := range s.members() {
		if err := s.defragment(ctx, member); err != nil {
			return s.failed(ctx, "defragment", member, err)
		}
	}
	alarms, err := s.client.AlarmList(ctx)
	if err != nil {
		return s.failed(ctx, "list alarms", "", err)
	}
	var failures []error
	for _, a := range alarms.Alarms {
		if a.Alarm != etcdserverpb.AlarmType_NOSPACE { // a CORRUPT alarm is for people
			continue
		}
		if _, err := s.client.AlarmDisarm(ctx, (*clientv3.AlarmMember)(a)); err != nil {
			failures = append(failures, s.failed(ctx, "disarm alarm", a.Alarm.String(), err))
		}
	}
	return errors.Join(failures...)
}

func (s *Store) defragment(ctx context.Context, member string) error {
	if s.engine != nil { // etcd's client within the process lacks this call
		return s.engine.etcd.Server.Backend().Defrag()
	}
	_, err := s.client.Defragment(ctx, member)
	return err
}

// members are the addresses to ask one by one; the embedded member has none.
func (s *Store) members() []string {
	if s.engine != nil {
		return []string{""}
	}
	return s.client.Endpoints()
}
