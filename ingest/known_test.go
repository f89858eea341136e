package ingest

import (
	"fmt"
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
