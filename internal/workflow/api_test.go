package workflow

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tandem"
	"tandem/internal/store"
	"tandem/internal/store/storetest"
	"tandem/internal/workflow/value"
)

const echo = `{"triggers":{"manual":{"type":"Request","kind":"Http","operationOptions":"EnableSchemaValidation","inputs":{"method":"POST","relativePath":"/items/{id}","schema":{"type":"object","required":["a"]}}}},
 "actions":{"Answer":{"type":"Response","inputs":{"statusCode":201,"headers":{"X-A":"@{triggerBody()['a']}"},"body":{"id":"@triggerOutputs()['relativePathParameters']['id']","q":"@triggerOutputs()?['queries']?['x']","run":"@equals(workflow().run.name, trigger().originHistoryName)"}}},
  "Later":{"type":"Wait","runAfter":{"Answer":["Succeeded"]},"inputs":{"interval":{"count":1,"unit":"Day"}}}}}`

// TestRequest: the address of a Request trigger answers with what the Response action sends; a wrong signature, method or
// body is refused; the run is cancelled and resubmitted.
func TestRequest(t *testing.T) {
	w := newWorld(t, Config{})
	w.start()
	w.save("echo", echo, "")
	u := w.call("POST", testID+"echo/triggers/manual/listCallbackUrl", "", 200)
	address := strings.Replace(u.String("value"), "%7Bid%7D", "7", 1)
	address = strings.Replace(address, "{id}", "7", 1) + "&x=y"
	req, _ := http.NewRequestWithContext(t.Context(), "POST", address, strings.NewReader(`{"a":"b"}`))
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if resp.StatusCode != 201 || resp.Header.Get("X-A") != "b" || string(text) != `{"id":"7","q":"y","run":true}` {
		t.Fatalf("%d %v %s", resp.StatusCode, resp.Header, text)
	}
	run := resp.Header.Get("X-Ms-Workflow-Run-Id")
	w.call("POST", address, `{}`, 400)
	w.call("PUT", address, `{"a":1}`, 405)
	w.call("POST", strings.Replace(address, "sig=", "sig=x", 1), `{"a":1}`, 401)
	w.call("POST", testID+"echo/regenerateAccessKey", "{}", 200)
	w.call("POST", address, `{"a":1}`, 401)

	w.call("POST", testID+"echo/runs/"+run+"/cancel", "", 200)
	if s := w.wait("echo", run).String("status"); s != "Cancelled" {
		t.Errorf("the cancelled run is %s", s)
	}
	w.call("POST", testID+"echo/runs/"+run+"/cancel", "", 400)
	if s := w.call("GET", testID+"echo/runs/"+run+"/actions/Later", "", 200).Object("properties").String("status"); s != "Cancelled" {
		t.Errorf("Later is %s", s)
	}
	again := w.call("POST", testID+"echo/triggers/manual/histories/"+run+"/resubmit", "", 202).String("run")
	list, _ := w.call("GET", testID+"echo/runs?$filter=status%20eq%20'Running'", "", 200).Get("value")
	if len(list.([]any)) != 1 || list.([]any)[0].(*value.Object).String("name") != again {
		t.Errorf("%s", value.Encode(list))
	}
	histories, _ := w.call("GET", testID+"echo/triggers/manual/histories", "", 200).Get("value")
	if len(histories.([]any)) != 2 {
		t.Errorf("%s", value.Encode(histories))
	}
	w.call("POST", testID+"echo/disable", "", 200)
	w.call("POST", testID+"echo/triggers/manual/run", `{"a":1}`, 400)
	w.call("DELETE", testID+"echo", "", 200)
	w.call("GET", testID+"echo", "", 404)
	w.call("DELETE", testID+"echo", "", 204)
}

