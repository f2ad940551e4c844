package resources

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"tandem"
	"tandem/internal/arm"
	"tandem/internal/arm/auditlog"
)

const (
	// activityPage is how many events an answer has at most.
	activityPage = 200
	// readActivity is what a caller must be allowed to do on the subscription.
	readActivity = "Microsoft.Insights/eventtypes/values/read"
	// missingHeader names the nodes whose events are not in the answer, since they do not answer themselves.
	missingHeader = "X-Tandem-Missing-Nodes"
)

// ActivityLog is Azure Monitor's Activity Log (Microsoft.Insights, api-version 2015-04-01) over the audit logs of all
// regions: what `az monitor activity-log list` reads.
type ActivityLog struct{ read auditlog.Reader }

// NewActivityLog makes one over a reader of all nodes' logs.
func NewActivityLog(read auditlog.Reader) *ActivityLog { return &ActivityLog{read} }

// Namespace implements arm.Provider.
func (*ActivityLog) Namespace() string { return "Microsoft.Insights" }

// Types implements arm.Provider.
func (*ActivityLog) Types() []arm.TypeInfo {
	versions := []string{"2017-03-01-preview", "2015-04-01", "2014-04-01"}
	return []arm.TypeInfo{{Name: "eventtypes", APIVersions: versions}, {Name: "eventCategories", APIVersions: versions}}
}

// Routes implements arm.Provider.
func (a *ActivityLog) Routes() []arm.Route {
	const sub = "/subscriptions/{subscriptionId}"
	of := func(r *arm.Request) string { return "/subscriptions/" + r.Params["subscriptionId"] }
	return []arm.Route{
		{Method: http.MethodGet, Pattern: sub + "/providers/Microsoft.Insights/eventtypes/management/values", Handler: a.list, Action: readActivity, Scope: of},
		{Method: http.MethodGet, Pattern: "/providers/Microsoft.Insights/eventcategories", Handler: a.categories, AnyPrincipal: true},
	}
}

func (*ActivityLog) categories(context.Context, *arm.Request) (*arm.Response, error) {
	return &arm.Response{Status: http.StatusOK, Body: arm.List[localized]{Value: []localized{{"Administrative", "Administrative"}}}}, nil
}

// localized is how Azure Monitor writes names.
type localized struct {
	Value     string `json:"value"`
	Localized string `json:"localizedValue"`
}

func plainName(name string) localized { return localized{name, name} }

// list answers events, the newest first.
func (a *ActivityLog) list(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	q, err := newActivityQuery(r)
	if err != nil {
		return nil, err
	}
	out := arm.List[map[string]any]{Value: []map[string]any{}}
	last, missing := "", &auditlog.Missing{}
	for e, err := range a.read(auditlog.WithMissing(ctx, missing), q.from, q.to) {
		if err != nil {
			return nil, err
		}
		if !q.after(e) {
			continue
		}
		event := eventOf(e)
		if ok, err := q.matches(e, event); err != nil {
			return nil, err
		} else if !ok {
			continue
		}
		if len(out.Value) == activityPage {
			out.NextLink = r.NextLink(last)
			break
		}
		last = fmt.Sprintf("%d %d %s", e.Time.UnixNano(), e.Sequence, e.Node)
		out.Value = append(out.Value, q.selected(event))
	}
	h := http.Header{}
	for _, node := range missing.Nodes() {
		h.Add(missingHeader, node)
	}
	return &arm.Response{Status: http.StatusOK, Header: h, Body: out}, nil
}

// activityQuery is what a call asks for.
type activityQuery struct {
	below    string // path of the subscription, in lower case with a slash at the end
	filter   *arm.Filter
	channels any // what the filter wants the channels to be: all events are on all of them
	from, to time.Time
	names    map[string]bool // $select, in lower case; nil: all

	mark     bool // a page was read before, and this was its last event
	markTime int64
	markNode string
	markSeq  uint64
}

func newActivityQuery(r *arm.Request) (*activityQuery, error) {
	q := &activityQuery{below: strings.ToLower("/subscriptions/" + r.Params["subscriptionId"] + "/")}
	if text := strings.TrimSpace(r.Query["$filter"]); text != "" {
		f, err := arm.ParseFilter(text)
		if err != nil {
			return nil, err
		}
		for _, name := range f.Fields() {
			if _, known := q.field(auditlog.Entry{}, map[string]any{}, name); !known {
				return nil, arm.Errorf(http.StatusBadRequest, "BadRequest", "The $filter '%.200s' is invalid: events cannot be filtered by '%s'.", text, name)
			}
		}
		q.filter = f
		q.bound(f)
	}
	for name := range strings.SplitSeq(r.Query["$select"], ",") {
		if name = strings.ToLower(strings.TrimSpace(name)); name != "" {
			if q.names == nil {
				q.names = map[string]bool{}
			}
			q.names[name] = true
		}
	}
	page, err := r.Page()
	if err != nil || page.Mark == "" {
		return q, err
	}
	if parts := strings.SplitN(page.Mark, " ", 3); len(parts) == 3 {
		var timeErr, seqErr error
		q.markTime, timeErr = strconv.ParseInt(parts[0], 10, 64)
		q.markSeq, seqErr = strconv.ParseUint(parts[1], 10, 64)
		q.markNode, q.mark = parts[2], timeErr == nil && seqErr == nil
	}
	if !q.mark {
		return nil, arm.Errorf(http.StatusBadRequest, "InvalidSkipToken", "The $skipToken is not of this list; follow nextLink as it is.")
	}
	if at := time.Unix(0, q.markTime); q.to.IsZero() || at.Before(q.to) {
		q.to = at
	}
	return q, nil
}

