package ingest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/wrackline/wrackline/baseline/series"
)

// spelt are labels that count how often they are read.
type spelt struct {
	list  []series.Labels
	reads int
}

func (s *spelt) AppendLabels(dst series.Labels, i int) (series.Labels, error) {
	s.reads++
	return append(dst, s.list[i]...), nil
}

// The door says the same of a series each time, and reads labels that were right before only when it has forgotten them.
func TestKnownLabelsAreReadOnce(t *testing.T) {
	var k known
	var s spelt
	b := series.Batch{Labels: &s}
	const n = 100_000 // more than there is room for at first
	for i := range n {
		l := lset("__name__", "up", "n", fmt.Sprint(i))
		if i%10 == 9 {
			l = append(l, l[1]) // twice the same name
		}
		s.list, b.Samples = append(s.list, l), append(b.Samples, series.Sample{})
		b.Entries = append(b.Entries, series.Entry{Key: uint64(i+1) * 0x9e3779b97f4a7c15, SampleLo: uint32(i), SampleHi: uint32(i + 1)})
	}
	var scratch series.Labels
	for round := range 20 {
		s.reads = 0
		var res series.Result
		res, _, scratch = k.check(&b, scratch)
		if res.Samples != n*9/10 || res.Barred != n/10 || res.Reason == "" {
			t.Fatalf("round %d: %d samples are right and %d refused (%s), want %d and %d", round, res.Samples, res.Barred, res.Reason, n*9/10, n/10)
		}
		if round == 19 && s.reads > n/10+n/20 {
			t.Errorf("in the last round the labels of %d of %d series were read", s.reads, n)
		}
	}
	if places := len(*k.table.Load()); places > knownMost {
		t.Errorf("%d places", places)
	}
}

// Stretches are known wherever a request is cut, and never hide a series that is wrong or comes in another order.
func TestKnownStretches(t *testing.T) {
	const n = 2000
	var s spelt
	all := series.Batch{Labels: &s}
	for i := range n {
		s.list = append(s.list, lset("__name__", "up", "n", fmt.Sprint(i)))
		all.Samples = append(all.Samples, series.Sample{})
		all.Entries = append(all.Entries, series.Entry{Key: uint64(i+1) * 0x9e3779b97f4a7c15, SampleLo: uint32(i), SampleHi: uint32(i + 1)})
	}
	part := func(lo, hi int) *series.Batch {
		return &series.Batch{Labels: &spelt{list: s.list[lo:hi]}, Entries: all.Entries[lo:hi], Samples: all.Samples}
	}
	var k known
	for _, cut := range []int{n, 700, 331} {
		for lo := 0; lo < n; lo += cut {
			b := part(lo, min(lo+cut, n))
			res, bad, _ := k.check(b, nil)
			if reads := b.Labels.(*spelt).reads; res.Samples != len(b.Entries) || bad != 0 || cut != n && reads != 0 {
				t.Fatalf("series %d to %d: %d right, %d wrong, labels of %d read", lo, lo+len(b.Entries), res.Samples, bad, reads)
			}
		}
	}
	// The whole is known without its single keys, except where an edge may have cut a stretch.
	var sums known
	whole, single := 0, 0
	for lo, hi := 0, 0; lo < n; lo = hi {
		var sum uint64
		if hi, sum = series.Stretch(all.Entries, lo); sum == 0 {
			single += hi - lo
			continue
		}
		if !k.has(sum) {
			t.Fatalf("the stretch from %d to %d is not known", lo, hi)
		}
		sums.put(sum)
		whole++
	}
	b := part(0, n)
	if sums.check(b, nil); b.Labels.(*spelt).reads != single || whole < n/series.StretchMost {
		t.Errorf("with %d stretches known, labels of %d series were read, want %d", whole, b.Labels.(*spelt).reads, single)
	}
	b = part(0, n)
	b.Entries = slices.Clone(b.Entries)
	b.Entries[n/2].Key++
	b.Labels.(*spelt).list = slices.Clone(s.list)
	b.Labels.(*spelt).list[n/2] = lset("__name__", "up", "n", "1", "n", "2")
	if res, bad, _ := k.check(b, nil); bad != 1 || res.Samples != n-1 || b.Labels.(*spelt).reads != 1 {
		t.Errorf("a wrong series among known ones: %d wrong, %d right, labels of %d read", bad, res.Samples, b.Labels.(*spelt).reads)
	}
	b = part(0, n)
	b.Entries = slices.Clone(b.Entries)
	slices.Reverse(b.Entries)
	for lo, hi := 0, 0; lo < n; lo = hi {
		var sum uint64
		if hi, sum = series.Stretch(b.Entries, lo); hi-lo > 1 && k.has(sum) {
			t.Errorf("the reverse of a stretch is known")
		}
	}
}

// A decoder goes back once the Appender is done with its batch, and not before.
func TestDecoderIsHeldUntilFolded(t *testing.T) {
	m := &memory{keep: true}
	h := handler(m, Options{})
	for i := range 3 {
		if w := post(h, snap(marshal(t, reqV1(one(lset("__name__", "up", "n", fmt.Sprint(i)), now, 1))))); w.Code != 204 {
			t.Fatalf("answer %d", w.Code)
		}
	}
	if m.held.Load() != 3 {
		t.Errorf("%d batches are held, want 3", m.held.Load())
	}
}
