package s3_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"tandem"
	"tandem/internal/vault/s3"
)

// fakeLock is what this test knows of S3 Object Lock: a fake, which proves what we ask for and how answers are read, not what a
// real store does.
type fakeLock struct {
	mu     sync.Mutex
	on     bool
	until  map[string]time.Time
	asked  []string
	denied bool
}

func (f *fakeLock) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fail := func(status int, code, message string) {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `<?xml version="1.0"?><Error><Code>`+code+`</Code><Message>`+message+`</Message></Error>`)
	}
	q := r.URL.Query()
	name := strings.TrimPrefix(r.URL.Path, "/bucket/")
	switch {
	case r.Method == http.MethodGet && q.Has("object-lock"):
		if !f.on {
			fail(http.StatusNotFound, "ObjectLockConfigurationNotFoundError", "Object Lock configuration does not exist for this bucket")
			return
		}
		_, _ = io.WriteString(w, `<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>`)
	case q.Has("retention") && r.Method == http.MethodGet:
		t, ok := f.until[name]
		if !ok {
			fail(http.StatusNotFound, "NoSuchObjectLockConfiguration", "The specified object does not have a ObjectLock configuration")
			return
		}
		_, _ = io.WriteString(w, `<Retention><Mode>COMPLIANCE</Mode><RetainUntilDate>`+t.Format(time.RFC3339)+`</RetainUntilDate></Retention>`)
	case q.Has("retention") && r.Method == http.MethodPut:
		body, _ := io.ReadAll(r.Body)
		f.asked = append(f.asked, string(body))
		if f.denied {
			fail(http.StatusForbidden, "AccessDenied", "Access Denied")
			return
		}
		_, after, _ := strings.Cut(string(body), "<RetainUntilDate>")
		text, _, _ := strings.Cut(after, "<")
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			fail(http.StatusBadRequest, "MalformedXML", err.Error())
			return
		}
		f.until[name] = t
	case r.Method == http.MethodDelete:
		if _, kept := f.until[name]; kept {
			fail(http.StatusForbidden, "AccessDenied", "Access Denied because object protected by object lock.")
			return
		}
		w.WriteHeader(http.StatusNoContent)
	default:
		fail(http.StatusNotImplemented, "NotImplemented", r.Method+" "+r.URL.String())
	}
}

// TestObjectLockAgainstAFake: retention is asked for in compliance mode, never shortened, and refusals are told apart.
func TestObjectLockAgainstAFake(t *testing.T) {
	fake := &fakeLock{until: map[string]time.Time{}}
	server := httptest.NewServer(fake)
	defer server.Close()
	open := func() *s3.Vault {
		v, err := s3.Open(s3.Options{Endpoint: strings.TrimPrefix(server.URL, "http://"), Insecure: true, Region: "us-east-1", Bucket: "bucket", AccessKey: "a", SecretKey: "s3cret"})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	v := open()
	if can, err := v.CanRetain(t.Context()); can || err != nil {
		t.Errorf("off: %v, %v", can, err)
	}
	fake.on = true
	if can, err := v.CanRetain(t.Context()); !can || err != nil {
		t.Errorf("on: %v, %v", can, err)
	}
	until := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, at := range []time.Time{until, until.Add(-time.Hour), until.Add(time.Hour)} {
		if err := v.Retain(t.Context(), "chunks/ab", at); err != nil {
			t.Fatal(err)
		}
	}
	if got := fake.until["chunks/ab"]; !got.Equal(until.Add(time.Hour)) || len(fake.asked) != 2 || !strings.Contains(fake.asked[0], "COMPLIANCE") {
		t.Errorf("until %v, asked %q", got, fake.asked)
	}
	if err := v.Delete(t.Context(), "chunks/ab"); !errors.Is(err, tandem.Locked) {
		t.Errorf("deleting what is kept: %v", err)
	}
	if err := v.Delete(t.Context(), "chunks/cd"); err != nil {
		t.Error(err)
	}
	fake.denied = true
	if err := v.Retain(t.Context(), "chunks/ef", until); !errors.Is(err, tandem.Denied) {
		t.Errorf("not allowed: %v", err)
	}
}
