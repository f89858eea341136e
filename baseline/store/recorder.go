package store

import (
	"errors"
	"sync"

	"github.com/VictoriaMetrics/metrics"

	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/store/rows"
	"github.com/wrackline/wrackline/baseline/store/tiers"
)

// Chart history has two tiers. "Full" keeps every point for 48 hours, "cells" keeps one cell for each quarter of an hour for
// as long as Options.RetentionMs says. Both are written in blocks: half an hour of points, four hours of cells. The blocks of
// one such slot lie together, 32 signals in a record. So writing is dense and happens once a slot, forgetting is dense, and
// reading one signal touches one record a slot. The alternative, a run of records for each signal, reads fewer pages but rewrites
// a page of 4 KiB for 300 bytes of each signal.
//
// What has no full block yet is open: in memory, with the rows that the last save has not seen appended to a "tail" record at
// each save. A start reads the tails back. Every save writes everything pending, so the file always holds the Recorder as it
// stood at that save, and a replayed journal, which brings points again, changes nothing: points up to the newest are ignored.

const (
	full, cells, cellMs = tiers.Full, tiers.Cells, tiers.CellMs

	fullKeepMs = 48 * 3600_000

	packSignals = 32        // signals in one record of sealed blocks
	lastSignals = 256       // signals in one record of seals
	pendingMax  = 64 << 20  // bytes of pending blocks in memory; beyond it they are written without waiting for a checkpoint
	signalsMax  = 1 << 20   // signals with history; beyond it new ones get none
	indexMax    = 1 << 24   // an Add with an index beyond it is looked up by id
	tailMax     = recordMax // bytes of one record of a tail: a size that leaves fitting holes

	idleSaves   = 10           // a signal without points for so many saves …
	idleFullMs  = 3600_000     // … and so far behind the newest has its open points sealed
	idleCellsMs = 5 * 3600_000 // … and its open cells
)

// Recorder keeps chart history. Add is for the fold; Range may be called by anyone at any time.
type Recorder struct {
	s          *Store
	fullKeepMs int64
	keepMs     int64
	pendingMax int
	tight      int64 // ms of history that is kept for want of room; 0 = there is room. Guarded by mu

	mu      sync.Mutex // guards what follows
	byIndex []*track
	byID    map[string]*track
	tracks  []*track // by number, rising
	fresh   []*track // whose name no save has taken yet
	number  uint32   // of the next new signal
	seq     uint64   // of the next save
	newest  int64    // T of the newest point of all
	passed  int64    // newest, or what lies between, where it took a leap: by this is counted what is too old to be kept
	pending [2]tiers.Sealed
	flight  *pendingSave    // being written
	undone  int64           // what the file has beyond it is void, see Undo; 0 = nothing is
	after   int64           // the same of what flight has
	seals   map[uint32]bool // number / lastSignals: seals that no save has taken yet
	free    []*tiers.Chunk
	damage  string          // of the last damaged record met
	scratch [wordsOf]uint32 // of rows that are decoded

	points, replayed, refused, lost int64
}

// track is what the Recorder knows of one signal.
type track struct {
	id       string
	number   uint32
	gone     bool      // forgotten: look it up again
	last     int64     // T of its newest point
	sealedT  int64     // the same, of its sealed blocks
	sealedAt [2]uint64 // the save that takes its newest sealed block, by tier: older tails hold nothing open of it
	touched  uint64    // the save after its last Add
	open     *openRows // nil when nothing is
}

func newRecorder(s *Store) *Recorder {
	return &Recorder{s: s, fullKeepMs: fullKeepMs, keepMs: s.opts.RetentionMs, pendingMax: pendingMax,
		byID: map[string]*track{}, seals: map[uint32]bool{}, seq: 1}
}

// Point is one judged window as charts need it, in the signal's unit.
type Point struct {
	T                             int64 // end of the window, Unix milliseconds
	Value, Lower, Expected, Upper float64
	State                         model.State
	Score                         float64 // 1 = alarm
}

