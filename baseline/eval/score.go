package eval

// Counting: episodes, events, false alerts, delays, incidents. The rules are fixed; nothing here knows how the model works.

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/wrackline/wrackline/baseline/model"
)

// SeriesReport is what one series gave.
type SeriesReport struct {
	Name     string
	Events   int       // labelled events after history
	Detected int       // … in whose tolerance an alert began
	Alerts   int       // alert episodes that began after history
	False    int       // … of those outside every event's tolerance, on a row labelled 0
	Days     float64   // scored time
	Delays   []float64 // seconds from an event's begin to its first alert, one for each detected event; never below 0
	// Tests counts the false alerts by the test that raised them.
	Tests map[string]int
	// Found counts the detected events by the test that found them.
	Found map[string]int
	// Other is what each of Thresholds would have given.
	Other []At
	// AUC and VUS are the area under the precision-recall curve and the volume under its surface with widened labels, without
	// point adjustment; NaN without events.
	AUC, VUS float64
	onsets   []int64
	from     int64 // scored time, Unix seconds
	to       int64
}

// SetReport is what a folder of series gave.
type SetReport struct {
	Name      string
	Series    []SeriesReport // by name
	Incidents int            // incidents of groups of series, after history
	Caught    int            // … inside which a member's alert began
	Chance    float64        // share of equally long windows of normal time of the same members that hold an alert's begin
	Entities  EntityReport   // of the series that meta.json gives an entity
	Budget    BudgetReport   // with Options.Budget
}

// EntityReport is what the entities of a set gave: an alert of an entity is entityFew members whose alerts begin within a quarter of an hour, an event
// is an incident of its members.
type EntityReport struct {
	Events, Detected, False int
	Days                    float64 // scored time of all entities
}

// F1 is the harmonic mean of recall and precision of entity alerts; 0 when nothing was detected.
func (e *EntityReport) F1() float64 {
	if e.Detected == 0 {
		return 0
	}
	return 2 * float64(e.Detected) / float64(e.Events+e.Detected+e.False)
}

// entityFew is how many members make an alert of their entity, entityWithin in how many seconds.
const (
	entityFew    = 3
	entityWithin = 900
)

// Totals returns the sums over the series: labelled events, those detected, false alerts, and scored days.
func (s *SetReport) Totals() (events, detected, falses int, days float64) {
	for i := range s.Series {
		r := &s.Series[i]
		events += r.Events
		detected += r.Detected
		falses += r.False
		days += r.Days
	}
	return
}

// Recall is detected events over events; NaN without events.
func (s *SetReport) Recall() float64 {
	e, d, _, _ := s.Totals()
	return float64(d) / float64(e)
}

// Precision is detected events over detected events and false alerts; NaN when there is neither.
func (s *SetReport) Precision() float64 {
	_, d, f, _ := s.Totals()
	return float64(d) / float64(d+f)
}

// F1 is the harmonic mean of recall and precision; 0 when nothing was detected.
func (s *SetReport) F1() float64 {
	e, d, f, _ := s.Totals()
	if d == 0 {
		return 0
	}
	return 2 * float64(d) / float64(e+d+f)
}

// FalsePerDay is false alerts per series and day.
func (s *SetReport) FalsePerDay() float64 {
	_, _, f, days := s.Totals()
	if days == 0 {
		return 0
	}
	return float64(f) / days
}

// Delay returns the q quantile (0–1) of the delays in seconds, NaN when nothing was detected.
func (s *SetReport) Delay(q float64) float64 {
	var all []float64
	for i := range s.Series {
		all = append(all, s.Series[i].Delays...)
	}
	if len(all) == 0 {
		return math.NaN()
	}
	slices.Sort(all)
	return all[int(q*float64(len(all)-1)+.5)]
}

// Best returns the threshold of Thresholds that would have given the highest F1, and that F1. Less the F1 at the stock threshold it is
// the calibration loss.
func (s *SetReport) Best() (threshold, f1 float64) {
	events, _, _, _ := s.Totals()
	for k, t := range Thresholds {
		d, f := 0, 0
		for i := range s.Series {
			if s.Series[i].Other != nil {
				d += s.Series[i].Other[k].Detected
				f += s.Series[i].Other[k].False
			}
		}
		if x := 2 * float64(d) / float64(max(events+d+f, 1)); x > f1 {
			threshold, f1 = t, x
		}
	}
	return threshold, f1
}

