package snapshot

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
)

// The tar is written and read here, not by archive/tar, since every entry has exactly one form (docs/format.md, section 3):
// the reader compares headers with what they must be, and no later version of a library may change a byte.

const block = 512

// tarHeader gives the blocks in front of an entry's data.
func tarHeader(name string, size int64) []byte {
	if len(name) <= 100 && ascii(name) {
		return ustar(name, '0', size)
	}
	record := " path=" + name + "\n"
	n := len(record)
	for n != len(record)+len(strconv.Itoa(n)) { // the record's length counts its own digits
		n = len(record) + len(strconv.Itoa(n))
	}
	record = strconv.Itoa(n) + record
	sum := sha256.Sum256([]byte(name))
	out := append(ustar("pax/path", 'x', int64(n)), record...)
	out = append(out, make([]byte, padding(int64(n)))...)
	return append(out, ustar("pax/"+hex.EncodeToString(sum[:16]), '0', size)...)
}

// ustar gives one header block of IEEE 1003.1.
func ustar(name string, flag byte, size int64) []byte {
	b := make([]byte, block)
	copy(b, name)
	mode := "0000644"
	if name == secretsFile {
		mode = "0000600" // so that unpacking it gives nothing away
	}
	copy(b[100:], mode+"\x000000000\x000000000\x00") // mode, owner, group
	copy(b[124:], fmt.Sprintf("%011o\x0000000000000\x00        ", size))
	b[156] = flag
	copy(b[257:], "ustar\x0000")
	copy(b[329:], "0000000\x000000000\x00") // device numbers
	sum := 0
	for _, c := range b {
		sum += int(c)
	}
	copy(b[148:], fmt.Sprintf("%06o\x00 ", sum))
	return b
}

// tarSize reads the size field of a header, for the one entry whose size nothing else tells.
func tarSize(header []byte) (int64, error) {
	return strconv.ParseInt(string(header[124:135]), 8, 64)
}

// padding is how many zeros follow data of a size.
func padding(size int64) int64 { return (block - size%block) % block }

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
