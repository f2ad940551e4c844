package apim_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"tandem/internal/apim"
)

// malformed makes a request that no server should take; the seed decides which.
func malformed(rnd *rand.Rand, kinds []*apim.Kind) (method, path, body, etag string) {
	k := kinds[rnd.IntN(len(kinds))]
	for !k.Has('P') || !k.Has('L') {
		k = kinds[rnd.IntN(len(kinds))]
	}
	segments := strings.Split(k.Path, "/")
	for i, s := range segments {
		if strings.HasPrefix(s, "{") {
			segments[i] = "x" + fmt.Sprint(rnd.IntN(50))
		}
	}
	item, collection := strings.Join(segments, "/"), strings.Join(segments[:len(segments)-1], "/")
	noise := func(n int) string {
		b := make([]byte, 1+rnd.IntN(n))
		for i := range b {
			b[i] = byte(rnd.IntN(256))
		}
		return string(b)
	}
	pick := func(list ...string) string { return list[rnd.IntN(len(list))] }
	switch rnd.IntN(12) {
	case 0: // broken JSON
		return "PUT", item, pick("{", `{"properties":`, `{"properties":{"a":}}`, "[1,", `{"a":1}{`, "\x00", `{"properties":{"a":1,"a":2}}`, strings.Repeat("[", 2000)) + "", ""
	case 1: // not an object
		return "PUT", item, pick("[]", `"text"`, "17", "true", `{"properties":[]}`, `{"properties":"x"}`, `{"properties":7}`), ""
	case 2: // properties of the wrong form
		return "PUT", "apis/a" + fmt.Sprint(rnd.IntN(9)), fmt.Sprintf(`{"properties":{"path":"p","%s":%s}}`, pick("protocols", "contact", "license", "authenticationSettings", "subscriptionKeyParameterNames"), pick("7", `"x"`, "true")), ""
	case 3: // filters
		return "GET", collection + "?$filter=" + url.QueryEscape(pick("name eq", "(name", "name eq 'a' or", "nothing eq 'x'", "unknown(name)", "'", strings.Repeat("(", 200), "name eq 'a' "+noise(8)+")(")), "", ""
	case 4:
		return "GET", "apis?" + pick("$top=", "$skip=") + pick("-1", "x", "1.5", "99999999999999999999", "%00"), "", ""
	case 5: // no such type
		return pick("GET", "PUT", "DELETE", "POST", "PATCH"), "nothing" + fmt.Sprint(rnd.IntN(9)) + "/" + url.PathEscape(noise(6)), "{}", ""
	case 6: // names
		return "PUT", "tags/" + pick("a%2Ab", "a%23", "a%3Fb", "%0A", "%C3%28", "a%5Cb", strings.Repeat("n", 300), "%3C%3E"), `{"properties":{"displayName":"x"}}`, ""
	case 7: // no or a bad version
		return "GET", root + "/apis?api-version=" + pick("yesterday", "2024", "2024-99-99", "%00", "2024-05-01-!"), "", ""
	case 8: // what is required is missing
		return "PUT", pick("products/p", "tags/t", "users/u", "groups/g", "backends/b", "subscriptions/s", "certificates/c", "identityProviders/google"), pick("{}", `{"properties":{}}`, `{"properties":null}`, ""), ""
	case 9: // references to nothing
		return "PUT", pick("products/none/apis/none", "apis/none/operations/o", "subscriptions/s", "diagnostics/d"), `{"properties":{"displayName":"x","method":"GET","urlTemplate":"/","scope":"/products/none","loggerId":"/loggers/none"}}`, ""
	case 10: // changing what is not there
		return "PATCH", pick("products/none", "apis/none", "namedValues/none"), `{"properties":{"displayName":"x"}}`, pick("*", `"AAAA"`, noise(4))
	default: // import of noise
		raw, _ := json.Marshal(map[string]any{"properties": map[string]any{"path": "p", "format": pick("openapi", "openapi+json", "swagger-json", "wsdl", "wadl-xml", "graphql", "none"), "value": noise(60)}})
		return "PUT", "apis/noise", string(raw), ""
	}
}

