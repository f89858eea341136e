package rows

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/wrackline/wrackline/baseline/model"
)

// shapes are the rows of charts: points, and quarters of an hour.
var shapes = []struct {
	words, rows int
	ramp        uint32
}{{6, 32, 60_000}, {8, 16, 1}}

// seeded returns random numbers of a seed that it prints.
func seeded(t *testing.T) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

// TestWordsKeepTheValue holds the precision that charts are promised.
func TestWordsKeepTheValue(t *testing.T) {
	rng := seeded(t)
	for range 30_000 {
		v := math.Float64frombits(rng.Uint64())
		got := Number(Word(v))
		if math.IsNaN(v) || math.IsInf(v, 0) || math.Abs(v) < 1e-300 {
			if !(math.IsNaN(v) && math.IsNaN(got)) && got != v && math.Abs(got-v) > 1e-300 {
				t.Fatalf("%v became %v", v, got)
			}
			continue
		}
		if math.Abs(got-v) > 5e-7*math.Abs(v) {
			t.Fatalf("%v became %v", v, got)
		}
		u := math.Float64frombits(rng.Uint64())
		if u == u && (u < v) != (Number(Word(u)) < Number(Word(v))) && Word(u) != Word(v) {
			t.Fatalf("%v and %v changed their order", u, v)
		}
	}
	for _, v := range []float64{0, 1, -1, 1 << 20, math.Inf(1), math.Inf(-1), 0.5, 1000} {
		if got := Number(Word(v)); got != v {
			t.Errorf("%v became %v", v, got)
		}
	}
	for _, c := range []struct{ score, least, most float64 }{{0.99999, 0.999, 0.99999}, {1, 1, 1}, {math.NaN(), 0, 0}, {-1, 0, 0}, {17.3, 17.29, 17.3}} {
		w := StateWord(model.Drifting, c.score)
		if got := ScoreOf(w); got < c.least || got > c.most || StateOf(w) != model.Drifting {
			t.Errorf("score %v became %v, state %v", c.score, got, StateOf(w))
		}
	}
}

// FuzzBlock gives the decoder anything; what it takes must come out the same after another round.
func FuzzBlock(f *testing.F) {
	rng := rand.New(rand.NewPCG(1, 2))
	for which := range shapes {
		for n := 1; n <= 255; n += 50 {
			rows := make([]uint32, n*shapes[which].words)
			for i := range rows {
				rows[i] = rng.Uint32() >> rng.IntN(33)
			}
			f.Add(Append(nil, rows, shapes[which].words, shapes[which].ramp), which == 0)
		}
	}
	f.Add([]byte{}, true)
	f.Add([]byte{255, 0, 0, 0, 0, 0, 0}, true)
	f.Fuzz(func(t *testing.T, b []byte, first bool) {
		which := 1
		if first {
			which = 0
		}
		k, ramp := shapes[which].words, shapes[which].ramp
		rows, err := Decode(nil, b, k, ramp)
		if err != nil {
			return
		}
		if len(rows) != int(b[0])*k {
			t.Fatalf("%d words for %d rows", len(rows), b[0])
		}
		again, err := Decode(nil, Append(nil, rows, k, ramp), k, ramp)
		if err != nil || !slices.Equal(again, rows) {
			t.Fatalf("rows changed: %v", err)
		}
	})
}

// TestBlocksComeBack packs random rows of every length and width.
func TestBlocksComeBack(t *testing.T) {
	rng := seeded(t)
	for range 1000 {
		tr := shapes[rng.IntN(2)]
		n := 1 + rng.IntN(255)
		rows := make([]uint32, n*tr.words)
		shift := rng.IntN(33)
		for i := range rows {
			rows[i] = rng.Uint32() >> shift
		}
		b := Append(nil, rows, tr.words, tr.ramp)
		got, err := Decode([]uint32{9}, b, tr.words, tr.ramp)
		if err != nil || !slices.Equal(got[1:], rows) {
			t.Fatalf("%d rows of %d words did not come back: %v", n, tr.words, err)
		}
		if n <= tr.rows && len(b) > 1<<10 {
			t.Fatalf("a block of %d bytes", len(b))
		}
	}
}

// TestRowsUnderWayComeBack pushes random rows and reads them after each.
func TestRowsUnderWayComeBack(t *testing.T) {
	rng := seeded(t)
	for range 300 {
		tr := shapes[rng.IntN(2)]
		var b []byte
		var want, before []uint32
		shift := rng.IntN(33)
		for n := range tr.rows {
			row := make([]uint32, tr.words)
			for c := range row {
				row[c] = rng.Uint32() >> shift
			}
			b = Push(b, row, before, tr.ramp)
			before = row
			want = append(want, row...)
			if got := Rows(make([]uint32, len(want)), b, tr.words, tr.ramp); !slices.Equal(got, want) {
				t.Fatalf("%d rows of %d words did not come back", n+1, tr.words)
			}
		}
	}
}
