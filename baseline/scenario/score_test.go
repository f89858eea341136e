package scenario

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/wrackline/wrackline/baseline/series"
)

const minute = int64(60_000)

// at returns the n-th minute of the tests' day.
func at(n int64) int64 { return Epoch + n*minute }

// dnsFault asks for servfail within five minutes, allows latency and everything of forwarding, forbids nodes and one DNS signal.
func dnsFault() Truth {
	return Truth{ID: "dns-1", Kind: CoreDNSOverload, Start: at(100), End: at(130),
		Must:    []Expect{{Signal: "dns.servfail_ratio", Dir: "up", Within: 300}},
		May:     []Expect{{Signal: "dns.latency_p99"}, {Signal: "dns.forward*"}, {Signal: "svc.error_ratio", Group: "namespace=shop,workload=cart"}},
		MustNot: []string{"node.*", "dns.forward_secret"}}
}

func alarmOf(signal string, minutes int64, labels ...string) Alarm {
	a := Alarm{Signal: signal, ID: signal, Start: at(minutes), End: at(minutes + 10), Dir: "up", Incident: "i1"}
	for i := 0; i+1 < len(labels); i += 2 {
		a.Entity = append(a.Entity, series.Label{Name: labels[i], Value: labels[i+1]})
		a.ID += "~" + labels[i] + "=" + labels[i+1]
	}
	return a
}

func TestExpectFits(t *testing.T) {
	for _, c := range []struct {
		e      Expect
		signal string
		entity series.Labels
		dir    string
		want   bool
	}{
		{Expect{Signal: "dns.qps"}, "dns.qps", nil, "up", true},
		{Expect{Signal: "dns.qps"}, "dns.qps_total", nil, "up", false}, // no star, no rest
		{Expect{Signal: "dns.*"}, "dns.qps", nil, "up", true},
		{Expect{Signal: "dns.*"}, "dns", nil, "up", false},
		{Expect{Signal: "*"}, "anything", nil, "", true},
		{Expect{Signal: "dns.q*s"}, "dns.qps", nil, "", false}, // a star in the middle is a letter
		{Expect{Signal: "x", Dir: "down"}, "x", nil, "up", false},
		{Expect{Signal: "x", Dir: "down"}, "x", nil, "down", true},
		{Expect{Signal: "x", Dir: "down"}, "x", nil, "", true}, // unknown fits
		{Expect{Signal: "x", Group: "node=w1"}, "x", nil, "", false},
		{Expect{Signal: "x", Group: "node=w1"}, "x", series.Labels{{Name: "node", Value: "w1"}}, "", true},
		{Expect{Signal: "x", Group: "node=w1"}, "x", series.Labels{{Name: "node", Value: "w10"}}, "", false},
		{Expect{Signal: "x", Group: "namespace=a,workload=b"}, "x", series.Labels{{Name: "namespace", Value: "a"}, {Name: "workload", Value: "b"}, {Name: "z", Value: "1"}}, "", true},
		{Expect{Signal: "x", Group: "namespace=a,workload=b"}, "x", series.Labels{{Name: "namespace", Value: "a"}, {Name: "workload", Value: "c"}}, "", false},
		{Expect{Signal: "x", Group: "broken"}, "x", series.Labels{{Name: "broken", Value: ""}}, "", false},
	} {
		a := Alarm{Signal: c.signal, Entity: c.entity, Dir: c.dir}
		if got := c.e.fits(&a); got != c.want {
			t.Errorf("%+v fits %s %v %q: %v, want %v", c.e, c.signal, c.entity, c.dir, got, c.want)
		}
	}
}

