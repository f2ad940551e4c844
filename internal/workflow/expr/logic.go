package expr

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"tandem/internal/workflow/value"
)

// lazyBool evaluates an argument that must be a Boolean.
func lazyBool(a *args, i int) (bool, error) {
	v, err := a.call.args[i].eval(a.env)
	if err != nil {
		return false, err
	}
	b, ok := v.(bool)
	if !ok {
		return false, fmt.Errorf("argument %d must be a Boolean, not a value of type %s", i+1, value.Type(v))
	}
	return b, nil
}

func ordering(name string, holds func(n int) bool) function {
	return function{name: name, min: 2, max: 2, eval: func(a *args) (any, error) {
		n, err := compare(a.any(0), a.any(1))
		return holds(n), err
	}}
}

func logicalFunctions() []function {
	return []function{
		{name: "and", min: 1, max: -1, lazy: true, eval: func(a *args) (any, error) {
			for i := range a.call.args {
				if ok, err := lazyBool(a, i); err != nil || !ok {
					return false, err
				}
			}
			return true, nil
		}},
		{name: "or", min: 1, max: -1, lazy: true, eval: func(a *args) (any, error) {
			for i := range a.call.args {
				if ok, err := lazyBool(a, i); err != nil || ok {
					return ok, err
				}
			}
			return false, nil
		}},
		{name: "not", min: 1, max: 1, eval: func(a *args) (any, error) { return !a.boolean(0), nil }},
		{name: "if", min: 3, max: 3, lazy: true, eval: func(a *args) (any, error) {
			ok, err := lazyBool(a, 0)
			switch {
			case err != nil:
				return nil, err
			case ok:
				return a.call.args[1].eval(a.env)
			default:
				return a.call.args[2].eval(a.env)
			}
		}},
		{name: "equals", min: 2, max: 2, eval: func(a *args) (any, error) { return equals(a.any(0), a.any(1)), nil }},
		ordering("greater", func(n int) bool { return n > 0 }),
		ordering("greaterOrEquals", func(n int) bool { return n >= 0 }),
		ordering("less", func(n int) bool { return n < 0 }),
		ordering("lessOrEquals", func(n int) bool { return n <= 0 }),
		{name: "isInt", min: 1, max: 1, eval: func(a *args) (any, error) {
			if _, ok := a.any(0).(int64); ok {
				return true, nil
			}
			s, _ := a.any(0).(string)
			_, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
			return err == nil, nil
		}},
		{name: "isFloat", min: 1, max: 2, check: func(c *call) error { return checkLocale(c, 1) }, eval: func(a *args) (any, error) {
			if _, ok := value.Float(a.any(0)); ok {
				return true, nil
			}
			s, _ := a.any(0).(string)
			_, ok := readFloat(s)
			return ok, supportedLocale(a.textOr(1, ""))
		}},
	}
}

// equals compares as the language does: a Boolean equals the integers 1 and 0.
func equals(x, y any) bool {
	bool1, isBool1 := x.(bool)
	bool2, isBool2 := y.(bool)
	switch {
	case isBool1 && !isBool2:
		n, ok := y.(int64)
		return ok && n == map[bool]int64{true: 1}[bool1]
	case isBool2 && !isBool1:
		n, ok := x.(int64)
		return ok && n == map[bool]int64{true: 1}[bool2]
	}
	return value.Equal(x, y)
}

var floatText = regexp.MustCompile(`^[+-]?(\d{1,3}(,\d{3})+|\d+)?(\.\d*)?([eE][+-]?\d+)?$`)

// readFloat reads a number as .NET's Double.Parse does under the invariant culture.
func readFloat(s string) (any, bool) {
	s = strings.TrimSpace(s)
	if !floatText.MatchString(s) || !strings.ContainsAny(s, "0123456789") {
		return nil, false
	}
	f, err := strconv.ParseFloat(strings.ReplaceAll(s, ",", ""), 64)
	return f, err == nil
}
