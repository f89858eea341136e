// Package spelling knows series as senders spell them: which number of a series, and of which replica, the hash of some label bytes stands for. It holds no labels.
package spelling

import (
	"github.com/wrackline/wrackline/baseline/codec"
	"github.com/wrackline/wrackline/baseline/replica"
	"github.com/wrackline/wrackline/baseline/series"
)

const (
	version = 1
	none    = codec.None
)

// Key is a series as a sender spells it, in order of arrival: a scrape repeats its order, so the key that followed last time is nearly always the one that follows now, and
// finding it is a walk through memory.
type Key struct {
	Hash    uint64
	Series  uint32 // its number, none = nobody needs it
	Next    uint32 // the key that followed last time
	Replica uint16
	Seen    byte // epoch in which it was last seen
}

// Table holds keys. Call Reset before use.
type Table struct {
	List []Key // in order of arrival
	at   series.Index
}

// Reset forgets all keys and makes room for n.
func (t *Table) Reset(n int) {
	t.List = nil
	if n > 0 {
		t.List = make([]Key, 0, n)
	}
	t.at.Reset(n)
}

// Find returns the number of the key with the hash, none when it is not known.
func (t *Table) Find(hash uint64) uint32 {
	return t.at.Find(hash, func(i uint32) bool { return t.List[i].Hash == hash })
}

func (t *Table) hash(i uint32) uint64 { return t.List[i].Hash }

// Add adds a key that is not known, after which a new one is expected, and returns its number.
func (t *Table) Add(k Key) uint32 {
	at := uint32(len(t.List))
	k.Next = at + 1
	t.List = append(t.List, k)
	t.at.Put(at, t.hash)
	return at
}

// Keep forgets the keys for which ok returns false; it may change the others. They close ranks.
func (t *Table) Keep(ok func(k *Key) bool) {
	kept := t.List[:0]
	for i := range t.List {
		if k := &t.List[i]; ok(k) {
			k.Next = uint32(len(kept)) + 1
			kept = append(kept, *k)
		}
	}
	t.List = kept
	t.at.Fill(len(t.List), t.hash)
}

// What the code of a key says besides the step from the series that was expected, which is the one after that of the key before.
const (
	CodeReplica = 1 << iota // its replica is another than that of the key before, and follows
	CodeIgnored             // it has no series
	CodeStep    = iota      // bits before the step
)

// Append writes the section of keys, in order of arrival, so that the key that follows is right at once: hash, code, replica when it is another, and age. That is 10 bytes a
// key nearly always. name tells keys of this kind from others.
func (t *Table) Append(w *codec.Writer, name series.Print, epoch byte) {
	w.Num(version)
	w.Bytes(name[:])
	w.Num(len(t.List))
	expected, rep := int64(0), uint16(0)
	for i := range t.List {
		k := &t.List[i]
		code := int64(CodeIgnored)
		if k.Series != none {
			code = (int64(k.Series) - expected) << CodeStep
			expected = int64(k.Series) + 1
		}
		other := k.Replica != rep
		if other {
			code |= CodeReplica
		}
		w.Uint64(k.Hash)
		w.Int(code)
		if other {
			rep = k.Replica
			w.Num(int(rep))
		}
		w.Byte(epoch - k.Seen)
	}
}

// Restore reads what Append wrote, where no key is known. to has the present numbers of the series. Left out are keys for which ok returns false, and all when they are of another name or more
// than most. Faults are the reader's.
func (t *Table) Restore(r *codec.Reader, name series.Print, epoch byte, to []uint32, most int, ok func(k *Key) bool) {
	r.Section(version)
	same := r.Print() == name
	n := r.Count(10)
	if same = same && n <= most; same {
		t.Reset(n)
	}
	expected, rep := int64(0), 0
	var k Key
	for range n {
		k = Key{Hash: r.Uint64(), Series: none}
		code := r.Int()
		if code&CodeReplica != 0 {
			rep = r.Num(replica.NamesMost)
		}
		k.Replica, k.Seen = uint16(rep), epoch-r.Byte()
		if step := code >> CodeStep; code&CodeIgnored == 0 {
			if expected += step; r.Err() != nil || expected < 0 || expected >= int64(len(to)) {
				r.Fail()
				return
			}
			k.Series = to[expected]
			expected++
		} else if step != 0 {
			r.Fail()
		}
		if !same || !ok(&k) {
			continue
		}
		if r.Err() != nil || t.Find(k.Hash) != none {
			r.Fail()
			return
		}
		t.Add(k)
	}
}
