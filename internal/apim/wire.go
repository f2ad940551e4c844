package apim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"tandem/internal/arm"
)

// etag is the entity tag of a document; empty where there is none.
func (d *Document) etag() string {
	if d == nil {
		return ""
	}
	return arm.RevisionETag(d.Revision)
}

// concrete tells whether a write names the one version it may replace.
func concrete(r *arm.Request) bool {
	match := r.HTTP.Header.Get("If-Match")
	return match != "" && strings.TrimSpace(match) != "*"
}

// strict tells whether If-Match is demanded where Azure's contract does: clients of older versions often leave it out.
func strict(r *arm.Request) bool { return r.APIVersion >= "2021-01-01" }

func matchRequired() *arm.Error {
	return arm.Errorf(http.StatusPreconditionFailed, "PreconditionFailed", "The If-Match header is required for this call; send the resource's ETag, or * for any.")
}

func preconditionFailed() *arm.Error {
	return arm.Errorf(http.StatusPreconditionFailed, "PreconditionFailed", "The resource changed since you read it (its ETag is another one); read it again and repeat the change.")
}

// properties reads the envelope of a PUT or PATCH: {"properties":{…}}. Names match without regard to case.
func properties(k *Kind, body []byte) (map[string]any, error) {
	if len(strings.TrimSpace(string(body))) == 0 {
		return map[string]any{}, nil
	}
	var envelope struct{ Properties map[string]any }
	if err := arm.DecodeJSON(body, &envelope); err != nil {
		return nil, err
	}
	props := envelope.Properties
	if props == nil {
		props = map[string]any{}
	}
	for name, v := range props {
		for _, known := range k.Properties {
			if name != known && strings.EqualFold(name, known) {
				if _, twice := props[known]; twice {
					return nil, invalid(known, "%s is sent twice, as %s and as %s", known, known, name)
				}
				delete(props, name)
				props[known] = v
			}
		}
	}
	if k.shape != nil {
		if err := k.shape.conform(props, "", k.WriteOnly); err != nil {
			return nil, err
		}
	}
	for _, name := range k.ReadOnly {
		remove(props, name)
	}
	return props, nil
}

// longNames are the kinds whose names may have 256 characters; those of others have at most 80.
const longNames = " apis products groups subscriptions namedValues loggers openidConnectProviders documentations issues comments attachments recipientEmails "

func checkName(k *Kind, ids []string) error {
	name := ids[len(ids)-1]
	if len(k.Names) > 0 {
		for _, n := range k.Names {
			if strings.EqualFold(n, name) {
				ids[len(ids)-1] = n
				return nil
			}
		}
		return invalid(k.params[len(k.params)-1], "%q is not one of %s", name, strings.Join(k.Names, ", "))
	}
	own := k.typ[strings.LastIndexByte(k.typ, '.')+1:]
	if own == "apis" {
		plain, rev := SplitRevision(name)
		if strings.ContainsRune(plain, ';') || rev == "" && plain != name {
			return invalid("apiId", "the name %q must be an API's name, with or without ;rev= and a number", name)
		}
		name = plain
	}
	longest := 80
	if strings.Contains(longNames, " "+own+" ") {
		longest = 256
	}
	if n := utf8.RuneCountInString(name); n == 0 || n > longest {
		return invalid("name", "a name of %s has 1 to %d characters; this one has %d", own, longest, n)
	}
	if i := strings.IndexAny(name, "*#&+:<>?/\\%"); i >= 0 && !strings.Contains(k.typ, "recipient") {
		return invalid("name", "the name %q has the character %q, which is not allowed", name, name[i:i+1])
	}
	if own == "gateways" && strings.EqualFold(name, "managed") {
		return invalid("gatewayId", "managed is the service's own gateway; choose another name")
	}
	for _, r := range name {
		if r < 0x20 || r == utf8.RuneError {
			return invalid("name", "the name %q has a character that is not allowed", name)
		}
	}
	return nil
}

// text reads a property that must be a string.
func text(m map[string]any, property string) (string, error) {
	switch v := lookup(m, property).(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	default:
		return "", invalid(property, "%s must be a string, not %s", property, jsonType(v))
	}
}

func jsonType(v any) string {
	switch v.(type) {
	case bool:
		return "a boolean"
	case json.Number:
		return "a number"
	case []any:
		return "an array"
	case map[string]any:
		return "an object"
	}
	return fmt.Sprintf("%T", v)
}
