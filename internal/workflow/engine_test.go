package workflow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"tandem"
	"tandem/internal/store"
	"tandem/internal/workflow/value"
)

// TestSeedOnSchedule: the seed's workflow, saved through the management API, runs on its schedule; its history is there, and
// no secret is, neither in the store nor in what the API shows.
func TestSeedOnSchedule(t *testing.T) {
	a := newAzure(t, 1)
	w := newWorld(t, Config{Hosts: a.hosts(), PollInterval: time.Millisecond})
	w.start()
	w.save("backup", definitionOf(t, seed(t)), "")
	var run string
	for range 1000 { // the first firing comes at once
		list, _ := w.call("GET", testID+"backup/runs", "", 200).Get("value")
		if runs := list.([]any); len(runs) > 0 {
			run = runs[0].(*value.Object).String("name")
			break
		}
		w.config.Clock.Sleep(t.Context(), 5*time.Millisecond)
	}
	props := w.wait("backup", run)
	if props.String("status") != "Succeeded" {
		t.Fatalf("%s", value.Encode(props))
	}
	list, _ := w.call("GET", testID+"backup/runs/"+run+"/actions", "", 200).Get("value")
	actions := list.([]any)
	if len(actions) != 5 {
		t.Fatalf("%s", value.Encode(list))
	}
	for _, v := range actions {
		p := v.(*value.Object).Object("properties")
		for _, link := range []string{"inputsLink", "outputsLink"} {
			if l := p.Object(link); l != nil {
				shown := string(value.Encode(w.call("GET", l.String("uri"), "", 200)))
				for _, secret := range []string{"s3cr3t", testToken, "c3RvcmFnZS1hY2NvdW50LWtleQ"} {
					if strings.Contains(shown, secret) {
						t.Errorf("%s shows %s: %s", v.(*value.Object).String("name"), secret, shown)
					}
				}
			}
		}
	}
	l, err := w.store.List(t.Context(), "", store.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range l.Documents {
		if strings.Contains(string(d.Value), "s3cr3t") || strings.Contains(string(d.Value), testToken) {
			t.Errorf("law 7: %s holds a secret in the clear", d.Key)
		}
	}
	next := w.call("GET", testID+"backup/triggers/Recurrence", "", 200).Object("properties").String("nextExecutionTime")
	last := w.call("GET", testID+"backup/triggers/Recurrence", "", 200).Object("properties").String("lastExecutionTime")
	t1, _ := time.Parse(time.RFC3339Nano, next)
	t0, _ := time.Parse(time.RFC3339Nano, last)
	if d := t1.Sub(t0); d < 179*time.Second || d > 181*time.Second {
		t.Errorf("after %s the next run is at %s", last, next)
	}
	by := w.runOf("backup", "Recurrence")
	if s := w.wait("backup", by).String("status"); s != "Succeeded" {
		t.Errorf("by hand: %s", s)
	}
}

// breaking is a store whose nth commit on succeeds and then stops the engine, or never happens and stops the engine: both
// sides of a crash.
type breaking struct {
	store.Store
	mu    sync.Mutex
	left  int
	after bool // the last commit still happens
	crash func()
}

func (b *breaking) Commit(ctx context.Context, batch store.Batch) (tandem.Revision, error) {
	b.mu.Lock()
	b.left--
	left := b.left
	b.mu.Unlock()
	if left > 0 {
		return b.Store.Commit(ctx, batch)
	}
	if left == 0 && b.after {
		_, err := b.Store.Commit(ctx, batch)
		b.crash()
		return 0, errors.Join(err, context.Canceled)
	}
	b.crash()
	return 0, context.Canceled
}

const crashing = `{"triggers":{"manual":{"type":"Request","kind":"Http"}},"actions":{
 "Start":{"type":"InitializeVariable","inputs":{"variables":[{"name":"n","type":"integer","value":0}]}},
 "Names":{"type":"InitializeVariable","runAfter":{"Start":["Succeeded"]},"inputs":{"variables":[{"name":"names","type":"array","value":[]}]}},
 "If":{"type":"If","runAfter":{"Names":["Succeeded"]},"expression":"@equals(variables('n'),0)",
   "actions":{"Count":{"type":"IncrementVariable","inputs":{"name":"n","value":1}},
     "In":{"type":"Http","runAfter":{"Count":["Succeeded"]},"inputs":{"method":"POST","uri":"https://management.azure.com/once/in"}}},
   "else":{"actions":{"Wrong":{"type":"Http","inputs":{"method":"POST","uri":"https://management.azure.com/once/wrong"}}}}},
 "Each":{"type":"Foreach","runAfter":{"If":["Succeeded"]},"foreach":"@createArray('a','b')","operationOptions":"Sequential","actions":{
   "Post":{"type":"Http","inputs":{"method":"POST","uri":"https://management.azure.com/once/@{item()}"}},
   "Note":{"type":"AppendToArrayVariable","runAfter":{"Post":["Succeeded"]},"inputs":{"name":"names","value":"@body('Post')"}}}},
 "Loop":{"type":"Until","runAfter":{"Each":["Succeeded"]},"expression":"@equals(variables('n'),3)","actions":{
   "Again":{"type":"Http","inputs":{"method":"POST","uri":"https://management.azure.com/once/loop@{variables('n')}"}},
   "More":{"type":"IncrementVariable","runAfter":{"Again":["Succeeded"]},"inputs":{"name":"n"}}}},
 "Async":{"type":"Http","runAfter":{"Loop":["Succeeded"]},"inputs":{"method":"POST","uri":"https://management.azure.com/async"}},
 "Result":{"type":"Compose","runAfter":{"Async":["Succeeded"]},"inputs":"@concat(join(variables('names'),','),';',variables('n'),';',body('Async'),';',length(result('Loop')))"}},
 "outputs":{"all":{"type":"String","value":"@outputs('Result')"}}}`

// TestResume crashes the engine at every commit of a run in turn, before it and after it, and lets another one go on. The
// run ends the same each time; no action whose end was journalled is done again; one that was in flight is, and says so.
func TestResume(t *testing.T) {
	for _, after := range []bool{true, false} {
		for at := 2; ; at++ {
			whole := resumeOnce(t, at, after)
			if whole {
				if at < 25 {
					t.Fatalf("the run had only %d commits", at)
				}
				break
			}
		}
	}
}

// resumeOnce crashes at one commit; true: the run ended before that.
func resumeOnce(t *testing.T, at int, after bool) bool {
	a := newAzure(t, 0)
	counts := map[string]int{}
	polls := 0
	a.fault = answerOnce(counts, &polls)
	w := newWorld(t, Config{Hosts: a.hosts(), PollInterval: time.Millisecond})
	w.save("c", crashing, "")
	run := w.runOf("c", "manual")

	e, err := New(w.config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	e.c.Store = &breaking{Store: w.store, left: at, after: after, crash: cancel}
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	ended := false
	for !ended && ctx.Err() == nil {
		ended = Status(w.call("GET", testID+"c/runs/"+run, "", 200).Object("properties").String("status")).Finished()
	}
	cancel()
	<-done
	a.mu.Lock()
	before := fmt.Sprint(counts)
	a.mu.Unlock()

	w.start()
	props := w.wait("c", run)
	w.stop()
	out := props.Object("outputs").Object("all").String("value")
	if props.String("status") != "Succeeded" || out != "a,b;3;end;4" {
		t.Fatalf("crash at %d (after: %v): %s\n%s then %v", at, after, value.Encode(props), before, counts)
	}
	records, err := w.config.readJournal(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	repeated := 0
	for path, n := range counts {
		if path == "wrong" {
			t.Errorf("crash at %d: the branch that was not taken ran", at)
		}
		repeated += n - 1
	}
	interrupted := 0
	for _, rec := range records {
		for _, attempt := range rec.Attempts {
			if attempt.Code == codeInterrupted {
				interrupted++
			}
		}
	}
	if repeated > interrupted || interrupted > 1 {
		t.Errorf("crash at %d (after: %v): %d actions were done again, %d say that they were interrupted: %v", at, after, repeated, interrupted, counts)
	}
	return ended
}

// TestFence: an engine that was replaced stops, and nothing that it had under way is written.
func TestFence(t *testing.T) {
	w := newWorld(t, Config{})
	first, err := New(w.config)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- first.Run(t.Context()) }()
	for {
		if _, err := w.store.Get(t.Context(), engineKey, 0); err == nil {
			break
		}
	}
	w.start()
	if err := <-done; !errors.Is(err, tandem.Precondition) {
		t.Errorf("the first engine ended with %v", err)
	}
	w.save("c", `{"triggers":{"m":{"type":"Request"}},"actions":{"A":{"type":"Compose","inputs":1}}}`, "")
	if s := w.wait("c", w.runOf("c", "m")).String("status"); s != "Succeeded" {
		t.Error(s)
	}
}

// TestLargeRecords: what does not fit into one document of the store is kept in pieces.
func TestLargeRecords(t *testing.T) {
	w := newWorld(t, Config{})
	w.start()
	w.save("big", `{"triggers":{"m":{"type":"Request"}},"actions":{
		"A":{"type":"Compose","inputs":"@join(range(100000,90000),'-')"},
		"B":{"type":"Compose","runAfter":{"A":["Succeeded"]},"inputs":"@concat(outputs('A'),outputs('A'))"},
		"C":{"type":"Compose","runAfter":{"B":["Succeeded"]},"inputs":"@length(outputs('B'))"}},
		"outputs":{"n":{"type":"Int","value":"@outputs('C')"}}}`, "")
	props := w.wait("big", w.runOf("big", "m"))
	if n, _ := props.Object("outputs").Object("n").Get("value"); n != int64(2*(90000*7-1)) {
		t.Errorf("%s", value.Encode(props))
	}
}

func TestRecordRoundTrip(t *testing.T) {
	end := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	v, err := value.Decode([]byte(`{"z":1,"a":[1.10,12345678901234567890,null,true,"x"],"n":{}}`))
	if err != nil {
		t.Fatal(err)
	}
	rec := &Record{Seq: 3, Action: "A/~ b", Indexes: []int{1, 2}, Status: Failed, Code: "X", Error: fault("X", "no"), Start: end, End: &end,
		Inputs: v, Outputs: v, Progress: v, Variable: "x", Value: v, Attempts: []Attempt{{Start: end, Code: "c"}}}
	text, err := json.Marshal(encodeRecord(rec))
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeRecord(text)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := json.Marshal(encodeRecord(got))
	if string(again) != string(text) || !value.Equal(got.Inputs, v) {
		t.Errorf("%s\n%s", text, again)
	}
}
