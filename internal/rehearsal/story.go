package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"tandem"
	"tandem/internal/arm/armclient"
)

// Teller shows the story while it is told.
type Teller interface {
	Begin(step string)
	End(step string, took time.Duration, note string, err error)
}

// stepWithin bounds a step: a rehearsal fails, it does not hang.
const stepWithin = 90 * time.Second

// story is one telling.
type story struct {
	w      *World
	tell   Teller
	report Report

	caller      *caller
	writer      *writer
	keys        [2]string
	background  sync.WaitGroup
	stopCalls   context.CancelFunc
	stopWrites  context.CancelFunc
	stopProtect context.CancelFunc
	protectErr  error
	protected   int
	died        time.Time
	returned    time.Time
}

// Rehearse tells the whole story in a world that was opened and not started. The report is complete also when a step fails;
// the error is that step's. The world is left running.
func Rehearse(ctx context.Context, w *World, tell Teller) (Report, error) {
	s := &story{w: w, tell: tell}
	err := s.run(ctx)
	s.quiet()
	s.report.Requests = s.requests()
	if s.caller != nil {
		s.report.Seconds = s.caller.seconds()
	}
	if err == nil && s.report.Requests.Wrong > 0 {
		err = fmt.Errorf("%d answers were wrong, the first: %s", s.report.Requests.Wrong, s.caller.firsts[0])
	}
	if s.report.OK = err == nil; err != nil {
		s.report.Failure = err.Error()
	}
	return s.report, err
}

func (s *story) run(ctx context.Context) error {
	return s.steps(ctx, []step{
		{"start both regions", s.start},
		{"create services, storage and roles", func(ctx context.Context) (string, error) { return "", s.w.createServices(ctx) }},
		{"import the API, make product, keys and policy", func(ctx context.Context) (string, error) { return "", s.w.buildAPI(ctx) }},
		{"call through the primary, with the key and without", s.callPrimary},
		{"back up the primary", s.backup},
		{"restore into the standby", s.restore},
		{"compare and prove the keys on both sides", s.proveKeys},
		{"point the traffic name at the primary", s.pointTraffic},
		{"serve clients, change the primary, keep the standby fresh", s.serve},
		{"kill the primary's region", s.kill},
		{"fail over", s.failover},
		{"bring the primary back, out of the traffic", s.bringBack},
		{"fail back, after restoring the primary from the standby", s.failback},
	})
}

// step is one step of the story; its note is for people.
type step struct {
	name string
	do   func(context.Context) (note string, err error)
}

