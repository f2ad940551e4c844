package world

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/netip"
	"time"

	"tandem/internal/arm/armclient"
)

// apiVersion of calls that name none.
const apiVersion = "2024-05-01"

// clients are how the test talks to the world: from the clients' site, over the same sockets as anybody.
type clients struct {
	operator *armclient.Client // patient: tries again
	writer   map[string]*armclient.Client
	data     *http.Client
}

// answerWithin is how long a writer or a caller waits for one answer.
const answerWithin = 2 * time.Second

func (w *World) connect() error {
	trust := func() *tls.Config { return &tls.Config{RootCAs: w.ca.Pool(), MinVersion: tls.VersionTLS12} }
	patient := w.HTTP(Client, trust(), time.Minute)
	tokens := &armclient.ClientCredentials{Authority: w.url(w.home(), authorityPort), TenantID: w.TenantID, ClientID: w.ClientID, ClientSecret: w.ClientSecret, HTTP: patient, Clock: w.Clock}
	var err error
	w.clients.operator, err = armclient.New(armclient.Config{Endpoint: w.url(w.home(), armPort), HTTP: patient, Clock: w.Clock, APIVersion: apiVersion, Tokens: tokens})
	if err != nil {
		return err
	}
	w.clients.writer = map[string]*armclient.Client{}
	for _, site := range w.places() {
		// A writer must know what became of each write: it never tries again by itself.
		if w.clients.writer[site], err = armclient.New(armclient.Config{Endpoint: w.url(site, armPort), HTTP: w.HTTP(Client, trust(), answerWithin), Clock: w.Clock, APIVersion: apiVersion, Tokens: tokens, Retries: -1}); err != nil {
			return err
		}
	}
	data := trust()
	data.ServerName = trafficName
	w.clients.data = w.HTTP(Client, data, answerWithin)
	w.clients.data.Transport.(*http.Transport).DisableKeepAlives = true // a DNS question and a connection for each request
	return nil
}

// Resolve asks Tandem's DNS servers for the traffic name, from where the clients are.
func (w *World) Resolve(ctx context.Context) (netip.Addr, error) {
	return w.Named(ctx, Client, profileName)
}

// Named asks Tandem's DNS servers for the address of a profile from inside a site.
func (w *World) Named(ctx context.Context, from, profile string) (netip.Addr, error) {
	var servers []string
	for _, member := range w.options.Members {
		servers = append(servers, w.At(member, dnsPort))
	}
	ips, err := w.Lab.Resolve(ctx, from, profile+"."+zone, nameWithin, servers...)
	if err != nil {
		return netip.Addr{}, err
	}
	return ips[0], nil
}

// nameWithin is how long a client waits for one name server before it asks the next.
const nameWithin = 500 * time.Millisecond

// SiteOf gives the site that has an address; "": none.
func (w *World) SiteOf(ip netip.Addr) string {
	for _, s := range w.Sites() {
		if s.Addr == ip {
			return s.Name
		}
	}
	return ""
}

func get(path string) armclient.Request {
	return armclient.Request{Method: http.MethodGet, Path: path}
}
