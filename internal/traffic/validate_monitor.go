package traffic

import (
	"regexp"
	"strings"
	"time"

	"tandem/internal/traffic/health"
)

func (m *MonitorConfig) normalise() error {
	const at = "properties.monitorConfig."
	m.ProfileMonitorStatus = ""
	if err := pick(&m.Protocol, at+"protocol", "HTTP", "HTTPS", "TCP"); err != nil {
		return err
	}
	port, path := int64(80), value(m.Path, "")
	if m.Protocol == "HTTPS" {
		port = 443
	}
	if err := within(&m.Port, at+"port", port, 1, 65535); err != nil {
		return err
	}
	switch {
	case m.Protocol == "TCP" && path != "":
		return refuse(at+"path", "The property 'path' cannot be given with the TCP protocol.")
	case m.Protocol == "TCP":
		m.Path = nil
	case m.Path == nil:
		m.Path = pointerTo("/")
	case !strings.HasPrefix(path, "/") || strings.ContainsAny(path, " \r\n\t") || len(path) > 1024:
		return refuse(at+"path", "The path '%s' is not valid: it must begin with '/' and hold no spaces.", path)
	}
	if err := m.normaliseTimes(at); err != nil {
		return err
	}
	if len(m.ExpectedStatusCodeRanges) > 8 {
		return refuse(at+"expectedStatusCodeRanges", "At most 8 ranges of status codes are allowed.")
	}
	for _, r := range m.ExpectedStatusCodeRanges {
		if lo, hi := value(r.Min, 0), value(r.Max, 0); lo < 100 || hi > 999 || lo > hi {
			return refuse(at+"expectedStatusCodeRanges", "The status code range %d-%d is not valid: both must be from 100 to 999, the first not above the last.", lo, hi)
		}
	}
	if m.Protocol == "TCP" && (m.BodyMatch != "" || m.DetailedStatus == enabled) {
		return refuse(at+"bodyMatch", "A TCP probe reads no body: 'bodyMatch' and 'detailedStatus' need HTTP or HTTPS.")
	}
	for _, err := range []error{
		checkHeaders(at+"customHeaders", m.CustomHeaders),
		pick(&m.CertificateValidation, at+"certificateValidation", disabled, enabled),
		pick(&m.DetailedStatus, at+"detailedStatus", disabled, enabled),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *MonitorConfig) normaliseTimes(at string) error {
	if err := within(&m.IntervalInSeconds, at+"intervalInSeconds", 30, 10, 30); err != nil {
		return err
	}
	most := int64(10)
	switch *m.IntervalInSeconds {
	case 10:
		most = 9
	case 30:
	default:
		return refuse(at+"intervalInSeconds", "The probing interval %d is not valid: it must be 10 or 30 seconds. Finer intervals go into 'intervalInMilliseconds'.", *m.IntervalInSeconds)
	}
	for _, err := range []error{
		within(&m.TimeoutInSeconds, at+"timeoutInSeconds", most, 5, most),
		within(&m.ToleratedNumberOfFailures, at+"toleratedNumberOfFailures", 3, 0, 9),
		optional(m.IntervalInMilliseconds, at+"intervalInMilliseconds", 50, 300_000),
		optional(m.TimeoutInMilliseconds, at+"timeoutInMilliseconds", 10, 60_000),
		optional(m.RecheckInMilliseconds, at+"recheckInMilliseconds", 0, 10_000),
		optional(m.SuccessesToRecover, at+"successesToRecover", 1, 100),
		optional(m.FailureBudget, at+"failureBudget", 0, 1000),
		optional(m.SteadyRun, at+"steadyRun", 1, 1000),
		optional(m.HoldDownInSeconds, at+"holdDownInSeconds", 0, 3600),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

var headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")

func checkHeaders(at string, headers []Header) error {
	if len(headers) > 8 {
		return refuse(at, "At most 8 custom headers are allowed.")
	}
	for _, h := range headers {
		if !headerName.MatchString(h.Name) || strings.ContainsAny(h.Value, "\r\n\x00") {
			return refuse(at, "The custom header '%s' is not valid.", h.Name)
		}
	}
	return nil
}

// rules turns the settings into thresholds. A setting of Azure's alone gives Azure's rule, but for three things that only
// make it surer: failures are looked at again at once, an unsteady endpoint is found out, and flapping is held down.
func (p *Profile) rules() health.Rules {
	m := &p.Properties.MonitorConfig
	interval := time.Duration(value(m.IntervalInSeconds, 30)) * time.Second
	if m.IntervalInMilliseconds != nil {
		interval = time.Duration(*m.IntervalInMilliseconds) * time.Millisecond
	}
	hold := time.Duration(value(m.HoldDownInSeconds, 5)) * time.Second
	return health.Rules{
		Strikes: int(value(m.ToleratedNumberOfFailures, 3)) + 1, Recover: int(value(m.SuccessesToRecover, 2)),
		Budget: int(value(m.FailureBudget, 10)), SteadyRun: int(value(m.SteadyRun, 10)),
		HoldDown: hold, HoldDownMax: max(hold, 5*time.Minute), FlapWindow: time.Hour,
		Manual:  p.Properties.FailbackMode == failbackManual,
		Recheck: time.Duration(value(m.RecheckInMilliseconds, 20)) * time.Millisecond, Interval: interval,
	}
}

// probeTarget is what to probe for an endpoint by name or address.
func (p *Profile) probeTarget(e *Endpoint) health.Target {
	m := &p.Properties.MonitorConfig
	timeout := time.Duration(value(m.TimeoutInSeconds, 10)) * time.Second
	if m.TimeoutInMilliseconds != nil {
		timeout = time.Duration(*m.TimeoutInMilliseconds) * time.Millisecond
	}
	t := health.Target{Host: e.target(), Port: int(value(m.Port, 80)), Protocol: health.Protocol(m.Protocol), Path: value(m.Path, ""),
		BodyMatch: m.BodyMatch, Certificate: m.CertificateValidation == enabled, Detail: m.DetailedStatus == enabled, Timeout: timeout, Rules: p.rules()}
	headers := e.Properties.CustomHeaders // the endpoint's win over the profile's of the same name
	for _, h := range m.CustomHeaders {
		if !hasHeader(headers, h.Name) {
			headers = append(headers[:len(headers):len(headers)], h)
		}
	}
	for _, h := range headers {
		t.Headers = append(t.Headers, health.Header(h))
	}
	for _, r := range m.ExpectedStatusCodeRanges {
		t.Expected = append(t.Expected, health.StatusRange{Min: int(value(r.Min, 0)), Max: int(value(r.Max, 0))})
	}
	return t
}

func hasHeader(list []Header, name string) bool {
	for _, h := range list {
		if strings.EqualFold(h.Name, name) {
			return true
		}
	}
	return false
}
