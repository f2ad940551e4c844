package replica

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime"
	"strings"
	"sync"

	"filippo.io/age"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/policy"
	"tandem/internal/snapshot"
)

// Outcome of a proof (law 9): what could not be found out is not called well.
type ProofOutcome string

// The outcomes.
const (
	Proven       ProofOutcome = "proven"
	Failed       ProofOutcome = "failed"
	Inconclusive ProofOutcome = "inconclusive"
)

// Reason is why a proof is not Proven, or a warning beside one that is.
type Reason struct {
	Path    string `json:"path,omitempty"`
	Line    int    `json:"line,omitempty"`
	Message string `json:"message"`
}

// Proof is what a verification found.
type Proof struct {
	Outcome   ProofOutcome        `json:"outcome"`
	Failures  []Reason            `json:"failures"`
	Doubts    []Reason            `json:"doubts"`   // what makes it inconclusive
	Warnings  []Reason            `json:"warnings"` // what a person should know and a restore survives
	Manifest  snapshot.Manifest   `json:"-"`
	Resources int                 `json:"resources"`
	Files     int                 `json:"files"`
	Bytes     int64               `json:"bytes"` // of all files
	Policies  int                 `json:"policies"`
	Restored  bool                `json:"restored"` // into a scratch service, and compared
	Replayed  []Replayed          `json:"replayed,omitempty"`
	all       []snapshot.Resource `json:"-"`
}

// All gives the resources of a snapshot that was read to its end.
func (p *Proof) All() []snapshot.Resource { return p.all }

func (p *Proof) settle() *Proof {
	switch {
	case len(p.Failures) > 0:
		p.Outcome = Failed
	case len(p.Doubts) > 0:
		p.Outcome = Inconclusive
	default:
		p.Outcome = Proven
	}
	return p
}

func newProof() *Proof { return &Proof{Failures: []Reason{}, Doubts: []Reason{}, Warnings: []Reason{}} }

// Prove reads every byte of a snapshot, checks every hash, decodes every document and compiles every policy.
func Prove(ctx context.Context, r io.Reader, identities ...age.Identity) *Proof {
	s, err := snapshot.Open(ctx, r, identities...)
	if err != nil {
		p := newProof()
		p.unread(err)
		return p.settle()
	}
	defer s.Close()
	p := proveResources(ctx, s.Manifest(), s.Checked(ctx))
	p.Files, p.Bytes = len(p.Manifest.Files), p.Manifest.Bytes()
	return p
}

// proveResources proves resources that are checked while they are read.
func proveResources(ctx context.Context, m snapshot.Manifest, all iter.Seq2[snapshot.Resource, error]) *Proof {
	p := newProof()
	p.Manifest = m
	for res, err := range all {
		if err != nil {
			p.unread(err)
			return p.settle()
		}
		p.all = append(p.all, res)
	}
	p.Resources = len(p.all)
	p.compile(ctx)
	return p.settle()
}

// ProveState proves resources that were read to their end: it compiles every policy.
func ProveState(ctx context.Context, m snapshot.Manifest, all []snapshot.Resource) *Proof {
	p := newProof()
	p.Manifest, p.all, p.Resources, p.Files = m, all, len(all), len(all)
	p.compile(ctx)
	return p.settle()
}

// unread notes why a snapshot could not be read: a place that does not answer proves nothing of what lies there.
func (p *Proof) unread(err error) {
	if kind := tandem.KindOf(err); kind == tandem.Unavailable || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		p.Doubts = append(p.Doubts, Reason{Message: err.Error()})
		return
	}
	p.Failures = append(p.Failures, Reason{Message: err.Error()})
}

// compile compiles every policy against the snapshot's own named values and fragments.
func (p *Proof) compile(ctx context.Context) {
	table := apim.NewTable()
	items, err := normalise(table, p.all)
	if err != nil {
		p.Failures = append(p.Failures, Reason{Message: err.Error()})
		return
	}
	x := newIndex(items)
	var policies []*item
	keys := items.keys()
	lost := make([][]Reason, len(keys))
	_ = parallel(len(keys), func(n int) error { // nothing in it fails
		i := items[keys[n]]
		for _, ref := range i.references(table, x) {
			if x.find(ref.path) == nil && !builtInPath(table, ref.path) {
				lost[n] = append(lost[n], Reason{Path: i.shown(), Message: fmt.Sprintf("refers to %s (%s), which the snapshot does not hold", ref.path, ref.how)})
			}
		}
		return nil
	})
	for n, key := range keys {
		i := items[key]
		if i.kind != nil && textual(i.kind) && !strings.HasSuffix(i.kind.Type(), "policyFragments") {
			policies = append(policies, i)
		}
		p.Warnings = append(p.Warnings, lost[n]...)
	}
	p.Policies = len(policies)
	problems := make([]policy.Problems, len(policies))
	var wait sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		wait.Go(func() {
			for n := w; n < len(policies) && ctx.Err() == nil; n += workers {
				problems[n] = x.compile(policies[n])
			}
		})
	}
	wait.Wait()
	if err := ctx.Err(); err != nil {
		p.Doubts = append(p.Doubts, Reason{Message: "the verification was cut off: " + err.Error()})
	}
	for n, i := range policies {
		for _, pr := range problems[n] {
			reason := Reason{i.shown(), pr.Line, pr.Message}
			switch {
			case pr.Severity != policy.Error:
				p.Warnings = append(p.Warnings, reason)
			case p.Manifest.Window != nil && pr.Kind != policy.KindDocument:
				// Another maker's gateway ran it; that Tandem's cannot does not make the backup a bad one.
				reason.Message = "Tandem's gateway cannot run it, another may: " + reason.Message
				p.Doubts = append(p.Doubts, reason)
			default:
				p.Failures = append(p.Failures, reason)
			}
		}
	}
}

// compile compiles one policy as a gateway would; named values and parts that are not known are presumed.
func (x *index) compile(i *item) policy.Problems {
	inside := ""
	if strings.HasPrefix(i.kind.Type(), "workspaces.") {
		inside = "workspaces/" + i.ids[0] + "/"
	}
	value := func(name string) (string, bool) {
		path, ok := x.names[inside+name]
		if !ok {
			path, ok = x.names[name]
		}
		v := x.items[strings.ToLower(path)]
		if !ok || v == nil {
			return "", false
		}
		if secret, ok := v.secrets["value"]; ok {
			return secret, true
		}
		text, ok := v.props["value"].(string)
		return text, ok
	}
	fragment := func(id string) (policy.Source, bool) {
		for _, path := range []string{inside + "policyFragments/" + id, "policyFragments/" + id} {
			if f := x.items[strings.ToLower(path)]; f != nil {
				return policy.Source{Name: f.shown(), Text: written(f)}, true
			}
		}
		return policy.Source{}, false
	}
	_, problems := policy.CompileUnit(policy.Source{Name: i.shown(), Scope: scopeOf(i), Text: written(i)}, policy.Options{NamedValue: value, Fragment: fragment, Presume: true})
	return problems
}

// written is a policy's text as it was captured.
func written(i *item) string {
	text, _ := i.props["value"].(string)
	return text
}

// scopeOf is the scope at which a policy is attached; empty where the language has none of that name.
func scopeOf(i *item) policy.Scope {
	switch strings.TrimSuffix(i.kind.Type(), ".policies") {
	case "policies":
		return policy.Global
	case "workspaces":
		return policy.Workspace
	case "products", "workspaces.products":
		return policy.Product
	case "apis", "workspaces.apis":
		return policy.API
	case "apis.operations", "workspaces.apis.operations":
		return policy.Operation
	}
	return ""
}
