package codec_test

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/wrackline/wrackline/baseline/codec"
)

// thing has a field of each kind.
type thing struct {
	i     int64
	n     int
	u     uint8
	flag  bool
	f     float64
	g     float32
	s     string
	words []string
}

func (x *thing) code(c *codec.Coder) {
	c.I64(&x.i)
	c.Num(&x.n)
	c.U8(&x.u)
	c.Flag(&x.flag)
	c.F64(&x.f)
	c.F32(&x.g)
	c.Str(&x.s)
	codec.List(c, &x.words, 5, c.Word)
}

var errThing = errors.New("no thing")

// TestCoderReadsWhatItWrote holds that both directions agree, that every cut is a fault, and that nothing is believed beyond its bounds.
func TestCoderReadsWhatItWrote(t *testing.T) {
	want := thing{math.MinInt64, -7, 255, true, math.Inf(-1), -0.5, "a\x00ü", []string{"x", "y", "x", "", "y"}}
	w := codec.Writing([]byte("before"))
	want.code(w)
	b, ok := bytes.CutPrefix(w.Bytes(), []byte("before"))
	if !ok || w.Reads() || w.Err() != nil || w.Left() != 0 {
		t.Fatalf("wrote %q, %v, %d left", w.Bytes(), w.Err(), w.Left())
	}
	r, got := codec.Reading(b, errThing), thing{}
	got.code(r)
	if r.Err() != nil || r.Left() != 0 || !r.Reads() || !slices.Equal(got.words, want.words) || got.i != want.i || got.n != want.n || got.u != want.u ||
		got.flag != want.flag || got.f != want.f || got.g != want.g || got.s != want.s {
		t.Errorf("read %+v, %v, want %+v", got, r.Err(), want)
	}
	for n := range b {
		r, got := codec.Reading(b[:n], errThing), thing{}
		if got.code(r); !errors.Is(r.Err(), errThing) || r.Left() != 0 {
			t.Errorf("cut at %d of %d: %+v, %v", n, len(b), got, r.Err())
		}
	}
	for name, c := range map[string]func(w, r *codec.Coder){
		"a list longer than is allowed": func(w, r *codec.Coder) {
			long := make([]bool, 6)
			codec.List(w, &long, 6, w.Flag)
			codec.List(r, &long, 5, r.Flag)
		},
		"a list longer than its bytes": func(w, r *codec.Coder) {
			n := 1 << 40
			w.Num(&n)
			var long []bool
			codec.List(r, &long, math.MaxInt, r.Flag)
		},
		"a number that is no byte": func(w, r *codec.Coder) { n := 256; w.Num(&n); var u uint8; r.U8(&u) },
		"a word that nobody wrote": func(w, r *codec.Coder) { n := 1; w.Num(&n); var s string; r.Word(&s) },
	} {
		w := codec.Writing(nil)
		c(w, codec.Reading(nil, errThing))
		r := codec.Reading(w.Bytes(), errThing)
		if c(codec.Writing(nil), r); r.Err() == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

// TestRawIsWhatWasWritten holds that bytes of a coder may be kept and written again.
func TestRawIsWhatWasWritten(t *testing.T) {
	n, s := 300, "kept"
	w := codec.Writing(nil)
	w.Num(&n)
	w.Str(&s)
	again := codec.Writing(nil)
	again.Raw(w.Bytes())
	if !bytes.Equal(again.Bytes(), w.Bytes()) || codec.Reading(w.Bytes(), errThing).Bytes() != nil {
		t.Errorf("%x, want %x", again.Bytes(), w.Bytes())
	}
}
