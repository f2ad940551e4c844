package node

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"tandem"
)

// What the internal listener tells of this node's gateways, to who has a certificate of the deployment's authority.
const (
	metricsPath = "/metrics"            // Prometheus
	gatewayPath = "/tandem/v1/gateway/" // and a service's name: the gateway's detailed status
)

// serveMetrics serves the metrics of the gateways and of the process.
func (n *Node) serveMetrics(w http.ResponseWriter, r *http.Request) {
	registry := prometheus.NewRegistry()
	cs := []prometheus.Collector{collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})}
	for _, g := range n.gateways.all() {
		cs = append(cs, onlyCollect{g})
	}
	for _, c := range cs {
		if err := registry.Register(c); err != nil {
			http.Error(w, "register metrics: "+err.Error(), http.StatusInternalServerError)
			return
		}
	}
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(w, r)
}

// onlyCollect is a collector that describes nothing beforehand: several gateways give the same metrics, with the service
// as a label.
type onlyCollect struct{ prometheus.Collector }

// Describe implements prometheus.Collector.
func (onlyCollect) Describe(chan<- *prometheus.Desc) {}

// serveGatewayDetail serves what the gateway of a service finds when it looks at itself.
func (n *Node) serveGatewayDetail(w http.ResponseWriter, r *http.Request) {
	for _, g := range n.gateways.all() {
		if strings.EqualFold(g.Service, r.PathValue("service")) {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(g.Detail(r.Context(), true)) // the peer went away; it asks again
			return
		}
	}
	http.Error(w, "no gateway of that service runs on this node", http.StatusNotFound)
}

// probeToken is the token with which probes see the whole of a gateway's detailed status. The node makes it once and keeps
// it in the file probe-token of its folder, for its owner alone.
func (n *Node) probeToken() (string, error) {
	file := n.path("probe-token")
	raw, err := os.ReadFile(file)
	if err == nil {
		return strings.TrimSpace(string(raw)), nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		var secret [32]byte
		_, _ = rand.Read(secret[:]) // never fails, by its documentation
		token := base64.RawURLEncoding.EncodeToString(secret[:])
		if err = os.WriteFile(file, []byte(token+"\n"), 0o600); err == nil {
			return token, nil
		}
	}
	return "", &tandem.Error{Op: "open probe token", Subject: file, Err: err, Remedy: "make the file readable and the folder writable for the node"}
}
