// Package evidence seals reports of recovery runs so that they can be checked later, offline, by anyone.
//
// A sealed report is one line of JSON:
//
//	{"tandemEvidence":1,"payload":{…},"publicKey":"<hex>","signature":"<hex>"}
//
// The signature is Ed25519 (RFC 8032) over "tandem evidence 1\n" and the payload's bytes. The payload names the SHA-256 of the
// report before it, so that none can be taken out of the middle of a group's chain. Verification compares every byte of the
// file with what these parts give, so a change anywhere is found.
package evidence

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"time"

	"tandem"
)

// Report is the payload: what happened in one run, for people and for machines. It holds no secret.
type Report struct {
	Group    string    `json:"group"`
	Number   uint64    `json:"number"`             // in the group's chain, from 1
	Previous string    `json:"previous,omitempty"` // SHA-256 of the sealed report before, hex
	Sealed   time.Time `json:"sealed"`             // by the leader's wall clock, for people
	Run      string    `json:"run"`
	Kind     string    `json:"kind"`
	Status   string    `json:"status"`
	Summary  []string  `json:"summary"` // in plain words
	Measures []Measure `json:"measures"`
	// Timeline is what was decided and seen: wall times for people, ticks of one leader's clock for measuring.
	Timeline []Line          `json:"timeline"`
	Record   json.RawMessage `json:"record"`  // the run with its steps
	Moments  json.RawMessage `json:"moments"` // what the measures are made of
}

// Measure is a figure against its objective.
type Measure struct {
	Name      string `json:"name"`      // "RPO", "RTO"
	Measured  string `json:"measured"`  // "0ms to 800ms", "unknown"
	Objective string `json:"objective"` // "1s"
	Result    string `json:"result"`    // met, missed, unproven
}

// Line is one line of the timeline.
type Line struct {
	Time time.Time `json:"time"`
	Term uint64    `json:"term"`
	Tick int64     `json:"tickMillis"` // compares only within one term
	Text string    `json:"text"`
}

const (
	format = 1
	prefix = "tandem evidence 1\n"
)

// Seal writes a sealed report.
func Seal(r Report, key ed25519.PrivateKey) ([]byte, error) {
	payload, err := json.Marshal(r)
	if err != nil {
		return nil, &tandem.Error{Op: "seal evidence", Subject: r.Run, Kind: tandem.Invalid, Err: err}
	}
	return assemble(payload, key.Public().(ed25519.PublicKey), ed25519.Sign(key, append([]byte(prefix), payload...))), nil
}

func assemble(payload []byte, key ed25519.PublicKey, signature []byte) []byte {
	return fmt.Appendf(nil, "{\"tandemEvidence\":%d,\"payload\":%s,\"publicKey\":\"%x\",\"signature\":\"%x\"}\n", format, payload, []byte(key), signature)
}

// Digest is what the next report of the chain names.
func Digest(sealed []byte) string {
	sum := sha256.Sum256(sealed)
	return hex.EncodeToString(sum[:])
}

// Verify checks a sealed report, JSON or HTML, and reads it. key is the one that must have signed it; nil takes the one
// in the report, which proves only that the report is whole. The error is Corrupt.
func Verify(file []byte, key ed25519.PublicKey) (*Report, ed25519.PublicKey, error) {
	fail := func(err error) (*Report, ed25519.PublicKey, error) {
		return nil, nil, &tandem.Error{Op: "verify evidence", Kind: tandem.Corrupt, Err: err, Remedy: "take the copy that lies in the vault, and ask who changed this one"}
	}
	if bytes.HasPrefix(file, []byte(htmlHead)) {
		sealed, ok := embedded(file)
		if !ok {
			return fail(errors.New("the page holds no sealed report"))
		}
		again, err := HTML(sealed)
		if err != nil || !bytes.Equal(again, file) {
			return fail(errors.New("the page is not what the sealed report gives"))
		}
		file = sealed
	}
	var outer struct {
		Format    int             `json:"tandemEvidence"`
		Payload   json.RawMessage `json:"payload"`
		PublicKey string          `json:"publicKey"`
		Signature string          `json:"signature"`
	}
	if err := json.Unmarshal(file, &outer); err != nil || outer.Format != format {
		return fail(errors.New("it is no sealed report of a format that is known"))
	}
	public, err1 := hex.DecodeString(outer.PublicKey)
	signature, err2 := hex.DecodeString(outer.Signature)
	if err1 != nil || err2 != nil || len(public) != ed25519.PublicKeySize {
		return fail(errors.New("its key or signature is not whole"))
	}
	if !bytes.Equal(assemble(outer.Payload, public, signature), file) {
		return fail(errors.New("its bytes are not as they were written"))
	}
	if key != nil && !bytes.Equal(key, public) {
		return fail(errors.New("another key signed it"))
	}
	if !ed25519.Verify(public, append([]byte(prefix), outer.Payload...), signature) {
		return fail(errors.New("the signature does not fit: the report was changed"))
	}
	var r Report
	if err := json.Unmarshal(outer.Payload, &r); err != nil {
		return fail(err)
	}
	return &r, public, nil
}

