package recovery

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"tandem"
	"tandem/internal/arm"
	"tandem/internal/failover"
	"tandem/internal/keys"
	"tandem/internal/recovery/evidence"
	"tandem/internal/store"
)

// Archive keeps copies of sealed reports in a vault.
type Archive interface {
	// PutEvidence writes a report under a name, if it is not there.
	PutEvidence(ctx context.Context, vault, name string, sealed []byte) error
}

// EvidenceConfig says how reports are sealed. The zero value keeps a key in the shared store, sealed by the master key: the
// store lies on three sites, so the key survives the failing region.
type EvidenceConfig struct {
	// Key gives the signing key, in place of the one in the shared store.
	Key func(ctx context.Context) (ed25519.PrivateKey, error)
	// Archive puts each report, which names the one before it, into the group's vault; nil: they lie in the shared store alone.
	Archive Archive
	// Moments gives what observers saw of a run's time, for the measured RTO; nil: it stays unproven.
	Moments func(ctx context.Context, group string, from, to time.Time) ([]failover.Moment, error)
}

const evidenceKey = "recovery/evidence-key"

// signer gives the key that signs reports.
func (c *Controller) signer(ctx context.Context) (ed25519.PrivateKey, error) {
	if c.Evidence.Key != nil {
		return c.Evidence.Key(ctx)
	}
	if c.Sealer == nil {
		return nil, &tandem.Error{Op: "seal evidence", Kind: tandem.Unsupported, Remedy: "run recovery on a node that has the master key"}
	}
	for {
		sealed, revision, err := read[string](ctx, c.Store, evidenceKey)
		if err != nil {
			return nil, err
		}
		if revision != 0 {
			seed, err := c.Sealer.Open(sealed, keys.Context(evidenceKey, "seed"))
			if err != nil {
				return nil, err
			}
			return ed25519.NewKeyFromSeed(seed), nil
		}
		seed := make([]byte, ed25519.SeedSize)
		_, _ = rand.Read(seed) // never fails since Go 1.24
		text, err := c.Sealer.Seal(seed, keys.Context(evidenceKey, "seed"))
		if err != nil {
			return nil, err
		}
		w, err := write(evidenceKey, text)
		if err != nil {
			return nil, err
		}
		_, err = c.Store.Commit(ctx, store.Batch{If: []store.Condition{{Key: evidenceKey}}, Put: []store.Write{w}})
		if err != nil && !errors.Is(err, tandem.Precondition) { // another made it first: read theirs
			return nil, err
		}
	}
}

// sealedDoc is a sealed report as it is stored.
type sealedDoc struct {
	Number uint64    `json:"number"`
	Run    string    `json:"run"`
	Time   time.Time `json:"time"`
	Sealed string    `json:"sealed"`
}

// sealTries bounds how often sealing is tried before it is left to the next leader.
const sealTries = 20

// seal writes the report of a run that has ended, once: a run that has one keeps it.
func (r *runner) seal(rec Record) {
	if r.c.Evidence.Key == nil && r.c.Sealer == nil {
		return
	}
	g := r.group
	r.live.Go(func() {
		wait := retryEvery
		for try := 1; r.ctx.Err() == nil; try++ {
			err := r.sealOnce(r.ctx, g, rec)
			if err == nil {
				return
			}
			if r.ctx.Err() == nil && (try == 1 || try == sealTries) {
				r.c.Log.Warn("a report could not be sealed; it is tried again", "run", rec.ID, "error", err)
			}
			if try == sealTries {
				return
			}
			_ = r.c.Clock.Sleep(r.ctx, wait) // the loop looks at ctx
			wait = min(2*wait, time.Minute)
		}
	})
}

func (r *runner) sealOnce(ctx context.Context, g groupDoc, rec Record) error {
	runKey := runPrefix + r.place + "/" + rec.ID
	now, revision, err := read[Record](ctx, r.c.Store, runKey)
	if err != nil || revision == 0 || now.Evidence != 0 {
		return err
	}
	key, err := r.c.signer(ctx)
	if err != nil {
		return err
	}
	last, headRevision, err := read[sealedDoc](ctx, r.c.Store, evidencePrefix+r.place+"/head")
	if err != nil {
		return err
	}
	report, err := r.report(ctx, g, now)
	if err != nil {
		return err
	}
	report.Number = last.Number + 1
	if last.Number > 0 {
		report.Previous = evidence.Digest([]byte(last.Sealed))
	}
	sealed, err := evidence.Seal(report, key)
	if err != nil {
		return err
	}
	doc := sealedDoc{report.Number, rec.ID, report.Sealed, string(sealed)}
	now.Evidence = report.Number
	var b store.Batch
	b.If = []store.Condition{{Key: evidencePrefix + r.place + "/head", Revision: headRevision}, {Key: runKey, Revision: revision}}
	for k, v := range map[string]any{evidencePrefix + r.place + "/head": doc, numbered(evidencePrefix, r.place, report.Number): doc, runKey: now} {
		w, err := write(k, v)
		if err != nil {
			return err
		}
		b.Put = append(b.Put, w)
	}
	if _, err := r.c.Store.Commit(ctx, b); err != nil {
		return err
	}
	return r.archive(ctx, g, doc)
}

