package nameserver

import (
	"fmt"
	"maps"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"

	"tandem"
)

// ZoneConfig describes the zone the server is authoritative for.
type ZoneConfig struct {
	Name        string       // "trafficmanager.net"
	NameServers []string     // names of the NS records; empty: "ns1." + Name
	Addresses   []netip.Addr // of name servers inside the zone, answered as glue
	Mailbox     string       // of the SOA, as a name; empty: "hostmaster." + Name
	TTL         uint32       // of SOA, NS and glue, seconds; 0 means 3600
	NegativeTTL uint32       // how long a "no" may be cached, seconds; a failed-over name must not stay negative
	Keys        *Keys        // signs answers; nil: the zone is not signed
}

// Zone is a set of names. Set and Replace may be called while questions are answered.
type Zone struct {
	config  ZoneConfig
	wire    []byte // the name of the zone, lower case
	ns      []byte // NS records, owner is the question
	nsCount uint16

	mu     sync.Mutex // serialises writers
	table  atomic.Pointer[table]
	signed *signer
}

// table is what questions are looked up in; immutable.
type table struct {
	names  map[string]*entry
	index  index // over names
	serial uint32
	soa    []byte
	// signatures over what the apex answers; nil where the zone is not signed
	soaSig, nsSig, keySig []byte
}

// NewZone prepares an empty zone.
func NewZone(c ZoneConfig) (*Zone, error) {
	if c.TTL == 0 {
		c.TTL = 3600
	}
	if len(c.NameServers) == 0 {
		c.NameServers = []string{"ns1." + c.Name}
	}
	if c.Mailbox == "" {
		c.Mailbox = "hostmaster." + c.Name
	}
	z := &Zone{config: c}
	var err error
	if z.wire, err = wireName(c.Name); err != nil {
		return nil, err
	}
	for _, ns := range c.NameServers {
		w, err := wireName(ns)
		if err != nil {
			return nil, err
		}
		z.ns = append(appendHead(z.ns, ownerPointer, typeNS, c.TTL, len(w)), w...)
		z.nsCount++
	}
	if c.Keys != nil {
		if z.signed, err = newSigner(c.Keys, c.Name); err != nil {
			return nil, err
		}
	}
	return z, z.Replace(nil)
}

// Name is the zone's name, without a trailing dot.
func (z *Zone) Name() string { return strings.TrimSuffix(strings.ToLower(z.config.Name), ".") }

// Replace makes names (relative to the zone, in any case) all that the zone holds, in one step.
func (z *Zone) Replace(names map[string]*Node) error {
	z.mu.Lock()
	defer z.mu.Unlock()
	old := z.table.Load()
	t := &table{names: make(map[string]*entry, len(names)+2), serial: 1}
	if old != nil {
		t.serial = old.serial + 1
	}
	if err := z.fixed(t); err != nil {
		return err
	}
	for name, node := range names {
		if err := z.add(t, name, node); err != nil {
			return err
		}
	}
	return z.publish(t)
}

// Set changes one name; nil removes it. A name that is there already changes by one pointer.
func (z *Zone) Set(name string, node *Node) error {
	z.mu.Lock()
	defer z.mu.Unlock()
	w, err := wireName(name + "." + z.Name())
	if err != nil {
		return err
	}
	old := z.table.Load()
	if e, ok := old.names[string(w)]; ok && node != nil && e.role == ofProfile {
		if z.signed != nil {
			if node, err = z.signed.sign(node, w); err != nil {
				return err
			}
		}
		e.node.Store(node)
		return nil
	}
	t := &table{names: make(map[string]*entry, len(old.names)+1), serial: old.serial + 1}
	if node != nil {
		maps.Copy(t.names, old.names)
		if e := t.names[string(w)]; e != nil && e.role == inner {
			delete(t.names, string(w))
		}
		if err := z.add(t, name, node); err != nil {
			return err
		}
	} else {
		for k, e := range old.names {
			if k != string(w) && e.role != inner {
				t.names[k] = e
			}
		}
		for k := range t.names {
			z.addInner(t, []byte(k))
		}
	}
	return z.publish(t)
}

