package journal

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/prometheus/prometheus/prompb"

	"github.com/wrackline/wrackline/baseline/scenario"
)

// joined splits messages into one frame's columns and joins them again.
func joined(t testing.TB, messages ...[]byte) (back [][]byte, s *splitter) {
	t.Helper()
	s = &splitter{}
	s.reset()
	for _, m := range messages {
		s.split(m)
	}
	var j joiner
	j.reset(s.cols)
	for i, m := range messages {
		b, err := j.join(nil, len(m))
		if err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
		back = append(back, b)
	}
	for i, c := range j.cols {
		if len(c) > 0 {
			t.Fatalf("%d bytes of column %d were not read", len(c), i)
		}
	}
	return back, s
}

func wantJoined(t testing.TB, messages ...[]byte) *splitter {
	t.Helper()
	back, s := joined(t, messages...)
	for i := range messages {
		if !bytes.Equal(back[i], messages[i]) {
			t.Fatalf("message %d came back as another: %x, want %x", i, back[i], messages[i])
		}
	}
	return s
}

// simulated returns messages as "wrackline simulate" sends them for secs seconds, of a cluster of at least rate samples a second, and their samples.
func simulated(t testing.TB, rate float64, secs int64) (messages [][]byte, samples int) {
	t.Helper()
	cfg, err := scenario.ScaleTo(scenario.Config{Seed: 1, Live: true, Shards: 2}, rate)
	if err != nil {
		t.Fatal(err)
	}
	g, err := scenario.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for {
		r, ok := g.Next(g.Config().StartMs + secs*1000)
		if !ok {
			return messages, samples
		}
		messages = append(messages, r.AppendWrite(nil))
		samples += len(r.Samples)
	}
}

func TestSplitSimulated(t *testing.T) {
	messages, samples := simulated(t, 1, 60)
	s := wantJoined(t, messages...)
	if n := len(s.cols[colRest]); n != 0 {
		t.Errorf("%d bytes of plain samples were not split", n)
	}
	if n := len(s.cols[colValues]) / 8; n != samples {
		t.Errorf("%d values of %d samples", n, samples)
	}
}

// TestSplitOddMessages: what Prometheus' own encoder makes and what only somebody else would.
func TestSplitOddMessages(t *testing.T) {
	label := func(n, v string) prompb.Label { return prompb.Label{Name: n, Value: v} }
	many := []prompb.Label{}
	for i := range 70 {
		many = append(many, label(fmt.Sprint("l", i), fmt.Sprint(i)))
	}
	w := prompb.WriteRequest{Timeseries: []prompb.TimeSeries{
		{Labels: []prompb.Label{label("__name__", "a"), label("x", "1")}, Samples: []prompb.Sample{{Value: 1, Timestamp: 1_700_000_000_000}}},
		{Labels: []prompb.Label{label("__name__", "a"), label("x", "2")}, Samples: []prompb.Sample{{Value: 0, Timestamp: 1_700_000_000_000}}},
		{Labels: []prompb.Label{label("__name__", "a")}, Samples: []prompb.Sample{{Value: 2, Timestamp: 0}}},
		{Labels: []prompb.Label{label("__name__", "b"), label("x", "1"), label("z", "")}, Samples: []prompb.Sample{{Value: 2, Timestamp: -5}}},
		{Labels: []prompb.Label{label("__name__", "c")}, Samples: []prompb.Sample{{Value: 2, Timestamp: 5}, {Value: 3, Timestamp: 6}}},
		{Samples: []prompb.Sample{{Value: 2, Timestamp: 5}}},
		{},
		{Labels: []prompb.Label{label("x", string(make([]byte, 300)))}},
		{Labels: []prompb.Label{label("__name__", "d")}, Samples: []prompb.Sample{{Value: 2, Timestamp: 5}},
			Exemplars: []prompb.Exemplar{{Labels: []prompb.Label{label("trace", "1")}, Value: 1, Timestamp: 5}}},
		{Labels: many[:64], Samples: []prompb.Sample{{Value: 2, Timestamp: 5}}},
		{Labels: []prompb.Label{label("__name__", "a"), label("x", "1")}, Samples: []prompb.Sample{{Value: 1, Timestamp: 7}}},
	}}
	usual, err := w.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if s := wantJoined(t, usual, usual); len(s.cols[colRest]) == 0 || len(s.cols[colRest]) > 300 {
		t.Errorf("%d bytes were not split", len(s.cols[colRest]))
	}
	w.Timeseries[4].Labels = many
	w.Metadata = []prompb.MetricMetadata{{MetricFamilyName: "a", Help: "b"}}
	odd, err := w.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	wantJoined(t, usual, odd, usual, nil, []byte{tagSeries}, []byte("no message"), odd)

	// The same lengths and times in more bytes than they need.
	long := []byte{tagSeries, 0x8b, 0x00, tagSamples, 9, tagValue, 1, 2, 3, 4, 5, 6, 7, 8}
	wantJoined(t, long, []byte{tagSeries, 8, tagSamples, 6, tagTime, 0x81, 0x80, 0x80, 0x80, 0x00})
	wantJoined(t, []byte{tagSeries, 5, tagLabel, 0x82, 0x00, 'a', 'b'})
	wantJoined(t, []byte{tagSeries, 4, tagSamples, 2, tagTime, 0}, []byte{tagSeries, 2, tagSamples, 0})
}