// TestSave: what is wrong is refused with its place; secure parameters do not come back and need not be sent again; versions
// are kept.
func TestSave(t *testing.T) {
	w := newWorld(t, Config{})
	bad := w.call("PUT", testID+"p", `{"properties":{"definition":{"actions":{"A":{"type":"Compose","inputs":"@nope()"}}}}}`, 400)
	if e := bad.Object("error"); e.String("code") != "InvalidTemplate" || !strings.Contains(e.String("message"), "$.definition.actions.A.inputs") {
		t.Errorf("%s", value.Encode(bad))
	}
	w.call("PUT", testID+"p", `{"properties":{"definition":{"actions":{"A":{"type":"Http","inputs":{"method":"GET","uri":"https://x","authentication":{"type":"ManagedServiceIdentity"}}}}}}}`, 400)
	def := `{"parameters":{"k":{"type":"SecureString"},"n":{"type":"Int","defaultValue":1}},"triggers":{"m":{"type":"Request"}},
	  "actions":{"A":{"type":"Compose","inputs":"k is @{parameters('k')}"},"B":{"type":"Compose","runAfter":{"A":["Succeeded"]},"inputs":"@length(outputs('A'))"}}}`
	w.call("PUT", testID+"p", `{"properties":{"definition":`+def+`}}`, 400) // k has no value
	w.save("p", def, `,"parameters":{"k":{"value":"very-secret"},"n":{"value":2}}`)
	got := w.call("GET", testID+"p", "", 200)
	if s := string(value.Encode(got.Object("properties").Object("parameters"))); s != `{"k":{"type":"SecureString"},"n":{"value":2}}` {
		t.Error(s)
	}
	w.call("PUT", testID+"p", string(value.Encode(got)), 200)
	w.start()
	run := w.runOf("p", "m")
	if s := w.wait("p", run).String("status"); s != "Succeeded" {
		t.Fatal(s)
	}
	for name, want := range map[string]string{"A": `"k is *sanitized*"`, "B": "16"} {
		link := w.call("GET", testID+"p/runs/"+run+"/actions/"+name, "", 200).Object("properties").Object("outputsLink").String("uri")
		v, _ := w.call("GET", link, "", 200).Get("text")
		if s := string(value.Encode(v)); s != want {
			t.Errorf("%s: %s", name, s)
		}
	}
	versions, _ := w.call("GET", testID+"p/versions", "", 200).Get("value")
	if len(versions.([]any)) != 2 {
		t.Errorf("%s", value.Encode(versions))
	}
	all, _ := w.call("GET", "/subscriptions/S1/providers/Microsoft.Logic/workflows", "", 200).Get("value")
	if len(all.([]any)) != 1 {
		t.Errorf("%s", value.Encode(all))
	}
}

// in runs a test with a store and an engine on the bubble's clock.
func in(t *testing.T, c Config, do func(t *testing.T, c Config, start func() (stop func()))) {
	synctest.Test(t, func(t *testing.T) {
		s := storetest.Memory()
		defer s.Close()
		c.Store, c.Sealer, c.Clock = s, reversed{}, tandem.SystemClock{}
		do(t, c, func() func() {
			e, err := New(c)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- e.Run(ctx) }()
			return func() { cancel(); <-done }
		})
	})
}

// keep saves a workflow without the management API.
func keep(t *testing.T, c Config, name, definition string) {
	t.Helper()
	def, _, err := Parse([]byte(definition))
	if err != nil {
		t.Fatal(err)
	}
	place, now := "s/g/"+name, c.Clock.Now()
	key := versionKey(place, "1")
	text, _ := c.seal(key, def.Source)
	w := workflowDoc{ID: "/" + name, Name: name, Enabled: true, EnabledAt: now, Version: "1", Flow: name}
	if _, err := c.Store.Commit(t.Context(), store.Batch{Put: []store.Write{write(workflowKey(place), w), write(key, versionDoc{Version: "1", Definition: text})}}); err != nil {
		t.Fatal(err)
	}
}

func statuses(t *testing.T, c Config, name string) string {
	t.Helper()
	runs, _, err := c.runs(t.Context(), "s/g/"+name, store.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for i := len(runs) - 1; i >= 0; i-- {
		out = append(out, string(runs[i].Status))
	}
	return strings.Join(out, " ")
}

const waits = `"actions":{"W":{"type":"Wait","inputs":{"interval":{"count":7,"unit":"Minute"}}}}`

// TestRecurrenceFires: every three minutes, a run of seven minutes each; with SingleInstance the firings meanwhile are
// skipped and say so; with a limit of runs some wait.
func TestRecurrenceFires(t *testing.T) {
	trigger := func(more string) string {
		return `{"triggers":{"R":{"type":"Recurrence","recurrence":{"frequency":"Minute","interval":3}` + more + `}},` + waits + `}`
	}
	for name, c := range map[string]struct{ more, want string }{
		"free":    {"", "Succeeded Running Running"},
		"single":  {`,"operationOptions":"SingleInstance"`, "Succeeded"},
		"limited": {`,"runtimeConfiguration":{"concurrency":{"runs":1,"maximumWaitingRuns":1}}`, "Succeeded Running"},
		"never":   {`,"conditions":[{"expression":"@equals(1,2)"}]`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, Config{}, func(t *testing.T, cfg Config, start func() func()) {
				keep(t, cfg, "w", trigger(c.more))
				stop := start()
				cfg.Clock.Sleep(t.Context(), 8*time.Minute) // the bubble's time
				synctest.Wait()
				stop()
				if got := statuses(t, cfg, "w"); got != c.want {
					t.Errorf("%s, want %s", got, c.want)
				}
				l, err := cfg.Store.List(t.Context(), "logic/history/", store.ListOptions{})
				if want := map[string]int{"single": 2, "limited": 1, "never": 3}[name]; err != nil || len(l.Documents) != want {
					t.Errorf("%d firings were skipped, want %d", len(l.Documents), want)
				}
			})
		})
	}
}

