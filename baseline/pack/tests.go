package pack

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/wrackline/wrackline/baseline/change"
	"github.com/wrackline/wrackline/baseline/identity"
	"github.com/wrackline/wrackline/baseline/near"
	"github.com/wrackline/wrackline/baseline/promql"
	"github.com/wrackline/wrackline/baseline/series"
)

// Bounds on the tests of a pack.
const (
	TestsMax       = 2000    // tests in a file
	testSeriesMax  = 200     // series of a test
	testValuesMax  = 20_000  // values of a series
	testTotalMax   = 1 << 20 // values of a file
	testExpectsMax = 200     // expectations of a test
	testWarmMax    = 28 * 24 * time.Hour
	testWarm       = 2 * 24 * time.Hour // when the test does not say
	warmStepMs     = int64(60_000)
	testDelay      = "__delay__" // label of a series of a test: how much later its samples arrive during the fault
	testDelayMax   = 30 * time.Minute
)

// TestStart is minute 0 of every test: a Tuesday noon.
var TestStart = time.Date(2026, 1, 6, 12, 0, 0, 0, time.UTC)

// Test is one test of a pack: series as they come, and what the signals make of them. The notation is drawn in packs/README.md.
type Test struct {
	Name       string
	Line       int   // in the pack's file
	IntervalMs int64 // between two values
	WarmMs     int64 // of normal life before minute 0
	FromMs     int64 // when the fault begins, since minute 0
	Series     []TestSeries
	Expect     []TestExpect
}

// TestSeries is a series of a test.
type TestSeries struct {
	Labels series.Labels
	// Values come every interval from minute 0 on. A stale marker ends the series, any other NaN is a sample that does not come.
	Values []float64
	// DelayMs is how much later than their time samples arrive from the beginning of the fault on, a multiple of the interval.
	DelayMs int64
	// After is what would come next if the last term went on: a window closes only when later samples have come.
	After [3]float64

	start, step float64 // of the first term; a NaN when it holds no value
	noise       float64
	counter     bool // noise is of what it grows by
}

// WarmStepMs is how far apart the values before minute 0 are.
func (t *Test) WarmStepMs() int64 { return max(warmStepMs, t.IntervalMs) }

// TestExpect is what one signal must do. One of Fires, Never and HasValue is set.
type TestExpect struct {
	Line     int
	Signal   string
	Entity   series.Labels // labels that the entity must have; nil = any
	Fires    bool          // within WithinMs of the beginning of the fault, and not before
	WithinMs int64
	Never    bool // and it must have values
	HasValue bool // exactly one entity has Value in the window that ends AtMs after minute 0
	Value    float64
	AtMs     int64
}

// The YAML shapes of a test.
type (
	packTest struct {
		Name     string              `yaml:"name"`
		Interval string              `yaml:"interval"`
		Warm     string              `yaml:"warm"`
		Noise    float64             `yaml:"noise"`
		From     string              `yaml:"from"`
		Input    map[string]rawValue `yaml:"input"`
		Expect   []packExpect        `yaml:"expect"`
	}
	packExpect struct {
		Signal      string            `yaml:"signal"`
		Entity      map[string]string `yaml:"entity"`
		FiresWithin string            `yaml:"fires_within"`
		NeverFires  *bool             `yaml:"never_fires"`
		Value       *float64          `yaml:"value"`
		At          string            `yaml:"at"`
	}
	// rawValue is a scalar as it is written: YAML would read 0x60 as ninety-six.
	rawValue string
)

// UnmarshalYAML keeps the text, without quotes. What is no scalar gives none, which is no list of values.
func (v *rawValue) UnmarshalYAML(n ast.Node) error {
	switch n := n.(type) {
	case *ast.LiteralNode:
		*v = rawValue(n.Value.Value)
	case ast.ScalarNode:
		*v = rawValue(n.GetToken().Value)
	}
	return nil
}