// Areas returns the mean AUC-PR and VUS-PR of the series that have events; NaN when none has.
func (s *SetReport) Areas() (auc, vus float64) {
	n := 0.
	for i := range s.Series {
		if r := &s.Series[i]; r.Events > 0 && !math.IsNaN(r.VUS) {
			auc += r.AUC
			vus += r.VUS
			n++
		}
	}
	return auc / n, vus / n
}

// meta is a set's meta.json.
type meta struct {
	Info struct {
		Hold int64 `json:"hold"` // seconds; 0 = the usual
	} `json:"info"`
	Series map[string]struct {
		EvalStart int64  `json:"eval_start"`
		Step      int64  `json:"step"`
		Entity    string `json:"entity"`
	} `json:"series"`
}

type incident struct {
	ID     string   `json:"id"`
	Start  int64    `json:"start"`
	End    int64    `json:"end"`
	Series []string `json:"series"`
}

// span is a time from a to b, Unix seconds, both included.
type span struct{ a, b int64 }

// fileMax bounds what is read of meta.json and incidents.json.
const fileMax = 64 << 20

func readJSON(path string, v any) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := json.NewDecoder(io.LimitReader(f, fileMax)).Decode(v); err != nil {
		return fmt.Errorf("read %s: %w", filepath.Base(path), err)
	}
	return nil
}

// ScoreDir replays and scores every *.csv and *.csv.gz of dir, a set laid out as: meta.json (optional; history and hold),
// incidents.json (optional), one file for each series with a label column.
func ScoreDir(dir string, o Options) (SetReport, error) {
	rep := SetReport{Name: filepath.Base(filepath.Clean(dir))}
	var mt meta
	if err := readJSON(filepath.Join(dir, "meta.json"), &mt); err != nil && !errors.Is(err, os.ErrNotExist) {
		return rep, err
	}
	var incidents []incident
	if err := readJSON(filepath.Join(dir, "incidents.json"), &incidents); err != nil && !errors.Is(err, os.ErrNotExist) {
		return rep, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return rep, err
	}
	var files []string
	for _, e := range entries {
		if !e.IsDir() && (strings.HasSuffix(e.Name(), ".csv") || strings.HasSuffix(e.Name(), ".csv.gz")) {
			files = append(files, e.Name())
		}
	}
	if len(files) == 0 {
		return rep, fmt.Errorf("%s: no .csv or .csv.gz files", dir)
	}
	rep.Series = make([]SeriesReport, len(files))
	score := rep.scoreAlone
	if o.Budget > 0 {
		score = rep.scoreTogether
	}
	if err := score(dir, files, mt, o); err != nil {
		return rep, err
	}
	rep.scoreIncidents(incidents)
	rep.scoreEntities(incidents, mt)
	return rep, nil
}

// scoreAlone scores each file by itself, several at a time.
func (s *SetReport) scoreAlone(dir string, files []string, mt meta, o Options) error {
	errs := make([]error, len(files))
	var wg sync.WaitGroup
	var mu sync.Mutex // guards done and serialises Progress
	done := 0
	next := make(chan int)
	for range max(1, o.Parallel) {
		wg.Go(func() {
			for i := range next {
				rows, err := readFile(dir, files[i], o)
				if err == nil {
					s.Series[i] = scoreFile(files[i], rows, mt, o)
				}
				errs[i] = err
				mu.Lock()
				done++
				if o.Progress != nil {
					o.Progress(done, len(files))
				}
				mu.Unlock()
			}
		})
	}
	for i := range files {
		next <- i
	}
	close(next)
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			return fmt.Errorf("%s: %w", files[i], err)
		}
	}
	return nil
}

