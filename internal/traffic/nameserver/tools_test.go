package nameserver

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tandem"
)

// TestTools asks with the tools that people use, where they are installed: their parsers and validators are not ours.
func TestTools(t *testing.T) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	z := testZone(t, &Keys{Signer: key, Clock: tandem.SystemClock{}})
	web := httptest.NewUnstartedServer(nil)
	web.StartTLS() // for its certificate
	defer web.Close()
	s := testServer(t, z, func(c *Config) {
		c.TLSListen, c.TLS = "127.0.0.1:0", &tls.Config{Certificates: web.TLS.Certificates}
	})
	tlsPort := fmt.Sprint(s.TLSAddr().Port())
	port := fmt.Sprint(s.Addr().Port())
	anchor := filepath.Join(t.TempDir(), "anchor")
	k := z.signed.dnskey
	text := fmt.Sprintf("trust-anchors { \"tm.example.\" static-key %d %d %d \"%s\"; };\n", k.Flags, k.Protocol, k.Algorithm, k.PublicKey)
	if err := os.WriteFile(anchor, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	delv := []string{"@127.0.0.1", "-p", port, "-a", anchor, "+root=tm.example", "+nocrypto"}
	for _, c := range []struct {
		tool string
		args []string
		want []string
	}{
		{"dig", []string{"@127.0.0.1", "-p", port, "four.tm.example", "A", "+dnssec"}, []string{"NOERROR", "192.0.2.1", "RRSIG", "aa", "COOKIE"}},
		{"dig", []string{"@127.0.0.1", "-p", port, "alias.tm.example", "ANY", "+notcp"}, []string{"NOERROR", "gw.contoso.example."}},
		{"dig", []string{"@127.0.0.1", "-p", port, "nobody.tm.example", "A"}, []string{"NXDOMAIN", "SOA"}},
		{"dig", []string{"@127.0.0.1", "-p", port, "tm.example", "AXFR"}, []string{"Transfer failed"}},
		{"dig", []string{"@127.0.0.1", "-p", port, "large.tm.example", "AAAA"}, []string{"NOERROR", "ANSWER: 60"}}, // cut, then by TCP
		{"dig", []string{"@127.0.0.1", "-p", port, "four.tm.example", "A", "+subnet=203.0.113.0/24"}, []string{"CLIENT-SUBNET: 203.0.113.0/24/0"}},
		{"dig", []string{"@127.0.0.1", "-p", port, "four.tm.example", "A", "+ednsopt=65001:00", "+ednsflags=0x80", "+norec"}, []string{"NOERROR", "192.0.2.1"}},
		{"dig", []string{"@127.0.0.1", "-p", port, "four.tm.example", "A", "+edns=1", "+noednsnegotiation"}, []string{"BADVERS"}},
		{"dig", []string{"@127.0.0.1", "-p", port, "four.tm.example", "A", "+opcode=notify"}, []string{"NOTIMP"}},
		{"kdig", []string{"@127.0.0.1", "-p", port, "both.tm.example", "AAAA", "+tcp", "+nsid"}, []string{"NOERROR", "2001:db8::1", "NSID: 6E732D61"}},
		{"kdig", []string{"@127.0.0.1", "-p", tlsPort, "four.tm.example", "A", "+tls", "+padding=128"}, []string{"NOERROR", "192.0.2.1", "PADDING:"}},
		{"dig", []string{"@127.0.0.1", "-p", port, "four.tm.example", "A", "+tcp", "+keepalive"}, []string{"NOERROR", "192.0.2.1", "TCP KEEPALIVE: 10.0"}},
		{"dig", []string{"@127.0.0.1", "-p", port, "FoUr.Tm.ExAmPlE", "A"}, []string{"FoUr.Tm.ExAmPlE.", "192.0.2.1"}},
		{"dig", []string{"@127.0.0.1", "-p", port, "tm.example", "ANY", "+notcp"}, []string{"NOERROR", "SOA"}},
		{"delv", append(delv, "four.tm.example", "A"), []string{"fully validated", "192.0.2.1"}},
		{"delv", append(delv, "alias.tm.example", "CNAME"), []string{"fully validated", "gw.contoso.example."}},
		{"delv", append(delv, "four.tm.example", "AAAA"), []string{"negative response, fully validated"}},
		{"delv", append(delv, "nobody.tm.example", "A"), []string{"negative response, fully validated"}},
		{"delv", append(delv, "er.name.tm.example", "A"), []string{"negative response, fully validated"}},
	} {
		path, err := exec.LookPath(c.tool)
		if err != nil {
			t.Logf("%s is not installed", c.tool)
			continue
		}
		out, _ := exec.CommandContext(t.Context(), path, c.args...).CombinedOutput() // dig tells of a refused transfer by its output
		for _, want := range c.want {
			if !strings.Contains(string(out), want) {
				t.Errorf("%s %s: no %q in\n%s", c.tool, strings.Join(c.args, " "), want, out)
			}
		}
	}
}
