package snapshot

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"os"
)

const (
	spoolChunk  = 1 << 20
	spoolChunks = 32 // that many stay in memory
)

// spool keeps the files of a snapshot until their order and hashes are known: the first 32 MiB in memory, the rest in a
// temporary file under a key that exists in memory alone (law 7), AES-256 in counter mode, each byte at its own place of the
// key stream. Integrity needs no help here: every file is hashed before it goes in and again when it comes out.
type spool struct {
	memory [][]byte
	tail   []byte // what the file does not have yet
	size   int64
	file   *os.File
	block  cipher.Block
}

// add appends data and gives where it lies.
func (s *spool) add(data []byte) (at int64, err error) {
	at = s.size
	for len(data) > 0 {
		if cap(s.tail) == len(s.tail) {
			if err := s.turn(); err != nil {
				return 0, err
			}
		}
		n := copy(s.tail[len(s.tail):cap(s.tail)], data)
		s.tail = s.tail[:len(s.tail)+n]
		data = data[n:]
		s.size += int64(n)
	}
	return at, nil
}

// turn puts a full tail away.
func (s *spool) turn() error {
	switch {
	case s.tail == nil:
	case len(s.memory) < spoolChunks:
		s.memory = append(s.memory, s.tail)
	default:
		if s.file == nil {
			if err := s.open(); err != nil {
				return err
			}
		}
		at := s.size - int64(len(s.tail)) - spoolChunks*spoolChunk
		s.xor(s.tail, at)
		if _, err := s.file.WriteAt(s.tail, at); err != nil {
			return err
		}
		s.tail = s.tail[:0]
		return nil
	}
	s.tail = make([]byte, 0, spoolChunk)
	return nil
}

func (s *spool) open() error {
	var key [32]byte
	if _, err := rand.Read(key[:]); err != nil {
		return err
	}
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return err
	}
	f, err := os.CreateTemp("", "tandem-spool-*")
	if err != nil {
		return err
	}
	s.file, s.block = f, block
	return nil
}

// xor encrypts or decrypts data that lies at the given place of the file.
func (s *spool) xor(data []byte, at int64) {
	var iv [aes.BlockSize]byte
	binary.BigEndian.PutUint64(iv[8:], uint64(at/aes.BlockSize))
	stream := cipher.NewCTR(s.block, iv[:])
	var skip [aes.BlockSize]byte
	stream.XORKeyStream(skip[:at%aes.BlockSize], skip[:at%aes.BlockSize])
	stream.XORKeyStream(data, data)
}

// read fills data from what was added at the given place.
func (s *spool) read(data []byte, at int64) error {
	for len(data) > 0 {
		n, tailAt := 0, s.size-int64(len(s.tail))
		switch chunk := at / spoolChunk; {
		case at >= tailAt:
			n = copy(data, s.tail[at-tailAt:])
		case chunk < int64(len(s.memory)):
			n = copy(data, s.memory[chunk][at%spoolChunk:])
		default:
			n = int(min(int64(len(data)), tailAt-at))
			place := at - spoolChunks*spoolChunk
			if _, err := s.file.ReadAt(data[:n], place); err != nil {
				return err
			}
			s.xor(data[:n], place)
		}
		if n == 0 {
			return errors.New("read past the end of the spool")
		}
		data, at = data[n:], at+int64(n)
	}
	return nil
}

func (s *spool) close() error {
	if s.file == nil {
		return nil
	}
	return errors.Join(s.file.Close(), os.Remove(s.file.Name()))
}
