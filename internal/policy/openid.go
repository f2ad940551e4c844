package policy

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwk"

	"tandem"
	"tandem/internal/exchange"
)

// How long OpenID configurations and keys are kept, and how soon they may be fetched again for a key that is missing or
// after a failure: validate-jwt's documentation.
const (
	openIDFresh = time.Hour
	openIDAgain = 5 * time.Minute
)

// OpenID fetches OpenID configurations with their keys, and keeps them. Requests for one issuer at the same time make
// one fetch; while a fetch of a known issuer fails, the old keys stay in use (law 8).
type OpenID struct {
	client Client
	clock  tandem.Clock
	mu     sync.Mutex
	known  map[string]*issuerKeys
}

// issuerKeys is what one configuration gave.
type issuerKeys struct {
	mu      sync.Mutex
	issuer  string
	keys    jwk.Set
	fetched time.Time
	tried   time.Time
	err     error
}

// NewOpenID makes an empty store.
func NewOpenID(client Client, clock tandem.Clock) *OpenID {
	return &OpenID{client: client, clock: clock, known: map[string]*issuerKeys{}}
}

// maxIssuers bounds how many configurations are kept, since their URLs may come from expressions.
const maxIssuers = 1000

// get gives an issuer and its keys. With missing, a key was not found: fetch again, if the last time is not too near.
func (o *OpenID) get(ctx context.Context, url string, missing bool) (string, jwk.Set, error) {
	o.mu.Lock()
	k := o.known[url]
	if k == nil {
		if len(o.known) >= maxIssuers {
			clear(o.known)
		}
		k = &issuerKeys{}
		o.known[url] = k
	}
	o.mu.Unlock()
	k.mu.Lock()
	defer k.mu.Unlock()
	now := o.clock.Now()
	stale := k.keys == nil || now.Sub(k.fetched) >= openIDFresh || missing
	if stale && (k.tried.IsZero() || now.Sub(k.tried) >= openIDAgain || k.keys != nil && !missing && k.err == nil) {
		k.tried = now
		if issuer, keys, err := o.fetch(ctx, url); err != nil {
			k.err = err
		} else {
			k.issuer, k.keys, k.err, k.fetched = issuer, keys, nil, now
		}
	}
	if k.keys == nil {
		return "", nil, k.err
	}
	return k.issuer, k.keys, nil
}

func (o *OpenID) fetch(ctx context.Context, url string) (string, jwk.Set, error) {
	var config struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	b, err := o.load(ctx, url)
	if err != nil {
		return "", nil, err
	}
	if err := json.Unmarshal(b, &config); err != nil {
		return "", nil, fmt.Errorf("read the OpenID configuration %s: %w", url, err)
	}
	if config.Keys == "" {
		return "", nil, fmt.Errorf("the OpenID configuration %s has no jwks_uri", url)
	}
	if b, err = o.load(ctx, config.Keys); err != nil {
		return "", nil, err
	}
	keys, err := jwk.Parse(b)
	if err != nil {
		return "", nil, fmt.Errorf("read the keys %s: %w", config.Keys, err)
	}
	return config.Issuer, keys, nil
}

func (o *OpenID) load(ctx context.Context, url string) ([]byte, error) {
	u, ok := parseURL(url)
	if !ok {
		return nil, fmt.Errorf("%s is not an absolute http or https URL", url)
	}
	r := &exchange.Request{Method: "GET", Proto: "HTTP/1.1", URL: u}
	r.Header.Add("Accept", "application/json")
	a, err := o.client.Do(ctx, r, SendOptions{Timeout: 10 * time.Second})
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", url, err)
	}
	b, err := a.Body.Bytes(4 << 20)
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", url, err)
	}
	if a.Status != 200 {
		return nil, fmt.Errorf("get %s: status %d", url, a.Status)
	}
	return b, nil
}
