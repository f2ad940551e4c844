package gateway

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode/utf8"

	"tandem/internal/exchange"
	"tandem/internal/gateway/sink"
)

// tell sends a request to a diagnostic's logger.
func (g *Gateway) tell(r *run, x *exchange.Exchange, d *diagnostic, status int, sent int64, took time.Duration) {
	f := g.facts(r, x, d, status, sent, took)
	switch d.logger.kind {
	case loggerInsights:
		for _, e := range g.envelopes(r, d, f, status, took) {
			d.add(e)
		}
	case loggerEventHub:
		d.add(f)
	default:
		g.Log.Info("gateway-log", "service", g.Service, "record", slog.AnyValue(f))
	}
}

func (d *diagnostic) add(record map[string]any) {
	if body, err := json.Marshal(record); err == nil && d.logger.sink != nil { // maps of texts and numbers always encode
		d.logger.sink.Add(sink.Event{Body: body})
	}
}

// facts are what is known of a request, in the names of API Management's GatewayLogs.
func (g *Gateway) facts(r *run, x *exchange.Exchange, d *diagnostic, status int, sent int64, took time.Duration) map[string]any {
	s, o := &r.state, r.observed
	f := map[string]any{"time": g.began(s).UTC().Format(time.RFC3339Nano), "correlationId": s.RequestIDText(), "operationName": "Microsoft.ApiManagement/GatewayLogs", "region": string(g.Region),
		"isRequestSuccess": status < 400, "method": s.OriginalMethod, "url": d.frontRequest.url(o.url, r), "apiId": r.api.info.ID, "apiRevision": r.api.info.Revision, "responseCode": status,
		"responseSize": sent, "totalTime": took.Milliseconds(), "traceId": o.self.TraceID().String()}
	if d.clientIP {
		f["callerIpAddress"] = r.clientAddress()
	}
	if r.op != nil {
		f["operationId"] = r.op.info.ID
	}
	if s.Subscription != nil {
		f["apimSubscriptionId"] = s.Subscription.ID
	}
	if s.Product != nil {
		f["productId"] = s.Product.ID
	}
	if s.User != nil {
		f["userId"] = s.User.ID
	}
	d.frontRequest.tell(f, "request", o.header, &o.request, r)
	d.frontResponse.tell(f, "response", x.Response.Header, &o.response, r)
	if n := len(o.calls); n > 0 {
		call := &o.calls[n-1]
		f["backendMethod"], f["backendUrl"], f["backendResponseCode"], f["backendTime"] = call.method, d.backRequest.url(call.url, r), call.status, call.took.Milliseconds()
		if r.backend != "" {
			f["backendId"] = r.backend
		}
		d.backRequest.tell(f, "backendRequest", call.sent, &call.request, r)
		d.backResponse.tell(f, "backendResponse", call.received, &call.response, r)
	}
	if e := s.LastError; e != nil {
		f["lastError"] = map[string]any{"source": e.Source, "reason": e.Reason, "message": r.clean(e.Message), "section": string(e.Section), "path": e.Path}
	}
	return f
}

// tell adds the fields and the body of one message that are wanted.
func (m *diagnosed) tell(f map[string]any, name string, h exchange.Header, body *snippet, r *run) {
	headers := map[string]string{}
	for _, wanted := range m.headers {
		if value := strings.Join(h.Values(wanted), ", "); value != "" {
			switch key := strings.ToLower(wanted); {
			case m.hidden[key]:
			case m.masked[key] || r.secretField(wanted):
				headers[wanted] = masked
			default:
				headers[wanted] = r.clean(value)
			}
		}
	}
	if len(headers) > 0 {
		f[name+"Headers"] = headers
	}
	if n := min(m.bytes, len(body.b)); n > 0 {
		f[name+"Body"] = r.clean(whole(body.b[:n]))
	}
}

// whole writes bytes as a text; a character that is cut at the end is left out.
func whole(b []byte) string {
	for cut := 0; cut < utf8.UTFMax && len(b) > 0; cut++ {
		if last, size := utf8.DecodeLastRune(b); last != utf8.RuneError || size != 1 {
			break
		}
		b = b[:len(b)-1]
	}
	return strings.ToValidUTF8(string(b), "\ufffd")
}

// url writes a URL: values of parameters that are to be masked, and the subscription key, do not show.
func (m *diagnosed) url(u exchange.URL, r *run) string {
	if u.Query == "" {
		return r.clean(u.String())
	}
	var kept []string
	for part := range strings.SplitSeq(u.Query, "&") {
		name, _, _ := strings.Cut(part, "=")
		hide, found := m.queries[strings.ToLower(name)]
		switch {
		case hide:
		case found || r.api != nil && strings.EqualFold(name, r.api.keyQuery):
			kept = append(kept, name+"="+masked)
		default:
			kept = append(kept, part)
		}
	}
	u.Query = strings.Join(kept, "&")
	return r.clean(u.String())
}