func (s *story) steps(ctx context.Context, steps []step) error {
	for _, step := range steps {
		s.tell.Begin(step.name)
		began := s.w.clock.Now()
		bounded, cancel := context.WithTimeoutCause(ctx, stepWithin, fmt.Errorf("the step took longer than %s", stepWithin))
		note, err := step.do(bounded)
		if err != nil && bounded.Err() != nil && ctx.Err() == nil {
			err = errors.Join(err, context.Cause(bounded))
		}
		cancel()
		took := s.w.clock.Now().Sub(began)
		s.report.Steps = append(s.report.Steps, Step{Name: step.name, MS: took.Milliseconds()})
		s.tell.End(step.name, took, note, err)
		if err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return nil
}

func (s *story) start(ctx context.Context) (string, error) {
	if err := s.w.Start(ctx); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s at %s, %s at %s", PrimaryRegion, s.w.Primary.Address, StandbyRegion, s.w.Standby.Address), nil
}

// site gives the address of a service's gateway.
func (s *story) site(service string) netip.Addr {
	site := s.w.Primary
	if service == StandbyService {
		site = s.w.Standby
	}
	return netip.MustParseAddr(site.Address)
}

// expect calls a gateway until it answers with a status, since a change takes a moment to be live.
func (s *story) expect(ctx context.Context, service, key string, status int) (answer, error) {
	c := s.w.dataClient(TrafficName)
	deadline := s.w.clock.Now().Add(5 * time.Second)
	for {
		a, err := s.w.ask(ctx, c, s.site(service), "/parcels-api/parcels/p1", key)
		if err == nil && a.status == status {
			return a, nil
		}
		if s.w.clock.Now().After(deadline) {
			return a, fmt.Errorf("%s answered %d where %d was due (%s): %w", service, a.status, status, a.body, errors.Join(err, errNotAsExpected))
		}
		if err := s.w.clock.Sleep(ctx, 20*time.Millisecond); err != nil {
			return a, err
		}
	}
}

var errNotAsExpected = errors.New("the gateway does not answer as it should")

func (s *story) callPrimary(ctx context.Context) (string, error) {
	var err error
	if s.keys, err = s.w.subscriptionKeys(ctx, PrimaryService); err != nil {
		return "", err
	}
	if _, err := s.expect(ctx, PrimaryService, s.keys[0], http.StatusOK); err != nil {
		return "", err
	}
	if _, err := s.expect(ctx, PrimaryService, "", http.StatusUnauthorized); err != nil {
		return "", err
	}
	return "200 with the key, 401 without", nil
}

func (s *story) backup(ctx context.Context) (string, error) {
	out, err := s.w.transfer(ctx, PrimaryService, "backup", BackupName)
	if err != nil {
		return "", err
	}
	s.report.Backup = Transfer{Resources: out.Resources, Bytes: out.Bytes, MS: out.Millis}
	return fmt.Sprintf("%d resources, %s", out.Resources, size(out.Bytes)), nil
}

func (s *story) restore(ctx context.Context) (string, error) {
	out, err := s.w.transfer(ctx, StandbyService, "restore", BackupName)
	if err != nil {
		return "", err
	}
	s.report.Restore = RestoreShare{Resources: out.Resources, MS: out.Millis}
	if out.Resources != s.report.Backup.Resources {
		return "", fmt.Errorf("%d resources were restored, %d were backed up", out.Resources, s.report.Backup.Resources)
	}
	a, err := s.expect(ctx, StandbyService, s.keys[0], http.StatusOK)
	if err == nil && a.servedBy != StandbyService+"/"+string(StandbyRegion) {
		err = fmt.Errorf("the standby's policy says that %q served", a.servedBy)
	}
	return fmt.Sprintf("%d resources; the standby answers the same client", out.Resources), err
}

// proveKeys compares the keys, calls with both on both sides, and shows that a key made after the backup opens only the
// side that knows it.
func (s *story) proveKeys(ctx context.Context) (string, error) {
	standby, err := s.w.subscriptionKeys(ctx, StandbyService)
	if err != nil {
		return "", err
	}
	if standby != s.keys || s.keys[0] == "" || s.keys[1] == "" {
		return "", errors.New("listSecrets gives other keys on the standby than on the primary")
	}
	for _, service := range []string{PrimaryService, StandbyService} {
		for _, key := range s.keys {
			if _, err := s.expect(ctx, service, key, http.StatusOK); err != nil {
				return "", err
			}
		}
	}
	s.report.KeysEqual = true
	if err := post(ctx, s.w.clients.operator, s.w.service(PrimaryService)+"/subscriptions/"+subName+"/regenerateSecondaryKey", nil, nil); err != nil {
		return "", err
	}
	renewed, err := s.w.subscriptionKeys(ctx, PrimaryService)
	if err != nil {
		return "", err
	}
	if renewed[1] == s.keys[1] {
		return "", errors.New("regenerateSecondaryKey did not change the key")
	}
	for _, e := range []struct {
		service, key string
		status       int
	}{{PrimaryService, renewed[1], 200}, {StandbyService, renewed[1], 401}, {PrimaryService, s.keys[1], 401}, {StandbyService, s.keys[1], 200}} {
		if _, err := s.expect(ctx, e.service, e.key, e.status); err != nil {
			return "", err
		}
	}
	s.keys = renewed
	return "both keys open both sides; one made after the backup opens only the primary", nil
}

func (s *story) pointTraffic(ctx context.Context) (string, error) {
	if err := s.w.buildProfile(ctx); err != nil {
		return "", err
	}
	s.w.Built = true
	if err := s.w.save(); err != nil {
		return "", err
	}
	return TrafficName + " → " + s.w.Primary.Address, s.answers(ctx, PrimaryRegion)
}

// answers waits until DNS gives the address of a region.
func (s *story) answers(ctx context.Context, region tandem.Region) error {
	want := s.site(map[tandem.Region]string{PrimaryRegion: PrimaryService, StandbyRegion: StandbyService}[region])
	for {
		ip, err := s.w.resolve(ctx)
		if err == nil && ip == want {
			return nil
		}
		if e := s.w.clock.Sleep(ctx, 20*time.Millisecond); e != nil {
			return fmt.Errorf("DNS answers %s (%w) and not %s of %s: %w", ip, err, want, region, e)
		}
	}
}

// calmFor is how long clients are served before the disaster, and how long each state after it is watched.
const (
	calmFor  = 4 * time.Second
	watchFor = 2 * time.Second
)

// serve lets clients call, changes the primary every 100 ms, and keeps the standby fresh by backup and restore.
func (s *story) serve(ctx context.Context) (string, error) {
	var err error
	if s.caller, err = s.w.newCaller(s.keys[0]); err != nil {
		return "", err
	}
	s.writer = s.w.newWriter()
	lasting := context.WithoutCancel(ctx)
	calls, stopCalls := context.WithCancel(lasting)
	writes, stopWrites := context.WithCancel(lasting)
	protect, stopProtect := context.WithCancel(lasting)
	s.stopCalls, s.stopWrites, s.stopProtect = stopCalls, stopWrites, stopProtect
	s.background.Go(func() { s.caller.run(calls) })
	s.background.Go(func() { s.writer.run(writes, PrimaryService) })
	s.background.Go(func() { s.protect(protect) })
	if err := s.w.clock.Sleep(ctx, calmFor); err != nil {
		return "", err
	}
	r := s.requests()
	if r.Sent == r.Failed {
		return "", fmt.Errorf("none of %d calls was answered", r.Sent)
	}
	n, _ := s.writer.newest()
	return fmt.Sprintf("%d calls, %d changes acknowledged", r.Sent, n), nil
}

// protect backs up the primary and restores the standby, one after the other, until ctx ends or one fails.
func (s *story) protect(ctx context.Context) {
	for ctx.Err() == nil {
		_, err := s.w.transfer(ctx, PrimaryService, "backup", BackupName)
		if err == nil {
			_, err = s.w.transfer(ctx, StandbyService, "restore", BackupName)
		}
		if err != nil {
			s.protectErr = err
			return
		}
		s.protected++
		_ = s.w.clock.Sleep(ctx, 200*time.Millisecond) // ended by ctx, which the loop looks at
	}
}

func (s *story) kill(context.Context) (string, error) {
	s.died = s.w.clock.Now()
	s.w.Kill(PrimaryRegion)
	s.stopWrites()
	return "SIGKILL; its gateway, control plane and management endpoint are gone", nil
}

func (s *story) failover(ctx context.Context) (string, error) {
	if err := s.answers(ctx, StandbyRegion); err != nil {
		return "", err
	}
	for {
		if _, first := s.caller.outage(PrimaryRegion, StandbyRegion, s.died); !first.IsZero() {
			break
		}
		if err := s.w.clock.Sleep(ctx, 10*time.Millisecond); err != nil {
			return "", fmt.Errorf("no client got an answer from the standby: %w", err)
		}
	}
	if err := s.w.clock.Sleep(ctx, watchFor); err != nil {
		return "", err
	}
	s.stopProtect()
	last, first := s.caller.outage(PrimaryRegion, StandbyRegion, s.died)
	s.report.RTO = first.Sub(last).Milliseconds()
	if s.protected == 0 {
		return "", fmt.Errorf("the standby was never refreshed before the disaster: %w", s.protectErr)
	}
	return fmt.Sprintf("RTO %d ms", s.report.RTO), s.measureRPO(ctx)
}

// measureRPO reads through the standby which change is the newest there.
func (s *story) measureRPO(ctx context.Context) error {
	a, err := s.expect(ctx, StandbyService, s.keys[0], http.StatusOK)
	if err != nil {
		return err
	}
	here, err := strconv.Atoi(a.sequence)
	if err != nil {
		return fmt.Errorf("the standby's X-Sequence is %q", a.sequence)
	}
	last, lastAt := s.writer.newest()
	at, known := s.writer.ackedAt(here)
	if here > 0 && !known && here < last {
		return fmt.Errorf("the standby has change %d, which was never acknowledged, and not %d", here, last)
	}
	if known && lastAt.After(at) {
		s.report.RPO = lastAt.Sub(at).Milliseconds()
	}
	return nil
}

func (s *story) bringBack(ctx context.Context) (string, error) {
	// People go on working, at the standby: the failback must not lose this.
	for range 3 {
		if err := s.writer.write(ctx, StandbyService); err != nil {
			return "", fmt.Errorf("a change at the standby was refused: %w", err)
		}
	}
	if _, err := s.w.startRegion(ctx, PrimaryRegion, false); err != nil {
		return "", err
	}
	if _, err := s.expect(ctx, PrimaryService, s.keys[0], http.StatusOK); err != nil {
		return "", err
	}
	s.returned = s.w.clock.Now()
	if err := s.w.clock.Sleep(ctx, watchFor); err != nil {
		return "", err
	}
	if _, first := s.caller.outage(StandbyRegion, PrimaryRegion, s.returned); !first.IsZero() {
		return "", errors.New("a client was sent to the primary before the failback")
	}
	return "it serves, and no client was sent to it", nil
}

func (s *story) failback(ctx context.Context) (string, error) {
	const blob = "apim-dr.apimbackup"
	if _, err := s.w.transfer(ctx, StandbyService, "backup", blob); err != nil {
		return "", err
	}
	if _, err := s.w.transfer(ctx, PrimaryService, "restore", blob); err != nil {
		return "", err
	}
	n, _ := s.writer.newest()
	a, err := s.expect(ctx, PrimaryService, s.keys[0], http.StatusOK)
	if err != nil {
		return "", err
	}
	if a.sequence != strconv.Itoa(n) {
		return "", fmt.Errorf("the primary has change %s, the newest at the standby is %d", a.sequence, n)
	}
	_, err = s.w.clients.operator.Do(ctx, armclient.Request{Method: http.MethodPost, Path: s.w.profile() + "/externalEndpoints/primary/failback?api-version=2022-04-01"})
	if err != nil {
		return "", err
	}
	began := s.w.clock.Now()
	if err := s.answers(ctx, PrimaryRegion); err != nil {
		return "", err
	}
	if err := s.w.clock.Sleep(ctx, watchFor/2); err != nil {
		return "", err
	}
	if _, first := s.caller.outage(StandbyRegion, PrimaryRegion, began); first.IsZero() {
		return "", errors.New("no client got an answer from the primary after the failback")
	}
	return fmt.Sprintf("change %d, made at the standby, is at the primary; clients are back", n), nil
}

// quiet stops everything that runs in the background.
func (s *story) quiet() {
	for _, stop := range []context.CancelFunc{s.stopWrites, s.stopProtect, s.stopCalls} {
		if stop != nil {
			stop()
		}
	}
	s.background.Wait()
}

func (s *story) requests() Requests {
	if s.caller == nil {
		return Requests{}
	}
	s.caller.mu.Lock()
	defer s.caller.mu.Unlock()
	return Requests{Sent: s.caller.sent, Failed: s.caller.failed, Wrong: s.caller.wrong}
}
