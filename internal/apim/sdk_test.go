package apim_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"reflect"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	armsdk "github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/apimanagement/armapimanagement/v3"

	"tandem"
	"tandem/internal/apim"
)

// operation is a row of testdata/operations.tsv: what Azure has at 2024-05-01.
type operation struct {
	path, verb string
	success    []string
	query      string
}

func (o operation) String() string { return o.verb + " " + o.path }

const svc = "{SVC}"

func operations(t *testing.T) []operation {
	t.Helper()
	raw, err := os.ReadFile("testdata/operations.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var out []operation
	for _, line := range strings.Split(strings.TrimSpace(string(raw)), "\n")[1:] {
		f := strings.Split(line, "\t")
		out = append(out, operation{path: f[0], verb: f[1], success: strings.Split(f[2], ","), query: f[5]})
	}
	return out
}

// method is one method of an SDK client that sends one operation.
type method struct {
	op     operation
	client reflect.Value
	name   string
	// params tells for each argument which placeholder of the path it fills; "?name" for a query parameter, "" for others.
	params []string
}

type bearer struct{}

func (bearer) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "x", ExpiresOn: tandem.SystemClock{}.Now().Add(time.Hour)}, nil
}

// spy sends requests on and remembers the first of a call and its answer.
type spy struct {
	next   *http.Client // nil: nothing is sent
	first  *http.Request
	status int
	header http.Header
	body   []byte
}

var errNotSent = errors.New("not sent")

func (s *spy) Do(r *http.Request) (*http.Response, error) {
	mine := s.first == nil
	if mine {
		s.first = r
	}
	if s.next == nil {
		return nil, errNotSent
	}
	resp, err := s.next.Do(r)
	if err != nil || !mine {
		return resp, err
	}
	s.status, s.header = resp.StatusCode, resp.Header
	if s.body, err = io.ReadAll(resp.Body); err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(strings.NewReader(string(s.body)))
	return resp, nil
}

func clientFactory(t *testing.T, endpoint string, transport policy.Transporter) reflect.Value {
	t.Helper()
	f, err := armapimanagement.NewClientFactory(subscription, bearer{}, &armsdk.ClientOptions{DisableRPRegistration: true, ClientOptions: azcore.ClientOptions{
		Transport: transport, Retry: policy.RetryOptions{MaxRetries: -1},
		Cloud: cloud.Configuration{Services: map[cloud.ServiceName]cloud.ServiceConfiguration{cloud.ResourceManager: {Endpoint: endpoint, Audience: endpoint}}}}})
	if err != nil {
		t.Fatal(err)
	}
	return reflect.ValueOf(f)
}

// methods finds the SDK's method for every operation: it calls all of them with marks for arguments, over a transport that
// sends nothing, and reads the marks in the address.
func methods(t *testing.T) []method {
	transport := &spy{}
	factory := clientFactory(t, "https://127.0.0.1:1", transport)
	ops := operations(t)
	var out []method
	for i := range factory.NumMethod() {
		if !strings.HasSuffix(factory.Type().Method(i).Name, "Client") {
			continue
		}
		client := factory.Method(i).Call(nil)[0]
		for j := range client.NumMethod() {
			name := client.Type().Method(j).Name
			f := client.Method(j)
			args := make([]reflect.Value, f.Type().NumIn())
			for n := range args {
				in := f.Type().In(n)
				args[n] = reflect.Zero(in)
				switch {
				case in.String() == "context.Context":
					args[n] = reflect.ValueOf(context.Background())
				case in.Kind() == reflect.String:
					args[n] = reflect.ValueOf(fmt.Sprintf("mark%d", n)).Convert(in)
				}
			}
			transport.first = nil
			if err := finish(f.Call(args)); !errors.Is(err, errNotSent) {
				t.Fatalf("%s.%s: %v", client.Type(), name, err)
			}
			m, ok := recognise(ops, transport.first, len(args))
			if !ok {
				t.Fatalf("%s.%s: %s %s is not in the list of operations", client.Type(), name, transport.first.Method, transport.first.URL)
			}
			m.client, m.name = reflect.ValueOf(i), name
			out = append(out, m)
		}
	}
	return out
}

