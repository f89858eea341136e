package store

import (
	"encoding/binary"
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"github.com/wrackline/wrackline/baseline/store/tiers"
)

const (
	pointsDefault = 500
	pointsMost    = 20_000
	minuteMs      = 60_000
)

// RangePoint is what a chart draws for one step.
type RangePoint = tiers.RangePoint

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
	keep := max(0, r.passed-r.keepMs)
	full48 := int64(r.floor(full)) * tiers.Of[full].SlotMs
	fromMs, toMs = max(fromMs, keep), min(toMs, r.newest)
	which := full
	stepMs = tiers.Steps(toMs-fromMs, points, minuteMs)
	if fromMs-fromMs%stepMs < full48 || stepMs >= cellMs { // the whole of the first step must be there
		which = cells
		stepMs = tiers.Steps(toMs-fromMs, points, cellMs)
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
	disk := r.gather(t, which, low, high)
	r.mu.Unlock()
	pieces, err := disk()
	return tiers.Fold(pieces, stepMs), stepMs, err
}

// Samples returns the history of one signal with fromMs < T ≤ toMs as fine as it is kept: each window as far back as full history reaches, and the quarters of an hour before, each with its end as T.
// Both are in the order of time. An unknown signal has none. With ErrDamaged they are what could be read. Safe for concurrent use.
func (r *Recorder) Samples(id string, fromMs, toMs int64) (quarters, windows []RangePoint, err error) {
	r.mu.Lock()
	t := r.byID[id]
	fromMs, toMs = max(fromMs, r.passed-r.keepMs, 0), min(toMs, r.newest)
	if t == nil || toMs <= fromMs {
		r.mu.Unlock()
		return nil, nil, nil
	}
	fine := int64(r.floor(full)) * tiers.Of[full].SlotMs // a whole slot, and so a whole quarter
	var later [2]func() ([]tiers.Piece, error)
	if fromMs < fine {
		later[cells] = r.gather(t, cells, fromMs, min(toMs, fine))
	}
	if toMs > fine {
		later[full] = r.gather(t, full, max(fromMs, fine), toMs)
	}
	r.mu.Unlock()
	var out [2][]RangePoint
	for which, disk := range later {
		if disk == nil {
			continue
		}
		pieces, e := disk()
		out[which], err = tiers.Fold(pieces, 1), errors.Join(err, e)
	}
	return out[cells], out[full], err
}

// gather takes what memory has of a signal, and returns what joins it with what the file has, in the order of time. The caller holds mu, and calls that without it. Memory goes first: what leaves it
// meanwhile is on disk by then, and what is met twice is left out.
func (r *Recorder) gather(t *track, which int, low, high int64) func() ([]tiers.Piece, error) {
	pieces := r.inMemory(nil, t, which, low, high)
	number, undone := t.number, earlier(r.undone, r.after)
	return func() ([]tiers.Piece, error) {
		disk, err := r.onDisk(nil, number, which, low, high)
		return tiers.Merged(append(pieces, tiers.UpToPieces(disk, which, undone)...)), err
	}
}

// inMemory appends what memory has of a signal. The caller holds mu.
func (r *Recorder) inMemory(dst []tiers.Piece, t *track, which int, low, high int64) []tiers.Piece {
	if r.flight != nil {
		dst = tiers.UpToPieces(r.flight.blocks[which].Pieces(dst, which, t.number, low, high), which, r.after)
	}
	dst = r.pending[which].Pieces(dst, which, t.number, low, high)
	o := t.open
	if o == nil {
		return dst
	}
	b := &o.block[which]
	dst = tiers.Pieces(dst, which, b.slot, r.rows(o, which), low, high)
	if which == cells { // `high` ends a quarter, so that the whole of the one under way is wanted or nothing
		f := &o.block[full]
		dst = tiers.UnderWay(dst, f.slot, r.rows(o, full)[int(o.celled)*6:], low, high)
	}
	return dst
}

// onDisk appends what the file has of a signal.
func (r *Recorder) onDisk(dst []tiers.Piece, number uint32, which int, low, high int64) ([]tiers.Piece, error) {
	var damage error
	pack, local := number/packSignals, byte(number%packSignals)
	err := r.s.guard(func() error {
		return r.s.db.View(func(tx *bolt.Tx) error {
			b := tx.Bucket(historyBucket)
			if b == nil {
				return fmt.Errorf("%w: no history bucket", ErrDamaged)
			}
			var rows []uint32
			first := max(0, low) / tiers.Of[which].SlotMs
			for slot := first; slot <= max(0, high-1)/tiers.Of[which].SlotMs; slot++ {
				key := blockKey(which, uint32(slot), pack)
				record := b.Get(key)
				if record == nil {
					continue
				}
				p, err := payload(key, record)
				if err == nil {
					dst, rows, err = tiers.Pick(dst, rows, readerOf(p), local, which, uint32(slot), low, high)
				}
				if err != nil && damage == nil {
					damage = fmt.Errorf("history of slot %d: %w", slot, errors.Join(ErrDamaged, err))
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
	k, _ := b.Cursor().Seek([]byte{tiers.Of[which].Key})
	if len(k) != 9 || k[0] != tiers.Of[which].Key {
		return 0
	}
	return int64(binary.BigEndian.Uint32(k[1:])) * tiers.Of[which].SlotMs
}
