package workflow

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tandem"
	"tandem/internal/workflow/value"
)

// TestScenarios plays testdata/scenarios.txt: a title, the actions, and after ---- how each ended and with which outputs.
func TestScenarios(t *testing.T) {
	file, err := os.ReadFile("testdata/scenarios.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range strings.Split(strings.TrimSpace(string(file)), "\n\n") {
		head, want, _ := strings.Cut(block, "\n----\n")
		title, actions, _ := strings.Cut(head, "\n")
		t.Run(title, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if got := trace(t, actions); got != want {
					t.Errorf("got\n%s\nwant\n%s", got, want)
				}
			})
		})
	}
}

func trace(t *testing.T, actions string) string {
	def, _, err := Parse([]byte(`{"actions":` + actions + `}`))
	if err != nil {
		t.Fatal(err)
	}
	j := &memoryJournal{records: map[string]*Record{}}
	r := &runner{def: def, info: value.New(), trigger: value.New(), journal: j, clock: tandem.SystemClock{}, guid: newGUID, rand: drawn}
	r.load(nil)
	out, err := r.run(t.Context(), t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, rec := range ordered(def, j.records) {
		b.WriteString(rec.Action)
		if len(rec.Indexes) > 0 {
			b.WriteString(strings.ReplaceAll(fmt.Sprint(rec.Indexes), " ", ","))
		}
		fmt.Fprintf(&b, " %s %s", rec.Status, rec.Code)
		if o, isObject := rec.Outputs.(*value.Object); rec.Outputs != nil && (!isObject || !o.Has("body") || len(value.Encode(o)) < 200) && rec.Action != "Catch" {
			b.WriteString(" " + string(value.Encode(rec.Outputs)))
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "run %s %s", out.status, out.code)
	if out.code == codeTerminated {
		fmt.Fprintf(&b, " %s %s", out.fault.Code, out.fault.Message)
	}
	return b.String()
}

// TestDefinitionRefuses: what is wrong is found when the definition is read, with its place and what to do.
func TestDefinitionRefuses(t *testing.T) {
	for text, want := range map[string]string{
		`[]`:                                 "$",
		`{"actions":{"A":{"type":"Fetch"}}}`: "$.actions.A.type",
		`{"actions":{"A":{"type":"ApiConnection"}}}`:                                                                                                      "$.actions.A.type",
		`{"definition":{"actions":{"A":{}}}}`:                                                                                                             "$.definition.actions.A",
		`{"actions":{"A":{"type":"Compose","inputs":{"x":["@nope()"]}}}}`:                                                                                 "$.actions.A.inputs.x[0]",
		`{"actions":{"A":{"type":"Compose","inputs":"@body('Z')"}}}`:                                                                                      "$.actions.A.inputs",
		`{"actions":{"A":{"type":"Compose","inputs":"@variables('v')"}}}`:                                                                                 "$.actions.A.inputs",
		`{"actions":{"A":{"type":"Compose","inputs":"@parameters('v')"}}}`:                                                                                "$.actions.A.inputs",
		`{"actions":{"A":{"type":"Compose","inputs":"@item()"}}}`:                                                                                         "$.actions.A.inputs",
		`{"actions":{"A":{"type":"Compose","inputs":"@triggerBody()"}}}`:                                                                                  "$.actions.A.inputs",
		`{"actions":{"A":{"type":"Compose","inputs":1,"runAfter":{"B":["Succeeded"]}}}}`:                                                                  "$.actions.A.runAfter.B",
		`{"actions":{"A":{"type":"Compose","inputs":1},"B":{"type":"Compose","inputs":1,"runAfter":{"A":["Done"]}}}}`:                                     "$.actions.B.runAfter.A",
		`{"actions":{"A":{"type":"Compose","inputs":1,"runAfter":{"B":["Succeeded"]}},"B":{"type":"Compose","inputs":1,"runAfter":{"A":["Succeeded"]}}}}`: "$.actions.B.runAfter",
		`{"actions":{"A":{"type":"Compose","inputs":1,"colour":2}}}`:                                                                                      "$.actions.A.colour",
		`{"actions":{"A":{"type":"Http","inputs":{"uri":"https://x"}}}}`:                                                                                  "$.actions.A.inputs",
		`{"actions":{"A":{"type":"Http","inputs":{"method":"FETCH","uri":"https://x"}}}}`:                                                                 "$.actions.A.inputs.method",
		`{"actions":{"A":{"type":"Http","inputs":{"method":"GET","uri":"x"}}}}`:                                                                           "$.actions.A.inputs.uri",
		`{"actions":{"A":{"type":"Http","inputs":{"method":"GET","uri":"https://x","authentication":{"type":"Kerberos"}}}}}`:                              "$.actions.A.inputs.authentication.type",
		`{"actions":{"A":{"type":"Http","inputs":{"method":"GET","uri":"https://x","retryPolicy":{"type":"fixed","count":200,"interval":"PT10S"}}}}}`:     "$.actions.A.inputs.retryPolicy.count",
		`{"actions":{"A":{"type":"Http","limit":{"timeout":"1h"},"inputs":{"method":"GET","uri":"https://x"}}}}`:                                          "$.actions.A.limit.timeout",
		`{"actions":{"A":{"type":"ParseJson","inputs":{"content":1,"schema":{"type":"thing"}}}}}`:                                                         "$.actions.A.inputs.schema",
		`{"actions":{"A":{"type":"Wait","inputs":{}}}}`:                                                                                                   "$.actions.A.inputs",
		`{"actions":{"A":{"type":"Terminate","inputs":{"runStatus":"Gone"}}}}`:                                                                            "$.actions.A.inputs.runStatus",
		`{"actions":{"A":{"type":"Response","inputs":{"statusCode":200}}}}`:                                                                               "$.actions.A",
		`{"actions":{"S":{"type":"Scope","actions":{"A":{"type":"InitializeVariable","inputs":{"variables":[{"name":"x","type":"string"}]}}}}}}`:          "$.actions.S.actions.A",
		`{"actions":{"A":{"type":"InitializeVariable","inputs":{"variables":[{"name":"x","type":"integer","value":"z"}]}}}}`:                              "$.actions.A.inputs.variables[0].value",
		`{"triggers":{"T":{"type":"ServiceBus"}},"actions":{}}`:                                                                                           "$.triggers.T.type",
		`{"triggers":{"T":{"type":"Recurrence","recurrence":{"frequency":"Day","interval":0}}},"actions":{}}`:                                             "$.triggers.T.recurrence.interval",
		`{"triggers":{"T":{"type":"Recurrence","splitOn":"@x","recurrence":{"frequency":"Day","interval":1}}},"actions":{}}`:                              "$.triggers.T.splitOn",
		`{"parameters":{"P":{"type":"Text"}},"actions":{}}`:                                                                                               "$.parameters.P.type",
		`{"parameters":{"P":{"type":"Int","defaultValue":"x"}},"actions":{}}`:                                                                             "$.parameters.P.defaultValue",
		`{"actions":{},"extra":1}`: "$.extra",
	} {
		_, _, err := Parse([]byte(text))
		var d *DefinitionError
		if !errors.As(err, &d) || !errors.Is(err, tandem.Invalid) {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if len(d.Problems) != 1 || d.Problems[0].Path != want {
			t.Errorf("%s: %v, want one at %s", text, err, want)
		}
	}
	if _, _, err := Parse([]byte("{\n \"actions\": {,}}")); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("%v", err)
	}
}

func TestDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{"PT30S": 30 * time.Second, "PT1H30M": 90 * time.Minute, "P1D": 24 * time.Hour, "P1DT1S": 24*time.Hour + time.Second, "PT0.5S": time.Second / 2} {
		if got, err := duration(text); err != nil || got != want {
			t.Errorf("%s: %v %v", text, got, err)
		}
	}
	for _, text := range []string{"", "P", "PT", "1H", "PT1X", "PTH", "P1H", "PT-1S", "PT1S1M"} {
		if got, err := duration(text); err == nil {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func TestRetryDelays(t *testing.T) {
	highest := func(n int64) int64 { return n - 1 }
	for name, c := range map[string]struct {
		policy retryPolicy
		want   string
	}{
		"default":     {defaultRetries(), "[7.5s 15s 30s 45s]"},
		"fixed":       {retryPolicy{kind: "fixed", interval: 10 * time.Second}, "[10s 10s 10s 10s]"},
		"exponential": {retryPolicy{kind: "exponential", interval: 10 * time.Second, most: time.Minute}, "[9.999999999s 19.999999999s 39.999999999s 59.999999999s]"},
	} {
		var got []time.Duration
		for n := 1; n <= 4; n++ {
			got = append(got, c.policy.delay(n, highest))
		}
		if fmt.Sprint(got) != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// FuzzDefinition: whatever text is read as a definition, nothing panics, and every error has its kind.
func FuzzDefinition(f *testing.F) {
	f.Add(seed(f))
	f.Add([]byte(crashing))
	scenarios, err := os.ReadFile("testdata/scenarios.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, block := range strings.Split(string(scenarios), "\n\n") {
		head, _, _ := strings.Cut(block, "\n----\n")
		_, actions, _ := strings.Cut(head, "\n")
		f.Add([]byte(`{"actions":` + actions + `}`))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		def, _, err := Parse(text)
		if err != nil {
			if !errors.Is(err, tandem.Invalid) {
				t.Fatalf("%v", err)
			}
			return
		}
		again, _, err := ParseValue(def.Source)
		if err != nil || len(again.names) != len(def.names) {
			t.Fatalf("what was accepted is refused: %v", err)
		}
		Lint(def, nil)
		if _, err := json.Marshal(def.Source); err != nil {
			t.Fatal(err)
		}
	})
}