// TestMalformedRequests sends 10,000 of them: each gets a 4xx in ARM's envelope, and nothing changes.
func TestMalformedRequests(t *testing.T) {
	p := withService(t)
	before, err := p.store.Revision(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	handler := p.server.Config.Handler
	codes := map[string]int{}
	for i := range 10_000 {
		method, path, body, etag := malformed(rnd, p.provider.Table().Kinds)
		req, err := http.NewRequest(method, p.url(path), strings.NewReader(body))
		if err != nil {
			continue // not even a client would send it
		}
		req.RequestURI = req.URL.RequestURI()
		req.Header.Set("Authorization", "Bearer x")
		if etag != "" {
			req.Header.Set("If-Match", etag)
		}
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, req)
		var e struct {
			Error *struct{ Code, Message string }
		}
		if rec.Code/100 != 4 || json.Unmarshal(rec.Body.Bytes(), &e) != nil || e.Error == nil || e.Error.Code == "" || e.Error.Message == "" {
			t.Fatalf("request %d: %s %s %.200q: %d %s", i, method, path, body, rec.Code, rec.Body)
		}
		codes[e.Error.Code]++
	}
	if after, err := p.store.Revision(t.Context()); err != nil || after != before {
		t.Fatalf("the state changed: revision %d, then %d (%v)", before, after, err)
	}
	t.Logf("codes: %v", codes)
}

// FuzzBody sends any body to any kind: never a 5xx.
func FuzzBody(f *testing.F) {
	f.Add("apis/a", `{"properties":{"path":"a","format":"openapi","value":"openapi: 3.0.0\ninfo: {title: a}\npaths: {}"}}`)
	f.Add("backends/b", `{"properties":{"url":"https://b","protocol":"http","tls":{"validateCertificateChain":true}}}`)
	f.Add("apis/a/operations/o", `{"properties":{"displayName":"o","method":"GET","urlTemplate":"/{a}","templateParameters":[{"name":"a","type":"string"}]}}`)
	f.Add("subscriptions/s", `{"properties":{"scope":"/apis","displayName":"s"}}`)
	f.Add("policies/policy", `{"properties":{"value":"<policies/>"}}`)
	f.Add("apis/a;rev=2", `{"properties":{"sourceApiId":"/apis/a"}}`)
	p := withService(f)
	handler := p.server.Config.Handler
	f.Fuzz(func(t *testing.T, path, body string) {
		for _, method := range []string{"PUT", "PATCH", "GET", "DELETE"} {
			req, err := http.NewRequest(method, p.server.URL+root+"/"+path+"?api-version="+version, strings.NewReader(body))
			if err != nil || !strings.HasPrefix(req.URL.Path, root+"/") {
				t.Skip()
			}
			req.Header.Set("Authorization", "Bearer x")
			req.Header.Set("If-Match", "*")
			rec := httptest.NewRecorder()
			handler.ServeHTTP(rec, req)
			if rec.Code >= 500 || rec.Code < 200 {
				t.Fatalf("%s %s %q: %d %s", method, path, body, rec.Code, rec.Body)
			}
		}
	})
}

// FuzzList sends any query to lists: never a 5xx.
func FuzzList(f *testing.F) {
	f.Add("apis", "$filter=name eq 'a'&$top=2")
	f.Add("subscriptions", "$filter=contains(properties/scope,'x') or state ne null")
	f.Add("tags", "scope=apis&$skip=1&$skipToken=MSB0YWdzL2E")
	f.Add("users", "expandGroups=true")
	p := withService(f)
	handler := p.server.Config.Handler
	p.must("PUT", "apis/a", `{"properties":{"path":"a"}}`)
	p.must("PUT", "tags/a", `{"properties":{"displayName":"a"}}`)
	f.Fuzz(func(t *testing.T, path, query string) {
		req, err := http.NewRequest("GET", p.server.URL+root+"/"+url.PathEscape(path), nil)
		if err != nil {
			t.Skip()
		}
		req.URL.RawQuery = "api-version=" + version + "&" + query
		req.Header.Set("Authorization", "Bearer x")
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, req)
		if rec.Code >= 500 {
			t.Fatalf("%s?%s: %d %s", path, query, rec.Code, rec.Body)
		}
	})
}

// FuzzImport reads any document in any format: an error or operations, never a panic.
func FuzzImport(f *testing.F) {
	for format, doc := range map[string]string{"openapi": petsYAML, "swagger-json": petsSwagger, "wsdl": addWSDL, "wadl-xml": stockWADL, "graphql": "type Query { a: Int }"} {
		f.Add(format, doc)
	}
	p := withService(f)
	handler := p.server.Config.Handler
	f.Fuzz(func(t *testing.T, format, doc string) {
		req, err := http.NewRequest("PUT", p.server.URL+root+"/apis/fuzz?api-version="+version, strings.NewReader(importBody(format, doc)))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer x")
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, req)
		if rec.Code >= 500 {
			t.Fatalf("%s %q: %d %s", format, doc, rec.Code, rec.Body)
		}
	})
}
