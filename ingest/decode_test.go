package ingest

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"

	"github.com/wrackline/wrackline/baseline/series"
)

// oracle is what a request holds according to prompb and Prometheus' own histogram types.
type oracle struct {
	labels []series.Labels
	batch  series.Batch
}

// v1Oracle turns what prompb holds into what a Decoder must give. Faulty series are not in it.
func v1Oracle(r *prompb.WriteRequest) oracle {
	var o oracle
	for _, s := range r.Timeseries {
		var l series.Labels
		for _, x := range s.Labels {
			l = append(l, series.Label{Name: x.Name, Value: x.Value})
		}
		var ss []series.Sample
		for _, x := range s.Samples {
			if x.Timestamp >= timeMin {
				ss = append(ss, series.Sample{T: x.Timestamp, V: x.Value})
			}
		}
		var hs []series.Histogram
		for _, x := range s.Histograms {
			if h, ok := oracleHistogram(x.ToFloatHistogram, x.ToIntHistogram, x.IsFloatHistogram(), x.Timestamp, 0); ok {
				hs = append(hs, h)
			}
		}
		o.add(l, ss, hs)
	}
	return o
}

func v2Oracle(r *writev2.Request) oracle {
	var o oracle
	for _, s := range r.Timeseries {
		var l series.Labels
		bad := len(s.LabelsRefs)%2 != 0
		for i := 0; i+1 < len(s.LabelsRefs) && !bad; i += 2 {
			n, v := s.LabelsRefs[i], s.LabelsRefs[i+1]
			if bad = int(n) >= len(r.Symbols) || int(v) >= len(r.Symbols); bad {
				break
			}
			l = append(l, series.Label{Name: r.Symbols[n], Value: r.Symbols[v]})
		}
		if bad {
			continue
		}
		var ss []series.Sample
		for _, x := range s.Samples {
			if x.Timestamp >= timeMin {
				ss = append(ss, series.Sample{T: x.Timestamp, V: x.Value, Start: x.StartTimestamp})
			}
		}
		var hs []series.Histogram
		for _, x := range s.Histograms {
			if h, ok := oracleHistogram(x.ToFloatHistogram, x.ToIntHistogram, x.IsFloatHistogram(), x.Timestamp, x.StartTimestamp); ok {
				hs = append(hs, h)
			}
		}
		o.add(l, ss, hs)
	}
	return o
}

func (o *oracle) add(l series.Labels, ss []series.Sample, hs []series.Histogram) {
	if len(l) == 0 || len(ss)+len(hs) == 0 {
		return
	}
	e := series.Entry{SampleLo: uint32(len(o.batch.Samples)), HistLo: uint32(len(o.batch.Histograms))}
	o.batch.Samples = append(o.batch.Samples, ss...)
	o.batch.Histograms = append(o.batch.Histograms, hs...)
	e.SampleHi, e.HistHi = uint32(len(o.batch.Samples)), uint32(len(o.batch.Histograms))
	o.batch.Entries = append(o.batch.Entries, e)
	o.labels = append(o.labels, l)
}

