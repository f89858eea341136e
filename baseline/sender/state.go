package sender

import (
	"math"

	"github.com/wrackline/wrackline/baseline/codec"
	"github.com/wrackline/wrackline/baseline/tally"
)

// Append writes the senders as a version of the stream's state has them, 8 or newer.
func (b *Book) Append(w *codec.Writer, version int) {
	w.Num(len(b.List))
	for _, n := range b.List {
		n.append(w, version)
	}
}

func (n *Sender) append(w *codec.Writer, version int) {
	w.Word(n.Name)
	w.Word(n.Fixed)
	w.Word("") // until format 8 it was decided here where a sender's series belong
	w.Word(n.Replica)
	w.Bool(false)
	w.Num(0)
	w.Num(0)
	for _, c := range n.counters() {
		w.Int(*c)
	}
	n.Late.Append(w, version >= 11)
	if version >= 9 {
		w.Int(n.UsedMs)
	}
	if version >= 12 {
		w.Int(n.Yielded)
		w.Num(int(n.Twin))
	}
}

func (n *Sender) counters() []*int64 {
	return []*int64{&n.Samples, &n.Needed, &n.Accepted, &n.Duplicate, &n.Tardy, &n.Rejected, &n.FirstMs, &n.LastMs, &n.LastT}
}

// Restore reads what Append wrote, where nobody is known. Faults are the reader's.
func (b *Book) Restore(r *codec.Reader, version int) {
	for range r.Count(10) {
		if len(b.List) >= math.MaxUint16 {
			r.Fail()
			return
		}
		b.restore(r, version)
	}
	for _, n := range b.List {
		if n.Twin != None && int(n.Twin) >= len(b.List) {
			r.Fail()
		}
	}
}

func (b *Book) restore(r *codec.Reader, version int) {
	n, _ := b.add(r.Word(), r.Word())
	n.Past.Major, n.Replica, n.Past.Done = r.Word(), r.Word(), r.Bool()
	for range r.Count(17) { // its first series
		r.Print()
		r.Word()
	}
	for range r.Count(3) {
		own := r.Word()
		if r.Num(math.MaxInt32); r.Bool() && r.Err() == nil {
			n.Past.Real = append(n.Past.Real, own)
		}
	}
	for _, c := range n.counters() {
		*c = r.Int()
	}
	n.UsedMs = n.LastMs
	if version < 6 {
		n.Late.Anew(tally.Arrivals{Needed: n.Needed, Late: n.Tardy})
		return
	}
	n.Late.Restore(r, version >= 11)
	if version >= 9 {
		n.UsedMs = r.Int()
	}
	if version >= 12 {
		n.Yielded, n.Twin = r.Int(), uint16(r.Num(None))
	}
}
