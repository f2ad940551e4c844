package nameserver

import (
	"crypto/subtle"
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// cookieJar makes and checks server cookies in the interoperable form of RFC 9018: version, time, and SipHash-2-4 over the
// client's cookie, both and the client's address. All servers of one name share the secret.
type cookieJar struct{ k0, k1 uint64 }

func newCookieJar(secret [16]byte) cookieJar {
	return cookieJar{binary.LittleEndian.Uint64(secret[:8]), binary.LittleEndian.Uint64(secret[8:])}
}

// append writes the 16 octets of a fresh server cookie. now is seconds since 1970.
func (c cookieJar) append(out []byte, q *query, src netip.Addr, now uint32) []byte {
	var m [8 + 8 + 16]byte
	copy(m[:8], q.cookie[:8])
	m[8] = 1
	binary.BigEndian.PutUint32(m[12:], now)
	n := 16 + putAddr(m[16:], src)
	out = append(out, m[8:16]...)
	return binary.LittleEndian.AppendUint64(out, sipHash(c.k0, c.k1, m[:n]))
}

// valid accepts a cookie made within the last hour, or up to five minutes ahead (another server's clock). A cookie proves
// only that the client gets what is sent to its address, so clocks of servers may differ (law 11 is not touched).
func (c cookieJar) valid(q *query, src netip.Addr, now uint32) bool {
	if q.cookieLen != 24 || q.cookie[8] != 1 {
		return false
	}
	made := binary.BigEndian.Uint32(q.cookie[12:])
	if age := int32(now - made); age > 3600 || age < -300 {
		return false
	}
	var m [8 + 8 + 16]byte
	copy(m[:16], q.cookie[:16])
	n := 16 + putAddr(m[16:], src)
	var want [8]byte
	binary.LittleEndian.PutUint64(want[:], sipHash(c.k0, c.k1, m[:n]))
	return subtle.ConstantTimeCompare(want[:], q.cookie[16:24]) == 1
}

func putAddr(b []byte, a netip.Addr) int {
	if a.Is4() {
		four := a.As4()
		return copy(b, four[:])
	}
	six := a.As16()
	return copy(b, six[:])
}

// sipHash is SipHash-2-4 (Aumasson and Bernstein, 2012).
func sipHash(k0, k1 uint64, m []byte) uint64 {
	v0, v1 := k0^0x736f6d6570736575, k1^0x646f72616e646f6d
	v2, v3 := k0^0x6c7967656e657261, k1^0x7465646279746573
	round := func() {
		v0 += v1
		v1 = bits.RotateLeft64(v1, 13) ^ v0
		v0 = bits.RotateLeft64(v0, 32)
		v2 += v3
		v3 = bits.RotateLeft64(v3, 16) ^ v2
		v0 += v3
		v3 = bits.RotateLeft64(v3, 21) ^ v0
		v2 += v1
		v1 = bits.RotateLeft64(v1, 17) ^ v2
		v2 = bits.RotateLeft64(v2, 32)
	}
	last := uint64(len(m)) << 56
	for ; len(m) >= 8; m = m[8:] {
		w := binary.LittleEndian.Uint64(m)
		v3 ^= w
		round()
		round()
		v0 ^= w
	}
	for i, c := range m {
		last |= uint64(c) << (8 * i)
	}
	v3 ^= last
	round()
	round()
	v0 ^= last
	v2 ^= 0xff
	for range 4 {
		round()
	}
	return v0 ^ v1 ^ v2 ^ v3
}