// TestRestartKeepsTime: a stop in the middle of a wait does not prolong it; of the slots that passed meanwhile the last
// fires late, and no slot fires twice.
func TestRestartKeepsTime(t *testing.T) {
	in(t, Config{}, func(t *testing.T, c Config, start func() func()) {
		keep(t, c, "w", `{"triggers":{"R":{"type":"Recurrence","recurrence":{"frequency":"Hour","interval":1}}},`+waits+`}`)
		stop := start()
		c.Clock.Sleep(t.Context(), 2*time.Minute)
		stop()
		c.Clock.Sleep(t.Context(), 2*time.Minute)
		stop = start()
		c.Clock.Sleep(t.Context(), 4*time.Minute) // minute 8: the run that began at 0 has waited seven minutes
		synctest.Wait()
		if got := statuses(t, c, "w"); got != "Succeeded" {
			t.Errorf("after the restart: %s", got)
		}
		stop()
		c.Clock.Sleep(t.Context(), 55*time.Minute) // minute 63: the slot at 60 was missed by three minutes
		stop = start()
		c.Clock.Sleep(t.Context(), time.Minute)
		synctest.Wait()
		if got := statuses(t, c, "w"); got != "Succeeded Running" {
			t.Errorf("after the missed slot: %s", got)
		}
		stop()
		c.Clock.Sleep(t.Context(), 200*time.Minute) // minute 264: those at 120, 180 and 240 were missed by far
		stop = start()
		c.Clock.Sleep(t.Context(), time.Minute)
		synctest.Wait()
		stop()
		if got := statuses(t, c, "w"); got != "Succeeded Succeeded" {
			t.Errorf("after long: %s", got)
		}
	})
}

// TestRetention: old runs go with their journals, and no more are kept than asked for.
func TestRetention(t *testing.T) {
	in(t, Config{Retention: 48 * time.Hour, KeepRuns: 5}, func(t *testing.T, c Config, start func() func()) {
		keep(t, c, "w", `{"triggers":{"R":{"type":"Recurrence","recurrence":{"frequency":"Hour","interval":1}}},"actions":{"A":{"type":"Compose","inputs":1}}}`)
		stop := start()
		c.Clock.Sleep(t.Context(), 20*time.Hour+30*time.Minute)
		synctest.Wait()
		stop()
		runs, _, _ := c.runs(t.Context(), "s/g/w", store.ListOptions{})
		l, err := c.Store.List(t.Context(), journalPrefix, store.ListOptions{})
		if err != nil || len(runs) > 6 || len(runs) < 5 || len(l.Documents) != len(runs) {
			t.Errorf("%d runs and %d records are kept", len(runs), len(l.Documents))
		}
		// Of a workflow that was deleted nothing stays.
		skipped := write(historyPrefix("s/g/w", "R")+"1", historyDoc{ID: "1", Time: c.Clock.Now()})
		if _, err := c.Store.Commit(t.Context(), store.Batch{Delete: []string{workflowKey("s/g/w"), triggerKey("s/g/w", "R")}, Put: []store.Write{skipped}}); err != nil {
			t.Fatal(err)
		}
		stop = start()
		c.Clock.Sleep(t.Context(), 2*time.Hour)
		synctest.Wait()
		stop()
		l, err = c.Store.List(t.Context(), "logic", store.ListOptions{})
		if err != nil || len(l.Documents) != 1 || l.Documents[0].Key != engineKey {
			t.Errorf("%d documents are left", len(l.Documents))
		}
	})
}

// TestHTTPRetries: a 503 is tried again by the policy, in its time, and each try is in the history.
func TestHTTPRetries(t *testing.T) {
	a := newAzure(t, 0)
	a.fail = 2
	file := strings.Replace(string(seed(t)), `"uri": "https://login`, `"retryPolicy": {"type":"fixed","count":2,"interval":"PT5S"}, "uri": "https://login`, 1)
	clock := &quick{}
	res, err := Run(t.Context(), []byte(file), RunOptions{Hosts: a.hosts(), Clock: clock})
	if err != nil || res.Status != Succeeded {
		t.Fatalf("%v %+v", err, res)
	}
	slept, _ := json.Marshal(clock.slept)
	if string(slept) != "[5000000000,5000000000,10000000000]" {
		t.Errorf("it slept %s", slept)
	}
}

// quick is a clock on which short waits pass at once; timeouts of a minute and more never come.
type quick struct {
	tandem.SystemClock
	slept []time.Duration
}

func (q *quick) Sleep(ctx context.Context, d time.Duration) error {
	if d >= time.Minute {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	q.slept = append(q.slept, d)
	return ctx.Err()
}