// finish follows what an SDK method gave, a pager or a poller, to its end.
func finish(results []reflect.Value) error {
	last := results[len(results)-1]
	if err, ok := last.Interface().(error); ok && err != nil {
		return err
	}
	first := results[0]
	if next := first.MethodByName("NextPage"); next.IsValid() {
		for first.MethodByName("More").Call(nil)[0].Bool() {
			if err, _ := next.Call([]reflect.Value{reflect.ValueOf(context.Background())})[1].Interface().(error); err != nil {
				return err
			}
		}
	}
	if poll := first.MethodByName("PollUntilDone"); poll.IsValid() {
		options := &runtime.PollUntilDoneOptions{Frequency: time.Millisecond}
		err, _ := poll.Call([]reflect.Value{reflect.ValueOf(context.Background()), reflect.ValueOf(options)})[1].Interface().(error)
		return err
	}
	return nil
}

func recognise(ops []operation, r *http.Request, args int) (method, bool) {
	path := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	export := r.URL.Query().Has("export")
	for _, op := range ops {
		template := strings.Split(strings.Trim(strings.Replace(op.path, svc, "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.ApiManagement/service/{serviceName}", 1), "/"), "/")
		if op.verb != r.Method || len(template) != len(path) || strings.Contains(op.query, "export") != export {
			continue
		}
		m := method{op: op, params: make([]string, args)}
		same := true
		for i, s := range template {
			if strings.HasPrefix(s, "{") {
				for n := range args {
					if path[i] == fmt.Sprintf("mark%d", n) {
						m.params[n] = strings.Trim(s, "{}")
					}
				}
			} else if !strings.EqualFold(s, path[i]) {
				same = false
			}
		}
		if !same {
			continue
		}
		for name, values := range r.URL.Query() {
			for n := range args {
				if values[0] == fmt.Sprintf("mark%d", n) {
					m.params[n] = "?" + name
				}
			}
		}
		return m, true
	}
	return method{}, false
}

// order sorts so that a parent is made before its children and goes after them.
func order(list []method) {
	rank := func(m method) int {
		depth := strings.Count(m.op.path, "/")
		if strings.Contains(m.op.path, "/deletedservices/") { // only what was deleted is there
			return 3e7 + len(m.op.verb)
		}
		switch m.op.verb {
		case "PUT":
			return putRank(m.op.path)*100 + depth
		case "DELETE":
			return 1e7 - putRank(m.op.path)*100 - depth
		case "POST":
			return 1e6 + depth
		default:
			return 1e5 + depth
		}
	}
	sort.SliceStable(list, func(i, j int) bool {
		if a, b := rank(list[i]), rank(list[j]); a != b {
			return a < b
		}
		return list[i].op.String() < list[j].op.String()
	})
}

func putRank(path string) int {
	inner := strings.TrimPrefix(strings.TrimPrefix(path, svc+"/"), "workspaces/{workspaceId}/")
	collection, rest, _ := strings.Cut(inner, "/")
	_, deeper, nested := strings.Cut(rest, "/")
	for i, c := range []string{svc, "workspaces", "loggers", "namedValues", "certificates", "users", "groups", "apiVersionSets", "apis", "products", "tags"} {
		if c == collection {
			if nested && deeper != "" {
				return 40 + i
			}
			return i
		}
	}
	if nested {
		return 60
	}
	return 20
}

