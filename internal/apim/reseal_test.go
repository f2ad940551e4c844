package apim_test

import (
	"slices"
	"strings"
	"testing"

	"tandem"
	"tandem/internal/apim"
)

// TestMasterKeyIsReplaced: after a rotation and a reseal nothing is sealed with the old key, which can be retired then, and
// all secrets are what they were.
func TestMasterKeyIsReplaced(t *testing.T) {
	p := withService(t)
	p.must("PUT", "namedValues/hidden", `{"properties":{"displayName":"hidden","value":"not to be seen","secret":true}}`)
	p.must("PUT", "subscriptions/one", `{"properties":{"displayName":"One","scope":"/apis","primaryKey":"first key"}}`)
	p.must("PUT", "identityProviders/google", `{"properties":{"clientId":"x","clientSecret":"secret of google"}}`)
	before := p.must("POST", "subscriptions/master/listSecrets", "")
	if n, err := p.provider.Reseal(t.Context(), p.sealer); n != 0 || err != nil {
		t.Errorf("before a rotation %d documents change, %v", n, err)
	}
	if err := p.sealer.Rotate(); err != nil {
		t.Fatal(err)
	}
	uses := apim.SealedWith(t.Context(), p.store)
	if err := p.sealer.Retire(1, uses); tandem.KindOf(err) != tandem.Precondition {
		t.Errorf("retiring what is in use gives %v", err)
	}
	p.must("PUT", "namedValues/later", `{"properties":{"displayName":"later","value":"of the new key","secret":true}}`)
	if used, err := uses(2); err != nil || len(used) != 1 || !strings.HasSuffix(used[0], "namedvalues/later") {
		t.Errorf("the new key sealed %v, %v", used, err)
	}
	if n, err := p.provider.Reseal(t.Context(), p.sealer); n != 4 || err != nil {
		t.Errorf("%d documents change, want 4, %v", n, err)
	}
	if used, err := uses(1); err != nil || len(used) != 0 {
		t.Errorf("the old key still sealed %v, %v", used, err)
	}
	if err := p.sealer.Retire(1, uses); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]any{"namedValues/hidden/listValue": "not to be seen", "namedValues/later/listValue": "of the new key"} {
		if got := p.must("POST", path, "")["value"]; got != want {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
	if got := p.must("POST", "subscriptions/one/listSecrets", "")["primaryKey"]; got != "first key" {
		t.Errorf("the key is %v", got)
	}
	if got := p.must("POST", "identityProviders/google/listSecrets", "")["clientSecret"]; got != "secret of google" {
		t.Errorf("the provider's secret is %v", got)
	}
	after := p.must("POST", "subscriptions/master/listSecrets", "")
	if after["primaryKey"] != before["primaryKey"] || slices.Contains([]any{nil, ""}, after["primaryKey"]) {
		t.Errorf("the master subscription's key was %v and is %v", before["primaryKey"], after["primaryKey"])
	}
}
