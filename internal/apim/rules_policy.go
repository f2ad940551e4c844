package apim

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"tandem/internal/arm"
)

type policyRules struct {
	noRules
	fragment bool
}

func (r policyRules) Write(ctx context.Context, w *Write) error {
	p := w.Doc.Properties
	value, err := text(p, "value")
	if err != nil {
		return err
	}
	w.Default("format", "xml")
	if err := w.OneOf("format", "xml", "rawxml", "xml-link", "rawxml-link"); err != nil {
		return err
	}
	format, _ := p["format"].(string)
	if strings.HasSuffix(format, "-link") {
		content, err := w.Service.fetch(ctx, value)
		if err != nil {
			return invalid("value", "the policy could not be read from its link: %v", err)
		}
		value, format = string(content), strings.TrimSuffix(format, "-link")
	}
	p["value"], p["format"] = value, format
	if w.Service.policies == nil || value == "" {
		return nil
	}
	problems := w.Service.policies.CheckPolicy(value, r.fragment)
	if len(problems) == 0 {
		return nil
	}
	e := &arm.Error{Status: http.StatusBadRequest, Code: "ValidationError", Message: "One or more fields contain incorrect values:"}
	for _, pr := range problems {
		e.Details = append(e.Details, arm.ErrorDetail{Code: "ValidationError", Target: pr.Element,
			Message: fmt.Sprintf("Error in element '%s' on line %d, column %d: %s", pr.Element, pr.Line, pr.Column, pr.Message)})
	}
	return e
}

// View answers in the format asked for: xml unless ?format=rawxml.
func (r policyRules) View(_ context.Context, v *View) error {
	want := "xml"
	if v.Request != nil && strings.EqualFold(v.Request.Query["format"], "rawxml") {
		want = "rawxml"
	}
	value, _ := v.Properties["value"].(string)
	if have, _ := v.Properties["format"].(string); have != want && v.Service.policies != nil {
		if out, err := v.Service.policies.Rewrite(value, want); err == nil {
			value = out
		}
	}
	v.Properties["value"], v.Properties["format"] = value, want
	if r.fragment {
		v.Properties["provisioningState"] = "Succeeded"
	}
	return nil
}
