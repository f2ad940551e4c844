package nameserver

import (
	"encoding/binary"

	"github.com/miekg/dns"
)

// signFixed signs what the apex answers.
func (s *signer) signFixed(z *Zone, t *table) error {
	for _, x := range []struct {
		wire  []byte
		count int
		to    *[]byte
	}{{t.soa, 1, &t.soaSig}, {z.ns, int(z.nsCount), &t.nsSig}} {
		set, err := unpackSection(s.zone, x.wire, x.count)
		if err != nil {
			return err
		}
		if *x.to, err = s.signSet(set, ownerPointer); err != nil {
			return err
		}
	}
	var err error
	t.keySig, err = s.signSet([]dns.RR{s.dnskey}, ownerPointer)
	return err
}

// deny writes a signed denial after the n octets of out: SOA and an NSEC for the name itself (RFC 9824), both signed. A
// name that is not there gets the type NXNAME in its NSEC.
func (s *signer) deny(z *Zone, t *table, q *query, out []byte, n, rcode int, l *leaf) int {
	apex := uint16(pointer | (headerLen + q.nameLen - len(z.wire)))
	for _, part := range [][]byte{t.soa, t.soaSig} {
		at := n
		n += copy(out[n:], part)
		binary.BigEndian.PutUint16(out[at:], apex)
	}
	count := uint16(2)
	if nsec, sig, err := s.nsec(z, q, rcode, l); err == nil {
		n += copy(out[n:], nsec)
		n += copy(out[n:], sig)
		count += 2
	}
	binary.BigEndian.PutUint16(out[8:], count)
	return n
}

func (s *signer) nsec(z *Zone, q *query, rcode int, l *leaf) (wire, sig []byte, err error) {
	name, _, err := dns.UnpackDomainName(q.name[:q.nameLen], 0) // odd octets come out escaped
	if err != nil {
		return nil, nil, err
	}
	types := []uint16{dns.TypeRRSIG, dns.TypeNSEC}
	switch {
	case rcode == rcodeNXDomain:
		types = append(types, typeNXNAME)
	case name == s.zone:
		types = []uint16{dns.TypeNS, dns.TypeSOA, dns.TypeRRSIG, dns.TypeNSEC, dns.TypeDNSKEY}
		if l != nil && l.aaaa != nil {
			types = []uint16{dns.TypeNS, dns.TypeSOA, dns.TypeAAAA, dns.TypeRRSIG, dns.TypeNSEC, dns.TypeDNSKEY}
		}
	case l != nil && l.aaaa != nil:
		types = append([]uint16{}, dns.TypeAAAA, dns.TypeRRSIG, dns.TypeNSEC)
	}
	if l != nil && l.a != nil {
		types = append([]uint16{dns.TypeA}, types...)
	}
	// The next name is the least one after this: a label of one zero octet in front.
	next := `\000.` + name
	if q.nameLen+2 > maxName {
		next = s.zone
	}
	rr := &dns.NSEC{Hdr: s.head(name, dns.TypeNSEC, z.config.NegativeTTL), NextDomain: next, TypeBitMap: types}
	if sig, err = s.signSet([]dns.RR{rr}, ownerPointer); err != nil {
		return nil, nil, err
	}
	full, err := packRecords(rr)
	if err != nil {
		return nil, nil, err
	}
	return withPointer(full, ownerPointer), sig, nil
}