// compare checks a batch against the oracle.
func compare(t testing.TB, what string, got *series.Batch, want oracle) {
	t.Helper()
	if len(got.Entries) != len(want.batch.Entries) || len(got.Samples) != len(want.batch.Samples) || len(got.Histograms) != len(want.batch.Histograms) {
		t.Fatalf("%s: %d entries, %d samples, %d histograms; want %d, %d, %d", what, len(got.Entries), len(got.Samples), len(got.Histograms),
			len(want.batch.Entries), len(want.batch.Samples), len(want.batch.Histograms))
	}
	for i, w := range want.batch.Samples {
		g := got.Samples[i]
		if g.T != w.T || !sameFloat(g.V, w.V) || g.Start != w.Start {
			t.Fatalf("%s: sample %d = %+v, want %+v", what, i, g, w)
		}
	}
	for i, w := range want.batch.Histograms {
		if g := got.Histograms[i]; !sameHistogram(g, w) {
			t.Fatalf("%s: histogram %d = %+v, want %+v", what, i, g, w)
		}
	}
	keys := map[uint64]int{}
	for i, w := range want.batch.Entries {
		g := got.Entries[i]
		key := g.Key
		if g.Key = 0; g != w {
			t.Fatalf("%s: entry %d = %+v, want %+v", what, i, g, w)
		}
		l, err := got.Labels.AppendLabels(nil, i)
		if err != nil && !errors.Is(err, series.ErrLabelLimit) || err == nil && !slices.Equal(l, want.labels[i]) {
			t.Fatalf("%s: labels of entry %d = %v, %v; want %v", what, i, l, err, want.labels[i])
		}
		if j, ok := keys[key]; ok != slices.ContainsFunc(want.labels[:i], func(x series.Labels) bool { return slices.Equal(x, want.labels[i]) }) {
			t.Fatalf("%s: entries %d and %d have key %x; labels %v and %v", what, j, i, key, want.labels[j], want.labels[i])
		}
		keys[key] = i
	}
}

func sameHistogram(a, b series.Histogram) bool {
	ok := sameFloat(a.Sum, b.Sum) && sameFloat(a.Count, b.Count) && sameFloat(a.ZeroCount, b.ZeroCount) && sameFloat(a.ZeroThreshold, b.ZeroThreshold)
	a.Sum, b.Sum, a.Count, b.Count, a.ZeroCount, b.ZeroCount, a.ZeroThreshold, b.ZeroThreshold = 0, 0, 0, 0, 0, 0, 0, 0
	return ok && slices.Equal(a.Pos, b.Pos) && slices.Equal(a.Neg, b.Neg) && slices.Equal(a.Custom, b.Custom) &&
		a.T == b.T && a.Start == b.Start && a.Schema == b.Schema && a.Reset == b.Reset && a.Gauge == b.Gauge && a.Stale == b.Stale
}

// TestDecodesWhatPrompbWrites is the differential test: random requests of both protocols, in both encodings.
func TestDecodesWhatPrompbWrites(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	d := NewDecoder(Limits{})
	for round := range 400 {
		what := fmt.Sprintf("seed %d, round %d", seed, round)
		v1 := randomV1(rnd)
		raw := marshal(t, v1)
		var again1 prompb.WriteRequest // what was written: prompb does not write -0
		if err := again1.Unmarshal(raw); err != nil {
			t.Fatal(err)
		}
		want := v1Oracle(&again1)
		if len(raw) > 0 {
			for _, e := range []Encoding{Snappy, Zstd} {
				b, _ := mustDecode(t, d, V1, e, compress(e, raw))
				compare(t, what+" v1 "+e.String(), &b, want)
			}
		}
		v2 := randomV2(rnd)
		raw = marshal(t, v2)
		var again2 writev2.Request
		if err := again2.Unmarshal(raw); err != nil {
			t.Fatal(err)
		}
		want = v2Oracle(&again2)
		for _, e := range []Encoding{Snappy, Zstd} {
			b, _ := mustDecode(t, d, V2, e, compress(e, raw))
			compare(t, what+" v2 "+e.String(), &b, want)
		}
	}
}

func compress(e Encoding, b []byte) []byte {
	if e == Zstd {
		return zst(b)
	}
	return snap(b)
}

func randomLabels(rnd *rand.Rand) series.Labels {
	var l series.Labels
	for range rnd.IntN(6) {
		l = append(l, series.Label{Name: fmt.Sprintf("n%d", rnd.IntN(20)), Value: strings.Repeat("v", rnd.IntN(4)) + fmt.Sprint(rnd.IntN(3))})
	}
	if rnd.IntN(10) > 0 {
		l = append(l, series.Label{Name: "__name__", Value: "metric_" + fmt.Sprint(rnd.IntN(5))})
	}
	return l
}

