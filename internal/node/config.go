package node

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"

	"tandem"
)

// Config is everything a node is told. Which parts of it are there says what the node does: each serves the services of its
// region, one with Home serves the control plane too, alone or, with Control, as one of several members.
type Config struct {
	Region tandem.Region `json:"region"`
	// Dir is the node's own folder: store, state of gateways, blobs.
	Dir string `json:"dir"`
	// Address is the IP address that the node listens on.
	Address string `json:"address"`
	// CA is the folder of the deployment's certificate authority.
	CA string `json:"ca"`
	// MasterKey is the file of the master key, which must not lie in Dir.
	MasterKey string `json:"masterKey"`
	// BackupIdentity is the file of the age identity that opens the deployment's backups; Recovery that of the offline
	// recipient, which every backup is sealed to as well.
	BackupIdentity string `json:"backupIdentity"`
	Recovery       string `json:"recovery,omitempty"`
	Ports          Ports  `json:"ports,omitzero"`
	// Gateways are the ports of services by name; a service that is not named gets a free one.
	Gateways map[string]int `json:"gateways,omitempty"`
	// Names are host names that the certificates of the gateways carry beside the address and the service's own name: the
	// traffic names that lead to them.
	Names []string `json:"names,omitempty"`
	// AccessLogEvery writes one request of so many to the log, and failed ones; 0: failed ones alone.
	AccessLogEvery int `json:"accessLogEvery,omitempty"`
	// Witness is set on a node that is a member of the control plane and has no services: a place that votes.
	Witness bool `json:"witness,omitempty"`
	// Home says what the control plane serves. It is set on the home node alone or, with Control, on every member, with the
	// same values.
	Home *Home `json:"home,omitempty"`
	// Control makes the node one member of a control plane that lies over several places.
	Control *Control `json:"control,omitempty"`
	// Peers are the other nodes.
	Peers []Peer `json:"peers,omitempty"`

	Clock tandem.Clock `json:"-"`
	Log   *slog.Logger `json:"-"`
}

// Ports of a node's listeners; zero takes a free one. Traffic is the DNS server's, UDP and TCP.
type Ports struct {
	ARM       int `json:"arm,omitempty"`
	Internal  int `json:"internal,omitempty"`
	Authority int `json:"authority,omitempty"`
	Blob      int `json:"blob,omitempty"`
	Traffic   int `json:"traffic,omitempty"`
	Console   int `json:"console,omitempty"` // of the home
}

// Home is what the control plane serves for all regions.
type Home struct {
	TenantID       string `json:"tenantId"`
	SubscriptionID string `json:"subscriptionId"`
	// Zone is the DNS zone of traffic profiles: "trafficmanager.net".
	Zone string `json:"zone"`
	// Operator is the display name of the first service principal, Owner of everything.
	Operator string `json:"operator"`
	// Principals are display names of further service principals that exist from the start, without any role.
	Principals []string `json:"principals,omitempty"`
	// NewSecrets makes new client secrets for Operator and Principals: for when those made first were lost.
	NewSecrets bool `json:"newSecrets,omitempty"`
	// Credentials is a file that gets the ids and secrets of Operator and Principals when they are made, for its owner alone
	// (mode 0600). Of several control members the one that made them writes its own.
	Credentials string `json:"credentials,omitempty"`
}

// Control is this node's part in the etcd that spans the places of the control plane.
type Control struct {
	// Name of this member among Peers; empty: the region's.
	Name string `json:"name,omitempty"`
	// Peers are all members with this one, by their address for each other, host:port. This one listens on the node's address
	// and that port. They count at the first start; later the cluster's own list does ("tandem member").
	Peers []Member `json:"peers,omitempty"`
	// Join enters a cluster that runs and where this member was added. It has no effect on a member that was started before.
	Join bool `json:"join,omitempty"`
	// HeartbeatMilliseconds and ElectionMilliseconds are raft's, the same at all members; 0: 100 and 1000, for places up to
	// 80 ms apart.
	HeartbeatMilliseconds int `json:"heartbeatMilliseconds,omitempty"`
	ElectionMilliseconds  int `json:"electionMilliseconds,omitempty"`
	// Endpoints are client addresses of an etcd that others run, which is then used in place of embedded members; all keys
	// lie below Prefix, "tandem/" where it is empty.
	Endpoints []string `json:"endpoints,omitempty"`
	Prefix    string   `json:"prefix,omitempty"`
	// CAFile, CertFile and KeyFile are for Endpoints: the authority of that etcd and this node's client certificate; empty:
	// the deployment's own authority and a certificate from it.
	CAFile   string `json:"caFile,omitempty"`
	CertFile string `json:"certFile,omitempty"`
	KeyFile  string `json:"keyFile,omitempty"`
	// Storage keeps the blobs of the storage accounts of this node's region on this node.
	Storage bool `json:"storage,omitempty"`
}

