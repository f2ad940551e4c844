package node

import (
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"

	"tandem"
)

// Config is everything a node is told.
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
	Recovery       string `json:"recovery"`
	Ports          Ports  `json:"ports"`
	// Gateways are the ports of services by name; a service that is not named gets a free one.
	Gateways map[string]int `json:"gateways"`
	// Names are host names that the certificates of the gateways carry beside the address and the service's own name: the
	// traffic names that lead to them.
	Names []string `json:"names"`
	// AccessLogEvery writes one request of so many to the log, and failed ones; 0: failed ones alone.
	AccessLogEvery int `json:"accessLogEvery,omitempty"`
	// Home is set on the home node alone.
	Home *Home `json:"home,omitempty"`
	// Peers are the other nodes.
	Peers []Peer `json:"peers"`

	Clock tandem.Clock `json:"-"`
	Log   *slog.Logger `json:"-"`
}

// Ports of a node's listeners; zero takes a free one. Traffic is the DNS server's, UDP and TCP.
type Ports struct {
	ARM       int `json:"arm"`
	Internal  int `json:"internal"`
	Authority int `json:"authority"`
	Blob      int `json:"blob"`
	Traffic   int `json:"traffic"`
	Console   int `json:"console"` // of the home
}

// Home is what the home node serves for all regions.
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
}

// Peer is another node.
type Peer struct {
	Region   tandem.Region `json:"region"`
	ARM      string        `json:"arm"`      // "https://127.0.0.1:8443"
	Internal string        `json:"internal"` // "https://127.0.0.1:8444"
	Home     bool          `json:"home"`
	Blob     string        `json:"blob"` // of the home: where storage accounts are
}

func (c *Config) check() error {
	bad := func(what string) error {
		return &tandem.Error{Op: "configure node", Subject: string(c.Region), Kind: tandem.Invalid, Err: fmt.Errorf("%s", what), Remedy: "set it in the node's configuration"}
	}
	switch {
	case c.Region == "":
		return bad("it has no region")
	case c.Dir == "" || c.CA == "" || c.MasterKey == "" || c.BackupIdentity == "":
		return bad("dir, ca, masterKey and backupIdentity are needed")
	}
	if _, err := netip.ParseAddr(c.Address); err != nil {
		return bad("address: " + err.Error())
	}
	if c.Home == nil && c.home() == nil {
		return bad("it is not the home and no peer is")
	}
	if c.Clock == nil {
		c.Clock = tandem.SystemClock{}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

// home is the peer that is the home; nil on the home node itself.
func (c *Config) home() *Peer {
	for i := range c.Peers {
		if c.Peers[i].Home {
			return &c.Peers[i]
		}
	}
	return nil
}

func (c *Config) path(name string) string { return filepath.Join(c.Dir, name) }
