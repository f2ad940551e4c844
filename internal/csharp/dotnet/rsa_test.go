package dotnet_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"

	"tandem/internal/csharp"
	"tandem/internal/csharp/dotnet"
)

// TestSignWithCertificate is what policies do to make client assertions: sign with a certificate's key, and verify.
func TestSignWithCertificate(t *testing.T) {
	lib := library(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(5), Subject: pkix.Name{CommonName: "client"}, NotBefore: time.Unix(0, 0), NotAfter: time.Unix(4_000_000_000, 0)}
	raw, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	ct, _ := lib.Type("X509Certificate2")
	p, err := csharp.Compile(`@{
		using (RSA rsa = cert.GetRSAPrivateKey()) {
			var data = Encoding.UTF8.GetBytes("header.payload");
			var sig = rsa.SignData(data, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
			var pss = rsa.SignData(data, HashAlgorithmName.SHA256, RSASignaturePadding.Pss);
			var open = cert.GetRSAPublicKey();
			return open.VerifyData(data, sig, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)
				+ " " + open.VerifyData(data, pss, HashAlgorithmName.SHA256, RSASignaturePadding.Pss)
				+ " " + open.VerifyData(data, pss, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)
				+ " " + cert.Subject + " " + cert.SerialNumber + " " + cert.Thumbprint.Length;
		}
	}`, csharp.Options{Library: lib, Globals: []csharp.Global{{Name: "cert", Type: ct}}})
	if err != nil {
		t.Fatal(err)
	}
	v, err := p.Run(&csharp.Env{Globals: []csharp.Value{csharp.Ref(&dotnet.Certificate{X509: cert, Key: key})}})
	if want := "True True False CN=client 05 40"; err != nil || v.S != want {
		t.Errorf("got %q, %v, want %q", v.S, err, want)
	}
}
