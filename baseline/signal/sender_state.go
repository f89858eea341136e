package signal

import (
	"math"

	"github.com/wrackline/wrackline/baseline/codec"
	"github.com/wrackline/wrackline/baseline/tally"
)

func (n *sender) append(w *codec.Writer, version int) {
	w.Word(n.name)
	w.Word(n.fixed)
	w.Word("") // until format 8 it was decided here where a sender's series belong
	w.Word(n.replica)
	w.Bool(false)
	w.Num(0)
	w.Num(0)
	for _, c := range n.counters() {
		w.Int(*c)
	}
	n.late.Append(w, version >= 11)
	if version >= 9 {
		w.Int(n.usedMs)
	}
}

func (n *sender) counters() []*int64 {
	return []*int64{&n.samples, &n.needed, &n.accepted, &n.duplicate, &n.tardy, &n.rejected, &n.firstMs, &n.lastMs, &n.lastT}
}

func (s *Stream) restoreSender(r *stateReader) {
	n, _ := s.addSender(r.Word(), r.Word())
	n.past.major, n.replica, n.past.done = r.Word(), r.Word(), r.Bool()
	for range r.Count(17) { // its first series
		r.Print()
		r.Word()
	}
	for range r.Count(3) {
		own := r.Word()
		if r.Num(math.MaxInt32); r.Bool() && r.Err() == nil {
			n.past.real = append(n.past.real, own)
		}
	}
	for _, c := range n.counters() {
		*c = r.Int()
	}
	if r.version < 6 {
		n.late.Anew(tally.Arrivals{Needed: n.needed, Late: n.tardy})
		n.usedMs = n.lastMs
		return
	}
	n.late.Restore(r.Reader, r.version >= 11)
	if r.version < 9 {
		n.usedMs = n.lastMs
		return
	}
	n.usedMs = r.Int()
}
