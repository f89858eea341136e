package tally

import "github.com/wrackline/wrackline/baseline/codec"

// LateWindows is how many windows that brought samples are counted.
const LateWindows = 5

// Arrivals counts what a sender has sent since it is known.
type Arrivals struct{ Needed, Late int64 }

// Lateness is how much of what a sender has sent came late in the newest windows that brought anything: one that sends every few minutes brings nothing to most.
type Lateness struct {
	recent [LateWindows + 1]Arrivals // what had arrived when they closed, newest first
	begun  Arrivals                  // before its newest request: windows close in the midst of one
	closed int64                     // stamp of its newest request when a window closed
}

// Begin notes what had arrived before a request.
func (l *Lateness) Begin(now Arrivals) { l.begun = now }

// Closed notes that a window has closed; stamp is that of the sender's newest request.
func (l *Lateness) Closed(stamp int64) {
	if stamp != l.closed {
		copy(l.recent[1:], l.recent[:])
		l.closed = stamp
	}
	l.recent[0] = l.begun
}

// Share returns which share of the samples came late, and how many they are.
func (l *Lateness) Share() (share, of float64) {
	from, to := l.recent[LateWindows], l.recent[0]
	if of = float64(to.Needed - from.Needed); of <= 0 {
		return 0, 0
	}
	return float64(to.Late-from.Late) / of, of
}

// Append writes it; with more, all of it, else what states before version 11 of a stream had.
func (l *Lateness) Append(w *codec.Writer, more bool) {
	for _, a := range l.recent {
		w.Int(a.Needed)
		w.Int(a.Late)
	}
	if more {
		w.Int(l.closed)
		w.Int(l.begun.Needed)
		w.Int(l.begun.Late)
	}
}

// Restore reads what Append wrote.
func (l *Lateness) Restore(r *codec.Reader, more bool) {
	for i := range l.recent {
		l.recent[i] = Arrivals{r.Int(), r.Int()}
	}
	if more {
		l.closed, l.begun = r.Int(), Arrivals{r.Int(), r.Int()}
	}
}

// Anew makes the next window its first.
func (l *Lateness) Anew(now Arrivals) {
	l.begun = now
	for i := range l.recent {
		l.recent[i] = now
	}
}
