package gateway

import (
	"strings"

	"tandem/internal/exchange"
	"tandem/internal/policy"
)

// Kinds of API that are not plain HTTP, as the property type names them.
const (
	kindSOAP      = "soap"
	kindGRPC      = "grpc"
	kindWebSocket = "websocket"
)

// catchAll gives the operations of an API of a kind that has none of its own: what such an API is asked passes through.
// An http or soap API without operations answers nothing, as in API Management.
func (c *compiler) catchAll(a *api) []*operation {
	one := func(id, method string) []*operation {
		op := &operation{method: method, template: "/*", info: &policy.OperationInfo{ID: id, Method: method, Name: id, URLTemplate: "/*"}}
		if c.stats != nil {
			op.stats = c.stats(a.info.ID, id)
		}
		return []*operation{op}
	}
	switch a.kind {
	case kindWebSocket:
		return one("onHandshake", "GET")
	case kindGRPC:
		return one("grpc", "POST")
	case "graphql", "odata":
		return one(a.kind, "*")
	}
	return nil
}

// soapAction is what a SOAP request is about: the SOAPAction header of SOAP 1.1, the action parameter of the media type of
// SOAP 1.2.
func soapAction(r *exchange.Request) string {
	if action := r.Header.Get("SOAPAction"); action != "" {
		return strings.Trim(action, `"`)
	}
	for part := range strings.SplitSeq(r.Header.Get("Content-Type"), ";") {
		if name, value, _ := strings.Cut(strings.TrimSpace(part), "="); strings.EqualFold(name, "action") {
			return strings.Trim(value, `"`)
		}
	}
	return ""
}