// Add records one point of the signal id. index is its number in the engine, for speed. Points of a signal come in the order
// of time: those up to its newest, which a replayed journal brings again, are ignored. When more than 64 MiB are pending they
// are written at once; should that fail, the oldest are dropped and counted.
func (r *Recorder) Add(index uint32, id string, p Point) {
	r.mu.Lock()
	t := r.track(index, id)
	if t == nil || p.T <= 0 || p.T > tMax {
		r.refused++
		r.mu.Unlock()
		return
	}
	if p.T <= t.last {
		r.replayed++
		r.mu.Unlock()
		return
	}
	t.last = p.T
	t.touched = r.seq
	r.pass(p.T)
	r.points++
	o := t.open
	if o == nil {
		o = new(openRows)
		t.open = o
	}
	slot := uint32((p.T - 1) / tiers.Of[full].SlotMs)
	start := int64(slot) * tiers.Of[full].SlotMs
	b := &o.block[full]
	if b.n > 0 {
		if slot != b.slot || int(b.n) == tiers.Of[full].Rows {
			r.seal(t, full)
		} else if (p.T-1)/cellMs != (start+int64(o.last[0])-1)/cellMs {
			r.makeCell(t)
		}
	}
	b.slot = slot
	o.pushFull([6]uint32{uint32(p.T - start), rows.Word(p.Value), rows.Word(p.Lower), rows.Word(p.Expected), rows.Word(p.Upper), rows.StateWord(p.State, p.Score)})
	over := r.pending[full].Bytes+r.pending[cells].Bytes > r.pendingMax
	r.mu.Unlock()
	if over {
		r.overflow()
	}
}

// leapMs is the most that time passes at once as far as the age of history is concerned, halved: a clock that is wrong for an hour must not make all of it too old. After a true gap it
// goes on twice as fast as points do.
const leapMs = 5 * 60_000

// pass notes the time of a point. The caller holds mu.
func (r *Recorder) pass(t int64) {
	if t <= r.newest {
		return
	}
	if r.passed == 0 {
		r.passed = t
	}
	r.passed = min(t, r.passed+2*min(t-r.newest, leapMs))
	r.newest = t
}

// tMax is the last T that slots can number.
const tMax = int64(1) << 52

// track finds or makes the signal's track. It returns nil when there are too many.
func (r *Recorder) track(index uint32, id string) *track {
	if int(index) < len(r.byIndex) {
		if t := r.byIndex[index]; t != nil && !t.gone && t.id == id {
			return t
		}
	}
	t := r.byID[id]
	if t == nil {
		if len(r.byID) >= signalsMax || len(id) > idMax || id == "" {
			return nil
		}
		t = &track{id: id, number: r.number}
		r.number++
		r.byID[id] = t
		r.tracks = append(r.tracks, t)
		r.fresh = append(r.fresh, t)
	}
	if index < indexMax {
		for len(r.byIndex) <= int(index) {
			r.byIndex = append(r.byIndex, nil)
		}
		r.byIndex[index] = t
	}
	return t
}

// met counts a damaged record of the history that a reader came upon.
func (r *Recorder) met(err error) {
	if !errors.Is(err, ErrDamaged) {
		return
	}
	historyDamaged.Inc()
	r.s.log.Error("a record of the chart history is damaged and is left out", "path", r.s.path, "err", err)
	r.mu.Lock()
	r.damage = err.Error()
	r.mu.Unlock()
}

var (
	roomsMade      = metrics.NewCounter("wrackline_store_rooms_made_total")
	historyLost    = metrics.NewCounter("wrackline_store_history_lost_points_total")
	historyDamaged = metrics.NewCounter("wrackline_store_history_damaged_records_total")
	historyFlushes = metrics.NewCounter("wrackline_store_history_flushes_total")
)