// What counts as found, late and missed, and the delays.
func TestScoreFindsInTime(t *testing.T) {
	for name, c := range map[string]struct {
		alarms []Alarm
		found  bool
		delay  int64
	}{
		"in time":                {[]Alarm{alarmOf("dns.servfail_ratio", 104)}, true, 4 * minute},
		"on the last second":     {[]Alarm{alarmOf("dns.servfail_ratio", 105)}, true, 5 * minute},
		"a minute late":          {[]Alarm{alarmOf("dns.servfail_ratio", 106)}, false, 6 * minute},
		"in the aftermath":       {[]Alarm{alarmOf("dns.servfail_ratio", 160)}, false, 60 * minute},
		"after the aftermath":    {[]Alarm{alarmOf("dns.servfail_ratio", 161)}, false, Never},
		"on before it began":     {[]Alarm{alarmOf("dns.servfail_ratio", 99)}, false, Never},
		"another signal":         {[]Alarm{alarmOf("dns.latency_p99", 101)}, false, Never},
		"the wrong way":          {[]Alarm{{Signal: "dns.servfail_ratio", ID: "x", Start: at(101), Dir: "down"}}, false, Never},
		"nothing":                {nil, false, Never},
		"the first of two tells": {[]Alarm{alarmOf("dns.servfail_ratio", 110), alarmOf("dns.servfail_ratio", 102)}, true, 2 * minute},
	} {
		r := Score([]Truth{dnsFault()}, c.alarms, ScoreOptions{FromMs: at(0), ToMs: at(1440)})
		f := r.Faults[0]
		if f.Found != c.found || f.Musts[0].Found != c.found || f.Musts[0].DelayMs != c.delay || f.DelayMs != c.delay {
			t.Errorf("%s: found %v, delay %d; want %v, %d", name, f.Found, f.DelayMs, c.found, c.delay)
		}
		if want := map[bool]int{true: 1}[c.found]; r.Found != want || r.MustsFound != want || r.Wanted != 1 {
			t.Errorf("%s: %d of %d faults and %d expected signals found, want %d of 1", name, r.Found, r.Wanted, r.MustsFound, want)
		}
	}
}

// A Within longer than the fault reaches to the aftermath's end, none at all to the fault's end.
func TestWithinAndTheEnd(t *testing.T) {
	truth := dnsFault()
	truth.Must = []Expect{{Signal: "a"}, {Signal: "b", Within: 3600}}
	r := Score([]Truth{truth}, []Alarm{alarmOf("a", 130), alarmOf("b", 155)}, ScoreOptions{})
	if f := r.Faults[0]; !f.Musts[0].Found || !f.Musts[1].Found || !f.Found {
		t.Errorf("both in time: %+v", f.Musts)
	}
	r = Score([]Truth{truth}, []Alarm{alarmOf("a", 131), alarmOf("b", 155)}, ScoreOptions{})
	if f := r.Faults[0]; f.Musts[0].Found || !f.Musts[1].Found || f.Found || r.Found != 0 || r.MustsFound != 1 {
		t.Errorf("a came after the end: %+v", f.Musts)
	}
}

func TestEveryMustIsNeeded(t *testing.T) {
	truth := dnsFault()
	truth.Must = []Expect{{Signal: "net.conntrack_fill", Group: "node=w1", Within: 1200}, {Signal: "net.conntrack_fill", Group: "node=w2", Within: 1200}}
	one := alarmOf("net.conntrack_fill", 107, "node", "w2")
	two := alarmOf("net.conntrack_fill", 112, "node", "w1")
	if r := Score([]Truth{truth}, []Alarm{one}, ScoreOptions{}); r.Found != 0 || r.Faults[0].DelayMs != 7*minute || r.MustsFound != 1 {
		t.Errorf("one of two nodes is enough: %+v", r.Faults[0])
	}
	if r := Score([]Truth{truth}, []Alarm{one, two}, ScoreOptions{}); r.Found != 1 || r.Faults[0].DelayMs != 7*minute || r.Faults[0].Musts[0].DelayMs != 12*minute {
		t.Errorf("both nodes: %+v", r.Faults[0])
	}
}

