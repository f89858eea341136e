package ingest

import (
	"maps"
	"slices"
	"strings"

	"github.com/wrackline/wrackline/baseline/series"
)

// What a Clock hears of a sender: how far the times of its samples are from the machine's monotonic time. That is a constant while the sender is in time, or stays behind by the same; while it works off
// a backlog it grows.
type witness struct {
	slots  [slotsMost]slot // the newest first
	n      int
	lastMs int64  // newest request, mono
	host   string // the address that it sends from
	crowd  bool   // it stands for all names from there

	usual int64 // what it was before the machine's clock jumped
	known bool  // usual is
}

// slot is what was heard in slotMs: of a few of its requests. One exporter with a wrong clock does not make the median.
type slot struct {
	atMs  int64 // mono of the first
	n     int
	skews [5]int64
}

const (
	slotMs    = 10_000
	slotsMost = 14 // so that they reach back further than any time for which a sender must be steady
	timesMost = 15 // samples of a request that are looked at
)

// hear notes that a request of a sender, from an address, has samples of t, Unix ms.
func (c *Clock) hear(sender, host string, t int64) {
	w := c.senders[sender]
	if w == nil {
		if w = c.admit(sender, host); w == nil {
			return
		}
		if len(c.senders) == 1 {
			c.first = c.mono
		}
	}
	if w.n > 0 && !c.isActive(w) { // it was away: what it said then is no part of what it says now
		w.n, w.crowd = 0, false
	}
	w.lastMs = c.mono
	if w.n == 0 || c.mono-w.slots[0].atMs >= slotMs || c.mono < w.slots[0].atMs {
		copy(w.slots[1:], w.slots[:])
		w.slots[0] = slot{atMs: c.mono}
		w.n = min(w.n+1, slotsMost)
	}
	s := &w.slots[0]
	s.skews[s.n%len(s.skews)] = t - c.mono
	s.n++
}

// admit returns the witness that a new name from an address belongs to; nil = there is no room. Names cost nothing and anybody gives himself as many as he likes, so an address with more than namesMost of them has one
// voice, under its own name, as the address with most names has when there is no room for another.
func (c *Clock) admit(sender, host string) *witness {
	if w := c.senders[host]; w != nil && w.crowd && c.isActive(w) {
		return w
	}
	names, most := map[string]int{}, ""
	for _, w := range c.senders {
		if names[w.host]++; names[w.host] > names[most] || names[w.host] == names[most] && w.host < most {
			most = w.host
		}
	}
	if names[host] >= namesMost {
		return c.gather(host)
	}
	if len(c.senders) >= sendersMost && !c.forget() {
		if names[most] < 2 {
			return nil
		}
		if w := c.gather(most); most == host {
			return w
		}
	}
	w := &witness{host: strings.Clone(host)}
	c.senders[strings.Clone(sender)] = w
	return w
}

// gather makes one voice of all names from an address.
func (c *Clock) gather(host string) *witness {
	maps.DeleteFunc(c.senders, func(name string, w *witness) bool { return w.host == host && name != host })
	w := c.senders[host]
	if w == nil {
		w = &witness{host: strings.Clone(host)}
		c.senders[w.host] = w
	}
	w.crowd = true
	return w
}

// forget drops the sender that has been silent for longest, unless all are active.
func (c *Clock) forget() bool {
	oldest, at := "", c.mono-activeMs
	for name, w := range c.senders {
		if w.lastMs < at {
			oldest, at = name, w.lastMs
		}
	}
	delete(c.senders, oldest)
	return len(c.senders) < sendersMost
}

func (c *Clock) isActive(w *witness) bool { return w.n > 0 && c.mono-w.lastMs < activeMs }

// active returns the senders that were heard a short while ago, in no order.
func (c *Clock) active() (list []*witness) {
	for _, w := range c.senders {
		if c.isActive(w) {
			list = append(list, w)
		}
	}
	return list
}

// median of a slot.
func (s *slot) median() int64 {
	list := s.skews
	l := list[:min(s.n, len(list))]
	slices.Sort(l)
	return l[(len(l)-1)/2]
}

// skew returns how far the sender's samples are from mono now. A slot that has only begun speaks for itself together with the one before.
func (w *witness) skew() int64 {
	if w.n == 0 {
		return 0
	}
	if w.slots[0].n >= 3 || w.n == 1 {
		return w.slots[0].median()
	}
	var both slot
	for i := range 2 {
		s := &w.slots[i]
		for _, x := range s.skews[:min(s.n, len(s.skews), 3-i)] {
			if both.n < len(both.skews) {
				both.skews[both.n] = x
				both.n++
			}
		}
	}
	return both.median()
}

// steady reports whether the sender has been as far from mono as it is now for at least so long. One slot in four may say something else: an exporter's, with a clock of its own.
func (w *witness) steady(ms int64) bool {
	now, other := w.skew(), 0
	for i := range w.n {
		s := &w.slots[i]
		same := near(s.median()-now, max(ms/4, 5000))
		if !same {
			other++
		}
		if same && w.lastMs-s.atMs >= ms {
			return other*4 <= i+1
		}
	}
	return false
}

// timeOf returns the time of a request's samples in the middle, of a few that are spread over it. ok is false when it has none.
func timeOf(b *series.Batch) (t int64, ok bool) {
	var times [timesMost]int64
	n := 0
	if k := len(b.Samples); k > 0 {
		n = min(k, timesMost)
		for i := range n {
			times[i] = b.Samples[i*(k-1)/max(n-1, 1)].T
		}
	} else if k := len(b.Histograms); k > 0 {
		n = min(k, timesMost)
		for i := range n {
			times[i] = b.Histograms[i*(k-1)/max(n-1, 1)].T
		}
	}
	if n == 0 {
		return 0, false
	}
	slices.Sort(times[:n])
	return times[n/2], true
}
