package policy

import (
	"strings"

	"tandem/internal/csharp/dotnet"
	"tandem/internal/policy/markup"
)

var claimRows = []Child{{Name: "claim", Many: true, Attrs: []Attribute{need("name"), attr("match", "all", "any").def("all"), attr("separator")},
	Children: []Child{{Name: "value", Many: true, Text: true}}}}

var policyValidateJWT = &Policy{
	Name: "validate-jwt", Category: "Access restriction", Does: "refuses a request without a valid JSON Web Token",
	Sections: inboundOnly,
	Attrs: []Attribute{attr("header-name").oneOf("token"), attr("query-parameter-name").oneOf("token"), attr("token-value").oneOf("token"),
		attr("failed-validation-httpcode").def("401"), attr("failed-validation-error-message"), attr("require-expiration-time", trueFalse...).def("true"),
		attr("require-scheme"), attr("require-signed-tokens", trueFalse...).def("true"), attr("clock-skew").def("0"), attr("output-token-variable-name").lit()},
	Children: []Child{
		{Name: "openid-config", Many: true, Attrs: []Attribute{need("url"), attr("host")}},
		{Name: "issuer-signing-keys", Children: []Child{{Name: "key", Many: true, Text: true, Attrs: []Attribute{attr("certificate-id"), attr("n"), attr("e")}},
			{Name: "zumo-master-key", Many: true, Text: true}}},
		{Name: "issuer-signing-tokens", Children: []Child{{Name: "token", Many: true, Text: true}}},
		{Name: "decryption-keys", Children: []Child{{Name: "key", Many: true, Text: true, Attrs: []Attribute{attr("certificate-id"), attr("n"), attr("e")}}}},
		{Name: "audiences", Children: []Child{{Name: "audience", Many: true, Text: true}}},
		{Name: "issuers", Children: []Child{{Name: "issuer", Many: true, Text: true}}},
		{Name: "required-claims", Children: claimRows},
	},
	compile: compileValidateJWT,
}

// tokenCheck is a compiled validate-jwt or validate-azure-ad-token.
type tokenCheck struct {
	header, param, value, scheme *text
	status                       *integer
	message                      *text
	needExpiry, needSignature    *boolean
	skew                         *integer
	variable                     string
	configs                      []*text
	keys, decryption             []*tokenKey
	audiences, issuers           []*text
	claims                       []*claimRule
	clients, backends            []*text // applications, of validate-azure-ad-token
	tenant                       *text
	endpoint                     *text
}

// claimRule is one required claim.
type claimRule struct {
	name, separator string
	any             *text
	values          []*text
}

func (c *compiler) tokenCheck(n *markup.Node) *tokenCheck {
	t := &tokenCheck{header: c.text(n, "header-name", ""), param: c.text(n, "query-parameter-name", ""), value: c.text(n, "token-value", ""),
		scheme: c.text(n, "require-scheme", ""), status: c.integer(n, "failed-validation-httpcode", 401, 100),
		message: c.text(n, "failed-validation-error-message", ""), variable: c.attrText(n, "output-token-variable-name"),
		audiences: c.list(n, "audiences", "audience"), decryption: c.tokenKeys(n, "decryption-keys")}
	if e := element(n, "required-claims"); e != nil {
		for _, k := range e.Elements() {
			t.claims = append(t.claims, &claimRule{name: c.attrText(k, "name"), separator: c.attrText(k, "separator"), any: c.text(k, "match", "all"), values: c.texts(k, "value")})
		}
	}
	return t
}

func compileValidateJWT(c *compiler, n *markup.Node) runFunc {
	t := c.tokenCheck(n)
	t.needExpiry, t.needSignature = c.boolean(n, "require-expiration-time", true), c.boolean(n, "require-signed-tokens", true)
	t.skew = c.integer(n, "clock-skew", 0, 0)
	t.issuers, t.keys = c.list(n, "issuers", "issuer"), c.tokenKeys(n, "issuer-signing-keys")
	for _, e := range n.Elements() {
		if e.Name == "openid-config" {
			t.configs = append(t.configs, c.text(e, "url", ""))
		}
	}
	if len(t.configs) > 0 {
		c.needOpenID(n)
	}
	return t.run
}

func (c *compiler) needOpenID(n *markup.Node) {
	if c.host.OpenID == nil && !c.opts.Presume {
		c.report(Error, n.Pos, KindPart, n.Name, "%s needs OpenID configurations, for which this gateway has no client", n.Name)
	}
}

var policyValidateAzureADToken = &Policy{
	Name: "validate-azure-ad-token", Category: "Access restriction", Does: "refuses a request without a valid token of Microsoft Entra ID",
	Sections: inboundOnly,
	Attrs: []Attribute{need("tenant-id"), attr("header-name").def("Authorization"), attr("query-parameter-name"), attr("token-value"),
		attr("authentication-endpoint").def("https://login.microsoftonline.com"), attr("failed-validation-httpcode").def("401"),
		attr("failed-validation-error-message"), attr("require-scheme"), attr("output-token-variable-name").lit(),
		attr("allow-protected-forwarded-tokens", "false"), attr("allow-proof-of-possession-tokens", "false")},
	Children: []Child{
		{Name: "backend-application-ids", Children: []Child{{Name: "application-id", Many: true, Text: true}}},
		{Name: "client-application-ids", Children: []Child{{Name: "application-id", Many: true, Text: true}}},
		{Name: "audiences", Children: []Child{{Name: "audience", Many: true, Text: true}}},
		{Name: "required-claims", Children: claimRows},
		{Name: "decryption-keys", Children: []Child{{Name: "key", Many: true, Attrs: []Attribute{need("certificate-id")}}}},
	},
	compile: func(c *compiler, n *markup.Node) runFunc {
		t := c.tokenCheck(n)
		if !t.header.set && !t.param.set && !t.value.set {
			t.header = &text{lit: "Authorization", set: true}
		}
		t.needExpiry, t.needSignature, t.skew = &boolean{lit: true}, &boolean{lit: true}, &integer{lit: 300}
		t.tenant, t.endpoint = c.text(n, "tenant-id", ""), c.text(n, "authentication-endpoint", "https://login.microsoftonline.com")
		t.clients, t.backends = c.list(n, "client-application-ids", "application-id"), c.list(n, "backend-application-ids", "application-id")
		c.needOpenID(n)
		return t.run
	},
}

