package sizes_test

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/sizes"
)

// feeder feeds a book with one workload's pods.
type feeder struct {
	t    testing.TB
	b    *sizes.Book
	sets *sets
	set  map[string]uint32
	kind string
}

func newFeeder(t testing.TB, kind string) *feeder {
	f := &feeder{t: t, b: sizes.NewBook(), sets: &sets{}, set: map[string]uint32{}, kind: kind}
	f.b.KindOf = func(string, string) string { return f.kind }
	return f
}

// of returns the label set of a pod, or of a resource when the pod is "".
func (f *feeder) of(pod, resource string) uint32 {
	if s, ok := f.set[pod+resource]; ok {
		return s
	}
	s := f.sets.add("cart", pod)
	if pod == "" {
		l := slices.Clone(f.sets.list[s])
		l[2] = series.Label{Name: "resource", Value: resource}
		f.sets.list[s] = l
	}
	f.set[pod+resource] = s
	return s
}

// live feeds the minutes of days, of one pod that has another name each time it is begun anew.
func (f *feeder) live(from, to float64, name func(m int) string, use func(m int) (cores, bytes float64)) {
	for m := int(from * dayMinutes); m < int(to*dayMinutes); m++ {
		f.b.Minute(uint32(m+dayMinutes), m%(7*dayMinutes))
		if n := name(m); n != "" {
			cores, b := use(m)
			f.b.CPU(f.of(n, ""), cores, f.sets.labels)
			f.b.Memory(f.of(n, ""), b, f.sets.labels)
		}
		if m%15 == 0 {
			f.b.Requests(f.of("", "cpu"), 1, f.sets.labels)
			f.b.Requests(f.of("", "memory"), 1024*mib, f.sets.labels)
			f.b.Limits(f.of("", "memory"), 1024*mib, f.sets.labels)
		}
	}
}

func (f *feeder) container() *sizes.Container {
	f.t.Helper()
	list := f.b.Containers()
	if len(list) != 1 {
		f.t.Fatalf("%d containers, want one", len(list))
	}
	return &list[0]
}

func (f *feeder) advice() sizes.Advice {
	f.t.Helper()
	return f.container().Advise()
}

// every names a pod that is begun anew after so many days.
func every(days int) func(int) string {
	return func(m int) string { return fmt.Sprint("cart-", m/(days*dayMinutes)) }
}

func steady(m int) (float64, float64) {
	return .2 + .02*float64(m%7), (400 + 5*float64(m%11)) * mib
}

func has(a *sizes.Advice, c sizes.Cause) bool {
	return slices.ContainsFunc(a.Why, func(r sizes.Reason) bool { return r.Cause == c })
}

func TestRecordsAreSmall(t *testing.T) {
	if sizes.RecordBytes > 512 {
		t.Errorf("a record has %d bytes, more than 512", sizes.RecordBytes)
	}
	t.Logf("%d bytes a container, %d a pod beside its name", sizes.RecordBytes, sizes.CellBytes)
}

func TestNothingIsGuessed(t *testing.T) {
	f := newFeeder(t, "deployment")
	f.live(0, 4, every(2), steady)
	if a := f.advice(); a.Missing.Hours < 71 || a.Missing.Hours > 73 || a.Set != f.container().Set || !strings.HasPrefix(a.Missing.Text(), "not yet: 72 more hours") {
		t.Errorf("after four days: %+v, %q", a.Missing, a.Missing.Text())
	}
	f.live(4, 7.1, every(2), steady)
	if a := f.advice(); a.Missing.Any() || a.Confidence != sizes.Medium {
		t.Errorf("after a week: missing %+v, %s", a.Missing, a.Confidence)
	}
	f.live(7.1, 14.1, every(2), steady)
	if a := f.advice(); a.Confidence != sizes.High {
		t.Errorf("after two weeks: %s", a.Confidence)
	}
}

func TestJobsCountRuns(t *testing.T) {
	run := func(m int) string {
		if m%dayMinutes < 20 {
			return fmt.Sprint("cart-", m/dayMinutes)
		}
		return ""
	}
	f := newFeeder(t, "cronjob")
	f.live(0, 3.5, run, steady)
	if a := f.advice(); a.Missing.Runs != 1 {
		t.Errorf("after four runs: %+v", a.Missing)
	}
	f.live(3.5, 5.5, run, steady)
	a := f.advice()
	if a.Missing.Any() || a.Set.Requests.Memory < 450*mib || a.Set.Requests.Memory > 560*mib || a.Runs != 6 {
		t.Errorf("after six runs: %+v", a)
	}
}

