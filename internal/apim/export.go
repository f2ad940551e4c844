package apim

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"tandem"
	"tandem/internal/arm"
)

// exportLife is how long the link of an export can be read.
const exportLife = 5 * time.Minute

// exportFormat is one way to write an API.
type exportFormat struct {
	result    string // what the answer calls it
	swagger   bool
	yaml      bool
	link      bool
	mediaType string
}

func exportFormats() map[string]exportFormat {
	const oas, v2 = "application/vnd.oai.openapi", "application/vnd.swagger+json"
	return map[string]exportFormat{
		"openapi":           {result: "openapi", yaml: true, mediaType: oas},
		"openapi-link":      {result: "openapi-link", yaml: true, link: true, mediaType: oas},
		"openapi+json":      {result: "openapi+json", mediaType: oas + "+json"},
		"openapi+json-link": {result: "openapi+json-link", link: true, mediaType: oas + "+json"},
		"swagger":           {result: "swagger-json", swagger: true, mediaType: v2},
		"swagger-json":      {result: "swagger-json", swagger: true, mediaType: v2},
		"swagger-link":      {result: "swagger-link-json", swagger: true, link: true, mediaType: v2},
		"swagger-link-json": {result: "swagger-link-json", swagger: true, link: true, mediaType: v2},
	}
}

// exportToken is what the link of an export carries, sealed: which API, how, and until when.
type exportToken struct {
	Key, Format string
	Until       time.Time
}

const exportContext = "apim export\x00"

// export serves GET of an API with export=true: the description itself, or a link to it that lives for five minutes.
func (p *Provider) export(ctx context.Context, s *Service, doc *Document, r *arm.Request) (*arm.Response, error) {
	format, ok := exportFormats()[strings.ToLower(strings.ReplaceAll(r.Query["format"], " ", "+"))]
	if !ok {
		return nil, invalid("format", "an API cannot be exported as %q; openapi-link, openapi+json-link and swagger-link are possible, without -link too", r.Query["format"])
	}
	content, err := p.write(ctx, s, doc, format)
	if err != nil {
		return nil, err
	}
	value := any(string(content))
	if format.link {
		raw, err := json.Marshal(exportToken{Key: doc.Key, Format: format.result, Until: p.Clock.Now().Add(exportLife)})
		if err != nil {
			return nil, err
		}
		sealed, err := s.Sealer.Seal(raw, []byte(exportContext+s.ID.Key()))
		if err != nil {
			return nil, err
		}
		value = map[string]any{"link": r.Link(s.ID.String()+"/exports/"+base64.RawURLEncoding.EncodeToString([]byte(sealed)), "")}
	} else if !format.yaml {
		value = json.RawMessage(content)
	}
	id := s.resourceID(s.Table.ByType(doc.Type), doc.IDs)
	return &arm.Response{Status: http.StatusOK, Body: map[string]any{"id": id, "format": format.result, "value": value}}, nil
}

// exported serves the link of an export. The token is the permission; nothing else is asked for.
func (p *Provider) exported(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	gone := arm.Errorf(http.StatusForbidden, "AuthenticationFailed", "The link is not valid any more; export the API again.")
	id, err := tandem.ParseResourceID("/subscriptions/" + r.Params["subscriptionId"] + "/resourceGroups/" + r.Params["resourceGroupName"] + "/providers/" + Namespace + "/service/" + r.Params["serviceName"])
	if err != nil {
		return nil, gone
	}
	s, _, err := p.Find(ctx, id)
	if err != nil {
		return nil, gone
	}
	var token exportToken
	sealed, err := base64.RawURLEncoding.DecodeString(r.Params["token"])
	if err != nil {
		return nil, gone
	}
	raw, err := s.Sealer.Open(string(sealed), []byte(exportContext+s.ID.Key()))
	if err != nil || json.Unmarshal(raw, &token) != nil || p.Clock.Now().After(token.Until) {
		return nil, gone
	}
	doc, err := s.read(ctx, token.Key)
	if err != nil {
		return nil, gone
	}
	format := exportFormats()[token.Format]
	content, err := p.write(ctx, s, doc, format)
	if err != nil {
		return nil, err
	}
	return &arm.Response{Status: http.StatusOK, Header: http.Header{"Content-Type": {format.mediaType}}, Body: content}, nil
}

// write gives an API's description in a format.
func (p *Provider) write(ctx context.Context, s *Service, doc *Document, format exportFormat) ([]byte, error) {
	switch kind := doc.String("type"); kind {
	case "", "http", "odata":
	default:
		return nil, invalid("format", "an API of type %s has no OpenAPI description; it is in the API's schemas", kind)
	}
	w := &openAPIWriter{service: s, viewer: newViewer(s, nil), swagger: format.swagger, gateway: p.URLs(s.ID.Name()).Gateway}
	tree, err := w.document(ctx, doc)
	if err != nil {
		return nil, err
	}
	if format.yaml {
		return yaml.Marshal(plainNumbers(tree))
	}
	return json.MarshalIndent(tree, "", "  ")
}

// plainNumbers turns JSON numbers into Go's, which YAML needs.
func plainNumbers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, inner := range v {
			out[name] = plainNumbers(inner)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, inner := range v {
			out[i] = plainNumbers(inner)
		}
		return out
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		if f, err := v.Float64(); err == nil {
			return f
		}
		return v.String()
	}
	return v
}
