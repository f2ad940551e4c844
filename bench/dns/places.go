//go:build linux

package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"tandem"
	"tandem/internal/store"
	"tandem/internal/traffic"
	"tandem/internal/traffic/vantage"
)

// far is a way to another place that takes its time, there and back.
type far struct {
	name   string
	oneWay time.Duration
	base   http.RoundTripper
}

func (f far) RoundTrip(r *http.Request) (*http.Response, error) {
	clock := tandem.SystemClock{}
	if err := clock.Sleep(r.Context(), f.oneWay); err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Header.Set("From", f.name)
	resp, err := f.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	return resp, clock.Sleep(r.Context(), f.oneWay)
}

// startPlaces starts so many Traffic Managers on one store, each a vantage point, with ways of a length between them. The
// first one is asked.
func startPlaces(ctx context.Context, count int, oneWay time.Duration, shared store.Store) ([]*traffic.Service, error) {
	var peers []vantage.Peer
	var exchanges []*vantage.Exchange
	for i := range count {
		if count == 1 {
			break
		}
		name := fmt.Sprintf("place-%d", i)
		x, err := vantage.New(vantage.Config{Name: name, Client: &http.Client{Transport: far{name, oneWay, &http.Transport{MaxIdleConnsPerHost: 8}}}, Clock: tandem.SystemClock{}, Log: slog.New(slog.DiscardHandler),
			Identify: func(r *http.Request) (string, error) { return r.Header.Get("From"), nil }})
		if err != nil {
			return nil, err
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		go http.Serve(l, x) //nolint:errcheck // it ends with the process
		exchanges, peers = append(exchanges, x), append(peers, vantage.Peer{Name: name, URL: "http://" + l.Addr().String()})
	}
	var out []*traffic.Service
	for i := range count {
		c := traffic.Config{Store: shared, Clock: tandem.SystemClock{}, Log: slog.New(slog.DiscardHandler), Zone: zoneName, Listen: "127.0.0.1:0"}
		if count > 1 {
			exchanges[i].SetPeers(peers)
			c.Peers = exchanges[i]
		}
		s, err := traffic.New(c)
		if err != nil {
			return nil, err
		}
		if err := s.Start(ctx); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}
