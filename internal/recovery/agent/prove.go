package agent

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"time"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/failover"
	"tandem/internal/gateway"
	"tandem/internal/recovery"
	"tandem/internal/store"
)

// proveWithin bounds the wait for a gateway to serve what its store has.
const proveWithin = 10 * time.Second

// proof collects the findings of gates.
type proof struct {
	found []recovery.Finding
}

func (p *proof) add(g failover.Gate, r failover.Result, format string, args ...any) {
	p.found = append(p.found, recovery.Finding{Gate: g, Result: r, What: fmt.Sprintf(format, args...)})
}

// outcome judges each gate by its findings: one that fails fails it, one that is inconclusive leaves it so. The lag is the
// controller's to judge.
func (p *proof) outcome() recovery.Outcome {
	out := recovery.Outcome{Findings: p.found}
	tried := map[failover.Gate]bool{}
	for _, f := range p.found {
		now := &out.Gates[f.Gate]
		switch {
		case !tried[f.Gate]:
			*now = f.Result
		case f.Result == failover.Fail || *now == failover.Fail:
			*now = failover.Fail
		case f.Result == failover.Unproven:
			*now = failover.Unproven
		}
		tried[f.Gate] = true
	}
	return out
}

// prove tries the gates of the standby as it is now.
func (m *member) prove(ctx context.Context, t recovery.Task) (recovery.Outcome, error) {
	service, err := m.service(ctx)
	if err != nil {
		return recovery.Outcome{}, err
	}
	snap, err := service.Space.Snapshot(ctx)
	if err != nil {
		return recovery.Outcome{}, err
	}
	p := &proof{}
	newest := tandem.Revision(0)
	docs := map[string]store.Document{}
	for d, err := range snap.Documents(ctx) {
		if err != nil {
			return recovery.Outcome{}, err
		}
		docs[d.Key] = d
		newest = max(newest, d.Revision)
	}
	p.generation(ctx, m, snap.Head.Active, newest)
	p.keys(m.a.Sealer, docs)
	m.proveGateway(ctx, p, t.TrafficName)
	return p.outcome(), nil
}

// generation proves that the gateway serves what the store has, and honours all of it.
func (p *proof) generation(ctx context.Context, m *member, g tandem.Generation, newest tandem.Revision) {
	ctx, cancel := context.WithTimeout(ctx, proveWithin)
	defer cancel()
	if err := m.a.Gateways.WaitFor(ctx, m.id, g, newest); err != nil {
		p.add(failover.GenerationGate, failover.Fail, "the gateway does not serve generation %d at revision %d: %v", g, newest, err)
		return
	}
	p.add(failover.GenerationGate, failover.Pass, "the gateway serves generation %d at revision %d or later", g, newest)
}

// problems tells what the gateway cannot honour.
func (p *proof) problems(list []gateway.Problem) {
	fatal := 0
	for _, problem := range list {
		if !problem.Fatal {
			continue
		}
		if fatal++; fatal <= 10 {
			p.add(failover.GenerationGate, failover.Fail, "%s, line %d: %s", problem.Document, problem.Line, problem.Message)
		}
	}
	if fatal > 10 {
		p.add(failover.GenerationGate, failover.Fail, "%d more documents cannot be honoured", fatal-10)
	}
}

// keys opens every sealed value of the service.
func (p *proof) keys(s apim.Sealer, docs map[string]store.Document) {
	opened, bad, subscriptions := 0, 0, 0
	for key, d := range docs {
		if !strings.Contains(string(d.Value), `"sealed"`) {
			continue
		}
		doc, err := apim.Decode(key, d)
		if err != nil {
			bad++
			p.add(failover.KeysGate, failover.Fail, "%s cannot be read", key)
			continue
		}
		for name := range doc.Sealed {
			if _, err := doc.OpenSecret(s, name); err != nil {
				if bad++; bad <= 10 {
					p.add(failover.KeysGate, failover.Fail, "%s of %s does not open with this region's master key", name, key)
				}
				continue
			}
			opened++
			if doc.Type == "subscriptions" && name == "primaryKey" {
				subscriptions++
			}
		}
	}
	if bad == 0 {
		p.add(failover.KeysGate, failover.Pass, "%d keys of %d open, %d of them of subscriptions", opened, opened, subscriptions)
	}
}

// proveGateway asks the gateway for what it finds itself, and looks at the certificate that clients of the traffic name meet.
func (m *member) proveGateway(ctx context.Context, p *proof, name string) {
	d, err := m.a.Gateways.Detail(ctx, m.id)
	if err != nil || d.FullDetail == nil {
		for _, g := range []failover.Gate{failover.KeysGate, failover.CertificateGate, failover.BackendGate} {
			p.add(g, failover.Unproven, "the gateway does not answer: %v", err)
		}
		return
	}
	p.problems(d.Problems)
	if d.KeyCheck != "ok" {
		p.add(failover.KeysGate, failover.Fail, "the gateway: %s", d.KeyCheck)
	} else {
		p.add(failover.KeysGate, failover.Pass, "the gateway opens the service's keys")
	}
	m.certificate(ctx, p, name)
	p.backends(d.Backends)
}

// backends tells which of them the gateway's node can connect to.
func (p *proof) backends(list []gateway.BackendStatus) {
	reached := 0
	for _, b := range list {
		switch {
		case b.Reachable:
			reached++
		case b.Address == "":
			p.add(failover.BackendGate, failover.Unproven, "%s: %s", b.Name, b.Problem)
		default:
			p.add(failover.BackendGate, failover.Fail, "%s (%s) does not answer: %s", b.Name, b.Address, b.Problem)
		}
	}
	switch {
	case len(list) == 0:
		p.add(failover.BackendGate, failover.Pass, "the service names no backend of a fixed address")
	case reached > 0:
		p.add(failover.BackendGate, failover.Pass, "%d backends of %d answer", reached, len(list))
	}
}

// certificate meets the gateway's listener as a client of the traffic name does.
func (m *member) certificate(ctx context.Context, p *proof, name string) {
	if name == "" {
		p.add(failover.CertificateGate, failover.Pass, "the group has no traffic name")
		return
	}
	address, err := m.a.Gateways.Address(m.id)
	if err != nil {
		p.add(failover.CertificateGate, failover.Unproven, "the gateway has no listener: %v", err)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, proveWithin)
	defer cancel()
	d := tls.Dialer{NetDialer: &net.Dialer{}, Config: &tls.Config{ServerName: name, RootCAs: m.a.Roots, MinVersion: tls.VersionTLS12, Time: m.a.Clock.Now}}
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		p.add(failover.CertificateGate, failover.Fail, "a client of %s cannot connect to %s: %v", name, address, err)
		return
	}
	defer conn.Close() //nolint:errcheck // nothing was sent
	if c, ok := conn.(*tls.Conn); ok {
		leaf := c.ConnectionState().PeerCertificates[0]
		p.add(failover.CertificateGate, failover.Pass, "the certificate for %s is valid until %s", name, leaf.NotAfter.UTC().Format(time.RFC3339))
	}
}
