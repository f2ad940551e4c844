package nameserver

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"tandem"
)

// signatureLife is how long signatures hold; signatureAge is when a cached one is made anew.
const (
	signatureLife = 7 * 24 * time.Hour
	signatureAge  = 24 * time.Hour
)

// Keys is what a zone is signed with: one key for all (a combined signing key), ECDSA P-256 or Ed25519.
type Keys struct {
	Signer crypto.Signer
	Clock  tandem.Clock
}

// signer makes and keeps signatures. Answers are few, so they are signed when compiled; denials are signed when first
// asked for and kept, up to a bound.
type signer struct {
	keys    *Keys
	zone    string // with a trailing dot
	dnskey  *dns.DNSKEY
	keyWire []byte

	mu   sync.Mutex
	kept map[string]signature
}

type signature struct {
	wire []byte
	made time.Time
}

const maxKept = 20_000

func newSigner(k *Keys, zone string) (*signer, error) {
	bad := func(err error) (*signer, error) {
		return nil, &tandem.Error{Op: "sign zone", Subject: zone, Kind: tandem.Invalid, Err: err, Remedy: "give an ECDSA P-256 or Ed25519 key and a clock"}
	}
	if k.Signer == nil || k.Clock == nil {
		return bad(errors.New("the key or the clock is missing"))
	}
	s := &signer{keys: k, zone: dns.Fqdn(strings.ToLower(zone)), kept: map[string]signature{}}
	key := &dns.DNSKEY{Hdr: s.head(s.zone, dns.TypeDNSKEY, 3600), Flags: dns.ZONE | dns.SEP, Protocol: 3}
	switch pub := k.Signer.Public().(type) {
	case *ecdsa.PublicKey:
		if pub.Curve != elliptic.P256() {
			return bad(errors.New("the ECDSA key is not of curve P-256"))
		}
		raw, err := pub.Bytes()
		if err != nil {
			return bad(err)
		}
		key.Algorithm, key.PublicKey = dns.ECDSAP256SHA256, base64.StdEncoding.EncodeToString(raw[1:])
	case ed25519.PublicKey:
		key.Algorithm, key.PublicKey = dns.ED25519, base64.StdEncoding.EncodeToString(pub)
	default:
		return bad(fmt.Errorf("a key of type %T cannot sign", pub))
	}
	s.dnskey = key
	var err error
	if s.keyWire, err = packRecords(key); err != nil {
		return bad(err)
	}
	return s, nil
}

// DS is the record that the parent zone must hold, in its text form.
func (z *Zone) DS() string {
	if z.signed == nil {
		return ""
	}
	return z.signed.dnskey.ToDS(dns.SHA256).String()
}

func (s *signer) head(name string, typ uint16, ttl uint32) dns.RR_Header {
	return dns.RR_Header{Name: name, Rrtype: typ, Class: dns.ClassINET, Ttl: ttl}
}

// sign gives a copy of the tree in which every leaf carries signatures for owner.
func (s *signer) sign(n *Node, owner []byte) (*Node, error) {
	out := *n
	if n.choice != nil {
		kids := slices.Clone(n.choice.kids)
		for i, k := range kids {
			var err error
			if kids[i], err = s.sign(k, owner); err != nil {
				return nil, err
			}
		}
		out.choice = n.choice.with(kids)
	}
	name := dotted(owner) + "."
	for _, p := range []**section{&out.leaf.a, &out.leaf.aaaa, &out.leaf.alias} {
		if *p == nil {
			continue
		}
		set, err := unpackSection(name, (*p).wire, int((*p).count))
		if err != nil {
			return nil, err
		}
		sig, err := s.signSet(set, ownerPointer)
		if err != nil {
			return nil, err
		}
		copied := **p
		copied.sig, copied.sigCount = sig, 1
		*p = &copied
	}
	return &out, nil
}

// signSet gives the RRSIG over a set, with the owner as a pointer, from the cache where it is fresh.
func (s *signer) signSet(set []dns.RR, owner uint16) ([]byte, error) {
	var key strings.Builder
	for _, rr := range set {
		key.WriteString(rr.String() + "\n")
	}
	now := s.keys.Clock.Now()
	s.mu.Lock()
	old, ok := s.kept[key.String()]
	s.mu.Unlock()
	if ok && now.Sub(old.made) < signatureAge {
		return old.wire, nil
	}
	head := set[0].Header()
	sig := &dns.RRSIG{Hdr: s.head(head.Name, dns.TypeRRSIG, head.Ttl), Algorithm: s.dnskey.Algorithm, KeyTag: s.dnskey.KeyTag(), SignerName: s.zone,
		Inception: uint32(now.Add(-time.Hour).Unix()), Expiration: uint32(now.Add(signatureLife).Unix())}
	if err := sig.Sign(s.keys.Signer, set); err != nil {
		return nil, &tandem.Error{Op: "sign records of", Subject: head.Name, Kind: tandem.Unavailable, Err: err, Remedy: "check the zone's key"}
	}
	full, err := packRecords(sig)
	if err != nil {
		return nil, err
	}
	wire := withPointer(full, owner)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.kept) >= maxKept { // random names fill it: forget and begin again
		clear(s.kept)
	}
	s.kept[key.String()] = signature{wire, now}
	return wire, nil
}

// withPointer replaces the owner's name in front of a packed record by a pointer.
func withPointer(full []byte, owner uint16) []byte {
	i := 0
	for full[i] != 0 {
		i += int(full[i]) + 1
	}
	return append([]byte{byte(owner >> 8), byte(owner)}, full[i+1:]...)
}

func packRecords(records ...dns.RR) ([]byte, error) {
	var out []byte
	for _, rr := range records {
		b := make([]byte, dns.Len(rr)+1)
		n, err := dns.PackRR(rr, b, 0, nil, false)
		if err != nil {
			return nil, &tandem.Error{Op: "write record", Subject: rr.Header().Name, Kind: tandem.Invalid, Err: err}
		}
		out = append(out, b[:n]...)
	}
	return out, nil
}

// unpackSection reads compiled records back, the owner pointer standing for name.
func unpackSection(name string, wire []byte, count int) ([]dns.RR, error) {
	w, err := wireName(name)
	if err != nil {
		return nil, err
	}
	// Owner pointers point to offset 12: lay a header's room and the name in front.
	packet := append(append(make([]byte, headerLen), w...), wire...)
	at := headerLen + len(w)
	var out []dns.RR
	for range count {
		rr, next, err := dns.UnpackRR(packet, at)
		if err != nil {
			return nil, &tandem.Error{Op: "read record", Subject: name, Kind: tandem.Corrupt, Err: err}
		}
		out, at = append(out, rr), next
	}
	return out, nil
}
