package gateway

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"tandem/internal/apim"
)

// diagnostic says what of an API's requests goes to a logger.
type diagnostic struct {
	logger   *logger
	always   bool    // whatever fails
	percent  float64 // of the others
	clientIP bool
	protocol string // "w3c", "legacy" or ""
	severity int    // the least of the trace policy's messages
	byURL    bool   // requests are named by their URL

	frontRequest, frontResponse, backRequest, backResponse diagnosed
}

// diagnosed is what of one message is told.
type diagnosed struct {
	headers []string
	bytes   int // of the body
	masked  map[string]bool
	hidden  map[string]bool
	queries map[string]bool // to be masked; true: to be left out
}

// mostDiagnosed is how much of a body API Management tells.
const mostDiagnosed = 8192

var severities = map[string]int{"verbose": 0, "information": 1, "error": 2}

// diagnosticsOf gives the diagnostics in effect for an API: its own, and the service's where it has none of the same name.
func (c *compiler) diagnosticsOf(out *compiledAPI, d *apim.Document) []*diagnostic {
	docs := map[string]*apim.Document{}
	for _, global := range c.source.byType["diagnostics"] {
		docs[strings.ToLower(global.Name())] = global
	}
	for _, own := range c.source.byType["apis.diagnostics"] {
		if parentOf(own.Key) == parentOf(d.Key) {
			docs[strings.ToLower(own.Name())] = own
		}
	}
	var all []*diagnostic
	for _, name := range slices.Sorted(maps.Keys(docs)) {
		if x := c.diagnostic(out, docs[name]); x != nil {
			all = append(all, x)
		}
	}
	return all
}

func (c *compiler) diagnostic(out *compiledAPI, d *apim.Document) *diagnostic {
	id := d.String("loggerId")
	l := c.shared.loggers.byID[strings.ToLower(id[strings.LastIndexByte(id, '/')+1:])]
	if l == nil {
		out.problem(d.Key, false, "its logger %s does not exist or cannot be used; nothing is logged by it", id)
		return nil
	}
	x := &diagnostic{logger: l, always: strings.EqualFold(d.String("alwaysLog"), "allErrors"), percent: 100, clientIP: d.Bool("logClientIp", false),
		protocol: strings.ToLower(d.String("httpCorrelationProtocol")), severity: severities[strings.ToLower(d.String("verbosity"))], byURL: strings.EqualFold(d.String("operationNameFormat"), "Url")}
	if d.String("verbosity") == "" {
		x.severity = severities["information"]
	}
	if x.protocol == "none" {
		x.protocol = ""
	}
	if n, ok := d.Value("sampling.percentage").(json.Number); ok {
		if p, err := n.Float64(); err == nil {
			x.percent = p
		}
	}
	x.frontRequest, x.frontResponse = diagnosedOf(d, "frontend.request"), diagnosedOf(d, "frontend.response")
	x.backRequest, x.backResponse = diagnosedOf(d, "backend.request"), diagnosedOf(d, "backend.response")
	return x
}

func diagnosedOf(d *apim.Document, at string) diagnosed {
	m := diagnosed{masked: map[string]bool{}, hidden: map[string]bool{}, queries: map[string]bool{}}
	list, _ := d.Value(at + ".headers").([]any)
	for _, v := range list {
		if name, ok := v.(string); ok {
			m.headers = append(m.headers, name)
		}
	}
	if n, ok := d.Value(at + ".body.bytes").(json.Number); ok {
		if v, err := n.Int64(); err == nil {
			m.bytes = int(min(max(v, 0), mostDiagnosed))
		}
	}
	for _, of := range []string{"headers", "queryParams"} {
		list, _ := d.Value(at + ".dataMasking." + of).([]any)
		for _, v := range list {
			entry, _ := v.(map[string]any)
			name, hide := strings.ToLower(stringOf(entry, "value")), strings.EqualFold(stringOf(entry, "mode"), "Hide")
			switch {
			case of == "queryParams":
				m.queries[name] = hide
			case hide:
				m.hidden[name] = true
			default:
				m.masked[name] = true
			}
		}
	}
	return m
}