func TestNeverBelowAPeak(t *testing.T) {
	peak := func(m int) (float64, float64) {
		if w := m % (7 * dayMinutes); w >= 550 && w < 560 { // Mondays 09:10
			return .9, 800 * mib
		}
		return steady(m)
	}
	f := newFeeder(t, "deployment")
	f.live(0, 14.5, every(3), peak)
	a := f.advice()
	if a.Set.Requests.Memory < 800*mib || a.Mem.MaxMinute < 550 || a.Mem.MaxMinute >= 560 || !strings.Contains(a.Because(true, false), "peak 800 MiB on Mondays 09:1") {
		t.Errorf("a weekly peak: %s: %s", sizes.Memory(a.Set.Requests.Memory), a.Because(true, false))
	}
	start := func(m int) (float64, float64) {
		if m%(3*dayMinutes) < 5 && m > 0 {
			return 1.5, 700 * mib
		}
		return steady(m)
	}
	f = newFeeder(t, "deployment")
	f.live(0, 14.5, every(3), start)
	if a = f.advice(); a.Set.Requests.Memory < 700*mib || !has(&a, sizes.StartPeak) || a.CPU.Start != 1.5 {
		t.Errorf("a start-up peak: %s: %s", sizes.Memory(a.Set.Requests.Memory), a.Because(true, false))
	}
	// The quiet twin: nothing of either.
	f = newFeeder(t, "deployment")
	f.live(0, 14.5, every(3), steady)
	if a = f.advice(); a.Set.Requests.Memory > 500*mib || a.Frees.Memory < 500*mib || len(a.Risks) != 0 {
		t.Errorf("neither: %s, frees %s, %v", sizes.Memory(a.Set.Requests.Memory), sizes.Memory(a.Frees.Memory), a.Risks)
	}
}

func TestWithoutAStartNothingIsLowered(t *testing.T) {
	f := newFeeder(t, "deployment")
	f.live(0, 15, func(int) string { return "cart-0" }, steady)
	a := f.advice()
	if a.Set.Requests.Memory != 1024*mib || a.Set.Limits.Memory != 1024*mib || !has(&a, sizes.NoStart) || a.Confidence != sizes.Low {
		t.Errorf("%s, limit %s, %s: %s", sizes.Memory(a.Set.Requests.Memory), sizes.Memory(a.Set.Limits.Memory), a.Confidence, a.Because(true, false))
	}
	if a.Set.Requests.CPU > .4 {
		t.Errorf("CPU is squeezed at worst: %s", sizes.CPU(a.Set.Requests.CPU))
	}
}

func TestAKillRaises(t *testing.T) {
	f := newFeeder(t, "deployment")
	f.live(0, 10, every(3), steady)
	calm := f.advice()
	f.b.Kills(f.of("", "cpu"), 1, f.sets.labels)
	f.b.Kills(f.of("", "cpu"), 1, f.sets.labels) // the same, seen again
	f.live(10, 15, every(3), steady)
	a := f.advice()
	if a.Kills != 1 || a.KillLimit != 1024*mib || a.Set.Requests.Memory < 1280*mib || len(a.Risks) == 0 || a.Risks[0].Danger != sizes.KilledBefore {
		t.Errorf("%d kills at %s, %s advised, %v", a.Kills, sizes.Memory(a.KillLimit), sizes.Memory(a.Set.Requests.Memory), a.Risks)
	}
	if calm.Set.Requests.Memory > 520*mib {
		t.Errorf("before: %s", sizes.Memory(calm.Set.Requests.Memory))
	}
}