// scoreTogether plays all files side by side, in order of time, as the signals of one installation with a budget.
func (s *SetReport) scoreTogether(dir string, files []string, mt meta, o Options) error {
	b := model.Budget{Asked: o.Budget}
	scorers := make([]*scorer, len(files))
	near := make([]model.Stretch, len(files))
	var times []int64
	for i, file := range files {
		rows, err := readFile(dir, file, o)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		name := seriesName(file)
		scorers[i] = newScorer(name, rows, mt.Series[name].EvalStart, mt.Info.Hold, o)
		for _, r := range rows {
			times = append(times, r.T)
		}
		if o.Progress != nil {
			o.Progress(i, len(files))
		}
	}
	slices.Sort(times)
	times = slices.Compact(times)
	strict, hours := 0., 0.
	from := int64(math.MaxInt64)
	for _, t := range times {
		live := false
		for i, x := range scorers {
			for len(x.replay.rows) > 0 && x.replay.rows[0].T <= t {
				x.replay.params.Strict = b.Strict()
				x.row()
				b.See(&near[i], &x.replay.result.Judgement)
				live = live || t >= x.rep.from
			}
		}
		before := b.Hours
		b.Pass(t * 1000)
		if live {
			from = min(from, t)
			if h := b.Hours - before; h > 0 {
				strict += h * b.Strict()
				hours += h
			}
		}
	}
	falses := 0
	for i, x := range scorers {
		s.Series[i] = x.report()
		falses += s.Series[i].False
	}
	s.Budget = BudgetReport{Asked: o.Budget, Strict: b.Strict(), MeanStrict: strict / hours, Weeks: float64(times[len(times)-1]-from) / (7 * 86400)}
	s.Budget.Realised = float64(falses) / s.Budget.Weeks
	s.Budget.Expected, _ = b.Expected()
	return nil
}

// BudgetReport is how a set stood with a budget of false alarms, as the signals of one installation. Zero when none was asked.
type BudgetReport struct {
	Asked      float64 // false alarms a week
	Realised   float64 // false alerts a week, by the labels
	Expected   float64 // … that the near misses of the end foretell
	Weeks      float64 // scored time
	Strict     float64 // × the stock evidence that an alarm needed in the end
	MeanStrict float64 // … on average
}

// BudgetTable renders the budgets of sets; empty when none was asked.
func BudgetTable(sets []SetReport) string {
	var b strings.Builder
	for i := range sets {
		r := &sets[i].Budget
		if r.Asked == 0 {
			continue
		}
		if b.Len() == 0 {
			fmt.Fprintf(&b, "\n%-12s %6s %6s %12s %13s %13s %17s\n", "budget", "series", "weeks", "asked a week", "false a week", "foretold then", "strictness (mean)")
		}
		fmt.Fprintf(&b, "%-12s %6d %6.1f %12.3g %13.2f %13.2f %10.2f (%.2f)\n", sets[i].Name, len(sets[i].Series), r.Weeks, r.Asked, r.Realised, r.Expected, r.Strict, r.MeanStrict)
	}
	return b.String()
}

func seriesName(file string) string {
	return strings.TrimSuffix(strings.TrimSuffix(file, ".gz"), ".csv")
}

func readFile(dir, file string, o Options) ([]Row, error) {
	f, err := os.Open(filepath.Join(dir, file))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return ReadCSV(f, o.RowsMax)
}

func scoreFile(file string, rows []Row, mt meta, o Options) SeriesReport {
	name := seriesName(file)
	return Score(name, rows, mt.Series[name].EvalStart, mt.Info.Hold, o)
}

// Score replays rows and scores the alarms against their labels. Rows before evalStart (Unix seconds) are history. hold is the
// distance in seconds below which alerts, or labels, are one; 0 = the larger of 15 minutes and 3 steps.
func Score(name string, rows []Row, evalStart, hold int64, o Options) SeriesReport {
	if len(rows) == 0 {
		return SeriesReport{Name: name}
	}
	s := newScorer(name, rows, evalStart, hold, o)
	for s.row() {
	}
	return s.report()
}

