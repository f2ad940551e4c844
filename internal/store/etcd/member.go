package etcd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.etcd.io/etcd/server/v3/embed"

	"tandem"
)

// Member describes an embedded etcd that is one of several: a quorum of them holds the data. Dir, Log, Clock and History are as
// in Config; Name is needed and is what the member is called in Peers.
type Member struct {
	Config
	// Listen is where the other members reach this one, as address:port.
	Listen string
	// Peers are the addresses (host:port) of all members by name, this one's with them. They are read at the very first start
	// alone; later the cluster's own list counts, which AddMember and RemoveMember change.
	Peers map[string]string
	// Join enters a cluster that runs: AddMember was called for this one's address there. Peers has exactly the members that
	// are listed there. It is read at the very first start alone.
	Join bool
	// Certificate gives this member's certificate, for its name in Peers, as server and client at once, and a new one in time;
	// its common name is PeerName. CAFile is the authority that signs all members' certificates.
	Certificate func() (*tls.Certificate, error)
	CAFile      string
	// Heartbeat and Election are raft's; zero: DefaultHeartbeat and DefaultElection. They must be the same at all members.
	Heartbeat, Election time.Duration
}

const (
	// PeerName is the common name of members' certificates: no other certificate of the same authority may speak raft.
	PeerName = "tandem control member"
	// DefaultHeartbeat and DefaultElection fit places up to about 80 ms apart: etcd advises a heartbeat of about the round
	// trip and ten times that for elections, and less would make slow links look like deaths.
	DefaultHeartbeat = 100 * time.Millisecond
	DefaultElection  = time.Second

	// A follower that was away for a moment catches up from these; after a longer time it is sent the whole database.
	memberSnapshotCount  = 1000
	memberCatchUpEntries = 500
	// clusterToken keeps apart clusters of other kinds that lie on the same network; those of other deployments have another
	// authority.
	clusterToken = "tandem-control"
)

// OpenMember starts the member, or continues where it ended. It does not wait for the others: until a quorum of them is
// there, calls on the store wait and then fail as Unavailable, and only LastKnown answers. A member that joins fails where none
// of the others answers.
func OpenMember(ctx context.Context, m Member) (*Store, error) {
	if err := m.fill(); err != nil {
		return nil, err
	}
	if err := makeDir(m.Dir); err != nil {
		return nil, openError(m.Dir, err)
	}
	lock, err := lockDir(m.Dir)
	if err != nil {
		return nil, err
	}
	g := &engine{dir: m.Dir, lock: lock, clock: m.Clock, log: newBridge(m.Log.With("part", "etcd", "member", m.Name))}
	s, err := g.startMember(ctx, m)
	if err != nil {
		_ = g.close() // it could only repeat err
		return nil, &tandem.Error{Op: "start member " + m.Name, Subject: m.Dir, Kind: tandem.Unavailable, Err: err,
			Remedy: "see that its address can be listened on, that its peers are listed as the cluster knows them and that its folder is whole"}
	}
	return s, nil
}

func (m *Member) fill() error {
	bad := func(why string) error {
		return &tandem.Error{Op: "start member", Subject: m.Name, Kind: tandem.Invalid, Err: errors.New(why), Remedy: "give the member's folder, name, addresses and certificates"}
	}
	if m.Dir == "" || m.Name == "" || m.Certificate == nil || m.CAFile == "" {
		return bad("its folder, its name or its certificates are not given")
	}
	for name, address := range m.Peers {
		if _, _, err := net.SplitHostPort(address); err != nil {
			return bad("the address of " + name + ": " + err.Error())
		}
		if strings.ContainsAny(name, "=,") || name == "" {
			return bad(fmt.Sprintf("a member cannot be called %q", name))
		}
	}
	if _, ok := m.Peers[m.Name]; !ok {
		return bad("it is not among its peers")
	}
	if _, _, err := net.SplitHostPort(m.Listen); err != nil {
		return bad("listen: " + err.Error())
	}
	if m.Log == nil {
		m.Log = slog.New(slog.DiscardHandler)
	}
	if m.Clock == nil {
		m.Clock = tandem.SystemClock{}
	}
	if m.quota == 0 {
		m.quota = Quota
	}
	if m.History == 0 {
		m.History = defaultHistory
	}
	if m.Heartbeat == 0 {
		m.Heartbeat = DefaultHeartbeat
	}
	if m.Election == 0 {
		m.Election = DefaultElection
	}
	return nil
}

// memberSettings is the engine's configuration as one of several.
func memberSettings(m Member, log *bridge, pem string) (*embed.Config, error) {
	c, err := settings(m.Config, log)
	if err != nil {
		return nil, err
	}
	c.ListenPeerUrls = []url.URL{{Scheme: "https", Host: m.Listen}}
	c.AdvertisePeerUrls = []url.URL{{Scheme: "https", Host: m.Peers[m.Name]}}
	c.InitialCluster = initialCluster(m.Peers)
	c.InitialClusterToken = clusterToken
	if m.Join {
		c.ClusterState = embed.ClusterStateFlagExisting
	}
	// One file has both the certificate and its key, so that a handshake never finds two that do not belong together.
	c.PeerTLSInfo = transport.TLSInfo{CertFile: pem, KeyFile: pem, TrustedCAFile: m.CAFile, ClientCertAuth: true, AllowedCNs: []string{PeerName},
		SkipClientSANVerify: true} // a member may dial from any address of its machine; its name tells who it is
	c.TickMs, c.ElectionMs = uint(m.Heartbeat.Milliseconds()), uint(m.Election.Milliseconds())
	c.SnapshotCount, c.SnapshotCatchUpEntries = memberSnapshotCount, memberCatchUpEntries
	c.PreVote, c.StrictReconfigCheck = true, true
	return c, nil
}

func initialCluster(peers map[string]string) string {
	var parts []string
	for name, address := range peers {
		parts = append(parts, name+"=https://"+address)
	}
	slices.Sort(parts)
	return strings.Join(parts, ",")
}
