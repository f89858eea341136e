package ui

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline/model"
)

// says fails for each text that a page lacks, and for each that it must not have.
func says(t *testing.T, page, got string, wants, nots []string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(got, want) {
			t.Errorf("%s does not say %q", page, want)
		}
	}
	for _, not := range nots {
		if strings.Contains(got, not) {
			t.Errorf("%s says %q", page, not)
		}
	}
}

// recover puts the values of an incident's members back inside for the last minutes, in the view and in history too.
func (f *fake) recover(inc *alerting.Incident, minutes int64) {
	for i := range inc.Members {
		m := &inc.Members[i]
		m.Value = m.Band.Expected
		if v, ok := lookup(f.view, m.SignalID); ok {
			v.Value = v.Band.Expected
		}
		was := f.curve[m.SignalID]
		f.curve[m.SignalID] = func(t int64) Point {
			p := was(t)
			if t > fakeNow-minutes*fakeMinute {
				p.Value, p.Min, p.Max = p.Expected, p.Expected, p.Expected
			}
			return p
		}
	}
}

// only leaves one open incident, and no alarm outside it.
func (f *fake) only(inc *alerting.Incident) {
	f.snap.Open, f.snap.Loose = []*alerting.Incident{inc}, nil
	for i := range f.view.Signals {
		if v := &f.view.Signals[i]; v.State.Alarm() && memberOf(inc, v.Signal.ID) == nil {
			v.State = model.Normal
		}
	}
}

var hero = regexp.MustCompile(`(?s)<section class="hero.*?</section>`)

func TestRecoveryDoesNotLookLikeAnOutage(t *testing.T) {
	f := newFake()
	dns := f.snap.Open[1]
	f.only(dns)
	f.recover(dns, 7)
	h := New(f, Options{})

	over := body(t, h, "/", http.StatusOK)
	says(t, "the hero", hero.FindString(over), []string{`class="hero easing"`, "1 incident recovering, inside its band since 14:14", "No signal of 41 is outside what is normal for it; 3 back inside, waiting to close.", "<b>3</b> recovering"},
		[]string{"hero bad", "urgent", "open incident"})
	says(t, "the overview", over, []string{`<article class="card easing">`, `<span class="sev sev-page">urgent</span> <span class="sev sev-easing"`, "Recovering: 34.2 %", `class="count easing"`, "<title>Overview"}, nil)
	page := body(t, h, dnsPath, http.StatusOK)
	says(t, "the incident", page, []string{"hero small easing", "Every value is back inside its band since <time", ">14:14</time> UTC", "<h1>Recovering: 34.2 %", "◐</span> recovering"}, []string{"▲</span> high"})
	list := body(t, h, "/signals?state=recovering", http.StatusOK)
	says(t, "the list", list, []string{"Signals <span class=\"muted\">3 of 41", "◐</span> recovering", `class="st-recovering"`, "recovering <b>3</b>", "abnormal <b>3</b>"}, []string{"▲</span> high", "high <b>"})
	says(t, "the signal", body(t, h, servfailPath, http.StatusOK), []string{"hero small easing", "Recovering: the value is back inside its band"}, nil)
	says(t, "the API", body(t, h, "/api/v1/signals?state=high", http.StatusOK), []string{`"total":3`, `"state":"high"`, `"recovering":true`}, nil)

	// What fires comes first and alone decides the tone, however mild it is.
	f = newFake()
	f.recover(f.snap.Open[1], 7)
	over = body(t, New(f, Options{}), "/", http.StatusOK)
	says(t, "the hero", hero.FindString(over), []string{`class="hero warn"`, "1 open incident<", "3 signals of 41 outside what is normal for them; 3 back inside, waiting to close.", "1 more incident recovering"}, []string{"urgent"})
	if a, b := strings.Index(over, "worker-3 fills"), strings.Index(over, "Recovering: 34.2 %"); a < 0 || b < a {
		t.Errorf("what fires is at %d, what recovers at %d: the first should come first", a, b)
	}
}

