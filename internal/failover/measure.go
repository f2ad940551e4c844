package failover

import "strconv"

// Mark says what a moment of the timeline means.
type Mark uint8

// The marks. The first four are seen by whoever asks the service through its traffic name; the others are read on the
// former primary's clock.
const (
	LastGood  Mark = iota // the last good answer before the outage
	FirstBad              // the first bad answer
	LastBad               // the last bad answer
	FirstGood             // the first good answer after it
	Applied               // what the successor has, by the source's clock
	RightEnds             // the end of the former primary's right to acknowledge
	LastAcked             // what it acknowledged last, when it came back and told
)

// Moment is one entry of a timeline. Clock names the machine whose monotonic clock it was read from; only moments of the
// same clock and boot are subtracted from each other (law 11).
type Moment struct {
	Mark  Mark
	Clock string
	At    Stamp
}

// Span is a measured length with its error. The zero Span is not known.
type Span struct {
	Known     bool
	Low, High Tick
}

// String writes the span in milliseconds.
func (s Span) String() string {
	switch {
	case !s.Known:
		return "unknown"
	case s.Low == s.High:
		return strconv.FormatInt(int64(s.Low), 10) + "ms"
	default:
		return strconv.FormatInt(int64(s.Low), 10) + "ms to " + strconv.FormatInt(int64(s.High), 10) + "ms"
	}
}

// Meets judges a span against an objective: Pass where even its high end is within, Fail where its low end is beyond, and
// otherwise Unproven (law 9).
func (s Span) Meets(objective Tick) Result {
	switch {
	case !s.Known:
		return Unproven
	case s.High <= objective:
		return Pass
	case s.Low > objective:
		return Fail
	default:
		return Unproven
	}
}

// Measured are the figures of one disaster.
type Measured struct {
	RTO Span // how long the service was away for its clients; the worst of all observers
	RPO Span // how much acknowledged configuration was lost, in time
}

// Measure reads the figures off a timeline. An outage began between LastGood and FirstBad, and ended between LastBad and
// FirstGood. A loss lies between Applied and the last acknowledgement, which RightEnds bounds and LastAcked tells.
func Measure(timeline []Moment) Measured {
	var m Measured
	for i, one := range timeline {
		switch one.Mark {
		case LastGood:
			m.RTO = m.RTO.worst(outage(timeline, i))
		case Applied:
			m.RPO = m.RPO.worst(lost(timeline, i))
		}
	}
	return m
}

func outage(timeline []Moment, good int) Span {
	from := timeline[good]
	bad, ok1 := nearest(timeline, FirstBad, from)
	still, ok2 := nearest(timeline, LastBad, from)
	back, ok3 := nearest(timeline, FirstGood, from)
	if !ok1 || !ok3 {
		return Span{}
	}
	if !ok2 {
		still = bad
	}
	return span(still-bad, back-from.At.At)
}

func lost(timeline []Moment, applied int) Span {
	from := timeline[applied]
	if acked, ok := nearest(timeline, LastAcked, from); ok {
		return span(acked-from.At.At, acked-from.At.At)
	}
	ends, ok := nearest(timeline, RightEnds, from)
	if !ok {
		return Span{}
	}
	return span(0, ends-from.At.At)
}

// nearest is the time of the last moment with a mark on the same clock.
func nearest(timeline []Moment, mark Mark, like Moment) (Tick, bool) {
	for i := len(timeline) - 1; i >= 0; i-- {
		if m := timeline[i]; m.Mark == mark && m.Clock == like.Clock && m.At.Boot == like.At.Boot {
			return m.At.At, true
		}
	}
	return 0, false
}

func span(low, high Tick) Span {
	low = max(0, low)
	return Span{true, low, max(low, high)}
}

func (s Span) worst(t Span) Span {
	switch {
	case !s.Known:
		return t
	case !t.Known:
		return s
	default:
		return Span{true, max(s.Low, t.Low), max(s.High, t.High)}
	}
}
