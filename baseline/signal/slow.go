package signal

import (
	"math"

	"github.com/wrackline/wrackline/baseline/window"
)

// Series that are scraped every few minutes, as some do with kube-state-metrics and with exporters that are dear to ask. Nobody waits for their next sample, so at the end of a
// window what they count is mostly not known yet: until it is, they are taken to go on as they did.

// gap returns what is a gap between two samples: a scrape may be missed.
func (h *tracked) gap() int64 { return max(gapMs, 2*int64(h.stepMs)) }

// isLive reports whether a series is alive at the end of a window.
func (h *tracked) isLive(end int64) bool {
	return h.flags&flagStale == 0 && h.lastT > end-max(liveMs, 2*int64(h.stepMs))
}

// bridged returns the window that stands for w in a counter that is behind: the newest one that it has the whole of. ok is false for one that is to be waited for.
func (s *Stream) bridged(h *tracked, w uint32) (at uint32, ok bool) {
	if int64(h.stepMs) <= s.opts.GraceMs {
		return w, false
	}
	return min(w, uint32(h.lastT/windowMs)), true
}

// widen gives a series the ring that its interval needs: when a sample comes, the windows before it close one by one, and the oldest of them looks back as far as a range.
func (s *Stream) widen(id uint32, h *tracked) {
	if int64(h.stepMs) <= slowMs || h.ring != shortRing {
		return
	}
	was, from := uint32(h.ring), s.cells[h.cells:]
	at := uint32(len(s.cells))
	for k := range uint32(kindsOf(h.kinds)) {
		for range longRing {
			s.cells = append(s.cells, math.NaN())
		}
		window.Move(s.cells[at+k*longRing:], from[k*was:][:was], h.head)
	}
	h.cells, h.ring = at, longRing
	s.moved = true
	if no := s.cold[id].native; no != none {
		n := &s.natives[no]
		s.buckets -= n.Room()
		n.Resize(h.ring)
		s.buckets += n.Room()
	}
}

// reach returns the window to read of a leaf's series for the window that closes, and whether too little of it is known for that it is alive.
func (s *Stream) reach(h *tracked, counter bool) (w uint32, live, behind bool) {
	ev := &s.current
	live = h.isLive(ev.end)
	behind = live && h.lastT < ev.end
	if behind && counter {
		if at, ok := s.bridged(h, ev.w); ok {
			return at, live, false
		}
	}
	return ev.w, live, behind
}