// SetApex gives the zone's own name addresses: a name that is delegated whole to this server, where no CNAME may stand. The
// tree must hold addresses alone. nil takes them away.
func (z *Zone) SetApex(node *Node) error {
	z.mu.Lock()
	defer z.mu.Unlock()
	if node.hasAlias() {
		return &tandem.Error{Op: "set apex of zone", Subject: z.Name(), Kind: tandem.Invalid, Err: fmt.Errorf("a CNAME cannot stand at the apex (RFC 1912 section 2.4)"), Remedy: "give addresses"}
	}
	if node != nil && z.signed != nil {
		var err error
		if node, err = z.signed.sign(node, z.wire); err != nil {
			return err
		}
	}
	z.table.Load().names[string(z.wire)].node.Store(node)
	return nil
}

// Lookup gives the tree of a name relative to the zone, nil where there is none.
func (z *Zone) Lookup(name string) *Node {
	w, err := wireName(name + "." + z.Name())
	if err != nil {
		return nil
	}
	if e := z.table.Load().names[string(w)]; e != nil && e.role != apex {
		return e.node.Load()
	}
	return nil
}

// Resign makes signatures anew that have grown old. Call it more often than once a day.
func (z *Zone) Resign() error {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.signed == nil {
		return nil
	}
	old := z.table.Load()
	for w, e := range old.names {
		node := e.node.Load()
		if node == nil {
			continue
		}
		signed, err := z.signed.sign(node, []byte(w))
		if err != nil {
			return err
		}
		e.node.Store(signed)
	}
	t := &table{names: old.names, index: old.index, serial: old.serial, soa: old.soa}
	if err := z.signed.signFixed(z, t); err != nil {
		return err
	}
	z.table.Store(t)
	return nil
}

// fixed adds the apex and the name servers' own addresses.
func (z *Zone) fixed(t *table) error {
	own := newEntry(z.wire)
	own.role = apex
	if old := z.table.Load(); old != nil {
		own.node.Store(old.names[string(z.wire)].node.Load())
	}
	t.names[string(z.wire)] = own
	if len(z.config.Addresses) == 0 {
		return nil
	}
	for _, ns := range z.config.NameServers {
		relative, inside := strings.CutSuffix(strings.TrimSuffix(strings.ToLower(ns), "."), "."+z.Name())
		if !inside {
			continue
		}
		records := make([]Record, len(z.config.Addresses))
		for i, a := range z.config.Addresses {
			records[i] = Record{Addr: a}
		}
		node, err := Leaf(z.config.TTL, records...)
		if err != nil {
			return err
		}
		if err := z.add(t, relative, node); err != nil {
			return err
		}
		w, _ := wireName(ns)
		t.names[string(w)].role = static
	}
	return nil
}

func (z *Zone) add(t *table, name string, node *Node) error {
	w, err := wireName(name + "." + z.Name())
	if err != nil {
		return err
	}
	if e := t.names[string(w)]; e != nil && e.role != inner {
		return &tandem.Error{Op: "add name to zone " + z.Name(), Subject: name, Kind: tandem.Exists, Err: fmt.Errorf("the zone uses the name itself or has it already"),
			Remedy: "choose another relative name"}
	}
	if z.signed != nil {
		if node, err = z.signed.sign(node, w); err != nil {
			return err
		}
	}
	e := newEntry(w)
	e.node.Store(node)
	t.names[string(w)] = e
	z.addInner(t, w)
	return nil
}

// addInner adds the names between w and the apex, which exist without records (RFC 8020).
func (z *Zone) addInner(t *table, w []byte) {
	for len(w) > len(z.wire) {
		w = w[int(w[0])+1:]
		if _, ok := t.names[string(w)]; !ok {
			e := newEntry(w)
			e.role = inner
			e.node.Store(NoData())
			t.names[string(w)] = e
		}
	}
}

func (z *Zone) publish(t *table) error {
	primary, _ := wireName(z.config.NameServers[0])
	mailbox, _ := wireName(z.config.Mailbox)
	t.soa = soaRecord(z.wire, primary, mailbox, t.serial, z.config.TTL, z.config.NegativeTTL)
	if z.signed != nil {
		if err := z.signed.signFixed(z, t); err != nil {
			return err
		}
	}
	t.index = newIndex(t.names)
	z.table.Store(t)
	return nil
}

// dotted gives the text of a wire name, without a trailing dot.
func dotted(w []byte) string {
	var b strings.Builder
	for len(w) > 0 && w[0] != 0 {
		n := int(w[0])
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.Write(w[1 : 1+n])
		w = w[1+n:]
	}
	return b.String()
}
