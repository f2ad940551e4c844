package workflow

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"net/url"
	"slices"
	"strings"

	"tandem/internal/workflow/value"
)

func sortedTags(tags map[string]string) []string { return slices.Sorted(maps.Keys(tags)) }

// callbackVersion is the api-version in the addresses of triggers.
const callbackVersion = "2016-10-01"

// callbackURL is what listCallbackUrl answers.
type callbackURL struct {
	Value      string            `json:"value"`
	Method     string            `json:"method"`
	BasePath   string            `json:"basePath"`
	Relative   string            `json:"relativePath,omitempty"`
	Parameters []string          `json:"relativePathParameters,omitempty"`
	Queries    map[string]string `json:"queries"`
}

// sign makes the signature of an address: of what it permits (sp), under the workflow's own key.
func sign(key []byte, flow, permission string) string {
	m := hmac.New(sha256.New, key)
	m.Write([]byte("1.0\n" + flow + "\n" + permission))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

func (c *Config) flowSecret(w workflowDoc) ([]byte, error) {
	v, err := c.open(flowKey(w.Flow), w.Key)
	if err != nil {
		return nil, err
	}
	return []byte(value.Text(v)), nil
}

// callback is the address at which a Request trigger is called.
func (c *Config) callback(w workflowDoc, trigger string, def *Definition) (callbackURL, error) {
	key, err := c.flowSecret(w)
	if err != nil {
		return callbackURL{}, err
	}
	t := def.trigger(trigger)
	if t == nil || t.Kind != "Request" {
		for _, other := range def.Triggers {
			if other.Kind == "Request" {
				t = other
			}
		}
	}
	permission := "/triggers/" + t.Name + "/run"
	q := map[string]string{"api-version": callbackVersion, "sp": permission, "sv": "1.0", "sig": sign(key, w.Flow, permission)}
	out := callbackURL{Method: t.Method, BasePath: c.flowURL(w, "/triggers/"+url.PathEscape(t.Name)+"/paths/invoke"), Queries: q}
	if out.Method == "" {
		out.Method = "POST"
	}
	path := out.BasePath
	if t.Path != "" {
		out.Relative = t.Path
		path += "/" + t.Path
		for _, s := range strings.Split(t.Path, "/") {
			if strings.HasPrefix(s, "{") && strings.HasSuffix(s, "}") {
				out.Parameters = append(out.Parameters, strings.Trim(s, "{}"))
			}
		}
	}
	values := url.Values{}
	for k, v := range q {
		values.Set(k, v)
	}
	out.Value = path + "?" + values.Encode()
	return out, nil
}

func (c *Config) flowURL(w workflowDoc, path string) string {
	return strings.TrimRight(c.BaseURL, "/") + "/workflows/" + w.Flow + path
}

// contentURL is a signed address of inputs or outputs in a run's history.
func (c *Config) contentURL(w workflowDoc, key []byte, path string) string {
	q := url.Values{"api-version": {callbackVersion}, "sp": {path + "/read"}, "sv": {"1.0"}, "sig": {sign(key, w.Flow, path+"/read")}}
	return c.flowURL(w, (&url.URL{Path: path}).EscapedPath()) + "?" + q.Encode()
}
