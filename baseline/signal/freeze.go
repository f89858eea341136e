package signal

import (
	"iter"
	"slices"

	"github.com/wrackline/wrackline/baseline/codec"
)

// A state that is copied in slices. Whatever changes anything but single series calls StreamOptions.Changing first, whose owner copies the rest at once. A sample changes its series,
// the bucket set of that, and the target: what these were is put aside before (touch), so that the fold goes on while hundreds of thousands of others are copied.

// How much is copied between two pauses: some tenths of a millisecond.
const (
	sliceSignals = 256
	sliceSeries  = 256
)

// freeze knows what the series that have not been copied yet were when it began. A nil one knows that they are what they were.
type freeze struct {
	from, to uint32 // the series that have not been copied
	series   map[uint32]*wasSeries
	groups   map[uint32]*codec.Writer
	targets  map[uint32]*codec.Writer
}

// wasSeries is a series as it was.
type wasSeries struct {
	hot   tracked
	cold  cold
	binds []bind
	tail  *codec.Writer
}

// Freeze appends the stream's state of the moment of its first step to dst, slice by slice. Requests may be applied between two steps; StreamOptions.Changing must run it to its end. It ends with the last step
// or when the range over it is left; of a state that is not whole nothing may be used.
func (s *Stream) Freeze(dst *[]byte) iter.Seq[struct{}] {
	return func(yield func(struct{}) bool) {
		f := &freeze{to: uint32(len(s.hot)), series: map[uint32]*wasSeries{}, groups: map[uint32]*codec.Writer{}, targets: map[uint32]*codec.Writer{}}
		s.frozen = f
		w := &codec.Writer{B: *dst}
		s.write(w, stateVersion, f, func() bool { return yield(struct{}{}) })
		*dst = w.B
		s.frozen = nil
	}
}

// touch is called before anything of a series changes.
func (s *Stream) touch(id uint32) {
	if f := s.frozen; f != nil && id >= f.from {
		f.keep(s, id)
	}
}

func (f *freeze) keep(s *Stream, id uint32) {
	if f.series[id] != nil {
		return
	}
	h, d := &s.hot[id], &s.cold[id]
	if id < f.to {
		x := &wasSeries{hot: *h, cold: *d, binds: slices.Clone(s.bindsOf(d)), tail: codec.Apart()}
		s.appendTail(x.tail, h, d)
		f.series[id] = x
	}
	s.touchGroup(h.group) // also of a series that is new
	s.touchTarget(d.target)
}

// touchGroup is called before a bucket set changes.
func (s *Stream) touchGroup(group uint32) {
	if f := s.frozen; f != nil && group != none && f.groups[group] == nil {
		w := codec.Apart()
		s.groups[group].append(w)
		f.groups[group] = w
	}
}

// touchTarget is called before a target changes.
func (s *Stream) touchTarget(target uint32) {
	if f := s.frozen; f != nil && target != none && f.targets[target] == nil {
		w := codec.Apart()
		s.targets.Append(w, target, false)
		f.targets[target] = w
	}
}

// reached says that the series before id have been copied.
func (f *freeze) reached(id uint32) {
	if f != nil {
		f.from = id
	}
}

// was returns what a series was. tail is nil when it is what it was.
func (f *freeze) was(s *Stream, id uint32) (h *tracked, d *cold, binds []bind, tail *codec.Writer) {
	if f != nil {
		if x := f.series[id]; x != nil {
			delete(f.series, id)
			return &x.hot, &x.cold, x.binds, x.tail
		}
	}
	d = &s.cold[id]
	return &s.hot[id], d, s.bindsOf(d), nil
}

func (f *freeze) appendGroup(w *codec.Writer, s *Stream, group uint32) {
	if f != nil && f.groups[group] != nil {
		w.Put(f.groups[group])
		return
	}
	s.groups[group].append(w)
}

func (f *freeze) appendTarget(w *codec.Writer, s *Stream, target uint32, version int) {
	if f != nil && f.targets[target] != nil {
		w.Put(f.targets[target])
		return
	}
	s.targets.Append(w, target, version < 10)
}

// bindsOf returns the parts of a series in leaves.
func (s *Stream) bindsOf(d *cold) []bind { return s.binds[d.binds : d.binds+uint32(d.nbinds)] }
