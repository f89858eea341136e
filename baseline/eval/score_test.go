package eval

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// labelled is rows of one minute; those of each span have the label.
func labelled(minutes int, label int8, spans ...span) []Row {
	rows := make([]Row, minutes)
	for i := range rows {
		rows[i].T = int64(i) * 60
		for _, s := range spans {
			if int64(i) >= s.a && int64(i) <= s.b {
				rows[i].Label = label
			}
		}
	}
	return rows
}

// counted scores alert rows (minutes) against rows.
func counted(rows []Row, from, hold int64, alerts ...int64) SeriesReport {
	rep := SeriesReport{Tests: map[string]int{}}
	c := newCount(&rep, rows, from, hold, 60)
	for _, m := range alerts {
		c.alert(rows[m], "point")
	}
	return rep
}

func through(a, b int64) (m []int64) {
	for ; a <= b; a++ {
		m = append(m, a)
	}
	return m
}

// The rules of accuracy.md, one case a rule. The event is minutes 100–120, so its tolerance is 95–130.
func TestCountingRules(t *testing.T) {
	rows := labelled(600, 1, span{100, 120})
	for name, c := range map[string]struct {
		rows                     []Row
		from                     int64
		alerts                   []int64
		events, detected, falses int
		delay                    float64
	}{
		"inside":                            {rows, 0, []int64{104}, 1, 1, 0, 240},
		"shortly before":                    {rows, 0, []int64{95}, 1, 1, 0, 0},
		"too long before":                   {rows, 0, []int64{94}, 1, 0, 1, 0},
		"shortly after":                     {rows, 0, []int64{130}, 1, 1, 0, 1800},
		"too long after":                    {rows, 0, []int64{131}, 1, 0, 1, 0},
		"always on earns nothing":           {rows, 0, through(0, 599), 1, 0, 1, 0},
		"on before is one episode":          {rows, 0, through(80, 110), 1, 0, 1, 0},
		"a pause shorter than hold":         {rows, 0, []int64{85, 100}, 1, 0, 1, 0},
		"a pause longer than hold":          {rows, 0, []int64{84, 100}, 1, 1, 1, 0},
		"twice in one event counts once":    {rows, 0, []int64{100, 118}, 1, 1, 0, 0},
		"history is not scored":             {rows, 200 * 60, []int64{50, 104, 300}, 0, 0, 1, 0},
		"an episode that began in history":  {rows, 90 * 60, through(80, 110), 1, 0, 0, 0},
		"labels closer than hold are one":   {labelled(600, 1, span{100, 105}, span{120, 125}), 0, []int64{121}, 1, 1, 0, 21 * 60},
		"labels further apart are two":      {labelled(600, 1, span{100, 105}, span{121, 125}), 0, []int64{122}, 2, 1, 0, 60},
		"one alert between two tolerances":  {labelled(600, 1, span{100, 101}, span{117, 118}), 0, []int64{111}, 2, 1, 0, 660},
		"don't care is never a false alert": {labelled(600, -1, span{300, 310}), 0, []int64{305}, 0, 0, 0, 0},
		"… and no event":                    {labelled(600, -1, span{300, 310}), 0, nil, 0, 0, 0, 0},
	} {
		got := counted(c.rows, c.from, 900, c.alerts...)
		delay := 0.
		if len(got.Delays) > 0 {
			delay = got.Delays[0]
		}
		if got.Events != c.events || got.Detected != c.detected || got.False != c.falses || delay != c.delay {
			t.Errorf("%s: %d of %d detected, %d false, delay %g; want %d of %d, %d, %g", name, got.Detected, got.Events, got.False, delay, c.detected, c.events, c.falses, c.delay)
		}
		if got.Tests["point"] != c.falses {
			t.Errorf("%s: %d false alerts by test, want %d", name, got.Tests["point"], c.falses)
		}
	}
}

func TestRatios(t *testing.T) {
	s := SetReport{Series: []SeriesReport{
		{Events: 8, Detected: 3, False: 1, Days: 4, Delays: []float64{60, 0, 600}},
		{Events: 2, Detected: 1, False: 1, Days: 6, Delays: []float64{120}},
	}}
	if s.Recall() != .4 || math.Abs(s.Precision()-4./6) > 1e-12 || math.Abs(s.F1()-.5) > 1e-12 || s.FalsePerDay() != .2 || s.Delay(0) != 0 || s.Delay(1) != 600 {
		t.Errorf("recall %g, precision %g, F1 %g, false a day %g, delays %g to %g", s.Recall(), s.Precision(), s.F1(), s.FalsePerDay(), s.Delay(0), s.Delay(1))
	}
	// F1 is the harmonic mean.
	if r, p := s.Recall(), s.Precision(); math.Abs(s.F1()-2*r*p/(r+p)) > 1e-12 {
		t.Errorf("F1 %g of recall %g and precision %g", s.F1(), r, p)
	}
	var none SetReport
	if none.F1() != 0 || none.FalsePerDay() != 0 || !math.IsNaN(none.Delay(.5)) {
		t.Error("an empty set has figures")
	}
}

