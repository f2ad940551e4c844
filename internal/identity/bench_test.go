package identity

import (
	"log/slog"
	"testing"

	"tandem"
	"tandem/internal/arm"
	"tandem/internal/store/storetest"
)

// BenchmarkAuthenticateAndAuthorise is what every management call costs before its handler.
func BenchmarkAuthenticateAndAuthorise(b *testing.B) {
	ctx := b.Context()
	s := storetest.Memory()
	defer s.Close()
	d, err := Open(ctx, Config{AccessConfig: AccessConfig{Clock: tandem.SystemClock{}}, Store: s, Sealer: newSealer(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	c, err := d.Bootstrap(ctx, BootstrapOptions{Tenant: Tenant{ID: tenantID}, Principal: "owner"})
	if err != nil {
		b.Fatal(err)
	}
	token, err := d.sign(Claims{Audience: armAud, Issuer: issuer(tenantID), TenantID: tenantID, ObjectID: c.ObjectID, Expires: 1 << 40})
	if err != nil {
		b.Fatal(err)
	}
	var p arm.Principal
	for b.Loop() {
		if p, err = d.Authenticate(ctx, token); err != nil {
			b.Fatal(err)
		}
		if err := d.Authorise(ctx, p, "Microsoft.ApiManagement/service/apis/read", "/subscriptions/x/resourceGroups/y/providers/Microsoft.ApiManagement/service/z/apis/a"); err != nil {
			b.Fatal(err)
		}
	}
}
