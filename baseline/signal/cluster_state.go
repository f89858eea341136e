package signal

import (
	"slices"

	"github.com/wrackline/wrackline/baseline/codec"
)

func (c *cluster) times() []*int64 {
	out := []*int64{&c.open, &c.born, &c.newest, &c.sweepAt, &c.windows, &c.early, &c.grace}
	for i := range c.passed {
		out = append(out, &c.passed[i])
	}
	return out
}

func (c *cluster) append(w *codec.Writer) {
	w.Word(c.name)
	for _, t := range c.times() {
		w.Int(*t)
	}
	c.book.Append(w)
	c.changes.Append(w)
}

// renumber gives the books the present numbers of the series, and reports whether each has one.
func (s *Stream) renumber(to []uint32) bool {
	ok := true
	for _, c := range s.clusters {
		ok = c.book.Renumber(to) && ok
	}
	return ok
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
