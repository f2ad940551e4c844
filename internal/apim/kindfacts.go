package apim

import "slices"

// Link tells the kinds that only join two resources: their name is the target's, and they have no properties of their own.
func (k *Kind) Link() bool {
	_, ok := k.Rules.(linkRules)
	return ok || k.Existence
}

// LinkTarget is the collection of what a link joins its parent to, "apis"; empty where the kind is none, or its name is free.
func (k *Kind) LinkTarget() string {
	l, _ := k.Rules.(linkRules)
	return l.target
}

// BuiltIn gives the properties of a resource as it is before anybody wrote it; nil where the kind has none such.
func (k *Kind) BuiltIn(ids []string) map[string]any {
	b, ok := k.Rules.(builtIn)
	if !ok || len(ids) == 0 {
		return nil
	}
	doc := b.BuiltIn(k, slices.Clone(ids))
	if doc == nil {
		return nil
	}
	return doc.Properties
}

// Constant is the fixed name of a kind that has but one resource in its place ("signin"); empty where names are free.
func (k *Kind) Constant() string { return k.constant }

// Collection is the pattern of the kind's collection below the service, "apis/{apiId}/operations".
func (k *Kind) Collection() string { return k.collection }
