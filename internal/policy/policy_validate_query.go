package policy

import (
	"encoding/json"
	"strconv"
	"strings"

	"tandem/internal/policy/graphql"
	"tandem/internal/policy/markup"
)

var gatewayScopes = []Scope{Global, Workspace, Product, API}

var policyValidateGraphQL = &Policy{
	Name: "validate-graphql-request", Category: "Content validation", Does: "bounds and authorizes a GraphQL request",
	Sections: inboundOnly, Scopes: gatewayScopes,
	Attrs: []Attribute{attr("error-variable-name").lit(), need("max-size"), attr("max-depth"), attr("max-total-depth"), attr("max-complexity")},
	Children: []Child{{Name: "authorize", Children: []Child{{Name: "rule", Required: true, Many: true,
		Attrs: []Attribute{need("path"), attr("action", "allow", "reject", "remove").def("allow")}}}}},
	compile: compileValidateGraphQL,
}

func compileValidateGraphQL(c *compiler, n *markup.Node) runFunc {
	size, depth, total, complexity := c.integer(n, "max-size", 0, 1), c.integer(n, "max-depth", 0, 1), c.integer(n, "max-total-depth", 0, 1), c.integer(n, "max-complexity", 0, 1)
	variable := c.attrText(n, "error-variable-name")
	type rule struct{ path, action *text }
	var rules []rule
	if e := element(n, "authorize"); e != nil {
		for _, k := range e.Elements() {
			rules = append(rules, rule{c.text(k, "path", ""), c.text(k, "action", "allow")})
		}
	}
	return func(s *State) error {
		refuse := func(reason, message string) error {
			if variable != "" {
				s.vars.set(variable, message)
			}
			return failure(400, reason, message)
		}
		b, err := s.readBody(&s.Request.Message)
		if err != nil {
			return err
		}
		most, err := size.get(s)
		if err != nil {
			return err
		}
		if int64(len(b)) > most {
			return refuse("GraphQLRequestTooLarge", "The GraphQL request is larger than "+strconv.FormatInt(most, 10)+" bytes.")
		}
		src := string(b)
		var in struct {
			Query string `json:"query"`
		}
		if isJSON(mediaType(s.Request.Header)) || strings.HasPrefix(strings.TrimSpace(src), "{\"") {
			if json.Unmarshal(b, &in) != nil {
				return refuse("GraphQLRequestInvalid", "The GraphQL request is not JSON.")
			}
			src = in.Query
		}
		q, err := graphql.Parse(src)
		if err != nil {
			return refuse("GraphQLRequestInvalid", "The GraphQL request cannot be read: "+err.Error()+".")
		}
		for _, x := range []struct {
			limit *integer
			have  int
			what  string
		}{{depth, q.Depth(), "depth"}, {total, q.TotalDepth(), "total depth"}, {complexity, q.Fields(), "complexity"}} {
			limit, err := x.limit.get(s)
			if err != nil {
				return err
			}
			if x.limit.set && int64(x.have) > limit {
				return refuse("GraphQLRequestTooComplex", "The "+x.what+" of the GraphQL request exceeds "+strconv.FormatInt(limit, 10)+".")
			}
		}
		for _, path := range q.Paths() {
			action := ""
			for _, r := range rules {
				pattern, err := r.path.get(s)
				if err != nil {
					return err
				}
				if graphql.Match(pattern, path) {
					if action, err = r.action.get(s); err != nil {
						return err
					}
					break
				}
			}
			if action == "reject" || action == "remove" {
				return refuse("GraphQLFieldNotAllowed", "The field "+path+" is not allowed.")
			}
		}
		return nil
	}
}

var policyValidateOData = &Policy{
	Name: "validate-odata-request", Category: "Content validation", Does: "bounds an OData request and its version",
	Sections: inboundOnly, Scopes: gatewayScopes,
	Attrs:   []Attribute{attr("error-variable-name").lit(), attr("default-odata-version").def("4.0"), attr("min-odata-version").def("4.0"), attr("max-odata-version").def("4.0"), attr("max-size")},
	compile: compileValidateOData,
}

// odataOptions are the system query options of OData 4.01, section 11.2.
var odataOptions = map[string]bool{"$filter": true, "$select": true, "$expand": true, "$orderby": true, "$top": true, "$skip": true, "$count": true, "$search": true,
	"$format": true, "$compute": true, "$index": true, "$schemaversion": true, "$apply": true, "$skiptoken": true, "$deltatoken": true, "$id": true, "$levels": true}

func compileValidateOData(c *compiler, n *markup.Node) runFunc {
	def, least, most := c.number(n, "default-odata-version", 4), c.number(n, "min-odata-version", 4), c.number(n, "max-odata-version", 4)
	size, variable := c.integer(n, "max-size", 0, 1), c.attrText(n, "error-variable-name")
	return func(s *State) error {
		refuse := func(message string) error {
			if variable != "" {
				s.vars.set(variable, message)
			}
			return failure(400, "ODataRequestInvalid", message)
		}
		if size.set && s.Request.Body.Present() {
			b, err := s.readBody(&s.Request.Message)
			if err != nil {
				return err
			}
			if int64(len(b)) > size.lit {
				return refuse("The OData request is larger than " + strconv.FormatInt(size.lit, 10) + " bytes.")
			}
		}
		version, err := def.float(s)
		if err != nil {
			return err
		}
		for _, h := range []string{"OData-Version", "OData-MaxVersion"} {
			if v := s.Request.Header.Get(h); v != "" {
				if version, err = strconv.ParseFloat(v, 64); err != nil {
					return refuse("The header " + h + " is not a version.")
				}
				break
			}
		}
		low, err := least.float(s)
		if err != nil {
			return err
		}
		high, err := most.float(s)
		if err != nil {
			return err
		}
		if version < low || version > high {
			return refuse("The OData version of the request is not supported.")
		}
		for _, p := range parseQuery(s.Original.Query) {
			name := strings.ToLower(p.Name)
			if strings.HasPrefix(name, "$") && !odataOptions[name] {
				return refuse("The OData query option " + p.Name + " does not exist.")
			}
			if name == "$top" || name == "$skip" {
				if i, err := strconv.Atoi(p.Value); err != nil || i < 0 {
					return refuse("The OData query option " + p.Name + " must be a whole number.")
				}
			}
		}
		return nil
	}
}
