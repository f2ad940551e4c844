package gateway

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"go.uber.org/goleak"

	"tandem/internal/apim"
	"tandem/internal/policy"
)

// withPolicy is an API with GET /x and a policy, whose inbound part is given.
func withPolicy(inbound string) []*apim.Document {
	docs := anAPI("a", "a", "", false)
	docs[3] = doc("apis.policies", []string{"a;rev=1", "policy"}, map[string]any{"value": `<policies><inbound><base />` + inbound + `</inbound><backend><base /></backend><outbound><base /></outbound></policies>`})
	return docs
}

const quotaOfThree = `<quota-by-key calls="3" renewal-period="86400" counter-key="k" /><return-response><set-status code="200" /></return-response>`

// A quota goes on where it was after a restart; what a crash cut off the file loses that alone.
func TestQuotasAreKept(t *testing.T) {
	defer goleak.VerifyNone(t)
	state := filepath.Join(t.TempDir(), "gateway.json")
	f := newFixture(t, state, withPolicy(quotaOfThree)...)
	statuses := func(n int) (out []int) {
		for range n {
			out = append(out, f.ask("GET", "/a/x").Status)
		}
		return out
	}
	if got := statuses(2); got[0] != 200 || got[1] != 200 {
		t.Fatal(got)
	}
	f.stop()
	f.run(state)
	if got := statuses(2); got[0] != 200 || got[1] != 403 {
		t.Errorf("after a restart: %v", got)
	}
	f.stop()
	file := state + ".quotas"
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, raw[:len(raw)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	if all, err := readQuotas(bytes.NewReader(raw[:len(raw)-1])); err != nil || len(all) != (len(raw)-len(quotaMagic))/quotaRecord-1 {
		t.Errorf("a file that was cut gives %d records, %v", len(all), err)
	}
	f.run(state)
	if got := statuses(2); got[1] != 403 && got[0] != 200 {
		t.Errorf("after a crash: %v", got)
	}
	f.stop()
}

// The file stays small however often one key is counted.
func TestQuotaFileIsCompacted(t *testing.T) {
	q := &quotaFile{path: filepath.Join(t.TempDir(), "q")}
	now := time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)
	for i := range 100 {
		var batch []policy.KeptCounter
		for k := range 500 {
			batch = append(batch, policy.KeptCounter{Key: [32]byte{byte(k), byte(k >> 8)}, Current: int64(i), Start: now, End: now.Add(time.Hour)})
		}
		batch[499].End = now.Add(-time.Hour)
		if err := q.add(batch, now); err != nil {
			t.Fatal(err)
		}
	}
	all, err := q.load(now)
	if err != nil || len(all) != 499 || all[3].Current != 99 || !all[3].End.Equal(now.Add(time.Hour)) {
		t.Errorf("%d records, %v", len(all), err)
	}
	info, err := os.Stat(q.path)
	if err != nil || info.Size() > 13_000*quotaRecord {
		t.Errorf("%d bytes, %v", info.Size(), err)
	}
	if err := q.close(); err != nil {
		t.Error(err)
	}
}

// Two gateways of a service share a cache that its documents name, and counters where the service asks for that.
func TestExternalCache(t *testing.T) {
	m := miniredis.RunT(t)
	inbound := `<rate-limit-by-key calls="3" renewal-period="3600" counter-key="k" />
<cache-lookup-value key="k" variable-name="v" default-value="none" caching-type="external" />
<cache-store-value key="k" value="@((string)context.Request.Headers.GetValueOrDefault(&quot;X-Put&quot;,&quot;kept&quot;))" duration="60" caching-type="external" />
<return-response><set-status code="200" /><set-body>@((string)context.Variables["v"])</set-body></return-response>`
	docs := append(withPolicy(inbound), doc("caches", []string{"south"}, map[string]any{"useFromLocation": "South India"}, "connectionString", m.Addr()+",abortConnect=False"),
		doc("caches", []string{"default"}, map[string]any{"useFromLocation": "default"}, "connectionString", "127.0.0.1:1"))
	one, two := newFixture(t, "", docs...), newFixture(t, "", docs...)
	defer one.stop()
	defer two.stop()
	shared := ReadSettings(map[string]any{"customProperties": map[string]any{"Tandem.Gateway.Counters.Shared": "True"}})
	if len(shared.problems) > 0 {
		t.Error(shared.problems)
	}
	one.g.Apply(shared)
	two.g.Apply(shared)
	var got []string
	for _, f := range []*fixture{one, two, one, two} {
		r := f.ask("GET", "/a/x")
		body := text(t, r)
		if r.Status == 429 {
			body = "429"
		}
		got = append(got, body)
	}
	if want := "none kept kept 429"; strings.Join(got, " ") != want {
		t.Errorf("answers %v, want %s", got, want)
	}
	if p := one.g.Status().Problems; len(p) != 0 {
		t.Errorf("problems: %v", p)
	}
	one.put(doc("caches", []string{"south"}, map[string]any{"useFromLocation": "southindia"}, "connectionString", "h:1,what=1"))
	one.settle()
	if p := one.g.Status().Problems; len(p) == 0 || !strings.Contains(p[0].Message, "not known") {
		t.Errorf("problems: %v", p)
	}
}
