package gateway

import (
	"slices"
	"strings"

	"tandem/internal/apim"
)

// source is a service's documents, indexed as compilation asks for them. It belongs to one goroutine.
type source struct {
	docs       map[string]*apim.Document
	folded     map[string][]byte // by key; see fold
	byType     map[string]map[string]*apim.Document
	operations map[string]map[string]*apim.Document // by the API's name with its revision, lower case
	policies   map[string]map[string]*apim.Document // those of operations, by the same
}

func newSource(docs map[string]*apim.Document) *source {
	s := &source{docs: map[string]*apim.Document{}, folded: map[string][]byte{}, byType: map[string]map[string]*apim.Document{}, operations: map[string]map[string]*apim.Document{}, policies: map[string]map[string]*apim.Document{}}
	for _, d := range docs {
		s.put(d)
	}
	return s
}

func (s *source) put(d *apim.Document) {
	if folds(d.Type) {
		d = s.fold(d)
	}
	s.docs[d.Key] = d
	insert(s.byType, d.Type, d)
	if of := s.below(d.Type); of != nil {
		insert(of, parentOf(d.Key), d)
	}
}

// below gives the index by API of a type that has one.
func (s *source) below(typ string) map[string]map[string]*apim.Document {
	switch typ {
	case typeOperations:
		return s.operations
	case typePolicies:
		return s.policies
	}
	return nil
}

func (s *source) drop(key string) {
	d := s.docs[key]
	if d == nil {
		return
	}
	delete(s.docs, key)
	delete(s.folded, key)
	delete(s.byType[d.Type], key)
	if of := s.below(d.Type); of != nil {
		parent := parentOf(key)
		if delete(of[parent], key); len(of[parent]) == 0 {
			delete(of, parent)
		}
	}
}

func insert(m map[string]map[string]*apim.Document, under string, d *apim.Document) {
	if m[under] == nil {
		m[under] = map[string]*apim.Document{}
	}
	m[under][d.Key] = d
}

// list gives the documents of one type in the order of their keys.
func (s *source) list(typ string) []*apim.Document { return sorted(s.byType[typ]) }

func sorted(m map[string]*apim.Document) []*apim.Document {
	out := make([]*apim.Document, 0, len(m))
	for _, d := range m {
		out = append(out, d)
	}
	slices.SortFunc(out, func(a, b *apim.Document) int { return strings.Compare(a.Key, b.Key) })
	return out
}

// parentOf is the first id in a key, lower case: "apis.operations/echo;rev=1/get" is below "echo;rev=1".
func parentOf(key string) string {
	_, ids, _ := strings.Cut(key, "/")
	id, _, _ := strings.Cut(ids, "/")
	return id
}

// Types of documents as their keys begin.
const (
	typeOperations    = "apis.operations"
	typePolicies      = "apis.operations.policies"
	typeAPIs          = "apis"
	typeSubscriptions = "subscriptions"
)

// dirt says which parts of a generation a change touches.
type dirt struct {
	all           bool            // nothing is known to be the same
	shared        bool            // what every API may draw on
	products      bool            // what subscriptions draw on, too
	users         bool            // what else subscriptions draw on
	subscriptions map[string]bool // these subscriptions, by their keys
	apis          map[string]bool // these APIs, by name with revision, lower case
}

// everything is the dirt of a first compilation.
func everything() dirt { return dirt{all: true, shared: true, products: true, users: true} }

// touched sorts changed keys by what they touch. Documents that no request depends on touch nothing.
func (s *source) touched(keys []string) dirt {
	d := dirt{apis: map[string]bool{}, subscriptions: map[string]bool{}}
	for _, key := range keys {
		switch typ, _, _ := strings.Cut(key, "/"); typ {
		case "namedvalues", "policyfragments", "policies", "apiversionsets", "backends", "certificates", "schemas", "caches", "loggers", "diagnostics":
			d.shared = true
		case "products", "products.policies", "products.apis", "products.apilinks", "products.groups":
			d.shared, d.products = true, true
		case typeSubscriptions:
			d.subscriptions[key] = true
		case "users", "groups.users", "groups":
			d.users = true
		case typeAPIs, typeOperations, "apis.policies", typePolicies, "apis.diagnostics", "apis.schemas", "apis.resolvers", "apis.resolvers.policies":
			d.apis[parentOf(key)] = true
		case strings.ToLower(apim.RootType):
			for _, a := range s.byType[typeAPIs] {
				if name, _ := apim.SplitRevision(parentOf(a.Key)); name == parentOf(key) {
					d.apis[parentOf(a.Key)] = true
				}
			}
		}
	}
	return d
}