// test reads one test. at is its YAML path.
func (l *packLoader) test(p *Pack, y *packTest, at string) (*Test, error) {
	t := &Test{Name: y.Name, IntervalMs: 60_000, WarmMs: testWarm.Milliseconds()}
	t.Line, _ = l.position(at)
	if err := l.testHead(t, p, y, at); err != nil {
		return nil, err
	}
	rules := map[string]*Rule{}
	for _, r := range p.Rules {
		rules[r.Name] = r
	}
	var used []string // metrics of the signals that are asked about
	own := false      // one of them reads what follows from changes
	for i := range y.Expect {
		e, err := l.expect(rules, &y.Expect[i], fmt.Sprintf("%s.expect[%d]", at, i))
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(t.Expect, func(x TestExpect) bool { return x.Signal == e.Signal }) {
			used = append(used, rules[e.Signal].Metrics()...)
			own = own || rules[e.Signal].readsOwn()
		}
		t.Expect = append(t.Expect, e)
	}
	from := int64(math.MaxInt64)
	seen := map[string]string{}
	for _, text := range slices.Sorted(maps.Keys(y.Input)) {
		where := l.entry(at+".input", text)
		ls, err := l.testLabels(text, where)
		if err != nil {
			return nil, err
		}
		if other, ok := seen[ls.String()]; ok {
			return nil, l.errorAt(where, "series %q is the same as %q", text, other)
		}
		seen[ls.String()] = text
		ls, delay, err := l.testDelay(t, ls, text, where)
		if err != nil {
			return nil, err
		}
		name := ls.Get(series.NameLabel)
		if identity.FactOf(name) == 0 && !(own && change.MetricOf(name).Watched()) && !slices.Contains(used, name) {
			return nil, l.errorAt(where, "series %q: no signal of this test reads %s; they read %s", text, name, strings.Join(used, ", "))
		}
		s, first, err := parseValues(string(y.Input[text]), t, y.Noise, ls)
		if err != nil {
			return nil, l.errorAt(where, "series %q: %v", text, err)
		}
		if l.values += len(s.Values); l.values > testTotalMax {
			return nil, l.errorAt(where, "series %q: the tests of a pack may have %d values together", text, testTotalMax)
		}
		if first < len(s.Values) {
			from = min(from, int64(first-1)*t.IntervalMs)
		}
		s.DelayMs = delay.Milliseconds()
		t.Series = append(t.Series, s)
	}
	if from != math.MaxInt64 {
		t.FromMs = max(from, 0)
	}
	if y.From != "" {
		d, err := duration(y.From)
		if err != nil {
			return nil, l.errorf(at+".from", "from %q: want a duration like 10m, counted from the first value", y.From)
		}
		t.FromMs = d.Milliseconds()
	}
	if err := l.testEnd(t, from, y, at); err != nil {
		return nil, err
	}
	return t, nil
}

// testHead reads what holds for a whole test, and checks its bounds.
func (l *packLoader) testHead(t *Test, p *Pack, y *packTest, at string) error {
	if y.Interval != "" {
		d, err := duration(y.Interval)
		if err != nil || d < 5*time.Second || d > 5*time.Minute {
			return l.errorf(at+".interval", "interval %q: want a duration from 5s to 5m", y.Interval)
		}
		t.IntervalMs = d.Milliseconds()
	}
	if y.Warm != "" {
		d, err := duration(y.Warm)
		if y.Warm == "0" {
			d, err = 0, nil
		}
		if err != nil || d > testWarmMax {
			return l.errorf(at+".warm", "warm %q: want a duration up to 28d, like 3d", y.Warm)
		}
		t.WarmMs = d.Milliseconds()
	}
	t.WarmMs -= t.WarmMs % t.WarmStepMs()
	if y.Noise < 0 || y.Noise > 0.4 || math.IsNaN(y.Noise) {
		return l.errorf(at+".noise", "noise %v: want a share from 0 to 0.4; 0.03 lets normal life vary by 3 %%", y.Noise)
	}
	if len(y.Expect) == 0 || len(y.Expect) > testExpectsMax {
		return l.errorf(at+".expect", "expect: want one to %d expectations, like {signal: %s, fires_within: 5m}", testExpectsMax, p.Rules[0].Name)
	}
	if len(y.Input) == 0 || len(y.Input) > testSeriesMax {
		return l.errorf(at+".input", `input: want one to %d series, like 'x_total{code="500"}': 0+60x10 prev+600x20`, testSeriesMax)
	}
	return nil
}

// testLabels reads the name and labels of a series.
func (l *packLoader) testLabels(text string, where [2]int) (series.Labels, error) {
	parsed, err := promql.Parser.ParseMetric(text)
	if err != nil {
		return nil, l.errorAt(where, "series %q: want a metric's name with labels, like x_total{code=\"500\"}: %v", text, oneLine(err))
	}
	var ls series.Labels
	for name, value := range parsed.Map() {
		ls = append(ls, series.Label{Name: name, Value: value})
	}
	if ls, err = series.Canonical(ls); err != nil {
		return nil, l.errorAt(where, "series %s: %v; write a metric's name before the labels, like x_total{code=\"500\"}", text, err)
	}
	return ls, nil
}

