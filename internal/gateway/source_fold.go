package gateway

import (
	"encoding/json"

	"tandem/internal/apim"
	"tandem/internal/store"
)

// Of operations and subscriptions there are tens of thousands: they are kept as the text they are stored as, which takes a
// quarter of the room, and read again when they are compiled.
func folds(typ string) bool { return typ == typeOperations || typ == typeSubscriptions }

// fold keeps a document as text; what is left of it says where it is.
func (s *source) fold(d *apim.Document) *apim.Document {
	raw, err := json.Marshal(d)
	if err != nil {
		return d // it is kept as it is
	}
	s.folded[d.Key] = raw
	return &apim.Document{IDs: d.IDs, Type: d.Type, Key: d.Key, Revision: d.Revision}
}

// open gives a document with its properties.
func (s *source) open(d *apim.Document) *apim.Document {
	raw, ok := s.folded[d.Key]
	if !ok {
		return d
	}
	whole, err := apim.Decode(d.Key, store.Document{Key: d.Key, Value: raw, Revision: d.Revision})
	if err != nil {
		return d // never: it was written by fold
	}
	return whole
}
