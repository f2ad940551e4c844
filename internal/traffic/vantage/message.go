package vantage

import (
	"errors"
	"fmt"

	"tandem/internal/traffic/health"
)

// Path is where a node mounts the exchange on its internal listener.
const Path = "/tandem/v1/vantage"

// Bounds of one message: maxBody in octets, maxSaid in verdicts. maxKept is how many verdicts of one place are kept.
const (
	maxBody = 4 << 20
	maxSaid = 2_000
	maxKept = 50_000
)

// message is what one place tells another.
type message struct {
	Vantage  string `json:"vantage"`         // who speaks
	Boot     string `json:"boot"`            // the run of the speaker: sequences and versions begin anew with each
	Sequence uint64 `json:"sequence"`        // of the speaker's messages to this listener
	Echo     *mark  `json:"echo,omitempty"`  // the listener's newest message that the speaker took in
	Known    *mark  `json:"known,omitempty"` // up to which version the speaker has all of the listener's verdicts
	Base     uint64 `json:"base"`            // Verdicts are all that changed after this version ...
	Top      uint64 `json:"top"`             // ... up to this one
	Verdicts []said `json:"verdicts,omitempty"`
}

// mark names a message or a version of one run.
type mark struct {
	Boot   string `json:"boot"`
	Number uint64 `json:"number"`
}

// said is one verdict. Held is a length of time, so that no clock is compared.
type said struct {
	Endpoint string        `json:"endpoint"`
	Status   health.Status `json:"status,omitempty"` // empty: it is no longer watched
	Suspect  bool          `json:"suspect,omitempty"`
	Failing  bool          `json:"failing,omitempty"`
	Held     int64         `json:"heldMilliseconds"`
	Version  uint64        `json:"version"`
}

// check refuses what no peer of this program says.
func (m *message) check() error {
	if m.Vantage == "" || m.Boot == "" || m.Sequence == 0 || m.Base > m.Top {
		return errors.New("its head is not complete")
	}
	if len(m.Verdicts) > maxSaid {
		return fmt.Errorf("it has %d verdicts, more than %d", len(m.Verdicts), maxSaid)
	}
	for _, v := range m.Verdicts {
		switch v.Status {
		case health.Online, health.Degraded, health.Checking, "":
		default:
			return fmt.Errorf("the status %q of %s is not known", v.Status, v.Endpoint)
		}
		if v.Endpoint == "" || v.Held < 0 || v.Version <= m.Base || v.Version > m.Top {
			return fmt.Errorf("the verdict on %q is not within the message's bounds", v.Endpoint)
		}
	}
	return nil
}
