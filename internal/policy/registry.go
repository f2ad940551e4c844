package policy

import (
	"slices"

	"tandem/internal/policy/markup"
)

// Section is a part of a policy document.
type Section string

// The sections.
const (
	Inbound  Section = "inbound"
	Backend  Section = "backend"
	Outbound Section = "outbound"
	OnError  Section = "on-error"
	Resolver Section = "resolver" // a GraphQL resolver's document
)

// Scope is a level at which policies are attached.
type Scope string

// The scopes, outermost first, with the names that LastError.Scope has.
const (
	Global    Scope = "global"
	Workspace Scope = "workspace"
	Product   Scope = "product"
	API       Scope = "api"
	Operation Scope = "operation"
)

// Policy is one row of the table of policies: what Azure documents of it, and how it is compiled.
type Policy struct {
	Name     string
	Category string
	Does     string // one clause
	Sections []Section
	Scopes   []Scope // empty: all
	Attrs    []Attribute
	Children []Child // of elements that are not policies
	Nested   []string
	Body     Body
	Needs    string // the part outside of the gateway without which it is refused; empty: none
	Refused  string // why the policy is never run; empty: it is
	compile  func(*compiler, *markup.Node) runFunc
}

// Attribute is one attribute of a policy or of a child element. Every policy has "id" besides.
type Attribute struct {
	Name     string
	Required bool
	OneOf    string // a group of which at least one must be there
	Literal  bool   // Azure documents that it takes no expression
	Default  string
	Values   []string // what a literal may be; empty: anything
}

// Child is an element that a policy may have.
type Child struct {
	Name     string
	Required bool
	Many     bool
	Attrs    []Attribute
	Children []Child
	Policies []string // policies that may stand in it
	AnyNest  bool     // any policy may stand in it
	Text     bool     // it has text
}

// Body says what stands in a policy besides its Children.
type Body uint8

// The bodies.
const (
	Empty    Body = iota
	Content       // text
	Policies      // any policies
	Listed        // the policies in Nested
)

// runFunc is a compiled policy.
type runFunc func(*State) error

// Registry gives the table of policies, ordered by name. It must not be changed.
func Registry() []*Policy { return table }

// Find gives a policy by name, or nil.
func Find(name string) *Policy { return byName[name] }

var table, byName = buildTable()

func buildTable() ([]*Policy, map[string]*Policy) {
	rows := slices.Concat(controlPolicies, transformPolicies, accessPolicies, limitPolicies, cachePolicies, authPolicies,
		validationPolicies, routingPolicies, integrationPolicies, loggingPolicies, llmPolicies, resolverPolicies)
	slices.SortFunc(rows, func(a, b *Policy) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	m := make(map[string]*Policy, len(rows))
	for _, p := range rows {
		m[p.Name] = p
	}
	return rows, m
}

var (
	everySection  = []Section{Inbound, Backend, Outbound, OnError}
	inboundOnly   = []Section{Inbound}
	noWorkspace   = []Scope{Global, Product, API, Operation}
	trueFalse     = []string{"true", "false"}
	existsActions = []string{"override", "skip", "append", "delete"}
	validations   = []string{"ignore", "prevent", "detect"}
	cachingTypes  = []string{"prefer-external", "external", "internal"}
)

// attr and its companions write rows of attributes.
func attr(name string, values ...string) Attribute { return Attribute{Name: name, Values: values} }
func need(name string, values ...string) Attribute {
	return Attribute{Name: name, Values: values, Required: true}
}
func (a Attribute) lit() Attribute               { a.Literal = true; return a }
func (a Attribute) def(v string) Attribute       { a.Default = v; return a }
func (a Attribute) oneOf(group string) Attribute { a.OneOf = group; return a }
