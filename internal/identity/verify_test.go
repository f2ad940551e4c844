package identity

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tandem"
	"tandem/internal/arm"
	"tandem/internal/store"
)

func TestTokensThatAreRefused(t *testing.T) {
	s := newSite(t)
	good := s.token(s.owner, armAud)
	graph := s.token(s.owner, "https://graph.microsoft.com")
	gone, err := s.d.EnsureServicePrincipal(t.Context(), tenantID, "gone")
	check(t, err)
	goneToken := s.token(gone, armAud)
	check(t, s.d.DeleteServicePrincipal(t.Context(), gone.ObjectID))
	foreign, err := s.d.sign(Claims{Audience: armAud, Issuer: issuer(subID), TenantID: subID, ObjectID: s.owner.ObjectID, Expires: s.clock.Now().Add(time.Hour).Unix()})
	check(t, err)
	early, err := s.d.sign(Claims{Audience: armAud, Issuer: issuer(tenantID), TenantID: tenantID, ObjectID: s.owner.ObjectID,
		NotBefore: s.clock.Now().Add(time.Hour).Unix(), Expires: s.clock.Now().Add(2 * time.Hour).Unix()})
	check(t, err)
	parts := strings.Split(good, ".")
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	check(t, err)
	tampered := parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(payload), tenantID, subID, 1))) + "." + parts[2]
	unsigned := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + parts[1] + "."
	var claims Claims
	check(t, json.Unmarshal(payload, &claims))
	if claims.IDType != "app" || claims.Version != "1.0" || claims.AppID != s.owner.ClientID || claims.Subject != s.owner.ObjectID {
		t.Errorf("claims %+v", claims)
	}
	replica, err := NewReplica(AccessConfig{Clock: s.clock}, s.d.Snapshot())
	check(t, err)
	refused := func(token, want string) {
		t.Helper()
		for _, a := range []arm.Authoriser{s.d, replica} {
			_, err := a.Authenticate(context.Background(), token)
			got := ""
			if err != nil {
				e := arm.AsError(err)
				if got = e.Code; e.Status != 401 {
					t.Errorf("status %d", e.Status)
				}
			}
			if got != want {
				t.Errorf("got %q, want %q: %v", got, want, err)
			}
		}
	}
	refused(good, "")
	refused("rubbish", "InvalidAuthenticationToken")
	refused(tampered, "InvalidAuthenticationToken")
	refused(unsigned, "InvalidAuthenticationToken")
	refused(graph, "InvalidAuthenticationTokenAudience")
	refused(goneToken, "InvalidAuthenticationToken")
	refused(foreign, "InvalidAuthenticationTokenTenant")
	refused(early, "InvalidAuthenticationToken")
	s.clock.turn(2 * time.Hour)
	refused(good, "ExpiredAuthenticationToken")
}

func TestReplicaFollowsAndDoesNotGoBack(t *testing.T) {
	s := newSite(t)
	old := s.d.Snapshot()
	encoded, err := json.Marshal(old)
	check(t, err)
	if text := string(encoded); strings.Contains(text, "sealed") || strings.Contains(text, `"d"`) || strings.Contains(text, "hash") {
		t.Fatalf("a snapshot holds secrets: %s", text)
	}
	var copied Snapshot
	check(t, json.Unmarshal(encoded, &copied))
	r, err := NewReplica(AccessConfig{Clock: s.clock}, copied)
	check(t, err)
	p, err := s.d.EnsureServicePrincipal(t.Context(), tenantID, "late")
	check(t, err)
	token := s.token(p, armAud)
	if _, err := r.Authenticate(t.Context(), token); err == nil {
		t.Fatal("the replica knows what it was not told")
	}
	check(t, r.Update(s.d.Snapshot()))
	check(t, r.Update(old))
	if _, err := r.Authenticate(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	if err := r.Update(Snapshot{Revision: 1 << 40, SigningKeys: []PublicKey{{ID: "x", JWK: json.RawMessage(`{}`)}}}); tandem.KindOf(err) != tandem.Corrupt {
		t.Fatalf("a broken snapshot: %v", err)
	}
	if _, err := r.Authenticate(t.Context(), token); err != nil {
		t.Fatal("a broken snapshot was taken")
	}
}

func TestTwoDirectoriesOnOneStore(t *testing.T) {
	s := newSite(t)
	other := s.open()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 2)
	go func() { done <- other.Run(ctx) }()
	p, err := s.d.EnsureServicePrincipal(t.Context(), tenantID, "p")
	check(t, err)
	_, err = s.d.AssignRole(t.Context(), Assignment{Scope: "/subscriptions/" + subID, Role: "Reader", PrincipalID: p.ObjectID})
	check(t, err)
	seen := func(want bool) {
		t.Helper()
		err := other.WatchSnapshots(ctx, func(Snapshot) error {
			if other.Allowed(p.ObjectID, "x/read", "/subscriptions/"+subID) == want {
				return context.Canceled
			}
			return nil
		})
		if err != context.Canceled {
			t.Fatal(err)
		}
	}
	seen(true)
	if _, err := other.Authenticate(ctx, s.token(p, armAud)); err != nil {
		t.Fatal(err)
	}
	check(t, s.d.RemoveAssignments(ctx, "/subscriptions/"+subID))
	seen(false)
	// A write that does not know of the newest change is refused, not lost.
	_, _, err = s.d.AddSecret(ctx, p.ClientID, "a", 0)
	check(t, err)
	_, _, err1 := other.AddSecret(ctx, p.ClientID, "b", 0)
	if err1 != nil && tandem.KindOf(err1) != tandem.Precondition {
		t.Fatal(err1)
	}
	doc, err := s.store.Get(ctx, "identity/"+appKey(p.ClientID), 0)
	check(t, err)
	if strings.Contains(string(doc.Value), p.ClientSecret) {
		t.Error("the secret rests in the open")
	}
	stop()
	check(t, <-done)
}

