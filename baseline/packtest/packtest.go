// Package packtest runs the tests of packs: it plays each test's series through the real engine and holds what the signals did
// against what the test expects.
package packtest

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
)

// Result says whether one expectation of a test held, and why not.
type Result struct {
	Test   string // its name, or where it stands
	Line   int    // of the expectation, in the pack's file
	Signal string
	Want   string // "fires within 5m", in words
	OK     bool
	Reason string // what was seen: when it fired, or why the expectation failed
}

// Run runs all tests of a pack, in order. An error means that a rule does not compile.
func Run(p *pack.Pack) ([]Result, error) {
	var out []Result
	for _, t := range p.Tests {
		r, err := RunTest(p, t)
		if err != nil {
			return out, err
		}
		out = append(out, r...)
	}
	return out, nil
}

// watch is what is remembered of one expectation.
type watch struct {
	*pack.TestExpect
	values int      // windows with a value, after minute 0
	before *moment  // first alarm before the fault
	fired  *moment  // first alarm after it
	best   *moment  // window after the fault with the most evidence
	at     []moment // values in the window of a value expectation
}

// moment is a judged window.
type moment struct {
	baseline.Verdict
	t int64 // since minute 0, ms
}

// RunTest runs one test of a pack.
func RunTest(p *pack.Pack, t *pack.Test) ([]Result, error) {
	r := run{test: t, start: pack.TestStart.UnixMilli()}
	for i := range t.Expect {
		r.watches = append(r.watches, &watch{TestExpect: &t.Expect[i]})
	}
	// Only what the test asks about: other rules cost time and change nothing.
	asked := *p
	asked.Rules = nil
	for _, x := range p.Rules {
		for _, w := range r.watches {
			if w.Signal == x.Name {
				asked.Rules = append(asked.Rules, x)
				break
			}
		}
	}
	// A cluster is only learned for its first hour. That of a test is older, even if what is tested appears with the fault.
	asked.Rules = append(asked.Rules, &pack.Rule{Pack: p.Name, Name: "packtest.life", Exprs: []string{"max by (cluster) (" + life + ")"},
		Severity: pack.Info, Params: model.Defaults()})
	var err error
	r.engine, err = baseline.New(baseline.Options{Stream: signal.StreamOptions{Packs: []*pack.Pack{&asked}}, Sink: &r})
	if err != nil {
		return nil, err
	}
	r.play()
	var out []Result
	name := t.Name
	if name == "" {
		name = fmt.Sprintf("line %d", t.Line)
	}
	for _, w := range r.watches {
		x := r.result(w, &asked)
		x.Test, x.Line, x.Signal = name, w.Line, w.Signal
		out = append(out, x)
	}
	return out, nil
}

// life is a series that every cluster of a test has, from the beginning to the end.
const life = "wrackline_packtest_life"

type run struct {
	test    *pack.Test
	engine  *baseline.Engine
	start   int64 // minute 0, Unix ms
	watches []*watch
	senders []*sender
}

// senderLabel names who sends a series of a test; it is not sent. Without it one sender sends all series of a cluster.
const senderLabel = "__sender__"

// sender sends the series of one cluster, as one Prometheus would.
type sender struct {
	batch  series.Batch
	labels []series.Labels
	series []*pack.TestSeries
	warm   [][]float64 // of series
	life   series.Labels
	named  bool // by senderLabel
}

// AppendLabels implements series.LabelReader.
func (s *sender) AppendLabels(dst series.Labels, i int) (series.Labels, error) {
	return append(dst, s.labels[i]...), nil
}

