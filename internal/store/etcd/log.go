package etcd

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// bridge takes etcd's log lines into a slog.Logger: warnings and worse, none while the engine closes, since etcd then
// complains about its own parts going away.
//
// etcd ends the process where it cannot write its log of entries. A gateway may run in the same process and needs no
// store (law 8), so the bridge ends only the goroutine that found the failure, and tells.
type bridge struct {
	zapcore.LevelEnabler
	out     *slog.Logger
	closing atomic.Bool
	once    sync.Once
	failed  chan struct{} // closed at the first fatal line
	why     atomic.Pointer[string]
}

func newBridge(out *slog.Logger) *bridge {
	return &bridge{LevelEnabler: zapcore.WarnLevel, out: out, failed: make(chan struct{})}
}

func (b *bridge) logger() *zap.Logger {
	return zap.New(core{bridge: b}, zap.WithFatalHook(zapcore.WriteThenGoexit), zap.WithPanicHook(zapcore.WriteThenGoexit))
}

// quiet drops every line from now on.
func (b *bridge) quiet() { b.closing.Store(true) }

// failure is why the engine cannot go on; only valid after failed is closed.
func (b *bridge) failure() error { return errors.New("the engine failed: " + *b.why.Load()) }

// fail tells that the engine cannot go on; the first reason counts.
func (b *bridge) fail(why string) {
	b.once.Do(func() {
		b.why.Store(&why)
		close(b.failed)
	})
}

func (b *bridge) hasFailed() bool {
	select {
	case <-b.failed:
		return true
	default:
		return false
	}
}

// core is a zapcore.Core over the bridge, with the fields of a derived logger.
type core struct {
	*bridge
	fields []zapcore.Field
}

func (c core) With(fields []zapcore.Field) zapcore.Core {
	return core{c.bridge, append(c.fields[:len(c.fields):len(c.fields)], fields...)}
}

func (c core) Check(e zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return checked.AddCore(e, c)
	}
	return checked
}

func (c core) Write(e zapcore.Entry, fields []zapcore.Field) error {
	enc := zapcore.NewMapObjectEncoder()
	for _, f := range append(c.fields[:len(c.fields):len(c.fields)], fields...) {
		f.AddTo(enc)
	}
	if e.Level > zapcore.ErrorLevel {
		why := e.Message
		if err, ok := enc.Fields["error"].(string); ok {
			why += ": " + err
		}
		c.fail(why)
	}
	if c.closing.Load() || expected(e.Message, enc.Fields["error"]) {
		return nil
	}
	attrs := make([]slog.Attr, 0, len(enc.Fields))
	for name, value := range enc.Fields {
		attrs = append(attrs, slog.Any(name, value))
	}
	level := slog.LevelWarn
	if e.Level > zapcore.WarnLevel {
		level = slog.LevelError
	}
	c.out.LogAttrs(context.Background(), level, e.Message, attrs...)
	return nil
}

func (c core) Sync() error { return nil }

// expected is true for warnings about what is meant to be so: no listeners, no tokens of etcd's own, a folder that is new;
// and for those that repeat an error which the caller of the store gets anyway.
func expected(message string, cause any) bool {
	switch message {
	case "Running http and grpc server on single port. This is not recommended for production.",
		"simple token is not cryptographically signed",
		"failed to apply request",
		// Said again and again while a peer is away, which "peer became inactive" tells once.
		"prober detected unhealthy status",
		"failed to reach the peer URL",
		"failed to get version",
		"waiting for ReadIndex response took too long, retrying",
		"ignored out-of-date read index response; local node read indexes queueing up and waiting to be in sync with leader":
		return true
	case "Failed to detect schema version", "failed to update storage version":
		text, _ := cause.(string)
		return strings.HasSuffix(text, "missing term information") // before the first election is written down
	}
	return false
}