func randomValue(rnd *rand.Rand) float64 {
	return []float64{0, 1, -1, math.NaN(), math.Inf(1), math.Inf(-1), series.StaleNaN, rnd.Float64() * 1e9, math.Copysign(0, -1)}[rnd.IntN(9)]
}

func randomTime(rnd *rand.Rand) int64 {
	if rnd.IntN(20) == 0 {
		return []int64{0, 1, -1, math.MinInt64, timeMin - 1, timeMin, math.MaxInt64, 1_700_000_000}[rnd.IntN(8)]
	}
	return now + rnd.Int64N(100_000)
}

func randomV1(rnd *rand.Rand) *prompb.WriteRequest {
	r := &prompb.WriteRequest{}
	for range rnd.IntN(8) {
		s := prompb.TimeSeries{Labels: labelsV1(randomLabels(rnd))}
		for range rnd.IntN(4) {
			s.Samples = append(s.Samples, prompb.Sample{Value: randomValue(rnd), Timestamp: randomTime(rnd)})
		}
		for range rnd.IntN(2) {
			s.Exemplars = append(s.Exemplars, prompb.Exemplar{Labels: labelsV1(randomLabels(rnd)), Value: 1, Timestamp: now})
		}
		if rnd.IntN(4) == 0 {
			h := randomHistogram(rnd)
			b, _ := h.Marshal()
			var x prompb.Histogram
			if x.Unmarshal(b) == nil {
				s.Histograms = append(s.Histograms, x)
			}
		}
		r.Timeseries = append(r.Timeseries, s)
	}
	for range rnd.IntN(3) {
		r.Metadata = append(r.Metadata, prompb.MetricMetadata{MetricFamilyName: "m", Help: "h"})
	}
	return r
}

func randomV2(rnd *rand.Rand) *writev2.Request {
	t := writev2.NewSymbolTable()
	r := &writev2.Request{}
	for range rnd.IntN(8) {
		s := writev2.TimeSeries{LabelsRefs: refs(&t, randomLabels(rnd))}
		for range rnd.IntN(4) {
			s.Samples = append(s.Samples, writev2.Sample{Value: randomValue(rnd), Timestamp: randomTime(rnd), StartTimestamp: int64(rnd.IntN(2)) * now})
		}
		for range rnd.IntN(2) {
			s.Exemplars = append(s.Exemplars, writev2.Exemplar{LabelsRefs: refs(&t, randomLabels(rnd)), Value: 1, Timestamp: now})
		}
		for range rnd.IntN(3) {
			s.Histograms = append(s.Histograms, randomHistogram(rnd))
		}
		if rnd.IntN(3) == 0 {
			s.Metadata = writev2.Metadata{Type: 1, HelpRef: t.Symbolize("help"), UnitRef: t.Symbolize("unit")}
		}
		switch rnd.IntN(30) {
		case 0:
			s.LabelsRefs = append(s.LabelsRefs, 1_000_000, 0)
		case 1:
			s.LabelsRefs = append(s.LabelsRefs, 0)
		}
		r.Timeseries = append(r.Timeseries, s)
	}
	r.Symbols = t.Symbols()
	return r
}

