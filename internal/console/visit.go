package console

import (
	"context"
	"errors"
	"html/template"
	"net/http"
	"net/url"

	"tandem"
)

// visit is one request of somebody who signed in.
type visit struct {
	*Console
	ctx     context.Context
	r       *http.Request
	session *session
}

// view is one page. Its template has the page's name; a template of that name with ".live" is rendered again and again
// while the page is open.
type view struct {
	name, title, nav string
	load             func(*visit) (any, error)
}

// titled is page data with a title of its own.
type titled interface{ title() string }

// charted is page data with a series for a chart, sent as JSON.
type charted interface{ chart() any }

// spoken is page data with a sentence for screen readers, told again when it changes.
type spoken interface{ say() string }

// frame is what the layout shows around a page.
type frame struct {
	Title, Nav string
	User       string
	CSRF       string
	Live       template.HTML // the live part, as it is now
	LiveURL    string        // where it comes from later; empty: nothing is live
	Say        string
	Page       any
}

func (v *visit) frame(w view, data any) (frame, error) {
	f := frame{Title: w.title, Nav: w.nav, User: v.session.name, CSRF: v.session.CSRF, Page: data}
	if t, ok := data.(titled); ok {
		f.Title = t.title()
	}
	if s, ok := data.(spoken); ok {
		f.Say = s.say()
	}
	if v.templates.Lookup(w.name+".live") == nil {
		return f, nil
	}
	live, err := v.live(w, data)
	f.Live = template.HTML(live) //nolint:gosec // it was rendered by html/template
	at := *v.r.URL
	q := at.Query()
	q.Set("live", "1")
	at.RawQuery = q.Encode()
	f.LiveURL = at.RequestURI()
	return f, err
}

// show serves a page, and its live part where ?live is given.
func (c *Console) show(w view) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		s := c.session(r)
		streams := r.URL.Query().Get("live") != "" && c.templates.Lookup(w.name+".live") != nil
		if s == nil {
			if streams || r.Header.Get("HX-Request") != "" {
				http.Error(rw, "Your session has ended; sign in again.", http.StatusUnauthorized)
				return
			}
			http.Redirect(rw, r, "/sign-in?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
			return
		}
		v := &visit{Console: c, ctx: r.Context(), r: r, session: s}
		if streams {
			v.stream(rw, w)
			return
		}
		data, err := w.load(v)
		if err != nil {
			c.fail(rw, r, s, err)
			return
		}
		if fragment := w.name + ".fragment"; r.Header.Get("HX-Request") != "" && c.templates.Lookup(fragment) != nil {
			c.render(rw, http.StatusOK, fragment, data)
			return
		}
		f, err := v.frame(w, data)
		if err != nil {
			c.fail(rw, r, s, err)
			return
		}
		c.render(rw, http.StatusOK, w.name, f)
	}
}

// act serves a form: it changes something, and leads on to a page.
func (c *Console) act(do func(*visit) (string, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s := c.session(r)
		if s == nil {
			http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
			return
		}
		if !s.provesForm(r) {
			c.fail(w, r, s, errForm)
			return
		}
		next, err := do(&visit{Console: c, ctx: r.Context(), r: r, session: s})
		if err != nil {
			c.fail(w, r, s, err)
			return
		}
		http.Redirect(w, r, next, http.StatusSeeOther)
	}
}

var (
	errForm    = refusal{Status: http.StatusForbidden, Code: "FormNotProven", Message: "The form does not belong to this session. Go back, load the page again, and send it once more."}
	errNoPage  = refusal{Status: http.StatusNotFound, Code: "NotFound", Message: "There is no such page."}
	errConfirm = refusal{Status: http.StatusBadRequest, Code: "NotConfirmed", Message: "Nothing was done: the name that was typed is not the one asked for. Go back and type it exactly."}
)

// fail shows an error as a page.
func (c *Console) fail(w http.ResponseWriter, r *http.Request, s *session, err error) {
	e := refusal{Status: http.StatusInternalServerError, Code: "InternalError", Message: "This page cannot be shown. See the node's log."}
	if !errors.As(err, &e) {
		switch tandem.KindOf(err) {
		case tandem.NotFound:
			e = refusal{http.StatusNotFound, "NotFound", err.Error()}
		case tandem.Denied:
			e = refusal{http.StatusForbidden, "Denied", err.Error()}
		default:
			if r.Context().Err() == nil {
				c.Log.Error("a page of the console cannot be shown", "path", r.URL.Path, "error", err)
			}
		}
	}
	f := frame{Title: http.StatusText(e.Status), Page: e}
	if s != nil {
		f.User, f.CSRF = s.name, s.CSRF
	}
	name := "error"
	if r.Header.Get("HX-Request") != "" {
		name = "error.fragment"
		c.render(w, e.Status, name, e)
		return
	}
	c.render(w, e.Status, name, f)
}

func (c *Console) notFound(w http.ResponseWriter, r *http.Request) {
	c.fail(w, r, c.session(r), errNoPage)
}
