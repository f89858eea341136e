package promql

import (
	"hash/maphash"
	"math"
	"strconv"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/wrackline/wrackline/baseline/series"
)

// Table interns label sets. Ids are dense, from 0; id 0 is the empty set. Ids follow the order of first use, so two tables
// fed alike agree. A table only grows: to shed the labels of dead series, make a new one and intern the live ones again; plan
// states notice that the table is another and forget what they memorised (results depend on the order of elements, never on ids).
// Not for concurrent use: evaluation writes to it too.
type Table struct {
	seed  maphash.Seed
	sets  []series.Labels
	head  map[uint64]uint32 // hash → newest id with it, +1
	next  []uint32          // id → older id with the same hash, +1
	words map[string]string // every name and value once

	projections map[string]*projection // by spec; see projection.go
	bounds      []uint64               // le as number, by id
	slots       []slot                 // scratch of one evaluation node at a time, by id
	epoch       uint32
	Work        Scratch // of evaluations over this table
}

// NewTable returns a table that holds the empty set alone.
func NewTable() *Table {
	t := &Table{seed: maphash.MakeSeed(), head: map[uint64]uint32{}, words: map[string]string{}, projections: map[string]*projection{}}
	t.Intern(nil)
	return t
}

// Intern returns the id of l, which must be sorted by name and hold no empty values. l is copied when it is new.
func (t *Table) Intern(l series.Labels) uint32 {
	h := t.hash(l)
	for id := t.head[h]; id != 0; id = t.next[id-1] {
		if equalLabels(t.sets[id-1], l) {
			return id - 1
		}
	}
	id := uint32(len(t.sets))
	own := make(series.Labels, len(l))
	for i := range l {
		own[i] = series.Label{Name: t.Word(l[i].Name), Value: t.Word(l[i].Value)}
	}
	t.sets = append(t.sets, own)
	t.next = append(t.next, t.head[h])
	t.head[h] = id + 1
	return id
}

// Labels returns the set with the id. It is borrowed and must not be changed.
func (t *Table) Labels(id uint32) series.Labels { return t.sets[id] }

// Len returns the number of sets.
func (t *Table) Len() int { return len(t.sets) }

// Word returns s, held once however often it is asked for.
func (t *Table) Word(s string) string {
	if w, ok := t.words[s]; ok {
		return w
	}
	// A clone: the sender's string may be a small part of a large one.
	w := string(append([]byte(nil), s...))
	t.words[w] = w
	return w
}

func (t *Table) hash(l series.Labels) uint64 {
	var h maphash.Hash
	h.SetSeed(t.seed)
	for i := range l {
		h.WriteString(l[i].Name)
		h.WriteByte(0xff) // not in UTF-8, so names and values cannot run together
		h.WriteString(l[i].Value)
		h.WriteByte(0xff)
	}
	return h.Sum64()
}

func equalLabels(a, b series.Labels) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// bound returns le of a label set as a number, if it is one. Answers are remembered: parsing is the dear part.
func (t *Table) bound(ls uint32) (float64, bool) {
	for int(ls) >= len(t.bounds) { // 0 is no answer yet: bounds are kept as their bits + 1
		t.bounds = append(t.bounds, make([]uint64, len(t.sets)-len(t.bounds))...)
	}
	if t.bounds[ls] == 0 {
		v, err := strconv.ParseFloat(t.Labels(ls).Get(labels.BucketLabel), 64)
		if err != nil {
			v = math.NaN()
		}
		t.bounds[ls] = math.Float64bits(v) + 1
	}
	v := math.Float64frombits(t.bounds[ls] - 1)
	return v, !math.IsNaN(v)
}
