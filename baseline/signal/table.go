package signal

import (
	"hash/maphash"

	"github.com/wrackline/wrackline/baseline/series"
)

// labelTable interns label sets. Ids are dense, from 0; id 0 is the empty set. Ids follow the order of first use, so two tables
// fed alike agree. A table only grows: to shed the labels of dead series, make a new one and intern the live ones again; plan
// states notice that the table is another and forget what they memorised (results depend on the order of elements, never on ids).
// Not for concurrent use: evaluation writes to it too.
type labelTable struct {
	seed  maphash.Seed
	sets  []series.Labels
	head  map[uint64]uint32 // hash → newest id with it, +1
	next  []uint32          // id → older id with the same hash, +1
	words map[string]string // every name and value once

	projections map[string]*projection // by spec; see lset.go
	bounds      []uint64               // le as number, by id
	slots       []slot                 // scratch of one evaluation node at a time, by id
	epoch       uint32
	work        scratch
}

func newLabelTable() *labelTable {
	t := &labelTable{seed: maphash.MakeSeed(), head: map[uint64]uint32{}, words: map[string]string{}, projections: map[string]*projection{}}
	t.intern(nil)
	return t
}

// intern returns the id of l, which must be sorted by name and hold no empty values. l is copied when it is new.
func (t *labelTable) intern(l series.Labels) uint32 {
	h := t.hash(l)
	for id := t.head[h]; id != 0; id = t.next[id-1] {
		if equalLabels(t.sets[id-1], l) {
			return id - 1
		}
	}
	id := uint32(len(t.sets))
	own := make(series.Labels, len(l))
	for i := range l {
		own[i] = series.Label{Name: t.word(l[i].Name), Value: t.word(l[i].Value)}
	}
	t.sets = append(t.sets, own)
	t.next = append(t.next, t.head[h])
	t.head[h] = id + 1
	return id
}

// labels returns the set with the id. It is borrowed and must not be changed.
func (t *labelTable) labels(id uint32) series.Labels { return t.sets[id] }

// len returns the number of sets.
func (t *labelTable) len() int { return len(t.sets) }

func (t *labelTable) word(s string) string {
	if w, ok := t.words[s]; ok {
		return w
	}
	// A clone: the sender's string may be a small part of a large one.
	w := string(append([]byte(nil), s...))
	t.words[w] = w
	return w
}

func (t *labelTable) hash(l series.Labels) uint64 {
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
