package keys

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tandem"
)

func TestCAIsMadeOnceAndKept(t *testing.T) {
	dir, clock := t.TempDir(), newClock()
	var wg sync.WaitGroup
	got := make([]*CA, 8)
	for i := range got { // processes that start at the same time
		wg.Go(func() {
			ca, err := OpenCA(filepath.Join(dir, "ca"), clock)
			if err != nil {
				t.Error(err)
				return
			}
			got[i] = ca
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	for _, ca := range got {
		if !ca.Certificate().Equal(got[0].Certificate()) {
			t.Fatal("two openers have two authorities")
		}
	}
	info, err := os.Stat(filepath.Join(dir, "ca", "ca.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("ca.key: %v, %v", info.Mode(), err)
	}
	names, _ := os.ReadDir(filepath.Join(dir, "ca"))
	if len(names) != 2 {
		t.Errorf("the folder holds %v", names)
	}
	pem, err := os.ReadFile(got[0].File())
	if err != nil || string(pem) != string(got[0].PEM()) {
		t.Errorf("File and PEM differ: %v", err)
	}
}

func TestCARefusals(t *testing.T) {
	cases := []struct {
		name   string
		break_ func(dir string, clock *handClock) error
		kind   tandem.Kind
	}{
		{"others can read the key", func(d string, _ *handClock) error { return os.Chmod(filepath.Join(d, "ca.key"), 0o644) }, tandem.Denied},
		{"the key is not PEM", func(d string, _ *handClock) error {
			return os.WriteFile(filepath.Join(d, "ca.key"), []byte("x"), 0o600)
		}, tandem.Corrupt},
		{"the certificate is not PEM", func(d string, _ *handClock) error {
			return os.WriteFile(filepath.Join(d, "ca.pem"), []byte("x"), 0o600)
		}, tandem.Corrupt},
		{"the certificate is another's", func(d string, c *handClock) error {
			other, err := OpenCA(filepath.Join(d, "other"), c)
			if err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(d, "ca.pem"), other.PEM(), 0o600)
		}, tandem.Corrupt},
		{"it has expired", func(_ string, c *handClock) error { c.advance(11 * 365 * 24 * time.Hour); return nil }, tandem.Corrupt},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir, clock := t.TempDir(), newClock()
			if _, err := OpenCA(dir, clock); err != nil {
				t.Fatal(err)
			}
			if err := c.break_(dir, clock); err != nil {
				t.Fatal(err)
			}
			_, err := OpenCA(dir, clock)
			if !errors.Is(err, c.kind) {
				t.Fatalf("got %v, want kind %q", err, c.kind)
			}
		})
	}
}

func TestCACertificateComesBackFromItsKey(t *testing.T) {
	dir, clock := t.TempDir(), newClock()
	first, err := OpenCA(dir, clock)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(first.File()); err != nil {
		t.Fatal(err)
	}
	second, err := OpenCA(dir, clock)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := second.Issue(Leaf{Name: "x", Hosts: []string{"x.example"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := leaf.Leaf.Verify(x509.VerifyOptions{Roots: second.Pool(), DNSName: "x.example", CurrentTime: clock.Now()}); err != nil {
		t.Error(err)
	}
}

func TestIssue(t *testing.T) {
	clock := newClock()
	ca, err := OpenCA(t.TempDir(), clock)
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name string
		leaf Leaf
		host string
		use  x509.ExtKeyUsage
		ok   bool
	}{
		{"a DNS name", Leaf{Name: "gw", Hosts: []string{"gw.example.org", "127.0.0.1"}}, "gw.example.org", x509.ExtKeyUsageServerAuth, true},
		{"an IP address", Leaf{Name: "gw", Hosts: []string{"gw.example.org", "127.0.0.1"}}, "127.0.0.1", x509.ExtKeyUsageServerAuth, true},
		{"IPv6", Leaf{Name: "gw", Hosts: []string{"::1"}}, "[::1]", x509.ExtKeyUsageServerAuth, true},
		{"a wildcard", Leaf{Name: "gw", Hosts: []string{"*.blob.tandem.example"}}, "acct.blob.tandem.example", x509.ExtKeyUsageServerAuth, true},
		{"a name that was not asked for", Leaf{Name: "gw", Hosts: []string{"gw.example.org"}}, "other.example.org", x509.ExtKeyUsageServerAuth, false},
		{"a server is no client", Leaf{Name: "gw", Hosts: []string{"gw.example.org"}}, "", x509.ExtKeyUsageClientAuth, false},
		{"a client is no server", Leaf{Name: "agent", Client: true}, "", x509.ExtKeyUsageServerAuth, false},
		{"a client", Leaf{Name: "agent", Client: true}, "", x509.ExtKeyUsageClientAuth, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			cert, err := ca.Issue(c.leaf)
			if err != nil {
				t.Fatal(err)
			}
			_, err = cert.Leaf.Verify(x509.VerifyOptions{Roots: ca.Pool(), DNSName: c.host, CurrentTime: clock.Now(), KeyUsages: []x509.ExtKeyUsage{c.use}})
			if (err == nil) != c.ok {
				t.Errorf("verify: %v, want ok %v", err, c.ok)
			}
		})
	}
	for _, l := range []Leaf{{}, {Name: "x"}, {Hosts: []string{"a.example"}}, {Name: "x", Hosts: []string{"ä.example"}}} {
		if _, err := ca.Issue(l); !errors.Is(err, tandem.Invalid) {
			t.Errorf("%+v: got %v, want it refused", l, err)
		}
	}
	long, err := ca.Issue(Leaf{Name: "x", Client: true, Life: 100 * 365 * 24 * time.Hour})
	if err != nil || long.Leaf.NotAfter.After(ca.Certificate().NotAfter) {
		t.Errorf("a leaf outlives its authority: %v", err)
	}
}

func TestSourceRenewsBeforeExpiryOverTLS(t *testing.T) {
	clock := newClock()
	ca, err := OpenCA(t.TempDir(), clock)
	if err != nil {
		t.Fatal(err)
	}
	server, err := ca.Source(Leaf{Name: "gw", Hosts: []string{"localhost"}})
	if err != nil {
		t.Fatal(err)
	}
	client, err := ca.Source(Leaf{Name: "agent", Client: true})
	if err != nil {
		t.Fatal(err)
	}
	serial := func() string {
		t.Helper()
		a, b := net.Pipe()
		defer a.Close()
		defer b.Close()
		done := make(chan error, 1)
		go func() {
			s := tls.Server(b, &tls.Config{GetCertificate: server.GetCertificate, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.Pool(), Time: clock.Now})
			_, err := s.Write([]byte("k"))
			done <- err
		}()
		c := tls.Client(a, &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost", GetClientCertificate: client.GetClientCertificate, Time: clock.Now})
		if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		return c.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	first := serial()
	clock.advance(59 * 24 * time.Hour)
	if again := serial(); again != first {
		t.Error("the certificate changed before two thirds of its life were gone")
	}
	clock.advance(2 * 24 * time.Hour)
	if next := serial(); next == first {
		t.Error("the certificate was not renewed after two thirds of its life")
	}
	clock.advance(4 * 365 * 24 * time.Hour) // far beyond expiry: the next handshake still works
	serial()
}

func TestErrorsTellNoSecret(t *testing.T) {
	dir, clock := t.TempDir(), newClock()
	secret := "c2VjcmV0LXNlY3JldC1zZWNyZXQ"
	files := map[string]string{
		"ca.key":     "-----BEGIN PRIVATE KEY-----\n" + secret + "\n-----END PRIVATE KEY-----\n",
		"master":     masterHeader + "\n1 2026 " + secret + "\n",
		"master2":    masterHeader + "\n" + secret + "\n",
		"vault.age":  "AGE-SECRET-KEY-1" + strings.ToUpper(secret) + "\n",
		"vault2.age": secret + "\n",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, err1 := OpenCA(dir, clock)
	_, err2 := OpenMaster(filepath.Join(dir, "master"), MasterOptions{Clock: clock})
	_, err3 := OpenMaster(filepath.Join(dir, "master2"), MasterOptions{Clock: clock})
	_, err4 := OpenIdentity(filepath.Join(dir, "vault.age"), false, clock)
	_, err5 := OpenIdentity(filepath.Join(dir, "vault2.age"), false, clock)
	for i, err := range []error{err1, err2, err3, err4, err5} {
		if err == nil || strings.Contains(strings.ToLower(err.Error()), strings.ToLower(secret)) {
			t.Errorf("error %d: %v", i+1, err)
		}
		if !errors.Is(err, tandem.Corrupt) {
			t.Errorf("error %d has kind %q: %v", i+1, tandem.KindOf(err), err)
		}
	}
}
