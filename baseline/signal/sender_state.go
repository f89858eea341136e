package signal

import (
	"math"

	"github.com/wrackline/wrackline/baseline/codec"
)

func (n *sender) append(w *codec.Writer) {
	w.Word(n.name)
	w.Word(n.fixed)
	w.Word(n.major)
	w.Word(n.replica)
	w.Bool(n.done)
	w.Num(len(n.early))
	for _, v := range n.early {
		w.Bytes(v.print[:])
		w.Word(v.own)
	}
	w.Num(len(n.votes))
	for _, v := range n.votes {
		w.Word(v.own)
		w.Num(v.n)
		w.Bool(v.real)
	}
	for _, c := range n.counters() {
		w.Int(*c)
	}
	for _, a := range n.recent {
		w.Int(a.needed)
		w.Int(a.late)
	}
}

func (n *sender) counters() []*int64 {
	return []*int64{&n.samples, &n.needed, &n.accepted, &n.duplicate, &n.late, &n.rejected, &n.firstMs, &n.lastMs, &n.lastT}
}

func (s *Stream) restoreSender(r *stateReader) {
	n, _ := s.addSender(r.Word(), r.Word())
	n.major, n.replica, n.done = r.Word(), r.Word(), r.Bool()
	for range r.Count(17) {
		if len(n.early) >= decidedAt {
			r.Fail()
			return
		}
		n.early = append(n.early, earlyVote{r.Print(), r.Word()})
	}
	for range r.Count(3) {
		if len(n.votes) >= votesMax {
			r.Fail()
			return
		}
		n.votes = append(n.votes, vote{r.Word(), r.Num(math.MaxInt32), r.Bool()})
	}
	for _, c := range n.counters() {
		*c = r.Int()
	}
	if r.version < 6 {
		for i := range n.recent { // as if its next window were its first
			n.recent[i] = arrivals{n.needed, n.late}
		}
		return
	}
	for i := range n.recent {
		n.recent[i] = arrivals{r.Int(), r.Int()}
	}
}