func TestIncidentsAndChance(t *testing.T) {
	s := SetReport{Series: []SeriesReport{
		{Name: "a", from: 0, to: 10_000, onsets: []int64{1050, 5000}},
		{Name: "b", from: 0, to: 10_000, onsets: []int64{2500}},
		{Name: "c", from: 0, to: 10_000, onsets: []int64{7000}}, // no member of either
	}}
	s.scoreIncidents([]incident{
		{ID: "1", Start: 1000, End: 2000, Series: []string{"a", "b"}},
		{ID: "2", Start: 7000, End: 8000, Series: []string{"a", "unknown"}},
		{ID: "3", Start: 0, End: 10, Series: []string{"unknown"}},
	})
	if s.Incidents != 2 || s.Caught != 1 {
		t.Errorf("%d of %d incidents caught, want 1 of 2", s.Caught, s.Incidents)
	}
	// Windows of 1000 s from 0 that touch no incident of the members. For 1: 3000, 4000, 5000 and 9000 (2000–3000 touches the end of
	// 1 at 2000, 6000–7000 and 8000–9000 touch 2), and the alert of 5000 lies in one of the four: 1/4. For 2, whose only member is
	// a: the same windows and the same alert.
	if want := .25; math.Abs(s.Chance-want) > 1e-9 {
		t.Errorf("chance %g, want %g", s.Chance, want)
	}
}

