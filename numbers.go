package tandem

// Revision is the commit number of one store: it only grows, by one or more per commit. Revisions of two stores do not
// compare. Zero means "none" or, in a precondition, "absent".
type Revision int64

// Generation numbers one whole configuration of a service. A gateway serves exactly one generation per request (law 2);
// a restore makes the next one and swaps to it (law 3). The first generation is 1.
type Generation int64

// Epoch is the fencing number of a recovery group: the service that holds the newest one may accept management writes
// (law 4).
type Epoch int64

// Region is the name of an Azure region in its canonical form, for example "centralindia".
type Region string

// NormalRegion gives the canonical form of a region name: Azure accepts "Central India" for "centralindia".
func NormalRegion(name string) Region {
	out := make([]byte, 0, len(name))
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case c == ' ':
		case 'A' <= c && c <= 'Z':
			out = append(out, c+'a'-'A')
		default:
			out = append(out, c)
		}
	}
	return Region(out)
}
