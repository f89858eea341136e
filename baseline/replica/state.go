package replica

import "github.com/wrackline/wrackline/baseline/codec"

const stateVersion = 1

// Append writes the book's section:
//
//	version, senders: heard, series, constant labels with their values
//	claims: label, value, of, state, windows, decided at, series that wait
func (b *Book) Append(w *codec.Writer) {
	b.end()
	w.Num(stateVersion)
	w.Num(len(b.voices))
	for i := range b.voices {
		v := &b.voices[i]
		w.Bool(v.heard)
		w.Num(v.n)
		w.Num(len(v.marks))
		for _, m := range v.marks {
			w.Word(m.name)
			w.Num(len(m.values))
			for _, x := range m.values {
				w.Word(x)
			}
		}
	}
	w.Num(len(b.claims))
	for i := range b.claims {
		c := &b.claims[i]
		w.Word(c.label)
		w.Word(c.value)
		w.Word(c.of)
		w.Num(int(c.state))
		w.Num(c.windows)
		w.Int(c.at)
		w.Num(len(c.held))
		for _, x := range c.held {
			w.Num(int(x.Series))
			w.Num(int(x.Of))
		}
	}
}

// Restore reads what Append wrote into a book that knows nothing. to has the present numbers of the series. Faults are the reader's.
func (b *Book) Restore(r *codec.Reader, to []uint32) {
	r.Section(stateVersion)
	for range r.Count(3) {
		v := voice{heard: r.Bool(), n: r.Num(1 << 40)}
		for range r.Count(2) {
			m := mark{name: r.Word()}
			for range r.Count(1) {
				m.values = append(m.values, r.Word())
			}
			v.marks = append(v.marks, m)
			if len(m.values) > valuesMost || len(v.marks) > marksMost {
				r.Fail()
				return
			}
		}
		b.voices = append(b.voices, v)
	}
	for range r.Count(7) {
		c := claim{label: r.Word(), value: r.Word(), of: r.Word(), state: state(r.Num(int(refused))), windows: r.Num(patience + 2), at: r.Time()}
		for range r.Count(2) {
			x := Held{uint32(r.Num(max(len(to)-1, 0))), uint32(r.Num(max(len(to)-1, 0)))}
			if len(to) == 0 {
				r.Fail()
			}
			c.held = append(c.held, x)
		}
		if b.claims = append(b.claims, c); r.Err() != nil || len(c.held) > heldMost || len(b.claims) > claimsMost {
			r.Fail()
			return
		}
	}
	b.Keep(to)
}