// randomHistogram is valid most of the time.
func randomHistogram(rnd *rand.Rand) writev2.Histogram {
	h := writev2.Histogram{
		Sum: rnd.Float64(), Schema: int32(rnd.IntN(13) - 4), ZeroThreshold: 1e-128, Timestamp: randomTime(rnd),
		StartTimestamp: int64(rnd.IntN(2)) * (now - 1000), ResetHint: writev2.Histogram_ResetHint(rnd.IntN(4)),
	}
	isFloat := rnd.IntN(2) == 0
	custom := rnd.IntN(4) == 0
	var sum uint64
	side := func(first int32) (spans []writev2.BucketSpan, deltas []int64, counts []float64) {
		var prev int64
		for i := range rnd.IntN(4) {
			x := writev2.BucketSpan{Offset: int32(rnd.IntN(5)), Length: uint32(rnd.IntN(4))}
			if i == 0 {
				x.Offset += first
			}
			spans = append(spans, x)
			for range x.Length {
				c := int64(rnd.IntN(5))
				sum += uint64(c)
				if isFloat {
					counts = append(counts, float64(c))
				} else {
					deltas = append(deltas, c-prev)
				}
				prev = c
			}
		}
		return spans, deltas, counts
	}
	if custom {
		h.Schema, h.ZeroThreshold = -53, 0
		h.PositiveSpans, h.PositiveDeltas, h.PositiveCounts = side(0)
		for i := range 8 + rnd.IntN(30) {
			h.CustomValues = append(h.CustomValues, float64(i)*0.5)
		}
	} else {
		h.PositiveSpans, h.PositiveDeltas, h.PositiveCounts = side(-2)
		h.NegativeSpans, h.NegativeDeltas, h.NegativeCounts = side(-7)
		zero := uint64(rnd.IntN(3))
		sum += zero
		if isFloat {
			h.ZeroCount = &writev2.Histogram_ZeroCountFloat{ZeroCountFloat: float64(zero)}
		} else {
			h.ZeroCount = &writev2.Histogram_ZeroCountInt{ZeroCountInt: zero}
		}
	}
	switch rnd.IntN(10) {
	case 0:
		sum++ // wrong, unless the sum is NaN
	case 1:
		h.Sum, sum = math.NaN(), sum+uint64(rnd.IntN(2))
	case 2:
		h.Sum = series.StaleNaN
	}
	if isFloat {
		h.Count = &writev2.Histogram_CountFloat{CountFloat: float64(sum)}
	} else {
		h.Count = &writev2.Histogram_CountInt{CountInt: sum}
	}
	return h
}

// TestSameLabelsSameKey: the key is the labels', whatever the request, the order of fields and the decoder.
func TestSameLabelsSameKey(t *testing.T) {
	ls := kubernetes(64)
	a, b := NewDecoder(Limits{}), NewDecoder(Limits{})
	// In the second request of 2.0 the symbols have other numbers.
	reversed := slices.Clone(ls)
	slices.Reverse(reversed)
	for _, p := range []Proto{V1, V2} {
		body := func(ls []series.Labels) []byte {
			if p == V2 {
				return snap(marshal(t, reqV2(nil, ls...)))
			}
			r := &prompb.WriteRequest{}
			for _, l := range ls {
				r.Timeseries = append(r.Timeseries, one(l, now, 1))
			}
			return snap(marshal(t, r))
		}
		x, _ := mustDecode(t, a, p, Snappy, body(ls))
		y, _ := mustDecode(t, b, p, Snappy, body(reversed))
		for i := range ls {
			if g, w := y.Entries[len(ls)-1-i].Key, x.Entries[i].Key; g != w {
				t.Errorf("%v: key of %v is %x and %x", p, ls[i], g, w)
			}
		}
	}
}

