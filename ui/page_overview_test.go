package ui

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline/model"
)

func TestACalmClusterLooksCalm(t *testing.T) {
	f := newFake()
	f.snap = &alerting.Snapshot{}
	for i := range f.view.Signals {
		f.view.Signals[i].State = model.Normal
	}
	got := body(t, New(f, Options{}), "/", http.StatusOK)
	for _, want := range []string{`class="hero calm"`, "Everything is as usual", "41 signals in 1 cluster, none of them in alarm.", "No incident so far."} {
		if !strings.Contains(got, want) {
			t.Errorf("overview does not say %q", want)
		}
	}
	if strings.Contains(got, "Open incidents") || strings.Contains(got, `class="count"`) {
		t.Error("overview speaks of open incidents")
	}
}

func TestAnEmptyServerSaysWhatToDo(t *testing.T) {
	h := New(&fake{}, Options{ExternalURL: "https://wrackline.example.com/"})
	got := body(t, h, "/", http.StatusOK)
	for _, want := range []string{"Waiting for the first samples", "remote_write:", "https://wrackline.example.com/api/v1/write"} {
		if !strings.Contains(got, want) {
			t.Errorf("overview does not say %q", want)
		}
	}
	for _, p := range []string{"/signals", "/incidents", "/receivers", "/status", "/api/v1/signals", "/api/v1/incidents", "/api/v1/packs", "/api/v1/status"} {
		body(t, h, p, http.StatusOK)
	}
	if got := body(t, h, "/receivers", http.StatusOK); !strings.Contains(got, "Nobody is told") {
		t.Error("receivers page does not say that nobody is told")
	}
}

// While there is nothing to see pages say until when, and then until when nothing is told.
func TestTheFirstHourSaysUntilWhen(t *testing.T) {
	f := newFake()
	f.view.Signals, f.snap, f.status.Demo = nil, &alerting.Snapshot{}, nil
	c := &f.status.Clusters[0]
	c.WindowsClosed, c.ClosedEnd = 0, 0
	first := int64(fakeNow - 90_000)
	f.status.Senders, f.status.GraceMs = f.status.Senders[:1], 90_000
	f.status.Senders[0].FirstMs = first
	until := (first+minuteMs-1)/minuteMs*minuteMs + minuteMs + 90_000
	h := New(f, Options{})
	says(t, "the overview", body(t, h, "/", http.StatusOK), []string{"It is judged by " + time.UnixMilli(until).UTC().Format("15:04:05 UTC") + " at the latest, in ", "in a cluster&#39;s first hour only facts are told"}, []string{"longer than usual"})
	f.status.Senders[0].FirstMs = fakeNow - 20*fakeMinute
	says(t, "the overview", body(t, New(f, Options{}), "/", http.StatusOK), []string{"That takes longer than usual"}, []string{"at the latest"})

	young := newFake()
	young.snap, young.status.Demo = &alerting.Snapshot{}, nil
	for i := range young.view.Signals {
		young.view.Signals[i].State = model.Learning
	}
	x := &young.status.Clusters[0]
	x.WindowsClosed, x.ClosedEnd = 12, fakeNow-fakeMinute
	says(t, "the overview", body(t, New(young, Options{}), "/", http.StatusOK), []string{"Learning what is normal", "Of cluster prod-eu only facts are told before " + time.UnixMilli(x.ClosedEnd+48*minuteMs).UTC().Format("15:04 UTC")}, nil)
	x.WindowsClosed = 61
	says(t, "the overview", body(t, New(young, Options{}), "/", http.StatusOK), []string{"Learning what is normal"}, []string{"is told before"})

	// No page is green while the hour lasts, or while something has just fallen silent; afterwards all is as usual.
	const green = `hero calm`
	usual := newFake()
	usual.snap, usual.status.Demo = &alerting.Snapshot{}, nil
	for i := range usual.view.Signals {
		v := usual.view.Signals[i]
		v.State, v.Value = model.Normal, v.Band.Expected
	}
	y := &usual.status.Clusters[0]
	for _, c := range []struct {
		minutes int64
		silent  int64 // since how many minutes
		calm    bool
		word    string
	}{{12, 0, false, "only facts are told before"}, {600, 5, false, "fell silent within the hour"}, {600, 300, true, ""}, {600, 0, true, ""}} {
		y.WindowsClosed, y.ClosedEnd = c.minutes, fakeNow-fakeMinute
		v := usual.view.Signals[0]
		if v.State = model.Normal; c.silent > 0 {
			v.State, v.Since = model.Absent, fakeNow-c.silent*fakeMinute
		}
		over, list := body(t, New(usual, Options{}), "/", http.StatusOK), body(t, New(usual, Options{}), "/incidents", http.StatusOK)
		if strings.Contains(over, green) != c.calm || strings.Contains(list, `class="empty calm"`) != c.calm || !strings.Contains(over, c.word) || !strings.Contains(list, c.word) {
			t.Errorf("after %d minutes, silent for %d: calm %v, want %v: %s", c.minutes, c.silent, strings.Contains(over, green), c.calm, hero.FindString(over))
		}
	}
}

