package gateway

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"tandem/internal/gateway/remote"
	"tandem/internal/policy"
)

// counters are a gateway's: those of this process, or those that the gateways of the service share.
type counters struct {
	*policy.MemoryCounters
	server atomic.Pointer[remote.Server] // of the external cache; nil: none
	share  atomic.Bool                   // the service wants them shared there
}

// Take implements policy.Counters.
func (c *counters) Take(key string, n int64, w policy.Window, force bool) policy.Count {
	if c.share.Load() {
		if s := c.server.Load(); s != nil {
			return s.Take(key, n, w, force)
		}
	}
	return c.MemoryCounters.Take(key, n, w, force)
}

// Counters are this gateway's own, to be exported and imported.
func (g *Gateway) Counters() *policy.MemoryCounters { return g.counters.MemoryCounters }

// keepEvery is how often quotas are written: what a crash loses at most.
const keepEvery = time.Second

// quotaFile keeps quotas over a restart. It is a list of records, of which the last one of a key counts; it is written anew
// when it has grown to twice what it needs.
type quotaFile struct {
	path    string
	records int // in the file
	needed  int // when it was written anew
	f       *os.File
}

const (
	quotaMagic  = "tandem quotas 1\n"
	quotaRecord = 32 + 8 + 8 + 8 + 4 // key, start, end, count, CRC-32
)

func appendQuota(b []byte, k policy.KeptCounter) []byte {
	at := len(b)
	b = append(b, k.Key[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(k.Start.UnixNano()))
	end := int64(0)
	if !k.End.IsZero() {
		end = k.End.UnixNano()
	}
	b = binary.LittleEndian.AppendUint64(b, uint64(end))
	b = binary.LittleEndian.AppendUint64(b, uint64(k.Current))
	return binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b[at:]))
}

// readQuotas reads records up to the first that is not whole: a crash may have cut the last one.
func readQuotas(r io.Reader) (all []policy.KeptCounter, err error) {
	in := bufio.NewReader(r)
	magic := make([]byte, len(quotaMagic))
	if _, err := io.ReadFull(in, magic); err != nil || string(magic) != quotaMagic {
		return nil, errors.New("it is no file of quotas; remove it, and quotas begin anew")
	}
	var b [quotaRecord]byte
	for {
		if _, err := io.ReadFull(in, b[:]); err != nil || crc32.ChecksumIEEE(b[:quotaRecord-4]) != binary.LittleEndian.Uint32(b[quotaRecord-4:]) {
			return all, nil
		}
		k := policy.KeptCounter{Key: [32]byte(b[:32]), Start: time.Unix(0, int64(binary.LittleEndian.Uint64(b[32:]))), Current: int64(binary.LittleEndian.Uint64(b[48:]))}
		if end := int64(binary.LittleEndian.Uint64(b[40:])); end != 0 {
			k.End = time.Unix(0, end)
		}
		all = append(all, k)
	}
}

// load gives the quotas whose period is not over.
func (q *quotaFile) load(now time.Time) ([]policy.KeptCounter, error) {
	raw, err := os.ReadFile(q.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	all, err := readQuotas(bytes.NewReader(raw))
	last := make(map[[32]byte]int, len(all))
	for i, k := range all {
		last[k.Key] = i
	}
	var live []policy.KeptCounter
	for i, k := range all {
		if last[k.Key] == i && (k.End.IsZero() || k.End.After(now)) {
			live = append(live, k)
		}
	}
	return live, err
}

// add makes changes durable.
func (q *quotaFile) add(changed []policy.KeptCounter, now time.Time) error {
	if len(changed) == 0 {
		return nil
	}
	if q.f == nil || q.records > 2*q.needed+10_000 {
		if err := q.rewrite(now); err != nil {
			return err
		}
	}
	var b []byte
	for _, k := range changed {
		b = appendQuota(b, k)
	}
	_, err := q.f.Write(b)
	if err = errors.Join(err, q.f.Sync()); err != nil {
		err = errors.Join(err, q.close()) // the end of the file is not known: it is written anew next time
	}
	q.records += len(changed)
	return err
}

func (q *quotaFile) rewrite(now time.Time) error {
	live, err := q.load(now)
	if err != nil {
		live = nil // it was said when the gateway started
	}
	if err := errors.Join(q.close(), os.MkdirAll(filepath.Dir(q.path), 0o700)); err != nil {
		return err
	}
	f, err := os.OpenFile(q.path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	b := []byte(quotaMagic)
	for _, k := range live {
		b = appendQuota(b, k)
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync()); err == nil {
		err = os.Rename(q.path+".new", q.path)
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	q.f, q.records, q.needed = f, len(live), len(live)
	return nil
}

func (q *quotaFile) close() error {
	if q.f == nil {
		return nil
	}
	f := q.f
	q.f = nil
	return f.Close()
}

// keepQuotas writes quotas as they change, until ctx ends.
func (g *Gateway) keepQuotas(ctx context.Context) {
	if g.State == "" {
		return
	}
	q := &quotaFile{path: g.State + ".quotas"}
	said := false
	write := func() {
		err := q.add(g.counters.Changed(), g.clock.Now())
		if err != nil && !said {
			g.Log.Warn("quotas cannot be kept; a restart would begin them anew", "file", q.path, "error", err)
		}
		said = err != nil
	}
	for g.clock.Sleep(ctx, keepEvery) == nil {
		write()
	}
	write()
	if err := q.close(); err != nil {
		g.Log.Warn("quotas may not be kept", "file", q.path, "error", err)
	}
}

// restoreQuotas takes up what an earlier process kept.
func (g *Gateway) restoreQuotas() {
	if g.State == "" {
		return
	}
	kept, err := (&quotaFile{path: g.State + ".quotas"}).load(g.clock.Now())
	if err != nil {
		g.Log.Warn("the gateway's quotas cannot be read; they begin anew", "file", g.State+".quotas", "error", err)
	}
	g.counters.Restore(kept)
}
