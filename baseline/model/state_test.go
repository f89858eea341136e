package model

import (
	"bytes"
	"testing"
	"unsafe"
)

func TestSize(t *testing.T) {
	if got := unsafe.Sizeof(Model{}); got > 1216 {
		t.Errorf("a model takes %d bytes, more than 1216", got)
	}
	p := Defaults()
	var m Model
	m.Init(&p)
	if got := len(m.AppendBinary(nil)); got > 1216 {
		t.Errorf("an encoded model takes %d bytes, more than 1216", got)
	}
	t.Logf("in memory %d, encoded %d", unsafe.Sizeof(Model{}), len(m.AppendBinary(nil)))
}

// Two weeks of every family, saved and loaded at random moments, must go on bit for bit.
func TestSaveLoadAnywhere(t *testing.T) {
	t.Parallel()
	const seed = 3
	for name, mk := range families() {
		s := mk()
		src, cut := rnd(seed), rnd(seed+1)
		a, b := newRun(Defaults()), newRun(Defaults())
		for i := range 5 * perDay {
			v := s(i, src)
			if i > 3*perDay && i < 3*perDay+200 {
				v *= 3
			}
			ja, jb := a.observe(v), b.observe(v)
			if ja != jb {
				t.Fatalf("%s, seed %d: window %d: kept %+v, reloaded %+v", name, seed, i, ja, jb)
			}
			if cut.IntN(50) == 0 || i < 40 {
				data := b.m.AppendBinary(nil)
				var m Model
				if err := m.UnmarshalBinary(data); err != nil {
					t.Fatalf("%s: window %d: %v", name, i, err)
				}
				if m != b.m {
					t.Fatalf("%s: window %d: a field is not encoded", name, i)
				}
				b.m = m
			}
		}
		if !bytes.Equal(a.m.AppendBinary(nil), b.m.AppendBinary(nil)) {
			t.Errorf("%s: the states differ at the end", name)
		}
	}
}

func TestUnmarshalRefusesDamage(t *testing.T) {
	r := newRun(Defaults())
	r.feed(500, gauss, rnd(1))
	good := r.m.AppendBinary(nil)
	before := r.m
	bad := map[string][]byte{
		"nothing":      nil,
		"short":        good[:len(good)-1],
		"long":         append(append([]byte(nil), good...), 0),
		"other format": append([]byte{99}, good[1:]...),
	}
	nan := append([]byte(nil), good...)
	copy(nan[9:], []byte{0, 0, 0, 0, 0, 0, 0xf8, 0x7f}) // the scale
	bad["NaN"] = nan
	for name, data := range bad {
		if err := r.m.UnmarshalBinary(data); err == nil {
			t.Errorf("%s: no error", name)
		}
		if r.m != before {
			t.Errorf("%s: the model changed", name)
		}
	}
}

// FuzzUnmarshal: whatever is accepted must not panic, and must stay finite.
func FuzzUnmarshal(f *testing.F) {
	r := newRun(Defaults())
	f.Add(r.m.AppendBinary(nil))
	r.feed(3000, daily, rnd(1))
	f.Add(r.m.AppendBinary(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		p := Defaults()
		var m Model
		if m.UnmarshalBinary(data) != nil {
			return
		}
		for i := range 40 {
			at := m.last + int64(i+1)*p.StepMs
			if at < 0 || at > 1<<60 {
				return
			}
			m.Observe(&p, moment(at), float64(i))
		}
	})
}

func TestNoAllocations(t *testing.T) {
	r := newRun(Defaults())
	src := rnd(61)
	r.feed(3*perDay, daily, src)
	if n := testing.AllocsPerRun(2000, func() { r.observe(150) }); n > 0 {
		t.Errorf("Observe allocates %g times", n)
	}
	if n := testing.AllocsPerRun(200, func() { r.m.Predict(&r.p, moment(r.at)) }); n > 0 {
		t.Errorf("Predict allocates %g times", n)
	}
}
