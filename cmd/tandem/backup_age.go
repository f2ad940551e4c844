package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"filippo.io/age"
	"filippo.io/age/plugin"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"tandem"
)

// Keys of age: X25519 and hybrid keys, plugins (age1NAME1…, AGE-PLUGIN-…, whose program age-plugin-NAME is on the path), and a
// passphrase.

// passphraseVariable holds a passphrase for commands that nobody watches.
const passphraseVariable = "TANDEM_PASSPHRASE"

func (p *places) passphraseFlag(c *cobra.Command) {
	c.Flags().BoolVar(&p.passphrase, "passphrase", false, "encrypt and open with a passphrase, from "+passphraseVariable+" or asked for; nothing else opens what is encrypted so")
}

// askPassphrase reads the passphrase; twice where it is to encrypt.
func askPassphrase(twice bool) (string, error) {
	if text := os.Getenv(passphraseVariable); text != "" {
		return text, nil
	}
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return "", usageError{errors.New("--passphrase needs a terminal, or the variable " + passphraseVariable)}
	}
	ask := func(prompt string) (string, error) {
		fmt.Fprint(os.Stderr, prompt)
		raw, err := term.ReadPassword(int(os.Stdin.Fd()))
		fmt.Fprintln(os.Stderr)
		return string(raw), err
	}
	one, err := ask("Passphrase: ")
	if err != nil || !twice {
		return one, err
	}
	two, err := ask("Once more: ")
	if err == nil && (one != two || one == "") {
		err = usageError{errors.New("the two are not equal, or empty")}
	}
	return one, err
}

// pluginUI lets plugins ask for what they need: a touch, a PIN.
func pluginUI() *plugin.ClientUI {
	say := func(format string, v ...any) { fmt.Fprintf(os.Stderr, "tandem: "+format+"\n", v...) }
	return plugin.NewTerminalUI(say, say)
}

// parseRecipients reads recipients, one a line, as age does, plugins included.
func parseRecipients(text string) (out []age.Recipient, err error) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if rs, err := age.ParseRecipients(strings.NewReader(line)); err == nil {
			out = append(out, rs...)
			continue
		}
		r, err := plugin.NewRecipient(line, pluginUI())
		if err != nil {
			return nil, fmt.Errorf("%q is no age recipient", line)
		}
		out = append(out, r)
	}
	if len(out) == 0 {
		return nil, errors.New("it names no recipient")
	}
	return out, nil
}

// parseIdentities reads an identity file, plugins included. Its errors never quote a line.
func parseIdentities(text string) (out []age.Identity, err error) {
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if strings.HasPrefix(line, "AGE-PLUGIN-") {
			i, err := plugin.NewIdentity(line, pluginUI())
			if err != nil {
				return nil, fmt.Errorf("line %d is not the identity of a plugin", n)
			}
			out = append(out, i)
			continue
		}
		is, err := age.ParseIdentities(strings.NewReader(line))
		if err != nil {
			return nil, fmt.Errorf("line %d is no age identity", n)
		}
		out = append(out, is...)
	}
	if len(out) == 0 {
		return nil, errors.New("it holds no identity")
	}
	return out, nil
}

// recipientsOf are the recipients that belong to identities, where an identity tells its own.
func recipientsOf(ids []age.Identity) (out []age.Recipient) {
	for _, id := range ids {
		switch id := id.(type) {
		case *age.X25519Identity:
			out = append(out, id.Recipient())
		case *age.HybridIdentity:
			out = append(out, id.Recipient())
		case *plugin.Identity:
			out = append(out, id.Recipient())
		}
	}
	return out
}

func readIdentities(file string) ([]age.Identity, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	raw, err := io.ReadAll(io.LimitReader(f, 1<<20))
	if err != nil {
		return nil, err
	}
	ids, err := parseIdentities(string(raw))
	if err != nil {
		return nil, &tandem.Error{Op: "read identity", Subject: file, Kind: tandem.Invalid, Err: err, Remedy: "make one with age-keygen, or name another file"}
	}
	return ids, nil
}
