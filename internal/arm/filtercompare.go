package arm

import (
	"strings"
	"time"
)

func (c comparison) eval(e *evaluation) (any, error) {
	left, err := c.left.eval(e)
	if err != nil {
		return nil, err
	}
	right, err := c.right.eval(e)
	if err != nil {
		return nil, err
	}
	if left == nil || right == nil {
		switch c.op {
		case "eq":
			return left == nil && right == nil, nil
		case "ne":
			return left != nil || right != nil, nil
		default:
			return false, nil
		}
	}
	order, ok := compare(left, right)
	if !ok {
		return nil, e.fail("'%v' and '%v' cannot be compared", left, right)
	}
	switch c.op {
	case "eq":
		return order == 0, nil
	case "ne":
		return order != 0, nil
	case "gt":
		return order > 0, nil
	case "ge":
		return order >= 0, nil
	case "lt":
		return order < 0, nil
	default:
		return order <= 0, nil
	}
}

// compare orders two values of one type. A text beside a time is read as one.
func compare(a, b any) (int, bool) {
	switch a := a.(type) {
	case string:
		switch b := b.(type) {
		case string:
			return strings.Compare(lower(a), lower(b)), true
		case time.Time:
			if t, ok := parseTime(a); ok {
				return t.Compare(b), true
			}
		}
	case float64:
		if b, ok := b.(float64); ok {
			switch {
			case a < b:
				return -1, true
			case a > b:
				return 1, true
			}
			return 0, true
		}
	case bool:
		if b, ok := b.(bool); ok {
			if a == b {
				return 0, true
			}
			return 1, true
		}
	case time.Time:
		switch b := b.(type) {
		case time.Time:
			return a.Compare(b), true
		case string:
			if t, ok := parseTime(b); ok {
				return a.Compare(t), true
			}
		}
	}
	return 0, false
}
