package replica

import "tandem/internal/snapshot"

// Apply gives the resources as they are to be in the target's region; nil changes nothing. A rule that names no resource is
// an error: it was meant to change something (law 10).
func (o *Overlay) Apply(all []snapshot.Resource) ([]snapshot.Resource, error) { return o.apply(all) }