func (r *run) play() {
	bySender := map[string]*sender{}
	var names []string
	for i := range r.test.Series {
		x := &r.test.Series[i]
		c, from := x.Labels.Get("cluster"), x.Labels.Get(senderLabel)
		who := c + "\x00" + from
		s := bySender[who]
		if s == nil {
			s = &sender{named: from != "", life: series.Labels{{Name: series.NameLabel, Value: life}}}
			if c != "" {
				s.life = append(s.life, series.Label{Name: "cluster", Value: c})
			}
			s.batch.Sender, s.batch.Cluster, s.batch.Labels = cmp.Or(from, "test "+c), c, s
			bySender[who] = s
			names = append(names, who)
		}
		if from != "" {
			sent := *x
			sent.Labels = slices.DeleteFunc(slices.Clone(x.Labels), func(l series.Label) bool { return l.Name == senderLabel })
			x = &sent
		}
		s.series = append(s.series, x)
		s.warm = append(s.warm, x.Warm(r.test))
	}
	sort.Strings(names)
	for _, who := range names {
		r.senders = append(r.senders, bySender[who])
	}
	last := 0
	for i := range r.test.Series {
		last = max(last, len(r.test.Series[i].Values))
	}
	steps := int(r.test.WarmMs / r.test.WarmStepMs())
	for i := range steps {
		t := r.start - int64(steps-i)*r.test.WarmStepMs()
		r.send(t, func(_ *pack.TestSeries, warm []float64, _ int) float64 {
			if warm == nil {
				return math.NaN()
			}
			return warm[i]
		})
	}
	// What comes after the last value only closes the windows before it.
	for i := range last + len(r.test.Series[0].After) {
		t := r.start + int64(i)*r.test.IntervalMs
		r.send(t, func(x *pack.TestSeries, _ []float64, back int) float64 {
			i := i - back
			switch {
			case i < len(x.Values):
				return x.Values[i]
			case i-len(x.Values) < len(x.After) && i >= last:
				return x.After[i-len(x.Values)]
			}
			return math.NaN()
		})
	}
}

// send sends the samples of one instant. A plain NaN is a sample that does not come. Of series that are delayed since the fault began it sends
// those of back intervals before.
func (r *run) send(t int64, value func(x *pack.TestSeries, warm []float64, back int) float64) {
	key := uint64(0)
	end := r.start
	for i := range r.test.Series {
		end = max(end, r.start+int64(len(r.test.Series[i].Values))*r.test.IntervalMs)
	}
	for _, s := range r.senders {
		b := &s.batch
		b.ReceivedMs = t + 1000
		b.Entries, b.Samples, s.labels = b.Entries[:0], b.Samples[:0], s.labels[:0]
		add := func(l series.Labels, t int64, v float64) {
			key++
			if math.IsNaN(v) && !series.IsStale(v) {
				return
			}
			n := uint32(len(b.Samples))
			b.Entries = append(b.Entries, series.Entry{Key: key * 0x9e3779b97f4a7c15, SampleLo: n, SampleHi: n + 1})
			b.Samples = append(b.Samples, series.Sample{T: t, V: v})
			s.labels = append(s.labels, l)
		}
		for i, x := range s.series {
			at, fault := t, r.start+r.test.FromMs
			if t >= fault {
				at -= x.DelayMs
			}
			if at < fault && t >= fault && x.DelayMs > 0 {
				key++
				continue // on its way
			}
			add(x.Labels, at, value(x, s.warm[i], int((t-at)/r.test.IntervalMs)))
		}
		if len(b.Samples) > 0 || !s.named || t >= end {
			add(s.life, t, 1) // a named sender that sends nothing is silent
		}
		r.engine.Apply(b, 0)
	}
}

// Observe implements baseline.Sink.
func (r *run) Observe(b baseline.Batch) {
	end := int64(0)
	for i := range r.test.Series {
		end = max(end, int64(len(r.test.Series[i].Values)-1)*r.test.IntervalMs)
	}
	t := b.T - r.start
	if t > end {
		return
	}
	for i := range b.Verdicts {
		v := &b.Verdicts[i]
		for _, w := range r.watches {
			if v.Signal.Rule.Name != w.Signal || !has(v.Signal.Entity, w.Entity) {
				continue
			}
			m := moment{*v, t}
			m.Top = nil
			if t > 0 {
				w.values++
			}
			if w.HasValue && t == w.AtMs {
				w.at = append(w.at, m)
			}
			alarm := v.State.Alarm() && !b.Old
			switch {
			case t <= r.test.FromMs:
				if alarm && w.before == nil {
					w.before = &m
				}
			default:
				if alarm && w.fired == nil {
					w.fired = &m
				}
				if w.best == nil || v.Score > w.best.Score || v.Score == w.best.Score && v.Score == 0 {
					w.best = &m
				}
			}
		}
	}
}

// has reports whether an entity has all labels of want.
func has(entity, want series.Labels) bool {
	for _, l := range want {
		if entity.Get(l.Name) != l.Value {
			return false
		}
	}
	return true
}

