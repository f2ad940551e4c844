package workflow

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"tandem/internal/workflow/expr"
	"tandem/internal/workflow/recurrence"
	"tandem/internal/workflow/value"
)

// Finding is something in a workflow that works and is unsafe.
type Finding struct {
	Rule    string `json:"rule"`
	Path    string `json:"path"`
	Message string `json:"message"`
	Remedy  string `json:"remedy"`
}

// linter gathers findings.
type linter struct {
	def      *Definition
	params   map[string]any
	findings []Finding
}

func (l *linter) add(rule, path, remedy, format string, args ...any) {
	l.findings = append(l.findings, Finding{Rule: rule, Path: path, Message: fmt.Sprintf(format, args...), Remedy: remedy})
}

// Lint tells what is unsafe in a workflow that backs up or restores API Management: secret-literal, secret-default,
// unsecured-token, unescaped-form, fixed-blob-name, blind-restore, silent-failure, frequent-backup, overlapping-runs,
// old-api-version, storage-key and reference-order. params are the values of parameters; nil: their defaults.
func Lint(def *Definition, params map[string]any) []Finding {
	l := &linter{def: def, params: map[string]any{}}
	for _, q := range def.Parameters {
		if q.HasDefault {
			l.params[q.Name] = q.Default
		}
		if s, isText := q.Default.(string); q.Secret() && isText && s != "" {
			l.add("secret-default", property("$.definition.parameters", q.Name), "remove the default and give the value when the workflow is saved", "the secure parameter has its value in the definition, where every reader sees it")
		}
	}
	for k, v := range params {
		l.params[k] = v
	}
	for _, name := range def.names {
		a := def.actions[name]
		l.literals(a.path, a.source)
		l.order(a)
	}
	all := calls(def, l.params)
	for _, c := range all {
		l.call(c)
	}
	l.triggers(all)
	slices.SortStableFunc(l.findings, func(a, b Finding) int { return strings.Compare(a.Path, b.Path) })
	return l.findings
}

// literals finds secrets that are written out.
func (l *linter) literals(path string, v any) {
	switch v := v.(type) {
	case []any:
		for i, e := range v {
			l.literals(expr.ElementPath(path, i), e)
		}
	case *value.Object:
		v.Walk(func(name string, e any) {
			at := property(path, name)
			if s, isText := e.(string); isText && secretName(name) && s != "" {
				if t, err := expr.Compile(s); err == nil && t.Constant() {
					l.add("secret-literal", at, "declare a SecureString parameter and write @parameters('"+name+"')", "the secret stands in the definition, where every reader and the run history see it")
				}
			}
			if name != "actions" && name != "else" && name != "cases" && name != "default" { // these actions are looked at themselves
				l.literals(at, e)
			}
		})
	}
}

// order finds references to actions that need not have run.
func (l *linter) order(a *action) {
	before := map[*action]bool{}
	var mark func(x *action)
	mark = func(x *action) {
		for _, d := range x.after {
			if !before[d.on] {
				before[d.on] = true
				mark(d.on)
			}
		}
		if x.parent != nil {
			mark(x.parent)
		}
	}
	mark(a)
	for _, t := range append(a.inputs.Templates(), a.tracked.Templates()...) {
		for _, c := range t.Calls() {
			if len(c.Args) == 0 || c.Name != "body" && c.Name != "outputs" && c.Name != "actions" {
				continue
			}
			name, _ := c.Args[0].(string)
			on := l.def.find(name)
			if on == nil || on == a || before[on] {
				continue
			}
			inside := false
			for p := on.parent; p != nil; p = p.parent {
				inside = inside || before[p]
			}
			if !inside {
				l.add("reference-order", a.path, "add it to runAfter", "the action reads %q, which need not have run before it", name)
			}
		}
	}
}

func (l *linter) call(c call) {
	path := c.action.path
	if len(c.path) > 0 && c.path[len(c.path)-1] == "token" && strings.Contains(strings.Join(c.path, "/"), "oauth2") {
		if !c.action.secureOut {
			l.add("unsecured-token", path, `set runtimeConfiguration.secureData.properties to ["inputs", "outputs"], or use authentication of type ManagedServiceIdentity`, "the access token is shown in the run history")
		}
	}
	if b := c.action.source.Object("inputs").String("body"); strings.HasPrefix(b, "@outputs(") {
		for _, name := range l.def.names {
			a := l.def.actions[name]
			text, _ := a.source.Get("inputs")
			s, _ := text.(string)
			if a.kind == "Compose" && strings.Contains(b, a.name) && strings.Contains(s, "client_secret=@{") && !strings.Contains(strings.ToLower(s), "client_secret=@{encodeuricomponent(") && !strings.Contains(strings.ToLower(s), "client_secret=@{uricomponent(") {
				l.add("unescaped-form", a.path, "write client_secret=@{encodeUriComponent(…)}", "the secret is not escaped: one with & + or %% in it is sent wrong")
			}
		}
	}
	op := c.operation()
	if op == "" {
		return
	}
	if v := c.query.Get("api-version"); v < "2021-08-01" {
		l.add("old-api-version", path, "use 2021-08-01 or newer", "the api-version %s is retired in Azure", v)
	}
	if _, key := c.body.Get("accessKey"); key {
		l.add("storage-key", path, `use "accessType": "SystemAssignedManagedIdentity"`, "the storage account's key gives access to all that is in the account")
	}
	if name, fixed := c.fixed.Get("backupName"); fixed && op == "backup" {
		l.add("fixed-blob-name", path, "put the time into the name: @{utcNow('yyyyMMdd-HHmm')}", "every backup overwrites the one before it (%s): a bad one leaves none", value.Text(name))
	}
	handled := false
	for _, other := range l.def.actions {
		for _, d := range other.after {
			if d.on == c.action && (contains(d.statuses, Failed) || contains(d.statuses, TimedOut)) {
				handled = true
			}
		}
	}
	if !handled {
		l.add("silent-failure", path, "add an action that runs after it on Failed and TimedOut and tells someone", "when the %s fails nobody is told", op)
	}
}

func (l *linter) triggers(all []call) {
	ops := map[string]call{}
	for _, c := range all {
		if op := c.operation(); op != "" {
			ops[op] = c
		}
	}
	restore, restores := ops["restore"]
	_, backs := ops["backup"]
	for _, t := range l.def.Triggers {
		if t.Recurrence == nil || len(ops) == 0 {
			continue
		}
		path := property("$.definition.triggers", t.Name)
		if every := period(t.Recurrence); every < 30*time.Minute {
			l.add("frequent-backup", path, "leave at least 30 minutes between runs; Tandem's continuous replication gives seconds", "it runs every %s, and a backup or restore takes minutes to an hour, during which the service refuses another (409)", every)
		}
		if limitOf(t).runs != 1 {
			l.add("overlapping-runs", path, `set "operationOptions": "SingleInstance"`, "a run starts while the one before it is still under way")
		}
		if restores && !backs {
			l.add("blind-restore", restore.action.path, "restore only what a finished backup reported, or let a recovery group do both", "the restore goes by the clock: it does not know whether the backup ended, or ended well")
		}
	}
}

// period is the time between two slots.
func period(r *recurrence.Recurrence) time.Duration {
	from := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	c := *r
	c.Start, c.End = nil, nil
	one, _ := c.First(from)
	two, _ := c.Next(from, one.Time)
	return two.Time.Sub(one.Time)
}
