package template

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"
)

// fake answers for every resource.
type fake struct{}

func (fake) Read(_ context.Context, id, version string) (map[string]any, error) {
	return map[string]any{"id": id, "apiVersion": version, "sku": map[string]any{"name": "small"}, "properties": map[string]any{"state": "ready"}}, nil
}

func (fake) Invoke(_ context.Context, action, _, _ string, _ any) (any, error) {
	return map[string]any{"keys": []any{map[string]any{"value": "k1 of " + action}}}, nil
}

func testScope() *Scope {
	return &Scope{Subscription: "s1", Group: "rg1", Now: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC), NewGUID: func() string { return "00000000-1111-2222-3333-444444444444" },
		GroupInfo:        map[string]any{"id": "/subscriptions/s1/resourceGroups/rg1", "name": "rg1", "location": "centralindia"},
		SubscriptionInfo: map[string]any{"subscriptionId": "s1"}, DeploymentInfo: map[string]any{"name": "main"},
		Environment: map[string]any{"suffixes": map[string]any{"storage": "core.windows.net"}}}
}

const head = `"$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#", "contentVersion": "1.0.0.0"`

// plan reads a template without its first members and plans it.
func plan(t *testing.T, text, parameters string) (*Plan, error) {
	t.Helper()
	v, err := ReadJSON([]byte("{" + head + "," + text + "}"))
	if err != nil {
		t.Fatal(err)
	}
	var given any = map[string]any{}
	if parameters != "" {
		if given, err = ReadJSON([]byte(parameters)); err != nil {
			t.Fatal(err)
		}
	}
	tpl, err := Parse(v, nil)
	if err != nil {
		return nil, err
	}
	return tpl.Plan(t.Context(), Options{Scope: testScope(), Parameters: given.(map[string]any)})
}

func planned(t *testing.T, text, parameters string) *Plan {
	t.Helper()
	p, err := plan(t, text, parameters)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestFunctions evaluates the expressions in testdata/functions.txt as outputs.
func TestFunctions(t *testing.T) {
	file, err := os.ReadFile("testdata/functions.txt")
	if err != nil {
		t.Fatal(err)
	}
	tried := map[string]bool{}
	for i, line := range strings.Split(string(file), "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		expression, want, ok := strings.Cut(line, " => ")
		if !ok {
			t.Fatalf("line %d has no =>", i+1)
		}
		if n, err := parseExpression(expression); err == nil {
			n.walk(func(n *node) { tried[n.call] = true })
		}
		got, err := evaluate(t, expression)
		if message, fails := strings.CutPrefix(want, "error"); fails {
			if err == nil || !strings.Contains(err.Error(), strings.TrimSpace(message)) {
				t.Errorf("line %d: %s gives %s, %v; want an error with %q", i+1, expression, got, err, message)
			}
			continue
		}
		if err != nil || got != want {
			t.Errorf("line %d: %s gives %s, %v; want %s", i+1, expression, got, err, want)
		}
	}
	for _, elsewhere := range []string{"newguid", "references", "resourceinfo", "any", "tenant", "deployer"} {
		tried[elsewhere] = true
	}
	for name := range builtins() {
		if !tried[name] {
			t.Errorf("no line tries the function %s", name)
		}
	}
}

func evaluate(t *testing.T, expression string) (string, error) {
	t.Helper()
	quoted, _ := json.Marshal(expression)
	p, err := plan(t, `"parameters": {"word": {"type": "string", "defaultValue": "hello"}},
		"variables": {"shout": "[concat(toUpper(parameters('word')), '!')]"},
		"functions": [{"namespace": "contoso", "members": {"greet": {"parameters": [{"name": "who", "type": "string"}, {"name": "times", "type": "int"}],
			"output": {"type": "string", "value": "[format('Hello {0} {1}', parameters('who'), parameters('times'))]"}}}}],
		"resources": [{"type": "Test.Things/things", "apiVersion": "2024-01-01", "name": "x"}],
		"outputs": {"out": {"value": `+string(quoted)+`}}`, "")
	if err != nil {
		return "", err
	}
	out, err := p.Outputs(t.Context(), fake{})
	if err != nil {
		return "", err
	}
	return compact(out["out"].(map[string]any)["value"]), nil
}
