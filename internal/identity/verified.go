package identity

import (
	"crypto/sha256"
	"sync"
)

// maxVerified bounds the memory of one cache: a claim set has about half a kilobyte.
const maxVerified = 2000

// verified remembers whose signature was found good, by the token's hash, because a client sends the same token for an hour
// and a signature costs more than the rest of a call. It belongs to one view, so that it goes when keys change. All that
// can change by itself (time, principal, roles) is looked at in every call.
type verified struct {
	mu     sync.RWMutex
	claims map[[sha256.Size]byte]Claims
}

func (v *verified) get(token string) (Claims, bool) {
	sum := sha256.Sum256([]byte(token))
	v.mu.RLock()
	defer v.mu.RUnlock()
	c, ok := v.claims[sum]
	return c, ok
}

func (v *verified) put(token string, c Claims) {
	sum := sha256.Sum256([]byte(token))
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.claims == nil || len(v.claims) >= maxVerified {
		v.claims = map[[sha256.Size]byte]Claims{}
	}
	v.claims[sum] = c
}
