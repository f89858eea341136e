package signal

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"github.com/wrackline/wrackline/baseline/change"
	"github.com/wrackline/wrackline/baseline/identity"
	"github.com/wrackline/wrackline/baseline/promql"
	"github.com/wrackline/wrackline/baseline/series"
)

// Bounds on the tests of a pack.
const (
	PackTestsMax   = 2000    // tests in a file
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

// PackTestStart is minute 0 of every test: a Tuesday noon.
var PackTestStart = time.Date(2026, 1, 6, 12, 0, 0, 0, time.UTC)

// PackTest is one test of a pack: series as they come, and what the signals make of them. The notation is drawn in packs/README.md.
type PackTest struct {
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
func (t *PackTest) WarmStepMs() int64 { return max(warmStepMs, t.IntervalMs) }

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
func (l *packLoader) test(p *Pack, y *packTest, at string) (*PackTest, error) {
	t := &PackTest{Name: y.Name, IntervalMs: 60_000, WarmMs: testWarm.Milliseconds()}
	t.Line, _ = l.position(at)
	if y.Interval != "" {
		d, err := duration(y.Interval)
		if err != nil || d < 5*time.Second || d > 5*time.Minute {
			return nil, l.errorf(at+".interval", "interval %q: want a duration from 5s to 5m", y.Interval)
		}
		t.IntervalMs = d.Milliseconds()
	}
	if y.Warm != "" {
		d, err := duration(y.Warm)
		if y.Warm == "0" {
			d, err = 0, nil
		}
		if err != nil || d > testWarmMax {
			return nil, l.errorf(at+".warm", "warm %q: want a duration up to 28d, like 3d", y.Warm)
		}
		t.WarmMs = d.Milliseconds()
	}
	t.WarmMs -= t.WarmMs % t.WarmStepMs()
	if y.Noise < 0 || y.Noise > 0.4 || math.IsNaN(y.Noise) {
		return nil, l.errorf(at+".noise", "noise %v: want a share from 0 to 0.4; 0.03 lets normal life vary by 3 %%", y.Noise)
	}
	if len(y.Expect) == 0 || len(y.Expect) > testExpectsMax {
		return nil, l.errorf(at+".expect", "expect: want one to %d expectations, like {signal: %s, fires_within: 5m}", testExpectsMax, p.Rules[0].Name)
	}
	if len(y.Input) == 0 || len(y.Input) > testSeriesMax {
		return nil, l.errorf(at+".input", `input: want one to %d series, like 'x_total{code="500"}': 0+60x10 prev+600x20`, testSeriesMax)
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
	names := make([]string, 0, len(y.Input))
	for text := range y.Input {
		names = append(names, text)
	}
	sort.Strings(names)
	seen := map[string]string{}
	for _, text := range names {
		where := l.entry(at+".input", text)
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
		if other, ok := seen[ls.String()]; ok {
			return nil, l.errorAt(where, "series %q is the same as %q", text, other)
		}
		seen[ls.String()] = text
		var delay time.Duration
		if v := ls.Get(testDelay); v != "" {
			step := time.Duration(t.IntervalMs) * time.Millisecond
			if delay, err = duration(v); err != nil || delay <= 0 || delay > testDelayMax || delay%step != 0 {
				return nil, l.errorAt(where, "series %q: %s is %q; want a multiple of the interval, up to %s: a sample is late after four minutes", text, testDelay, v, testDelayMax)
			}
			ls = slices.DeleteFunc(ls, func(x series.Label) bool { return x.Name == testDelay })
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
	end := int64(0)
	for i := range t.Series {
		end = max(end, int64(len(t.Series[i].Values)-1)*t.IntervalMs)
	}
	for i, e := range t.Expect {
		where := fmt.Sprintf("%s.expect[%d]", at, i)
		switch {
		case e.Fires && (t.FromMs >= end || from == math.MaxInt64 && y.From == ""):
			return nil, l.errorf(where+".fires_within", "no fault: every series has one term only; add a second, like 0+60x10 prev+600x20, or say from: when it begins")
		case e.Fires && t.FromMs+e.WithinMs > end:
			return nil, l.errorf(where+".fires_within", "fires_within ends %s after the last value; add values to the input", time.Duration(t.FromMs+e.WithinMs-end)*time.Millisecond)
		case e.HasValue && e.AtMs > end:
			return nil, l.errorf(where+".at", "at is after the last value, which comes at %s", time.Duration(end)*time.Millisecond)
		}
	}
	return t, nil
}

func (l *packLoader) expect(rules map[string]*Rule, y *packExpect, at string) (TestExpect, error) {
	e := TestExpect{Signal: y.Signal}
	e.Line, _ = l.position(at)
	if rules[y.Signal] == nil {
		if y.Signal == "" {
			return e, l.errorf(at, "signal is missing: which signal of this pack?")
		}
		return e, l.errorf(at+".signal", "signal %q is not in this pack%s", y.Signal, nearest(y.Signal, rules))
	}
	for name, value := range y.Entity {
		e.Entity = append(e.Entity, series.Label{Name: name, Value: value})
	}
	sort.Slice(e.Entity, func(i, j int) bool { return e.Entity[i].Name < e.Entity[j].Name })
	for _, x := range e.Entity {
		known := false
		for _, src := range rules[y.Signal].Exprs {
			p, err := compileExpr(src)
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

// nearest proposes a name for one that does not exist.
func nearest(name string, rules map[string]*Rule) string {
	best, least := "", 4
	for n := range rules {
		if d := distance(name, n); d < least || d == least && best != "" && n < best {
			best, least = n, d
		}
	}
	if best == "" {
		return ""
	}
	return "; is it " + best + "?"
}

// distance is how many letters must be changed, added or left out.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diag := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diag
			if a[i] != b[j] {
				cost++
			}
			diag = row[j+1]
			row[j+1] = min(cost, row[j]+1, diag+1)
		}
	}
	return row[len(b)]
}

// A term of the notation: what it begins with, how it goes on, how often.
var testTerm = regexp.MustCompile(`^(now(?:[+-](?:[0-9]+(?:ms|s|m|h|d|w))+)?|prev|[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?)([+-](?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?)?(?:x([0-9]+))?$`)

// parseValues reads promtool's notation, with two words more: now, which may be followed by a duration, is the Unix time of minute 0,
// and prev is the value before. The length of the first term tells where normal life ends.
func parseValues(text string, t *PackTest, noise float64, ls series.Labels) (s TestSeries, first int, err error) {
	start, step := math.NaN(), 0.0 // of the first term
	last := math.NaN()             // slope of the last one
	clock, counter := false, false // what the series seems to be
	var prev float64
	for n, term := range strings.Fields(text) {
		if len(s.Values) > testValuesMax {
			break
		}
		before := len(s.Values)
		switch {
		case term == "stale":
			s.Values = append(s.Values, series.StaleNaN)
			last = math.NaN()
		case term == "_" || strings.HasPrefix(term, "_x"):
			count := 1
			if rest, ok := strings.CutPrefix(term, "_x"); ok {
				if count, err = strconv.Atoi(rest); err != nil || count < 1 || count > testValuesMax {
					return s, 0, fmt.Errorf("term %q: want _x10 for ten samples that do not come", term)
				}
			}
			for range count {
				s.Values = append(s.Values, math.NaN())
			}
			last = math.NaN()
		default:
			m := testTerm.FindStringSubmatch(term)
			if m == nil {
				return s, 0, fmt.Errorf("term %q: want 5, 5x10, 0+60x10, 9-1x5, prev+60x10, now+2dx10, _x3 or stale", term)
			}
			count := 0
			if m[3] != "" {
				if count, err = strconv.Atoi(m[3]); err != nil || count > testValuesMax {
					return s, 0, fmt.Errorf("term %q: at most %d values are possible", term, testValuesMax)
				}
			} else if m[2] != "" {
				return s, 0, fmt.Errorf("term %q: how often? write %sx10", term, term)
			}
			slope := 0.0
			if m[2] != "" {
				if slope, err = strconv.ParseFloat(m[2], 64); err != nil {
					return s, 0, fmt.Errorf("term %q: %v", term, err)
				}
			}
			var from float64
			switch {
			case m[1] == "prev":
				if n == 0 || math.IsNaN(prev) {
					return s, 0, fmt.Errorf("term %q: there is no value before it", term)
				}
				from, count = prev+slope, count-1 // prev itself is there already
				if m[3] == "" {
					count = 0
				}
			case strings.HasPrefix(m[1], "now"):
				clock = true
				from = float64(PackTestStart.Unix())
				if rest := strings.TrimPrefix(m[1], "now"); rest != "" {
					d, err := duration(rest[1:])
					if err != nil {
						return s, 0, fmt.Errorf("term %q: %v", term, err)
					}
					if rest[0] == '-' {
						d = -d
					}
					from += d.Seconds()
				}
			default:
				if from, err = strconv.ParseFloat(m[1], 64); err != nil {
					return s, 0, fmt.Errorf("term %q: %v", term, err)
				}
			}
			for i := range count + 1 {
				s.Values = append(s.Values, from+float64(i)*slope)
			}
			if count >= 0 {
				prev = from + float64(count)*slope
			}
			last = slope
			if n == 0 {
				start, step = from, slope
				counter = m[2] != ""
			}
		}
		if n == 0 {
			first = len(s.Values)
			if math.IsNaN(start) {
				prev = math.NaN()
			}
		}
		if len(s.Values) == before {
			return s, 0, fmt.Errorf("term %q gives no value", term)
		}
	}
	if len(s.Values) == 0 || len(s.Values) > testValuesMax {
		return s, 0, fmt.Errorf("want 1 to %d values, like 0+60x10 prev+600x20", testValuesMax)
	}
	if end := s.Values[len(s.Values)-1]; !math.IsNaN(end) {
		for i := range s.After {
			s.After[i] = end + float64(i+1)*last
		}
	} else {
		s.After = [3]float64{math.NaN(), math.NaN(), math.NaN()}
	}
	s.Labels, s.start, s.step, s.counter = ls, start, step, counter
	if !clock {
		s.noise = noise
	}
	s.lift(t)
	s.wobble(s.Values, "input")
	return s, first, nil
}

// lift raises a counter that would begin below zero before minute 0: nobody sees how much a counter is, only by how much it grows.
func (s *TestSeries) lift(t *PackTest) {
	per := s.step * float64(t.WarmStepMs()) / float64(t.IntervalMs)
	low := s.start - float64(t.WarmMs/t.WarmStepMs()+1)*per
	if !(s.step > 0 && low < 0) {
		return
	}
	s.start -= low
	for i, v := range s.Values {
		if !math.IsNaN(v) { // a stale marker must stay itself
			s.Values[i] = v - low
		}
	}
	for i := range s.After {
		s.After[i] -= low
	}
}

// Warm returns the values before minute 0, which continue the first term into the past: oldest first, one every WarmStepMs, the last
// one step before minute 0. It is nil when the series does not begin with a value.
func (s *TestSeries) Warm(t *PackTest) []float64 {
	n := int(t.WarmMs / t.WarmStepMs())
	if n == 0 || math.IsNaN(s.start) {
		return nil
	}
	per := s.step * float64(t.WarmStepMs()) / float64(t.IntervalMs)
	out := make([]float64, n)
	for i := range out {
		out[i] = s.start - per*float64(n-i)
	}
	s.wobble(out, "warm")
	return out
}

// wobble makes values vary by a share of themselves, or of what a counter grows by. The same series varies the same way each time.
func (s *TestSeries) wobble(values []float64, salt string) {
	if s.noise == 0 {
		return
	}
	h := uint64(14695981039346656037)
	for _, text := range []string{s.Labels.String(), salt} {
		for i := range len(text) {
			h = (h ^ uint64(text[i])) * 1099511628211
		}
	}
	before := math.NaN()
	for i, v := range values {
		h += 0x9e3779b97f4a7c15
		z := (h ^ h>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		u := float64((z^z>>31)>>11)/(1<<52) - 1 // −1 to 1
		step := v
		if s.counter {
			step = v - before
		}
		if step > 0 { // not for a NaN
			values[i] = v + s.noise*u*step
		}
		before = v
	}
}

// position returns the line and column of the YAML path, or of the nearest parent that exists.
func (l *packLoader) position(at string) (line, col int) {
	for p := at; p != ""; {
		if n := l.node(p); n != nil {
			if t := firstToken(n); t != nil {
				return t.Line, t.Column
			}
		}
		i := strings.LastIndexAny(p, ".[")
		if i < 0 {
			break
		}
		p = p[:i]
	}
	return 1, 1
}

// entry returns the place of a key of the mapping at the YAML path. Series are keys that no YAML path can name.
func (l *packLoader) entry(at, key string) [2]int {
	if n := l.node(at); n != nil {
		for _, v := range entries(n) {
			if t := v.Key.GetToken(); t != nil && t.Position != nil && t.Value == key {
				return [2]int{t.Position.Line, t.Position.Column}
			}
		}
	}
	line, col := l.position(at)
	return [2]int{line, col}
}

func (l *packLoader) errorAt(at [2]int, format string, args ...any) error {
	return fmt.Errorf("%s:%d:%d: %s", l.origin, at[0], at[1], fmt.Sprintf(format, args...))
}

// firstToken is where a node begins: of a mapping its first key, since the parser gives the colon.
func firstToken(n ast.Node) *token.Position {
	switch m := n.(type) {
	case *ast.MappingNode:
		if !m.IsFlowStyle && len(m.Values) > 0 {
			return firstToken(m.Values[0])
		}
	case *ast.MappingValueNode:
		return firstToken(m.Key)
	}
	if t := n.GetToken(); t != nil {
		return t.Position
	}
	return nil
}