// TestEverySDKOperation sends every operation of the official client to a seeded service. The client itself holds status
// codes and models; envelope, names and headers are held here.
func TestEverySDKOperation(t *testing.T) {
	p := newPlane(t)
	all := methods(t)
	order(all)
	transport := &spy{next: p.server.Client()}
	factory := clientFactory(t, p.server.URL, transport)
	bodies, refused, elsewhere := callBodies(t), refusals(), map[string]bool{"POST {SVC}/backup": true, "POST {SVC}/restore": true}
	started := "" // the id of an operation
	served, declined, covered := 0, 0, map[string]bool{}
	var failures []string
	for _, m := range all {
		covered[m.op.String()+m.op.query] = true
		if elsewhere[m.op.String()] {
			continue
		}
		client := factory.Method(int(m.client.Int())).Call(nil)[0]
		transport.first = nil
		err := finish(client.MethodByName(m.name).Call(arguments(t, m, client.MethodByName(m.name), bodies, started)))
		switch code, want := errorCode(err), refused[m.op.String()]; {
		case want != "" && code == want:
			declined++
		case err != nil:
			failures = append(failures, fmt.Sprintf("%s (%s): %s", m.op, m.name, short(err)))
		case want != "":
			failures = append(failures, fmt.Sprintf("%s: is answered, but listed as refused with %s", m.op, want))
		default:
			if m.op.String() == "PUT "+svc {
				_, id, _ := strings.Cut(transport.header.Get("Location"), "/operationresults/")
				started, _, _ = strings.Cut(id, "?")
			}
			if err := shape(m.op, transport); err != nil {
				failures = append(failures, fmt.Sprintf("%s (%s): %v in %.300s", m.op, m.name, err, transport.body))
			} else {
				served++
			}
		}
	}
	p.ops.settle()
	for _, op := range operations(t) {
		if !covered[op.String()+op.query] {
			failures = append(failures, op.String()+": no method of the client sends it")
		}
	}
	var list []string
	for op, code := range refused {
		if code != "" {
			list = append(list, op)
		}
	}
	sort.Strings(list)
	t.Logf("refused:\n%s", strings.Join(list, "\n"))
	t.Logf("%d operations, %d methods: %d served, %d refused with a reason, %d by another provider, %d wrong", len(operations(t)), len(all), served, declined, len(elsewhere), len(failures))
	for _, f := range failures {
		t.Error(f)
	}
}

func errorCode(err error) string {
	var re *azcore.ResponseError
	if errors.As(err, &re) && re.StatusCode/100 == 4 {
		return re.ErrorCode
	}
	return ""
}

func short(err error) string {
	var re *azcore.ResponseError
	if errors.As(err, &re) {
		raw, _ := io.ReadAll(re.RawResponse.Body)
		return fmt.Sprintf("%d %s %.300s", re.StatusCode, re.ErrorCode, raw)
	}
	return err.Error()
}

// arguments fills the call of an operation with the names and bodies of the seeded service.
func arguments(t *testing.T, m method, f reflect.Value, bodies map[string]string, started string) []reflect.Value {
	t.Helper()
	args := make([]reflect.Value, f.Type().NumIn())
	for n := range args {
		in := f.Type().In(n)
		args[n] = reflect.Zero(in)
		switch {
		case in.String() == "context.Context":
			args[n] = reflect.ValueOf(context.Background())
		case in.Kind() == reflect.String:
			value := argument(m, m.params[n])
			if m.params[n] == "operationId" && strings.Contains(m.op.path, "/operation") && strings.Contains(m.op.path, "/locations/") {
				value = started
			}
			args[n] = reflect.ValueOf(value).Convert(in)
		case in.Kind() == reflect.Struct:
			v := reflect.New(in)
			body := bodies[m.op.String()]
			if body == "" {
				body = bodies[strings.Replace(m.op.String(), "/workspaces/{workspaceId}", "", 1)]
			}
			if body == "" {
				body = "{}"
			}
			if err := json.Unmarshal([]byte(body), v.Interface()); err != nil {
				t.Fatalf("%s: %v", m.op, err)
			}
			args[n] = v.Elem()
		}
	}
	return args
}

