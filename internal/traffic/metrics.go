package traffic

import (
	"net/netip"

	"github.com/prometheus/client_golang/prometheus"

	"tandem/internal/traffic/health"
	"tandem/internal/traffic/nameserver"
)

// areas are what clients are counted by: the groups of countries of the geographic hierarchy, the unknown first.
var areas = [nameserver.MaxAreas]string{"WORLD", "GEO-AF", "GEO-AS", "GEO-AP", "GEO-EU", "GEO-ME", "GEO-NA", "GEO-SA"}

// area gives the function that finds a client's area; nil where clients' places are not known.
func (s *Service) area() func(netip.Addr) int {
	places := s.places.Places()
	if len(places) <= 1 {
		return nil
	}
	byPlace := make([]uint8, len(places))
	for i, p := range places {
		chain := p.Chain()
		for k, code := range areas {
			if len(chain) > 1 && chain[len(chain)-2] == code {
				byPlace[i] = uint8(k)
			}
		}
	}
	table := s.places
	return func(a netip.Addr) int {
		place, _ := table.Locate(a)
		return int(byPlace[place])
	}
}

var (
	queriesDesc  = prometheus.NewDesc("tandem_dns_queries_total", "Questions for a name that exists, by zone, name, type and the clients' area.", []string{"region", "zone", "name", "type", "area"}, nil)
	serverDesc   = prometheus.NewDesc("tandem_dns_packets_total", "Packets of the DNS server, by what became of them; a packet may be counted under several.", []string{"region", "kind"}, nil)
	endpointDesc = prometheus.NewDesc("tandem_traffic_endpoint_up", "1 where the endpoint is taken to be online after the vantage points' vote, 0 where not.", []string{"region", "endpoint"}, nil)
	localDesc    = prometheus.NewDesc("tandem_traffic_endpoint_seen_up", "1 where this vantage point sees the endpoint online, 0 where not.", []string{"region", "endpoint"}, nil)
	probeDesc    = prometheus.NewDesc("tandem_traffic_probe_seconds", "How long the last probe took.", []string{"region", "endpoint"}, nil)
	suspectDesc  = prometheus.NewDesc("tandem_traffic_suspects_itself", "1 while this vantage point suspects its own network.", []string{"region"}, nil)
	answeredDesc = prometheus.NewDesc("tandem_traffic_profiles", "Profiles that are answered.", []string{"region"}, nil)
	unsolvedDesc = prometheus.NewDesc("tandem_traffic_problems", "Profiles and orders that cannot be followed as they are.", []string{"region"}, nil)
	revisionDesc = prometheus.NewDesc("tandem_traffic_revision", "Revision of the store that DNS answers stand for.", []string{"region"}, nil)
)

var _ prometheus.Collector = (*Service)(nil)

// Describe implements prometheus.Collector.
func (s *Service) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{queriesDesc, serverDesc, endpointDesc, localDesc, probeDesc, suspectDesc, answeredDesc, unsolvedDesc, revisionDesc} {
		out <- d
	}
}

// Collect implements prometheus.Collector. The label region is this server's; names that nobody asked for are left out.
func (s *Service) Collect(out chan<- prometheus.Metric) {
	region := s.config.Region
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, append([]string{region}, labels...)...)
	}
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		if v > 0 {
			out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), append([]string{region}, labels...)...)
		}
	}
	for _, z := range s.zones() {
		for _, c := range z.Counts() {
			for typ, n := range map[string]uint64{"A": c.A, "AAAA": c.AAAA, "HTTPS": c.HTTPS, "other": c.Other} {
				counter(queriesDesc, n, z.Name(), c.Name, typ, areas[c.Area])
			}
		}
	}
	if st := s.ServerStats(); st != nil {
		for kind, n := range map[string]uint64{"udp": st.UDP.Load(), "stream": st.TCP.Load(), "dropped": st.Dropped.Load(), "error": st.Errors.Load(), "refused": st.Refused.Load(),
			"limited": st.Limited.Load(), "truncated": st.Truncated.Load()} {
			counter(serverDesc, n, kind)
		}
	}
	sick := 0.0
	for id, v := range s.monitor.Views() {
		gauge(endpointDesc, one(v.Status == health.Online), id)
		gauge(localDesc, one(v.State.Status == health.Online), id)
		if !v.LastResult.At.IsZero() {
			gauge(probeDesc, v.LastResult.Took.Seconds(), id)
		}
		sick = max(sick, one(v.Suspect))
	}
	gauge(suspectDesc, sick)
	s.mu.Lock()
	answered, problems, revision := len(s.compiled), len(s.problems), s.revision
	s.mu.Unlock()
	gauge(answeredDesc, float64(answered))
	gauge(unsolvedDesc, float64(problems))
	gauge(revisionDesc, float64(revision))
}

func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// zones are all that is answered for: the profiles' and the delegated names'.
func (s *Service) zones() []*nameserver.Zone {
	out := []*nameserver.Zone{s.zone}
	for _, z := range s.delegated {
		out = append(out, z)
	}
	return out
}

// QueryCounts gives the number of questions for the profiles' names, by name, area of clients and type.
func (s *Service) QueryCounts() []nameserver.Count { return s.zone.Counts() }

// AreaNames are the names of a Count's areas.
func AreaNames() []string { return areas[:] }