func TestAnIncidentWithoutAlarmsCloses(t *testing.T) {
	f := newFake()
	dns := f.snap.Open[1]
	f.only(dns)
	for i := range dns.Members {
		m := &dns.Members[i]
		m.Ended, m.Ending, m.State = fakeNow-2*fakeMinute, "recovered", model.Normal
		v, _ := lookup(f.view, m.SignalID)
		v.State, v.Value = model.Normal, v.Band.Expected
	}
	h := New(f, Options{})
	over := body(t, h, "/", http.StatusOK)
	says(t, "the hero", hero.FindString(over), []string{"hero easing", "1 incident closing, inside its band since 14:19"}, []string{"urgent"})
	for _, p := range []string{"/", "/incidents", dnsPath} {
		got := body(t, h, p, http.StatusOK)
		if p == "/incidents" {
			got, _, _ = strings.Cut(got, `id="closed-title"`)
		} else if p == "/" {
			got, _, _ = strings.Cut(got, "Recently ended")
		}
		says(t, p, got, []string{">closing</span>"}, []string{">urgent</span>"})
	}
}

func TestWhatIsStuckOrBeyondItsMarkIsNotBack(t *testing.T) {
	f := newFake()
	v, _ := lookup(f.view, strings.TrimPrefix(servfailPath, "/signals/"))
	b := model.Band{Lower: 0, Expected: 0.2, Upper: 0.5}
	for _, c := range []struct {
		state model.State
		test  model.Test
		value float64
		want  bool
	}{
		{model.High, model.PointTest, 0.3, true},
		{model.Low, model.ShiftTest, 0.3, true},
		{model.High, model.PointTest, 0.6, false},
		{model.High, model.PointTest, nan, false},
		{model.High, model.FlatTest, 0.3, false},    // stuck inside its band
		{model.High, model.CeilingTest, 0.3, false}, // the ceiling is 0.25
		{model.High, model.CeilingTest, 0.2, true},
		{model.Drifting, model.DriftTest, 0.3, false},
		{model.Absent, model.NoTest, 0.3, false},
		{model.Normal, model.NoTest, 0.3, false},
	} {
		if got := back(c.state, c.test, c.value, b, v.Signal.Rule); got != c.want {
			t.Errorf("%v by %v at %v is back: %v, want %v", c.state, c.test, c.value, got, c.want)
		}
	}
}

func TestTheLineIsRedOnlyOutsideTheBand(t *testing.T) {
	points := flat(10, 0.1, 0, 0.2)
	for i := range points {
		points[i].State = model.High
	}
	g := geometry{from: points[0].T, to: points[9].T, lo: 0, hi: 1, h: 100, stepMs: fakeMinute}
	if got := g.alarmLine(points); got != "" {
		t.Errorf("inside the band the line is red: %s", got)
	}
	points[4].Value = 0.9
	if got := strings.Count(g.alarmLine(points), "L"); got != 1 {
		t.Errorf("%d red pieces for one window outside, want 1", got)
	}
}

func TestAResolvedIncidentSaysHowItEnded(t *testing.T) {
	for how, want := range map[string][2]string{"recovered": {"hero small calm", "back inside its band"}, "adopted": {"hero small note", "the new level was adopted as normal"}, "gone": {"hero small note", "its data is gone"}} {
		f := newFake()
		f.snap.Closed[0].Resolution = how
		got := hero.FindString(body(t, New(f, Options{}), "/incidents/inc_5d1nq8y2jkta", http.StatusOK))
		says(t, how, got, []string{want[0], `>09:21</time> UTC after 2 h: ` + want[1]}, []string{">urgent</span>"})
	}
}

