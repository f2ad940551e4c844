package replica

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/keys"
	"tandem/internal/store"
)

func terms(t *testing.T, rules string) *Terms {
	t.Helper()
	o, err := ParseOverlay("test", []byte(rules))
	if err != nil {
		t.Fatal(err)
	}
	master, err := keys.OpenMaster(filepath.Join(t.TempDir(), "master"), keys.MasterOptions{Create: true, Clock: tandem.SystemClock{}})
	if err != nil {
		t.Fatal(err)
	}
	return &Terms{Overlay: o, Table: apim.NewTable(), Sealer: master}
}

// document makes one with properties "name=text" and secrets "!name=text".
func (x *Terms) document(t interface{ Fatal(...any) }, typ, id string, texts ...string) store.Document {
	d := &apim.Document{IDs: strings.Split(id, "/"), Type: typ, Properties: map[string]any{}}
	d.Key = apim.Key(typ, d.IDs)
	for _, text := range texts {
		name, value, _ := strings.Cut(text, "=")
		if secret, ok := strings.CutPrefix(name, "!"); ok {
			if err := d.SealSecret(x.Sealer, secret, value); err != nil {
				t.Fatal(err)
			}
			continue
		}
		d.Properties[name] = value
	}
	w, err := d.Write()
	if err != nil {
		t.Fatal(err)
	}
	return store.Document{Key: w.Key, Value: w.Value}
}

func (x *Terms) text(t interface{ Fatal(...any) }, w store.Write, name string) string {
	d, err := apim.Decode(w.Key, store.Document{Key: w.Key, Value: w.Value})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := d.Sealed[name]; ok {
		v, err := d.OpenSecretString(x.Sealer, name)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	return d.String(name)
}

const regionRules = `rules:
- {paths: ["backends/orders"], property: url, set: "https://orders.east"}
- {paths: ["namedValues/*"], property: value, replace: "west", with: "east"}
- {paths: ["apis/echo"], property: serviceUrl, replace: "west", with: "east"}
`

func TestTerms(t *testing.T) {
	x := terms(t, regionRules)
	must := func(w store.Write, err error) store.Write {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	doc := func(w store.Write) store.Document { return store.Document{Key: w.Key, Value: w.Value} }
	west := x.document(t, "backends", "orders", "url=https://orders.west", "title=Orders")
	east := must(x.Forth(west, nil))
	if got := x.text(t, east, "url") + " " + x.text(t, east, "title"); got != "https://orders.east Orders" {
		t.Errorf("there it is %s", got)
	}
	eastDoc := doc(east)
	if again := must(x.Forth(west, &eastDoc)); string(again.Value) != string(east.Value) {
		t.Error("the same document gives other bytes")
	}
	// A person changes the title in the east: the west gets it, with its own address.
	changed := x.document(t, "backends", "orders", "url=https://orders.east", "title=All orders")
	back := must(x.Back(changed, &west))
	if got := x.text(t, back, "url") + " " + x.text(t, back, "title"); got != "https://orders.west All orders" {
		t.Errorf("back it is %s", got)
	}
	// A person changes the address itself: that goes to the west as it is.
	moved := x.document(t, "backends", "orders", "url=https://elsewhere", "title=Orders")
	if got := x.text(t, must(x.Back(moved, &west)), "url"); got != "https://elsewhere" {
		t.Errorf("a changed address comes back as %s", got)
	}
	secret := x.document(t, "namedvalues", "password", "!value=west secret")
	there := must(x.Forth(secret, nil))
	if got := x.text(t, there, "value"); got != "east secret" {
		t.Errorf("the secret there is %q", got)
	}
	thereDoc := doc(there)
	if again := must(x.Forth(secret, &thereDoc)); string(again.Value) != string(there.Value) {
		t.Error("the same secret is sealed anew each time")
	}
	if home := must(x.Back(thereDoc, &secret)); x.text(t, home, "value") != "west secret" {
		t.Errorf("the secret comes back as %q", x.text(t, home, "value"))
	}
	api := x.document(t, "apis", "echo;rev=2", "serviceUrl=https://west")
	if got := x.text(t, must(x.Forth(api, nil)), "serviceUrl"); got != "https://east" {
		t.Errorf("a revision of the API goes to %s", got)
	}
	other := x.document(t, "backends", "stock", "url=https://orders.west")
	if w := must(x.Forth(other, nil)); string(w.Value) != string(other.Value) {
		t.Error("a document that no rule names was changed")
	}
}

// TestTermsRoundTrip: what goes there and comes back is what it was, whatever the texts; and mapping again changes nothing.
func TestTermsRoundTrip(t *testing.T) {
	x := terms(t, regionRules)
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.SampledFrom([]string{"west", "east", "a west b", "", "north"})
		west := x.document(t, "namedvalues", "v", "value="+word.Draw(t, "value"), "displayName="+word.Draw(t, "name"), "!secret="+word.Draw(t, "secret"))
		east, err := x.Forth(west, nil)
		if err != nil {
			t.Fatal(err)
		}
		eastDoc := store.Document{Key: east.Key, Value: east.Value}
		for range 2 {
			back, err := x.Back(eastDoc, &west)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"value", "displayName", "secret"} {
				if got, want := x.text(t, back, name), x.text(t, store.Write{Key: west.Key, Value: west.Value}, name); got != want {
					t.Fatal(fmt.Sprintf("%s comes back as %q, was %q", name, got, want))
				}
			}
			west = store.Document{Key: back.Key, Value: back.Value}
		}
	})
}
