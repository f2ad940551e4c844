package node

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"tandem"
)

// peerWithin bounds a call to another node's internal listener.
const peerWithin = 10 * time.Second

// kindHeader carries the kind of an error between nodes.
const kindHeader = "X-Tandem-Kind"

// callPeer calls another node's internal listener over mutual TLS. An error has the kind that the other node gave it;
// Unavailable where it does not answer.
func (n *Node) callPeer(ctx context.Context, method, address string, body, into any) error {
	return call(ctx, &http.Client{Transport: n.outbound, Timeout: peerWithin}, method, address, body, into)
}

func call(ctx context.Context, client *http.Client, method, address string, body, into any) error {
	fail := func(kind tandem.Kind, err error) error {
		return &tandem.Error{Op: "call node", Subject: address, Kind: kind, Err: err}
	}
	var send io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return fail(tandem.Invalid, err)
		}
		send = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, address, send)
	if err != nil {
		return fail(tandem.Invalid, err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return fail(tandem.Unavailable, err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	if resp.StatusCode >= http.StatusMultipleChoices {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 4096)) // what it says is a help, no need
		kind := tandem.Kind(resp.Header.Get(kindHeader))
		if kind == "" {
			kind = tandem.Unavailable
		}
		if len(text) == 0 {
			return fail(kind, fmt.Errorf("it answered %s", resp.Status))
		}
		return fail(kind, errors.New(strings.TrimSpace(string(text))))
	}
	if into == nil || resp.StatusCode == http.StatusNoContent {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		return fail(tandem.Unavailable, err)
	}
	return nil
}

// writeKind answers an error on the internal listener, so that callPeer gives it back.
func writeKind(w http.ResponseWriter, err error) {
	kind := tandem.KindOf(err)
	w.Header().Set(kindHeader, string(kind))
	status := http.StatusInternalServerError
	switch kind {
	case tandem.NotFound:
		status = http.StatusNotFound
	case tandem.Exists, tandem.Precondition, tandem.Locked:
		status = http.StatusConflict
	case tandem.Invalid, tandem.TooLarge, tandem.Unsupported:
		status = http.StatusBadRequest
	case tandem.Unavailable, tandem.Closed:
		status = http.StatusServiceUnavailable
	}
	http.Error(w, err.Error(), status)
}
