package store

// Cells: a quarter of an hour of points in one row.

import (
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/store/rows"
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
	start := int64(b.slot) * tiers[full].slotMs
	quarter := (start + int64(fresh[0]) - 1) / cellMs
	slot := uint32(quarter * cellMs / tiers[cells].slotMs)
	n := len(fresh) / 6
	lo, hi := fresh[1], fresh[1]
	worst, score := model.Normal, uint32(0)
	var sums [4]float64
	for ; len(fresh) > 0; fresh = fresh[6:] {
		lo, hi = min(lo, fresh[1]), max(hi, fresh[1])
		for i := range sums {
			sums[i] += rows.Number(fresh[1+i])
		}
		worst = worse(worst, rows.StateOf(fresh[5]))
		score = max(score, fresh[5]&0xffffff)
	}
	inv := 1 / float64(n)
	var out [8]uint32
	out[0] = uint32(quarter%(tiers[cells].slotMs/cellMs)) | uint32(n)<<16
	out[1], out[2], out[3] = lo, hi, rows.Word(sums[0]*inv)
	out[4], out[5], out[6] = rows.Word(sums[1]*inv), rows.Word(sums[2]*inv), rows.Word(sums[3]*inv)
	out[7] = uint32(worst)<<24 | score
	c := &o.block[cells]
	if c.n > 0 && (slot != c.slot || int(c.n) == tiers[cells].rows) {
		r.seal(t, cells)
	}
	c.slot = slot
	r.pushCell(o, out)
}

// rank orders states by how much a reader wants to see them.
var rank = [8]uint8{model.Normal: 0, model.Learning: 1, model.Absent: 2, model.Drifting: 3, model.Low: 4, model.High: 5}

func worse(a, b model.State) model.State {
	if rank[b&7] > rank[a&7] {
		return b
	}
	return a
}
