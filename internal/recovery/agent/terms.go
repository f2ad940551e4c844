package agent

import (
	"tandem/internal/failover"
	"tandem/internal/recovery"
	"tandem/internal/replica"
	"tandem/internal/store"
)

// terms are what the group's overlay makes of documents between the two regions; nil: nothing.
func (m *member) terms(now recovery.Membership) (*replica.Terms, error) {
	rules, err := rulesOf(now.Overlay)
	if err != nil || rules == nil {
		return nil, err
	}
	return &replica.Terms{Overlay: rules, Table: m.a.APIM.Table(), Sealer: m.a.Sealer}, nil
}

// translate gives documents of one member in the terms of the other, whose own stand beside.
func translate(t *replica.Terms, from failover.Service, documents, own map[string]store.Document) (map[string]store.Document, error) {
	if t == nil {
		return documents, nil
	}
	turn := t.Forth
	if from == failover.Second {
		turn = t.Back
	}
	out := make(map[string]store.Document, len(documents))
	for key, d := range documents {
		var standing *store.Document
		if o, ok := own[key]; ok {
			standing = &o
		}
		w, err := turn(d, standing)
		if err != nil {
			return nil, err
		}
		d.Value = w.Value
		out[key] = d
	}
	return out, nil
}
