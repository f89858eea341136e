package promql

import "github.com/wrackline/wrackline/baseline/codec"

// SetWriter writes label sets of one table: each in full where it first occurs, by its number afterwards. The zero value is ready.
type SetWriter struct {
	numbers []uint32 // table's id → number + 1
	used    int
}

// Write writes a set by its id, codec.None for none.
func (s *SetWriter) Write(w *codec.Writer, t *Table, id uint32) {
	if id == codec.None {
		w.Num(0)
		return
	}
	if len(s.numbers) < t.Len() {
		s.numbers = append(s.numbers, make([]uint32, t.Len()-len(s.numbers))...)
	}
	if n := s.numbers[id]; n != 0 {
		w.Num(int(n))
		return
	}
	s.used++
	s.numbers[id] = uint32(s.used)
	w.Num(s.used)
	w.Labels(t.Labels(id))
}

// SetReader reads what SetWriter wrote. The zero value is ready.
type SetReader struct {
	ids []uint32 // by number
}

// Read returns the id of the next set in t, codec.None for none; a set has at most most labels. Faults are the reader's.
func (s *SetReader) Read(r *codec.Reader, t *Table, most int) uint32 {
	i, first := r.Numbered(len(s.ids))
	if r.Err() != nil || i == codec.None {
		return codec.None
	}
	if !first {
		return s.ids[i]
	}
	l := r.Labels(most)
	if r.Err() != nil {
		return codec.None
	}
	id := t.Intern(l)
	s.ids = append(s.ids, id)
	return id
}
