package workflow

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	pkcs12 "software.sslmate.com/src/go-pkcs12"

	"tandem"
)

type fixedToken struct{}

func (fixedToken) Token(_ context.Context, audience, identity string) (string, error) {
	return "msi:" + audience + ":" + identity, nil
}

// testPFX makes a certificate with its key as a PFX file in base64.
func testPFX(t *testing.T, password string) string {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "client-7"}, NotBefore: time.Unix(1_600_000_000, 0), NotAfter: time.Unix(4_000_000_000, 0)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pfx, err := pkcs12.Modern.Encode(key, leaf, nil, password)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(pfx)
}

// TestAuthentication sends a request with every kind of authentication and looks at what arrives, also at the polls of the
// asynchronous pattern: those carry the same credentials, but never to another host.
func TestAuthentication(t *testing.T) {
	var got []string
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen := r.Header.Get("Authorization")
		if len(r.TLS.PeerCertificates) > 0 {
			seen += "cert:" + r.TLS.PeerCertificates[0].Subject.CommonName
		}
		switch r.URL.Path {
		case "/tid/oauth2/token":
			r.ParseForm()
			kind := r.PostForm.Get("client_secret")
			if a := r.PostForm.Get("client_assertion"); strings.Count(a, ".") == 2 {
				kind = "assertion"
			}
			fmt.Fprintf(w, `{"access_token":"%s/%s/%s"}`, r.PostForm.Get("client_id"), r.PostForm.Get("resource"), kind)
			return
		case "/start":
			w.Header().Set("Location", "/poll")
			w.WriteHeader(202)
		case "/away":
			w.Header().Set("Location", "https://elsewhere.example/poll")
			w.WriteHeader(202)
		default:
			io.WriteString(w, "done")
		}
		got = append(got, seen)
	}))
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	server.StartTLS()
	defer server.Close()
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	e := Endpoint{Address: server.Listener.Addr().String(), ServerName: "example.com", RootCAs: pool}
	hosts := map[string]Endpoint{"service.example": e, "elsewhere.example": e, "login.microsoftonline.com": e}
	pfx := testPFX(t, "pw")
	for name, c := range map[string]struct{ path, auth, want string }{
		"Raw":         {"start", `{"type":"Raw","value":"Token x"}`, "Token x|Token x"},
		"Basic":       {"start", `{"type":"Basic","username":"u","password":"p"}`, "Basic dTpw|Basic dTpw"},
		"MSI":         {"start", `{"type":"ManagedServiceIdentity","audience":"aud"}`, "Bearer msi:aud:|Bearer msi:aud:"},
		"OAuth":       {"start", `{"type":"ActiveDirectoryOAuth","tenant":"tid","audience":"aud","clientId":"cid","secret":"s+1"}`, "Bearer cid/aud/s+1|Bearer cid/aud/s+1"},
		"OAuth pfx":   {"start", `{"type":"ActiveDirectoryOAuth","tenant":"tid","audience":"aud","clientId":"cid","pfx":"` + pfx + `","password":"pw"}`, "Bearer cid/aud/assertion|Bearer cid/aud/assertion"},
		"Certificate": {"start", `{"type":"ClientCertificate","pfx":"` + pfx + `","password":"pw"}`, "cert:client-7|cert:client-7"},
		"elsewhere":   {"away", `{"type":"Raw","value":"Token x"}`, "Token x|"},
	} {
		t.Run(name, func(t *testing.T) {
			got = nil
			file := `{"actions":{"A":{"type":"Http","inputs":{"method":"POST","uri":"https://service.example/` + c.path + `","body":{"a":1},"authentication":` + c.auth + `}}}}`
			res, err := Run(t.Context(), []byte(file), RunOptions{Hosts: hosts, Tokens: fixedToken{}, Clock: tandem.SystemClock{}, PollInterval: time.Millisecond})
			if err != nil || res.Status != Succeeded {
				t.Fatalf("%v %+v", err, res)
			}
			if s := strings.Join(got, "|"); s != c.want {
				t.Errorf("the server saw %q, want %q", s, c.want)
			}
		})
	}
	t.Run("DisableAsyncPattern", func(t *testing.T) {
		got = nil
		file := `{"actions":{"A":{"type":"Http","operationOptions":"DisableAsyncPattern","inputs":{"method":"POST","uri":"https://service.example/start"}}}}`
		res, err := Run(t.Context(), []byte(file), RunOptions{Hosts: hosts, Clock: tandem.SystemClock{}})
		if err != nil || res.Actions[0].Code != "Accepted" || len(got) != 1 {
			t.Fatalf("%v %+v %q", err, res, got)
		}
	})
	t.Run("without a token source", func(t *testing.T) {
		file := `{"actions":{"A":{"type":"Http","inputs":{"method":"GET","uri":"https://service.example/","authentication":{"type":"ManagedServiceIdentity"}}}}}`
		res, err := Run(t.Context(), []byte(file), RunOptions{Hosts: hosts, Clock: tandem.SystemClock{}})
		if err != nil || res.Actions[0].Status != Failed || res.Actions[0].Code != codeUnauthorized {
			t.Fatalf("%v %+v", err, res)
		}
	})
}

// TestBodies: what comes over the wire becomes a value that expressions can read.
func TestBodies(t *testing.T) {
	for _, c := range []struct{ contentType, body, want string }{
		{"application/json; charset=utf-8", `{"b":1,"a":2}`, `{"b":1,"a":2}`},
		{"text/plain", "x", `"x"`},
		{"application/xml", "<a/>", `{"$content-type":"application/xml","$content":"PGEvPg=="}`},
		{"application/octet-stream", "\x00\x01", `{"$content-type":"application/octet-stream","$content":"AAE="}`},
		{"application/x-www-form-urlencoded", "a=1+2&b=%26", `{"$content-type":"application/x-www-form-urlencoded","$content":"YT0xKzImYj0lMjY=","$formdata":[{"key":"a","value":"1 2"},{"key":"b","value":"&"}]}`},
	} {
		text := string(encodeRecord(&Record{Inputs: readBody([]byte(c.body), c.contentType)}).Inputs)
		if text != c.want {
			t.Errorf("%s: %s", c.contentType, text)
		}
	}
	parts := readParts([]byte("--b\r\nContent-Type: text/plain\r\n\r\none\r\n--b\r\nContent-Disposition: form-data; name=x\r\n\r\ntwo\r\n--b--\r\n"), "b")
	if len(parts) != 2 {
		t.Errorf("%v", parts)
	}
}