func (r *run) result(w *watch, p *pack.Pack) (x Result) {
	unit := ""
	for _, rule := range p.Rules {
		if rule.Name == w.Signal {
			unit = rule.Unit
		}
	}
	of := ""
	if len(w.Entity) > 0 {
		of = " for " + strings.Trim(w.Entity.String(), "{}")
	}
	switch {
	case w.Fires:
		x.Want = fmt.Sprintf("fires%s within %s", of, span(w.WithinMs))
	case w.Never:
		x.Want = fmt.Sprintf("never fires%s", of)
	default:
		x.Want = fmt.Sprintf("is %s%s at %s", quantity(w.Value, unit), of, span(w.AtMs))
	}
	switch {
	case w.HasValue:
		switch {
		case len(w.at) == 0:
			x.Reason = "no value at " + span(w.AtMs) + r.why(w)
		case len(w.at) > 1:
			x.Reason = fmt.Sprintf("%d entities have a value, %s and %s among them; say which with entity", len(w.at), w.at[0].Signal.ID, w.at[1].Signal.ID)
		case math.Abs(w.at[0].Value-w.Value) > 1e-6*math.Max(math.Abs(w.Value), 1e-9):
			x.Reason = "it is " + quantity(w.at[0].Value, unit)
		default:
			x.OK = true
		}
	case w.values == 0 && w.Never && r.foreign(w.Entity):
		x.OK, x.Reason = true, "it is not asked: its pods live in the network of their node, whose traffic is not theirs"
	case w.values == 0:
		x.Reason = "it has no value" + r.why(w)
	case w.before != nil:
		x.Reason = "it fired before the fault, " + w.before.describe(unit)
	case w.Never && w.fired != nil:
		x.Reason = "it fired " + w.fired.describe(unit)
	case w.Never:
		x.OK = true
	case w.fired == nil && w.best == nil:
		x.Reason = "it has no value after the beginning of the fault at " + span(r.test.FromMs) + r.why(w)
	case w.fired == nil:
		x.Reason = "it did not fire; loudest was the window " + w.best.describe(unit)
	case w.fired.t > r.test.FromMs+w.WithinMs:
		x.Reason = fmt.Sprintf("it fired %s after the beginning of the fault, %s", span(w.fired.t-r.test.FromMs), w.fired.describe(unit))
	default:
		x.OK = true
		x.Reason = fmt.Sprintf("fired after %s, %s", span(w.fired.t-r.test.FromMs), w.fired.describe(unit))
	}
	return x
}

// foreign reports whether the test shows interfaces of pods of an entity's workload, and these pods live in the network of their node.
func (r *run) foreign(entity series.Labels) bool {
	for i := range r.test.Series {
		l := r.test.Series[i].Labels
		if !strings.HasPrefix(l.Get(series.NameLabel), "container_network_") || l.Get("pod") == "" {
			continue
		}
		for _, p := range r.engine.FindPods("", l.Get("namespace"), l.Get("pod"), 1) {
			if p.NodesNetwork && has(series.Labels{{Name: "cluster", Value: p.Cluster}, {Name: "namespace", Value: p.Namespace}, {Name: "workload", Value: p.Workload}}, entity) {
				return true
			}
		}
	}
	return false
}

// why says what is known of a signal without a value.
func (r *run) why(w *watch) string {
	r.engine.Publish()
	st := r.engine.Stats()
	for _, s := range st.Rules {
		if s.Rule.Name != w.Signal {
			continue
		}
		if s.Form < 0 {
			return ": dormant, the input lacks " + strings.Join(s.Missing, ", ")
		}
		text := fmt.Sprintf(": expression %d selects %d series", s.Form+1, s.Series)
		if st.FewEvents > 0 {
			text += ", and fewer events than min_events are behind it"
		}
		if st.Incomplete > 0 {
			text += ", and series are missing in some windows"
		}
		if s.Signals > 0 && len(w.Entity) > 0 {
			text += fmt.Sprintf("; it has %d other entities", s.Signals)
		}
		return text
	}
	return ""
}

func (m *moment) describe(unit string) string {
	text := fmt.Sprintf("at %s: %s is %s, normal %s to %s", span(m.t), m.Signal.ID, quantity(m.Value, unit), number(m.Band.Lower), quantity(m.Band.Upper, unit))
	if m.Test != model.NoTest {
		text += fmt.Sprintf(", %s test at %.2f of an alarm", m.Test, m.Score)
	}
	return text
}

func number(v float64) string { return fmt.Sprintf("%.4g", v) }

func quantity(v float64, unit string) string {
	if unit == "" || unit == "ratio" {
		return number(v)
	}
	return number(v) + " " + unit
}

// span writes milliseconds as 5m or 2h10m.
func span(ms int64) string {
	if ms < 0 {
		return "-" + span(-ms)
	}
	s := (time.Duration(ms) * time.Millisecond).String()
	s = strings.Replace(s, "m0s", "m", 1)
	return strings.Replace(s, "h0m", "h", 1)
}
