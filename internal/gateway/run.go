package gateway

import (
	"net/netip"
	"strings"
	"unsafe"

	"tandem/internal/exchange"
	"tandem/internal/policy"
)

// run is one request on its way through the gateway, from ServeExchange to ExchangeDone. Runs are used again: what they
// hold must not be kept longer.
type run struct {
	state   policy.State
	gen     *generation
	api     *api       // nil: none was found
	op      *operation // nil: none was found
	linked  *linked    // the operation's policies
	look    search
	params  [4]policy.Param  // room for state.Matched
	sent    exchange.Request // what goes to the backend
	fields  exchange.Header  // room for its header
	room    exchange.Header  // room for the header of the answer, the exchange's own
	answer  exchange.Body    // of the backend's last answer, to be let go of where nobody reads it
	host    string           // the Host field as the client sent it
	backend string           // the named backend that was asked last
	trace   *trace           // nil: no trace is wanted

	observed *observed // nil: nobody asks about it

	client     netip.Addr // whose text clientText is; kept from run to run
	clientText string
}

// begin makes r ready for a request.
func (r *run) begin(gen *generation, x *exchange.Exchange) {
	*r = run{gen: gen, fields: r.fields[:0], room: x.Response.Header[:0], client: r.client, clientText: r.clientText}
	x.Kept = r
}

// end lets go of what the request held.
func (r *run) end() { _ = r.answer.Close() } // it was read to its end, or nobody wants it

// clientAddress is the client's address as a text; empty where it is not known.
func (r *run) clientAddress() string {
	a := r.state.Remote.Addr().Unmap()
	if !a.IsValid() {
		return ""
	}
	if a != r.client || r.clientText == "" {
		r.client, r.clientText = a, a.String()
	}
	return r.clientText
}

// noteHost remembers the Host field, so that a policy's setting it can be told from the client's. The field gets memory of
// its own, since a policy may set it to the very text that the client sent.
func (r *run) noteHost(h exchange.Header) {
	for i := range h {
		if len(h[i].Name) == 4 && strings.EqualFold(h[i].Name, "Host") {
			h[i].Value = strings.Clone(h[i].Value)
			r.host = h[i].Value
			return
		}
	}
}

// chosenHost is the host that a policy tells the backend; empty: the backend's own.
func (r *run) chosenHost() string {
	if r.linked == nil || !r.linked.setsHost {
		return ""
	}
	now := r.state.Request.Header.Get("Host")
	if now == r.host && unsafe.StringData(now) == unsafe.StringData(r.host) {
		return ""
	}
	return now
}
