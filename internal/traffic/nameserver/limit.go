package nameserver

import (
	"math/bits"
	"math/rand/v2"
	"net/netip"
	"sync/atomic"
)

// limiter holds answers to one network (/24, /56) to a rate, so that forged questions cannot aim the server at a victim.
// Its memory is fixed: networks that hash alike share a bucket.
type limiter struct {
	rate    uint32 // answers per second and network; also the burst
	slip    uint32 // of those over the rate, one in so many is told to come by TCP
	seed    uint64
	buckets [1 << 14]atomic.Uint64 // high half: millisecond of the last refill; low half: tokens in thousandths
}

type limitVerdict uint8

const (
	limitPass limitVerdict = iota
	limitDrop
	limitSlip
)

// take spends one token. A lost race costs or gives one token; that is no harm.
func (l *limiter) take(a netip.Addr, millis uint32) limitVerdict {
	b := &l.buckets[l.slot(a)]
	v := b.Load()
	last, tokens := uint32(v>>32), uint64(uint32(v))
	most := uint64(l.rate) * 1000
	if v == 0 {
		tokens = most
	} else {
		tokens = min(most, tokens+uint64(millis-last)*uint64(l.rate))
	}
	if tokens < 1000 {
		b.CompareAndSwap(v, uint64(millis)<<32|tokens)
		if l.slip > 0 && rand.Uint32N(l.slip) == 0 {
			return limitSlip
		}
		return limitDrop
	}
	tokens -= 1000
	if tokens == 0 && millis == 0 {
		tokens = 1 // zero means a bucket never used
	}
	b.CompareAndSwap(v, uint64(millis)<<32|tokens)
	return limitPass
}

func (l *limiter) slot(a netip.Addr) uint64 {
	var x uint64
	if a.Is4() {
		b := a.As4()
		x = uint64(b[0])<<16 | uint64(b[1])<<8 | uint64(b[2])
	} else {
		b := a.As16()
		for i := range 7 {
			x = x<<8 | uint64(b[i])
		}
		x |= 1 << 63
	}
	hi, lo := bits.Mul64(x^l.seed, 0x9E3779B97F4A7C15)
	return (hi ^ lo) >> 7 % uint64(len(l.buckets))
}
