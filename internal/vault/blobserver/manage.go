package blobserver

import (
	"context"
	"errors"
	"net/http"

	"tandem"
)

// CreateContainer makes a container, for the management API. Errors are of the kinds Exists and Invalid.
func (s *Server) CreateContainer(_ context.Context, account, name string) error {
	if err := manageable("make container", account, name); err != nil {
		return err
	}
	_, err := s.disk.create(account, name, nil)
	return managed("make container", name, err)
}

// DeleteContainer removes a container with its blobs. An error of kind NotFound where it is absent.
func (s *Server) DeleteContainer(_ context.Context, account, name string) error {
	if err := manageable("delete container", account, name); err != nil {
		return err
	}
	return managed("delete container", name, s.disk.remove(account, name, func(*container) error { return nil }))
}

// ListContainers names the containers of an account, in order.
func (s *Server) ListContainers(_ context.Context, account string) ([]string, error) {
	if err := manageable("list containers", account, "any"); err != nil {
		return nil, err
	}
	names, err := s.disk.names(account)
	return names, managed("list containers", account, err)
}

// manageable refuses names that are no names, before they become paths.
func manageable(op, account, container string) error {
	if accountName(account) && containerName(container) {
		return nil
	}
	return &tandem.Error{Op: op, Subject: account + "/" + container, Kind: tandem.Invalid,
		Remedy: "use 3 to 24 lower-case letters and digits for the account, 3 to 63 with single dashes for the container"}
}

// managed turns an error of the wire into one of package tandem.
func managed(op, subject string, err error) error {
	var we *wireError
	if !errors.As(err, &we) {
		return err
	}
	kind := tandem.Invalid
	switch we.status {
	case http.StatusNotFound:
		kind = tandem.NotFound
	case http.StatusConflict:
		kind = tandem.Exists
	}
	return &tandem.Error{Op: op, Subject: subject, Kind: kind, Err: errors.New(we.message)}
}