// archive copies a report to the vault. It tries by itself: the report is kept already, and must not be sealed again.
func (r *runner) archive(ctx context.Context, g groupDoc, doc sealedDoc) error {
	vault := g.Properties.Vault.Place()
	if r.c.Evidence.Archive == nil || vault == "" {
		return nil
	}
	name := fmt.Sprintf("evidence/%s/%08d.json", r.place, doc.Number)
	for try := 1; ; try++ {
		err := r.c.Evidence.Archive.PutEvidence(ctx, vault, name, []byte(doc.Sealed))
		if err == nil || errors.Is(err, tandem.Exists) {
			return nil
		}
		if try == sealTries {
			r.c.Log.Warn("a sealed report could not be copied to the vault", "run", doc.Run, "error", err)
			return nil
		}
		if r.c.Clock.Sleep(ctx, time.Duration(try)*time.Second) != nil {
			return nil
		}
	}
}

// report gathers what happened in a run.
func (r *runner) report(ctx context.Context, g groupDoc, rec Record) (evidence.Report, error) {
	all, err := readAll[Entry](ctx, r.c.Store, factPrefix+r.place+"/", store.ListOptions{})
	if err != nil {
		return evidence.Report{}, err
	}
	out := evidence.Report{Group: g.ID, Run: rec.ID, Kind: rec.Kind, Status: string(rec.Status), Sealed: r.c.Clock.Now().UTC(), Timeline: []evidence.Line{}}
	from := rec.Started.Add(-2 * time.Minute) // what led to it
	for _, e := range all {
		own := e.Fact.Run > 0 && coreRunID(e.Fact.Run) == rec.ID
		around := e.Fact.Run == 0 && e.Time.After(from) && !e.Time.After(rec.Ended)
		if own || around {
			out.Timeline = append(out.Timeline, evidence.Line{Time: e.Time, Term: e.Fact.Term, Tick: int64(e.Fact.At), Text: e.Text})
		}
	}
	moments := rec.Moments
	if r.c.Evidence.Moments != nil {
		seen, err := r.c.Evidence.Moments(ctx, g.ID, from, rec.Ended)
		if err != nil {
			return out, err
		}
		moments = append(moments, seen...)
	}
	measured := failover.Measure(moments)
	if rec.Status == Succeeded && (rec.Kind == failover.Switchover.String() || rec.Kind == failover.Failback.String() || rec.Kind == failover.FullDrill.String()) {
		measured.RPO = failover.Span{Known: true} // the final sync left nothing
	}
	if rec.Epoch > 0 && rec.Kind != jobBackup && rec.Kind != jobSync {
		out.Measures = append(out.Measures, measure("RPO", measured.RPO, g.Properties.RPO()), measure("RTO", measured.RTO, g.Properties.RTO()))
	}
	out.Summary = summary(rec)
	rec.Moments = nil
	raw, err := json.Marshal(rec)
	if err != nil {
		return out, err
	}
	out.Record = raw
	out.Moments, err = json.Marshal(moments)
	return out, err
}

func measure(name string, s failover.Span, objective time.Duration) evidence.Measure {
	return evidence.Measure{Name: name, Measured: s.String(), Objective: plainDuration(objective), Result: [...]string{"unproven", "met", "missed"}[int(s.Meets(ticks(objective)))%3]}
}

// summary says in plain words what came out.
func summary(rec Record) []string {
	who := rec.By
	if who == "" {
		who = "nobody: it began by itself"
	}
	out := []string{fmt.Sprintf("%s %s; asked for by %s", rec.Kind, strings.ToLower(string(rec.Status)), who)}
	if rec.Reason != "" {
		out = append(out, rec.Reason)
	}
	if len(rec.Approvers) > 0 {
		out = append(out, "approved by "+strings.Join(rec.Approvers, " and "))
	}
	if rec.Override != "" {
		out = append(out, "gates were overridden: "+rec.Override)
	}
	if rec.Unfenced {
		out = append(out, "the former primary could not be fenced; writes after the epoch are watched for and reported")
	}
	switch {
	case rec.Epoch == 0 || rec.Kind == jobBackup || rec.Kind == jobSync:
	case rec.Loss == "0ms":
		out = append(out, "nothing was lost")
	default:
		out = append(out, "at most "+rec.Loss+" of acknowledged changes may be missing in the successor")
	}
	if rec.Orphans > 0 {
		out = append(out, fmt.Sprintf("%d orphaned writes are kept in the snapshot %s", rec.Orphans, rec.Kept))
	}
	return out
}

func (p *Provider) evidenceAt(ctx context.Context, r *arm.Request, at string, number uint64) (*arm.Response, error) {
	doc, revision, err := read[sealedDoc](ctx, p.c.Store, numbered(evidencePrefix, at, number))
	if err != nil {
		return nil, err
	}
	if revision == 0 {
		return nil, arm.Errorf(http.StatusNotFound, "ResourceNotFound", "There is no report %d; see the list of evidence.", number)
	}
	if strings.EqualFold(r.Query["format"], "html") {
		page, err := evidence.HTML([]byte(doc.Sealed))
		return &arm.Response{Status: http.StatusOK, Header: http.Header{"Content-Type": {"text/html; charset=utf-8"}}, Body: page}, err
	}
	return &arm.Response{Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(doc.Sealed)}, nil
}

func (p *Provider) listEvidence(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	at, err := place(idOf(r))
	if err != nil {
		return nil, err
	}
	all, err := readAll[sealedDoc](ctx, p.c.Store, evidencePrefix+at+"/0", store.ListOptions{})
	if err != nil {
		return nil, err
	}
	out := make([]map[string]any, 0, len(all))
	for _, d := range all {
		_, key, err := evidence.Verify([]byte(d.Sealed), nil)
		out = append(out, map[string]any{"number": d.Number, "run": d.Run, "sealed": d.Time, "whole": err == nil, "publicKey": hex.EncodeToString(key), "digest": evidence.Digest([]byte(d.Sealed))})
	}
	page, err := arm.Paginate(r, out, 100)
	return &arm.Response{Status: http.StatusOK, Body: page}, err
}
