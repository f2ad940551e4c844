package relay

import (
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"

	"tandem"
)

// ErrNotPermitted says that this machine or this user may not make network namespaces or TUN devices.
var ErrNotPermitted = errors.New("network namespaces with TUN devices cannot be made here")

// namespace is a network namespace. It lives as long as its descriptor, and as processes and sockets in it.
type namespace struct{ fd int }

// current is the file of the calling thread's own network namespace.
const current = "/proc/thread-self/ns/net"

func newNamespace() (ns *namespace, err error) {
	err = apart(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return notPermitted("make a network namespace", err)
		}
		fd, err := unix.Open(current, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("open the network namespace: %w", err)
		}
		ns = &namespace{fd}
		return interfaceUp("lo")
	})
	if err != nil && ns != nil {
		err = errors.Join(err, ns.close())
	}
	return ns, err
}

// do runs f on a thread that is in the namespace. What f makes there, sockets and processes, stays in it.
func (ns *namespace) do(f func() error) error {
	return apart(func() error {
		if err := unix.Setns(ns.fd, unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter the network namespace: %w", err)
		}
		return f()
	})
}

func (ns *namespace) close() error { return unix.Close(ns.fd) }

// apart runs f on a thread of its own, which is put back into its namespace afterwards.
func apart(f func() error) error {
	ended := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		home, err := unix.Open(current, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			runtime.UnlockOSThread()
			ended <- fmt.Errorf("open the thread's network namespace: %w", err)
			return
		}
		err = f()
		if back := unix.Setns(home, unix.CLONE_NEWNET); back == nil {
			runtime.UnlockOSThread()
		} // else the goroutine ends locked, and the thread with it: nobody may run on it any more
		ended <- errors.Join(err, unix.Close(home))
	}()
	return <-ended
}

func notPermitted(what string, err error) error {
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) || errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.ENXIO) {
		return &tandem.Error{Op: what, Kind: tandem.Unavailable, Err: fmt.Errorf("%w: %w", ErrNotPermitted, err), Remedy: "run as root, with /dev/net/tun and the capability CAP_SYS_ADMIN"}
	}
	return fmt.Errorf("%s: %w", what, err)
}
