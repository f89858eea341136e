package twin

import (
	"cmp"
	"maps"
	"slices"

	"github.com/wrackline/wrackline/baseline/codec"
)

const (
	stateVersion = 1
	hashLen      = 8
)

// Append writes the table's section:
//
//	version, askers: key, kind, where they are
//	series: asker + 1, and what they tell of
//	pairs, in order: askers, one, offset, bad, looks, next
func (t *Table) Append(w *codec.Writer) {
	w.Num(stateVersion)
	w.Num(len(t.askers))
	for i := range t.askers {
		a := &t.askers[i]
		w.Uint64(a.key)
		w.Byte(byte(a.kind))
		w.Num(int(a.Cluster))
		for _, x := range [...]string{a.port, a.Host, a.Namespace, a.Pod, a.Node} {
			w.Word(x)
		}
	}
	w.Num(len(t.told))
	for i := range t.told {
		x := &t.told[i]
		if w.Num(int(x.asker + 1)); x.asker != none {
			w.Uint64(x.thing)
		}
	}
	keys := slices.SortedFunc(maps.Keys(t.pairs), func(x, y pairKey) int { return cmp.Or(cmp.Compare(x.a, y.a), cmp.Compare(x.b, y.b)) })
	w.Num(len(keys))
	for _, k := range keys {
		p := t.pairs[k]
		w.Num(int(k.a))
		w.Num(int(k.b))
		w.Bool(p.one)
		w.Uint64(p.offset)
		w.Byte(p.bad)
		w.Byte(p.looks)
		w.Int(p.next)
	}
}

// Restore reads what Append wrote into a table that knows nothing. to has the present numbers of the series, none for those that are forgotten. Faults are the reader's.
func (t *Table) Restore(r *codec.Reader, to []uint32) {
	r.Section(stateVersion)
	for range r.Count(10) {
		a := asker{key: r.Uint64(), kind: Kind(r.Byte()), first: none, host: -1}
		a.Cluster = uint16(r.Num(1 << 15))
		for _, x := range [...]*string{&a.port, &a.Host, &a.Namespace, &a.Pod, &a.Node} {
			*x = r.Word()
		}
		if a.Machine = a.kind == Machine; a.kind >= Target {
			r.Fail()
		}
		t.askers = append(t.askers, a)
	}
	n := r.Count(1)
	if n > len(to) {
		r.Fail()
	}
	for range n {
		x := told{asker: r.Number(), next: none}
		if x.asker != none {
			x.thing = r.Uint64()
		}
		if r.Err() != nil || x.asker != none && int(x.asker) >= len(t.askers) {
			r.Fail()
			return
		}
		t.told = append(t.told, x)
	}
	for range r.Count(hashLen) {
		k := pairKey{uint32(r.Num(max(len(t.askers)-1, 0))), uint32(r.Num(max(len(t.askers)-1, 0)))}
		p := &pair{one: r.Bool(), offset: r.Uint64(), bad: r.Byte(), looks: r.Byte(), next: r.Time()}
		if k.a >= k.b || t.pairs[k] != nil || p.bad >= strikes || p.looks > looksMost {
			r.Fail()
			return
		}
		t.pairs[k] = p
	}
	if r.Err() == nil {
		t.Keep(to)
	}
}
