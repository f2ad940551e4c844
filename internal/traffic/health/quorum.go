package health

import "time"

// Verdict is what one vantage point holds of one endpoint.
type Verdict struct {
	Vantage  string        `json:"vantage"` // who says so; empty: this one
	Endpoint string        `json:"endpoint"`
	Status   Status        `json:"status"`
	Suspect  bool          `json:"suspect"` // it suspects itself: no vote
	Failing  bool          `json:"failing"` // the last probe failed and is being looked at again: not yet a verdict
	Age      time.Duration `json:"age"`     // the longest that it can be old, by the listener's own clock; of the own verdict 0
	Held     time.Duration `json:"held"`    // how long the status has been so
}

// Peers exchanges verdicts with the other vantage points.
type Peers interface {
	// Tell gives this place's newest verdict on an endpoint to the others; an empty status says that it is no longer watched.
	// It must not block; a verdict that is lost is told again with the next change or on the implementation's own beat.
	Tell(v Verdict)
	// Heard gives the others' newest verdicts on an endpoint, one for each vantage point.
	Heard(endpoint string) []Verdict
	// News receives an endpoint's id after a changed verdict on it was heard, and an empty one after any contact with another
	// vantage point. It is closed when the exchange ends.
	News() <-chan string
	// Contact tells how many others there are, and when the newest message of this place was sent that any of them answered.
	Contact() (others int, last time.Time)
}

// QuorumRule says how verdicts are counted.
type QuorumRule struct {
	Vantages int           // how many vantage points there are, this one counted; 0: as many as Peers has and this one
	Fresh    time.Duration // an older verdict is no vote
	Alone    time.Duration // after so long with too few votes this place decides alone
}

// Agree gives the status that DNS goes by. An endpoint is down, or up again, when more than half of those who vote say so
// and more than half of all vantage points vote; with too few votes things stay as they are until the own verdict has held
// for Alone. The first verdict after Checking needs no quorum: it replaces no knowledge.
func Agree(r QuorumRule, own Verdict, others []Verdict, now Status) Status {
	if r.Vantages <= 1 {
		return own.Status
	}
	votes := map[Status]int{}
	n := 0
	vote := func(v Verdict) {
		if !v.Suspect && v.Status != Checking {
			votes[v.Status]++
			n++
		}
	}
	vote(own)
	for _, v := range others {
		if v.Age <= r.Fresh {
			vote(v)
		}
	}
	switch {
	case 2*n > r.Vantages && 2*votes[Degraded] > n:
		return Degraded
	case 2*n > r.Vantages && 2*votes[Online] > n:
		return Online
	case own.Suspect || own.Status == Checking:
		return now
	case now == Checking || 2*n <= r.Vantages && own.Held >= r.Alone:
		return own.Status
	}
	return now
}
