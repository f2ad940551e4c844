package keys

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"time"

	"tandem"
)

// KeyService keeps a key of its own and never gives it out: it wraps a text with it, and unwraps it again. A master key file
// that a service wrapped is worth nothing to who copies it.
type KeyService interface {
	Wrap(ctx context.Context, plain []byte) (wrapped []byte, err error)
	Unwrap(ctx context.Context, wrapped []byte) (plain []byte, err error)
}

// wrappedHeader is the first line of a wrapped file; the base64 of what the service gave follows.
const wrappedHeader = "tandem-master-key-wrapped-1"

// serviceWithin bounds one call of a key service.
const serviceWithin = 30 * time.Second

func (m *Master) wrapped(plain []byte) ([]byte, error) {
	if m.service == nil {
		return plain, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), serviceWithin)
	defer cancel()
	out, err := m.service.Wrap(ctx, plain)
	if err != nil {
		return nil, serviceError("wrap master key", err)
	}
	return []byte(wrappedHeader + "\n" + base64.StdEncoding.EncodeToString(out) + "\n"), nil
}

// unwrapped gives the text of a file. A file that is not wrapped is refused where a service is set, and the other way round,
// since either means that someone changed the one without the other.
func (m *Master) unwrapped(data []byte) ([]byte, error) {
	text, isWrapped := strings.CutPrefix(string(data), wrappedHeader+"\n")
	switch {
	case m.service == nil && isWrapped:
		return nil, errors.New("a key service wrapped it, and none is configured")
	case m.service == nil:
		return data, nil
	case !isWrapped:
		return nil, errors.New("a key service is configured, and the file is not wrapped by one")
	}
	wrapped, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil {
		return nil, errors.New("its second line is not base64")
	}
	ctx, cancel := context.WithTimeout(context.Background(), serviceWithin)
	defer cancel()
	plain, err := m.service.Unwrap(ctx, wrapped)
	if err != nil {
		return nil, serviceError("unwrap master key", err)
	}
	return plain, nil
}

func serviceError(op string, err error) error {
	return &tandem.Error{Op: op, Kind: kindOr(err, tandem.Unavailable), Err: err, Remedy: "make the key service answer, and let it take this node's credential"}
}

// Command is a key service behind two commands, each with its arguments: the text on standard input, the result on standard
// output. It fits the clients of hardware modules and of clouds' key services.
type Command struct{ WrapWith, UnwrapWith []string }

var _ KeyService = Command{}

// Wrap implements KeyService.
func (c Command) Wrap(ctx context.Context, plain []byte) ([]byte, error) {
	return pipe(ctx, c.WrapWith, plain)
}

// Unwrap implements KeyService.
func (c Command) Unwrap(ctx context.Context, wrapped []byte) ([]byte, error) {
	return pipe(ctx, c.UnwrapWith, wrapped)
}

// pipe runs a command. What it says on standard error is left out of the error: it may quote its input.
func pipe(ctx context.Context, command []string, in []byte) ([]byte, error) {
	if len(command) == 0 {
		return nil, errors.New("no command is set")
	}
	cmd := exec.CommandContext(ctx, command[0], command[1:]...) //nolint:gosec // the operator's own command
	cmd.Stdin = bytes.NewReader(in)
	var out bytes.Buffer
	cmd.Stdout = &limited{&out}
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w", command[0], err)
	}
	if out.Len() == 0 {
		return nil, fmt.Errorf("%s gave nothing", command[0])
	}
	return out.Bytes(), nil
}

// limited takes at most maxFile bytes.
type limited struct{ to *bytes.Buffer }

func (l *limited) Write(b []byte) (int, error) {
	if l.to.Len()+len(b) > maxFile {
		return 0, errors.New("it gives more than a key file has")
	}
	return l.to.Write(b)
}

// Transit is a key service with the HTTP API of Vault's transit secrets engine, which OpenBao has too.
type Transit struct {
	Address string        // "https://vault.example:8200"
	Mount   string        // of the engine; empty: "transit"
	Key     string        // its name
	Token   func() string // asked before each call, since tokens are renewed; never logged
	Client  *http.Client
}

var _ KeyService = Transit{}

// Wrap implements KeyService.
func (t Transit) Wrap(ctx context.Context, plain []byte) ([]byte, error) {
	out, err := t.call(ctx, "encrypt", map[string]string{"plaintext": base64.StdEncoding.EncodeToString(plain)}, "ciphertext")
	return []byte(out), err
}

// Unwrap implements KeyService.
func (t Transit) Unwrap(ctx context.Context, wrapped []byte) ([]byte, error) {
	out, err := t.call(ctx, "decrypt", map[string]string{"ciphertext": string(wrapped)}, "plaintext")
	if err != nil {
		return nil, err
	}
	plain, err := base64.StdEncoding.DecodeString(out)
	if err != nil {
		return nil, errors.New("the key service's plaintext is not base64")
	}
	return plain, nil
}

func (t Transit) call(ctx context.Context, verb string, body map[string]string, want string) (string, error) {
	mount := strings.Trim(t.Mount, "/")
	if mount == "" {
		mount = "transit"
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(t.Address, "/")+"/v1/"+mount+"/"+verb+"/"+t.Key, bytes.NewReader(raw))
	if err != nil {
		return "", err
	}
	req.Header.Set("X-Vault-Token", t.Token())
	req.Header.Set("Content-Type", "application/json")
	resp, err := t.Client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxFile))
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		kind := tandem.Unavailable
		if resp.StatusCode == http.StatusForbidden || resp.StatusCode == http.StatusUnauthorized {
			kind = tandem.Denied
		}
		return "", &tandem.Error{Op: verb, Subject: t.Key, Kind: kind, Err: fmt.Errorf("the key service answered %s", resp.Status), Remedy: "look at its own log"}
	}
	var out struct{ Data map[string]any }
	if err := json.Unmarshal(answer, &out); err != nil {
		return "", errors.New("the key service's answer is not JSON")
	}
	text, _ := out.Data[want].(string)
	if text == "" {
		return "", fmt.Errorf("the key service's answer has no %s", want)
	}
	return text, nil
}
