package nameserver

import (
	"encoding/binary"
	"fmt"
	"strings"

	"tandem"
)

// Record types and codes the server speaks of (IANA DNS parameters).
const (
	typeA      = 1
	typeNS     = 2
	typeCNAME  = 5
	typeSOA    = 6
	typeAAAA   = 28
	typeOPT    = 41
	typeRRSIG  = 46
	typeNSEC   = 47
	typeDNSKEY = 48
	typeNXNAME = 128 // RFC 9824
	typeHTTPS  = 65
	typeIXFR   = 251
	typeAXFR   = 252
	typeANY    = 255

	classIN  = 1
	classANY = 255

	rcodeSuccess  = 0
	rcodeFormat   = 1
	rcodeServer   = 2
	rcodeNXDomain = 3
	rcodeNotImpl  = 4
	rcodeRefused  = 5
	rcodeBadVers  = 16 // the upper bits travel in OPT

	headerLen = 12
	maxName   = 255
	maxLabel  = 63

	flagQR = 0x80 // of octet 2
	flagAA = 0x04
	flagTC = 0x02
	flagRD = 0x01
	flagCD = 0x10 // of octet 3

	pointer = 0xC000
	// ownerPointer names the question's name: it always starts right after the header.
	ownerPointer = pointer | headerLen
)

// wireName gives the wire form of a dotted name in lower case. A trailing dot is optional.
func wireName(name string) ([]byte, error) {
	bad := func(why string) ([]byte, error) {
		return nil, &tandem.Error{Op: "read DNS name", Subject: fmt.Sprintf("%q", name), Kind: tandem.Invalid, Err: fmt.Errorf("%s", why),
			Remedy: "write labels of 1 to 63 octets with dots between, at most 253 characters in all"}
	}
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	if name == "" {
		return bad("it is empty")
	}
	out := make([]byte, 0, len(name)+2)
	for _, label := range strings.Split(name, ".") {
		if len(label) == 0 || len(label) > maxLabel {
			return bad("a label is empty or longer than 63 octets")
		}
		out = append(out, byte(len(label)))
		out = append(out, label...)
	}
	out = append(out, 0)
	if len(out) > maxName {
		return bad("it is longer than 255 octets on the wire")
	}
	return out, nil
}

// appendHead writes owner, type, class, TTL and data length of a record, the owner as a pointer.
func appendHead(b []byte, owner, typ uint16, ttl uint32, rdlen int) []byte {
	b = binary.BigEndian.AppendUint16(b, owner)
	b = binary.BigEndian.AppendUint16(b, typ)
	b = binary.BigEndian.AppendUint16(b, classIN)
	b = binary.BigEndian.AppendUint32(b, ttl)
	return binary.BigEndian.AppendUint16(b, uint16(rdlen))
}

// lowerInto copies src to dst in lower case; length octets (below 64) are no letters and pass through.
func lowerInto(dst, src []byte) {
	_ = dst[:len(src)]
	for i, c := range src {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst[i] = c
	}
}