// bound finds the time that the filter's outermost terms leave.
func (q *activityQuery) bound(f *arm.Filter) {
	for _, t := range f.Conjuncts() {
		name, op, value, ok := t.Comparison()
		if !ok {
			continue
		}
		at, isTime := arm.Time(value)
		switch {
		case strings.EqualFold(name, "eventChannels") && op == "eq":
			q.channels = value
		case !isTime || !strings.EqualFold(name, "eventTimestamp"):
		case (op == "ge" || op == "gt" || op == "eq") && (q.from.IsZero() || at.After(q.from)):
			q.from = at
		case (op == "le" || op == "lt") && (q.to.IsZero() || at.Before(q.to)):
			q.to = at
		}
	}
}

// after tells whether an event comes after the page before.
func (q *activityQuery) after(e auditlog.Entry) bool {
	if !q.mark {
		return true
	}
	c := cmp.Or(cmp.Compare(q.markTime, e.Time.UnixNano()), cmp.Compare(e.Node, q.markNode), cmp.Compare(q.markSeq, e.Sequence))
	return c > 0
}

func (q *activityQuery) matches(e auditlog.Entry, event map[string]any) (bool, error) {
	if !strings.HasPrefix(strings.ToLower(e.Path)+"/", q.below) {
		return false, nil
	}
	if q.filter == nil {
		return true, nil
	}
	return q.filter.Match(func(name string) (any, bool) { return q.field(e, event, name) })
}

// field gives what filters call an event's parts.
func (q *activityQuery) field(e auditlog.Entry, event map[string]any, name string) (any, bool) {
	value := func(name string) any {
		l, _ := event[name].(localized)
		return l.Value
	}
	switch strings.ToLower(name) {
	case "eventtimestamp":
		return e.Time, true
	case "eventchannels", "channels":
		return q.channels, true
	case "resourcegroupname", "resourceid", "correlationid", "caller":
		for own, v := range event {
			if strings.EqualFold(own, name) {
				return v, true
			}
		}
		return nil, true
	case "resourceuri":
		return event["resourceId"], true
	case "level", "levels":
		return event["level"], true
	case "resourceprovider", "resourceprovidername":
		return value("resourceProviderName"), true
	case "resourcetype", "resourcetypes":
		return value("resourceType"), true
	case "operationname", "operations", "operationid":
		return value("operationName"), true
	case "status":
		return value("status"), true
	}
	return nil, false
}

func (q *activityQuery) selected(event map[string]any) map[string]any {
	if q.names == nil {
		return event
	}
	out := map[string]any{}
	for name, v := range event {
		if q.names[strings.ToLower(name)] {
			out[name] = v
		}
	}
	return out
}

// eventOf writes an entry as Azure Monitor writes events.
func eventOf(e auditlog.Entry) map[string]any {
	resource := cmp.Or(e.Scope, e.Path)
	group, provider, typ := "", "", ""
	if id, err := tandem.ParseResourceID(resource); err == nil {
		group, provider = id.ResourceGroup, id.Provider
		if provider != "" {
			typ = strings.Join(append([]string{provider}, id.Types...), "/")
		}
	}
	status, level := "Succeeded", "Informational"
	switch {
	case e.Status == http.StatusAccepted:
		status = "Accepted"
	case e.Status >= 500:
		status, level = "Failed", "Error"
	case e.Status >= 300:
		status, level = "Failed", "Warning"
	}
	at := arm.FormatTime(e.Time)
	subscription, _, _ := strings.Cut(strings.TrimPrefix(strings.ToLower(e.Path), "/subscriptions/"), "/")
	address, _, _ := cutLast(e.Remote, ':')
	ticks := e.Time.Unix()*10_000_000 + int64(e.Time.Nanosecond())/100 + 621_355_968_000_000_000 // since the year 1, as .NET counts
	return map[string]any{
		"authorization":        map[string]any{"action": e.Action, "scope": resource},
		"caller":               e.ObjectID,
		"channels":             "Operation",
		"claims":               map[string]any{"appid": e.AppID, "name": e.Caller, "http://schemas.microsoft.com/identity/claims/objectidentifier": e.ObjectID, "http://schemas.microsoft.com/identity/claims/tenantid": e.TenantID},
		"correlationId":        cmp.Or(e.CorrelationID, e.RequestID),
		"description":          "",
		"eventDataId":          e.RequestID,
		"eventName":            localized{"EndRequest", "End request"},
		"category":             plainName("Administrative"),
		"eventTimestamp":       at,
		"id":                   fmt.Sprintf("%s/events/%s/ticks/%d", resource, e.RequestID, ticks),
		"level":                level,
		"operationId":          cmp.Or(e.CorrelationID, e.RequestID),
		"operationName":        plainName(e.Action),
		"resourceGroupName":    group,
		"resourceProviderName": plainName(provider),
		"resourceType":         plainName(typ),
		"resourceId":           resource,
		"status":               plainName(status),
		"subStatus":            localized{e.Code, strings.TrimSpace(fmt.Sprintf("%s (HTTP Status Code: %d)", http.StatusText(e.Status), e.Status))},
		"submissionTimestamp":  at,
		"subscriptionId":       subscription,
		"tenantId":             e.TenantID,
		"httpRequest":          map[string]any{"clientRequestId": e.RequestID, "clientIpAddress": address, "method": e.Method, "uri": e.Path},
		"properties": map[string]any{"statusCode": strconv.Itoa(e.Status), "serviceRequestId": e.RequestID, "eventCategory": "Administrative", "hierarchy": "", "entity": resource,
			"message": e.Action, "region": e.Node, "durationSeconds": strconv.FormatFloat(e.Duration, 'f', 3, 64)},
	}
}

// cutLast is strings.Cut at the last separator.
func cutLast(s string, sep byte) (before, after string, found bool) {
	if i := strings.LastIndexByte(s, sep); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}