func TestFalseAlarms(t *testing.T) {
	fault := dnsFault()
	cart := []string{"namespace", "shop", "workload", "cart"}
	for name, c := range map[string]struct {
		a                Alarm
		false, violation int
	}{
		"expected":                      {alarmOf("dns.servfail_ratio", 103), 0, 0},
		"expected, but much too late":   {alarmOf("dns.servfail_ratio", 150), 0, 0}, // late, not false
		"allowed":                       {alarmOf("dns.latency_p99", 101), 0, 0},
		"allowed by star":               {alarmOf("dns.forward_errors", 101), 0, 0},
		"allowed for this workload":     {alarmOf("svc.error_ratio", 101, cart...), 0, 0},
		"not for that one":              {alarmOf("svc.error_ratio", 101, "namespace", "shop", "workload", "pay"), 1, 0},
		"allowed until the tail's end":  {alarmOf("dns.latency_p99", 160), 0, 0},
		"not after it":                  {alarmOf("dns.latency_p99", 161), 1, 0},
		"not before the fault":          {alarmOf("dns.latency_p99", 99), 1, 0},
		"neither allowed nor forbidden": {alarmOf("etcd.fsync", 110), 1, 0},
		"forbidden":                     {alarmOf("node.cpu", 110, "node", "w1"), 1, 1},
		"forbidden beats allowed":       {alarmOf("dns.forward_secret", 110), 1, 1},
		"forbidden at another time":     {alarmOf("node.cpu", 300), 1, 0},
	} {
		r := Score([]Truth{fault}, []Alarm{c.a}, ScoreOptions{FromMs: at(0), ToMs: at(1440)})
		if len(r.False) != c.false || r.Violations != c.violation || len(r.Faults[0].Violations) != c.violation {
			t.Errorf("%s: %d false, %d forbidden; want %d, %d", name, len(r.False), r.Violations, c.false, c.violation)
		}
		if want := 1 - c.false; r.Faults[0].Explained != want {
			t.Errorf("%s: the fault explains %d alarms, want %d", name, r.Faults[0].Explained, want)
		}
	}
}

// Asking for one signal of a family and forbidding the rest of it is one sentence.
func TestMustBeatsMustNot(t *testing.T) {
	f := dnsFault()
	f.MustNot = []string{"dns.*"}
	r := Score([]Truth{f}, []Alarm{alarmOf("dns.servfail_ratio", 103), alarmOf("dns.qps", 104)}, ScoreOptions{})
	if r.Found != 1 || r.Violations != 1 || len(r.False) != 1 || r.False[0].Signal != "dns.qps" {
		t.Errorf("found %d, forbidden %v, false %v", r.Found, r.Faults[0].Violations, r.False)
	}
}

// What one fault forbids another one under way may cause.
func TestFaultsMayOverlap(t *testing.T) {
	other := Truth{ID: "node-1", Kind: ConntrackExhaustion, Start: at(105), End: at(120), May: []Expect{{Signal: "node.*"}}}
	r := Score([]Truth{other, dnsFault()}, []Alarm{alarmOf("node.cpu", 110)}, ScoreOptions{})
	if r.Violations != 0 || len(r.False) != 0 {
		t.Errorf("%d forbidden, %d false, want none", r.Violations, len(r.False))
	}
	if r.Faults[0].ID != "dns-1" {
		t.Errorf("faults are not by start: %s first", r.Faults[0].ID)
	}
}

func TestFirstMover(t *testing.T) {
	early := alarmOf("dns.latency_p99", 101)
	stray := alarmOf("etcd.fsync", 100) // of the same incident, but nothing that the fault causes
	must := alarmOf("dns.servfail_ratio", 103)
	elsewhere := must
	elsewhere.Incident = "i2"
	twin := alarmOf("dns.servfail_ratio", 101)
	before := alarmOf("dns.latency_p99", 90) // the incident is older than the fault
	for name, c := range map[string]struct {
		alarms         []Alarm
		mover, incMove string
		right          bool
	}{
		"an allowed one leads":          {[]Alarm{must, early}, "dns.latency_p99", "dns.latency_p99", false},
		"the expected one leads":        {[]Alarm{must, alarmOf("dns.latency_p99", 104)}, "dns.servfail_ratio", "dns.servfail_ratio", true},
		"in the same window":            {[]Alarm{early, twin}, "dns.servfail_ratio", "dns.servfail_ratio", true},
		"a stray one leads":             {[]Alarm{must, stray}, "dns.servfail_ratio", "etcd.fsync", false},
		"in an incident of its own":     {[]Alarm{elsewhere, early}, "dns.latency_p99", "dns.servfail_ratio", true},
		"an older incident swallows it": {[]Alarm{before, must}, "dns.servfail_ratio", "dns.latency_p99", false},
		"no expected one at all":        {[]Alarm{early}, "dns.latency_p99", "", false},
	} {
		r := Score([]Truth{dnsFault()}, c.alarms, ScoreOptions{FromMs: at(0)})
		f := r.Faults[0]
		if f.Mover != c.mover || f.IncidentMover != c.incMove || f.IncidentMoverMust != c.right {
			t.Errorf("%s: mover %q, incident begun by %q (expected one: %v); want %q, %q, %v", name, f.Mover, f.IncidentMover, f.IncidentMoverMust, c.mover, c.incMove, c.right)
		}
		if want := map[bool]int{true: 1}[c.right]; r.MoverRight != want {
			t.Errorf("%s: %d movers right, want %d", name, r.MoverRight, want)
		}
	}
}

