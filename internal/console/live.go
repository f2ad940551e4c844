package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// beat is the time between two looks at what a live page shows.
const beat = time.Second

// live renders the live part of a page.
func (v *visit) live(w view, data any) (string, error) {
	var b bytes.Buffer
	err := v.templates.ExecuteTemplate(&b, w.name+".live", data)
	return b.String(), err
}

// stream sends a page's live part as server-sent events (WHATWG HTML, section 9.2) whenever it changed, until the browser
// goes away, the session ends or the console closes.
func (v *visit) stream(rw http.ResponseWriter, w view) {
	rw.Header().Set("Content-Type", "text/event-stream")
	rw.WriteHeader(http.StatusOK)
	out := http.NewResponseController(rw)
	var last, lastChart, lastSaid string
	// quiet counts the beats without an event: a comment now and then finds out that the browser has gone.
	for quiet := 0; ; quiet++ {
		if v.Console.session(v.r) == nil {
			_ = event(rw, "ended", "signed out") // the stream ends either way
			_ = out.Flush()
			return
		}
		data, err := w.load(v)
		if v.ctx.Err() != nil {
			return
		}
		var live string
		if err == nil {
			live, err = v.live(w, data)
		}
		if err != nil { // the page stays as it was and says that it is old
			if event(rw, "stale", "stale") != nil || out.Flush() != nil {
				return
			}
			last = ""
		} else {
			var events []string
			if live != last {
				events, last = append(events, "live", live), live
			}
			if s, ok := data.(spoken); ok && s.say() != lastSaid {
				lastSaid = s.say()
				events = append(events, "say", lastSaid)
			}
			if c, ok := data.(charted); ok {
				if raw, err := json.Marshal(c.chart()); err == nil && string(raw) != lastChart {
					events, lastChart = append(events, "chart", string(raw)), string(raw)
				}
			}
			if len(events) == 0 && quiet >= 10 {
				if _, err := fmt.Fprint(rw, ": still here\n\n"); err != nil {
					return
				}
				quiet = 0
			}
			for i := 0; i < len(events); i += 2 {
				quiet = 0
				if event(rw, events[i], events[i+1]) != nil {
					return
				}
			}
			if out.Flush() != nil {
				return
			}
		}
		select {
		case <-v.Clock.After(beat):
		case <-v.ctx.Done():
			return
		case <-v.closing:
			return
		}
	}
}

func event(w http.ResponseWriter, name, data string) error {
	_, err := fmt.Fprintf(w, "event: %s\ndata: %s\n\n", name, strings.ReplaceAll(data, "\n", "\ndata: "))
	return err
}