// A folder as accuracy.md describes it, read, replayed and scored; the number of workers makes no difference.
func TestScoreDir(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, data []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("broken.csv", []byte(recording(3000, 2500, 2599)))
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	fmt.Fprint(w, recording(3000, 9999, 9999))
	w.Close()
	write("well.csv.gz", z.Bytes())
	write("meta.json", []byte(`{"info":{"step":60},"series":{"broken":{"eval_start":1736208000,"step":60},"well":{"eval_start":1736208000}}}`))
	write("incidents.json", []byte(fmt.Sprintf(`[{"id":"i","start":%d,"end":%d,"series":["broken","well"]}]`, 1_736_121_600+2500*60, 1_736_121_600+2599*60)))
	write("README.md", []byte("not a series"))
	var last string
	for _, n := range []int{1, 3} {
		calls := 0
		s, err := ScoreDir(dir, Options{Parallel: n, Progress: func(done, total int) {
			if calls++; done != calls || total != 2 {
				t.Errorf("progress %d of %d at call %d", done, total, calls)
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		e, d, f, days := s.Totals()
		if e != 1 || d != 1 || f != 0 || s.Incidents != 1 || s.Caught != 1 || calls != 2 {
			t.Errorf("%d of %d events, %d false, %d of %d incidents, %d calls", d, e, f, s.Caught, s.Incidents, calls)
		}
		if want := 2 * (3000 - 1 - 1440) / 1440.; math.Abs(days-want) > 1e-9 {
			t.Errorf("%g scored days, want %g: history is not scored", days, want)
		}
		if s.Series[0].Name != "broken" || s.Series[1].Name != "well" {
			t.Errorf("series %s, %s", s.Series[0].Name, s.Series[1].Name)
		}
		text := Table([]SetReport{s}) + s.String()
		if last != "" && text != last {
			t.Errorf("three workers say\n%s\none said\n%s", text, last)
		}
		last = text
	}
}

func TestScoreDirRefuses(t *testing.T) {
	if _, err := ScoreDir(filepath.Join(t.TempDir(), "none"), Options{}); !os.IsNotExist(err) {
		t.Errorf("no folder: %v", err)
	}
	dir := t.TempDir()
	if _, err := ScoreDir(dir, Options{}); err == nil {
		t.Error("an empty folder: no error")
	}
	os.WriteFile(filepath.Join(dir, "bad.csv"), []byte("60,1\nsoon,1\n"), 0o644)
	if _, err := ScoreDir(dir, Options{}); err == nil || !strings.Contains(err.Error(), "bad.csv") || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("a bad file: %v", err)
	}
	os.WriteFile(filepath.Join(dir, "bad.csv"), []byte("60,1\n"), 0o644)
	os.WriteFile(filepath.Join(dir, "meta.json"), []byte("{"), 0o644)
	if _, err := ScoreDir(dir, Options{}); err == nil || !strings.Contains(err.Error(), "meta.json") {
		t.Errorf("a bad meta.json: %v", err)
	}
}

func TestTable(t *testing.T) {
	other := make([]At, len(Thresholds))
	other[3] = At{Detected: 6, False: 2}
	got := Table([]SetReport{
		{Name: "one", Series: []SeriesReport{{Events: 10, Detected: 5, False: 5, Days: 100, Delays: []float64{60, 60, 300, 300, 9000}, Tests: map[string]int{"drift": 2, "point": 3},
			Found: map[string]int{"point": 5}, Other: other, AUC: .5, VUS: .25}}, Incidents: 3, Caught: 2, Chance: .125, Entities: EntityReport{Events: 3, Detected: 2, False: 1, Days: 20}},
		{Name: "two", Series: []SeriesReport{{Events: 0, Days: 1}}},
	})
	const want = `set          series   days events recall   prec    F1 false/day  best (at)   AUC   VUS  delay50  delay90  caught (chance)   entity F1 (false/day)  found / false by test
one               1    100     10   0.50   0.50  0.50     0.050 0.67 (0.6)  0.50  0.25    5 min    2.5 h  2/3 (0.12)        0.67 (0.050)           drift 0/2, point 5/3
two               1      1      0      -      -  0.00     0.000 0.00 (0.0)     -     -        -        -  -                 -
mean                                             0.25           0.33        0.50  0.25
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// The areas of rankings that can be told by hand.
func TestAreas(t *testing.T) {
	rank := func(label string, score ...float64) (k ranking) {
		for i, s := range score {
			k.add(s, int8(label[i]-'0'))
		}
		return k
	}
	k := rank("0011000000", 0, 0, 9, 8, 0, 0, 0, 0, 0, 0)
	if auc, _ := k.areas(0); auc != 1 {
		t.Errorf("a perfect ranking: %g", auc)
	}
	k = rank("0011000000", 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)
	if auc, vus := k.areas(0); math.Abs(auc-.2) > 1e-9 || math.Abs(vus-.2) > 1e-9 {
		t.Errorf("no ranking: %g and %g, want the share of positives", auc, vus)
	}
	k = rank("01100", 5, 4, 1, 3, 2) // precision 1/2 at the first positive, 2/5 at the second
	if auc, _ := k.areas(0); math.Abs(auc-(.5*.5+.5*.4)) > 1e-9 {
		t.Errorf("%g, want .45", auc)
	}
	k = rank("000", 1, 2, 3)
	if auc, vus := k.areas(3); !math.IsNaN(auc) || !math.IsNaN(vus) {
		t.Errorf("no events: %g %g", auc, vus)
	}
	// A score that comes just before the event is worth something where labels are widened, one far away is not.
	near, far := make([]float64, 1000), make([]float64, 1000)
	label := make([]int8, 1000)
	for i := 500; i < 520; i++ {
		label[i], near[i-10], far[i-300] = 1, 1, 1
	}
	volume := func(score []float64) float64 {
		var k ranking
		for i := range score {
			k.add(score[i], label[i])
		}
		_, vus := k.areas(40)
		return vus
	}
	if a, b := volume(near), volume(far); a < 2*b || a > 1 {
		t.Errorf("ten rows early: %g, three hundred: %g", a, b)
	}
}

func TestCompare(t *testing.T) {
	sets := []SetReport{{Name: "s", Series: []SeriesReport{{Name: "a", Events: 3, Detected: 1, False: 4}, {Name: "b", Events: 1}}}}
	var b strings.Builder
	if err := Save(&b, sets); err != nil {
		t.Fatal(err)
	}
	sets[0].Series[0].Detected, sets[0].Series[0].False = 3, 2
	got, err := Compare(strings.NewReader(b.String()), sets)
	const want = "s/a: of 3 events 3 found, was 1; false alerts 2, was 4\nevents found +2, false alerts -2; 1 series as before\n"
	if err != nil || got != want {
		t.Errorf("%v, got\n%swant\n%s", err, got, want)
	}
	if _, err := Compare(strings.NewReader("x,y\n"), sets); err == nil {
		t.Error("a broken file: no error")
	}
}

// Three members within a quarter of an hour make one alert of their entity; a fourth one, or the same again soon after, makes no other.
func TestEntities(t *testing.T) {
	rep := SetReport{Series: make([]SeriesReport, 5)}
	var mt meta
	mt.Series = map[string]struct {
		EvalStart int64  `json:"eval_start"`
		Step      int64  `json:"step"`
		Entity    string `json:"entity"`
	}{}
	for i, name := range []string{"a1", "a2", "a3", "a4", "lone"} {
		rep.Series[i] = SeriesReport{Name: name, from: 0, to: 86400}
		x := mt.Series[name]
		if x.Step = 60; i < 4 {
			x.Entity = "a"
		}
		mt.Series[name] = x
	}
	rep.Series[0].onsets = []int64{10_000, 40_000, 60_000, 60_100}
	rep.Series[1].onsets = []int64{10_300, 40_900, 60_200}
	rep.Series[2].onsets = []int64{10_800, 41_801, 60_300}
	rep.Series[3].onsets = []int64{11_200}
	rep.Series[4].onsets = []int64{41_000}
	rep.scoreEntities([]incident{
		{Start: 10_000, End: 11_000, Series: []string{"a1", "a2"}},
		{Start: 40_000, End: 42_000, Series: []string{"a3"}}, // 41,801 is too late to be a third
		{Start: 40_000, End: 42_000, Series: []string{"lone"}},
	}, mt)
	if want := (EntityReport{Events: 2, Detected: 1, False: 1, Days: 1}); rep.Entities != want {
		t.Errorf("%+v, want %+v", rep.Entities, want)
	}
	if f := rep.Entities.F1(); math.Abs(f-.5) > 1e-12 {
		t.Errorf("F1 %g, want .5", f)
	}
}
