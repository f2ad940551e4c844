package identity

import (
	"context"
	"crypto/x509"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"tandem"
)

// Credentials are what a client signs in with.
type Credentials struct {
	TenantID     string
	ClientID     string
	ClientSecret string // shown once; empty where the principal existed already
	ObjectID     string // of the service principal
}

// BootstrapOptions name the first things of a directory.
type BootstrapOptions struct {
	Tenant    Tenant
	Principal string // display name of the first service principal
	Scope     string // where it is Owner; empty: everywhere
}

// Bootstrap makes sure that the tenant exists, and the first service principal with the role Owner. Called again, it
// changes nothing and gives credentials without the secret.
func (d *Directory) Bootstrap(ctx context.Context, o BootstrapOptions) (Credentials, error) {
	if err := d.EnsureTenant(ctx, o.Tenant); err != nil {
		return Credentials{}, err
	}
	c, err := d.EnsureServicePrincipal(ctx, o.Tenant.ID, o.Principal)
	if err != nil {
		return c, err
	}
	if o.Scope == "" {
		o.Scope = "/"
	}
	_, err = d.AssignRole(ctx, Assignment{Scope: o.Scope, Role: "Owner", PrincipalID: c.ObjectID})
	if tandem.KindOf(err) == tandem.Exists {
		err = nil
	}
	return c, err
}

// EnsureTenant makes the tenant where it is not there.
func (d *Directory) EnsureTenant(ctx context.Context, t Tenant) error {
	if _, known := d.Tenant(t.ID); known {
		return nil
	}
	if _, err := uuid.Parse(t.ID); err != nil {
		return &tandem.Error{Op: "make tenant", Subject: t.ID, Kind: tandem.Invalid, Err: err, Remedy: "give a GUID"}
	}
	return d.commit(ctx, "make tenant", write{key: folderTenants + strings.ToLower(t.ID), value: t, created: true})
}

// Tenant finds a tenant by id or domain.
func (d *Directory) Tenant(name string) (Tenant, bool) {
	t, ok := d.current.Load().tenants[strings.ToLower(name)]
	return t, ok
}

// Tenants are all tenants.
func (a *Access) Tenants() []Tenant { return a.current.Load().Tenants }

// EnsureServicePrincipal finds a service principal by its display name in a tenant or makes it, with a new secret.
func (d *Directory) EnsureServicePrincipal(ctx context.Context, tenant, name string) (Credentials, error) {
	for _, p := range d.Snapshot().Principals {
		if p.DisplayName == name && strings.EqualFold(p.TenantID, tenant) {
			return Credentials{TenantID: tenant, ClientID: p.AppID, ObjectID: p.ID}, nil
		}
	}
	if _, known := d.Tenant(tenant); !known {
		return Credentials{}, noTenant("make service principal", name)
	}
	// One commit, so that a crash cannot leave a principal whose secret nobody was told.
	plain, secret := d.newSecret("first", 0)
	now := d.c.Clock.Now().UTC()
	app := Application{ID: uuid.NewString(), AppID: uuid.NewString(), TenantID: tenant, DisplayName: name, Created: now, Secrets: []Secret{secret}}
	p := ServicePrincipal{ID: uuid.NewString(), AppID: app.AppID, TenantID: tenant, DisplayName: name, Enabled: true, Created: now}
	err := d.commit(ctx, "make service principal", write{key: appKey(app.AppID), value: app, created: true},
		write{key: folderPrincipals + p.ID, value: p, created: true})
	return Credentials{TenantID: tenant, ClientID: app.AppID, ClientSecret: plain, ObjectID: p.ID}, err
}

func noTenant(op, subject string) error {
	return &tandem.Error{Op: op, Subject: subject, Kind: tandem.NotFound, Remedy: "make the tenant first"}
}

// CreateApplication registers a client. Empty ids are made.
func (d *Directory) CreateApplication(ctx context.Context, a Application) (Application, error) {
	if _, known := d.Tenant(a.TenantID); !known {
		return a, noTenant("register application", a.DisplayName)
	}
	if a.ID == "" {
		a.ID = uuid.NewString()
	}
	if a.AppID == "" {
		a.AppID = uuid.NewString()
	}
	a.Created = d.c.Clock.Now().UTC()
	return a, d.commit(ctx, "register application", write{key: appKey(a.AppID), value: a, created: true})
}

func appKey(appID string) string { return folderApps + strings.ToLower(appID) }

// Application finds a client by its client id.
func (d *Directory) Application(appID string) (Application, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a, ok := d.apps[strings.ToLower(appID)]
	return a, ok
}

// Applications are all registered clients.
func (d *Directory) Applications() []Application {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make([]Application, 0, len(d.apps))
	for _, a := range d.apps {
		out = append(out, a)
	}
	return out
}

// CreateServicePrincipal gives an application its identity in its tenant.
func (d *Directory) CreateServicePrincipal(ctx context.Context, appID string) (ServicePrincipal, error) {
	app, ok := d.Application(appID)
	if !ok {
		return ServicePrincipal{}, noApplication("make service principal", appID)
	}
	for _, p := range d.Snapshot().Principals {
		if strings.EqualFold(p.AppID, appID) {
			return p, &tandem.Error{Op: "make service principal", Subject: appID, Kind: tandem.Exists}
		}
	}
	p := ServicePrincipal{ID: uuid.NewString(), AppID: app.AppID, TenantID: app.TenantID, DisplayName: app.DisplayName, Enabled: true, Created: d.c.Clock.Now().UTC()}
	return p, d.commit(ctx, "make service principal", write{key: folderPrincipals + p.ID, value: p, created: true})
}