// testDelay takes from the labels of a series how much later its samples arrive.
func (l *packLoader) testDelay(t *Test, ls series.Labels, text string, where [2]int) (_ series.Labels, delay time.Duration, err error) {
	if v := ls.Get(testDelay); v != "" {
		step := time.Duration(t.IntervalMs) * time.Millisecond
		if delay, err = duration(v); err != nil || delay <= 0 || delay > testDelayMax || delay%step != 0 {
			return nil, 0, l.errorAt(where, "series %q: %s is %q; want a multiple of the interval, up to %s: a sample is late after four minutes", text, testDelay, v, testDelayMax)
		}
		ls = slices.DeleteFunc(ls, func(x series.Label) bool { return x.Name == testDelay })
	}
	return ls, delay, nil
}

// testEnd checks that what is expected comes before the last value. from is when the fault begins, MaxInt64 when no series says so.
func (l *packLoader) testEnd(t *Test, from int64, y *packTest, at string) error {
	end := int64(0)
	for i := range t.Series {
		end = max(end, int64(len(t.Series[i].Values)-1)*t.IntervalMs)
	}
	for i, e := range t.Expect {
		where := fmt.Sprintf("%s.expect[%d]", at, i)
		switch {
		case e.Fires && (t.FromMs >= end || from == math.MaxInt64 && y.From == ""):
			return l.errorf(where+".fires_within", "no fault: every series has one term only; add a second, like 0+60x10 prev+600x20, or say from: when it begins")
		case e.Fires && t.FromMs+e.WithinMs > end:
			return l.errorf(where+".fires_within", "fires_within ends %s after the last value; add values to the input", time.Duration(t.FromMs+e.WithinMs-end)*time.Millisecond)
		case e.HasValue && e.AtMs > end:
			return l.errorf(where+".at", "at is after the last value, which comes at %s", time.Duration(end)*time.Millisecond)
		}
	}
	return nil
}

func (l *packLoader) expect(rules map[string]*Rule, y *packExpect, at string) (TestExpect, error) {
	e := TestExpect{Signal: y.Signal}
	e.Line, _ = l.position(at)
	if rules[y.Signal] == nil {
		if y.Signal == "" {
			return e, l.errorf(at, "signal is missing: which signal of this pack?")
		}
		return e, l.errorf(at+".signal", "signal %q is not in this pack%s", y.Signal, near.Suggest(y.Signal, slices.Sorted(maps.Keys(rules))))
	}
	for name, value := range y.Entity {
		e.Entity = append(e.Entity, series.Label{Name: name, Value: value})
	}
	sort.Slice(e.Entity, func(i, j int) bool { return e.Entity[i].Name < e.Entity[j].Name })
	for _, x := range e.Entity {
		known := false
		for _, src := range rules[y.Signal].Exprs {
			p, err := Compile(src)
			known = known || err == nil && slices.Contains(p.Labels, x.Name)
		}
		if !known {
			return e, l.errorf(at+".entity", "entity: %s has no label %s; its labels are those of the outermost by (…)", y.Signal, x.Name)
		}
	}
	kinds := 0
	if y.FiresWithin != "" {
		d, err := duration(y.FiresWithin)
		if err != nil || d <= 0 {
			return e, l.errorf(at+".fires_within", "fires_within %q: want a duration like 5m, counted from the beginning of the fault", y.FiresWithin)
		}
		e.Fires, e.WithinMs = true, d.Milliseconds()
		kinds++
	}
	if y.NeverFires != nil {
		if !*y.NeverFires {
			return e, l.errorf(at+".never_fires", "never_fires: false says nothing; write fires_within: 5m")
		}
		e.Never = true
		kinds++
	}
	if y.Value != nil {
		d, err := duration(y.At)
		if err != nil || d.Milliseconds()%60_000 != 0 {
			return e, l.errorf(at+".at", "at %q: a value is asked for at whole minutes after the first, like at: 5m", y.At)
		}
		e.HasValue, e.Value, e.AtMs = true, *y.Value, d.Milliseconds()
		kinds++
	} else if y.At != "" {
		return e, l.errorf(at+".at", "at belongs to value; when a signal must fire is said by fires_within")
	}
	if kinds != 1 {
		return e, l.errorf(at, "want exactly one of fires_within: 5m, never_fires: true, and value: 0.5 with at: 5m")
	}
	return e, nil
}

// oneLine is an error's text without line breaks.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
