//go:build !unix

package keys

import "os"

// lock opens the lock file beside a key file, as far as the system makes that exclusive.
func lock(file string) (unlock func() error, err error) {
	f, err := os.OpenFile(file+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	return f.Close, nil
}
