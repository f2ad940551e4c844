package store

import (
	"errors"
	"fmt"
	"strings"

	"tandem"
)

// Check says whether every store would accept the batch's form: keys are well formed, no key is written twice, and the
// limits MaxOps and MaxBytes hold. Its errors are of the kinds Invalid and TooLarge. Implementations of Store call it first,
// so that a batch that one engine takes is taken by all.
func (b Batch) Check() error {
	if n := b.ops(); n > MaxOps {
		return &tandem.Error{Op: "commit", Subject: fmt.Sprintf("a batch of %d operations", n), Kind: tandem.TooLarge,
			Remedy: fmt.Sprintf("split it into batches of at most %d puts, deletes and conditions", MaxOps)}
	}
	if n := b.bytes(); n > MaxBytes {
		return &tandem.Error{Op: "commit", Subject: fmt.Sprintf("a batch of %d bytes", n), Kind: tandem.TooLarge,
			Remedy: fmt.Sprintf("split it into batches of at most %d bytes of keys and values", MaxBytes)}
	}
	return b.checkForm()
}

// checkForm is Check without the limits.
func (b Batch) checkForm() error {
	for _, c := range b.If {
		if err := CheckKey(c.Key); err != nil {
			return err
		}
		if c.Revision < Any {
			return &tandem.Error{Op: "commit", Subject: c.Key, Kind: tandem.Invalid,
				Err:    fmt.Errorf("the condition's revision is %d", c.Revision),
				Remedy: "give a revision that was read, zero for an absent key, or Any"}
		}
	}
	written := make(map[string]struct{}, len(b.Put)+len(b.Delete))
	write := func(key string) error {
		if err := CheckKey(key); err != nil {
			return err
		}
		if _, twice := written[key]; twice {
			return &tandem.Error{Op: "commit", Subject: key, Kind: tandem.Invalid,
				Err:    errors.New("the batch writes the key twice"),
				Remedy: "write each key at most once in a batch"}
		}
		written[key] = struct{}{}
		return nil
	}
	for _, w := range b.Put {
		if err := write(w.Key); err != nil {
			return err
		}
	}
	for _, key := range b.Delete {
		if err := write(key); err != nil {
			return err
		}
	}
	return nil
}

// CheckKey says whether a key is well formed: not empty, no slash in front, no NUL byte.
func CheckKey(key string) error {
	if key != "" && key[0] != '/' && strings.IndexByte(key, 0) < 0 {
		return nil
	}
	return &tandem.Error{Op: "use key", Subject: fmt.Sprintf("%q", key), Kind: tandem.Invalid,
		Remedy: "write a key of slash-separated names, not empty, without a slash in front and without NUL bytes"}
}

func (b Batch) ops() int { return len(b.If) + len(b.Put) + len(b.Delete) }

func (b Batch) bytes() int {
	n := 0
	for _, c := range b.If {
		n += len(c.Key)
	}
	for _, w := range b.Put {
		n += len(w.Key) + len(w.Value)
	}
	for _, key := range b.Delete {
		n += len(key)
	}
	return n
}
