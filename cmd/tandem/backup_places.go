package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/arm/armclient"
	"tandem/internal/keys"
	"tandem/internal/rehearsal"
	"tandem/internal/replica"
	"tandem/internal/snapshot"
)

// places say where services and keys are found.
type places struct {
	dir        string // of a world that 'tandem up' runs
	endpoint   string // of Azure Resource Manager
	ca         string
	identities []string
	recipients []string
	passphrase bool   // opens and encrypts by a passphrase alone
	vault      string // the address of a vault
	opened     []age.Identity
}

func (p *places) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&p.dir, "dir", "", "the folder of a world that 'tandem up' runs: its services by name, its keys")
	f.StringVar(&p.endpoint, "endpoint", "https://management.azure.com", "Azure Resource Manager; signs in with AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET and AZURE_AUTHORITY_HOST, or with AZURE_ACCESS_TOKEN")
	f.StringVar(&p.ca, "ca-file", "", "trust this certificate authority (PEM) beside the system's")
	f.StringArrayVarP(&p.identities, "identity", "i", nil, "an age identity file that opens snapshots (again for more)")
}

func (p *places) recipientFlag(c *cobra.Command) {
	c.Flags().StringArrayVarP(&p.recipients, "recipient", "r", nil, "encrypt to this age recipient, or to those in this file (again for more)")
}

// openIdentities reads what opens snapshots.
func (p *places) openIdentities() (ids []age.Identity, err error) {
	if p.opened != nil {
		return p.opened, nil
	}
	defer func() { p.opened = ids }() // a passphrase is asked for once
	files := p.identities
	if p.dir != "" {
		files = append(files, filepath.Join(p.dir, "keys", "backup.identity"))
	}
	if p.passphrase {
		text, err := askPassphrase(false)
		if err != nil {
			return nil, err
		}
		id, err := age.NewScryptIdentity(text)
		return []age.Identity{id}, err
	}
	if len(files) == 0 {
		return nil, usageError{errors.New("a snapshot is encrypted: name the identity file that opens it with --identity, or the world with --dir")}
	}
	var out []age.Identity
	for _, file := range files {
		ids, err := readIdentities(file)
		if err != nil {
			return nil, err
		}
		out = append(out, ids...)
	}
	return out, nil
}

// openRecipients are those to encrypt to: the ones asked for, the world's, and those of the identities given.
func (p *places) openRecipients() ([]age.Recipient, error) {
	var out []age.Recipient
	if p.passphrase {
		text, err := askPassphrase(true)
		if err != nil {
			return nil, err
		}
		r, err := age.NewScryptRecipient(text)
		return []age.Recipient{r}, err // age allows it alone only
	}
	for _, text := range p.recipients {
		if raw, err := os.ReadFile(text); err == nil {
			text = string(raw)
		}
		rs, err := parseRecipients(text)
		if err != nil {
			return nil, usageError{fmt.Errorf("%q is neither an age recipient nor a file of them", text)}
		}
		out = append(out, rs...)
	}
	if p.dir != "" || len(p.identities) > 0 {
		ids, err := p.openIdentities()
		if err != nil {
			return nil, err
		}
		out = append(out, recipientsOf(ids)...)
	}
	if p.dir != "" {
		r, err := keys.OpenRecovery(filepath.Join(p.dir, "keys", "recovery.recipient"))
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	if len(out) == 0 {
		return nil, usageError{errors.New("a snapshot is encrypted: name whom to with --recipient, or the world with --dir")}
	}
	return out, nil
}

// bearer is a token from the environment.
type bearer string

// Token implements armclient.TokenSource.
func (b bearer) Token(context.Context) (string, error) { return string(b), nil }

// Refresh implements armclient.TokenSource; a fixed token cannot be made anew.
func (bearer) Refresh() {}

func (p *places) endpoints() (e rehearsal.Endpoints, err error) {
	file := filepath.Join(p.dir, "endpoints.json")
	raw, err := os.ReadFile(file)
	if err != nil {
		return e, &tandem.Error{Op: "find world", Subject: p.dir, Err: err, Remedy: "start it with 'tandem up --dir " + p.dir + "'"}
	}
	return e, json.Unmarshal(raw, &e)
}

// httpClient trusts the system's authorities and the one named.
func (p *places) httpClient() (*http.Client, error) {
	file := p.ca
	if p.dir != "" && file == "" {
		e, err := p.endpoints()
		if err != nil {
			return nil, err
		}
		file = e.CAFile
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, usageError{fmt.Errorf("%s holds no certificate", file)}
		}
	}
	return &http.Client{Timeout: 2 * time.Minute, Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, MaxIdleConnsPerHost: 16, ForceAttemptHTTP2: true}}, nil
}

const managementVersion = "2024-05-01"

// callRetries is how often a throttled or broken call is sent again: a large service asks for patience.
const callRetries = 10

func (p *places) client() (*armclient.Client, error) {
	h, err := p.httpClient()
	if err != nil {
		return nil, err
	}
	c := armclient.Config{Endpoint: p.endpoint, HTTP: h, Clock: tandem.SystemClock{}, APIVersion: managementVersion, Retries: callRetries}
	credentials := &armclient.ClientCredentials{Authority: cmp.Or(os.Getenv("AZURE_AUTHORITY_HOST"), "https://login.microsoftonline.com"), TenantID: os.Getenv("AZURE_TENANT_ID"),
		ClientID: os.Getenv("AZURE_CLIENT_ID"), ClientSecret: os.Getenv("AZURE_CLIENT_SECRET"), HTTP: h, Clock: c.Clock}
	c.Tokens = credentials
	switch token := os.Getenv("AZURE_ACCESS_TOKEN"); {
	case p.dir != "":
		e, err := p.endpoints()
		if err != nil {
			return nil, err
		}
		c.Endpoint = e.ARMURL
		credentials.Authority, credentials.TenantID, credentials.ClientID, credentials.ClientSecret = e.AuthorityURL, e.TenantID, e.ClientID, e.ClientSecret
	case token != "":
		c.Tokens = bearer(token)
	case credentials.TenantID == "" || credentials.ClientID == "" || credentials.ClientSecret == "":
		return nil, usageError{errors.New("no credentials: set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, or AZURE_ACCESS_TOKEN, or name a world with --dir")}
	}
	return armclient.New(c)
}

