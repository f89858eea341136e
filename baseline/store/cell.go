package store

// Cells: a quarter of an hour of points in one row.

import (
	"github.com/wrackline/wrackline/baseline/store/tiers"
)

// makeCell sums up the points since the last cell.
func (r *Recorder) makeCell(t *track) {
	o := t.open
	b := &o.block[full]
	if o.celled == b.n {
		return
	}
	fresh := r.rows(o, full)[int(o.celled)*6:]
	o.celled = b.n
	slot, out := tiers.Cell(b.slot, fresh)
	c := &o.block[cells]
	if c.n > 0 && (slot != c.slot || int(c.n) == tiers.Of[cells].Rows) {
		r.seal(t, cells)
	}
	c.slot = slot
	r.pushCell(o, out)
}