// Chain checks that sealed reports follow each other without a gap. They are in the order of their numbers.
func Chain(sealed [][]byte, key ed25519.PublicKey) error {
	var before *Report
	for i, one := range sealed {
		r, signer, err := Verify(one, key)
		if err != nil {
			return err
		}
		key = signer
		if before != nil && (r.Number != before.Number+1 || r.Group != before.Group || r.Previous != Digest(sealed[i-1])) {
			return &tandem.Error{Op: "verify chain of evidence", Subject: fmt.Sprintf("report %d of %s", r.Number, r.Group), Kind: tandem.Corrupt,
				Err: fmt.Errorf("it does not follow report %d", before.Number), Remedy: "give all reports of one group, in order; if they are all here, one was changed or taken out"}
		}
		before = r
	}
	return nil
}

const (
	htmlHead = "<!doctype html><!-- tandem evidence -->\n"
	dataTag  = "<script type=\"application/json\" id=\"sealed\">"
	dataEnd  = "</script>"
)

// HTML gives the page of a sealed report: readable without Tandem, with the sealed report inside.
func HTML(sealed []byte) ([]byte, error) {
	var outer struct {
		Payload Report `json:"payload"`
	}
	if err := json.Unmarshal(sealed, &outer); err != nil {
		return nil, &tandem.Error{Op: "read evidence", Kind: tandem.Corrupt, Err: err}
	}
	t, err := template.New("evidence").Parse(page)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString(htmlHead)
	if err := t.Execute(&b, outer.Payload); err != nil {
		return nil, err
	}
	// JSON as this package writes it has no "<": the encoder escapes it, so the element cannot be closed early.
	b.WriteString(dataTag)
	b.Write(sealed)
	b.WriteString(dataEnd + "\n")
	return b.Bytes(), nil
}

func embedded(file []byte) ([]byte, bool) {
	_, rest, ok := bytes.Cut(file, []byte(dataTag))
	sealed, _, end := bytes.Cut(rest, []byte(dataEnd))
	return sealed, ok && end
}

const page = `<html lang="en"><meta charset="utf-8"><title>Evidence {{.Number}}: {{.Kind}}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}table{border-collapse:collapse;width:100%}td,th{text-align:left;border-bottom:1px solid #ccc;padding:.3rem}</style>
<h1>{{.Kind}} {{.Run}}: {{.Status}}</h1><p>{{.Group}}<br>report {{.Number}}, sealed {{.Sealed.Format "2006-01-02 15:04:05 MST"}}</p>
<ul>{{range .Summary}}<li>{{.}}</li>{{end}}</ul>
<h2>Objectives</h2><table><tr><th>objective</th><th>promised</th><th>measured</th><th>result</th></tr>{{range .Measures}}<tr><td>{{.Name}}</td><td>{{.Objective}}</td><td>{{.Measured}}</td><td>{{.Result}}</td></tr>{{end}}</table>
<h2>Timeline</h2><table>{{range .Timeline}}<tr><td>{{.Time.Format "2006-01-02 15:04:05.000"}}</td><td>{{.Tick}}</td><td>{{.Text}}</td></tr>{{end}}</table>
`