// remote finds a live service: by its resource id, or in a world by its name.
func (p *places) remote(ctx context.Context, name string) (*replica.Remote, error) {
	c, err := p.client()
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(name, "/") {
		if p.dir == "" {
			return nil, usageError{fmt.Errorf("%q is no file, no folder and no resource id; write /subscriptions/{id}/resourceGroups/{name}/providers/%s/service/{name}", name, apim.Namespace)}
		}
		if name, err = p.named(ctx, c, name); err != nil {
			return nil, err
		}
	}
	id, err := tandem.ParseResourceID(name)
	if err != nil {
		return nil, usageError{err}
	}
	if !strings.EqualFold(id.Type(), apim.Namespace+"/service") {
		return nil, usageError{fmt.Errorf("%s is a %s, not an API Management service", name, id.Type())}
	}
	return replica.NewRemote(c, id), nil
}

// named finds the id of a service of the world by its name.
func (p *places) named(ctx context.Context, c *armclient.Client, name string) (string, error) {
	e, err := p.endpoints()
	if err != nil {
		return "", err
	}
	for raw, err := range c.List(ctx, "/subscriptions/"+e.SubscriptionID+"/providers/"+apim.Namespace+"/service", nil) {
		if err != nil {
			return "", err
		}
		var s struct{ ID, Name string }
		if err := json.Unmarshal(raw, &s); err == nil && strings.EqualFold(s.Name, name) {
			return s.ID, nil
		}
	}
	return "", &tandem.Error{Op: "find service", Subject: name, Kind: tandem.NotFound, Remedy: "name a file, a folder, a resource id, or a service of the world"}
}

// side is one of the things that compare.
type side struct {
	name      string
	manifest  snapshot.Manifest // of a folder or live service: without files
	resources []snapshot.Resource
	note      string // what a person should know of it
}

// open reads a side: a snapshot (- is the standard input), a folder, a moment in a vault, or a live service.
func (p *places) open(ctx context.Context, in io.Reader, name string) (side, error) {
	info, err := os.Stat(name)
	switch {
	case p.isMoment(name):
		return p.openMoment(ctx, name)
	case name == "-":
		return p.openSnapshot(ctx, in, name)
	case err == nil && info.IsDir():
		meta, all, err := snapshot.ReadFolder(name)
		return side{name: name, manifest: manifestOf(meta), resources: all}, err
	case err == nil:
		f, err := os.Open(name)
		if err != nil {
			return side{}, err
		}
		defer f.Close() //nolint:errcheck // only read
		return p.openSnapshot(ctx, f, name)
	case strings.ContainsAny(name, `./\`) && !strings.HasPrefix(strings.ToLower(name), "/subscriptions/"):
		return side{}, err
	}
	r, err := p.remote(ctx, name)
	if err != nil {
		return side{}, err
	}
	c, err := r.Read(ctx)
	if err != nil {
		return side{}, err
	}
	return side{name: name, manifest: manifestOf(c.Meta), resources: c.Resources}, nil
}

func (p *places) openSnapshot(ctx context.Context, r io.Reader, name string) (side, error) {
	ids, err := p.openIdentities()
	if err != nil {
		return side{}, err
	}
	s, err := snapshot.Open(ctx, r, ids...)
	if err != nil {
		return side{}, fmt.Errorf("%s: %w", name, err)
	}
	defer s.Close()
	out := side{name: name, manifest: s.Manifest()}
	for res, err := range s.Resources(ctx) {
		if err != nil {
			return side{}, fmt.Errorf("%s: %w", name, err)
		}
		out.resources = append(out.resources, res)
	}
	return out, nil
}

func manifestOf(m snapshot.Meta) snapshot.Manifest {
	return snapshot.Manifest{Created: m.Created, Source: m.Source, Region: m.Region, Revision: m.Revision, Generation: m.Generation, Window: m.Window, Omissions: m.Omissions}
}

func metaOf(m snapshot.Manifest) snapshot.Meta {
	return snapshot.Meta{Created: m.Created, Source: m.Source, Region: m.Region, Revision: m.Revision, Generation: m.Generation, Window: m.Window, Omissions: m.Omissions}
}

// writeSnapshot writes a file that is whole or not there: beside its name first, then renamed.
func writeSnapshot(file string, write func(io.Writer) error) (err error) {
	if _, err := os.Stat(file); err == nil {
		return &tandem.Error{Op: "write snapshot", Subject: file, Kind: tandem.Exists, Remedy: "choose another name, or delete the file"}
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+"-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tmp.Close(), os.Remove(tmp.Name()))
		}
	}()
	if err := write(tmp); err != nil {
		return err
	}
	if err := tmp.Sync(); err != nil {
		return err
	}
	if err := os.Link(tmp.Name(), file); err != nil { // not over a file that appeared meanwhile
		return err
	}
	return errors.Join(tmp.Close(), os.Remove(tmp.Name()))
}

// printJSON writes a value for programs.
func printJSON(out io.Writer, v any) error {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
