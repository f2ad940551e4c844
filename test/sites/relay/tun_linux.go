package relay

import (
	"errors"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// device is the name of a site's TUN device inside its namespace.
const device = "wan0"

// txQueue is how many packets a device keeps for the relay to read: a relay that is scheduled late must not lose any.
const txQueue = 20000

// openTUN makes the device of a site; it must run in the site's namespace. The device ends with its file.
func openTUN(prefix netip.Prefix, mtu int) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, notPermitted("open /dev/net/tun", err)
	}
	fail := func(what string, err error) (*os.File, error) {
		return nil, errors.Join(notPermitted(what, err), unix.Close(fd))
	}
	r, err := unix.NewIfreq(device)
	if err != nil {
		return fail("name the TUN device", err)
	}
	r.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, r); err != nil {
		return fail("make the TUN device", err)
	}
	if err := configure(prefix, mtu); err != nil {
		return fail("configure the TUN device", err)
	}
	return os.NewFile(uintptr(fd), device), nil
}

// configure gives the device its address, net mask, MTU and queue, and brings it up, which adds the route to the net.
func configure(prefix netip.Prefix, mtu int) error {
	mask, err := netip.AddrFrom4([4]byte{255, 255, 255, 255}).Prefix(prefix.Bits())
	if err != nil {
		return err
	}
	for _, step := range []struct {
		what string
		call uint
		set  func(*unix.Ifreq) error
	}{
		{"address", unix.SIOCSIFADDR, func(r *unix.Ifreq) error { return r.SetInet4Addr(prefix.Addr().AsSlice()) }},
		{"net mask", unix.SIOCSIFNETMASK, func(r *unix.Ifreq) error { return r.SetInet4Addr(mask.Addr().AsSlice()) }},
		{"MTU", unix.SIOCSIFMTU, func(r *unix.Ifreq) error { r.SetUint32(uint32(mtu)); return nil }},
		{"queue length", unix.SIOCSIFTXQLEN, func(r *unix.Ifreq) error { r.SetUint32(txQueue); return nil }},
	} {
		if err := ask(device, step.call, step.set); err != nil {
			return fmt.Errorf("set the %s: %w", step.what, err)
		}
	}
	return interfaceUp(device)
}

func interfaceUp(name string) error {
	err := ask(name, unix.SIOCSIFFLAGS, func(r *unix.Ifreq) error { r.SetUint16(unix.IFF_UP | unix.IFF_RUNNING); return nil })
	if err != nil {
		return fmt.Errorf("bring up %s: %w", name, err)
	}
	return nil
}

// ask makes one ioctl about an interface of the calling thread's namespace.
func ask(name string, call uint, set func(*unix.Ifreq) error) error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s) //nolint:errcheck // it carried a question
	r, err := unix.NewIfreq(name)
	if err == nil {
		err = set(r)
	}
	if err == nil {
		err = unix.IoctlIfreq(s, call, r)
	}
	return err
}
