// Package tiers is what chart history is made of: rows of two tiers in slots of time, blocks of them, and the steps of a chart. It is arithmetic that knows no file.
package tiers

import (
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/store/rows"
)

// Tier says how a tier of rows lies.
type Tier struct {
	Name   string
	SlotMs int64
	Rows   int    // most rows in a block
	Words  int    // in a row
	Ramp   uint32 // usual step of a row's first word
	Key    byte   // of sealed records
	Tail   byte   // of tails
}

// Of are the two tiers.
//
// Rows of the full tier: T after the slot's start in ms, value, lower, expected, upper, state and score.
// Rows of the cells: number of the cell in its slot | points<<16, min, max, mean, lower, expected, upper, state and score.
var Of = [2]Tier{
	Full:  {"full", 30 * 60_000, 32, 6, 60_000, 'f', 't'},
	Cells: {"cells", 4 * 3600_000, 16, 8, 1, 'c', 'u'},
}

// Indexes of Of, and how long a cell is in milliseconds.
const (
	Full   = 0
	Cells  = 1
	CellMs = 15 * 60_000
)

// Stays reports whether a row is of a time up to t. A cell that has begun by then is kept: most of it, as a rule all, is.
func Stays(which int, slot, first uint32, t int64) bool {
	start := int64(slot) * Of[which].SlotMs
	if which == Full {
		return start+int64(first) <= t
	}
	return start+int64(first&0xffff)*CellMs < t
}

// UpTo keeps the rows of a block of a time up to t, in place.
func UpTo(list []uint32, which int, slot uint32, t int64) []uint32 {
	k := Of[which].Words
	kept := list[:0]
	for ; len(list) >= k; list = list[k:] {
		if Stays(which, slot, list[0], t) {
			kept = append(kept, list[:k]...)
		}
	}
	return kept
}

// Cell sums up rows of the full tier of one quarter of an hour, and returns the row of their cell and its slot. There must be one.
func Cell(slot uint32, fresh []uint32) (of uint32, out [8]uint32) {
	start := int64(slot) * Of[Full].SlotMs
	quarter := (start + int64(fresh[0]) - 1) / CellMs
	n := len(fresh) / 6
	lo, hi := fresh[1], fresh[1]
	worst, score := model.Normal, uint32(0)
	var sums [4]float64
	for ; len(fresh) > 0; fresh = fresh[6:] {
		lo, hi = min(lo, fresh[1]), max(hi, fresh[1])
		for i := range sums {
			sums[i] += rows.Number(fresh[1+i])
		}
		worst = Worse(worst, rows.StateOf(fresh[5]))
		score = max(score, fresh[5]&0xffffff)
	}
	inv := 1 / float64(n)
	out[0] = uint32(quarter%(Of[Cells].SlotMs/CellMs)) | uint32(n)<<16
	out[1], out[2], out[3] = lo, hi, rows.Word(sums[0]*inv)
	out[4], out[5], out[6] = rows.Word(sums[1]*inv), rows.Word(sums[2]*inv), rows.Word(sums[3]*inv)
	out[7] = uint32(worst)<<24 | score
	return uint32(quarter * CellMs / Of[Cells].SlotMs), out
}
