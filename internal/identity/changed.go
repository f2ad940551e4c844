package identity

import "tandem"

// Changed is the revision of the newest change that this Directory knows of. Another one that has seen as much, by the
// Revision of its Snapshot, decides as this one does.
func (d *Directory) Changed() tandem.Revision {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.newest
}
