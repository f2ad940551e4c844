package dotnet

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"slices"
	"strings"

	"tandem/internal/csharp"
)

// symmetric is a SymmetricAlgorithm.
type symmetric struct {
	name    string
	key, iv []byte
	mode    int // CBC=1, ECB=2
	padding int // None=1, PKCS7=2, Zeros=3, ANSIX923=4
}

func newSymmetric(name string) *symmetric {
	switch strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(name, cryptography+"."), "CryptoServiceProvider")) {
	case "aes", "aesmanaged", "rijndael", "rijndaelmanaged", "aescng":
		return &symmetric{name: "aes", mode: 1, padding: 2}
	case "tripledes", "3des", "triple des":
		return &symmetric{name: "3des", mode: 1, padding: 2}
	case "des":
		return &symmetric{name: "des", mode: 1, padding: 2}
	}
	csharp.Throw("ArgumentException", "The algorithm '"+name+"' is not known. (Parameter 'algorithmName')")
	return nil
}

func (s *symmetric) block() cipher.Block {
	var b cipher.Block
	var err error
	switch s.name {
	case "aes":
		b, err = aes.NewCipher(s.key)
	case "3des":
		key := s.key
		if len(key) == 16 {
			key = append(slices.Clone(key), key[:8]...)
		}
		b, err = des.NewTripleDESCipher(key)
	default:
		b, err = des.NewCipher(s.key)
	}
	if err != nil {
		cryptoError("Specified key is not a valid size for this algorithm.")
	}
	if s.mode == 1 && len(s.iv) != b.BlockSize() {
		cryptoError("Specified initialization vector (IV) does not match the block size for this algorithm.")
	}
	return b
}

func (s *symmetric) encrypt(m *mach, data []byte) []byte {
	m.Charge(2 * len(data))
	b := s.block()
	size := b.BlockSize()
	n := size - len(data)%size
	out := slices.Clone(data)
	switch s.padding {
	case 2:
		out = append(out, bytes.Repeat([]byte{byte(n)}, n)...)
	case 3, 4:
		if s.padding == 4 || n < size {
			out = append(out, make([]byte, n)...)
		}
		if s.padding == 4 {
			out[len(out)-1] = byte(n)
		}
	default:
		if n != size {
			cryptoError("The input data is not a complete block.")
		}
	}
	if s.mode == 2 {
		for i := 0; i < len(out); i += size {
			b.Encrypt(out[i:i+size], out[i:i+size])
		}
		return out
	}
	cipher.NewCBCEncrypter(b, s.iv).CryptBlocks(out, out)
	return out
}

func (s *symmetric) decrypt(m *mach, data []byte) []byte {
	m.Charge(len(data))
	b := s.block()
	size := b.BlockSize()
	if len(data)%size != 0 {
		cryptoError("The input data is not a complete block.")
	}
	out := slices.Clone(data)
	if s.mode == 2 {
		for i := 0; i < len(out); i += size {
			b.Decrypt(out[i:i+size], out[i:i+size])
		}
	} else {
		cipher.NewCBCDecrypter(b, s.iv).CryptBlocks(out, out)
	}
	if s.padding != 2 && s.padding != 4 || len(out) == 0 {
		return out
	}
	n := int(out[len(out)-1])
	if n == 0 || n > size || s.padding == 2 && !bytes.Equal(out[len(out)-n:], bytes.Repeat([]byte{byte(n)}, n)) {
		cryptoError("Padding is invalid and cannot be removed.")
	}
	return out[:len(out)-n]
}

