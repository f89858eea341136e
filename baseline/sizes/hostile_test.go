package sizes_test

import (
	"bytes"
	"math"
	"testing"

	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/sizes"
)

// TestNoAnswerHarms: answers that no kubelet gives, from a sender who means it or from relabelling, change nothing for other containers, and leave a state that can be read.
func TestNoAnswerHarms(t *testing.T) {
	f, twin := newFeeder(t, "deployment"), newFeeder(t, "deployment")
	f.live(0, 7.5, every(3), steady)
	twin.live(0, 7.5, every(3), steady)
	bare := f.of("", "cpu") // a container without a pod, which is also asked for as a pod's
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1, 1e39, 1e300} {
		pod := f.of("cart-2", "")
		f.b.CPU(pod, v, f.sets.labels)
		f.b.Memory(pod, v, f.sets.labels)
		f.b.Throttled(pod, v, 1, f.sets.labels)
		f.b.Requests(f.of("", "memory"), v, f.sets.labels)
		f.b.Limits(f.of("", "memory"), v, f.sets.labels)
		for _, l := range []string{"cpu", "memory"} {
			of := series.Labels{{Name: "constraint", Value: "min"}, {Name: "namespace", Value: "shop"}, {Name: "resource", Value: l}}
			if v != -1 { // more is used than a quota has: a fact
				f.b.Quota(max(v, 1e300), of)
			}
			f.b.Range(v, of)
			f.b.Node(v, of)
		}
		f.b.Scaler(v, series.Labels{{Name: "namespace", Value: "shop"}, {Name: "scaletargetref_name", Value: "cart"}})
	}
	f.b.Kills(bare, math.NaN(), f.sets.labels)
	for range 3 { // the same label set, asked for as a pod's and as a container's
		f.b.Kills(bare, 0, f.sets.labels)
		f.b.Restarts(bare, 2, f.sets.labels)
		f.b.CPU(bare, .2, f.sets.labels)
	}
	a, want := f.advice(), twin.advice()
	if a.Set != want.Set {
		t.Errorf("advised %+v, want %+v", a.Set, want.Set)
	}
	state := f.b.Append(nil)
	other := sizes.NewBook()
	if err := other.Restore(state); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(other.Append(nil), state) {
		t.Error("what was restored is not what was saved")
	}
}

// TestAKillWithoutAPod: whichever of the two is told first, a label set without a pod is a container's and no pod's.
func TestAKillWithoutAPod(t *testing.T) {
	f := newFeeder(t, "deployment")
	f.live(0, .1, func(int) string { return "" }, steady)
	set := f.sets.add("cart", "")
	f.b.Restarts(set, 2, f.sets.labels) // makes the container
	f.b.Kills(set, 1, f.sets.labels)
	f.b.Restarts(set, 2, f.sets.labels)
	f.b.Kills(set, 2, f.sets.labels)
	if c := f.container(); c.Pods != 0 {
		t.Errorf("%d pods", c.Pods)
	}
}

// TestTheTightestQuotaCounts, also when more is used than it allows.
func TestTheTightestQuotaCounts(t *testing.T) {
	f := newFeeder(t, "deployment")
	f.live(0, 1, every(1), steady)
	of := func(r string) series.Labels {
		return series.Labels{{Name: "namespace", Value: "shop"}, {Name: "resource", Value: r}}
	}
	f.b.Quota(3, of("requests.cpu"))
	f.b.Quota(2, of("cpu"))
	f.b.Quota(4, of("requests.cpu"))
	f.b.Quota(-mib, of("memory"))
	if c := f.container(); c.Left.CPU != 2 || c.Left.Memory != 0 {
		t.Errorf("left: %+v", c.Left)
	}
}