func TestFalseIncidentsAndRates(t *testing.T) {
	told := func(a Alarm, incident string, told bool) Alarm { a.Incident, a.Notified = incident, told; return a }
	r := Score([]Truth{dnsFault()}, []Alarm{
		told(alarmOf("dns.servfail_ratio", 103), "right", true),
		told(alarmOf("etcd.fsync", 104), "right", true), // false, but people were told of something real
		told(alarmOf("node.cpu", 300), "wrong", true),
		told(alarmOf("node.mem", 301), "wrong", true),
		told(alarmOf("node.disk", 400), "silent", false),
		told(alarmOf("node.disk", 500), "", true), // of its own
		told(alarmOf("node.disk", 600), "", false),
	}, ScoreOptions{FromMs: at(0), ToMs: at(2880), Clusters: 2})
	if r.Alarms != 7 || len(r.False) != 6 || r.FalseTold != 4 || r.FalseIncidents != 4 || r.FalsePages != 2 {
		t.Errorf("alarms %d, false %d, told %d, false incidents %d, pages %d; want 7, 6, 4, 4, 2", r.Alarms, len(r.False), r.FalseTold, r.FalseIncidents, r.FalsePages)
	}
	if r.ClusterDays != 4 || r.FalsePerDay() != 1.5 || r.PagesPerDay() != .5 {
		t.Errorf("%g cluster-days, %g false alarms and %g pages a day; want 4, 1.5, 0.5", r.ClusterDays, r.FalsePerDay(), r.PagesPerDay())
	}
}

// A fault that asks for nothing is no fault to be found, and is at peace only when what it forbids is silent.
func TestQuietFault(t *testing.T) {
	stall := Truth{ID: "s", Kind: PrometheusStall, Start: at(100), End: at(120), May: []Expect{{Signal: "prom.*"}}, MustNot: []string{"dns.*"}}
	r := Score([]Truth{stall}, []Alarm{alarmOf("prom.lag", 103)}, ScoreOptions{})
	if r.Wanted != 0 || r.Recall() != 1 || !r.Faults[0].Found || r.Violations != 0 {
		t.Errorf("quiet: %+v", r)
	}
	if !strings.Contains(r.Table(), "quiet") {
		t.Errorf("the table does not say so:\n%s", r.Table())
	}
	r = Score([]Truth{stall}, []Alarm{alarmOf("dns.qps", 103)}, ScoreOptions{})
	if r.Violations != 1 || !strings.Contains(r.Table(), "noisy") {
		t.Errorf("noisy: %+v", r)
	}
}

func TestScoreBounds(t *testing.T) {
	faults := []Truth{dnsFault()}
	alarms := []Alarm{alarmOf("node.cpu", 10), alarmOf("node.cpu", 200), alarmOf("node.cpu", 300)}
	if r := Score(faults, alarms, ScoreOptions{FromMs: at(150), ToMs: at(300)}); len(r.Faults) != 0 || len(r.False) != 1 {
		t.Errorf("%d faults and %d false alarms between minutes 150 and 300, want 0 and 1", len(r.Faults), len(r.False))
	}
	if r := Score(faults, alarms, ScoreOptions{}); len(r.Faults) != 1 || len(r.False) != 3 || math.Abs(r.ClusterDays-300./1440) > 1e-6 {
		t.Errorf("everything: %d faults, %d false, %g days", len(r.Faults), len(r.False), r.ClusterDays)
	}
	if r := Score(nil, nil, ScoreOptions{}); r.ClusterDays != 0 || r.FalsePerDay() != 0 || r.Recall() != 1 || r.Table() == "" {
		t.Errorf("nothing: %+v", r)
	}
}

