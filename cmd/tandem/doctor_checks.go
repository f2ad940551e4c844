package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/miekg/dns"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/arm/armclient"
	"tandem/internal/rehearsal"
	"tandem/internal/vault"
	"tandem/internal/vault/azure"
)

// patient is the deployment that is looked at, and what was found.
type patient struct {
	o      places
	clock  tandem.Clock
	world  rehearsal.Endpoints
	known  bool // world was read
	client *armclient.Client
	checks []check
}

func (p *patient) note(name string, state verdict, found, remedy string) {
	p.checks = append(p.checks, check{name, state, found, remedy})
}

func (p *patient) failed(name string, err error, remedy string) {
	p.note(name, ill, err.Error(), remedy)
}

// files looks at what the deployment keeps on this machine: that secrets are for their owner alone.
func (p *patient) files(context.Context) {
	world, err := p.o.endpoints()
	if err != nil {
		p.failed("endpoints.json", err, "start the deployment, or copy its endpoints.json here")
		return
	}
	p.world, p.known = world, true
	open := []string{}
	err = filepath.WalkDir(p.o.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil // a file that went away, or of another user: not ours to judge
		}
		secret := d.Name() == "endpoints.json" || d.Name() == "master.key" || strings.HasSuffix(d.Name(), ".identity") || strings.HasSuffix(d.Name(), ".secret") || d.Name() == "probe-token" || strings.HasSuffix(d.Name(), ".key")
		if info, err := d.Info(); err == nil && secret && info.Mode().Perm()&0o077 != 0 {
			open = append(open, path)
		}
		return nil
	})
	switch {
	case err != nil:
		p.failed("secret files", err, "")
	case len(open) > 0:
		p.note("secret files", ill, "others can read "+strings.Join(open, ", "), "chmod 600 them, then renew what they hold: others may have read it")
	default:
		p.note("secret files", well, "for their owner alone", "")
	}
	if _, err := os.Stat(filepath.Join(p.o.dir, "keys", "recovery.secret")); err == nil {
		p.note("offline key", uneasy, "the offline recovery key still lies beside the data", "move keys/recovery.secret to a place that a loss of this machine does not reach")
	}
}

// certificates looks at the authority, and at what the endpoints present.
func (p *patient) certificates(ctx context.Context) {
	if !p.known {
		return
	}
	raw, err := os.ReadFile(p.world.CAFile)
	if err != nil {
		p.failed("certificate authority", err, "copy the deployment's CA file to where endpoints.json says it is")
		return
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		p.note("certificate authority", ill, p.world.CAFile+" holds no certificate", "copy it anew")
		return
	}
	ca, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		p.failed("certificate authority", err, "copy it anew")
		return
	}
	p.expiry("certificate authority", ca, 90*24*time.Hour)
	pool := x509.NewCertPool()
	pool.AddCert(ca)
	for name, address := range map[string]string{"management certificate": p.world.ARMURL, "authority certificate": p.world.AuthorityURL} {
		p.presented(ctx, name, address, "", pool)
	}
	for service, g := range p.world.Gateways {
		p.presented(ctx, "certificate of "+service+" for "+p.world.TrafficName, g.URL, p.world.TrafficName, pool)
	}
}

// presented dials an address and judges the certificate that comes.
func (p *patient) presented(ctx context.Context, name, address, host string, pool *x509.CertPool) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	d := tls.Dialer{Config: &tls.Config{RootCAs: pool, ServerName: host, MinVersion: tls.VersionTLS12}}
	conn, err := d.DialContext(ctx, "tcp", u.Host)
	if err != nil {
		p.failed(name, err, "see whether the node runs, and whether its certificate is of this deployment's authority")
		return
	}
	defer conn.Close() //nolint:errcheck // only looked at
	p.expiry(name, conn.(*tls.Conn).ConnectionState().PeerCertificates[0], 24*time.Hour)
}

func (p *patient) expiry(name string, c *x509.Certificate, soon time.Duration) {
	left := c.NotAfter.Sub(p.clock.Now())
	found := "valid until " + c.NotAfter.Format(time.DateOnly)
	switch {
	case left <= 0:
		p.note(name, ill, "expired on "+c.NotAfter.Format(time.DateTime), "restart the node, which renews its own; renew an authority by hand")
	case left < soon:
		p.note(name, uneasy, found, "it is renewed by the running node; see why that did not happen")
	default:
		p.note(name, well, found, "")
	}
}

// plane signs in and compares clocks.
func (p *patient) plane(ctx context.Context) {
	if !p.known {
		return
	}
	h, err := p.o.httpClient()
	if err != nil {
		p.failed("management plane", err, "")
		return
	}
	h.Timeout = patience
	sent := p.clock.Now()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.world.ARMURL+"/metadata/endpoints?api-version=2022-09-01", nil)
	if err == nil {
		var resp *http.Response
		if resp, err = h.Do(req); err == nil {
			defer resp.Body.Close() //nolint:errcheck // only its head counts
			p.skew(resp.Header.Get("Date"), sent)
		}
	}
	if err != nil {
		p.failed("management plane", err, "start the home node; its log says why it ended")
		return
	}
	if p.client, err = p.o.client(); err != nil {
		p.failed("management plane", err, "")
		return
	}
	if _, err := p.client.Do(ctx, armclient.Request{Method: http.MethodGet, Path: "/subscriptions/" + p.world.SubscriptionID + "/resourcegroups", Query: url.Values{"api-version": {"2021-04-01"}}}); err != nil {
		p.client = nil
		p.failed("sign-in", err, "see whether the client secret in endpoints.json is the current one, and its role assignments")
		return
	}
	p.note("sign-in", well, "the management plane answers, and takes the credentials", "")
}

