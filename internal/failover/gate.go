package failover

import "strings"

// Gate is one thing that must be proven before a standby is promoted.
type Gate uint8

// The gates.
const (
	LagGate         Gate = iota // the bound on the loss is known and within the objective (law 5)
	GenerationGate              // the newest generation is compiled and served by the standby's gateways
	KeysGate                    // the keys of subscribers and backends are proven to open
	CertificateGate             // certificates are valid for the traffic name
	BackendGate                 // the backends answer from the standby's region
	Gates                       // how many there are
)

var gateWords = [Gates]string{"lag", "generation", "keys", "certificates", "backends"}

// String is the gate's word.
func (g Gate) String() string { return gateWords[g%Gates] }

// Result is what trying a gate gave. The zero Result is Unproven, the third outcome of law 9: it does not pass.
type Result uint8

// The results.
const (
	Unproven Result = iota // not tried, or tried and inconclusive
	Pass
	Fail
)

// Results are the results of all gates.
type Results [Gates]Result

// GateSet is a set of gates, one bit each.
type GateSet uint8

// Has is whether g is in the set.
func (s GateSet) Has(g Gate) bool { return s&(1<<g) != 0 }

// String lists the gates.
func (s GateSet) String() string {
	var words []string
	for g := range Gates {
		if s.Has(g) {
			words = append(words, g.String())
		}
	}
	if words == nil {
		return "none"
	}
	return strings.Join(words, "+")
}

// unmet are the gates that do not pass.
func (r rules) unmet(results Results) GateSet {
	var s GateSet
	for g, result := range results {
		if result == Pass || result == Unproven && r.unclearPasses || r.skipGates {
			continue
		}
		s |= 1 << g
	}
	return s
}