// TestFieldsInAnyOrder: labels after and between samples, symbols after series, unpacked references.
func TestFieldsInAnyOrder(t *testing.T) {
	l1, l2 := []byte{0x0a, 14, 0x0a, 8, '_', '_', 'n', 'a', 'm', 'e', '_', '_', 0x12, 2, 'u', 'p'}, []byte{0x0a, 6, 0x12, 1, 'b', 0x0a, 1, 'a'}
	s := []byte{0x12, 7, 0x10, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20}
	cat := func(tag byte, parts ...[]byte) []byte {
		b := slices.Concat(parts...)
		return append([]byte{tag, byte(len(b))}, b...)
	}
	d := NewDecoder(Limits{})
	var keys []uint64
	for _, m := range [][]byte{cat(0x0a, l1, l2, s, s), cat(0x0a, s, l1, l2, s), cat(0x0a, l1, s, l2, s), cat(0x0a, s, l1, s, l2)} {
		b, _ := mustDecode(t, d, V1, Snappy, snap(m))
		if len(b.Entries) != 1 || len(b.Samples) != 2 {
			t.Fatalf("%d entries, %d samples", len(b.Entries), len(b.Samples))
		}
		if l, err := b.Labels.AppendLabels(nil, 0); err != nil || !slices.Equal(l, lset("__name__", "up", "a", "b")) {
			t.Errorf("labels %v, %v", l, err)
		}
		keys = append(keys, b.Entries[0].Key)
	}
	symbols := slices.Concat(cat(0x22), cat(0x22, []byte("__name__")), cat(0x22, []byte("up")), cat(0x22, []byte("a")), cat(0x22, []byte("b")))
	packed, unpacked := []byte{0x0a, 4, 1, 2, 3, 4}, []byte{0x08, 1, 0x08, 2, 0x0a, 1, 3, 0x08, 4}
	var keys2 []uint64
	for _, m := range [][]byte{
		slices.Concat(symbols, cat(0x2a, packed, s)), slices.Concat(cat(0x2a, packed, s), symbols), slices.Concat(symbols, cat(0x2a, s, unpacked)),
	} {
		b, _ := mustDecode(t, d, V2, Snappy, snap(m))
		if l, err := b.Labels.AppendLabels(nil, 0); err != nil || !slices.Equal(l, lset("__name__", "up", "a", "b")) {
			t.Errorf("labels %v, %v", l, err)
		}
		keys2 = append(keys2, b.Entries[0].Key)
	}
	for _, k := range [][]uint64{keys, keys2} {
		if k = slices.Compact(k); len(k) != 1 {
			t.Errorf("one label set has keys %x", k)
		}
	}
}

// TestStartTimes: rc.4 says when a counter began beside each sample, older drafts once a series.
func TestStartTimes(t *testing.T) {
	r := reqV2(func(i int, s *writev2.TimeSeries, _ *writev2.SymbolsTable) {
		if i == 0 {
			s.Samples[0].StartTimestamp = now - 5
			s.Histograms = []writev2.Histogram{intHistogram(now)}
			s.Histograms[0].StartTimestamp = now - 6
		}
	}, up, up)
	raw := marshal(t, r)
	// The second series gets field 6.
	var out []byte
	for i, n := 0, 0; i < len(raw); {
		f := readField(raw, i)
		if value := raw[f.lo:f.hi]; f.tag == 5<<3|wireBytes && n == 1 {
			value = append(slices.Clone(value), 0x30, 0x80, 0x80, 0x80, 0x80, 0x80, 0x21)
			out = append(append(out, byte(f.tag), byte(len(value))), value...)
		} else {
			out = append(out, raw[i:f.hi]...)
			if f.tag == 5<<3|wireBytes {
				n++
			}
		}
		i = f.hi
	}
	b, _ := mustDecode(t, NewDecoder(Limits{}), V2, Snappy, snap(out))
	if got := b.Samples[0].Start; got != now-5 {
		t.Errorf("start of the first sample is %d", got)
	}
	if got := b.Histograms[0].Start; got != now-6 {
		t.Errorf("start of the histogram is %d", got)
	}
	if got := b.Samples[1].Start; got != 0x21<<35 {
		t.Errorf("start of the older draft is %d", got)
	}
}

