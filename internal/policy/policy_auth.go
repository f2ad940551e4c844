package policy

import (
	"encoding/base64"
	"strings"

	"tandem/internal/policy/markup"
)

var policyAuthBasic = &Policy{
	Name: "authentication-basic", Category: "Authentication", Does: "authenticates with the backend by user name and password",
	Sections: inboundOnly, Attrs: []Attribute{need("username"), need("password")},
	compile: func(c *compiler, n *markup.Node) runFunc {
		user, password, to := c.text(n, "username", ""), c.text(n, "password", ""), c.target()
		return func(s *State) error {
			v, err := all(s, []*text{user, password})
			if err != nil {
				return err
			}
			to.message(s).Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(v[0]+":"+v[1])))
			return nil
		}
	},
}

var policyAuthManagedIdentity = &Policy{
	Name: "authentication-managed-identity", Category: "Authentication", Does: "authenticates with the backend by a token of a managed identity",
	Sections: inboundOnly, Scopes: noWorkspace, Needs: partTokens,
	Attrs: []Attribute{need("resource"), attr("client-id"), attr("output-token-variable-name").lit(), attr("ignore-error", trueFalse...).def("false")},
	compile: func(c *compiler, n *markup.Node) runFunc {
		resource, client := c.text(n, "resource", ""), c.text(n, "client-id", "")
		variable, ignore, to := c.text(n, "output-token-variable-name", ""), c.boolean(n, "ignore-error", false), c.target()
		return func(s *State) error {
			v, err := all(s, []*text{resource, client, variable})
			if err != nil {
				return err
			}
			token, err := s.token(v[0], v[1])
			if err != nil {
				skipped, ierr := ignore.get(s)
				if ierr != nil || skipped {
					return ierr
				}
				return &LastError{Status: 500, Reason: "ManagedIdentityTokenFailure", Message: "No token could be had for the managed identity.", Err: err}
			}
			if v[2] != "" {
				s.vars.set(v[2], token)
				return nil
			}
			to.message(s).Header.Set("Authorization", "Bearer "+token)
			return nil
		}
	},
}

func (s *State) token(resource, client string) (string, error) {
	if s.Host.Tokens == nil {
		return "", failure(500, "", "This gateway has no token source.")
	}
	return s.Host.Tokens.Token(s.Ctx(), strings.TrimSpace(resource), client)
}

var policyGetAuthorizationContext = &Policy{
	Name: "get-authorization-context", Category: "Authentication", Does: "gets a token of the credential manager into a variable",
	Sections: inboundOnly, Scopes: noWorkspace, Needs: partAuthorizations,
	Attrs: []Attribute{need("provider-id"), need("authorization-id"), need("context-variable-name"), attr("identity-type", "managed", "jwt").def("managed"),
		attr("identity"), attr("ignore-error", trueFalse...).def("false")},
	compile: func(c *compiler, n *markup.Node) runFunc {
		provider, id, variable := c.text(n, "provider-id", ""), c.text(n, "authorization-id", ""), c.text(n, "context-variable-name", "")
		kind, identity := c.text(n, "identity-type", "managed"), c.text(n, "identity", "")
		ignore := c.boolean(n, "ignore-error", false)
		return func(s *State) error {
			v, err := all(s, []*text{provider, id, variable, kind, identity})
			if err != nil {
				return err
			}
			if s.Host.Authorization == nil {
				return failure(500, "", "This gateway has no credential manager.")
			}
			a, err := s.Host.Authorization.Authorization(s.Ctx(), v[0], v[1], v[3], v[4])
			if err != nil {
				skipped, ierr := ignore.get(s)
				if ierr != nil {
					return ierr
				}
				if skipped {
					s.vars.set(v[2], nil)
					return nil
				}
				return &LastError{Status: 500, Reason: "AuthorizationFailure", Message: "The authorization " + v[1] + " gave no token.", Err: err}
			}
			s.vars.set(v[2], &a)
			return nil
		}
	},
}

var policyAuthCertificate = &Policy{
	Name: "authentication-certificate", Category: "Authentication", Does: "authenticates with the backend by a client certificate",
	Sections: inboundOnly,
	Attrs:    []Attribute{attr("thumbprint").oneOf("certificate"), attr("certificate-id").oneOf("certificate"), attr("body").oneOf("certificate"), attr("password")},
	compile:  compileAuthCertificate,
}

func compileAuthCertificate(c *compiler, n *markup.Node) runFunc {
	thumb, id, body, password := c.text(n, "thumbprint", ""), c.text(n, "certificate-id", ""), c.text(n, "body", ""), c.text(n, "password", "")
	to := c.target()
	c.knownCertificate(id, false)
	c.knownCertificate(thumb, true)
	return func(s *State) error {
		v, err := all(s, []*text{thumb, id, password})
		if err != nil {
			return err
		}
		var pfx []byte
		if body.set {
			if pfx, err = body.bytes(s); err != nil {
				return err
			}
		}
		cert, err := s.certificate(v[0], v[1], pfx, v[2])
		if err != nil {
			return err
		}
		if to == onHold {
			s.hold.send.Certificate = cert
			return nil
		}
		if s.auth == nil {
			s.auth = &outgoingAuth{}
		}
		s.auth.options.Certificate = cert
		return nil
	}
}

var policyProxy = &Policy{
	Name: "proxy", Category: "Routing", Does: "sends the request through an HTTP proxy",
	Sections: inboundOnly, Attrs: []Attribute{need("url"), attr("username"), attr("password")},
	compile: func(c *compiler, n *markup.Node) runFunc {
		u, user, password, to := c.text(n, "url", ""), c.text(n, "username", ""), c.text(n, "password", ""), c.target()
		return func(s *State) error {
			v, err := all(s, []*text{u, user, password})
			if err != nil {
				return err
			}
			p := &Proxy{URL: v[0], Username: v[1], Password: v[2]}
			if to == onHold {
				s.hold.send.Proxy = p
				return nil
			}
			if s.auth == nil {
				s.auth = &outgoingAuth{}
			}
			s.auth.options.Proxy = p
			return nil
		}
	},
}
