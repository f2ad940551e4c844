package console

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"tandem/internal/traffic/health"
)

//go:embed templates/*.html
var templateFiles embed.FS

func (c *Console) parse() (*template.Template, error) {
	return template.New("console").Funcs(template.FuncMap{
		"asset":  c.assetURL,
		"mark":   mark,
		"bytes":  byteCount,
		"when":   when,
		"clock":  clockTime,
		"ago":    func(t time.Time) string { return ago(c.Clock.Now().Sub(t)) },
		"esc":    url.PathEscape,
		"lower":  strings.ToLower,
		"millis": func(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond)) },
		"plural": plural,
		"last":   lastSegment,
		"xml":    highlightXML,
		"list":   func(all ...any) []any { return all },
		"csrf":   csrfField,
		"level": func(level string) string {
			return map[string]string{"bad": "Now", "warn": "Soon"}[level]
		},
		"verdict": func(s health.Status) string {
			return map[health.Status]string{health.Online: "good", health.Degraded: "bad"}[s]
		},
	}).ParseFS(templateFiles, "templates/*.html")
}

func csrfField(token string) template.HTML {
	return template.HTML(`<input type="hidden" name="csrf" value="` + template.HTMLEscapeString(token) + `">`) //nolint:gosec // escaped
}

// render writes a page; a template that fails shows nothing by halves.
func (c *Console) render(w http.ResponseWriter, status int, name string, data any) {
	var b bytes.Buffer
	if err := c.templates.ExecuteTemplate(&b, name, data); err != nil {
		c.Log.Error("a page cannot be rendered", "page", name, "error", err)
		http.Error(w, "This page cannot be shown; see the node's log.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the browser went away; there is nobody to tell
}

// mark shows a state by shape and word, colour only beside them. level is good, warn, bad, wait or off.
func mark(level, text string) template.HTML {
	shapes := map[string]string{
		"good": `<circle cx="8" cy="8" r="7"/><path class="in" d="M4.5 8.2l2.4 2.4 4.6-5"/>`,
		"warn": `<path d="M8 1l7.3 13.5H.7z"/><path class="in" d="M8 6v4M8 12v.6"/>`,
		"bad":  `<path d="M5 .8h6l4.2 4.2v6L11 15.2H5L.8 11V5z"/><path class="in" d="M5.2 5.2l5.6 5.6M10.8 5.2l-5.6 5.6"/>`,
		"wait": `<circle class="ring" cx="8" cy="8" r="6.2"/><path class="hand" d="M8 4.2V8l2.6 1.6"/>`,
		"off":  `<circle class="ring" cx="8" cy="8" r="6.2"/><path class="hand" d="M5 8h6"/>`,
	}
	if shapes[level] == "" {
		level = "off"
	}
	return template.HTML(`<span class="mark ` + level + `"><svg viewBox="0 0 16 16" aria-hidden="true">` + shapes[level] + `</svg>` + template.HTMLEscapeString(text) + `</span>`) //nolint:gosec // escaped
}

func byteCount(n int64) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d B", n)
}

// when shows a point in time, in UTC as the logs do.
func when(t time.Time) template.HTML {
	if t.IsZero() {
		return "–"
	}
	t = t.UTC()
	return template.HTML(`<time datetime="` + t.Format(time.RFC3339) + `">` + t.Format("2006-01-02 15:04:05") + ` UTC</time>`) //nolint:gosec // digits
}

func clockTime(t time.Time) template.HTML {
	t = t.UTC()
	return template.HTML(`<time datetime="` + t.Format(time.RFC3339Nano) + `">` + t.Format("15:04:05.0") + `</time>`) //nolint:gosec // digits
}

// ago is coarse on purpose: a page must not change each second for it.
func ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "less than a minute ago"
	case d < 2*time.Hour:
		return plural(int(d/time.Minute), "minute") + " ago"
	case d < 48*time.Hour:
		return plural(int(d/time.Hour), "hour") + " ago"
	}
	return plural(int(d/(24*time.Hour)), "day") + " ago"
}

func plural(n int, word string) string {
	switch {
	case n == 1:
		return "1 " + word
	case strings.HasSuffix(word, "y") && word != "day":
		return fmt.Sprintf("%d %sies", n, strings.TrimSuffix(word, "y"))
	}
	return fmt.Sprintf("%d %ss", n, word)
}

func lastSegment(id string) string { return id[strings.LastIndexByte(id, '/')+1:] }
