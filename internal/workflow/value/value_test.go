package value

import (
	"errors"
	"strings"
	"testing"

	"tandem"
)

// TestKeepsText: order and digits survive, however a number is written.
func TestKeepsText(t *testing.T) {
	for _, text := range []string{`{"z":1,"a":{"y":[],"b":{}}}`, `[1.10,1e5,12345678901234567890,-0,0.1,1.0]`, `"<&>\"\u0001"`, `null`} {
		v, err := Decode([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := string(Encode(v)); got != text {
			t.Errorf("%s became %s", text, got)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, text := range []string{"", "{", "[1,]", "1 2", `{"a" 1}`, strings.Repeat("[", 200)} {
		if _, err := Decode([]byte(text)); !errors.Is(err, tandem.Invalid) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestEqual(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{{`1`, `1.0`, true}, {`{"a":1,"b":2}`, `{"b":2,"a":1}`, true}, {`[1,2]`, `[2,1]`, false}, {`"a"`, `"A"`, false}, {`null`, `""`, false}} {
		a, _ := Decode([]byte(c.a))
		b, _ := Decode([]byte(c.b))
		if Equal(a, b) != c.want || Equal(b, a) != c.want {
			t.Errorf("%s and %s", c.a, c.b)
		}
	}
}

// FuzzDecode: what was written from a value reads as the same value.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"a":[1,2.5,"x",null,true,{"b":-1e400}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := Decode(text)
		if err != nil {
			if !errors.Is(err, tandem.Invalid) {
				t.Fatal(err)
			}
			return
		}
		once := Encode(v)
		again, err := Decode(once)
		if err != nil || string(Encode(again)) != string(once) {
			t.Fatalf("%q became %q: %v", text, once, err)
		}
	})
}
