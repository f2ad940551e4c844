package gateway

import (
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"tandem/internal/policy"
)

// customMetrics are those of the emit-metric policy. It implements policy.Metrics.
type customMetrics struct {
	mu      sync.Mutex
	series  map[[3]string]*customSeries
	dropped int64
}

type customSeries struct {
	count uint64
	sum   float64
}

// mostCustom bounds the series: dimensions may have any values.
const mostCustom = 1000

// Emit implements policy.Metrics.
func (c *customMetrics) Emit(namespace, name string, value float64, dimensions []policy.Dimension) {
	pairs := make([]string, 0, len(dimensions))
	for _, d := range dimensions {
		pairs = append(pairs, d.Name+"="+d.Value)
	}
	slices.Sort(pairs)
	key := [3]string{namespace, name, strings.Join(pairs, ",")}
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.series[key]
	if s == nil {
		if len(c.series) >= mostCustom {
			c.dropped++
			return
		}
		if c.series == nil {
			c.series = map[[3]string]*customSeries{}
		}
		s = &customSeries{}
		c.series[key] = s
	}
	s.count++
	s.sum += value
}

var (
	customDesc  = prometheus.NewDesc("tandem_gateway_custom", "Values of the emit-metric policy, by namespace, name and dimensions.", []string{"service", "namespace", "name", "dimensions"}, nil)
	droppedDesc = prometheus.NewDesc("tandem_gateway_custom_dropped_total", "Values of the emit-metric policy that would have made more than 1000 series.", []string{"service"}, nil)
	loggedDesc  = prometheus.NewDesc("tandem_gateway_logger_events_total", "Events for loggers, by logger and whether they were taken.", []string{"service", "logger", "outcome"}, nil)
	cacheDesc   = prometheus.NewDesc("tandem_gateway_external_cache_failures_total", "Calls that the external cache did not answer.", []string{"service"}, nil)
)

func (c *customMetrics) collect(out chan<- prometheus.Metric, service string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, s := range c.series {
		out <- prometheus.MustNewConstSummary(customDesc, s.count, s.sum, nil, service, key[0], key[1], key[2])
	}
	out <- prometheus.MustNewConstMetric(droppedDesc, prometheus.CounterValue, float64(c.dropped), service)
}

// collectOutside tells of what the gateway sends to elsewhere.
func (g *Gateway) collectOutside(out chan<- prometheus.Metric) {
	if gen := g.current.Load(); gen != nil {
		for id, l := range gen.shared.loggers.byID {
			if l.sink != nil {
				out <- prometheus.MustNewConstMetric(loggedDesc, prometheus.CounterValue, float64(l.sink.Sent.Load()), g.Service, id, "taken")
				out <- prometheus.MustNewConstMetric(loggedDesc, prometheus.CounterValue, float64(l.sink.Dropped.Load()), g.Service, id, "lost")
			}
		}
	}
	if s := g.counters.server.Load(); s != nil {
		out <- prometheus.MustNewConstMetric(cacheDesc, prometheus.CounterValue, float64(s.Failures()), g.Service)
	}
}