func cipherTypes() []def {
	me := self[*symmetric]
	bytesOf := func(v val, param string) []byte { return array(v, param).Bytes }
	field := func(name string, at func(s *symmetric) *[]byte) member {
		return fs("byte[] "+name, pure(func(a []val) val { return csharp.BytesValue(*at(me(a))) }), pure(func(a []val) val {
			*at(me(a)) = bytesOf(a[1], "value")
			return val{}
		}))
	}
	setting := func(t, name string, at func(s *symmetric) *int) member {
		return fs(t+" "+name, pure(func(a []val) val { return num(*at(me(a))) }), pure(func(a []val) val {
			*at(me(a)) = a[1].Int()
			return val{}
		}))
	}
	fresh := func(m *mach, n int) []byte {
		b := make([]byte, n)
		m.Random(b)
		return b
	}
	create := func(name string) csharp.Fn {
		return func(m *mach, _ []val) val {
			s := newSymmetric(name)
			s.key, s.iv = fresh(m, 32), fresh(m, 16)
			return ref(s)
		}
	}
	var ext []member
	for _, k := range []struct {
		name string
		do   func(s *symmetric, m *mach, b []byte) []byte
	}{{"Encrypt", (*symmetric).encrypt}, {"Decrypt", (*symmetric).decrypt}} {
		ext = append(ext,
			f("byte[] "+k.name+"(this byte[] input, string alg, byte[] key, byte[] iv)", func(m *mach, a []val) val {
				s := newSymmetric(needString(a[1], "alg"))
				s.key, s.iv = bytesOf(a[2], "key"), bytesOf(a[3], "iv")
				return csharp.BytesValue(k.do(s, m, bytesOf(a[0], "input")))
			}),
			f("byte[] "+k.name+"(this byte[] input, SymmetricAlgorithm alg)", func(m *mach, a []val) val {
				s, ok := a[1].R.(*symmetric)
				if !ok {
					csharp.ThrowNull("alg")
				}
				return csharp.BytesValue(k.do(s, m, bytesOf(a[0], "input")))
			}),
			f("byte[] "+k.name+"(this byte[] input, SymmetricAlgorithm alg, byte[] key, byte[] iv)", func(m *mach, a []val) val {
				s, ok := a[1].R.(*symmetric)
				if !ok {
					csharp.ThrowNull("alg")
				}
				own := *s
				own.key, own.iv = bytesOf(a[2], "key"), bytesOf(a[3], "iv")
				return csharp.BytesValue(k.do(&own, m, bytesOf(a[0], "input")))
			}))
	}
	return []def{
		{Decl: "class SymmetricAlgorithm : IDisposable", Namespace: cryptography, Is: is[*symmetric], Members: []member{
			f("static SymmetricAlgorithm Create(string algName)", func(m *mach, a []val) val { return create(needString(a[0], "algName"))(m, nil) }),
			field("Key", func(s *symmetric) *[]byte { return &s.key }), field("IV", func(s *symmetric) *[]byte { return &s.iv }),
			setting("CipherMode", "Mode", func(s *symmetric) *int { return &s.mode }), setting("PaddingMode", "Padding", func(s *symmetric) *int { return &s.padding }),
			f("int KeySize", pure(func(a []val) val { return num(8 * len(me(a).key)) })),
			f("int BlockSize", pure(func(a []val) val {
				if me(a).name == "aes" {
					return num(128)
				}
				return num(64)
			})),
			f("void GenerateKey()", func(m *mach, a []val) val { me(a).key = fresh(m, 32); return val{} }),
			f("void GenerateIV()", func(m *mach, a []val) val { me(a).iv = fresh(m, 16); return val{} }),
			f("void Dispose()", pure(func([]val) val { return val{} })),
		}},
		{Decl: "class Aes : SymmetricAlgorithm", Namespace: cryptography, Is: is[*symmetric], Members: []member{f("static Aes Create()", create("aes"))}},
		{Decl: "class AesManaged : Aes", Namespace: cryptography, Is: is[*symmetric], Members: []member{f("new()", create("aes"))}},
		{Decl: "class RijndaelManaged : SymmetricAlgorithm", Namespace: cryptography, Is: is[*symmetric], Members: []member{f("new()", create("aes"))}},
		{Decl: "enum CipherMode", Namespace: cryptography, Values: []string{"CBC=1", "ECB", "OFB", "CFB", "CTS"}},
		{Decl: "enum PaddingMode", Namespace: cryptography, Values: []string{"None=1", "PKCS7", "Zeros", "ANSIX923", "ISO10126"}},
		{Decl: "static class CipherExtensions", Namespace: system, Members: ext},
	}
}
