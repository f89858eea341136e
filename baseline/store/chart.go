package store

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	bolt "go.etcd.io/bbolt"

	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/store/rows"
)

const (
	pointsDefault = 500
	pointsMost    = 20_000
	minuteMs      = 60_000
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

// piece is a row of either tier.
type piece struct {
	t int64 // end of the window or of the quarter of an hour
	n int
	w [7]uint32 // min, max, mean, lower, expected, upper, state and score
}

// Range returns the history of one signal with from < T ≤ to, cut at whole steps, in about `points` steps (0 = 500; at most one more) of stepMs each. Steps are whole
// minutes while full history reaches back to from, and whole quarters of an hour beyond; they end at multiples of stepMs
// since the Unix epoch. A step without points is left out. State is the worst and Score the largest of a step.
// An unknown signal has no points. With ErrDamaged, pts is what could be read. Safe for concurrent use.
func (r *Recorder) Range(id string, fromMs, toMs int64, points int) (pts []RangePoint, stepMs int64, err error) {
	if points <= 0 {
		points = pointsDefault
	}
	points = min(points, pointsMost)

	r.mu.Lock()
	t := r.byID[id]
	keep := max(0, r.newest-r.keepMs)
	full48 := int64(r.floor(full)) * tiers[full].slotMs
	fromMs, toMs = max(fromMs, keep), min(toMs, r.newest)
	which := full
	stepMs = steps(toMs-fromMs, points, minuteMs)
	if fromMs-fromMs%stepMs < full48 || stepMs >= cellMs { // the whole of the first step must be there
		which = cells
		stepMs = steps(toMs-fromMs, points, cellMs)
	}
	if t == nil || toMs <= fromMs {
		r.mu.Unlock()
		return nil, stepMs, nil
	}
	// Whole steps at the beginning, and of cells the whole of the last: a cell cannot be cut.
	low, high := fromMs-fromMs%stepMs, toMs
	if which == cells {
		high = (high + cellMs - 1) / cellMs * cellMs
	}
	// Memory first: what leaves it meanwhile is on disk by then, and what is met twice is left out below.
	pieces := r.inMemory(nil, t, which, low, high)
	number := t.number
	r.mu.Unlock()

	pieces, err = r.onDisk(pieces, number, which, low, high)
	slices.SortStableFunc(pieces, func(a, b piece) int {
		return cmp.Or(cmp.Compare(a.t, b.t), cmp.Compare(a.n, b.n), slices.Compare(a.w[:], b.w[:]))
	})
	pieces = slices.Compact(pieces)
	return fold(pieces, stepMs), stepMs, err
}

// steps returns the smallest multiple of unit that cuts span into at most `points` steps.
func steps(span int64, points int, unit int64) int64 {
	if span <= 0 {
		return unit
	}
	n := (span + int64(points)*unit - 1) / (int64(points) * unit)
	return max(n, 1) * unit
}

// toPieces appends rows of a tier's slot that end within low < t ≤ high.
func toPieces(dst []piece, which int, slot uint32, rows []uint32, low, high int64) []piece {
	start := int64(slot) * tiers[which].slotMs
	k := tiers[which].words
	for ; len(rows) >= k; rows = rows[k:] {
		var p piece
		if which == full {
			p = piece{start + int64(rows[0]), 1, [7]uint32{rows[1], rows[1], rows[1], rows[2], rows[3], rows[4], rows[5]}}
		} else {
			p = piece{start + int64(rows[0]&0xffff+1)*cellMs, int(rows[0] >> 16), [7]uint32(rows[1:8])}
		}
		if p.t > low && p.t <= high {
			dst = append(dst, p)
		}
	}
	return dst
}

// inMemory appends what memory has of a signal. The caller holds mu.
func (r *Recorder) inMemory(dst []piece, t *track, which int, low, high int64) []piece {
	var words []uint32
	scan := func(b *blocks) {
		for _, c := range b.chunks {
			for i, e := range c.list {
				if e.number != t.number {
					continue
				}
				if got, err := unpack(words[:0], c.block(i), which); err == nil {
					words = got
					dst = toPieces(dst, which, e.slot, words, low, high)
				}
			}
		}
	}
	if r.flight != nil {
		scan(&r.flight.blocks[which])
	}
	scan(&r.pending[which])
	o := t.open
	if o == nil {
		return dst
	}
	b := &o.block[which]
	dst = toPieces(dst, which, b.slot, r.rows(o, which), low, high)
	if which == cells {
		// The quarter under way.
		f := &o.block[full]
		n := len(dst)
		// `high` ends a quarter, so that the whole of it is wanted or nothing.
		dst = toPieces(dst, full, f.slot, r.rows(o, full)[int(o.celled)*6:], low, high)
		for i := n; i < len(dst); i++ {
			// It belongs with the other points of its quarter, before and after its cell is made.
			dst[i].t = (dst[i].t + cellMs - 1) / cellMs * cellMs
			dst[i].n = 1
		}
		if len(dst)-n > 1 {
			dst = append(dst[:n], join(dst[n:]))
		}
	}
	return dst
}

// onDisk appends what the file has of a signal.
func (r *Recorder) onDisk(dst []piece, number uint32, which int, low, high int64) ([]piece, error) {
	var damage error
	pack, local := number/packSignals, byte(number%packSignals)
	err := r.s.guard(func() error {
		return r.s.db.View(func(tx *bolt.Tx) error {
			b := tx.Bucket(historyBucket)
			if b == nil {
				return fmt.Errorf("%w: no history bucket", ErrDamaged)
			}
			var rows []uint32
			first := max(0, low) / tiers[which].slotMs
			for slot := first; slot <= max(0, high-1)/tiers[which].slotMs; slot++ {
				key := blockKey(which, uint32(slot), pack)
				record := b.Get(key)
				if record == nil {
					continue
				}
				p, err := payload(key, record)
				if err == nil {
					dst, rows, err = pick(dst, rows, p, local, which, uint32(slot), low, high)
				}
				if err != nil && damage == nil {
					damage = fmt.Errorf("history of slot %d: %w", slot, err)
				}
			}
			return nil
		})
	})
	if damage != nil {
		r.met(damage)
	}
	return dst, errors.Join(err, damage)
}

// pick decodes the blocks of one signal out of a record's payload. A nil local check means every block is decoded.
func pick(dst []piece, words []uint32, p []byte, local byte, which int, slot uint32, low, high int64) ([]piece, []uint32, error) {
	in := readerOf(p)
	for in.Left() > 0 {
		who := in.Byte()
		data := readSized(in)
		if in.Err() != nil {
			return dst, words, fmt.Errorf("%w: blocks of a slot overlap", ErrDamaged)
		}
		if who != local {
			continue
		}
		got, err := unpack(words[:0], data, which)
		if err != nil {
			return dst, words, err
		}
		words = got
		dst = toPieces(dst, which, slot, words, low, high)
	}
	return dst, words, nil
}

// unpack appends the rows of a sealed block to dst.
func unpack(dst []uint32, block []byte, which int) ([]uint32, error) {
	got, err := rows.Decode(dst, block, tiers[which].words, tiers[which].ramp)
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return got, err
}

// join makes one piece of several with the same end.
func join(list []piece) piece {
	p := fold(list, 1)[0]
	return piece{list[0].t, p.Points, [7]uint32{rows.Word(p.Min), rows.Word(p.Max), rows.Word(p.Value), rows.Word(p.Lower), rows.Word(p.Expected), rows.Word(p.Upper), rows.StateWord(p.State, p.Score)}}
}

// fold puts pieces, sorted by time, into steps.
func fold(pieces []piece, stepMs int64) []RangePoint {
	var out []RangePoint
	for len(pieces) > 0 {
		end := (pieces[0].t + stepMs - 1) / stepMs * stepMs
		p := RangePoint{T: end, Min: math.Inf(1), Max: math.Inf(-1), State: model.Normal}
		lo, hi := uint32(math.MaxUint32), uint32(0)
		var sums, weights [4]float64
		score := uint32(0)
		for len(pieces) > 0 && pieces[0].t <= end {
			q := &pieces[0]
			lo, hi = min(lo, q.w[0]), max(hi, q.w[1])
			for i := range sums {
				if v := rows.Number(q.w[2+i]); v == v {
					sums[i] += v * float64(q.n)
					weights[i] += float64(q.n)
				}
			}
			p.State = worse(p.State, rows.StateOf(q.w[6]))
			score = max(score, q.w[6]&0xffffff)
			p.Points += q.n
			pieces = pieces[1:]
		}
		p.Min, p.Max, p.Score = rows.Number(lo), rows.Number(hi), rows.ScoreOf(score)
		// No number among them gives 0/0: no number.
		p.Value, p.Lower, p.Expected, p.Upper = sums[0]/weights[0], sums[1]/weights[1], sums[2]/weights[2], sums[3]/weights[3]
		out = append(out, p)
	}
	return out
}

// Signals returns the ids that have history, in no particular order. Safe for concurrent use.
func (r *Recorder) Signals() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]string, 0, len(r.tracks))
	for _, t := range r.tracks {
		out = append(out, t.id)
	}
	return out
}

// oldestSlot returns the start of the oldest slot of a tier on disk in Unix milliseconds, 0 when there is none.
func oldestSlot(b *bolt.Bucket, which int) int64 {
	k, _ := b.Cursor().Seek([]byte{tiers[which].key})
	if len(k) != 9 || k[0] != tiers[which].key {
		return 0
	}
	return int64(binary.BigEndian.Uint32(k[1:])) * tiers[which].slotMs
}