// TestSteadyStateAllocatesNothing, of either protocol and encoding, histograms included.
func TestSteadyStateAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("zstd's pools forget on purpose under the race detector")
	}
	v2 := kubernetesV2(200)
	for i := range 50 {
		v2.Timeseries[i].Histograms = []writev2.Histogram{intHistogram(now)}
	}
	for _, c := range []struct {
		p   Proto
		e   Encoding
		raw []byte
	}{
		{V1, Snappy, marshal(t, kubernetesV1(200))}, {V1, Zstd, marshal(t, kubernetesV1(200))},
		{V2, Snappy, marshal(t, v2)}, {V2, Zstd, marshal(t, v2)},
	} {
		d := NewDecoder(Limits{})
		body := compress(c.e, c.raw)
		var b series.Batch
		for range 5 {
			mustDecode(t, d, c.p, c.e, body)
		}
		if n := testing.AllocsPerRun(20, func() {
			if _, err := d.Decode(c.p, c.e, body, &b); err != nil {
				t.Error(err)
			}
		}); n > 0 {
			t.Errorf("%v %v: %v allocations a request", c.p, c.e, n)
		}
	}
}

// TestMemoryOfRealRequests: all that a new decoder allocates, garbage included, is below twice the message and 64 KiB.
func TestMemoryOfRealRequests(t *testing.T) {
	for _, n := range []int{1, 100, 2000, 10_000} {
		for _, c := range []struct {
			p   Proto
			raw []byte
		}{{V1, marshal(t, kubernetesV1(n))}, {V2, marshal(t, kubernetesV2(n))}} {
			body := snap(c.raw)
			d := NewDecoder(Limits{})
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			mustDecode(t, d, c.p, Snappy, body)
			runtime.ReadMemStats(&after)
			if got, most := after.TotalAlloc-before.TotalAlloc, uint64(2*len(c.raw)+64<<10); got > most {
				t.Errorf("%v, %d samples: %d bytes allocated, want at most %d (%.2f × the message)", c.p, n, got, most, float64(got)/float64(len(c.raw)))
			}
		}
	}
}

// TestFaultsAreCountedOnce: samples put into the batch and samples refused add up to what was sent.
func TestFaultsAreCountedOnce(t *testing.T) {
	r := reqV2(func(i int, s *writev2.TimeSeries, _ *writev2.SymbolsTable) {
		switch i {
		case 1:
			s.LabelsRefs[0] = 1000
			s.Samples = append(s.Samples, s.Samples[0])
		case 2:
			s.Samples = append(s.Samples, writev2.Sample{Timestamp: 5}, writev2.Sample{Timestamp: now})
			bad := intHistogram(now)
			bad.Schema = 100
			s.Histograms = []writev2.Histogram{intHistogram(now), bad}
		case 3:
			s.Samples = nil
		}
	}, up, up, up, up)
	b, info := mustDecode(t, NewDecoder(Limits{}), V2, Snappy, snap(marshal(t, r)))
	if info.Samples != 3 || info.Histograms != 1 || info.Rejected != 4 || info.BadSeries != 2 || len(b.Entries) != 2 {
		t.Errorf("%+v, %d entries", info, len(b.Entries))
	}
	if want := `series 2: label reference 1000`; !strings.HasPrefix(info.Reason, want) {
		t.Errorf("reason %q, want %q first", info.Reason, want)
	}
}

// TestRefusedBodyLeavesNothing: a batch of a refused body is empty, and the decoder is as good as new.
func TestRefusedBodyLeavesNothing(t *testing.T) {
	d := NewDecoder(Limits{})
	good := snap(marshal(t, kubernetesV1(10)))
	b, _ := mustDecode(t, d, V1, Snappy, good)
	if _, err := d.Decode(V1, Snappy, []byte("garbage"), &b); err == nil || len(b.Entries)+len(b.Samples)+len(b.Histograms) > 0 || b.Labels != nil {
		t.Errorf("error %v, batch %+v", err, b)
	}
	raw := marshal(t, kubernetesV1(10))
	if _, err := d.Decode(V1, Snappy, snap(raw[:len(raw)-1]), &b); err == nil || len(b.Entries) > 0 {
		t.Errorf("error %v, batch %+v", err, b)
	}
	if b, info := mustDecode(t, d, V1, Snappy, good); len(b.Entries) != 10 || info.Rejected != 0 {
		t.Errorf("%d entries, %+v", len(b.Entries), info)
	}
}
