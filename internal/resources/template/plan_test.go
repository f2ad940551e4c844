package template

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestProblems holds what is wrong with a template to its place and its words.
func TestProblems(t *testing.T) {
	const thing = `"type": "Test.Things/things", "apiVersion": "2024-01-01"`
	for name, c := range map[string]struct{ text, parameters, want string }{
		"unknown function":     {`"resources": [{` + thing + `, "name": "[nonsense(1)]"}]`, "", "resources[0].name: the function 'nonsense' is not known"},
		"grammar":              {`"resources": [{` + thing + `, "name": "[concat('a']"}]`, "", "resources[0].name: the expression [concat('a'] cannot be read at position 11"},
		"unknown member":       {`"resources": [], "resource": []`, "", "resource: a template has no such member here"},
		"no resources":         {`"outputs": {}`, "", "resources: it is missing"},
		"no name":              {`"resources": [{` + thing + `}]`, "", "resources[0]: the resource has no name"},
		"name and type":        {`"resources": [{` + thing + `, "name": "a/b"}]`, "", "do not fit"},
		"undeclared parameter": {`"resources": [{` + thing + `, "name": "[parameters('x')]"}]`, "", "resources[0].name: there is no parameter 'x'"},
		"undeclared variable":  {`"resources": [], "outputs": {"o": {"type": "string", "value": "[variables('x')]"}}`, "", "outputs.o.value: there is no variable 'x'"},
		"circle of variables":  {`"variables": {"a": "[variables('b')]", "b": "[variables('a')]"}, "resources": []`, "", "is defined by itself"},
		"reference in a variable": {`"variables": {"a": "[reference('x')]"}, "resources": []`, "",
			"variables.a: the function 'reference' asks for resources"},
		"utcNow outside":      {`"resources": [], "outputs": {"o": {"type": "string", "value": "[utcNow()]"}}`, "", "only known in the default value"},
		"missing value":       {`"parameters": {"p": {"type": "string"}}, "resources": []`, "", "parameters.p: the parameter has no default"},
		"undeclared value":    {`"resources": []`, `{"p": {"value": 1}}`, "parameters.p: the template declares no such parameter"},
		"key vault":           {`"parameters": {"p": {"type": "secureString"}}, "resources": []`, `{"p": {"reference": {}}}`, "key vaults cannot be followed"},
		"wrong type":          {`"parameters": {"p": {"type": "int"}}, "resources": []`, `{"p": {"value": "1"}}`, "parameters.p: a value of type int is expected, not string"},
		"unknown type":        {`"parameters": {"p": {"type": "text"}}, "resources": []`, "", "parameters.p.type: the type \"text\" is not known"},
		"not allowed":         {`"parameters": {"p": {"type": "string", "allowedValues": ["a", "b"]}}, "resources": []`, `{"p": {"value": "c"}}`, "not among the allowed ones"},
		"too small":           {`"parameters": {"p": {"type": "int", "minValue": 3}}, "resources": []`, `{"p": {"value": 2}}`, "below minValue"},
		"too long":            {`"parameters": {"p": {"type": "string", "maxLength": 3}}, "resources": []`, `{"p": {"value": "four"}}`, "above maxLength"},
		"unknown dependency":  {`"resources": [{` + thing + `, "name": "a", "dependsOn": ["b"]}]`, "", "resources[0].dependsOn[0]: the resource 'b' is not defined"},
		"circle of resources": {`"resources": [{` + thing + `, "name": "a", "dependsOn": ["b"]}, {` + thing + `, "name": "b", "dependsOn": ["a"]}]`, "", "in a circle"},
		"twice":               {`"resources": [{` + thing + `, "name": "a"}, {` + thing + `, "name": "A"}]`, "", "resources[1]: the resource /subscriptions/s1/resourceGroups/rg1/providers/Test.Things/things/A is defined twice, here and at resources[0]"},
		"early reference":     {`"resources": [{` + thing + `, "name": "a", "condition": "[equals(reference('x', '2024-01-01').a, 1)]"}]`, "", "not defined in this template"},
		"loop too long":       {`"resources": [{` + thing + `, "name": "[string(copyIndex())]", "copy": {"name": "l", "count": 801}}]`, "", "from 0 to 800"},
		"linked":              {`"resources": [{"type": "Microsoft.Resources/deployments", "apiVersion": "2022-09-01", "name": "n", "properties": {"templateLink": {"uri": "https://x"}}}]`, "", "resources[0].properties.templateLink: linked templates are not fetched"},
		"within nested": {`"resources": [{"type": "Microsoft.Resources/deployments", "apiVersion": "2022-09-01", "name": "n", "properties": {"expressionEvaluationOptions": {"scope": "inner"},
			"template": {` + head + `, "resources": [], "outputs": {"o": {"type": "string", "value": "[parameters('p')]"}}}}}]`, "", "resources[0].properties.template.outputs.o.value: there is no parameter 'p'"},
		"bomb": {`"variables": {` + bomb(40) + `}, "resources": []`, "", "larger than 4 MB"},
	} {
		_, err := plan(t, c.text, c.parameters)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

// bomb makes a value of twice the size n times.
func bomb(n int) string {
	text := `"v0": "0123456789"`
	for i := range n {
		text += fmt.Sprintf(`, "v%d": "[createArray(variables('v%d'), variables('v%d'))]"`, i+1, i, i)
	}
	return text
}

func namesOf(rs []*Resource) []string {
	var out []string
	for _, r := range rs {
		out = append(out, r.Name)
	}
	return out
}

// TestLoops expands loops over resources, properties, variables and outputs.
func TestLoops(t *testing.T) {
	p := planned(t, `"variables": {"copy": [{"name": "list", "count": 3, "input": "[concat('v', copyIndex('list', 1))]"}]},
		"resources": [{"type": "Test.Things/things", "apiVersion": "2024-01-01", "name": "[concat('t', copyIndex(5))]", "copy": {"name": "loop", "count": 3, "mode": "serial", "batchSize": 2},
			"properties": {"own": "[copyIndex()]", "copy": [{"name": "parts", "count": 2, "input": {"n": "[copyIndex('parts')]", "of": "[copyIndex('loop')]", "still": "[copyIndex()]"}}]}},
			{"type": "Test.Things/things", "apiVersion": "2024-01-01", "name": "last", "dependsOn": ["loop"]}],
		"outputs": {"all": {"type": "array", "copy": {"count": "[length(variables('list'))]", "input": "[variables('list')[copyIndex()]]"}}}`, "")
	if got := namesOf(p.Resources); !slices.Equal(got, []string{"t5", "t6", "t7", "last"}) {
		t.Fatal(got)
	}
	if got := namesOf(p.Resources[2].DependsOn); !slices.Equal(got, []string{"t5", "t6"}) {
		t.Errorf("the second batch depends on %v", got)
	}
	if got := namesOf(p.Resources[3].DependsOn); !slices.Equal(got, []string{"t5", "t6", "t7"}) {
		t.Errorf("what depends on the loop depends on %v", got)
	}
	body, err := p.Body(t.Context(), p.Resources[1], fake{})
	if err != nil || compact(body) != `{"properties":{"own":1,"parts":[{"n":0,"of":1,"still":1},{"n":1,"of":1,"still":1}]}}` {
		t.Error(compact(body), err)
	}
	out, err := p.Outputs(t.Context(), fake{})
	if err != nil || compact(out) != `{"all":{"type":"array","value":["v1","v2","v3"]}}` {
		t.Error(compact(out), err)
	}
}

// TestDependencies finds explicit, implied and nested dependencies; what is skipped or only exists takes part.
func TestDependencies(t *testing.T) {
	const thing = `"type": "Test.Things/things", "apiVersion": "2024-01-01"`
	p := planned(t, `"resources": [
		{`+thing+`, "name": "a", "resources": [{"type": "parts", "apiVersion": "2024-01-01", "name": "p", "dependsOn": ["a"]}]},
		{`+thing+`, "name": "b", "condition": "[equals(1, 2)]"},
		{`+thing+`, "name": "c", "dependsOn": ["[resourceId('Test.Things/things/parts', 'a', 'p')]", "Test.Things/things/b"],
			"properties": {"key": "[listKeys('a', '2024-01-01').keys[0].value]"}},
		{`+thing+`, "name": "d", "properties": {"copy": [{"name": "x", "count": 2, "input": "[reference(createArray('a', 'c')[copyIndex('x')]).state]"}]}}]`, "")
	want := map[string][]string{"a": nil, "a/p": {"a"}, "b": nil, "c": {"a/p", "b", "a"}, "d": {"a", "c"}}
	for _, r := range p.Resources {
		if got := namesOf(r.DependsOn); !slices.Equal(got, want[r.Name]) {
			t.Errorf("%s depends on %v, want %v", r.Name, got, want[r.Name])
		}
		if r.Skipped != (r.Name == "b") {
			t.Errorf("%s is skipped: %v", r.Name, r.Skipped)
		}
	}
	body, err := p.Body(t.Context(), p.Resources[4], fake{})
	if err != nil || compact(body) != `{"properties":{"x":["ready","ready"]}}` {
		t.Error(compact(body), err)
	}
	if body, err = p.Body(t.Context(), p.Resources[3], nil); err != nil || !strings.Contains(compact(body), "[listKeys(") {
		t.Error("without a runtime the expression stays:", compact(body), err)
	}
}

// TestSymbolicNames is what the Bicep compiler writes with language version 2.0.
func TestSymbolicNames(t *testing.T) {
	p := planned(t, `"languageVersion": "2.0", "definitions": {"names": {"type": "array", "items": {"type": "string", "minLength": 2}}},
		"parameters": {"names": {"$ref": "#/definitions/names", "defaultValue": ["one", "two"]}, "extra": {"type": "string", "nullable": true}},
		"resources": {
			"store": {"existing": true, "type": "Test.Things/things", "apiVersion": "2023-01-01", "name": "old"},
			"each": {"copy": {"name": "each", "count": "[length(parameters('names'))]"}, "type": "Test.Things/things", "apiVersion": "2024-01-01", "name": "[parameters('names')[copyIndex()]]",
				"properties": {"state": "[reference('store').state]"}},
			"after": {"type": "Test.Things/things", "apiVersion": "2024-01-01", "name": "after", "dependsOn": ["each", "[format('each[{0}]', 0)]"]},
			"role": {"type": "Microsoft.Authorization/roleAssignments", "apiVersion": "2022-04-01", "scope": "[format('Test.Things/things/{0}', 'after')]", "name": "[guid('x')]"}},
		"outputs": {"states": {"type": "array", "value": "[map(references('each', 'full'), lambda('r', lambdaVariables('r').id))]"},
			"info": {"type": "string", "value": "[resourceInfo('after').id]"}, "second": {"type": "string", "value": "[reference('each[1]', '2024-01-01', 'full').apiVersion]"},
			"maybe": {"type": "string", "nullable": true, "value": "[parameters('extra')]"}}`, "")
	by := map[string]*Resource{}
	for _, r := range p.Resources {
		by[r.Name] = r
	}
	if !by["old"].Existing || !slices.Equal(namesOf(by["one"].DependsOn), []string{"old"}) || !slices.Equal(namesOf(by["after"].DependsOn), []string{"one", "two"}) {
		t.Error(namesOf(by["one"].DependsOn), namesOf(by["after"].DependsOn))
	}
	const base = "/subscriptions/s1/resourceGroups/rg1/providers/Test.Things/things/"
	if got := p.Resources[3].ID + p.Resources[4].ID; !strings.Contains(got, base+"after/providers/Microsoft.Authorization/roleAssignments/") {
		t.Error(got)
	}
	out, err := p.Outputs(t.Context(), fake{})
	want := `{"info":{"type":"string","value":"` + base + `after"},"maybe":{"type":"string","value":null},"second":{"type":"string","value":"2024-01-01"},"states":{"type":"array","value":["` + base + `one","` + base + `two"]}}`
	if err != nil || compact(out) != want {
		t.Error(compact(out), err)
	}
	if _, err := plan(t, `"languageVersion": "2.0", "definitions": {"n": {"type": "array", "items": {"type": "string", "minLength": 2}}},
		"parameters": {"n": {"$ref": "#/definitions/n"}}, "resources": {}`, `{"n": {"value": ["ab", "c"]}}`); err == nil || !strings.Contains(err.Error(), "parameters.n[1]: its length 1 is below minLength") {
		t.Error(err)
	}
}

// TestSecrets keeps the values of secure parameters and outputs out of what is shown.
func TestSecrets(t *testing.T) {
	p := planned(t, `"parameters": {"word": {"type": "secureString"}, "things": {"type": "secureObject"}, "plain": {"type": "string", "defaultValue": "[newGuid()]"}},
		"resources": [{"type": "Test.Things/things", "apiVersion": "2024-01-01", "name": "a", "properties": {"x": "[concat('Bearer ', parameters('word'))]", "y": "[parameters('things').k]"}}],
		"outputs": {"o": {"type": "secureString", "value": "[parameters('word')]"}}`, `{"word": {"value": "hunter2"}, "things": {"value": {"k": "swordfish"}}}`)
	out, err := p.Outputs(t.Context(), fake{})
	body, bodyErr := p.Body(t.Context(), p.Resources[0], fake{})
	shown := compact(p.Values()) + compact(out) + compact(p.Mask(any(body)))
	if err != nil || bodyErr != nil || strings.Contains(shown, "hunter2") || strings.Contains(shown, "swordfish") {
		t.Error(shown, err, bodyErr)
	}
	if !strings.Contains(compact(body), "Bearer hunter2") || !strings.Contains(shown, "00000000-1111-2222-3333-444444444444") {
		t.Error(compact(body), shown)
	}
}

// TestReadJSON reads what clients send that is not JSON.
func TestReadJSON(t *testing.T) {
	for text, want := range map[string]string{
		"{\"properties\": {\"mode\": \"Incremental\", template: {\n // the file, verbatim\n \"a\": 1, /* and\nmore */ \"b\": [1.5, -2e3, true, null,],}}}": `{"properties":{"mode":"Incremental","template":{"a":1,"b":[1.5,-2000,true,null]}}}`,
		"\ufeff{\"a\": \"two\nlines \\u00e9 \\ud83d\\ude00 \\n\"}": `{"a":"two\nlines é 😀 \n"}`,
		`{"a": 1, "a": 2}`:                 "error line 1, column 13: the property \"a\" occurs twice",
		`{"a": 1`:                          "error line 1, column 8: a comma or }",
		`{"a": tru}`:                       "error line 1, column 7: a value is expected",
		`{"a": "x`:                         "error line 1, column 7: the string has no end",
		`{} {}`:                            "error line 1, column 4: something follows",
		"/* x":                             "error line 1, column 1: the comment has no end",
		"":                                 "error line 1, column 1: the document ends too early",
		`{"a": "\q"}`:                      `error line 1, column 8: the escape \q is unknown`,
		`[1 2]`:                            "error line 1, column 4: a comma or ]",
		`{"a" 1}`:                          "error line 1, column 6: a colon",
		`{1: 1, "b": 9999999999999999999}`: `{"1":1,"b":10000000000000000000}`,
	} {
		v, err := ReadJSON([]byte(text))
		got := compact(v)
		if err != nil {
			got = "error " + err.Error()
		}
		if got != want && (err == nil || !strings.HasPrefix(got, want)) {
			t.Errorf("%q gives %s, want %s", text, got, want)
		}
	}
	if _, err := ReadJSON([]byte(strings.Repeat("[", 10_000))); err == nil {
		t.Error("a document without depth was read")
	}
}

// FuzzReadJSON holds the reader to the standard one wherever that reads.
func FuzzReadJSON(f *testing.F) {
	for _, s := range []string{`{"a": [1, 2.5, "x\u00e9"]}`, `{template: {}}`, "// c\n[true,]", `"\ud800"`, `{"":[{}]}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ReadJSON([]byte(s))
		if err != nil {
			return
		}
		again, err := ReadJSON([]byte(compact(v)))
		if err != nil || compact(again) != compact(v) {
			t.Errorf("%q is read as %s, and that as %s, %v", s, compact(v), compact(again), err)
		}
		if !json.Valid([]byte(compact(v))) {
			t.Errorf("%q is written as %s", s, compact(v))
		}
	})
}

// FuzzExpression evaluates whatever can be read as an expression: it must end, with a value or an error.
func FuzzExpression(f *testing.F) {
	for _, s := range []string{"[concat('a', 'b')]", "[if(true(), createArray(1)[0], null())]", "[format('{0:D5}', 3)]", "[map(range(0,3), lambda('x', add(lambdaVariables('x'), 1)))]",
		"[dateTimeAdd('2020-04-07', 'P1Y')]", "[a.b('''')]", "[padLeft('x', 9, '-').y[-1]]", "[cidrSubnet('fd00::/8', 64, 3)]", "[resourceId('A.B/c', 'd')]"} {
		f.Add(s)
	}
	e := &env{ctx: f.Context(), scope: testScope(), builtins: builtins(), params: map[string]any{"p": "v"}, vars: &variables{}}
	f.Fuzz(func(t *testing.T, s string) {
		c := *e
		v, err := c.value("here", s)
		if err == nil && weight(v, maxWeight) < 0 {
			t.Errorf("%q makes a value that is too large", s)
		}
	})
}
