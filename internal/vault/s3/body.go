package s3

import (
	"bytes"
	"io"
)

// whole reads up to one part. What ends there comes back with its size, so that it is sent in one call; of a longer one
// the size is -1.
func whole(r io.Reader) (body io.Reader, size int64, err error) {
	var head bytes.Buffer
	n, err := io.CopyN(&head, r, partSize)
	switch {
	case err == io.EOF:
		return bytes.NewReader(head.Bytes()), n, nil
	case err != nil:
		return nil, 0, err
	}
	return io.MultiReader(&head, r), -1, nil
}
