package etcd

import (
	"context"
	"crypto/tls"
	"errors"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"tandem"
)

// Connect gives the store in an etcd that others run, version 3.4 or newer with its default limits, or a cluster of
// Tandem's own. All keys lie below the prefix, which ends with a slash or is empty. A nil tls config sends plain text,
// which only a loopback or a unix socket deserves. It returns once the etcd has answered, or when ctx ends.
//
// Revisions are those of the whole etcd: they grow when others write, too.
func Connect(ctx context.Context, endpoints []string, tls *tls.Config, prefix string) (*Store, error) {
	bad := func(why string) (*Store, error) {
		return nil, &tandem.Error{Op: "connect store", Subject: strings.Join(endpoints, ","), Kind: tandem.Invalid,
			Err: errors.New(why), Remedy: "give the client addresses of the etcd and a prefix like tandem/"}
	}
	if len(endpoints) == 0 {
		return bad("no endpoint is given")
	}
	if prefix != "" && !strings.HasSuffix(prefix, "/") {
		return bad("the prefix does not end with a slash")
	}
	client, err := clientv3.New(clientv3.Config{
		Endpoints:            endpoints,
		TLS:                  tls,
		Logger:               zap.NewNop(), // every failure comes back as an error
		DialKeepAliveTime:    10 * time.Second,
		DialKeepAliveTimeout: 5 * time.Second,
		PermitWithoutStream:  false,
	})
	if err != nil {
		return bad(err.Error())
	}
	s := newStore(client, prefix, tandem.SystemClock{})
	if _, err := s.Revision(ctx); err != nil {
		s.Close()
		return nil, &tandem.Error{Op: "connect store", Subject: strings.Join(endpoints, ","), Kind: tandem.Unavailable, Err: err,
			Remedy: "see that the etcd runs, can be reached from here and accepts Tandem's certificate"}
	}
	return s, nil
}