func argument(m method, param string) string {
	switch {
	case param == "resourceGroupName" && strings.Contains(m.op.path, "ApiManagement/gateways"):
		return group
	case param == "?format":
		return "openapi+json-link"
	case param == "?export":
		return "true"
	case param == "":
		return "*" // If-Match
	}
	if v, ok := map[string]string{"resourceGroupName": group, "serviceName": serviceName, "location": "westeurope", "locationName": "westeurope", "policyId": "policy", "accessName": "access",
		"settingsType": "public", "notificationName": "RequestPublisherNotificationMessage", "templateName": "applicationApprovedNotificationMessage", "identityProviderName": "google",
		"email": "ann@contoso.test", "apiId": "echo", "configurationName": "configuration", "workspaceId": "team", "diagnosticId": "applicationinsights", "portalConfigId": "default",
		"?interval": "PT15M", "?$filter": "timestamp ge datetime'2024-01-01T00:00:00'"}[param]; ok {
		return v
	}
	return strings.TrimSuffix(strings.ToLower(param), "id") + "1"
}

// shape holds the answer of an operation to the envelope.
func shape(op operation, s *spy) error {
	if !contains(op.success, fmt.Sprint(s.status)) {
		return fmt.Errorf("status %d, want %v", s.status, op.success)
	}
	for _, h := range []string{"X-Ms-Request-Id", "X-Ms-Correlation-Request-Id"} {
		if s.header.Get(h) == "" {
			return fmt.Errorf("no header %s", h)
		}
	}
	if len(s.body) == 0 || s.first.Method == http.MethodPost {
		return nil
	}
	var v any
	if err := json.Unmarshal(s.body, &v); err != nil {
		return err
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil // the network status is a bare list
	}
	if items, isList := object["value"]; isList && !strings.Contains(op.query, "export") {
		if _, ok := items.([]any); !ok {
			return fmt.Errorf("value is not a list")
		}
		return nil
	}
	if !strings.HasSuffix(op.path, "}") || strings.Contains(op.query, "export") || op.path == svc || !strings.HasPrefix(op.path, svc) {
		return nil
	}
	id, _ := object["id"].(string)
	if want := strings.TrimSuffix(s.first.URL.Path, "/"); !strings.EqualFold(id, want) {
		return fmt.Errorf("id is %q, want %q", id, want)
	}
	if name, _ := object["name"].(string); !strings.HasSuffix(strings.ToLower(id), "/"+strings.ToLower(name)) || name == "" {
		return fmt.Errorf("name %q does not end the id", object["name"])
	}
	if kind, _ := object["type"].(string); !strings.HasPrefix(kind, "Microsoft.ApiManagement/service/") {
		return fmt.Errorf("type is %q", kind)
	}
	return nil
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}

// callBodies reads testdata/bodies.txt: "VERB path", a line of JSON, and an empty line.
func callBodies(t *testing.T) map[string]string {
	out := pairs(t, "testdata/bodies.txt")
	words := strings.NewReplacer("{{PFX}}", testPFX(t), "{{TOMORROW}}", tandem.SystemClock{}.Now().Add(24*time.Hour).UTC().Format(time.RFC3339))
	for op, body := range out {
		out[op] = words.Replace(body)
	}
	return out
}

// refusals are the operations that are refused, with the code of the refusal, as the provider lists them.
func refusals() map[string]string {
	out := map[string]string{}
	for _, r := range apim.Refusals() {
		path := r.Path
		if !strings.HasPrefix(path, "/") {
			path = svc + "/" + path
		}
		out[r.Method+" "+path] = r.Code
	}
	return out
}

func pairs(t *testing.T, file string) map[string]string {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, line := range strings.Split(string(raw), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.SplitN(line, "\t", 2)
		if len(f) != 2 {
			t.Fatalf("%s: %q has no tab", file, line)
		}
		out[f[0]] = f[1]
	}
	return out
}
