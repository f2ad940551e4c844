package dotnet

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"hash"

	"tandem/internal/csharp"
)

const cryptography = "System.Security.Cryptography"

// hasher is a HashAlgorithm; with a key it is an HMAC.
type hasher struct {
	t    *typ
	make func() hash.Hash
	key  []byte
	keyd bool
	last []byte
}

// NetType implements csharp.Typed.
func (h *hasher) NetType() *typ { return h.t }

func (h *hasher) sum(b []byte) []byte {
	n := h.make
	x := n()
	if h.keyd {
		x = hmac.New(n, h.key)
	}
	_, _ = x.Write(b)
	h.last = x.Sum(nil)
	return h.last
}

func cryptoError(msg string) { csharp.Throw(cryptography+".CryptographicException", msg) }

func hashTypes() []def {
	me := self[*hasher]
	compute := func(m *mach, a []val, b []byte) val {
		m.Charge(len(b))
		return csharp.BytesValue(me(a).sum(b))
	}
	key := []member{fs("byte[] Key", pure(func(a []val) val { return csharp.BytesValue(me(a).key) }), pure(func(a []val) val {
		me(a).key = array(a[1], "value").Bytes
		return val{}
	}))}
	out := []def{
		{Decl: "class HashAlgorithm : IDisposable", Namespace: cryptography, Members: []member{
			f("byte[] ComputeHash(byte[] buffer)", func(m *mach, a []val) val { return compute(m, a, array(a[1], "buffer").Bytes) }),
			f("byte[] ComputeHash(byte[] buffer, int offset, int count)", func(m *mach, a []val) val {
				return compute(m, a, slice(array(a[1], "buffer").Bytes, a[2].Int(), a[3].Int()))
			}),
			f("int HashSize", pure(func(a []val) val { return num(8 * me(a).make().Size()) })),
			f("byte[] Hash", pure(func(a []val) val { return csharp.BytesValue(me(a).last) })),
			f("void Dispose()", pure(func([]val) val { return val{} })), f("void Clear()", pure(func([]val) val { return val{} })),
		}},
		{Decl: "class KeyedHashAlgorithm : HashAlgorithm", Namespace: cryptography, Members: key},
		{Decl: "class HMAC : KeyedHashAlgorithm", Namespace: cryptography},
	}
	for _, k := range []struct {
		name string
		make func() hash.Hash
		size int
	}{{"MD5", md5.New, 64}, {"SHA1", sha1.New, 64}, {"SHA256", sha256.New, 64}, {"SHA384", sha512.New384, 128}, {"SHA512", sha512.New, 128}} {
		decl := func(name string) (*csharp.Decl, *typ) {
			d := &csharp.Decl{Name: name, Namespace: cryptography, Kind: csharp.KindClass}
			return d, csharp.Generic(d)
		}
		d, t := decl(k.name)
		made := pure(func([]val) val { return ref(&hasher{t: t, make: k.make}) })
		out = append(out, def{Decl: "class " + k.name + " : HashAlgorithm", Known: d, Members: []member{
			f("static "+k.name+" Create()", made),
			f("static byte[] HashData(byte[] source)", pure(func(a []val) val {
				return csharp.BytesValue((&hasher{make: k.make}).sum(array(a[0], "source").Bytes))
			})),
		}})
		names := []string{k.name + "Managed", k.name + "CryptoServiceProvider"}
		for _, n := range names {
			d, t := decl(n)
			out = append(out, def{Decl: "class " + n + " : " + k.name, Known: d, Members: []member{
				f("new()", pure(func([]val) val { return ref(&hasher{t: t, make: k.make}) })),
			}})
		}
		hd, ht := decl("HMAC" + k.name)
		out = append(out, def{Decl: "class HMAC" + k.name + " : HMAC", Known: hd, Members: []member{
			f("new()", func(m *mach, _ []val) val {
				key := make([]byte, k.size)
				m.Random(key)
				return ref(&hasher{t: ht, make: k.make, key: key, keyd: true})
			}),
			f("new(byte[] key)", pure(func(a []val) val { return ref(&hasher{t: ht, make: k.make, key: array(a[0], "key").Bytes, keyd: true}) })),
		}})
	}
	return out
}
