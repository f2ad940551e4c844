package identity

import "tandem/internal/keys"

var _ Sealer = (*keys.Master)(nil)