// Where there is no receiver nobody is told, whatever was due.
func TestNobodyIsTold(t *testing.T) {
	f := newFake()
	id := f.snap.Open[0].ID
	says(t, "the incident", body(t, New(f, Options{}), "/incidents/"+id, http.StatusOK), []string{"notification"}, []string{"no receiver"})
	f.status.Receivers = nil
	says(t, "the incident", body(t, New(f, Options{}), "/incidents/"+id, http.StatusOK), []string{"no receiver</a> is configured"}, nil)
	says(t, "the list", body(t, New(f, Options{}), "/incidents", http.StatusOK), []string{`data-l="told">nobody<`}, nil)
}

// Without data the table of sizes says what it waits for, as the page does.
func TestSizesWithoutData(t *testing.T) {
	f := newFake()
	f.view.Sizes = nil
	says(t, "the table", body(t, New(f, Options{}), "/api/v1/sizes?output=table", http.StatusOK), []string{"container_memory_working_set_bytes"}, []string{"FREES"})
}

// Green says that all is as usual: not while most signals are still learning, as after a backfill that knew little.
func TestGreenNeedsWhatIsLearned(t *testing.T) {
	for _, c := range []struct {
		oneOf int // so many of the signals have learned
		calm  bool
	}{{8, false}, {3, false}, {1, true}} {
		f := newFake()
		f.snap, f.status.Demo = &alerting.Snapshot{}, nil
		for i := range f.view.Signals {
			v := f.view.Signals[i]
			if v.State, v.Value = model.Learning, v.Band.Expected; i%c.oneOf == 0 {
				v.State = model.Normal
			}
		}
		f.status.Clusters[0].WindowsClosed, f.status.Clusters[0].ClosedEnd = 6000, fakeNow-fakeMinute
		over, list := body(t, New(f, Options{}), "/", http.StatusOK), body(t, New(f, Options{}), "/incidents", http.StatusOK)
		if strings.Contains(over, "hero calm") != c.calm || strings.Contains(list, `class="empty calm"`) != c.calm {
			t.Errorf("one of %d has learned: calm %v, want %v", c.oneOf, strings.Contains(over, "hero calm"), c.calm)
		}
	}
}