// scorer judges a series and counts as it goes.
type scorer struct {
	rep    SeriesReport
	replay *replayer
	count  *count
	others []SeriesReport
	counts []*count
	rank   ranking
	from   int64
	wide   int // rows by which labels are widened at most
}

func newScorer(name string, rows []Row, evalStart, hold int64, o Options) *scorer {
	s := &scorer{rep: SeriesReport{Name: name}, replay: newReplayer(name, rows, o), from: evalStart}
	if len(rows) == 0 {
		return s
	}
	step := Step(rows)
	if hold <= 0 {
		hold = max(900, 3*step)
	}
	s.wide = int(2 * hold / step)
	s.rep.from = max(evalStart, rows[0].T)
	s.rep.to = rows[len(rows)-1].T
	s.rep.Days = float64(max(0, s.rep.to-s.rep.from)) / 86400
	s.count = newCount(&s.rep, rows, evalStart, hold, step)
	s.others = make([]SeriesReport, len(Thresholds))
	s.counts = make([]*count, len(Thresholds))
	for i := range s.counts {
		s.counts[i] = newCount(&s.others[i], rows, evalStart, hold, step)
	}
	return s
}

// row judges the next row; false means that there is none.
func (s *scorer) row() bool {
	if !s.replay.next() {
		return false
	}
	r := &s.replay.result
	if r.State.Alarm() && !r.Told {
		s.count.alert(r.Row, r.Test.String())
	}
	for i, t := range Thresholds {
		if r.Score < t {
			break
		}
		s.counts[i].alert(r.Row, "")
	}
	if r.T >= s.from {
		s.rank.add(r.Score, r.Label)
	}
	return true
}

func (s *scorer) report() SeriesReport {
	if s.count == nil {
		return s.rep
	}
	s.rep.Other = make([]At, len(Thresholds))
	for i := range s.others {
		s.rep.Other[i] = At{s.others[i].Detected, s.others[i].False}
	}
	s.rep.AUC, s.rep.VUS = s.rank.areas(s.wide)
	return s.rep
}

// count compares alert rows with the labels of a series.
type count struct {
	rep           *SeriesReport
	from          int64 // rows before it are history
	hold          int64
	before, after int64 // tolerance around an event
	events        []span
	hit           []bool
	last          int64 // time of the newest alert row
}

func newCount(rep *SeriesReport, rows []Row, evalStart, hold, step int64) *count {
	if rep.Tests == nil {
		rep.Tests = map[string]int{}
	}
	if rep.Found == nil {
		rep.Found = map[string]int{}
	}
	c := &count{rep: rep, from: evalStart, hold: hold, before: max(300, 2*step), after: max(600, 2*step), last: math.MinInt64}
	for _, r := range rows {
		if r.Label != 1 || r.T < evalStart {
			continue
		}
		if n := len(c.events); n > 0 && r.T-c.events[n-1].b <= hold {
			c.events[n-1].b = r.T
		} else {
			c.events = append(c.events, span{r.T, r.T})
		}
	}
	rep.Events = len(c.events)
	c.hit = make([]bool, len(c.events))
	return c
}

// alert takes a row on which an alarm stood, in order of time, and the test that raised it.
func (c *count) alert(r Row, test string) {
	begins := c.last == math.MinInt64 || r.T-c.last > c.hold
	c.last = r.T
	if !begins || r.T < c.from {
		return
	}
	c.rep.Alerts++
	c.rep.onsets = append(c.rep.onsets, r.T)
	inside := false
	for i, e := range c.events {
		if r.T < e.a-c.before || r.T > e.b+c.after {
			continue
		}
		inside = true
		if !c.hit[i] {
			c.hit[i] = true
			c.rep.Detected++
			c.rep.Found[test]++
			c.rep.Delays = append(c.rep.Delays, float64(max(0, r.T-e.a)))
		}
	}
	if !inside && r.Label == 0 {
		c.rep.False++
		c.rep.Tests[test]++
	}
}

