package rehearsal

import (
	"fmt"
	"io"
	"time"
)

// Terminal tells the story line by line; on a terminal the running step is shown while it runs.
type Terminal struct {
	Out   io.Writer
	Live  bool // Out is a terminal: lines may be rewritten
	Color bool
}

// Begin implements Teller.
func (t Terminal) Begin(step string) {
	if t.Live {
		fmt.Fprintf(t.Out, "  … %s", step)
	}
}

// End implements Teller.
func (t Terminal) End(step string, took time.Duration, note string, err error) {
	mark, color := "✓", "32"
	if err != nil {
		mark, color, note = "✗", "31", err.Error()
	}
	if t.Color {
		mark = "\x1b[" + color + "m" + mark + "\x1b[0m"
	}
	if t.Live {
		fmt.Fprint(t.Out, "\r\x1b[2K")
	}
	fmt.Fprintf(t.Out, "  %s %-58s %6d ms\n", mark, step, took.Milliseconds())
	if note != "" {
		fmt.Fprintf(t.Out, "      %s\n", note)
	}
}