func TestTheHeartbeatIsOnThePage(t *testing.T) {
	f := newFake()
	if got := body(t, New(f, Options{}), "/status", http.StatusOK); strings.Contains(got, "Heartbeat") {
		t.Error("there is a heartbeat though nobody waits for one")
	}
	at := func(ago int64) time.Time { return time.UnixMilli(fakeNow - ago*1000) }
	f.status.Heartbeat = &Heartbeat{Host: "hc.example.com", EveryMs: 60_000, Taken: 1234, Last: at(40), Tried: at(40)}
	says(t, "the status", body(t, New(f, Options{}), "/status", http.StatusOK), []string{"hc.example.com", "every 1 min", "beats", "40 s ago", "1,234 since the start", ": taken"}, []string{"fails"})
	f.status.Heartbeat.Fails, f.status.Heartbeat.Answer, f.status.Heartbeat.Tried = 2, "answered 404", at(5)
	says(t, "the status", body(t, New(f, Options{}), "/status", http.StatusOK), []string{"fails", "answered 404", "2 attempts", "5 s ago"}, []string{"beats"})
	f.status.Heartbeat.Held = "nothing is folded"
	says(t, "the status", body(t, New(f, Options{}), "/status", http.StatusOK), []string{"held: nothing is folded"}, nil)
	says(t, "the API", body(t, New(f, Options{}), "/api/v1/status/heartbeat", http.StatusOK), []string{`"host":"hc.example.com"`, `"failed_since":2`}, nil)
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
	says(t, "the overview", body(t, h, "/", http.StatusOK), []string{"do not arrive", `href="/coverage"`, "1 waiting for whole minutes"}, nil)
	says(t, "the coverage", body(t, h, "/coverage", http.StatusOK), []string{"some_metric_total"}, nil)
	c.WindowsClosed = 500
	says(t, "the overview", body(t, h, "/", http.StatusOK), nil, []string{"waiting for whole minutes"})
}

// TestSilentSignalsAreNoAlarm: jobs end and workloads go; that alone must not make the overview look abnormal.
func TestSilentSignalsAreNoAlarm(t *testing.T) {
	f := newFake()
	f.snap = &alerting.Snapshot{}
	for i := range f.view.Signals {
		if f.view.Signals[i].State != model.Absent {
			f.view.Signals[i].State = model.Normal
		} else {
			f.view.Signals[i].Since = fakeNow - 300*fakeMinute // within the hour it is not known whether it is well
		}
	}
	got := body(t, New(f, Options{}), "/", http.StatusOK)
	for _, want := range []string{"Everything is as usual", "40 not in alarm, 1 silent.", `href="/signals?state=absent"`} {
		if !strings.Contains(got, want) {
			t.Errorf("overview does not say %q", want)
		}
	}
}

// While nothing arrives the overview says so, and nothing of calm; a message about it leads somewhere.
func TestNothingArrives(t *testing.T) {
	for _, c := range []struct {
		name  string
		quiet []int64 // ms since the last request, by sender
		want  bool
	}{{"all are silent", []int64{11 * 60_000, 9 * 60_000}, true}, {"one goes on", []int64{11 * 60_000, 20_000}, false}, {"a short while", []int64{4 * 60_000, 3 * 60_000}, false}} {
		f := newFake()
		f.status.Senders = nil
		for i, q := range c.quiet {
			f.status.Senders = append(f.status.Senders, Sender{Name: fmt.Sprint("s", i), FirstMs: fakeNow - 3600_000, LastMs: f.status.NowMs - q})
		}
		page := get(t, New(f, Options{}), "/").Body.String()
		if got := strings.Contains(page, "Nothing has arrived for 9"); got != c.want {
			t.Errorf("%s: said %v, want %v", c.name, got, c.want)
		}
		if c.want && strings.Contains(page, "Everything is as usual") {
			t.Errorf("%s: and all is as usual", c.name)
		}
	}
	h := New(newFake(), Options{ExternalURL: "https://x.example/w"})
	for _, path := range []string{"/incidents/gap-abc", "/signals/recv.silent~cluster=prod~sender=a", "/signals/recv.behind~cluster=prod~sender=a"} {
		if w := get(t, h, path); w.Code != http.StatusFound || w.Header().Get("Location") != "/w/status" {
			t.Errorf("%s: %d to %q", path, w.Code, w.Header().Get("Location"))
		}
	}
}
