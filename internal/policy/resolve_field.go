package policy

import (
	"context"
	"errors"
)

// ResolveField runs the resolver for one field beside whatever else s is asked for: args and parent are JSON, and so is the
// value. Several may run at once as long as nothing else changes s; its request's body is held in memory.
func (u *Unit) ResolveField(ctx context.Context, s *State, args, parent []byte) ([]byte, error) {
	b := s.fork(ctx)
	b.GraphQL, b.Note = &GraphQLInfo{Arguments: args, Parent: parent}, nil
	b.resetResponse()
	if err := u.Resolve(ctx, b); err != nil {
		return nil, err
	}
	body, err := b.Response.Body.Bytes(s.Host.maxBody())
	if err != nil {
		return nil, errors.Join(err, b.Response.Body.Close())
	}
	if b.Response.Status >= 400 {
		return nil, &LastError{Source: "http-data-source", Status: b.Response.Status, Reason: ReasonConnection, Message: "The data source answered " + statusText(b.Response.Status) + "."}
	}
	return body, nil
}