// refuse is the answer to a token that fails.
func (t *tokenCheck) refuse(s *State, reason, message string) error {
	status, err := t.status.get(s)
	if err != nil {
		return err
	}
	text, err := t.message.get(s)
	if err != nil {
		return err
	}
	e := failure(int(status), reason, message)
	e.Text = text
	return e
}

// token finds the token in the request: "" where there is none.
func (t *tokenCheck) token(s *State) (string, error) {
	switch {
	case t.value.set:
		return t.value.get(s)
	case t.param.set && !t.header.set:
		name, err := t.param.get(s)
		if err != nil {
			return "", err
		}
		if vs := parseQuery(s.Original.Query).get(name); len(vs) > 0 {
			return vs[0], nil
		}
		return "", nil
	}
	name, err := t.header.get(s)
	if err != nil {
		return "", err
	}
	v := strings.TrimSpace(s.Request.Header.Get(name))
	if v == "" && t.param.set {
		name, err := t.param.get(s)
		if err != nil {
			return "", err
		}
		if vs := parseQuery(s.Original.Query).get(name); len(vs) > 0 {
			return vs[0], nil
		}
	}
	scheme, err := t.scheme.get(s)
	if err != nil {
		return "", err
	}
	given, rest, has := strings.Cut(v, " ")
	if scheme != "" && (!has || !strings.EqualFold(given, scheme)) {
		return "", nil
	}
	if has {
		return strings.TrimSpace(rest), nil
	}
	return v, nil
}

func (t *tokenCheck) run(s *State) error {
	raw, err := t.token(s)
	if err != nil {
		return err
	}
	if raw == "" {
		return t.refuse(s, ReasonTokenMissing, "JWT not present.")
	}
	j, err := t.verify(s, raw)
	if err != nil {
		return err
	}
	if err := t.times(s, j); err != nil {
		return err
	}
	if err := t.audience(s, j); err != nil {
		return err
	}
	for _, r := range t.claims {
		if err := t.claim(s, j, r); err != nil {
			return err
		}
	}
	if t.variable != "" {
		if v, ok := dotnet.ReadJwt(j.text); ok {
			s.vars.set(t.variable, v)
		} else {
			s.vars.set(t.variable, j.text)
		}
	}
	return nil
}

func (t *tokenCheck) times(s *State, j *jwtObject) error {
	skew, err := t.skew.seconds(s)
	if err != nil {
		return err
	}
	now, exp := s.Now(), j.time("exp")
	if exp.IsZero() {
		need, err := t.needExpiry.get(s)
		if err != nil {
			return err
		}
		if need {
			return t.refuse(s, ReasonJWT, "Lifetime validation failed. The token is missing an expiration time. Access denied.")
		}
	} else if !now.Before(exp.Add(skew)) {
		return t.refuse(s, ReasonTokenExpired, "Lifetime validation failed. The token is expired. Access denied.")
	}
	if nbf := j.time("nbf"); !nbf.IsZero() && now.Add(skew).Before(nbf) {
		return t.refuse(s, ReasonJWT, "Lifetime validation failed. The token is not yet valid. Access denied.")
	}
	return nil
}

func (t *tokenCheck) audience(s *State, j *jwtObject) error {
	allowed, err := all(s, append(append([]*text(nil), t.audiences...), t.backends...))
	if err != nil {
		return err
	}
	if len(allowed) > 0 && !overlaps(allowed, j.claim("aud")) {
		return t.refuse(s, ReasonTokenAudience, "Audience validation failed. The token's audience is not allowed. Access denied.")
	}
	if len(t.clients) > 0 {
		apps, err := all(s, t.clients)
		if err != nil {
			return err
		}
		if !overlaps(apps, append(j.claim("appid"), j.claim("azp")...)) {
			return t.refuse(s, ReasonClaimValue, "The client application of the token is not allowed. Access denied.")
		}
	}
	return nil
}

func overlaps(a, b []string) bool {
	for _, x := range a {
		for _, y := range b {
			if x == y {
				return true
			}
		}
	}
	return false
}

// claim checks one required claim: with "all" the token must have every value that the policy lists, with "any" one.
func (t *tokenCheck) claim(s *State, j *jwtObject, r *claimRule) error {
	got := j.claim(r.name)
	if got == nil {
		return t.refuse(s, ReasonClaimMissing, "JWT token is missing the following claims: "+r.name+". Access denied.")
	}
	if r.separator != "" {
		var parts []string
		for _, g := range got {
			parts = append(parts, strings.Split(g, r.separator)...)
		}
		got = parts
	}
	want, err := all(s, r.values)
	if err != nil || len(want) == 0 {
		return err
	}
	mode, err := r.any.get(s)
	if err != nil {
		return err
	}
	ok := overlaps(want, got)
	if mode != "any" {
		for _, w := range want {
			ok = ok && overlaps([]string{w}, got)
		}
	}
	if !ok {
		return t.refuse(s, ReasonClaimValue, "Claim "+r.name+" value of "+strings.Join(got, ",")+" is not allowed. Access denied.")
	}
	return nil
}
