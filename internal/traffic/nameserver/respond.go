package nameserver

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"time"
)

// maxUDP is the largest answer over UDP (RFC 9715): above it datagrams may be cut to fragments.
const maxUDP = 1232

// respond writes the answer to packet p into out and gives its length; 0 means silence. src is the client, tcp how it came.
// out must hold 4 KiB. It allocates nothing unless a denial must be signed.
func (s *Server) respond(q *query, p []byte, at moment, src netip.Addr, tcp bool, out []byte) int {
	return s.respondTo(q, q.parse(p), p, at, src, tcp, out)
}

// respondTo is respond for a packet that was read already.
func (s *Server) respondTo(q *query, found verdict, p []byte, at moment, src netip.Addr, tcp bool, out []byte) int {
	switch found {
	case parseDrop:
		s.stats.Dropped.Add(1)
		return 0
	case parseNotImpl:
		s.stats.Errors.Add(1)
		return bare(p, out, rcodeNotImpl)
	case parseFormat:
		s.stats.Errors.Add(1)
		return bare(p, out, rcodeFormat)
	case parseBadVers:
		s.stats.Errors.Add(1)
		return s.finish(q, at, src, out, start(q, out, 0), rcodeBadVers, 0)
	}
	genuine := tcp
	if q.cookieLen >= 16 && s.cookies.valid(q, src, at.seconds) {
		genuine = true
	}
	if !genuine && s.limit != nil {
		switch s.limit.take(src, at.millis) {
		case limitDrop:
			s.stats.Limited.Add(1)
			return 0
		case limitSlip:
			s.stats.Limited.Add(1)
			n := start(q, out, 0)
			out[2] |= flagTC
			return s.finish(q, at, src, out, n, rcodeSuccess, 0)
		}
	}
	n, rcode, scope := s.answer(q, src, out)
	if every := s.config.Sample; every > 0 && rand.Uint32N(every) == 0 {
		s.config.OnQuery(Query{Name: dotted(q.name[:q.nameLen]), Type: q.typ, Client: src, TCP: tcp, Rcode: rcode})
	}
	n = s.finish(q, at, src, out, n, rcode, scope)
	if most := min(q.size, maxUDP); !tcp && n > most {
		n = start(q, out, flagAA)
		out[2] |= flagTC
		s.stats.Truncated.Add(1)
		return s.finish(q, at, src, out, n, rcode, scope)
	}
	return n
}

// Query is one question as a sample tells it.
type Query struct {
	Name   string // in lower case, without a trailing dot
	Type   uint16
	Client netip.Addr
	TCP    bool
	Rcode  int
}

// moment is the time of a batch of packets.
type moment struct {
	seconds uint32 // since 1970, for cookies
	millis  uint32 // since the server started, never backwards
}

// bare is an answer of a header alone, for packets whose question cannot be trusted. It is never longer than the packet.
func bare(p, out []byte, rcode byte) int {
	clear(out[:headerLen])
	out[0], out[1] = p[0], p[1]
	out[2] = flagQR | p[2]&(0x78|flagRD)
	out[3] = rcode
	return headerLen
}

// start writes the header and the question, its case kept bit for bit.
func start(q *query, out []byte, flags byte) int {
	n := copy(out, q.packet[:q.end])
	out[2] = flagQR | flags | q.packet[2]&flagRD
	out[3] = q.packet[3] & flagCD
	clear(out[6:headerLen])
	return n
}

// answer looks the name up and writes the sections up to OPT.
func (s *Server) answer(q *query, src netip.Addr, out []byte) (n, rcode int, scope uint8) {
	if q.class != classIN && q.class != classANY || q.typ == typeAXFR || q.typ == typeIXFR {
		s.stats.Refused.Add(1)
		return start(q, out, 0), rcodeRefused, 0
	}
	name := q.name[:q.nameLen]
	for _, z := range s.zones {
		t := z.table.Load()
		e := t.index.find(name)
		if e == nil {
			if !under(name, z.wire) {
				continue
			}
			return z.negative(t, q, out, rcodeNXDomain, nil), rcodeOf(z, q, rcodeNXDomain), 0
		}
		client, limit := src, uint8(0) // no scope without a subnet that was used
		if q.subnetFamily != 0 && trusted(q) {
			client, limit = q.subnet, q.subnetLimit()
		}
		area := 0
		if s.config.Area != nil {
			area = s.config.Area(client)
		}
		e.counts[area].count(q.typ)
		if e.role == apex && (e.node.Load() == nil || q.typ != typeA && q.typ != typeAAAA) {
			return z.atApex(t, q, out), rcodeSuccess, 0
		}
		node, bits := e.node.Load().resolve(client)
		bits = min(bits, limit)
		if node != nil && node.kind == kindAbsent {
			return z.negative(t, q, out, rcodeNXDomain, nil), rcodeOf(z, q, rcodeNXDomain), bits
		}
		var l *leaf
		if node != nil {
			l = &node.leaf
			if sec := l.section(q.typ); sec != nil {
				n = start(q, out, flagAA)
				n += copy(out[n:], sec.wire)
				count := sec.count
				if q.do && sec.sig != nil {
					n += copy(out[n:], sec.sig)
					count += sec.sigCount
				}
				binary.BigEndian.PutUint16(out[6:], count)
				return n, rcodeSuccess, bits
			}
		}
		// A "no" that depends on the client says so in its scope, else it would be cached for others.
		return z.negative(t, q, out, rcodeSuccess, l), rcodeSuccess, bits
	}
	s.stats.Refused.Add(1)
	return start(q, out, 0), rcodeRefused, 0
}

