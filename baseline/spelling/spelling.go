// Package spelling knows series as senders spell them: which number of a series, and of which replica, the hash of some label bytes stands for. It holds no labels.
package spelling

import (
	"strconv"

	"github.com/wrackline/wrackline/baseline/codec"
	"github.com/wrackline/wrackline/baseline/replica"
	"github.com/wrackline/wrackline/baseline/series"
)

const (
	version  = 2 // 1 did not say who sends a key
	none     = codec.None
	NoSender = 0xffff // of a key: nobody knows
)

// One writes bounds of buckets and quantiles in one way: Prometheus 3 sends le="1.0" where older ones send what the target says, 1 or 1e0, and two of a pair are not
// updated at once.
func One(l series.Labels) {
	for i := range l {
		if n := l[i].Name; n == "le" || n == "quantile" {
			if x, err := strconv.ParseFloat(l[i].Value, 64); err == nil {
				l[i].Value = strconv.FormatFloat(x, 'g', -1, 64)
			}
		}
	}
}

// Key is a series as a sender spells it, in order of arrival: a scrape repeats its order, so the key that followed last time is nearly always the one that follows now, and
// finding it is a walk through memory.
type Key struct {
	Hash    uint64
	Series  uint32 // its number, none = nobody needs it
	Next    uint32 // the key that followed last time
	Replica uint16
	Sender  uint16 // whose it is, NoSender = not known
	Seen    byte   // epoch in which it was last seen
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
	CodeSender              // its sender is another, and follows; not in version 1
	CodeStep    = iota      // bits before the step
)

// Append writes the section of keys, in order of arrival, so that the key that follows is right at once: hash, code, replica and sender when they are others, and age. That is 10 bytes a
// key nearly always. name tells keys of this kind from others.
func (t *Table) Append(w *codec.Writer, name series.Print, epoch byte) {
	w.Num(version)
	w.Bytes(name[:])
	w.Num(len(t.List))
	expected, rep, sender := int64(0), uint16(0), uint16(0)
	for i := range t.List {
		k := &t.List[i]
		code := int64(CodeIgnored)
		if k.Series != none {
			code = (int64(k.Series) - expected) << CodeStep
			expected = int64(k.Series) + 1
		}
		other, by := k.Replica != rep, k.Sender != sender
		if other {
			code |= CodeReplica
		}
		if by {
			code |= CodeSender
		}
		w.Uint64(k.Hash)
		w.Int(code)
		if other {
			rep = k.Replica
			w.Num(int(rep))
		}
		if by {
			sender = k.Sender
			w.Num(int(sender))
		}
		w.Byte(epoch - k.Seen)
	}
}

// Restore reads what Append wrote, where no key is known. to has the present numbers of the series, senders says how many senders there are. Left out are keys for which ok returns false, and all when they are of another name or more
// than most. Faults are the reader's.
func (t *Table) Restore(r *codec.Reader, name series.Print, epoch byte, to []uint32, senders, most int, ok func(k *Key) bool) {
	step, sender := CodeStep, 0
	if r.Section(version) == 1 {
		step, sender = CodeStep-1, NoSender
	}
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
		if step == CodeStep && code&CodeSender != 0 {
			if sender = r.Num(NoSender); sender != NoSender && sender >= senders {
				r.Fail()
			}
		}
		k.Replica, k.Sender, k.Seen = uint16(rep), uint16(sender), epoch-r.Byte()
		if step := code >> step; code&CodeIgnored == 0 {
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
