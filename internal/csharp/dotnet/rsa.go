package dotnet

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"strings"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"tandem/internal/csharp"
	"tandem/internal/csharp/format"
)

// rsaKey is an RSA; priv is nil for a public key.
type rsaKey struct {
	pub  *rsa.PublicKey
	priv *rsa.PrivateKey
}

// NetDispose implements csharp.Disposer.
func (*rsaKey) NetDispose() {}

type hashName struct{ name string }

// NetString implements csharp.Texter.
func (h hashName) NetString() string { return h.name }

func hashed(v val, data []byte) (crypto.Hash, []byte) {
	h, _ := v.R.(hashName)
	switch h.name {
	case "SHA1":
		s := sha1.Sum(data)
		return crypto.SHA1, s[:]
	case "SHA256":
		s := sha256.Sum256(data)
		return crypto.SHA256, s[:]
	case "SHA384":
		s := sha512.Sum384(data)
		return crypto.SHA384, s[:]
	case "SHA512":
		s := sha512.Sum512(data)
		return crypto.SHA512, s[:]
	}
	cryptoError("'" + h.name + "' is not a known hash algorithm.")
	return 0, nil
}

func digestHash(v val, digest []byte) crypto.Hash {
	h, _ := hashed(v, nil)
	if h.Size() != len(digest) {
		cryptoError("The provided hash value is not the expected size for the specified hash algorithm.")
	}
	return h
}

