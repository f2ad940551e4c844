package node

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"tandem"
)

const exampleConfig = `region: southindia
dir: /var/lib/tandem
address: 10.2.0.4
ca: /etc/tandem/ca
masterKey: /etc/tandem/keys/master.key
backupIdentity: /etc/tandem/keys/backup.identity
ports: {arm: 8443, internal: 8444}
home:
  tenantId: 99999999-8888-7777-6666-555555555555
  subscriptionId: 11111111-2222-3333-4444-555555555555
  zone: trafficmanager.net
  operator: operator
`

func TestReadConfig(t *testing.T) {
	c, err := ReadConfig("node.yaml", []byte(exampleConfig), []string{"TANDEM_REGION=westindia", "TANDEM_PORTS_ARM=9443", "TANDEM_HOME_NEW_SECRETS=true", "TANDEM_NAMES=a.example,b.example", "TANDEM_READY_FD=3", "HOME=/"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Region != "westindia" || c.Ports.ARM != 9443 || c.Ports.Internal != 8444 || !c.Home.NewSecrets || c.Home.Zone != "trafficmanager.net" || !slices.Equal(c.Names, []string{"a.example", "b.example"}) {
		t.Errorf("got %+v with %+v", c, c.Home)
	}
	if err := c.Check(); err != nil {
		t.Error(err)
	}
	if c, err := ReadConfig("node.json", []byte(`{"region": "southindia", "peers": [{"region": "a", "arm": "https://x", "internal": "https://y", "home": true}]}`), nil); err != nil || !c.Peers[0].Home {
		t.Errorf("JSON: %+v, %v", c, err)
	}
}

func TestReadConfigErrors(t *testing.T) {
	for _, c := range []struct{ name, text, environment, want string }{
		{"a misspelt member", "region: a\nadress: 10.0.0.1\n", "", `did you mean "address"?`},
		{"with its line", "region: a\nadress: 10.0.0.1\n", "", "[2:1]"},
		{"with a caret", "region: a\nadress: 10.0.0.1\n", "", "^"},
		{"a misspelt member of a section", "control:\n  jion: true\n", "", `did you mean "join"?`},
		{"nothing like any", "frobnicate: 1\n", "", `unknown field "frobnicate"`},
		{"a wrong type", "ports:\n  arm: many\n", "", "[2:8]"},
		{"nothing", "", "", "it is empty"},
		{"twice", "region: a\nregion: b\n", "", "already defined"},
		{"a number that is none", exampleConfig, "TANDEM_PORTS_ARM=many", "TANDEM_PORTS_ARM"},
		{"a section that is not there", exampleConfig, "TANDEM_CONTROL_JOIN=true", "no section control"},
		{"a list of parts", exampleConfig, "TANDEM_PEERS=a", "TANDEM_PEERS"},
	} {
		_, err := ReadConfig("node.yaml", []byte(c.text), []string{c.environment})
		if !errors.Is(err, tandem.Invalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

func TestCheckConfig(t *testing.T) {
	control := exampleConfig + "control:\n  peers: [{name: southindia, address: 10.2.0.4:8445}]\n"
	for _, c := range []struct{ name, text, want string }{
		{"no region", strings.Replace(exampleConfig, "region: southindia", "region: ''", 1), "region"},
		{"no zone", strings.Replace(exampleConfig, "zone: trafficmanager.net", "zone: ''", 1), "zone"},
		{"a witness alone", exampleConfig + "witness: true\n", "control"},
		{"control without home", control[:strings.Index(control, "home:")] + control[strings.Index(control, "control:"):] + "peers: [{region: a, arm: https://x, internal: https://y, home: true}]\n", "home"},
		{"none of its peers", strings.Replace(control, "name: southindia", "name: other", 1), "not among"},
		{"an address without port", strings.Replace(control, "10.2.0.4:8445", "10.2.0.4", 1), "port"},
		{"endpoints and peers", control + "  endpoints: [https://etcd:2379]\n", "exclude"},
		{"a region twice", exampleConfig + "peers: [{region: southindia, arm: https://x, internal: https://y}]\n", "twice"},
		{"half of raft's timings", control + "  heartbeatMilliseconds: 100\n", "electionMilliseconds"},
	} {
		cfg, err := ReadConfig("node.yaml", []byte(c.text), nil)
		if err == nil {
			err = cfg.Check()
		}
		if !errors.Is(err, tandem.Invalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

// FuzzReadConfig reads anything without panicking.
func FuzzReadConfig(f *testing.F) {
	f.Add(exampleConfig)
	f.Add(`{"region":"a"}`)
	f.Add("peers: [{}]\ncontrol: {peers: null}\n")
	f.Fuzz(func(_ *testing.T, text string) {
		if c, err := ReadConfig("fuzz", []byte(text), nil); err == nil {
			_ = c.Check()
		}
	})
}
