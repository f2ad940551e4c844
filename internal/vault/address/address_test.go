package address

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"tandem"
	"tandem/internal/vault/azure"
	"tandem/internal/vault/dir"
	"tandem/internal/vault/s3"
)

func TestOpen(t *testing.T) {
	env := map[string]string{"AZURE_STORAGE_KEY": "c2VjcmV0", "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "hidden-key"}
	folder := filepath.ToSlash(t.TempDir())
	for _, c := range []struct {
		text string
		want any
	}{
		{folder, &dir.Vault{}}, {"file://" + folder, &dir.Vault{}}, {"azblob://acct/backups", &azure.Vault{}},
		{"azblob://acct/backups?endpoint=https://127.0.0.1:10000/acct", &azure.Vault{}}, {"s3://bucket", &s3.Vault{}},
		{"s3://bucket/team/tandem?region=eu-west-1", &s3.Vault{}}, {"s3://bucket?endpoint=127.0.0.1:9000&insecure=true", &s3.Vault{}},
	} {
		v, err := Open(c.text, Options{Getenv: func(name string) string { return env[name] }})
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		switch c.want.(type) {
		case *dir.Vault:
			_, ok := v.(*dir.Vault)
			if !ok {
				t.Errorf("%s: %T", c.text, v)
			}
		case *azure.Vault:
			if _, ok := v.(*azure.Vault); !ok {
				t.Errorf("%s: %T", c.text, v)
			}
		case *s3.Vault:
			if _, ok := v.(*s3.Vault); !ok {
				t.Errorf("%s: %T", c.text, v)
			}
		}
	}
	for text, kind := range map[string]tandem.Kind{
		"": tandem.Invalid, "ftp://x/y": tandem.Invalid, "azblob://acct": tandem.Invalid, "azblob://acct/a/b": tandem.Invalid, "azblob://acct/c?endpoint=http://x": tandem.Invalid,
		"s3://": tandem.Invalid, "s3://b?key=1": tandem.Invalid, "s3://me:hidden-key@b": tandem.Invalid, "file://host/x": tandem.Invalid, "s3://b/..": tandem.Invalid,
	} {
		_, err := Open(text, Options{Getenv: func(name string) string { return env[name] }})
		if !errors.Is(err, kind) || strings.Contains(err.Error(), "hidden-key") {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := Open("s3://bucket", Options{Getenv: func(string) string { return "" }}); !errors.Is(err, tandem.Unauthenticated) {
		t.Errorf("no credentials: %v", err)
	}
}

func FuzzOpen(f *testing.F) {
	for _, s := range []string{"azblob://a/b", "s3://b/p?region=r", "s3://u:p@b", "file:///x", "x://"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !strings.Contains(text, "://") || strings.HasPrefix(text, "file") {
			return // folders are made
		}
		_, err := Open(text, Options{Getenv: func(string) string { return "c2VjcmV0" }})
		if err != nil && strings.Contains(err.Error(), "c2VjcmV0") && !strings.Contains(text, "c2VjcmV0") {
			t.Errorf("%q: the error tells a credential: %v", text, err)
		}
	})
}
