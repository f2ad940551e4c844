package node

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/goccy/go-yaml"

	"tandem"
)

// Schema is the JSON Schema of a configuration file, made from Config and its comments; docs/config.schema.json is the same.
//
//go:embed config.schema.json
var Schema []byte

// EnvironmentPrefix begins the names of environment variables that stand above the configuration file.
const EnvironmentPrefix = "TANDEM_"

// ReadConfig reads a configuration from a file's content, YAML or JSON, strictly: what is not known is an error with its line
// and, where there is one, the name that was probably meant. Variables of the environment replace single values: TANDEM_ and
// the path in capitals, as in TANDEM_REGION, TANDEM_MASTER_KEY and TANDEM_PORTS_ARM; lists of text have commas. name is the
// file's, for errors.
func ReadConfig(name string, raw []byte, environment []string) (Config, error) {
	var c Config
	fail := func(err error) (Config, error) {
		return Config{}, &tandem.Error{Op: "read configuration", Subject: name, Kind: tandem.Invalid, Err: err, Remedy: "'tandem config schema' tells all members; docs/clusters.md has whole files"}
	}
	err := yaml.NewDecoder(bytes.NewReader(raw), yaml.Strict(), yaml.DisallowUnknownField()).Decode(&c)
	if errors.Is(err, io.EOF) {
		err = errors.New("it is empty")
	}
	if err != nil {
		return fail(explain(err))
	}
	if err := c.override(environment); err != nil {
		return fail(err)
	}
	return c, nil
}

// explain words an error of the YAML reader with the place in the file, and with the name that was meant.
func explain(err error) error {
	text := strings.TrimSpace(yaml.FormatError(err, false, true))
	unknown := regexp.MustCompile(`unknown field "([^"]*)"`).FindStringSubmatch(text)
	if unknown == nil {
		return errors.New(text)
	}
	best, least := "", 3 // a name with three letters wrong is another one
	for _, known := range slices.Sorted(maps.Keys(memberNames(reflect.TypeFor[Config](), map[string]bool{}))) {
		if d := distance(strings.ToLower(unknown[1]), strings.ToLower(known)); d < least {
			best, least = known, d
		}
	}
	if best == "" {
		return errors.New(text)
	}
	return fmt.Errorf("%s\ndid you mean %q?", text, best)
}

// memberNames adds the names of all members of a struct and of those in it.
func memberNames(t reflect.Type, into map[string]bool) map[string]bool {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return into
	}
	for f := range fields(t) {
		into[f.name] = true
		memberNames(f.Type, into)
	}
	return into
}

type member struct {
	reflect.StructField
	name     string // in the file
	optional bool
}

// fields gives the members of a struct that a file can have.
func fields(t reflect.Type) func(func(member) bool) {
	return func(yield func(member) bool) {
		for i := range t.NumField() {
			f := t.Field(i)
			name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name == "-" || name == "" {
				continue
			}
			if !yield(member{f, name, strings.HasPrefix(options, "omit")}) {
				return
			}
		}
	}
}

// distance is how many letters must be put in, left out, changed or swapped with their neighbour to make a of b.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	rows := make([][]int, len(x)+1)
	for i := range rows {
		rows[i] = make([]int, len(y)+1)
		rows[i][0] = i
		for j := range rows[i] {
			switch {
			case i == 0:
				rows[i][j] = j
			case j > 0:
				change := 1
				if x[i-1] == y[j-1] {
					change = 0
				}
				rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+change)
				if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
					rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
				}
			}
		}
	}
	return rows[len(x)][len(y)]
}

// override lays the variables of the environment over the configuration.
func (c *Config) override(environment []string) error {
	values := map[string]string{}
	for _, e := range environment {
		if name, value, ok := strings.Cut(e, "="); ok && value != "" && strings.HasPrefix(name, EnvironmentPrefix) {
			values[name] = value
		}
	}
	return overrideStruct(reflect.ValueOf(c).Elem(), strings.TrimSuffix(EnvironmentPrefix, "_"), values)
}

func overrideStruct(v reflect.Value, prefix string, values map[string]string) error {
	for f := range fields(v.Type()) {
		name, at := prefix+"_"+capitals(f.name), v.FieldByIndex(f.Index)
		if at.Kind() == reflect.Pointer {
			if at.IsNil() {
				for set := range values {
					if strings.HasPrefix(set, name+"_") {
						return fmt.Errorf("the environment has %s, and the file has no section %s", set, f.name)
					}
				}
				continue
			}
			at = at.Elem()
		}
		if at.Kind() == reflect.Struct {
			if err := overrideStruct(at, name, values); err != nil {
				return err
			}
			continue
		}
		text := values[name]
		if text == "" { // as if it were not set
			continue
		}
		if err := overrideValue(at, text); err != nil {
			return fmt.Errorf("the environment's %s: %w", name, err)
		}
	}
	return nil
}

func overrideValue(at reflect.Value, text string) error {
	switch at.Kind() {
	case reflect.String:
		at.SetString(text)
	case reflect.Int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%q is no whole number", text)
		}
		at.SetInt(int64(n))
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%q is not true or false", text)
		}
		at.SetBool(b)
	default:
		if at.Type() != reflect.TypeFor[[]string]() {
			return errors.New("only a single value or a list of text can come from the environment; write it in the file")
		}
		at.Set(reflect.ValueOf(strings.Split(text, ",")))
	}
	return nil
}

// capitals writes masterKey as MASTER_KEY and tenantId as TENANT_ID.
func capitals(name string) string {
	var b strings.Builder
	for i, r := range name {
		if i > 0 && unicode.IsUpper(r) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToUpper(r))
	}
	return b.String()
}
