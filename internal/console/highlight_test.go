package console

import (
	"html"
	"regexp"
	"strings"
	"testing"
	"time"
)

var spans = regexp.MustCompile(`</?span[^>]*>`)

func TestHighlight(t *testing.T) {
	for text, want := range map[string]string{
		`<a b="c"/>`:                `<span class="x-tag">&lt;a</span><span class="x-attr"> b=</span><span class="x-string">&#34;c&#34;</span><span class="x-tag">/</span><span class="x-tag">&gt;</span>`,
		`<!-- <x> -->`:              `<span class="x-comment">&lt;!-- &lt;x&gt; --&gt;</span>`,
		`@("a)" + 1) b`:             `<span class="x-expr">@(&#34;a)&#34; + 1)</span> b`,
		`{{name}}`:                  `<span class="x-value">{{name}}</span>`,
		`<a b="@(f("c > d"))">x`:    `<span class="x-tag">&lt;a</span><span class="x-attr"> b=</span><span class="x-expr">&#34;@(f(&#34;c &gt; d&#34;))&#34;</span><span class="x-tag">&gt;</span>x`,
		`<script>alert(1)</script>`: `<span class="x-tag">&lt;script</span><span class="x-tag">&gt;</span>alert(1)<span class="x-tag">&lt;/script</span><span class="x-tag">&gt;</span>`,
	} {
		if got := string(highlightXML(text)); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
}

// FuzzHighlight holds that marking loses nothing and lets nothing through: without the marks, the text is what it was.
func FuzzHighlight(f *testing.F) {
	for _, s := range []string{`<a b="@("c")">{{d}}</a>`, `<!-- `, `@{`, `<a b='`, `<`, `@("\`, "<a\n/>", `<![CDATA[x`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		marked := string(highlightXML(text))
		bare := spans.ReplaceAllString(marked, "")
		if strings.ContainsAny(bare, "<>") {
			t.Fatalf("%q lets a tag through: %q", text, marked)
		}
		if text = strings.ReplaceAll(text, "\x00", "\uFFFD"); html.UnescapeString(bare) != text {
			t.Fatalf("%q became %q", text, html.UnescapeString(bare))
		}
	})
}

func TestLocalPath(t *testing.T) {
	for next, want := range map[string]string{
		"": "/", "/traffic?a=b": "/traffic?a=b", "//evil.example": "/", "https://evil.example/": "/", `/\evil.example`: "/", "traffic": "/", "/%2fevil": "/%2fevil", "javascript:alert(1)": "/",
	} {
		if got := localPath(next); got != want {
			t.Errorf("%q leads to %q, not %q", next, got, want)
		}
	}
}

func TestAgo(t *testing.T) {
	for d, want := range map[time.Duration]string{time.Second: "less than a minute ago", time.Minute: "1 minute ago", 3 * time.Hour: "3 hours ago", 72 * time.Hour: "3 days ago"} {
		if got := ago(d); got != want {
			t.Errorf("%s: %q", d, got)
		}
	}
	if plural(2, "reply") != "2 replies" || plural(1, "reply") != "1 reply" {
		t.Error("plurals")
	}
}
