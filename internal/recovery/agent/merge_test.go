package agent

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tandem/internal/apim"
	"tandem/internal/failover"
	"tandem/internal/recovery"
	"tandem/internal/store"
)

// docs makes documents of lines "type id/id=text".
func docs(t interface{ Fatal(...any) }, lines ...string) map[string]store.Document {
	out := map[string]store.Document{}
	for _, line := range lines {
		cut := strings.LastIndexByte(line, '=')
		name, text := line[:cut], line[cut+1:]
		typ, path, _ := strings.Cut(name, " ")
		d := &apim.Document{IDs: strings.Split(path, "/"), Type: typ, Properties: map[string]any{"text": text}}
		d.Key = apim.Key(typ, d.IDs)
		w, err := d.Write()
		if err != nil {
			t.Fatal(err)
		}
		out[w.Key] = store.Document{Key: w.Key, Value: w.Value, Revision: 100}
	}
	return out
}

// shown tells a merge in one line: changes at the holder, then conflicts with what was chosen.
func shown(g *merge) string {
	var parts []string
	for _, c := range g.changes() {
		if c.Gone {
			parts = append(parts, "-"+c.Key)
			continue
		}
		parts = append(parts, "+"+c.Key)
	}
	for _, c := range g.Conflicts {
		parts = append(parts, "?"+c.Key+":"+[]string{"open", "ours", "theirs"}[c.Chosen])
	}
	return strings.Join(parts, " ")
}

// TestMergeFamilies: a document is not left without its parent in silence.
func TestMergeFamilies(t *testing.T) {
	const api, op = "apis echo;rev=1", "apis.operations echo;rev=1/get"
	for _, c := range []struct {
		name               string
		base, ours, theirs []string
		task               recovery.Task
		want               string
	}{
		{name: "added on both sides", base: []string{api + "=1"}, ours: []string{api + "=1", "tags a=1"}, theirs: []string{api + "=1", "tags b=1"}, want: "+tags/b"},
		{name: "an operation of an API that the holder deleted", base: []string{api + "=1"}, theirs: []string{api + "=1", op + "=1"},
			want: "+apis.operations/echo;rev=1/get ?apis/echo;rev=1:open"},
		{name: "decided for the holder", base: []string{api + "=1"}, theirs: []string{api + "=1", op + "=1"},
			task: recovery.Task{Decisions: map[string]failover.Side{"apis/echo;rev=1": failover.Ours}}, want: "?apis/echo;rev=1:ours"},
		{name: "decided for the former primary", base: []string{api + "=1"}, theirs: []string{api + "=1", op + "=1"},
			task: recovery.Task{Decisions: map[string]failover.Side{"apis/echo;rev=1": failover.Theirs}}, want: "+apis.operations/echo;rev=1/get +apis/echo;rev=1 ?apis/echo;rev=1:theirs"},
		{name: "the former primary deleted, by rule", base: []string{api + "=1"}, ours: []string{api + "=1", op + "=1"},
			task: recovery.Task{Rule: failover.PreferTheirs}, want: "-apis.operations/echo;rev=1/get -apis/echo;rev=1 ?apis/echo;rev=1:theirs"},
		{name: "the newest wins", base: []string{api + "=1"}, ours: []string{api + "=2"}, theirs: []string{api + "=3"}, task: recovery.Task{Rule: failover.Newest}, want: "?apis/echo;rev=1:ours"},
		{name: "neither is no decision", base: []string{api + "=1"}, ours: []string{api + "=2"}, theirs: []string{api + "=3"},
			task: recovery.Task{Decisions: map[string]failover.Side{"apis/echo;rev=1": failover.Neither, "apis/none": failover.Ours}}, want: "?apis/echo;rev=1:open"},
	} {
		g := newMerge(nil, docs(t, c.base...), &contents{Epoch: 2, Documents: docs(t, c.ours...)}, &contents{Epoch: 1, Documents: docs(t, c.theirs...)}, c.task)
		if got := shown(g); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// TestMergeKeepsAll: whatever three sets of documents are merged, by whatever rule that decides all, what the holder then has is
// a set without lost parents, a change of one side alone is in it or is named by a conflict, and merging again changes nothing.
func TestMergeKeepsAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		side := func(name string) map[string]store.Document {
			var lines []string
			for _, api := range []string{"a", "b"} {
				if !rapid.Bool().Draw(t, name+api) {
					continue
				}
				lines = append(lines, fmt.Sprintf("apis %s;rev=1=%d", api, rapid.IntRange(1, 2).Draw(t, name+api+"text")))
				for _, op := range []string{"x", "y"} {
					if rapid.Bool().Draw(t, name+api+op) {
						lines = append(lines, fmt.Sprintf("apis.operations %s;rev=1/%s=%d", api, op, rapid.IntRange(1, 2).Draw(t, name+api+op+"text")))
					}
				}
			}
			return docs(t, lines...)
		}
		base, ours, theirs := side("base"), side("ours"), side("theirs")
		task := recovery.Task{Rule: rapid.SampledFrom([]failover.Rule{failover.PreferOurs, failover.PreferTheirs, failover.Newest}).Draw(t, "rule")}
		g := newMerge(nil, base, &contents{Epoch: 2, Documents: ours}, &contents{Epoch: 1, Documents: theirs}, task)
		if len(g.Open()) > 0 {
			t.Fatalf("the rule decides all, and open are %v", g.Open())
		}
		after := map[string]store.Document{}
		for key, d := range ours {
			after[key] = d
		}
		for _, c := range g.changes() {
			if c.Gone {
				delete(after, c.Key)
				continue
			}
			if len(c.Value) == 0 {
				t.Fatalf("%s is written empty", c.Key)
			}
			after[c.Key] = store.Document{Key: c.Key, Value: c.Value}
		}
		named := map[string]bool{}
		for _, c := range g.Conflicts {
			named[c.Key] = true
		}
		for key := range after {
			if typ, rest, _ := strings.Cut(key, "/"); typ == "apis.operations" {
				api, _, _ := strings.Cut(rest, "/")
				if _, ok := after["apis/"+api]; !ok {
					t.Fatalf("%s has lost its API", key)
				}
			}
		}
		for key := range theirs {
			_, changed := base[key]
			_, kept := after[key]
			parent := "apis/" + strings.SplitN(key, "/", 3)[1]
			if !changed && !kept && !named[key] && !named[parent] {
				t.Fatalf("%s of the former primary is discarded in silence", key)
			}
		}
		again := newMerge(nil, after, &contents{Epoch: 2, Documents: after}, &contents{Epoch: 1, Documents: after}, task)
		if got := shown(again); got != "" {
			t.Fatalf("merging again changes %s", got)
		}
	})
}