func (p *patient) skew(date string, sent time.Time) {
	theirs, err := http.ParseTime(date)
	if err != nil {
		return
	}
	off := theirs.Sub(sent).Round(time.Second)
	if off.Abs() > 5*time.Second {
		p.note("clock", uneasy, fmt.Sprintf("the node's clock is %s off this machine's", off), "set both by NTP: tokens and certificates go by the clock (leases do not)")
		return
	}
	p.note("clock", well, "within five seconds of the node's", "")
}

// services asks each service's gateway for its status.
func (p *patient) services(ctx context.Context) {
	if p.client == nil {
		return
	}
	h, err := p.o.httpClient()
	if err != nil {
		return
	}
	h.Timeout = patience
	n := 0
	for raw, err := range p.client.List(ctx, "/subscriptions/"+p.world.SubscriptionID+"/providers/"+apim.Namespace+"/service", nil) {
		var s struct {
			Name       string
			Properties struct{ ProvisioningState, GatewayURL string }
		}
		if err = errors.Join(err, json.Unmarshal(raw, &s)); err != nil {
			p.failed("services", err, "")
			return
		}
		n++
		p.gateway(ctx, h, s.Name, s.Properties.GatewayURL)
	}
	if n == 0 {
		p.note("services", uneasy, "there is none", "create one, or restore one from a backup")
	}
}

func (p *patient) gateway(ctx context.Context, h *http.Client, name, address string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/status-0123456789abcdef", nil)
	if err == nil {
		var resp *http.Response
		if resp, err = h.Do(req); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				err = fmt.Errorf("its status page answers %s", resp.Status)
			}
		}
	}
	if err != nil {
		p.failed("gateway of "+name, err, "see the log of the node in that region")
		return
	}
	p.note("gateway of "+name, well, "serves at "+address, "")
}

// storage signs in to the storage account, and looks for a fresh backup.
func (p *patient) storage(ctx context.Context) {
	if !p.known || p.world.Storage.Account == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	h, err := p.o.httpClient()
	if err != nil {
		return
	}
	key, err := base64.StdEncoding.DecodeString(p.world.Storage.Key)
	if err != nil {
		p.failed("storage", errors.New("the account's key in endpoints.json is not base64"), "start the deployment again: it writes the file anew")
		return
	}
	v, err := azure.Open(azure.Options{Endpoint: strings.TrimRight(p.world.Storage.BlobURL, "/"), Container: p.world.Storage.Container, Account: p.world.Storage.Account, Key: key, Transport: h})
	if err != nil {
		p.failed("storage", err, "")
		return
	}
	var newest vault.Info
	n := 0
	for b, err := range v.List(ctx, "") {
		if err != nil {
			p.failed("storage", err, "see whether the account's key is the one in endpoints.json")
			return
		}
		n++
		if b.Modified.After(newest.Modified) {
			newest = b
		}
	}
	p.note("storage", well, fmt.Sprintf("container %s holds %d blobs", p.world.Storage.Container, n), "")
	age := p.clock.Now().Sub(newest.Modified).Round(time.Second)
	switch {
	case n == 0:
		p.note("backup", uneasy, "there is none", "make one: 'tandem backup SERVICE -o FILE', or give a recovery group a schedule")
	case age > 25*time.Hour:
		p.note("backup", uneasy, fmt.Sprintf("the newest is %s old", age), "give a recovery group a nightly schedule")
	default:
		p.note("backup", well, fmt.Sprintf("the newest, %s, is %s old", newest.Name, age), "")
	}
}

// names asks the deployment's own DNS server for the traffic name, then the machine's resolver.
func (p *patient) names(ctx context.Context) {
	if !p.known || p.world.TrafficName == "" || p.world.DNSAddr == "" {
		return
	}
	name := dns.Fqdn(p.world.TrafficName)
	for _, network := range []string{"udp", "tcp"} {
		q := new(dns.Msg).SetQuestion(name, dns.TypeA)
		c := dns.Client{Net: network, Timeout: patience}
		a, _, err := c.ExchangeContext(ctx, q, p.world.DNSAddr)
		switch {
		case err != nil:
			p.failed("DNS over "+network, err, "see whether the home node runs, and whether a firewall lets port and protocol through")
		case a.Rcode != dns.RcodeSuccess || len(a.Answer) == 0:
			p.note("DNS over "+network, ill, fmt.Sprintf("%s is answered with %s and %d records", name, dns.RcodeToString[a.Rcode], len(a.Answer)), "see the traffic profile: its endpoints, and whether it is enabled")
		default:
			p.note("DNS over "+network, well, strings.Join(strings.Fields(a.Answer[0].String()), " "), "")
		}
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if _, err := net.DefaultResolver.LookupHost(ctx, p.world.TrafficName); err != nil {
		p.note("DNS delegation", uneasy, "this machine's resolver does not find "+p.world.TrafficName, "delegate the zone to the deployment's DNS server with NS records; a rehearsal on one machine needs none")
		return
	}
	p.note("DNS delegation", well, "this machine's resolver finds "+p.world.TrafficName, "")
}

// console looks whether the web console is served.
func (p *patient) console(ctx context.Context) {
	if !p.known || p.world.ConsoleURL == nil {
		return
	}
	h, err := p.o.httpClient()
	if err != nil {
		return
	}
	h.Timeout = patience
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, *p.world.ConsoleURL, nil)
	if err == nil {
		var resp *http.Response
		if resp, err = h.Do(req); err == nil {
			var b bytes.Buffer
			_, err = b.ReadFrom(resp.Body)
			_ = resp.Body.Close()
		}
	}
	if err != nil {
		p.failed("console", err, "see the log of the home node")
		return
	}
	p.note("console", well, *p.world.ConsoleURL, "")
}
