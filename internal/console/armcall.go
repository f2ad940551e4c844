package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// memory is an http.ResponseWriter that keeps the answer.
type memory struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (m *memory) Header() http.Header { return m.header }

func (m *memory) WriteHeader(status int) {
	if m.status == 0 && status >= 200 {
		m.status = status
	}
}

func (m *memory) Write(p []byte) (int, error) {
	m.WriteHeader(http.StatusOK)
	return m.body.Write(p)
}

// serve lets a handler of this process answer a request.
func serve(h http.Handler, r *http.Request) (m *memory) {
	m = &memory{header: http.Header{}}
	defer func() {
		// A proxy ends an answer that breaks off in this way.
		if p := recover(); p == http.ErrAbortHandler {
			m = &memory{header: http.Header{}, status: http.StatusBadGateway}
		} else if p != nil {
			panic(p)
		}
	}()
	h.ServeHTTP(m, r)
	m.WriteHeader(http.StatusOK)
	return m
}

// refusal is an answer of the management plane, or of the console, that is not what was asked for.
type refusal struct {
	Status  int
	Code    string
	Message string
}

func (e refusal) Error() string { return e.Message }

// refused says whether an error is that the role does not allow it.
func refused(err error) bool {
	var e refusal
	return errors.As(err, &e) && e.Status == http.StatusForbidden
}

const (
	apimVersion    = "2024-05-01"
	trafficVersion = "2022-04-01"
	storageVersion = "2024-01-01"
	groupsVersion  = "2021-04-01"
)

// call calls the management plane as who signed in. path is without api-version; into may be nil.
func (v *visit) call(ctx context.Context, method, path, version string, body, into any) (http.Header, error) {
	var raw []byte
	if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			return nil, err
		}
	}
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	if version != "" {
		path += separator + "api-version=" + version
	}
	req, err := http.NewRequestWithContext(ctx, method, "https://"+v.r.Host+path, bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	req.RemoteAddr = v.r.RemoteAddr // who calls, for the record
	req.Header.Set("Authorization", "Bearer "+v.session.Token)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	a := serve(v.ARM, req)
	if a.status >= 300 {
		var envelope struct {
			Error struct{ Code, Message string }
		}
		if json.Unmarshal(a.body.Bytes(), &envelope) != nil || envelope.Error.Message == "" {
			envelope.Error.Message = fmt.Sprintf("The management plane answered %d %s.", a.status, http.StatusText(a.status))
		}
		return a.header, refusal{Status: a.status, Code: envelope.Error.Code, Message: envelope.Error.Message}
	}
	if into == nil || a.body.Len() == 0 {
		return a.header, nil
	}
	if err := json.Unmarshal(a.body.Bytes(), into); err != nil {
		return a.header, fmt.Errorf("read the answer of %s %s: %w", method, path, err)
	}
	return a.header, nil
}

// maxPages bounds a list; a page has a hundred items or more.
const maxPages = 50

// list reads a list with all its pages. cut says that there are more than are shown.
func list[T any](v *visit, path, version string) (all []T, cut bool, err error) {
	for range maxPages {
		var page struct {
			Value    []T    `json:"value"`
			NextLink string `json:"nextLink"`
		}
		if _, err := v.call(v.ctx, http.MethodGet, path, version, nil, &page); err != nil {
			return nil, false, err
		}
		all = append(all, page.Value...)
		if page.NextLink == "" {
			return all, false, nil
		}
		next, err := url.Parse(page.NextLink)
		if err != nil {
			return nil, false, fmt.Errorf("read the next page of %s: %w", path, err)
		}
		path, version = next.RequestURI(), "" // the link carries its version
	}
	return all, true, nil
}

// across reads a list of the whole subscription; a principal with roles on groups alone gets what lies in those.
func across[T any](v *visit, provider, version string) ([]T, error) {
	base := "/subscriptions/" + v.SubscriptionID
	all, _, err := list[T](v, base+"/providers/"+provider, version)
	if !refused(err) {
		return all, err
	}
	groups, _, groupsErr := list[struct{ Name string }](v, base+"/resourcegroups", groupsVersion)
	if groupsErr != nil {
		return nil, err
	}
	read := false
	for _, g := range groups {
		some, _, groupErr := list[T](v, base+"/resourceGroups/"+url.PathEscape(g.Name)+"/providers/"+provider, version)
		if groupErr != nil && !refused(groupErr) {
			return nil, groupErr
		}
		read = read || groupErr == nil
		all = append(all, some...)
	}
	if !read {
		return nil, err
	}
	return all, nil
}

// may says whether the role of who signed in allows an action. It decides what is offered; the management plane decides
// again when it is done.
func (v *visit) may(action, scope string) bool {
	return v.Authoriser.Authorise(v.ctx, v.session.principal, action, scope) == nil
}