func noApplication(op, appID string) error {
	return &tandem.Error{Op: op, Subject: appID, Kind: tandem.NotFound, Remedy: "register the application first"}
}

// Principal finds a service principal by its object id.
func (a *Access) Principal(objectID string) (ServicePrincipal, bool) {
	p, ok := a.current.Load().principals[strings.ToLower(objectID)]
	return p, ok
}

// SetEnabled lets a service principal sign in, or stops it: its tokens are refused at once wherever the change is known.
func (d *Directory) SetEnabled(ctx context.Context, objectID string, enabled bool) error {
	p, ok := d.Principal(objectID)
	if !ok {
		return &tandem.Error{Op: "change service principal", Subject: objectID, Kind: tandem.NotFound}
	}
	p.Enabled = enabled
	return d.commit(ctx, "change service principal", write{key: folderPrincipals + p.ID, value: p})
}

// AddSecret makes a client secret that is good for a lifetime (zero: two years) and gives it, this one time.
func (d *Directory) AddSecret(ctx context.Context, appID, name string, lifetime time.Duration) (string, Secret, error) {
	app, ok := d.Application(appID)
	if !ok {
		return "", Secret{}, noApplication("add secret", appID)
	}
	plain, s := d.newSecret(name, lifetime)
	app.Secrets = append(append([]Secret{}, app.Secrets...), s)
	return plain, s, d.commit(ctx, "add secret", write{key: appKey(appID), value: app})
}

func (d *Directory) newSecret(name string, lifetime time.Duration) (string, Secret) {
	if lifetime == 0 {
		lifetime = 2 * 365 * 24 * time.Hour
	}
	plain, now := randomSecret(), d.c.Clock.Now().UTC()
	return plain, Secret{KeyID: uuid.NewString(), DisplayName: name, Hint: plain[:3], Hash: hashSecret(plain), Start: now, End: now.Add(lifetime)}
}

// RemoveSecret takes a secret away from an application.
func (d *Directory) RemoveSecret(ctx context.Context, appID, keyID string) error {
	app, ok := d.Application(appID)
	if !ok {
		return noApplication("remove secret", appID)
	}
	var kept []Secret
	for _, s := range app.Secrets {
		if !strings.EqualFold(s.KeyID, keyID) {
			kept = append(kept, s)
		}
	}
	if len(kept) == len(app.Secrets) {
		return &tandem.Error{Op: "remove secret", Subject: keyID, Kind: tandem.NotFound}
	}
	app.Secrets = kept
	return d.commit(ctx, "remove secret", write{key: appKey(appID), value: app})
}

// AddCertificate registers a certificate, with whose key the client signs assertions.
func (d *Directory) AddCertificate(ctx context.Context, appID string, cert *x509.Certificate) error {
	app, ok := d.Application(appID)
	if !ok {
		return noApplication("add certificate", appID)
	}
	app.Certificates = append(append([]Certificate{}, app.Certificates...),
		Certificate{KeyID: uuid.NewString(), DER: cert.Raw, Start: cert.NotBefore, End: cert.NotAfter})
	return d.commit(ctx, "add certificate", write{key: appKey(appID), value: app})
}

// DeleteApplication deletes a client with its service principal and that one's role assignments.
func (d *Directory) DeleteApplication(ctx context.Context, appID string) error {
	if _, ok := d.Application(appID); !ok {
		return noApplication("delete application", appID)
	}
	for _, p := range d.Snapshot().Principals {
		if strings.EqualFold(p.AppID, appID) {
			if err := d.DeleteServicePrincipal(ctx, p.ID); err != nil {
				return err
			}
		}
	}
	return d.commit(ctx, "delete application", write{key: appKey(appID)})
}

// DeleteServicePrincipal deletes a principal and its role assignments.
func (d *Directory) DeleteServicePrincipal(ctx context.Context, objectID string) error {
	p, ok := d.Principal(objectID)
	if !ok {
		return &tandem.Error{Op: "delete service principal", Subject: objectID, Kind: tandem.NotFound}
	}
	writes := []write{{key: folderPrincipals + p.ID}}
	for _, a := range d.Snapshot().RoleAssignments {
		if strings.EqualFold(a.PrincipalID, objectID) {
			writes = append(writes, write{key: assignmentKey(a)})
		}
	}
	// The assignments go first where one commit cannot hold all: what is left of them then gives nobody anything more.
	const most = 50 // writes of one commit: each needs a condition beside it
	for len(writes) > most {
		if err := d.commit(ctx, "delete role assignments", writes[len(writes)-most:]...); err != nil {
			return err
		}
		writes = writes[:len(writes)-most]
	}
	return d.commit(ctx, "delete service principal", writes...)
}

// UpdateApplication changes a client; change works on a copy.
func (d *Directory) UpdateApplication(ctx context.Context, appID string, change func(*Application) error) (Application, error) {
	app, ok := d.Application(appID)
	if !ok {
		return app, noApplication("change application", appID)
	}
	app.IdentifierURIs, app.Certificates = slices.Clone(app.IdentifierURIs), slices.Clone(app.Certificates)
	if err := change(&app); err != nil {
		return app, err
	}
	return app, d.commit(ctx, "change application", write{key: appKey(appID), value: app})
}