// scoreIncidents counts caught incidents of groups and, beside them, how often equally long windows of normal time would have been
// "caught" as well. The windows lie one after the other through the scored time of the members and touch no incident.
func (s *SetReport) scoreIncidents(incidents []incident) {
	if len(incidents) == 0 {
		return
	}
	by := make(map[string]*SeriesReport, len(s.Series))
	for i := range s.Series {
		by[s.Series[i].Name] = &s.Series[i]
	}
	chance, weight := 0., 0
	for _, in := range incidents {
		var onsets []int64
		from, to := int64(math.MaxInt64), int64(math.MinInt64)
		for _, name := range in.Series {
			if r := by[name]; r != nil {
				onsets = append(onsets, r.onsets...)
				from, to = min(from, r.from), max(to, r.to)
			}
		}
		if from > to || in.End < from {
			continue
		}
		slices.Sort(onsets)
		s.Incidents++
		if anyIn(onsets, in.Start, in.End) {
			s.Caught++
		}
		length := max(in.End-in.Start, 1)
		windows, caught := 0, 0
		for a := from; a+length <= to; a += length {
			if !slices.ContainsFunc(incidents, func(x incident) bool {
				return x.Start <= a+length && x.End >= a && slices.ContainsFunc(x.Series, func(n string) bool { return slices.Contains(in.Series, n) })
			}) {
				windows++
				if anyIn(onsets, a, a+length-1) {
					caught++
				}
			}
		}
		if windows > 0 {
			chance += float64(caught) / float64(windows)
			weight++
		}
	}
	if weight > 0 {
		s.Chance = chance / float64(weight)
	}
}

// scoreEntities counts alerts of whole entities against the incidents of their members.
func (s *SetReport) scoreEntities(incidents []incident, mt meta) {
	members := map[string][]*SeriesReport{}
	entityOf := map[string]string{}
	for i := range s.Series {
		r := &s.Series[i]
		if e := mt.Series[r.Name].Entity; e != "" {
			members[e] = append(members[e], r)
			entityOf[r.Name] = e
		}
	}
	type begin struct {
		t      int64
		member int
	}
	for _, e := range slices.Sorted(maps.Keys(members)) {
		var begins []begin
		from, to, step := int64(math.MaxInt64), int64(math.MinInt64), int64(60)
		for k, r := range members[e] {
			from, to, step = min(from, r.from), max(to, r.to), max(step, mt.Series[r.Name].Step)
			for _, t := range r.onsets {
				begins = append(begins, begin{t, k})
			}
		}
		slices.SortFunc(begins, func(a, b begin) int { return cmp.Compare(a.t, b.t) })
		var events []span
		for _, in := range incidents {
			if in.End >= from && slices.ContainsFunc(in.Series, func(n string) bool { return entityOf[n] == e }) {
				events = append(events, span{in.Start, in.End})
			}
		}
		hit := make([]bool, len(events))
		last := int64(math.MinInt64)
		for i, b := range begins {
			who := map[int]bool{}
			for k := i; k >= 0 && b.t-begins[k].t <= entityWithin; k-- {
				who[begins[k].member] = true
			}
			if len(who) < entityFew {
				continue
			}
			again := last != math.MinInt64 && b.t-last <= max(entityWithin, 3*step)
			if last = b.t; again {
				continue
			}
			inside := false
			for k, ev := range events {
				if b.t >= ev.a-max(300, 2*step) && b.t <= ev.b+max(600, 2*step) {
					inside, hit[k] = true, true
				}
			}
			if !inside {
				s.Entities.False++
			}
		}
		for _, h := range hit {
			if h {
				s.Entities.Detected++
			}
		}
		s.Entities.Events += len(events)
		s.Entities.Days += float64(max(0, to-from)) / 86400
	}
}

// anyIn reports whether a sorted list has a value from a to b.
func anyIn(sorted []int64, a, b int64) bool {
	i, _ := slices.BinarySearch(sorted, a)
	return i < len(sorted) && sorted[i] <= b
}