func TestGrowthIsWhatIsNotGivenBack(t *testing.T) {
	leak := func(m int) (float64, float64) { // 10 MiB a day
		return .2, (400 + 10*float64(m%(10*dayMinutes))/dayMinutes + float64(m%7)) * mib
	}
	f := newFeeder(t, "deployment")
	f.live(0, 20, every(10), leak)
	a := f.advice()
	if math.Abs(a.Growth-10*mib) > 2*mib || a.Set.Requests.Memory < 600*mib {
		t.Errorf("a leak of 10 MiB a day: %s a day, %s advised", sizes.Memory(a.Growth), sizes.Memory(a.Set.Requests.Memory))
	}
	if !slices.ContainsFunc(a.Risks, func(r sizes.Risk) bool { return r.Danger == sizes.WillBeKilled }) {
		t.Errorf("1 GiB is reached within two months: %v", a.Risks)
	}
	for name, use := range map[string]func(m int) (float64, float64){
		"saw-teeth":   func(m int) (float64, float64) { return .2, (400 + 300*float64(m%300)/300) * mib },
		"working day": func(m int) (float64, float64) { return .2, (400 + 40*math.Sin(float64(m)/dayMinutes*2*math.Pi)) * mib },
		"weekends": func(m int) (float64, float64) {
			if m/dayMinutes%7 >= 5 {
				return .2, 380 * mib
			}
			return .2, 400 * mib
		},
		"a cache that fills": func(m int) (float64, float64) {
			return .2, (300 + 100*(1-math.Exp(-float64(m%(10*dayMinutes))/dayMinutes*2))) * mib
		},
	} {
		f := newFeeder(t, "deployment")
		f.live(0, 27, every(10), use)
		if a := f.advice(); a.Growth != 0 {
			t.Errorf("%s: grows by %s a day", name, sizes.Memory(a.Growth))
		}
	}
}

func TestAVersionMovesWhatWasLearned(t *testing.T) {
	for _, by := range []float64{1, 1.6, .5} {
		f := newFeeder(t, "deployment")
		use := func(m int) (float64, float64) {
			c, b := steady(m)
			if m >= 8*dayMinutes {
				return c * by, b * by
			}
			return c, b
		}
		pods := func(m int) string { return fmt.Sprint("cart-", m/(4*dayMinutes)) }
		f.live(0, 8, pods, use)
		f.b.Rolled("shop", "cart")
		f.live(8, 10, pods, use)
		a := f.advice()
		want := 450 * mib * by
		if math.Abs(a.Mem.Max-want) > .15*want || math.Abs(a.Moved-by) > .12*by || by == 1 && a.MovedMs != 0 {
			t.Errorf("a version that uses %.1f times as much: peak %s, moved %.2f", by, sizes.Memory(a.Mem.Max), a.Moved)
		}
		if by != 1 && a.Confidence != sizes.Low {
			t.Errorf("of the version little is known: %s", a.Confidence)
		}
	}
}

func TestBoundsOfTheNamespace(t *testing.T) {
	f := newFeeder(t, "deployment")
	f.live(0, 14.5, every(3), steady)
	f.b.Scaler(60, series.Labels{{Name: "namespace", Value: "shop"}, {Name: "scaletargetref_name", Value: "cart"}})
	f.b.Range(600*mib, series.Labels{{Name: "constraint", Value: "min"}, {Name: "namespace", Value: "shop"}, {Name: "resource", Value: "memory"}})
	f.b.Range(.25, series.Labels{{Name: "constraint", Value: "max"}, {Name: "namespace", Value: "shop"}, {Name: "resource", Value: "cpu"}})
	a := f.advice()
	if a.Set.Requests.Memory != 600*mib || !has(&a, sizes.Lowest) || a.Set.Requests.CPU != .25 || !has(&a, sizes.Highest) {
		t.Errorf("%s of memory, %s of CPU", sizes.Memory(a.Set.Requests.Memory), sizes.CPU(a.Set.Requests.CPU))
	}
	if a.Target != 240 { // 60 % of a core is 240 % of a quarter
		t.Errorf("the autoscaler must aim at %v", a.Target)
	}
	f.b.Facts("range")
	f.b.Facts("scaler")
	if a := f.advice(); a.Set.Requests.Memory >= 600*mib || a.Target != 0 {
		t.Errorf("without bounds: %s, target %v", sizes.Memory(a.Set.Requests.Memory), a.Target)
	}
}

