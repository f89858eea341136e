package baseline_test

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/scenario"
	"github.com/wrackline/wrackline/baseline/signal"
	"github.com/wrackline/wrackline/baseline/sizes"
)

func sizesOf(t *testing.T, e *baseline.Engine) map[sizes.Key]*sizes.Container {
	t.Helper()
	e.Publish()
	out := map[sizes.Key]*sizes.Container{}
	for _, c := range e.View().Sizes {
		for i := range c.Containers {
			out[c.Containers[i].Key] = &c.Containers[i]
		}
	}
	return out
}

// sections returns the sections of sizes.
func sizeSections(e *baseline.Engine) map[string][]byte {
	all := baseline.State(e)
	maps.DeleteFunc(all, func(name string, _ []byte) bool { return !strings.HasPrefix(name, "sizes/") })
	return all
}

// TestSizesAreLearned follows sizes through the whole engine: what containers use, whose they are, what is set, and that a restart changes nothing.
func TestSizesAreLearned(t *testing.T) {
	g, err := scenario.New(scenario.Config{Seed: 5, Targets: true, Replicas: 2})
	if err != nil {
		t.Fatal(err)
	}
	a := engine(t, newSink())
	play(a, g, scenario.Epoch+4*hour)
	b := engine(t, newSink())
	if err := b.Restore(1, baseline.State(a), baseline.Kept(a.Models)); err != nil {
		t.Fatal(err)
	}
	for {
		r, ok := g.Next(scenario.Epoch + 8*hour)
		if !ok {
			break
		}
		a.Apply(&r.Batch, 0)
		b.Apply(&r.Batch, 0)
	}
	one, two := sizeSections(a), sizeSections(b)
	if len(one) != 1 {
		t.Fatalf("%d sections of sizes", len(one))
	}
	for name, data := range one {
		if !bytes.Equal(data, two[name]) {
			t.Errorf("section %s of a restored engine differs", name)
		}
	}
	got := sizesOf(t, a)
	x := got[sizes.Key{Namespace: "shop", Workload: "storefront", Container: "storefront"}]
	if len(got) < 35 || x == nil {
		t.Fatalf("%d containers, storefront among them: %t", len(got), x != nil)
	}
	adv := x.Advise()
	if x.Kind != "deployment" || x.Pods < 4 || x.Set.Requests.CPU != .5 || x.Set.Limits.CPU != 1 || x.Scaler != 72 || x.Node.CPU <= 0 || !adv.Missing.Any() || adv.CPU.P95 <= 0 || adv.Mem.Max < 100<<20 {
		t.Errorf("%+v, %+v", *x, adv.Usage)
	}
	// The twin: pods of the pair of Prometheus count once.
	if len(slices.Collect(maps.Keys(got))) > 60 || x.Pods > 8 {
		t.Errorf("%d containers, %d pods of five", len(got), x.Pods)
	}
}

// TestSizesOutliveTheirSection: a checkpoint without sizes, of an older program, or with damaged ones, costs what was learned of them and nothing else.
func TestSizesOutliveTheirSection(t *testing.T) {
	a := engine(t, newSink())
	g := generator(t)
	play(a, g, scenario.Epoch+hour)
	for name, change := range map[string]func(map[string][]byte){
		"older": func(m map[string][]byte) {
			maps.DeleteFunc(m, func(n string, _ []byte) bool { return strings.HasPrefix(n, "sizes/") })
		},
		"damaged": func(m map[string][]byte) {
			for n := range m {
				if strings.HasPrefix(n, "sizes/") {
					m[n] = m[n][:len(m[n])/2]
				}
			}
		},
	} {
		state := baseline.State(a)
		change(state)
		b := engine(t, newSink())
		if err := b.Restore(1, state, baseline.Kept(a.Models)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := sizesOf(t, b); len(got) != 0 || len(b.View().Signals) == 0 {
			t.Errorf("%s: %d containers, %d signals", name, len(got), len(b.View().Signals))
		}
	}
}

// TestSizesStayOverAReload: other rules change nothing of what was learned of sizes.
func TestSizesStayOverAReload(t *testing.T) {
	a := engine(t, newSink())
	play(a, generator(t), scenario.Epoch+hour)
	before := sizeSections(a)
	commit, err := a.Reload(signal.StreamOptions{Packs: packs(t)[1:]}, nil)
	if err != nil {
		t.Fatal(err)
	}
	commit()
	if after := sizeSections(a); !maps.EqualFunc(before, after, bytes.Equal) || len(sizesOf(t, a)) == 0 {
		t.Error("sizes are others after a reload")
	}
}
