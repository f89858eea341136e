package ledger

// Life is what is left of a life that is renewed before its end, such as a certificate's: where it is usually renewed. The zero value has seen nothing.
type Life struct {
	Spent float32 // where it is usually renewed; negative: where it was first seen, since it was not renewed yet; 0 = not seen
	Least float32 // the lowest value since it was renewed
}

const (
	renewedBy  = .1 // of the new value, by which it must rise to be renewed
	spentShare = .75
	firstShare = 1. / 3
	earlier    = 2 // a renewal moves what is usual by one part in so many towards an earlier one …
	later      = 4 // … and a later one, which may have been an accident
)

// See follows a life that runs down to v. byHand says that somebody was told that it was about to end, so that a renewal now is none of its own.
func (l *Life) See(v float64, byHand bool) {
	x, least := float32(v), l.Least
	switch {
	case x-x != 0 || x <= 0 && l.Spent == 0:
		return
	case l.Spent == 0:
		l.Spent, l.Least = -x, x
		return
	case x <= 0 || x-least < renewedBy*x:
		l.Least = min(x, least)
		return
	case least <= 0 || byHand:
	case l.Spent < 0:
		l.Spent = least
	case least > l.Spent:
		l.Spent += (least - l.Spent) / earlier
	default:
		l.Spent += (least - l.Spent) / later
	}
	if l.Spent < 0 {
		l.Spent = -x
	}
	l.Least = x
}

// Mark returns the value below which less is left than usual, at most mark: three quarters of where it was usually renewed; before the first renewal a
// third of where it was first seen, if that was no more than short, which is too little for a life that is long by design.
func (l *Life) Mark(mark, short float64) float64 {
	switch {
	case l.Spent == 0 || -float64(l.Spent) > short:
		return mark
	case l.Spent < 0:
		return min(mark, -firstShare*float64(l.Spent))
	}
	return min(mark, spentShare*float64(l.Spent))
}
