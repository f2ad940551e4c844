package nameserver

import (
	"encoding/binary"
	"net/netip"
)

// query is one parsed question. It lives on the caller's stack and points into the packet.
type query struct {
	packet  []byte
	end     int           // just behind the question
	nameLen int           // octets of the name
	name    [maxName]byte // in lower case
	typ     uint16
	class   uint16

	edns    bool
	version uint8
	do      bool
	size    int // what the client can take over UDP

	cookie    [40]byte
	cookieLen int // 0: none

	subnet       netip.Addr // invalid: none given
	subnetFamily uint16     // 0: no option
	subnetBits   uint8

	nsid      bool
	keepalive bool // it asks how long the connection stays open (RFC 7828)
	padding   bool // it is padded, and so asks for a padded answer (RFC 7830)

	// How it came; set before parse.
	stream  bool // over TCP or TLS: the connection can be kept
	private bool // encrypted: the length of the answer may be hidden
}

// verdict is what a packet deserves before its name is looked at.
type verdict uint8

const (
	parseOK verdict = iota
	parseDrop
	parseFormat
	parseNotImpl
	parseBadVers
)

// parse reads a packet. It never fails on garbage behind the last counted record.
func (q *query) parse(p []byte) verdict {
	if len(p) < headerLen || p[2]&flagQR != 0 {
		return parseDrop // too short to be told anything, or an answer: answering answers makes loops
	}
	q.packet, q.end, q.size = p, headerLen, 512
	if p[2]&0x78 != 0 {
		return parseNotImpl
	}
	questions, answers := binary.BigEndian.Uint16(p[4:]), binary.BigEndian.Uint16(p[6:])
	authority, additional := binary.BigEndian.Uint16(p[8:]), binary.BigEndian.Uint16(p[10:])
	if questions != 1 || answers != 0 {
		return parseFormat
	}
	i := headerLen
	for {
		if i >= len(p) {
			return parseFormat
		}
		n := int(p[i])
		if n > maxLabel { // a pointer in the only question points nowhere useful
			return parseFormat
		}
		i += n + 1
		if i-headerLen > maxName {
			return parseFormat
		}
		if n == 0 {
			break
		}
	}
	if i+4 > len(p) {
		return parseFormat
	}
	q.nameLen = i - headerLen
	lowerInto(q.name[:], p[headerLen:i])
	q.typ, q.class = binary.BigEndian.Uint16(p[i:]), binary.BigEndian.Uint16(p[i+2:])
	q.end = i + 4
	if authority == 0 && additional == 0 {
		return parseOK
	}
	return q.parseRest(int(authority), int(additional))
}

// parseRest walks the authority and additional sections for the one OPT record.
func (q *query) parseRest(authority, additional int) verdict {
	p, i := q.packet, q.end
	for n := 0; n < authority+additional; n++ {
		start := i
		for {
			if i >= len(p) {
				return parseFormat
			}
			l := int(p[i])
			if l >= 0xC0 {
				i += 2
				break
			}
			if l > maxLabel {
				return parseFormat
			}
			i += l + 1
			if l == 0 {
				break
			}
		}
		if i+10 > len(p) {
			return parseFormat
		}
		typ, length := binary.BigEndian.Uint16(p[i:]), int(binary.BigEndian.Uint16(p[i+8:]))
		data := i + 10
		if data+length > len(p) {
			return parseFormat
		}
		if typ == typeOPT && n >= authority {
			if q.edns || i != start+1 { // two of them, or an owner that is not the root
				return parseFormat
			}
			q.edns = true
			if size := int(binary.BigEndian.Uint16(p[i+2:])); size > q.size {
				q.size = size
			}
			q.version, q.do = p[i+5], p[i+6]&0x80 != 0
			if q.version == 0 && !q.parseOptions(p[data:data+length]) {
				return parseFormat
			}
		}
		i = data + length
	}
	if q.version != 0 {
		return parseBadVers
	}
	return parseOK
}

// EDNS options.
const (
	optionNSID      = 3
	optionSubnet    = 8
	optionCookie    = 10
	optionKeepalive = 11
	optionPadding   = 12
)

// parseOptions reads what the server knows and passes over the rest.
func (q *query) parseOptions(o []byte) bool {
	for len(o) > 0 {
		if len(o) < 4 {
			return false
		}
		code, n := binary.BigEndian.Uint16(o), int(binary.BigEndian.Uint16(o[2:]))
		if 4+n > len(o) {
			return false
		}
		data := o[4 : 4+n]
		switch code {
		case optionNSID:
			q.nsid = true
		case optionCookie:
			if n != 8 && (n < 16 || n > 40) {
				return false
			}
			q.cookieLen = copy(q.cookie[:], data)
		case optionKeepalive:
			q.keepalive = true
		case optionPadding:
			q.padding = true
		case optionSubnet:
			if q.subnetFamily != 0 || !q.parseSubnet(data) {
				return false
			}
		}
		o = o[4+n:]
	}
	return true
}

// parseSubnet checks a client subnet as RFC 7871 section 7.1 asks: known family, length in range, no scope, address cut to
// the prefix with the rest zero.
func (q *query) parseSubnet(d []byte) bool {
	if len(d) < 4 {
		return false
	}
	family, bits, scope, address := binary.BigEndian.Uint16(d), d[2], d[3], d[4:]
	most := uint8(32)
	if family == 2 {
		most = 128
	}
	if family != 1 && family != 2 || bits > most || scope != 0 || len(address) != (int(bits)+7)/8 {
		return false
	}
	if bits%8 != 0 && address[len(address)-1]<<(bits%8) != 0 {
		return false
	}
	q.subnetFamily, q.subnetBits = family, bits
	if family == 1 {
		var a [4]byte
		copy(a[:], address)
		q.subnet = netip.AddrFrom4(a)
	} else {
		var a [16]byte
		copy(a[:], address)
		q.subnet = netip.AddrFrom16(a)
	}
	return true
}

// reset makes q ready for another packet; the name's octets need no clearing.
func (q *query) reset() {
	q.edns, q.do, q.nsid, q.keepalive, q.padding, q.version = false, false, false, false, false, 0
	q.cookieLen, q.subnetFamily, q.subnetBits = 0, 0, 0
	q.subnet = netip.Addr{}
}
