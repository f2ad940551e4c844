package node

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"tandem"
	"tandem/internal/keys"
	"tandem/internal/store"
	"tandem/internal/store/etcd"
)

// sharedStore is what all control members share: directory, resources, traffic profiles, workflows, and where services are.
// On a single home it is the node's own store. On one of several members it is there from the start, and opened when the etcd
// that spans the places can be: until then its calls are Unavailable. While the quorum is lost it answers what this member
// knew last; what is decided on that is refused by the conditions of its writes.
type sharedStore struct {
	store.Store // nil on one of several members
	opened      atomic.Pointer[etcd.Store]
}

func (s *sharedStore) now() (store.Store, error) {
	if s.Store != nil {
		return s.Store, nil
	}
	if opened := s.opened.Load(); opened != nil {
		return opened.LastKnown(), nil
	}
	return nil, &tandem.Error{Op: "use control plane", Kind: tandem.Unavailable, Err: errors.New("this node's member of it has not started yet"), Remedy: "try again in a moment"}
}

// hasLeader says whether writes can succeed, as far as this node knows.
func (s *sharedStore) hasLeader() bool {
	opened := s.opened.Load()
	return s.Store != nil || opened != nil && opened.HasLeader()
}

// Get implements store.Store.
func (s *sharedStore) Get(ctx context.Context, key string, at tandem.Revision) (store.Document, error) {
	now, err := s.now()
	if err != nil {
		return store.Document{}, err
	}
	return now.Get(ctx, key, at)
}

// List implements store.Store.
func (s *sharedStore) List(ctx context.Context, prefix string, o store.ListOptions) (store.Listing, error) {
	now, err := s.now()
	if err != nil {
		return store.Listing{}, err
	}
	return now.List(ctx, prefix, o)
}

// Commit implements store.Store.
func (s *sharedStore) Commit(ctx context.Context, b store.Batch) (tandem.Revision, error) {
	now, err := s.now()
	if err != nil {
		return 0, err
	}
	return now.Commit(ctx, b)
}

// Watch implements store.Store.
func (s *sharedStore) Watch(ctx context.Context, prefix string, after tandem.Revision, yield func(store.Event) error) error {
	now, err := s.now()
	if err != nil {
		return err
	}
	return now.Watch(ctx, prefix, after, yield)
}

// Revision implements store.Store.
func (s *sharedStore) Revision(ctx context.Context) (tandem.Revision, error) {
	now, err := s.now()
	if err != nil {
		return 0, err
	}
	return now.Revision(ctx)
}

// Compact implements store.Store.
func (s *sharedStore) Compact(ctx context.Context, before tandem.Revision) error {
	now, err := s.now()
	if err != nil {
		return err
	}
	return now.Compact(ctx, before)
}

// Close implements store.Store; the node's own store is closed by the node.
func (s *sharedStore) Close() error {
	if opened := s.opened.Load(); opened != nil {
		return opened.Close()
	}
	return nil
}

// openShared opens this member's part of the etcd that spans the places.
func (n *Node) openShared(ctx context.Context) (*etcd.Store, error) {
	c := n.Control
	if len(c.Endpoints) > 0 {
		config, err := n.outsideTLS()
		if err != nil {
			return nil, err
		}
		bounded, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		return etcd.Connect(bounded, c.Endpoints, config, c.Prefix)
	}
	peers := map[string]string{}
	for _, m := range c.Peers {
		peers[m.Name] = m.Address
	}
	dir := n.path("control")
	if _, err := os.Stat(dir + "/member"); err != nil && c.Join { // the first start: what the cluster lists counts
		listed, err := n.listedMembers(ctx)
		if err != nil {
			return nil, err
		}
		peers = listed
	}
	host, port, err := net.SplitHostPort(peers[c.Name])
	if err != nil {
		return nil, err
	}
	source, err := n.ca.Source(keys.Leaf{Name: etcd.PeerName, Hosts: []string{n.Address, host}, Client: true})
	if err != nil {
		return nil, err
	}
	return etcd.OpenMember(ctx, etcd.Member{Config: etcd.Config{Dir: dir, Name: c.Name, Log: n.Log, Clock: n.Clock}, Listen: net.JoinHostPort(n.Address, port), Peers: peers, Join: c.Join,
		Certificate: source.Certificate, CAFile: n.ca.File(),
		Heartbeat: time.Duration(c.HeartbeatMilliseconds) * time.Millisecond, Election: time.Duration(c.ElectionMilliseconds) * time.Millisecond})
}

// outsideTLS is the client's side towards an etcd that others run; nil for plain text.
func (n *Node) outsideTLS() (*tls.Config, error) {
	c := n.Control
	config, err := n.peerTLS()
	if err != nil {
		return nil, err
	}
	fail := func(file string, err error) (*tls.Config, error) {
		return nil, &tandem.Error{Op: "read certificate for the etcd outside", Subject: file, Kind: tandem.Invalid, Err: err, Remedy: "give PEM files in control.caFile, certFile and keyFile"}
	}
	if c.CAFile != "" {
		raw, err := os.ReadFile(c.CAFile)
		if err != nil {
			return fail(c.CAFile, err)
		}
		if config.RootCAs = x509.NewCertPool(); !config.RootCAs.AppendCertsFromPEM(raw) {
			return fail(c.CAFile, errors.New("it holds no certificate"))
		}
	}
	if c.CertFile != "" {
		if _, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile); err != nil {
			return fail(c.CertFile, err)
		}
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { // read again, since others renew it
			pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
			return &pair, err
		}
	}
	return config, nil
}

// listedMembers asks the control members that run who they are, for a member that joins them.
func (n *Node) listedMembers(ctx context.Context) (map[string]string, error) {
	own := ""
	for _, m := range n.Control.Peers {
		if m.Name == n.Control.Name {
			own = m.Address
		}
	}
	err := error(&tandem.Error{Op: "join control plane", Subject: n.Control.Name, Kind: tandem.Invalid, Err: errors.New("no peer is a control member"), Remedy: "name them in peers, with home: true"})
	for _, p := range n.homes() {
		var list []etcd.MemberInfo
		client := MembersClient{Client: &http.Client{Transport: n.outbound, Timeout: 10 * time.Second}, Internal: p.Internal}
		if list, err = client.List(ctx); err != nil {
			continue
		}
		peers, known := map[string]string{}, false
		for _, m := range list {
			switch {
			case m.Address == own:
				known = true
				peers[n.Control.Name] = own
			case m.Name == "": // it was added and has not started; any name does
				peers["unnamed-"+m.ID] = m.Address
			default:
				peers[m.Name] = m.Address
			}
		}
		if known {
			return peers, nil
		}
		err = &tandem.Error{Op: "join control plane", Subject: n.Control.Name, Kind: tandem.Precondition, Err: errors.New("the cluster has no member at " + own),
			Remedy: "add it first: tandem member add " + own}
	}
	return nil, err
}
