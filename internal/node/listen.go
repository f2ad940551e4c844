package node

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"time"

	"tandem"
	"tandem/internal/keys"
)

// listen opens a TCP listener on the node's address; port zero takes a free one.
func (n *Node) listen(port int) (net.Listener, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(n.Address, strconv.Itoa(port)))
	if err != nil {
		return nil, &tandem.Error{Op: "listen", Subject: net.JoinHostPort(n.Address, strconv.Itoa(port)), Kind: tandem.Unavailable, Err: err, Remedy: "stop what uses the port, or choose another one"}
	}
	return l, nil
}

func portOf(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }

// serverTLS is the TLS side of a listener: a leaf for the names, renewed before it ends.
func (n *Node) serverTLS(name string, hosts ...string) (*tls.Config, error) {
	source, err := n.ca.Source(keys.Leaf{Name: name, Hosts: append([]string{n.Address, "localhost"}, hosts...)})
	if err != nil {
		return nil, err
	}
	return &tls.Config{GetCertificate: source.GetCertificate, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}, nil
}

// peerTLS is the client's side of calls to other nodes.
func (n *Node) peerTLS() (*tls.Config, error) {
	source, err := n.ca.Source(keys.Leaf{Name: "node " + string(n.Region), Hosts: []string{n.Address}, Client: true})
	if err != nil {
		return nil, err
	}
	return &tls.Config{RootCAs: n.ca.Pool(), GetClientCertificate: source.GetClientCertificate, MinVersion: tls.VersionTLS12}, nil
}

// internalTLS is the TLS side of the internal endpoint: only nodes of this deployment may call it.
func (n *Node) internalTLS() (*tls.Config, error) {
	config, err := n.serverTLS("internal of " + string(n.Region))
	if err != nil {
		return nil, err
	}
	config.ClientCAs, config.ClientAuth = n.ca.Pool(), tls.RequireAndVerifyClientCert
	return config, nil
}

// drainWithin is how long requests under way may take when a node stops.
const drainWithin = 2 * time.Second

// serve runs an HTTPS server until the node stops.
func (n *Node) serve(l net.Listener, config *tls.Config, h http.Handler) {
	s := &http.Server{Handler: h, TLSConfig: config, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, ErrorLog: log.New(io.Discard, "", 0)}
	n.running.Go(func() {
		if err := s.ServeTLS(l, "", ""); !errors.Is(err, http.ErrServerClosed) {
			n.Log.Error("a listener ended", "address", l.Addr().String(), "error", err)
		}
	})
	n.closers = append(n.closers, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), drainWithin)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			return s.Close()
		}
		return nil
	})
}
