package signal

import (
	"math"
	"slices"

	"github.com/wrackline/wrackline/baseline/birth"
	"github.com/wrackline/wrackline/baseline/codec"
)

func (c *cluster) times() []*int64 {
	out := []*int64{&c.open, &c.born, &c.newest, &c.sweepAt, &c.windows, &c.early, &c.grace}
	for i := range c.passed {
		out = append(out, &c.passed[i])
	}
	return out
}

func (c *cluster) append(w *codec.Writer, version int) {
	w.Word(c.name)
	for _, t := range c.times() {
		w.Int(*t)
	}
	c.book.Append(w)
	c.changes.Append(w)
	if version < 10 {
		return
	}
	w.Num(len(c.births))
	for _, b := range c.births {
		w.Num(int(b.Series))
		w.Int(b.T)
		w.Float(b.V)
		w.Bool(b.Known)
		w.Bool(b.Done)
	}
}

// renumber gives the books and the births the present numbers of the series, and reports whether each has one.
func (s *Stream) renumber(to []uint32) bool {
	ok := true
	for _, c := range s.clusters {
		ok = c.book.Renumber(to) && c.renumber(to) && ok
	}
	return ok
}

// renumber gives the births the present numbers of their series; those without one are forgotten. It reports false when a number is none.
func (c *cluster) renumber(to []uint32) bool {
	kept := c.births[:0]
	for _, b := range c.births {
		if int(b.Series) >= len(to) {
			return false
		}
		if b.Series = to[b.Series]; b.Series != none {
			kept = append(kept, b)
		}
	}
	c.births = kept
	return true
}

func (s *Stream) restoreCluster(r *stateReader) {
	name := r.Word()
	if _, ok := s.clusterAt[name]; ok || name == "" {
		r.Fail()
		return
	}
	c := s.clusters[s.makeCluster(name)]
	times := c.times()
	var hostsAt int64
	if !r.sectioned() { // it was among the times
		times = slices.Insert(times, len(times)-len(c.passed), &hostsAt)
	}
	for _, t := range times {
		*t = r.Time()
	}
	if c.open%windowMs != 0 {
		r.Fail()
		return
	}
	c.tick()
	switch {
	case r.sectioned():
		c.book.Restore(r.Reader)
		c.changes.Restore(r.Reader)
		if r.version >= 10 {
			for range r.Count(10) {
				c.births = append(c.births, birth.Birth{Series: uint32(r.Num(math.MaxInt32)), T: r.Time(), V: r.Float(), Known: r.Bool(), Done: r.Bool()})
			}
		}
		return
	case r.version >= 5:
		c.book.RestoreUnversioned(r.Reader, hostsAt)
		c.changes.RestoreVersion(r.Reader, 2)
	case r.version >= 2:
		c.book.RestoreUnversioned(r.Reader, hostsAt)
		c.changes.RestoreVersion(r.Reader, 1)
	default:
		c.book.RestoreUnversioned(r.Reader, hostsAt) // and an hour to learn changes in
	}
}
