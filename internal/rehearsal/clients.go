package rehearsal

import (
	"crypto/tls"
	"net/http"
	"time"

	"tandem/internal/arm/armclient"
)

// clients are how the story talks to the world: over the same sockets as anybody.
type clients struct {
	transport  *http.Transport
	http       *http.Client
	operator   *armclient.Client // Owner
	automation *armclient.Client // the backup and restore automation
}

const apiVersion = "2024-05-01"

func (w *World) connect() error {
	t := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: w.ca.Pool(), MinVersion: tls.VersionTLS12}, MaxIdleConnsPerHost: 16}
	h := &http.Client{Transport: t, Timeout: time.Minute}
	client := func(p Principal) (*armclient.Client, error) {
		return armclient.New(armclient.Config{Endpoint: w.Endpoints.ARMURL, HTTP: h, Clock: w.clock, APIVersion: apiVersion,
			Tokens: &armclient.ClientCredentials{Authority: w.Endpoints.AuthorityURL, TenantID: w.TenantID, ClientID: p.ClientID, ClientSecret: p.ClientSecret, HTTP: h, Clock: w.clock}})
	}
	operator, err := client(Principal{ClientID: w.Endpoints.ClientID, ClientSecret: w.Endpoints.ClientSecret})
	if err != nil {
		return err
	}
	automation, err := client(w.Endpoints.Automation)
	w.clients = clients{transport: t, http: h, operator: operator, automation: automation}
	return err
}

func (c clients) close() {
	if c.transport != nil {
		c.transport.CloseIdleConnections()
	}
}