// Member is one member of the control plane.
type Member struct {
	Name    string `json:"name"`
	Address string `json:"address"` // host:port
}

// Peer is another node.
type Peer struct {
	Region   tandem.Region `json:"region"`
	ARM      string        `json:"arm"`      // "https://127.0.0.1:8443"
	Internal string        `json:"internal"` // "https://127.0.0.1:8444"
	// Home says that it serves the control plane: it is the home, or one of the control members.
	Home bool   `json:"home,omitempty"`
	Blob string `json:"blob,omitempty"` // its blob endpoint, where it keeps storage accounts
	// Witness says that it has no services.
	Witness bool `json:"witness,omitempty"`
}

func (c *Config) check() error {
	bad := func(what string, args ...any) error {
		return &tandem.Error{Op: "configure node", Subject: string(c.Region), Kind: tandem.Invalid, Err: fmt.Errorf(what, args...), Remedy: "set it in the node's configuration"}
	}
	switch {
	case c.Region == "":
		return bad("it has no region")
	case c.Dir == "" || c.CA == "" || c.MasterKey == "" || c.BackupIdentity == "":
		return bad("dir, ca, masterKey and backupIdentity are needed")
	}
	if _, err := netip.ParseAddr(c.Address); err != nil {
		return bad("address: %w", err)
	}
	if c.Home == nil && len(c.homes()) == 0 {
		return bad("it is not the home and no peer is")
	}
	if h := c.Home; h != nil && (h.TenantID == "" || h.SubscriptionID == "" || h.Zone == "" || h.Operator == "") {
		return bad("home: tenantId, subscriptionId, zone and operator are needed")
	}
	regions := map[tandem.Region]bool{c.Region: true}
	for _, p := range c.Peers {
		if p.Region == "" || p.ARM == "" || p.Internal == "" {
			return bad("peers: each needs region, arm and internal")
		}
		if regions[p.Region] {
			return bad("peers: the region %s is there twice", p.Region)
		}
		regions[p.Region] = true
	}
	if err := c.checkControl(bad); err != nil {
		return err
	}
	if c.Clock == nil {
		c.Clock = tandem.SystemClock{}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

func (c *Config) checkControl(bad func(string, ...any) error) error {
	l := c.Control
	if l == nil {
		if c.Witness {
			return bad("a witness needs the section control")
		}
		return nil
	}
	if c.Home == nil {
		return bad("control: a member of the control plane needs the section home, with the same values as the others")
	}
	if l.Name == "" {
		l.Name = string(c.Region)
	}
	if len(l.Endpoints) > 0 {
		if len(l.Peers) > 0 || l.Join {
			return bad("control: endpoints of an etcd outside exclude peers and join")
		}
		if (l.CertFile == "") != (l.KeyFile == "") {
			return bad("control: certFile and keyFile belong together")
		}
		if l.Prefix == "" {
			l.Prefix = "tandem/"
		}
		if !strings.HasSuffix(l.Prefix, "/") {
			return bad("control: the prefix %q does not end with a slash", l.Prefix)
		}
		return nil
	}
	if (l.HeartbeatMilliseconds == 0) != (l.ElectionMilliseconds == 0) || l.HeartbeatMilliseconds < 0 || l.ElectionMilliseconds < 5*l.HeartbeatMilliseconds {
		return bad("control: electionMilliseconds must be at least five times heartbeatMilliseconds; set both or neither")
	}
	own := false
	names := map[string]bool{}
	for _, m := range l.Peers {
		if _, _, err := net.SplitHostPort(m.Address); err != nil {
			return bad("control: the address of %s: %w", m.Name, err)
		}
		if names[m.Name] {
			return bad("control: the member %s is there twice", m.Name)
		}
		names[m.Name] = true
		own = own || m.Name == l.Name
	}
	if !own {
		return bad("control: this member, %s, is not among its peers", l.Name)
	}
	return nil
}

// homes are the peers that serve the control plane.
func (c *Config) homes() []Peer {
	var out []Peer
	for _, p := range c.Peers {
		if p.Home {
			out = append(out, p)
		}
	}
	return out
}

// single says that this node is the one home of a deployment without control members.
func (c *Config) single() bool { return c.Home != nil && c.Control == nil }

// Check says whether a node can be made from the configuration, and fills what has a default.
func (c *Config) Check() error { return c.check() }

func (c *Config) path(name string) string { return filepath.Join(c.Dir, name) }

// ControlAddresses are the internal addresses of the control members that the configuration names, this node's first.
func (c *Config) ControlAddresses() []string {
	var out []string
	if c.Control != nil && c.Ports.Internal != 0 {
		out = append(out, "https://"+net.JoinHostPort(c.Address, strconv.Itoa(c.Ports.Internal)))
	}
	for _, p := range c.homes() {
		out = append(out, p.Internal)
	}
	return out
}
