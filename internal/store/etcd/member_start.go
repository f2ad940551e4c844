package etcd

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"

	"tandem"
)

// startMember starts one of several under g.
func (g *engine) startMember(ctx context.Context, m Member) (*Store, error) {
	certificate := &peerFile{path: filepath.Join(m.Dir, "peer.pem"), get: m.Certificate}
	if err := certificate.write(); err != nil {
		return nil, err
	}
	settings, err := memberSettings(m, g.log, certificate.path)
	if err != nil {
		return nil, err
	}
	if g.etcd, err = g.startEtcd(settings); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	s := newStore(v3client.New(g.etcd.Server), "", m.Clock)
	s.engine = g
	g.watchFailure(s)
	s.work.Go(func() { s.renew(certificate) })
	s.work.Go(func() { s.endRemoved(g) })
	return s, nil
}

// peerFile keeps a member's certificate and key in one file, which etcd reads at each handshake.
type peerFile struct {
	path string
	get  func() (*tls.Certificate, error)
	last *tls.Certificate
}

// write writes the file if there is another certificate than before.
func (f *peerFile) write() error {
	fail := func(err error) error {
		return &tandem.Error{Op: "write the member's certificate", Subject: f.path, Kind: tandem.Unavailable, Err: err, Remedy: "make room, or make the folder writable"}
	}
	c, err := f.get()
	if err != nil {
		return err
	}
	if c == f.last {
		return nil
	}
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		return fail(err)
	}
	var b bytes.Buffer
	for _, der := range c.Certificate {
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: der}) // a buffer takes everything
	}
	_ = pem.Encode(&b, &pem.Block{Type: "PRIVATE KEY", Bytes: key}) // likewise
	if err := os.WriteFile(f.path+".new", b.Bytes(), 0o600); err != nil {
		return fail(err)
	}
	if err := os.Rename(f.path+".new", f.path); err != nil {
		return fail(err)
	}
	f.last = c
	return nil
}

// renewEvery is how often the certificate is looked at; it is renewed when a third of its life is left.
const renewEvery = time.Hour

// renew keeps the file fresh until the store closes.
func (s *Store) renew(f *peerFile) {
	for s.clock.Sleep(s.life, renewEvery) == nil {
		if err := f.write(); err != nil {
			s.engine.log.out.Error("the member's certificate cannot be renewed; it is tried again", "error", err)
		}
	}
}

// endRemoved ends the store when the cluster removed this member, or etcd stopped for another reason of its own.
func (s *Store) endRemoved(g *engine) {
	select {
	case <-s.life.Done():
	case <-g.etcd.Server.StopNotify():
		s.end(&tandem.Error{Op: "use store", Subject: g.dir, Kind: tandem.Unavailable, Err: errors.New("this member was removed from its cluster, or etcd stopped"),
			Remedy: "add it to the cluster again under an empty folder, or take the section control out of its configuration"})
	}
}
