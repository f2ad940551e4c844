package gateway

import (
	"math/bits"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts what a gateway did. Counting a request is a few atomic additions; names are looked up when a configuration
// is compiled, not when a request comes.
type metrics struct {
	mu         sync.Mutex
	operations map[[2]string]*operationStats
	other      operationStats // operations beyond maxOperations
	unmatched  operationStats // requests that no operation took
	duration   histogram
	sent       atomic.Int64
	custom     customMetrics
}

// maxOperations bounds the label sets, and with them what a scrape costs.
const maxOperations = 25000

// operationStats are an operation's answers by status. Statuses that are met seldom are counted by their hundred.
type operationStats struct {
	api, operation string
	counts         atomic.Pointer[statusCounts] // nil until the first answer: most operations are seldom called
}

type statusCounts [len(countedStatuses)]atomic.Int64

// countedStatuses have a counter of their own; the first ones stand for all others of their hundred.
var countedStatuses = [...]string{"1xx", "2xx", "3xx", "4xx", "5xx", "200", "201", "202", "204", "304", "400", "401", "403", "404", "409", "429", "499", "500", "502", "503", "504"}

// statusSlot gives the counter of each status.
var statusSlot = func() (out [1000]uint8) {
	for status := range out {
		out[status] = uint8(min(max(status/100, 1), 5) - 1)
	}
	for slot, text := range countedStatuses[5:] {
		status, _ := strconv.Atoi(text)
		out[status] = uint8(slot + 5)
	}
	return out
}()

func (o *operationStats) count(status int) {
	if status < 0 || status >= len(statusSlot) {
		status = 500
	}
	c := o.counts.Load()
	if c == nil {
		o.counts.CompareAndSwap(nil, new(statusCounts))
		c = o.counts.Load()
	}
	c[statusSlot[status]].Add(1)
}

func newMetrics() *metrics {
	return &metrics{operations: map[[2]string]*operationStats{}, other: operationStats{api: "other", operation: "other"}}
}

// of gives the counters of an operation; they outlive generations.
func (m *metrics) of(api, operation string) *operationStats {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := [2]string{strings.ToLower(api), strings.ToLower(operation)}
	if o := m.operations[key]; o != nil {
		return o
	}
	if len(m.operations) >= maxOperations {
		return &m.other
	}
	o := &operationStats{api: api, operation: operation}
	m.operations[key] = o
	return o
}

// histogram counts durations in powers of two of 64 µs.
type histogram struct {
	buckets [20]atomic.Int64
	sum     atomic.Int64 // nanoseconds
}

const firstBucket = 64 * time.Microsecond

func (h *histogram) observe(d time.Duration) {
	h.buckets[min(bits.Len64(uint64(max(d-1, 0)/firstBucket)), len(h.buckets)-1)].Add(1)
	h.sum.Add(int64(d))
}

var (
	requestsDesc = prometheus.NewDesc("tandem_gateway_requests_total", "Requests answered, by API, operation and status.", []string{"service", "api", "operation", "status"}, nil)
	durationDesc = prometheus.NewDesc("tandem_gateway_request_duration_seconds", "Time from the first byte of a request to the last byte of its answer.", []string{"service"}, nil)
	sentDesc     = prometheus.NewDesc("tandem_gateway_sent_bytes_total", "Bytes of bodies sent to clients.", []string{"service"}, nil)
	inFlightDesc = prometheus.NewDesc("tandem_gateway_requests_in_flight", "Requests whose answer has not begun.", []string{"service"}, nil)
	configDesc   = prometheus.NewDesc("tandem_gateway_generation", "Generation of the configuration that is served.", []string{"service"}, nil)
	problemsDesc = prometheus.NewDesc("tandem_gateway_problems", "Parts of the configuration that cannot be honoured.", []string{"service", "fatal"}, nil)
)

// Describe implements prometheus.Collector.
func (g *Gateway) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{requestsDesc, durationDesc, sentDesc, inFlightDesc, configDesc, problemsDesc, customDesc, droppedDesc, loggedDesc, cacheDesc} {
		out <- d
	}
}

// Collect implements prometheus.Collector. Operations that were never called are left out.
func (g *Gateway) Collect(out chan<- prometheus.Metric) {
	m := g.metrics
	m.mu.Lock()
	all := make([]*operationStats, 0, len(m.operations)+2)
	for _, o := range m.operations {
		all = append(all, o)
	}
	m.mu.Unlock()
	for _, o := range append(all, &m.other, &m.unmatched) {
		counts := o.counts.Load()
		if counts == nil {
			continue
		}
		for slot := range counts {
			if n := counts[slot].Load(); n > 0 {
				out <- prometheus.MustNewConstMetric(requestsDesc, prometheus.CounterValue, float64(n), g.Service, o.api, o.operation, countedStatuses[slot])
			}
		}
	}
	buckets, total, bound := map[float64]uint64{}, uint64(0), firstBucket
	for i := range m.duration.buckets {
		total += uint64(m.duration.buckets[i].Load())
		if i < len(m.duration.buckets)-1 {
			buckets[bound.Seconds()] = total
			bound *= 2
		}
	}
	out <- prometheus.MustNewConstHistogram(durationDesc, total, time.Duration(m.duration.sum.Load()).Seconds(), buckets, g.Service)
	out <- prometheus.MustNewConstMetric(sentDesc, prometheus.CounterValue, float64(m.sent.Load()), g.Service)
	out <- prometheus.MustNewConstMetric(inFlightDesc, prometheus.GaugeValue, float64(g.inflight.Load()), g.Service)
	g.metrics.custom.collect(out, g.Service)
	g.collectOutside(out)
	s := g.Status()
	fatal := 0
	for _, p := range s.Problems {
		if p.Fatal {
			fatal++
		}
	}
	out <- prometheus.MustNewConstMetric(configDesc, prometheus.GaugeValue, float64(s.Generation), g.Service)
	out <- prometheus.MustNewConstMetric(problemsDesc, prometheus.GaugeValue, float64(fatal), g.Service, "true")
	out <- prometheus.MustNewConstMetric(problemsDesc, prometheus.GaugeValue, float64(len(s.Problems)-fatal), g.Service, "false")
}