func (k *rsaKey) sign(h crypto.Hash, digest []byte, pss bool) []byte {
	if k.priv == nil {
		cryptoError("Key does not exist.")
	}
	var sig []byte
	var err error
	if pss {
		sig, err = rsa.SignPSS(rand.Reader, k.priv, h, digest, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	} else {
		sig, err = rsa.SignPKCS1v15(nil, k.priv, h, digest)
	}
	if err != nil {
		cryptoError("The signature could not be made.")
	}
	return sig
}

func (k *rsaKey) verify(h crypto.Hash, digest, sig []byte, pss bool) bool {
	if pss {
		return rsa.VerifyPSS(k.pub, h, digest, sig, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
	}
	return rsa.VerifyPKCS1v15(k.pub, h, digest, sig) == nil
}

func rsaTypes() []def {
	me := self[*rsaKey]
	pss := func(v val) bool { return v.R == any(padding{"Pss"}) }
	bytesOf := func(v val) []byte { return array(v, "data").Bytes }
	names := []member{f("string Name", pure(func(a []val) val { return str(a[0].R.(hashName).name) })), f("new(string name)", pure(func(a []val) val { return ref(hashName{a[0].S}) }))}
	for _, n := range []string{"MD5", "SHA1", "SHA256", "SHA384", "SHA512"} {
		names = append(names, f("static HashAlgorithmName "+n, pure(func([]val) val { return ref(hashName{n}) })))
	}
	pads := func(t string, all ...string) []member {
		var rows []member
		for _, n := range all {
			rows = append(rows, f("static "+t+" "+n, pure(func([]val) val { return ref(padding{n}) })))
		}
		return rows
	}
	crypt := func(decrypt bool) csharp.Fn {
		return pure(func(a []val) val {
			k, data := me(a), bytesOf(a[1])
			p, _ := a[2].R.(padding)
			if decrypt && k.priv == nil {
				cryptoError("Key does not exist.")
			}
			var out []byte
			var err error
			switch {
			case p.name == "Pkcs1" && decrypt:
				out, err = rsa.DecryptPKCS1v15(nil, k.priv, data)
			case p.name == "Pkcs1":
				out, err = rsa.EncryptPKCS1v15(rand.Reader, k.pub, data)
			default:
				h := map[string]crypto.Hash{"OaepSHA1": crypto.SHA1, "OaepSHA256": crypto.SHA256, "OaepSHA384": crypto.SHA384, "OaepSHA512": crypto.SHA512}[p.name]
				if decrypt {
					out, err = rsa.DecryptOAEP(h.New(), nil, k.priv, data, nil)
				} else {
					out, err = rsa.EncryptOAEP(h.New(), rand.Reader, k.pub, data, nil)
				}
			}
			if err != nil {
				cryptoError("The parameter is incorrect.")
			}
			return csharp.BytesValue(out)
		})
	}
	rows := []member{
		f("byte[] SignData(byte[] data, HashAlgorithmName hashAlgorithm, RSASignaturePadding padding)", func(m *mach, a []val) val {
			m.Steps(20_000)
			h, d := hashed(a[2], bytesOf(a[1]))
			return csharp.BytesValue(me(a).sign(h, d, pss(a[3])))
		}),
		f("byte[] SignHash(byte[] hash, HashAlgorithmName hashAlgorithm, RSASignaturePadding padding)", func(m *mach, a []val) val {
			m.Steps(20_000)
			return csharp.BytesValue(me(a).sign(digestHash(a[2], bytesOf(a[1])), bytesOf(a[1]), pss(a[3])))
		}),
		f("bool VerifyData(byte[] data, byte[] signature, HashAlgorithmName hashAlgorithm, RSASignaturePadding padding)", func(m *mach, a []val) val {
			m.Steps(1000)
			h, d := hashed(a[3], bytesOf(a[1]))
			return yes(me(a).verify(h, d, bytesOf(a[2]), pss(a[4])))
		}),
		f("bool VerifyHash(byte[] hash, byte[] signature, HashAlgorithmName hashAlgorithm, RSASignaturePadding padding)", func(m *mach, a []val) val {
			m.Steps(1000)
			return yes(me(a).verify(digestHash(a[3], bytesOf(a[1])), bytesOf(a[1]), bytesOf(a[2]), pss(a[4])))
		}),
		f("byte[] Encrypt(byte[] data, RSAEncryptionPadding padding)", crypt(false)),
		f("byte[] Decrypt(byte[] data, RSAEncryptionPadding padding)", crypt(true)),
	}
	return []def{
		{Decl: "class AsymmetricAlgorithm : IDisposable", Namespace: cryptography, Is: is[*rsaKey], Members: []member{
			f("int KeySize", pure(func(a []val) val { return num(me(a).pub.Size() * 8) })), f("void Dispose()", pure(func([]val) val { return val{} })),
		}},
		{Decl: "class RSA : AsymmetricAlgorithm", Namespace: cryptography, Is: is[*rsaKey], Members: rows},
		{Decl: "class RSACng : RSA", Namespace: cryptography, Is: is[*rsaKey]},
		{Decl: "class RSACryptoServiceProvider : RSA", Namespace: cryptography, Is: is[*rsaKey]},
		{Decl: "struct HashAlgorithmName", Namespace: cryptography, Is: is[hashName], Members: names},
		{Decl: "class RSASignaturePadding", Namespace: cryptography, Is: is[padding], Members: pads("RSASignaturePadding", "Pkcs1", "Pss")},
		{Decl: "class RSAEncryptionPadding", Namespace: cryptography, Is: is[padding], Members: pads("RSAEncryptionPadding", "Pkcs1", "OaepSHA1", "OaepSHA256", "OaepSHA384", "OaepSHA512")},
	}
}

type padding struct{ name string }

// Certificate is an X509Certificate2. Key is nil where only the public part is known.
type Certificate struct {
	X509 *x509.Certificate
	Key  any // *rsa.PrivateKey, or another private key
}

// NetString implements csharp.Texter.
func (c *Certificate) NetString() string {
	return "[Subject]\r\n  " + c.X509.Subject.String() + "\r\n\r\n[Issuer]\r\n  " + c.X509.Issuer.String() + "\r\n\r\n[Serial Number]\r\n  " +
		strings.ToUpper(c.X509.SerialNumber.Text(16)) + "\r\n\r\n[Thumbprint]\r\n  " + c.thumbprint() + "\r\n"
}

// NetDispose implements csharp.Disposer.
func (*Certificate) NetDispose() {}

func (c *Certificate) hash() []byte { s := sha1.Sum(c.X509.Raw); return s[:] }
func (c *Certificate) thumbprint() string {
	return strings.ToUpper(hex.EncodeToString(c.hash()))
}

// dn writes a distinguished name as .NET does: the first part of the encoding first.
func dn(s string) string { return strings.ReplaceAll(s, ",", ", ") }

func readCertificate(raw []byte, password string) *Certificate {
	if p, _ := pem.Decode(raw); p != nil {
		raw = p.Bytes
	}
	if c, err := x509.ParseCertificate(raw); err == nil {
		return &Certificate{X509: c}
	}
	key, c, _, err := pkcs12.DecodeChain(raw, password)
	if err != nil {
		cryptoError("Cannot find the requested object.")
	}
	return &Certificate{c, key}
}

func certificateTypes() []def {
	const ns = "System.Security.Cryptography.X509Certificates"
	me := self[*Certificate]
	text := func(sig string, fn func(c *Certificate) string) member {
		return f("string "+sig, pure(func(a []val) val { return str(fn(me(a))) }))
	}
	date := func(t time.Time) val { return dateOf(format.Ticks(t.UTC()), format.Local) }
	verify := func(m *mach, a []val) val {
		_, err := me(a).X509.Verify(x509.VerifyOptions{CurrentTime: m.Now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
		return yes(err == nil)
	}
	common := func(c *Certificate) string {
		if n := c.X509.Subject.CommonName; n != "" {
			return n
		}
		return dn(c.X509.Subject.String())
	}
	rows := []member{
		f("new(byte[] rawData)", pure(func(a []val) val { return ref(readCertificate(array(a[0], "rawData").Bytes, "")) })),
		f("new(byte[] rawData, string password)", pure(func(a []val) val { return ref(readCertificate(array(a[0], "rawData").Bytes, a[1].S)) })),
		text("Thumbprint", (*Certificate).thumbprint),
		text("SerialNumber", func(c *Certificate) string {
			s := strings.ToUpper(c.X509.SerialNumber.Text(16))
			if len(s)%2 == 1 {
				s = "0" + s
			}
			return s
		}),
		text("Subject", func(c *Certificate) string { return dn(c.X509.Subject.String()) }),
		text("Issuer", func(c *Certificate) string { return dn(c.X509.Issuer.String()) }),
		text("FriendlyName", func(*Certificate) string { return "" }),
		text("GetCertHashString()", (*Certificate).thumbprint),
		text("GetNameInfo(X509NameType nameType, bool forIssuer)", func(c *Certificate) string { return common(c) }),
		f("byte[] GetCertHash()", pure(func(a []val) val { return csharp.BytesValue(me(a).hash()) })),
		f("byte[] RawData", pure(func(a []val) val { return csharp.BytesValue(me(a).X509.Raw) })),
		f("byte[] GetRawCertData()", pure(func(a []val) val { return csharp.BytesValue(me(a).X509.Raw) })),
		f("DateTime NotBefore", pure(func(a []val) val { return date(me(a).X509.NotBefore) })),
		f("DateTime NotAfter", pure(func(a []val) val { return date(me(a).X509.NotAfter) })),
		f("int Version", pure(func(a []val) val { return num(me(a).X509.Version) })),
		f("bool HasPrivateKey", pure(func(a []val) val { return yes(me(a).Key != nil) })),
		f("X500DistinguishedName SubjectName", pure(func(a []val) val { return ref(&distinguished{dn(me(a).X509.Subject.String())}) })),
		f("X500DistinguishedName IssuerName", pure(func(a []val) val { return ref(&distinguished{dn(me(a).X509.Issuer.String())}) })),
		f("bool Verify()", verify), f("bool VerifyNoRevocation()", verify),
		f("PublicKey PublicKey", pure(func(a []val) val { return ref(&publicKey{me(a)}) })),
		f("string ToString()", pure(func(a []val) val { return str(me(a).NetString()) })),
		f("void Dispose()", pure(func([]val) val { return val{} })),
	}
	return []def{
		{Decl: "class X509Certificate : IDisposable", Namespace: ns, Is: is[*Certificate]},
		{Decl: "class X509Certificate2 : X509Certificate", Namespace: ns, Is: is[*Certificate], Members: rows},
		{Decl: "class PublicKey", Namespace: ns, Is: is[*publicKey], Members: []member{
			f("Oid Oid", pure(func(a []val) val { return ref(&oid{"1.2.840.113549.1.1.1", "RSA"}) })),
			f("AsymmetricAlgorithm Key", pure(func(a []val) val { return rsaPublic(a[0].R.(*publicKey).c) })),
			f("RSA GetRSAPublicKey()", pure(func(a []val) val { return rsaPublic(a[0].R.(*publicKey).c) })),
		}},
		{Decl: "class Oid", Namespace: cryptography, Is: is[*oid], Members: []member{
			f("new(string oid)", pure(func(a []val) val { return ref(&oid{value: a[0].S}) })),
			f("string Value", pure(func(a []val) val { return str(a[0].R.(*oid).value) })),
			f("string FriendlyName", pure(func(a []val) val { return str(a[0].R.(*oid).name) })),
		}},
		{Decl: "enum X509ContentType", Namespace: ns, Values: []string{"Unknown", "Cert", "SerializedCert", "Pfx", "SerializedStore", "Pkcs7", "Authenticode"}},
		{Decl: "static class RSACertificateExtensions", Namespace: ns, Members: []member{
			f("RSA GetRSAPrivateKey(this X509Certificate2 certificate)", rsaPrivate),
			f("RSA GetRSAPublicKey(this X509Certificate2 certificate)", pure(func(a []val) val { return rsaPublic(me(a)) })),
		}},
		{Decl: "class X500DistinguishedName", Namespace: ns, Is: is[*distinguished], Members: []member{f("string Name", pure(func(a []val) val { return str(a[0].R.(*distinguished).name) }))}},
		{Decl: "enum X509NameType", Namespace: ns, Values: []string{"SimpleName", "EmailName", "UpnName", "DnsName", "DnsFromAlternativeName", "UrlName"}},
	}
}

type publicKey struct{ c *Certificate }

type oid struct{ value, name string }

var rsaPrivate = pure(func(a []val) val {
	c, ok := a[0].R.(*Certificate)
	if !ok {
		csharp.ThrowNull("certificate")
	}
	if k, ok := c.Key.(*rsa.PrivateKey); ok {
		return ref(&rsaKey{&k.PublicKey, k})
	}
	return val{}
})

func rsaPublic(c *Certificate) val {
	if k, ok := c.X509.PublicKey.(*rsa.PublicKey); ok {
		return ref(&rsaKey{pub: k})
	}
	return val{}
}

type distinguished struct{ name string }

// NetString implements csharp.Texter.
func (d *distinguished) NetString() string {
	return "System.Security.Cryptography.X509Certificates.X500DistinguishedName"
}
