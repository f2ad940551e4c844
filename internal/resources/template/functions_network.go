package template

import (
	"fmt"
	"math/big"
	"net/netip"
)

func networkFunctions() map[string]builtin {
	return map[string]builtin{
		"parsecidr":  {min: 1, max: 1, call: parseCIDR},
		"cidrsubnet": {min: 3, max: 3, call: cidrSubnet},
		"cidrhost":   {min: 2, max: 2, call: cidrHost},
	}
}

func (a *arguments) prefix() netip.Prefix {
	p, err := netip.ParsePrefix(a.text(0))
	if err != nil {
		a.fail("%q is not an address range in CIDR notation", a.v[0])
		return netip.MustParsePrefix("0.0.0.0/0")
	}
	return p.Masked()
}

// offset gives the address so many after the range's first.
func offset(p netip.Prefix, by *big.Int) (netip.Addr, bool) {
	n := new(big.Int).Add(new(big.Int).SetBytes(p.Addr().AsSlice()), by)
	if n.Sign() < 0 || n.BitLen() > p.Addr().BitLen() {
		return netip.Addr{}, false
	}
	addr, ok := netip.AddrFromSlice(n.FillBytes(make([]byte, p.Addr().BitLen()/8)))
	return addr, ok
}

func size(bits int) *big.Int { return new(big.Int).Lsh(big.NewInt(1), uint(bits)) } //nolint:gosec // 0 to 128

func parseCIDR(a *arguments) (any, error) {
	p := a.prefix()
	free := p.Addr().BitLen() - p.Bits()
	last, _ := offset(p, new(big.Int).Sub(size(free), big.NewInt(1)))
	out := map[string]any{"network": p.Addr().String(), "broadcast": last.String(), "cidr": int64(p.Bits()), "firstUsable": p.Addr().String(), "lastUsable": last.String()}
	all, _ := netip.AddrFromSlice(make([]byte, p.Addr().BitLen()/8))
	ones, _ := offset(netip.PrefixFrom(all, p.Bits()), new(big.Int).Sub(size(p.Addr().BitLen()), size(free)))
	out["netmask"] = ones.String()
	if free > 1 && p.Addr().Is4() {
		first, _ := offset(p, big.NewInt(1))
		usable, _ := offset(p, new(big.Int).Sub(size(free), big.NewInt(2)))
		out["firstUsable"], out["lastUsable"] = first.String(), usable.String()
	}
	if p.Addr().Is6() {
		delete(out, "broadcast")
	}
	return out, nil
}

func cidrSubnet(a *arguments) (any, error) {
	p, bits, n := a.prefix(), a.integer(1), a.integer(2)
	if bits < int64(p.Bits()) || bits > int64(p.Addr().BitLen()) || n < 0 {
		a.fail("the new size must be %d to %d, and the index not below zero", p.Bits(), p.Addr().BitLen())
		return nil, nil
	}
	step := size(p.Addr().BitLen() - int(bits))
	addr, ok := offset(p, new(big.Int).Mul(step, big.NewInt(n)))
	if !ok || !p.Contains(addr) {
		a.fail("the range has no subnet %d of that size", n)
		return nil, nil
	}
	return fmt.Sprintf("%s/%d", addr, bits), nil
}

func cidrHost(a *arguments) (any, error) {
	p, n := a.prefix(), a.integer(1)
	addr, ok := offset(p, new(big.Int).Add(big.NewInt(n), big.NewInt(1)))
	if n < 0 || !ok || !p.Contains(addr) {
		a.fail("the range has no host %d", n)
		return nil, nil
	}
	return addr.String(), nil
}
