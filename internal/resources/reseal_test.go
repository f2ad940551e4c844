package resources_test

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
)

// TestResealAccountKeys: keys are sealed anew, stay what they are, and are left alone the second time.
func TestResealAccountKeys(t *testing.T) {
	w := newWorld(t)
	c := w.caller()
	c.run([]step{
		{"PUT", sub + "/resourcegroups/rg1" + v, `{"location":"centralindia"}`, 201, "rg1"},
		{"PUT", sub + "/resourceGroups/rg1/providers/Microsoft.Storage/storageAccounts/resealed?api-version=2023-01-01", `{"location":"centralindia","kind":"StorageV2","sku":{"name":"Standard_LRS"}}`, 200, "resealed"},
	})
	const listKeys = sub + "/resourceGroups/rg1/providers/Microsoft.Storage/storageAccounts/resealed/listKeys?api-version=2023-01-01"
	_, _, before := c.do("POST", listKeys, "")
	sealer := newSealer()
	nonce := bytes.Repeat([]byte{7}, sealer.aead.NonceSize()) // of the new key
	again := func(sealed string, context []byte) (string, error) {
		if raw, _ := base64.StdEncoding.DecodeString(sealed); bytes.HasPrefix(raw, nonce) {
			return sealed, nil
		}
		plain, err := sealer.Open(sealed, context)
		return base64.StdEncoding.EncodeToString(sealer.aead.Seal(bytes.Clone(nonce), nonce, plain, context)), err
	}
	for _, want := range []int{1, 0} {
		if n, err := w.resources.Reseal(t.Context(), again); err != nil || n != want {
			t.Errorf("%d accounts change, want %d, %v", n, want, err)
		}
	}
	_, _, after := c.do("POST", listKeys, "")
	if before != after || !strings.Contains(after, "key1") {
		t.Errorf("the keys were %s and are %s", before, after)
	}
}
