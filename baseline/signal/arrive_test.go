package signal

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/baseline/series"
)

type readerFunc func(dst series.Labels, i int) (series.Labels, error)

func (f readerFunc) AppendLabels(dst series.Labels, i int) (series.Labels, error) { return f(dst, i) }

func TestSeriesNobodyNeedsCostALookup(t *testing.T) {
	s, _ := newTestStream(t, StreamOptions{Packs: packOf(qps)})
	b := newBatch(t0 + 1000)
	for i := range 100 {
		b.add(fmt.Sprintf(`y_total{i="%d"}`, i), t0, 1)
	}
	b.add(`x_total{instance="a:1"}`, t0, 1)
	s.Apply(&b.Batch)
	reads := 0
	b.Labels = readerFunc(func(dst series.Labels, i int) (series.Labels, error) { reads++; return b.AppendLabels(dst, i) })
	if res := s.Apply(&b.Batch); res.Samples != 101 || reads != 0 {
		t.Errorf("%+v, labels read %d times for known series", res, reads)
	}
	if st := s.Stats(); st.Ignored != 200 || st.Needed != 2 || st.Tracked != 1 || st.Series != 101 {
		t.Errorf("%d ignored, %d needed, %d tracked of %d", st.Ignored, st.Needed, st.Tracked, st.Series)
	}
}

func TestSeriesLimitRefusesNewOnesOnly(t *testing.T) {
	s, r := newTestStream(t, StreamOptions{Packs: packOf(qps), MaxSeries: 10})
	var names []string
	for i := range 30 {
		names = append(names, fmt.Sprintf(`x_total{instance="i%d:1"}`, i), fmt.Sprintf(`y_total{i="%d"}`, i))
	}
	b := newBatch(t0 + 1000)
	for _, n := range names {
		b.add(n, t0, ramp(0, t0))
	}
	res := s.Apply(&b.Batch)
	st := s.Stats()
	if st.Tracked != 10 || st.Series > 40 || res.Rejected == 0 || res.Samples+res.Rejected != 60 || int(st.OverSeries) != res.Rejected {
		t.Errorf("%+v; %d tracked of %d", res, st.Tracked, st.Series)
	}
	if !strings.Contains(res.Reason, "signals.series_max, which is 10") || !strings.Contains(res.Reason, "100 % of what is refused is metric x_total, whose label instance has about") {
		t.Errorf("reason %q", res.Reason)
	}
	feedSeries(s, t0+30_000, t0+300_000, 30_000, names, ramp)
	wantValues(t, "those within the limit", only(r, qpsID), 2, 3, 10)
}

func TestHostileLabels(t *testing.T) {
	s, _ := newTestStream(t, StreamOptions{Packs: packOf(shopRules()...)})
	long := strings.Repeat("x", series.LabelValueMax)
	bad := []series.Labels{
		{},
		{{Name: "a", Value: "b"}},
		{{Name: series.NameLabel, Value: "up"}, {Name: "a", Value: "1"}, {Name: "a", Value: "2"}},
		{{Name: series.NameLabel, Value: "up"}, {Name: "", Value: "1"}},
		{{Name: series.NameLabel, Value: "up"}, {Name: "a", Value: "\xff"}},
		{{Name: series.NameLabel, Value: "up"}, {Name: "a", Value: long + "x"}},
	}
	odd := []series.Labels{
		{{Name: series.NameLabel, Value: "up"}, {Name: "cluster", Value: "~=!"}, {Name: "job", Value: long}},
		{{Name: series.NameLabel, Value: "kube_pod_owner"}, {Name: "pod", Value: "-"}, {Name: "owner_kind", Value: "Pod"}, {Name: "owner_name", Value: "-"}},
		{{Name: series.NameLabel, Value: "kube_pod_owner"}},
		{{Name: series.NameLabel, Value: "kube_node_info"}, {Name: "internal_ip", Value: "::1"}},
		{{Name: series.NameLabel, Value: "kube_replicaset_owner"}, {Name: "replicaset", Value: "-"}, {Name: "owner_kind", Value: "ReplicaSet"}, {Name: "owner_name", Value: "-"}},
		{{Name: series.NameLabel, Value: "container_memory_working_set_bytes"}, {Name: "pod", Value: strings.Repeat("-", 63)}, {Name: "container", Value: "c"}, {Name: "instance", Value: ":"}},
		{{Name: series.NameLabel, Value: "coredns_dns_request_duration_seconds_bucket"}, {Name: "le", Value: "NaN"}},
		{{Name: series.NameLabel, Value: "coredns_dns_request_duration_seconds_bucket"}, {Name: "le", Value: "-Inf"}},
		{{Name: series.NameLabel, Value: "coredns_dns_request_duration_seconds_bucket"}},
		{{Name: series.NameLabel, Value: "up"}, {Name: "__replica__", Value: "a"}, {Name: "prometheus_replica", Value: "b"}},
	}
	for step := range int64(12) {
		b := newBatch(t0 + step*30_000)
		for i, l := range append(slices.Clone(bad), odd...) {
			n := uint32(len(b.Samples))
			b.labels = append(b.labels, l)
			b.Entries = append(b.Entries, series.Entry{Key: uint64(i) << 40, SampleLo: n, SampleHi: n + 1})
			b.Samples = append(b.Samples, series.Sample{T: b.ReceivedMs, V: float64(step) * 1e308})
		}
		b.Entries = append(b.Entries, series.Entry{Key: 99})
		b.labels = append(b.labels, nil)
		b.Labels = readerFunc(func(dst series.Labels, i int) (series.Labels, error) {
			if b.labels[i] == nil {
				return dst, errors.New("cannot be read")
			}
			return append(dst, b.labels[i]...), nil
		})
		if res := s.Apply(&b.Batch); res.Barred != len(bad) || res.Samples != len(odd) {
			t.Fatalf("%+v, want %d rejected", res, len(bad))
		}
	}
	if st := s.Stats(); st.BadSeries != 12*int64(len(bad)+1) {
		t.Errorf("%d bad series", st.BadSeries)
	}
}