// String renders the report as a few lines of text.
func (s *SetReport) String() string {
	var b strings.Builder
	e, d, f, days := s.Totals()
	fmt.Fprintf(&b, "%s: %d series, %.0f series-days, %d events\n", s.Name, len(s.Series), days, e)
	fmt.Fprintf(&b, "  recall %s  precision %s  F1 %.2f  false alerts %d (%.3f per series-day)\n", ratio(d, e), ratio(d, d+f), s.F1(), f, s.FalsePerDay())
	if d > 0 {
		fmt.Fprintf(&b, "  delay  median %s  90 %% %s\n", seconds(s.Delay(.5)), seconds(s.Delay(.9)))
	}
	if s.Incidents > 0 {
		fmt.Fprintf(&b, "  incidents  %d of %d caught; by chance %.2f\n", s.Caught, s.Incidents, s.Chance)
	}
	return b.String()
}

// Table renders several sets as one table of fixed columns, with the mean of the sets' F1 below when there are several. The last
// column says which tests raised the false alerts. The same reports give the same text.
func Table(sets []SetReport) string {
	var b strings.Builder
	line := func(f string, args ...any) {
		b.WriteString(strings.TrimRight(fmt.Sprintf(f, args...), " "))
		b.WriteByte('\n')
	}
	line("%-12s %6s %6s %6s %6s %6s %5s %9s %10s %5s %5s %8s %8s  %-16s  %-21s  %s", "set", "series", "days", "events", "recall", "prec", "F1", "false/day", "best (at)",
		"AUC", "VUS", "delay50", "delay90", "caught (chance)", "entity F1 (false/day)", "found / false by test")
	sum, bests, aucs, vuss, ranked := 0., 0., 0., 0., 0.
	for i := range sets {
		s := &sets[i]
		e, d, f, days := s.Totals()
		inc := "-"
		if s.Incidents > 0 {
			inc = fmt.Sprintf("%d/%d (%.2f)", s.Caught, s.Incidents, s.Chance)
		}
		ent := "-"
		if n := &s.Entities; n.Events > 0 {
			ent = fmt.Sprintf("%.2f (%.3f)", n.F1(), float64(n.False)/n.Days)
		}
		at, best := s.Best()
		auc, vus := s.Areas()
		bests += best
		if !math.IsNaN(vus) {
			aucs += auc
			vuss += vus
			ranked++
		}
		line("%-12s %6d %6.0f %6d %6s %6s %5.2f %9.3f %4.2f (%3.1f) %5s %5s %8s %8s  %-16s  %-21s  %s", s.Name, len(s.Series), days, e, ratio(d, e), ratio(d, d+f),
			s.F1(), s.FalsePerDay(), best, at, share(auc), share(vus), seconds(s.Delay(.5)), seconds(s.Delay(.9)), inc, ent, s.byTest())
		sum += s.F1()
	}
	if len(sets) > 1 {
		n := float64(len(sets))
		line("%-12s %6s %6s %6s %6s %6s %5.2f %9s %4.2f       %5s %5s", "mean", "", "", "", "", "", sum/n, "", bests/n, share(aucs/ranked), share(vuss/ranked))
	}
	return b.String()
}

// byTest lists the tests that spoke, each with events found / false alerts.
func (s *SetReport) byTest() string {
	n := map[string][2]int{}
	for i := range s.Series {
		for test, k := range s.Series[i].Found {
			x := n[test]
			x[0] += k
			n[test] = x
		}
		for test, k := range s.Series[i].Tests {
			x := n[test]
			x[1] += k
			n[test] = x
		}
	}
	tests := slices.Sorted(maps.Keys(n))
	for i, t := range tests {
		tests[i] = fmt.Sprintf("%s %d/%d", t, n[t][0], n[t][1])
	}
	return strings.Join(tests, ", ")
}

// share renders a number from 0 to 1, and - for one that does not exist.
func share(v float64) string {
	if math.IsNaN(v) {
		return "-"
	}
	return fmt.Sprintf("%.2f", v)
}

func ratio(a, b int) string {
	if b == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", float64(a)/float64(b))
}

func seconds(s float64) string {
	switch {
	case math.IsNaN(s):
		return "-"
	case s < 120:
		return fmt.Sprintf("%.0f s", s)
	case s < 7200:
		return fmt.Sprintf("%.0f min", s/60)
	}
	return fmt.Sprintf("%.1f h", s/3600)
}