// envelopes are what Application Insights is told: the request, its calls to backends, and the trace policy's messages.
func (g *Gateway) envelopes(r *run, d *diagnostic, f map[string]any, status int, took time.Duration) []map[string]any {
	s, o := &r.state, r.observed
	name := s.OriginalMethod + " " + s.Original.Path
	if !d.byURL && r.op != nil {
		name = r.api.info.ID + ";rev=" + r.api.info.Revision + " - " + r.op.info.ID
	}
	tags := map[string]any{"ai.operation.id": o.self.TraceID().String(), "ai.operation.name": name, "ai.cloud.role": g.Service + " " + string(g.Region), "ai.internal.sdkVersion": "tandem:1"}
	if d.clientIP {
		tags["ai.location.ip"] = r.clientAddress()
	}
	if s.User != nil {
		tags["ai.user.authUserId"] = s.User.ID
	}
	properties := map[string]any{"Service Type": "API Management", "Service ID": g.Service, "Region": string(g.Region), "Request Id": s.RequestIDText(), "API Name": r.api.info.ID, "API Revision": r.api.info.Revision, "HTTP Method": s.OriginalMethod}
	for fact, property := range map[string]string{"operationId": "Operation Name", "apimSubscriptionId": "Subscription Name", "productId": "Product Name", "userId": "User Id", "requestBody": "Request-Body", "responseBody": "Response-Body"} {
		if v, ok := f[fact]; ok {
			properties[property] = v
		}
	}
	spread(properties, f, "requestHeaders", "Request-")
	spread(properties, f, "responseHeaders", "Response-")
	parent := ""
	if o.parent.IsValid() {
		parent = o.parent.SpanID().String()
	}
	out := []map[string]any{d.envelope("Request", g.began(s), tags, parent, map[string]any{"ver": 2, "id": o.self.SpanID().String(), "name": name, "url": f["url"], "duration": span(took),
		"responseCode": fmt.Sprint(status), "success": status < 400, "properties": properties, "measurements": map[string]any{"Response Size": f["responseSize"]}})}
	for i := range o.calls {
		call := &o.calls[i]
		about := map[string]any{}
		if i == len(o.calls)-1 {
			for fact, property := range map[string]string{"backendRequestBody": "Request-Body", "backendResponseBody": "Response-Body"} {
				if v, ok := f[fact]; ok {
					about[property] = v
				}
			}
			spread(about, f, "backendRequestHeaders", "Request-")
			spread(about, f, "backendResponseHeaders", "Response-")
		}
		out = append(out, d.envelope("RemoteDependency", call.start, tags, o.self.SpanID().String(), map[string]any{"ver": 2, "id": call.id.SpanID().String(), "name": call.method + " " + call.url.Path, "type": "HTTP",
			"target": call.url.Host, "data": d.backRequest.url(call.url, r), "duration": span(call.took), "resultCode": fmt.Sprint(call.status), "success": call.failure == "" && call.status < 400, "properties": about}))
	}
	for _, m := range o.messages {
		if m.severity >= d.severity {
			out = append(out, d.envelope("Message", m.at, tags, o.self.SpanID().String(), map[string]any{"ver": 2, "message": r.clean(m.text), "severityLevel": []int{0, 1, 3}[m.severity], "properties": map[string]any{"source": m.source}}))
		}
	}
	if e := s.LastError; e != nil {
		out = append(out, d.envelope("Exception", g.began(s).Add(took), tags, o.self.SpanID().String(), map[string]any{"ver": 2, "exceptions": []any{map[string]any{"typeName": e.Reason, "message": r.clean(e.Source + ": " + e.Message), "hasFullStack": false}}}))
	}
	return out
}

// spread adds headers as properties with a prefix.
func spread(to, f map[string]any, fact, prefix string) {
	headers, _ := f[fact].(map[string]string)
	for name, value := range headers {
		to[prefix+name] = value
	}
}

func (d *diagnostic) envelope(kind string, at time.Time, tags map[string]any, parent string, data map[string]any) map[string]any {
	own := map[string]any{}
	for k, v := range tags {
		own[k] = v
	}
	if parent != "" {
		own["ai.operation.parentId"] = parent
	}
	return map[string]any{"name": "Microsoft.ApplicationInsights." + strings.ReplaceAll(d.logger.key, "-", "") + "." + kind, "time": at.UTC().Format(time.RFC3339Nano), "iKey": d.logger.key,
		"sampleRate": d.percent, "tags": own, "data": map[string]any{"baseType": kind + "Data", "baseData": data}}
}

// span writes a duration as Application Insights has it: days.hours:minutes:seconds.
func span(d time.Duration) string {
	d = max(d, 0)
	return fmt.Sprintf("%d.%02d:%02d:%02d.%06d", d/(24*time.Hour), d/time.Hour%24, d/time.Minute%60, d/time.Second%60, d%time.Second/time.Microsecond)
}
