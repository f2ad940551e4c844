package arm

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"sort"
	"strconv"
)

// List is the envelope of a list.
type List[T any] struct {
	Value    []T    `json:"value"`
	Count    *int64 `json:"count,omitempty"`
	NextLink string `json:"nextLink,omitempty"`
}

// Page says which part of a list a request asks for.
type Page struct {
	Top  int    // zero: as many as the server likes
	Skip int    // how many to leave out
	Mark string // what the server wrote into the last page's link; empty: from the start
}

// Page reads $top, $skip and $skipToken. $top is at least 1, $skip at least 0.
func (r *Request) Page() (Page, error) {
	var p Page
	var err error
	if p.Top, err = r.number("$top", 1); err != nil {
		return p, err
	}
	if p.Skip, err = r.number("$skip", 0); err != nil {
		return p, err
	}
	mark, err := base64.RawURLEncoding.DecodeString(r.Query["$skiptoken"])
	if err != nil {
		return p, Errorf(http.StatusBadRequest, "InvalidSkipToken", "The $skipToken is not one that this server gave; follow nextLink as it is.")
	}
	p.Mark = string(mark)
	return p, nil
}

func (r *Request) number(name string, least int) (int, error) {
	text := r.Query[name]
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least {
		return 0, Errorf(http.StatusBadRequest, "InvalidQueryParameter", "The query parameter %s is '%s'; it must be a whole number of at least %d.", name, text, least)
	}
	return n, nil
}

// NextLink is the absolute address of the page after mark: the request's own address with a $skipToken, and with $skip
// taken out, since it was honoured already.
func (r *Request) NextLink(mark string) string {
	values := url.Values{"$skipToken": {base64.RawURLEncoding.EncodeToString([]byte(mark))}}
	names := make([]string, 0, len(r.Query))
	for name := range r.Query {
		if name != "$skip" && name != "$skiptoken" {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	query := ""
	for _, name := range names {
		query += url.QueryEscape(name) + "=" + url.QueryEscape(r.Query[name]) + "&"
	}
	return r.Link(r.Path, query+values.Encode())
}

// Paginate cuts a list that is in memory, of at most limit items a page, into the page asked for. The mark is the index of
// the next item.
func Paginate[T any](r *Request, all []T, limit int) (List[T], error) {
	p, err := r.Page()
	if err != nil {
		return List[T]{}, err
	}
	start := p.Skip
	if p.Mark != "" {
		if start, err = strconv.Atoi(p.Mark); err != nil || start < 0 {
			return List[T]{}, Errorf(http.StatusBadRequest, "InvalidSkipToken", "The $skipToken is not of this list; follow nextLink as it is.")
		}
	}
	start = min(start, len(all))
	size := limit
	if p.Top > 0 && p.Top < limit {
		size = p.Top
	}
	end := min(start+size, len(all))
	out := List[T]{Value: append([]T{}, all[start:end]...)}
	if end < len(all) {
		out.NextLink = r.NextLink(strconv.Itoa(end))
	}
	return out, nil
}
