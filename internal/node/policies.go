package node

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"tandem/internal/apim"
	"tandem/internal/policy"
	"tandem/internal/policy/markup"
)

// policyChecker validates policies when they are written: as a gateway would compile them, with named values and fragments
// taken as given, since they may come later.
type policyChecker struct{}

// CheckPolicy implements apim.PolicyChecker.
func (policyChecker) CheckPolicy(text string, fragment bool) []apim.PolicyProblem {
	_, problems := policy.CompileUnit(policy.Source{Name: "policy", Text: text}, policy.Options{Presume: true})
	var out []apim.PolicyProblem
	for _, p := range problems {
		if p.Severity == policy.Error {
			out = append(out, apim.PolicyProblem{Element: p.Name, Line: p.Line, Column: p.Column, Message: p.Message})
		}
	}
	return out
}

// Rewrite implements apim.PolicyChecker.
func (policyChecker) Rewrite(text, format string) (string, error) {
	d, err := markup.Read(text)
	if err != nil {
		return "", err
	}
	if format == "rawxml" {
		return d.Write(markup.RawXML), nil
	}
	return d.Write(markup.XML), nil
}

// Describe implements apim.PolicyDescriber.
func (policyChecker) Describe() []apim.PolicyDescription {
	var out []apim.PolicyDescription
	for _, p := range policy.Registry() {
		if p.Refused != "" {
			continue
		}
		d := apim.PolicyDescription{Name: p.Name, Description: p.Does}
		for _, s := range p.Scopes {
			d.Scopes = append(d.Scopes, string(s))
		}
		out = append(out, d)
	}
	return out
}

// mostFetched bounds a document that is imported by link.
const mostFetched = 64 << 20

// fetch reads a document that a client named by its address.
func (n *Node) fetch(ctx context.Context, address string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // it is read to its end or given up
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the server answered %s", resp.Status)
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, mostFetched+1))
	if err == nil && len(raw) > mostFetched {
		err = fmt.Errorf("the document is larger than %d bytes", mostFetched)
	}
	return raw, err
}