// The text is what golden files hold: whatever the order of the input, the same bytes.
func TestTableIsDeterministic(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 1))
	faults := []Truth{dnsFault(), {ID: "s", Kind: PrometheusStall, Start: at(700), End: at(720), MustNot: []string{"dns.*"}}}
	alarms := []Alarm{alarmOf("dns.servfail_ratio", 103), alarmOf("dns.latency_p99", 103), alarmOf("node.cpu", 110, "node", "w1"),
		alarmOf("dns.qps", 705), alarmOf("dns.qps", 706), alarmOf("etcd.fsync", 900)}
	const want = `fault                  start (UTC)      found       delay first   first mover
coredns_overload       2026-03-02 01:40 yes       3.0 min right   dns.servfail_ratio after 3.0 min
                         must           found     3.0 min         dns.servfail_ratio up, within 5.0 min
                         must not       alarmed                   node.cpu~node=w1
prometheus_stall       2026-03-02 11:40 noisy           - -       -
                         must not       alarmed                   dns.qps ×2

faults found        1 of 1 (100 %)
expected signals    1 of 1
first mover right   1 of 1
forbidden alarms    3
cluster-days        1.00
alarms              6
false alarms        4 (4.000 per cluster-day), 0 of them told
false incidents     0, 0 of them told (0.000 per cluster-day)
  false             dns.qps ×2
  false             etcd.fsync
  false             node.cpu
`
	for range 20 {
		r.Shuffle(len(alarms), func(i, j int) { alarms[i], alarms[j] = alarms[j], alarms[i] })
		r.Shuffle(len(faults), func(i, j int) { faults[i], faults[j] = faults[j], faults[i] })
		rep := Score(faults, alarms, ScoreOptions{FromMs: at(0), ToMs: at(1440)})
		if got := rep.Table(); got != want {
			t.Fatalf("seed %d: got\n%s\nwant\n%s", seed, got, want)
		}
	}
}

func TestReportJSON(t *testing.T) {
	r := Score([]Truth{dnsFault()}, []Alarm{alarmOf("dns.servfail_ratio", 103), alarmOf("node.cpu", 500)}, ScoreOptions{FromMs: at(0), ToMs: at(1440)})
	var b bytes.Buffer
	if err := r.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Recall float64 `json:"recall"`
		Per    float64 `json:"false_per_cluster_day"`
		Faults []struct {
			Kind  string `json:"kind"`
			Delay int64  `json:"delay_ms"`
			Musts []struct {
				Signal string `json:"signal"`
				Found  bool   `json:"found"`
			} `json:"musts"`
		} `json:"faults"`
		False []struct {
			Signal string `json:"signal"`
		} `json:"false"`
	}
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Recall != 1 || got.Per != 1 || len(got.Faults) != 1 || got.Faults[0].Delay != 3*minute || !got.Faults[0].Musts[0].Found ||
		got.Faults[0].Musts[0].Signal != "dns.servfail_ratio" || len(got.False) != 1 || got.False[0].Signal != "node.cpu" {
		t.Errorf("%s", b.String())
	}
}

// The truth that a generator gives can be met: alarms made from its own words score in full, none score nothing.
func TestScoreFitsTheGeneratorsTruth(t *testing.T) {
	var c Config
	for i, k := range Kinds() {
		c.Faults = append(c.Faults, Fault{Kind: k, StartMs: Epoch + int64(i)*12*3_600_000})
	}
	g, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	truth := g.Truth()
	var alarms []Alarm
	for _, tr := range truth {
		for _, e := range tr.Must {
			a := Alarm{Signal: strings.TrimSuffix(e.Signal, "*"), ID: tr.ID + e.Signal + e.Group, Dir: e.Dir, Start: tr.Start + 60_000, Incident: tr.ID}
			for l := range strings.SplitSeq(e.Group, ",") {
				if name, value, ok := strings.Cut(l, "="); ok {
					a.Entity = append(a.Entity, series.Label{Name: name, Value: value})
				}
			}
			alarms = append(alarms, a)
		}
	}
	r := Score(truth, alarms, ScoreOptions{})
	if r.Found != r.Wanted || r.Wanted != len(Kinds())-1 || len(r.False) != 0 || r.Violations != 0 || r.MoverRight != r.Wanted {
		t.Errorf("an ideal detector:\n%s", r.Table())
	}
	if r = Score(truth, nil, ScoreOptions{}); r.Found != 0 || r.Recall() != 0 {
		t.Errorf("a dead detector:\n%s", r.Table())
	}
}