// mutated returns m with some bytes changed, cut or doubled.
func mutated(rnd *rand.Rand, m []byte) []byte {
	m = bytes.Clone(m)
	for range 1 + rnd.IntN(4) {
		if len(m) < 2 {
			break
		}
		at := rnd.IntN(len(m))
		switch rnd.IntN(4) {
		case 0:
			m[at] = byte(rnd.Uint32())
		case 1:
			m = m[:at]
		case 2:
			m = slices.Delete(m, at, min(len(m), at+rnd.IntN(20)))
		case 3:
			m = slices.Insert(m, at, m[rnd.IntN(at+1):at]...)
		}
	}
	return m
}

func TestSplitDamagedMessages(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	whole, _ := simulated(t, 1, 30)
	for range 300 {
		var list [][]byte
		for range 3 {
			m := whole[rnd.IntN(len(whole))]
			m = m[:min(len(m), 5000)]
			list = append(list, m, mutated(rnd, m))
		}
		wantJoined(t, list...)
	}
}

// FuzzSplit: whatever is split comes back to the byte.
func FuzzSplit(f *testing.F) {
	m := []byte{tagSeries, 19, tagLabel, 4, 'a', 'b', 'c', 'd', tagSamples, 11, tagValue, 1, 2, 3, 4, 5, 6, 7, 8, tagTime, 1}
	f.Add(m, m)
	f.Add([]byte{tagSeries, 0}, []byte{tagSeries, 2, tagSamples, 0})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		wantJoined(t, a, b, a)
	})
}

// FuzzJoin: columns that no splitter wrote end with an error or with a message that is no larger than was asked for.
func FuzzJoin(f *testing.F) {
	f.Add([]byte{1, 0, 1, 0}, []byte{1, 0}, []byte{refNew, refNew}, []byte{4, 'a', 'b', 'c', 'd', 1, 'e'}, []byte{2, 2}, make([]byte, 16), []byte{}, 30)
	f.Fuzz(func(t *testing.T, shapes, masks, refs, pairs, times, values, rest []byte, size int) {
		size &= 1<<16 - 1
		var j joiner
		j.reset(columns{nil, shapes, masks, refs, pairs, times, values, rest})
		for range 3 {
			b, err := j.join(nil, size)
			if len(b) > size || err == nil && len(b) != size {
				t.Fatalf("%d bytes, error %v; want %d", len(b), err, size)
			}
			if err != nil || size == 0 {
				return
			}
		}
	})
}

func TestUvarintLen(t *testing.T) {
	for shift := range 64 {
		for _, n := range []uint64{1 << shift, 1<<shift - 1} {
			if got, want := uvarintLen(n), len(binary.AppendUvarint(nil, n)); got != want {
				t.Errorf("%d takes %d bytes, want %d", n, got, want)
			}
		}
	}
}
