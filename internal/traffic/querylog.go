package traffic

import (
	"log/slog"
	"sync"
	"time"

	"github.com/miekg/dns"

	"tandem"
	"tandem/internal/traffic/nameserver"
)

// queryLogPerSecond bounds what a flood of questions can write, whatever share is sampled.
const queryLogPerSecond = 20

// queryLog writes sampled questions. Clients are told by their network alone (/24, /48): the log is to find patterns, not
// people.
type queryLog struct {
	clock tandem.Clock
	log   *slog.Logger

	mu      sync.Mutex
	second  time.Time
	written int
	passed  int
}

func (l *queryLog) write(q nameserver.Query) {
	now := l.clock.Now()
	l.mu.Lock()
	if now.Sub(l.second) >= time.Second {
		l.second, l.written = now, 0
	}
	if l.written >= queryLogPerSecond {
		l.passed++
		l.mu.Unlock()
		return
	}
	l.written++
	passed := l.passed
	l.passed = 0
	l.mu.Unlock()
	bits := 24
	if q.Client.Is6() {
		bits = 48
	}
	network, err := q.Client.Prefix(bits)
	if err != nil {
		return
	}
	l.log.Info("DNS question", "name", q.Name, "type", dns.Type(q.Type).String(), "client", network.String(), "stream", q.TCP, "rcode", dns.RcodeToString[q.Rcode], "passedOver", passed)
}
