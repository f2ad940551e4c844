package rehearsal

import (
	"fmt"
	"io"
	"time"
)

// Report is what a rehearsal measured; --json prints it.
type Report struct {
	OK        bool         `json:"ok"`
	RTO       int64        `json:"rto_ms"` // from the last good answer of the primary to the first good one of the standby
	RPO       int64        `json:"rpo_ms"` // the last acknowledged change minus the newest one readable through the standby
	KeysEqual bool         `json:"keys_equal"`
	Requests  Requests     `json:"requests"`
	Backup    Transfer     `json:"backup"`
	Restore   RestoreShare `json:"restore"`
	Steps     []Step       `json:"steps"`
	Failure   string       `json:"failure,omitempty"`

	Seconds []Second `json:"-"`
}

// Requests counts the client's calls.
type Requests struct {
	Sent   int `json:"sent"`
	Failed int `json:"failed"`
	Wrong  int `json:"wrong"`
}

// Transfer is the first backup.
type Transfer struct {
	Resources int   `json:"resources"`
	Bytes     int64 `json:"bytes"`
	MS        int64 `json:"ms"`
}

// RestoreShare is the first restore.
type RestoreShare struct {
	Resources int   `json:"resources"`
	MS        int64 `json:"ms"`
}

// Step is one step of the story with its time.
type Step struct {
	Name string `json:"name"`
	MS   int64  `json:"ms"`
}

// Second counts the answers in one second since the client began.
type Second struct {
	At     int
	Good   map[string]int // by region
	Failed int
}

// Write tells the report to a person.
func (r Report) Write(w io.Writer) {
	p := func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
	p("")
	if r.Backup.Resources > 0 {
		p("  Backup   %d resources, %s, %d ms", r.Backup.Resources, size(r.Backup.Bytes), r.Backup.MS)
	}
	if r.Restore.Resources > 0 {
		p("  Restore  %d resources, %d ms", r.Restore.Resources, r.Restore.MS)
	}
	if r.KeysEqual {
		p("  Keys     equal on both sides, and every key proven on both gateways")
	}
	if r.OK {
		p("  RTO      %s from the last good answer of %s to the first of %s", time.Duration(r.RTO)*time.Millisecond, PrimaryRegion, StandbyRegion)
		p("  RPO      %s between the last acknowledged change and the newest one readable through the standby", time.Duration(r.RPO)*time.Millisecond)
	}
	if r.Requests.Sent > 0 {
		p("  Requests %d sent, %d failed, %d wrong", r.Requests.Sent, r.Requests.Failed, r.Requests.Wrong)
	}
	if len(r.Seconds) > 0 {
		p("")
		p("  second  %-14s %-14s failed", PrimaryRegion, StandbyRegion)
		for _, s := range r.Seconds {
			p("  %6d  %-14s %-14s %s", s.At, bar(s.Good[string(PrimaryRegion)]), bar(s.Good[string(StandbyRegion)]), bar(s.Failed))
		}
	}
	p("")
	if r.OK {
		p("  The disaster was survived.")
		return
	}
	p("  The rehearsal FAILED: %s", r.Failure)
}

func bar(n int) string {
	if n == 0 {
		return "."
	}
	return fmt.Sprintf("%d", n)
}

func size(n int64) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d bytes", n)
}