func TestPatchIsAManifest(t *testing.T) {
	f := newFeeder(t, "deployment")
	f.live(0, 14.5, every(3), steady)
	c := f.container()
	side, young, odd := *c, *c, *c
	side.Key.Container, odd.Kind, odd.Workload = "istio-proxy", "rollout", "odd\nkind: Secret"
	list := []sizes.Advised{{Container: c, Cluster: "a", Advice: c.Advise()}, {Container: &side, Cluster: "a", Advice: c.Advise()}, {Container: &odd, Cluster: "a", Advice: c.Advise()},
		{Container: &young, Cluster: "a", Advice: sizes.Advice{Missing: sizes.Missing{Hours: 5}}}}
	text := sizes.Patch(list)
	var got struct {
		APIVersion string `yaml:"apiVersion"`
		Kind       string
		Metadata   struct{ Name, Namespace string }
		Spec       struct {
			Template struct {
				Spec struct {
					Containers []struct {
						Name      string
						Resources map[string]map[string]string
					}
				}
			}
		}
	}
	parts := strings.Split(text, "---\n")
	if len(parts) != 2 {
		t.Fatalf("%d documents:\n%s", len(parts)-1, text)
	}
	if err := yaml.Unmarshal([]byte(parts[1]), &got); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if got.APIVersion != "apps/v1" || got.Kind != "Deployment" || got.Metadata.Name != "cart" || len(got.Spec.Template.Spec.Containers) != 1 {
		t.Errorf("%+v of\n%s", got, text)
	}
	r := got.Spec.Template.Spec.Containers[0]
	if r.Name != "app" || !strings.HasSuffix(r.Resources["requests"]["memory"], "Mi") || r.Resources["requests"]["cpu"] == "" || r.Resources["limits"]["cpu"] != "" {
		t.Errorf("%+v", r)
	}
	if strings.Contains(text, "\nkind: Secret") {
		t.Errorf("a name breaks out of its line:\n%s", text)
	}
	for _, want := range []string{"istio-proxy: a webhook adds it", "not yet: 5 more hours", "no manifest of this kind"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestStateGoesOnToTheBit(t *testing.T) {
	f := newFeeder(t, "deployment")
	f.live(0, 9.3, every(2), steady)
	f.b.Rolled("shop", "cart")
	f.b.Kills(f.of("", "cpu"), 2, f.sets.labels)
	f.b.Scaler(60, series.Labels{{Name: "namespace", Value: "shop"}, {Name: "scaletargetref_name", Value: "cart"}})
	f.b.Range(1, series.Labels{{Name: "constraint", Value: "min"}, {Name: "namespace", Value: "shop"}, {Name: "resource", Value: "cpu"}})
	state := f.b.Append(nil)
	other := sizes.NewBook()
	if err := other.Restore(state); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(other.Append(nil), state) {
		t.Fatal("what was restored is not what was saved")
	}
	g := *f
	g.b, other.KindOf = other, f.b.KindOf
	f.live(9.3, 12, every(2), steady)
	g.live(9.3, 12, every(2), steady)
	if !bytes.Equal(f.b.Append(nil), g.b.Append(nil)) {
		t.Error("a restored book goes on differently")
	}
	for i := range state {
		bad := slices.Clone(state)
		bad[i] ^= 0x55
		if err := sizes.NewBook().Restore(bad); err == nil {
			continue // another number is no damage that can be seen; the store has sums
		}
		if err := sizes.NewBook().Restore(state[:i]); err == nil {
			t.Fatalf("cut at %d is taken", i)
		}
	}
}

func FuzzRestore(f *testing.F) {
	g := newFeeder(f, "deployment")
	g.live(0, 1, every(1), steady)
	f.Add(g.b.Append(nil))
	f.Add([]byte{2})
	f.Fuzz(func(t *testing.T, data []byte) {
		b := sizes.NewBook()
		if b.Restore(data) != nil {
			return
		}
		for _, c := range b.Containers() {
			a := c.Advise()
			_ = a.Sentences(&c)
			_ = c.Week()
		}
		b.Minute(b.Now()+61, 5)
	})
}

// BenchmarkMinute is what a minute costs for each pod's container: CPU and memory, and the hours that end meanwhile.
func BenchmarkMinute(b *testing.B) {
	const pods = 10_000
	book, named := sizes.NewBook(), &sets{}
	list := make([]uint32, pods)
	for i := range list {
		list[i] = named.add(fmt.Sprint("w", i/3), fmt.Sprint("p", i))
	}
	minute := uint32(1000)
	step := func() {
		minute++
		book.Minute(minute, int(minute)%(7*dayMinutes))
		for i, s := range list {
			book.CPU(s, .1+float64(i%17)/100, named.labels)
			book.Memory(s, float64(100+i%13)*mib, named.labels)
		}
	}
	step()
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		step()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/pods, "ns/container")
}
