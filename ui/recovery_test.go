package ui

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline/model"
)

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
		if v := f.view.Signals[i]; v.State.Alarm() && memberOf(inc, v.Signal.ID) == nil {
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
		[]string{"hero bad", "of severity page", "open incident"})
	says(t, "the overview", over, []string{`<article class="card easing">`, `<span class="sev sev-page">page</span> <span class="sev sev-easing"`, "Recovering: 34.2 %", `class="count easing"`, "<title>Overview"}, nil)
	page := body(t, h, dnsPath, http.StatusOK)
	says(t, "the incident", page, []string{"hero small easing", "Every value is back inside its band since <time", ">14:14</time> UTC", `<h1 data-q="what">Recovering: 34.2 %`, "◐</span> recovering"}, []string{"▲</span> high"})
	list := body(t, h, "/signals?state=recovering", http.StatusOK)
	says(t, "the list", list, []string{"Signals <span class=\"muted\">3 of 41", "◐</span> recovering", `class="st-recovering"`, "recovering <b>3</b>", "abnormal <b>3</b>"}, []string{"▲</span> high", "high <b>"})
	says(t, "the signal", body(t, h, servfailPath, http.StatusOK), []string{"hero small easing", "Recovering: the value is back inside its band"}, nil)
	says(t, "the API", body(t, h, "/api/v1/signals?state=high", http.StatusOK), []string{`"total":3`, `"state":"high"`, `"recovering":true`}, nil)

	// What fires comes first and alone decides the tone, however mild it is.
	f = newFake()
	f.recover(f.snap.Open[1], 7)
	over = body(t, New(f, Options{}), "/", http.StatusOK)
	says(t, "the hero", hero.FindString(over), []string{`class="hero warn"`, "1 open incident<", "3 signals of 41 outside what is normal for them; 3 back inside, waiting to close.", "1 more incident recovering"}, []string{"severity page"})
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
	says(t, "the hero", hero.FindString(over), []string{"hero easing", "1 incident closing, inside its band since 14:19"}, []string{"severity page"})
	for _, p := range []string{"/", "/incidents", dnsPath} {
		got := body(t, h, p, http.StatusOK)
		if p == "/incidents" {
			got, _, _ = strings.Cut(got, `id="closed-title"`)
		} else if p == "/" {
			got, _, _ = strings.Cut(got, "Recently ended")
		}
		says(t, p, got, []string{">closing</span>"}, []string{">page</span>"})
	}
}

func TestAnIncidentWhoseValuesAreBackSaysSo(t *testing.T) {
	f := newFake()
	h := New(f, Options{})
	const word = "Every value is back inside its band"
	if strings.Contains(body(t, h, dnsPath, http.StatusOK), word) {
		t.Error("an incident at its worst is called eased")
	}
	inc := f.snap.Open[1]
	for i := range inc.Members {
		inc.Members[i].Value = inc.Members[i].Band.Expected
		if i == 0 {
			if got := body(t, h, dnsPath, http.StatusOK); strings.Contains(got, word) || !strings.Contains(got, "<b>Back inside its band</b>") {
				t.Error("one value of three is back: the member should say so, the incident not")
			}
		}
	}
	if !strings.Contains(body(t, h, dnsPath, http.StatusOK), word) || !strings.Contains(body(t, h, "/", http.StatusOK), "back inside") {
		t.Error("all values are back and nobody says so")
	}
}

func TestAResolvedIncidentSaysHowItEnded(t *testing.T) {
	for how, want := range map[string][2]string{"recovered": {"hero small calm", "back inside its band"}, "adopted": {"hero small note", "the new level was adopted as normal"}, "gone": {"hero small note", "its data is gone"}} {
		f := newFake()
		f.snap.Closed[0].Resolution = how
		got := hero.FindString(body(t, New(f, Options{}), "/incidents/inc_5d1nq8y2jkta", http.StatusOK))
		says(t, how, got, []string{want[0], `>09:21</time> UTC after 2 h: ` + want[1]}, []string{">page</span>"})
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
		if got := c.state.Alarm() && alerting.Back(c.state, c.test, c.value, b, v.Signal.Rule); got != c.want {
			t.Errorf("%v by %v at %v is back: %v, want %v", c.state, c.test, c.value, got, c.want)
		}
	}
}