func TestTheFirstMinutesBlameNobody(t *testing.T) {
	f := newFake()
	f.view.Signals, f.snap = nil, &alerting.Snapshot{}
	c := &f.status.Clusters[0]
	c.WindowsClosed, c.ClosedEnd, c.Owners = 0, 0, false
	f.status.Demo = nil
	for i := range f.status.Rules {
		r := &f.status.Rules[i]
		r.Form, r.Signals, r.Series, r.Missing = -1, 0, 0, []string{"some_metric_total"}
	}
	h := New(f, Options{})
	says(t, "the overview", body(t, h, "/", http.StatusOK), []string{"Samples arrive; waiting for the first whole minute of samples", "waiting for whole minutes", "Waiting for the first whole minute of samples."},
		[]string{"do not arrive", "cannot be asked", "some_metric_total", "No owner data", "remote_write:"})
	says(t, "the status", body(t, h, "/status", http.StatusOK), []string{"waiting for the first whole minute of samples", "waiting for whole minutes"}, []string{"some_metric_total", "dormant", "no: workloads from pod names"})
	says(t, "the rule", body(t, h, "/packs/dns.servfail_ratio", http.StatusOK), []string{"Waiting for the first whole minute"}, []string{"do not arrive"})

	// The first windows are closed: what is missing is missing, and what has series still waits for its value.
	c.WindowsClosed, c.ClosedEnd = 2, fakeNow
	f.status.Rules[0].Form, f.status.Rules[0].Series = 0, 12
	says(t, "the overview", body(t, h, "/", http.StatusOK), []string{"do not arrive", "some_metric_total", "1 waiting for whole minutes"}, nil)
	c.WindowsClosed = 500
	says(t, "the overview", body(t, h, "/", http.StatusOK), nil, []string{"waiting for whole minutes"})
}

func TestSilenceIsNotAbnormal(t *testing.T) {
	h := New(newFake(), Options{})
	says(t, "the list", body(t, h, "/signals?state=abnormal", http.StatusOK), []string{`<span class="muted">6 of 41`, "abnormal <b>6</b>", `href="/signals?state=absent">silent <b>1</b>`}, []string{"○"})
	says(t, "the list", body(t, h, "/signals?state=silent", http.StatusOK), []string{`<span class="muted">1 of 41`, "○</span> silent"}, nil)
}

func TestAnUnknownStateIsSaid(t *testing.T) {
	h := New(newFake(), Options{})
	got := body(t, h, "/signals?state=%3Cnope&pack=dns", http.StatusOK)
	says(t, "the list", got, []string{"There is no state “&lt;nope”", `<a href="/signals?pack=dns&amp;state=abnormal">abnormal</a>`, ">silent</a>", "dns.servfail_ratio"}, []string{"No signal matches", "<nope"})
	says(t, "a known state", body(t, h, "/signals?state=low", http.StatusOK), nil, []string{"There is no state"})
}

func TestAYoungSignalFillsItsChart(t *testing.T) {
	f := newFake()
	f.short = true // one hour
	h := New(f, Options{})
	says(t, "the signal", body(t, h, servfailPath, http.StatusOK), []string{"all so far", "2026-03-02 13:20:00 UTC – 2026-03-02 14:21:00 UTC"}, nil)
	says(t, "an asked range", body(t, h, servfailPath+"?range=6h", http.StatusOK), []string{"2026-03-02 08:21:00 UTC – "}, nil)
	says(t, "an old signal", body(t, New(newFake(), Options{}), servfailPath, http.StatusOK), []string{"2026-03-02 08:21:00 UTC – "}, []string{"all so far"})
	was := f.curve["dns.servfail_ratio~cluster=prod-eu"]
	f.cache = nil
	f.curve["dns.servfail_ratio~cluster=prod-eu"] = func(t int64) Point {
		p := was(t)
		if t < fakeNow-4*fakeMinute {
			p.Value = nan
		}
		return p
	}
	says(t, "four minutes", body(t, h, servfailPath, http.StatusOK), []string{"2026-03-02 14:06:00 UTC – 2026-03-02 14:21:00 UTC"}, nil)
}

func TestTheDemosOwnReceiverHasNoTest(t *testing.T) {
	f := newFake()
	f.status.Receivers = append(f.status.Receivers, Receiver{Name: demoReceiver, Kind: "webhook", Test: "wrackline receivers test demo"})
	got := body(t, New(f, Options{}), "/receivers", http.StatusOK)
	says(t, "the page", got, []string{"wrackline receivers test team-slack"}, []string{"receivers test demo"})
	if f.status.Receivers[2].Test == "" {
		t.Error("the page changed the status that it was lent")
	}
}
