package policy

import (
	"sort"
	"strings"

	"tandem/internal/policy/markup"
)

// Report is what "tandem policy check" prints.
type Report struct {
	Files   []FileReport `json:"files"`
	Summary Summary      `json:"summary"`
}

// FileReport says of one file whether every policy, attribute, construct and member in it would be executed.
type FileReport struct {
	Path      string    `json:"path"`
	Supported bool      `json:"supported"`
	Problems  []Problem `json:"problems"`
	Policies  []string  `json:"policies,omitempty"`
}

// Summary counts.
type Summary struct {
	Files       int `json:"files"`
	Supported   int `json:"supported"`
	Unreadable  int `json:"unreadable"`
	Errors      int `json:"errors"`
	Warnings    int `json:"warnings"`
	Expressions int `json:"expressions"`
}

// CheckOptions are what is known of the service beside the file. What is not given is presumed to be there.
type CheckOptions struct {
	NamedValue func(name string) (string, bool)
	Fragment   func(id string) (Source, bool)
	Scope      Scope // at which the file is attached; empty: not known
	Host       *Host // nil: every part is presumed
}

// Check reports on one document.
func Check(name string, src []byte, o CheckOptions) FileReport {
	f, _ := check(name, src, o)
	return f
}

func check(name string, src []byte, o CheckOptions) (FileReport, int) {
	source := Source{Name: name, Scope: o.Scope, Text: string(src)}
	c := newCompiler(Options{Host: o.Host, NamedValue: o.NamedValue, Fragment: o.Fragment, Presume: o.Host == nil}, source)
	u := c.document(source)
	f := FileReport{Path: name, Supported: !c.problems.Failed(), Problems: c.problems}
	if f.Problems == nil {
		f.Problems = Problems{}
	}
	if u != nil {
		f.Policies = u.uses
	}
	sort.SliceStable(f.Problems, func(i, j int) bool {
		a, b := f.Problems[i], f.Problems[j]
		return a.File == b.File && (a.Line < b.Line || a.Line == b.Line && a.Column < b.Column)
	})
	return f, c.exprs
}

// CheckAll reports on documents by path, in the order of names.
func CheckAll(names []string, read func(name string) ([]byte, error), o CheckOptions) (Report, error) {
	r := Report{Files: []FileReport{}}
	for _, name := range names {
		src, err := read(name)
		if err != nil {
			return r, err
		}
		f, exprs := check(name, src, o)
		r.Files = append(r.Files, f)
		r.Summary.Files++
		r.Summary.Expressions += exprs
		if f.Supported {
			r.Summary.Supported++
		}
		for _, p := range f.Problems {
			switch {
			case p.Severity == Warning:
				r.Summary.Warnings++
			default:
				r.Summary.Errors++
			}
			if p.Kind == KindDocument {
				r.Summary.Unreadable++
			}
		}
	}
	return r, nil
}

// References lists what a document refers to outside itself, for a takeover: names of named values, ids of fragments,
// backends, certificates and loggers. Only literal ones can be known.
type References struct {
	NamedValues, Fragments, Backends, Certificates, Loggers []string
}

// FindReferences lists the references of a document.
func FindReferences(src string) (References, error) {
	d, err := markup.Read(src)
	if err != nil {
		return References{}, err
	}
	var r References
	add := func(list *[]string, v markup.Value) {
		s := strings.TrimSpace(v.Text)
		if s == "" || v.Expr || strings.Contains(s, "{{") {
			return
		}
		for _, x := range *list {
			if x == s {
				return
			}
		}
		*list = append(*list, s)
	}
	named := func(v markup.Value) {
		v.NamedValues(func(name string, _ markup.Pos) { add(&r.NamedValues, markup.Value{Text: name}) })
	}
	var walk func(n *markup.Node)
	walk = func(n *markup.Node) {
		named(n.Value)
		for _, a := range n.Attrs {
			named(a.Value)
			switch a.Name {
			case "fragment-id":
				add(&r.Fragments, a.Value)
			case "backend-id", "embeddings-backend-id":
				add(&r.Backends, a.Value)
			case "certificate-id", "thumbprint":
				add(&r.Certificates, a.Value)
			case "logger-id":
				add(&r.Loggers, a.Value)
			}
		}
		for _, k := range n.Children {
			walk(k)
		}
	}
	walk(d.Root)
	return r, nil
}
