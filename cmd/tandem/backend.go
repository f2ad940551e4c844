package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"tandem/internal/rehearsal/parcels"
)

func newBackend() *cobra.Command {
	var listen string
	c := &cobra.Command{Use: "backend", Short: "Serve the rehearsal's API, the backend behind the gateways", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
		return runBackend(c.Context(), listen)
	}}
	c.Flags().StringVar(&listen, "listen", "127.0.0.1:0", "address to listen on")
	return c
}

func runBackend(ctx context.Context, listen string) error {
	ctx, stop := untilParentEnds(ctx)
	defer stop()
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	s := &http.Server{Handler: parcels.New(), ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	if err := tellReady(map[string]string{"address": l.Addr().String()}); err != nil {
		return errors.Join(err, s.Close())
	}
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return s.Close()
	}
}