func TestKeyRotation(t *testing.T) {
	s := newSite(t)
	kid := func() string {
		head, err := base64.RawURLEncoding.DecodeString(strings.SplitN(s.token(s.owner, armAud), ".", 2)[0])
		check(t, err)
		var h struct{ Kid string }
		check(t, json.Unmarshal(head, &h))
		return h.Kid
	}
	first, token := kid(), s.token(s.owner, armAud)
	s.clock.turn(31 * 24 * time.Hour)
	check(t, s.d.rotate(t.Context()))
	if len(s.d.Snapshot().SigningKeys) != 2 || kid() != first {
		t.Fatal("a new key must be published before it signs")
	}
	s.clock.turn(keyNotice)
	if kid() == first {
		t.Fatal("the new key does not sign")
	}
	if _, _, err := s.d.Verify(token, []string{armAud}); err == nil || !strings.Contains(err.Error(), "Expired") {
		t.Fatalf("the old key must still verify: %v", err)
	}
	s.clock.turn(keyAfterlife + time.Second)
	check(t, s.d.rotate(t.Context()))
	if keys := s.d.Snapshot().SigningKeys; len(keys) != 1 || keys[0].ID == first {
		t.Fatal("the old key must go")
	}
	docs, err := s.store.List(t.Context(), "identity/keys/", store.ListOptions{})
	check(t, err)
	for _, doc := range docs.Documents {
		if !strings.Contains(string(doc.Value), `"sealed"`) || strings.Contains(string(doc.Value), `"p":`) {
			t.Error("a signing key rests in the open")
		}
	}
	check(t, s.d.RotateSigningKey(t.Context()))
	if len(s.d.Snapshot().SigningKeys) != 2 {
		t.Error("rotation by hand")
	}
	again := s.open()
	if again.Snapshot().Revision != s.d.Snapshot().Revision && len(again.Snapshot().SigningKeys) != 2 {
		t.Error("opened again it differs")
	}
}

func TestRunRotatesHourly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		d, err := Open(t.Context(), Config{AccessConfig: AccessConfig{Clock: tandem.SystemClock{}}, Store: s.store, Sealer: newSealer(), Log: s.d.c.Log, KeyLifetime: time.Hour, Prefix: "other/"})
		check(t, err)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- d.Run(ctx) }()
		_ = tandem.SystemClock{}.Sleep(t.Context(), 3*time.Hour+time.Minute)
		if n := len(d.Snapshot().SigningKeys); n < 2 {
			t.Errorf("%d keys", n)
		}
		stop()
		check(t, <-done)
	})
}

func TestBootstrapTwice(t *testing.T) {
	s := newSite(t)
	again, err := s.open().Bootstrap(t.Context(), BootstrapOptions{Tenant: Tenant{ID: tenantID}, Principal: "owner"})
	check(t, err)
	if again.ClientSecret != "" || again.ClientID != s.owner.ClientID || again.ObjectID != s.owner.ObjectID {
		t.Errorf("second bootstrap: %+v", again)
	}
	if err := s.d.EnsureTenant(t.Context(), Tenant{ID: "x"}); tandem.KindOf(err) != tandem.Invalid {
		t.Errorf("a tenant that is no GUID: %v", err)
	}
}
