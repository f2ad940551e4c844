package expr

import (
	"bytes"
	"fmt"
	"math"
	"strings"

	"github.com/antchfx/xmlquery"
	"github.com/antchfx/xpath"

	"tandem/internal/workflow/value"
)

// compileXPath compiles an XPath 1.0 expression; the library panics on some that are malformed.
func compileXPath(text string) (e *xpath.Expr, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the XPath expression %q cannot be read: %v", clip(text), p)
		}
	}()
	e, err = xpath.Compile(text)
	if err != nil {
		return nil, fmt.Errorf("the XPath expression %q cannot be read: %w", clip(text), err)
	}
	return e, nil
}

func checkXPath(c *call) error {
	if v, ok := c.constant(1); ok {
		_, err := compileXPath(value.Text(v))
		return err
	}
	return nil
}

// evalXPath gives nodes as an array of XML contents, attributes and text as strings, and else a string, a number or a Boolean.
func evalXPath(a *args) (out any, err error) {
	e, err := compileXPath(a.text(1))
	if a.err != nil || err != nil {
		return nil, err
	}
	var text []byte
	if data, _, ok := Content(a.any(0)); ok {
		text = data
	} else {
		text = []byte(a.text(0))
	}
	if a.err != nil {
		return nil, a.err
	}
	if _, err := readXML(text); err != nil {
		return nil, err
	}
	defer func() {
		if p := recover(); p != nil {
			out, err = nil, fmt.Errorf("the XPath expression %q cannot be evaluated: %v", clip(a.text(1)), p)
		}
	}()
	doc, err := xmlquery.Parse(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("the text is no well-formed XML: %w", err)
	}
	switch v := e.Evaluate(xmlquery.CreateXPathNavigator(doc)).(type) {
	case *xpath.NodeIterator:
		list := []any{}
		for v.MoveNext() {
			n := v.Current().(*xmlquery.NodeNavigator)
			switch n.NodeType() {
			case xpath.ElementNode, xpath.RootNode:
				list = append(list, NewContent([]byte(n.Current().OutputXML(true)), xmlType))
			default:
				list = append(list, n.Value())
			}
		}
		return list, nil
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return int64(v), nil
		}
		return normal(v), nil
	case string:
		return strings.TrimSpace(v), nil
	case bool:
		return v, nil
	}
	return nil, nil
}
