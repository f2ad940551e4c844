package http1

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"pgregory.net/rapid"

	"tandem"
	"tandem/internal/exchange"
)

// pieces gives bytes in reads of a few lengths.
type pieces struct {
	net.Conn
	b    []byte
	each []int
}

func (p *pieces) Read(to []byte) (int, error) {
	if len(p.b) == 0 {
		return 0, io.EOF
	}
	n := p.each[0]
	p.each = append(p.each[1:], n)
	n = copy(to[:min(n, len(to))], p.b)
	p.b = p.b[n:]
	return n, nil
}

// throughGuard is what the server reads of bytes that come in pieces.
func throughGuard(t testing.TB, wire []byte, each ...int) []byte {
	out, err := io.ReadAll(newH2Guard(&pieces{b: wire, each: each}))
	if err != nil && err != io.EOF {
		t.Fatal(err)
	}
	return out
}

func request(t testing.TB, fields ...string) []byte {
	var block bytes.Buffer
	e := hpack.NewEncoder(&block)
	for i := 0; i < len(fields); i += 2 {
		if err := e.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}); err != nil {
			t.Fatal(err)
		}
	}
	return block.Bytes()
}

// wire is a connection's beginning: the preface, settings, and one request.
func wire(t testing.TB, settings []http2.Setting, p http2.HeadersFrameParam) []byte {
	var b bytes.Buffer
	b.WriteString(http2.ClientPreface)
	f := http2.NewFramer(&b, nil)
	if err := f.WriteSettings(settings...); err != nil {
		t.Fatal(err)
	}
	p.StreamID, p.EndHeaders = 1, true
	if err := f.WriteHeaders(p); err != nil {
		t.Fatal(err)
	}
	if err := f.WriteData(1, true, bytes.Repeat([]byte("d"), 9000)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// The guard changes what it is for and nothing else, however the bytes come.
func TestH2Guard(t *testing.T) {
	window := http2.Setting{ID: http2.SettingInitialWindowSize, Val: 100}
	plain := []string{":method", "GET", ":path", "/", "te", "trailers", "x-connection", "upgrade"}
	for name, c := range map[string]struct {
		settings   []http2.Setting
		fields     []string
		pad        uint8
		priority   bool
		bad, fewer bool
	}{
		"nothing to do":      {fields: plain},
		"settings once":      {settings: []http2.Setting{window, {ID: http2.SettingMaxFrameSize, Val: 16384}}, fields: plain},
		"settings twice":     {settings: []http2.Setting{{ID: http2.SettingInitialWindowSize, Val: 7}, window}, fields: plain, fewer: true},
		"an invalid setting": {settings: []http2.Setting{{ID: http2.SettingInitialWindowSize, Val: 1 << 31}, window}, fields: plain},
		"the table's size":   {settings: []http2.Setting{{ID: http2.SettingHeaderTableSize, Val: 0}, {ID: http2.SettingHeaderTableSize, Val: 4096}}, fields: plain},
		"connection":         {fields: append([]string{"connection", "keep-alive"}, plain...), bad: true},
		"padded":             {fields: append([]string{"upgrade", "x"}, plain...), pad: 17, bad: true},
		"with a priority":    {fields: append([]string{"keep-alive", "x"}, plain...), priority: true, bad: true},
		"both":               {fields: append([]string{"transfer-encoding", "chunked"}, plain...), priority: true, pad: 3, bad: true},
		"te":                 {fields: []string{":method", "GET", "te", "gzip"}, bad: true},
		"long":               {fields: append([]string{"x-long", strings.Repeat("\x01", 12000), "proxy-connection", "x"}, plain...), bad: true},
	} {
		t.Run(name, func(t *testing.T) {
			block := request(t, c.fields...)
			p := http2.HeadersFrameParam{BlockFragment: block, PadLength: c.pad}
			if c.priority {
				p.Priority = http2.PriorityParam{StreamDep: 5, Weight: 3}
			}
			in := wire(t, c.settings, p)
			for _, each := range [][]int{{1 << 20}, {1}, {9, 3, 2000}} {
				out := throughGuard(t, bytes.Clone(in), each...)
				if !c.bad && !c.fewer {
					if !bytes.Equal(in, out) {
						t.Fatalf("reads of %v: the bytes are others", each)
					}
					continue
				}
				f := http2.NewFramer(nil, bytes.NewReader(out[len(http2.ClientPreface):]))
				first, err := f.ReadFrame()
				if err != nil {
					t.Fatal(err)
				}
				s := first.(*http2.SettingsFrame)
				if v, _ := s.Value(http2.SettingInitialWindowSize); c.fewer && (s.HasDuplicates() || v != window.Val) {
					t.Fatalf("settings are %v", s)
				}
				second, err := f.ReadFrame()
				if err != nil {
					t.Fatal(err)
				}
				h := second.(*http2.HeadersFrame)
				if c.bad != (h.HasPriority() && h.Priority.StreamDep == 1) || !bytes.Equal(h.HeaderBlockFragment(), block) || !h.HeadersEnded() {
					t.Fatalf("reads of %v: %v", each, h)
				}
				third, err := f.ReadFrame()
				if err != nil || len(third.(*http2.DataFrame).Data()) != 9000 {
					t.Fatalf("reads of %v: data: %v", each, err)
				}
			}
		})
	}
}

// What the guard finds in a field block is what decoding it finds.
func TestH2FieldsAgainstHPACK(t *testing.T) {
	names := []string{"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "te", "accept", "x-te", "connectio", "host", ":path"}
	rapid.Check(t, func(t *rapid.T) {
		var block bytes.Buffer
		e := hpack.NewEncoder(&block)
		bad, plainly, te := false, false, false
		for range rapid.IntRange(0, 6).Draw(t, "fields") {
			f := hpack.HeaderField{Name: rapid.SampledFrom(names).Draw(t, "name"), Value: rapid.SampledFrom([]string{"trailers", "", "x", "chunked", strings.Repeat("v", 300)}).Draw(t, "value"), Sensitive: rapid.Bool().Draw(t, "sensitive")}
			if err := e.WriteField(f); err != nil {
				t.Fatal(err)
			}
			forbidden, other := slices.Contains(names[:5], f.Name), f.Name == "te" && f.Value != "trailers"
			bad, plainly = bad || forbidden || other, plainly || forbidden || other && !te
			te = te || f.Name == "te"
		}
		got := oneHopOnly(block.Bytes())
		if got && !bad {
			t.Fatal("a block is refused for nothing")
		}
		// A te that stands in the dynamic table with an allowed value may get another one by its number: the server's to refuse.
		if plainly && !got {
			t.Fatal("a block is let through")
		}
	})
}

func FuzzH2Guard(f *testing.F) {
	f.Add(wire(f, []http2.Setting{{ID: 4, Val: 1}, {ID: 4, Val: 2}}, http2.HeadersFrameParam{BlockFragment: request(f, "connection", "x")}), uint8(3))
	f.Fuzz(func(t *testing.T, b []byte, each uint8) {
		out := throughGuard(t, bytes.Clone(b), int(each)+1)
		if again := throughGuard(t, bytes.Clone(b), 1<<16); !bytes.Equal(out, again) {
			t.Error("the result depends on how the bytes come")
		}
	})
}

// h2spec, where it is installed, finds nothing on TLS. (A plain port speaks HTTP/1.1 too, and answers a preface that is none
// with 400.) The handler reads bodies, as a backend does.
func TestH2Spec(t *testing.T) {
	tool, err := exec.LookPath("h2spec")
	if err != nil {
		t.Skip("h2spec is not installed; go install github.com/summerwind/h2spec/cmd/h2spec@latest")
	}
	certs := NewCertificates()
	certs.Swap(map[string]*tls.Certificate{"*.example": new(selfSigned(t, "gw.example"))}, new(selfSigned(t, "gw.example")))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := handlerFunc(func(x *exchange.Exchange) {
		x.Response.Status = 200
		if _, err := x.Request.Body.Bytes(1 << 20); err != nil {
			x.Response.Status = 400
		}
		x.Response.Body = exchange.Bytes([]byte("answer"))
	})
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() {
		served <- NewServer(Config{Handler: h, Clock: tandem.SystemClock{}}).Serve(ctx, tls.NewListener(l, &tls.Config{GetCertificate: certs.Get, NextProtos: []string{"h2", "http/1.1"}}))
	}()
	host, port, _ := net.SplitHostPort(l.Addr().String())
	out, err := exec.CommandContext(t.Context(), tool, "--strict", "--tls", "--insecure", "--timeout", "10", "--host", host, "--port", port).CombinedOutput()
	if at := bytes.Index(out, []byte("Failures:")); at >= 0 || err != nil {
		t.Errorf("%v\n%s", err, out[max(at, 0):])
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}
