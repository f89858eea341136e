package tiers

// Steps of a chart, made of rows.

import (
	"cmp"
	"math"
	"slices"

	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/store/rows"
)

// RangePoint is what a chart draws for one step: the points with start of step < T ≤ end of step.
type RangePoint struct {
	T                      int64   // end of the step, Unix milliseconds
	Min, Max, Value        float64 // of the values; Value is their mean
	Lower, Expected, Upper float64 // means of the band
	State                  model.State
	Score                  float64 // the largest
	Points                 int     // windows behind it
}

// Piece is a row of either tier.
type Piece struct {
	T int64     // end of the window or of the quarter of an hour
	N int       // windows behind it
	W [7]uint32 // min, max, mean, lower, expected, upper, state and score
}

// Steps returns the smallest multiple of unit that cuts span into at most `points` steps.
func Steps(span int64, points int, unit int64) int64 {
	if span <= 0 {
		return unit
	}
	n := (span + int64(points)*unit - 1) / (int64(points) * unit)
	return max(n, 1) * unit
}

// Pieces appends rows of a tier's slot that end within low < t ≤ high.
func Pieces(dst []Piece, which int, slot uint32, rows []uint32, low, high int64) []Piece {
	start := int64(slot) * Of[which].SlotMs
	k := Of[which].Words
	for ; len(rows) >= k; rows = rows[k:] {
		var p Piece
		if which == Full {
			p = Piece{start + int64(rows[0]), 1, [7]uint32{rows[1], rows[1], rows[1], rows[2], rows[3], rows[4], rows[5]}}
		} else {
			p = Piece{start + int64(rows[0]&0xffff+1)*CellMs, int(rows[0] >> 16), [7]uint32(rows[1:8])}
		}
		if p.T > low && p.T <= high {
			dst = append(dst, p)
		}
	}
	return dst
}

// UnderWay appends the quarter of an hour that has no cell yet, of its rows of the full tier, as one piece.
func UnderWay(dst []Piece, slot uint32, rows []uint32, low, high int64) []Piece {
	n := len(dst)
	dst = Pieces(dst, Full, slot, rows, low, high)
	for i := n; i < len(dst); i++ {
		// It belongs with the other points of its quarter, before and after its cell is made.
		dst[i].T = (dst[i].T + CellMs - 1) / CellMs * CellMs
		dst[i].N = 1
	}
	if len(dst)-n > 1 {
		dst = append(dst[:n], Join(dst[n:]))
	}
	return dst
}

// Merged sorts pieces by time and leaves out what is there twice.
func Merged(pieces []Piece) []Piece {
	slices.SortStableFunc(pieces, func(a, b Piece) int {
		return cmp.Or(cmp.Compare(a.T, b.T), cmp.Compare(a.N, b.N), slices.Compare(a.W[:], b.W[:]))
	})
	return slices.Compact(pieces)
}

// Join makes one Piece of several with the same end.
func Join(list []Piece) Piece {
	p := Fold(list, 1)[0]
	return Piece{list[0].T, p.Points, [7]uint32{rows.Word(p.Min), rows.Word(p.Max), rows.Word(p.Value), rows.Word(p.Lower), rows.Word(p.Expected), rows.Word(p.Upper), rows.StateWord(p.State, p.Score)}}
}

// Fold puts pieces, sorted by time, into steps.
func Fold(pieces []Piece, stepMs int64) []RangePoint {
	var out []RangePoint
	for len(pieces) > 0 {
		end := (pieces[0].T + stepMs - 1) / stepMs * stepMs
		p := RangePoint{T: end, Min: math.Inf(1), Max: math.Inf(-1), State: model.Normal}
		lo, hi := uint32(math.MaxUint32), uint32(0)
		var sums, weights [4]float64
		score := uint32(0)
		for len(pieces) > 0 && pieces[0].T <= end {
			q := &pieces[0]
			lo, hi = min(lo, q.W[0]), max(hi, q.W[1])
			for i := range sums {
				if v := rows.Number(q.W[2+i]); v == v {
					sums[i] += v * float64(q.N)
					weights[i] += float64(q.N)
				}
			}
			p.State = Worse(p.State, rows.StateOf(q.W[6]))
			score = max(score, q.W[6]&0xffffff)
			p.Points += q.N
			pieces = pieces[1:]
		}
		p.Min, p.Max, p.Score = rows.Number(lo), rows.Number(hi), rows.ScoreOf(score)
		// No number among them gives 0/0: no number.
		p.Value, p.Lower, p.Expected, p.Upper = sums[0]/weights[0], sums[1]/weights[1], sums[2]/weights[2], sums[3]/weights[3]
		out = append(out, p)
	}
	return out
}

// rank orders states by how much a reader wants to see them.
var rank = [8]uint8{model.Normal: 0, model.Learning: 1, model.Absent: 2, model.Drifting: 3, model.Low: 4, model.High: 5}

// Worse returns the one of two states that a reader wants to see more.
func Worse(a, b model.State) model.State {
	if rank[b&7] > rank[a&7] {
		return b
	}
	return a
}

// UpToPieces drops pieces beyond t, 0 = none: the file has them still.
func UpToPieces(pieces []Piece, which int, t int64) []Piece {
	if t == 0 {
		return pieces
	}
	return slices.DeleteFunc(pieces, func(p Piece) bool { return which == Full && p.T > t || which == Cells && p.T-CellMs >= t })
}