// rcodeOf gives what a denial says: a signed one proves by its NSEC that the name is not there and says no error, as
// compact denial asks (RFC 9824).
func rcodeOf(z *Zone, q *query, rcode int) int {
	if q.do && z.signed != nil {
		return rcodeSuccess
	}
	return rcode
}

// subnetLimit is the widest scope that may be told: the family's length.
func (q *query) subnetLimit() uint8 {
	if q.subnetFamily == 2 {
		return 128
	}
	return 32
}

// trusted tells whether the subnet names a place: 0 bits say nothing, private and reserved ranges are nowhere.
func trusted(q *query) bool {
	a := q.subnet
	return q.subnetBits > 0 && !a.IsPrivate() && !a.IsLoopback() && !a.IsLinkLocalUnicast() && !a.IsMulticast() && !a.IsUnspecified()
}

func under(name, zone []byte) bool {
	if len(name) <= len(zone) || string(name[len(name)-len(zone):]) != string(zone) {
		return false
	}
	for i := 0; i < len(name)-len(zone); { // the zone must begin at a label
		i += int(name[i]) + 1
		if i == len(name)-len(zone) {
			return true
		}
	}
	return false
}

// negative writes an answer without records and the SOA that tells how long to believe it.
func (z *Zone) negative(t *table, q *query, out []byte, rcode int, l *leaf) int {
	n := start(q, out, flagAA)
	if q.do && z.signed != nil {
		return z.signed.deny(z, t, q, out, n, rcode, l)
	}
	at := n
	n += copy(out[n:], t.soa)
	binary.BigEndian.PutUint16(out[at:], pointer|uint16(headerLen+q.nameLen-len(z.wire)))
	binary.BigEndian.PutUint16(out[8:], 1)
	return n
}

// atApex answers for the zone's own name.
func (z *Zone) atApex(t *table, q *query, out []byte) int {
	n := start(q, out, flagAA)
	count := uint16(1)
	switch q.typ {
	case typeSOA, typeANY:
		n += copy(out[n:], t.soa)
		if q.do && z.signed != nil {
			n += copy(out[n:], t.soaSig)
			count++
		}
	case typeNS:
		n += copy(out[n:], z.ns)
		count = z.nsCount
		if q.do && z.signed != nil {
			n += copy(out[n:], t.nsSig)
			count++
		}
	case typeDNSKEY:
		if z.signed == nil {
			return z.negative(t, q, out, rcodeSuccess, nil)
		}
		n += copy(out[n:], z.signed.keyWire)
		if q.do {
			n += copy(out[n:], t.keySig)
			count++
		}
	default:
		return z.negative(t, q, out, rcodeSuccess, nil)
	}
	binary.BigEndian.PutUint16(out[6:], count)
	return n
}

// finish sets the code and writes OPT where the client sent one.
func (s *Server) finish(q *query, at moment, src netip.Addr, out []byte, n, rcode int, scope uint8) int {
	out[3] = out[3]&0xF0 | byte(rcode&0xF)
	if !q.edns {
		return n
	}
	binary.BigEndian.PutUint16(out[10:], 1)
	out = out[:n]
	out = append(out, 0, 0, typeOPT, maxUDP>>8, maxUDP&0xFF, byte(rcode>>4), 0, 0, 0, 0, 0)
	if q.do {
		out[n+7] = 0x80
	}
	if q.version != 0 {
		return n + 11
	}
	if q.cookieLen > 0 {
		out = append(out, 0, optionCookie, 0, 24)
		out = append(out, q.cookie[:8]...)
		out = s.cookies.append(out, q, src, at.seconds)
	}
	if q.subnetFamily != 0 {
		bytes := (int(q.subnetBits) + 7) / 8
		out = append(out, 0, optionSubnet, 0, byte(4+bytes), 0, byte(q.subnetFamily), q.subnetBits, scope)
		if q.subnetFamily == 1 {
			a := q.subnet.As4()
			out = append(out, a[:bytes]...)
		} else {
			a := q.subnet.As16()
			out = append(out, a[:bytes]...)
		}
	}
	if q.nsid && s.nsid != "" {
		out = append(out, 0, optionNSID, 0, byte(len(s.nsid)))
		out = append(out, s.nsid...)
	}
	if q.keepalive && q.stream { // over UDP the option means nothing (RFC 7828 section 3.2.1)
		out = append(out, 0, optionKeepalive, 0, 2)
		out = binary.BigEndian.AppendUint16(out, uint16(min(s.config.TCPIdle/(100*time.Millisecond), 65535)))
	}
	if q.padding && q.private {
		out = pad(out)
	}
	binary.BigEndian.PutUint16(out[n+9:], uint16(len(out)-n-11))
	return len(out)
}

// padTo is the block that encrypted answers are padded to (RFC 8467 section 4.1).
const padTo = 468

// pad appends the padding option. Every answer has room for it: the longest is far below packetSize.
func pad(out []byte) []byte {
	const head = 4
	n := (padTo - (len(out)+head)%padTo) % padTo
	if len(out)+head+n > packetSize {
		return out
	}
	out = append(out, 0, optionPadding, byte(n>>8), byte(n))
	for range n {
		out = append(out, 0)
	}
	return out
}
