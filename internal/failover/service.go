package failover

// Service is one of the two services of a recovery group. Its number never changes; its role does.
type Service uint8

// The services, in the order of the group's configuration.
const (
	First Service = iota
	Second
)

// Other is the group's other service.
func (s Service) Other() Service { return 1 - s&1 }

// String is the service's name in traces.
func (s Service) String() string {
	if s == First {
		return "first"
	}
	return "second"
}

// Verdict is what is known of a service's health. The zero Verdict is Inconclusive: neither seen well nor seen ill (law 9).
type Verdict uint8

// The verdicts.
const (
	Inconclusive Verdict = iota
	Up
	Down
)

// String is the verdict's word.
func (v Verdict) String() string {
	switch v {
	case Up:
		return "up"
	case Down:
		return "down"
	default:
		return "unclear"
	}
}

// Trend is a verdict and since when, on the leader's clock, it has stood without a break.
type Trend struct {
	Verdict Verdict
	Since   Tick
}

func (t *Trend) set(v Verdict, now Tick) {
	if t.Verdict != v {
		*t = Trend{v, now}
	}
}

func (t Trend) stood(v Verdict, long, now Tick) bool { return t.Verdict == v && now-t.Since >= long }
