package notify

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wrackline/wrackline/alerting"
)

// desk plays the manager: it knows incidents as they now stand.
type desk struct {
	mu  sync.Mutex
	inc map[string]*alerting.Incident
}

func (d *desk) current(id string) (*alerting.Incident, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	inc, ok := d.inc[id]
	return inc, ok
}

func (d *desk) set(n alerting.Notification) alerting.Notification {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.inc == nil {
		d.inc = map[string]*alerting.Incident{}
	}
	d.inc[n.IncidentID] = n.Incident
	return n
}

// worsen lets an incident's headline move without a notification.
func (d *desk) worsen(id string, value float64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	inc := *d.inc[id]
	inc.Members = slices.Clone(inc.Members)
	inc.Members[inc.Lead].Value, inc.Members[inc.Lead].Worst = value, value
	d.inc[id] = &inc
}

// outages are ways of taking nothing. wait is how long after its end the first message comes at the latest.
var outages = []struct {
	name string
	out  answer
	wait time.Duration
}{
	{"nobody is there", answer{err: noRoute}, retryMost * 5 / 4},
	{"blocked", answer{err: fmt.Errorf("dial: %w", ErrBlocked)}, retryMost * 5 / 4},
	{"503", answer{code: 503}, retryMost * 5 / 4},
	{"500", answer{code: 500}, retryMost * 5 / 4},
	{"404", answer{code: 404, body: "<html>not here</html>"}, retryMost * 5 / 4},
	{"400", answer{code: 400}, time.Hour},
	{"410", answer{code: 410}, 24 * time.Hour}, // who said so is asked once a day in the end
	{"a redirect", answer{code: 302, header: map[string]string{"Location": "https://login.example/"}}, retryMost * 5 / 4},
	{"come back in a year", answer{code: 429, header: map[string]string{"Retry-After": "31536000"}}, time.Hour},
	{"come back in the year 9999", answer{code: 503, header: map[string]string{"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}}, time.Hour},
}

// Three days during which a receiver takes nothing: 300 incidents come, 295 of them go. When it is well again it is told of the five, in their order, as they now stand and how late that is, and of the others in one message;
// nothing else, whatever it answered meanwhile, however often the process was restarted, and never faster than its rate.
func TestThreeDaysOfOutage(t *testing.T) {
	for i, c := range outages {
		if testing.Short() && i%3 != 0 {
			continue // with -short some of them
		}
		for _, to := range []struct {
			kind      string
			receivers []Receiver
			gap       time.Duration
		}{{"webhook", oneWebhook, 100 * time.Millisecond}, {"slack", oneSlack, time.Second}} {
			t.Run(c.name+", "+to.kind, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					d := &desk{}
					seed := rand.Uint64()
					t.Logf("seed %d", seed)
					r := newRig(t, Options{Receivers: to.receivers, ExternalURL: "https://wrackline.example", Current: d.current, Rand: rand.New(rand.NewPCG(seed, 1)).Float64}, nil)
					r.run()
					r.put(d.set(note("before", alerting.First, 0)))
					time.Sleep(time.Minute)
					r.far.say(always(c.out))
					born, open := threeDays(r, d)
					r.put(d.set(note("before", alerting.Resolved, 1))) // it was announced, so its end is told

					well := time.Now()
					before := len(r.far.got())
					r.far.say(nil)
					time.Sleep(25 * time.Hour)
					hits := r.far.got()[before:]
					var got []string
					for i, h := range hits {
						got = append(got, subject(h))
						if i > 0 && h.at.Sub(hits[i-1].at) < to.gap {
							t.Errorf("message %d came %v after the one before", i, h.at.Sub(hits[i-1].at))
						}
					}
					want := append(slices.Clone(open), "before", "missed")
					if c.out.code == 400 { // each has its own hour then
						slices.Sort(got)
						slices.Sort(want)
					}
					if !slices.Equal(got, want) || hits[0].at.Sub(well) > c.wait {
						t.Fatalf("%v after its end it is told of %v, want %v within %v", hits[0].at.Sub(well), got, want, c.wait)
					}
					for _, h := range hits {
						checkLate(t, h, born, c.wait)
					}
					if s := r.stats(); s.Queued != 0 || s.Owed != 0 || s.Missed != 0 || !s.FailingSince.IsZero() {
						t.Errorf("stats %+v", s)
					}
					// And then all is as before.
					r.put(d.set(note("after", alerting.First, 0)))
					time.Sleep(time.Minute)
					r.put(d.set(note("after", alerting.Resolved, 1)), d.set(note(open[0], alerting.Resolved, 3)))
					time.Sleep(time.Minute)
					if n := len(r.far.got()) - before - len(hits); n != 3 {
						t.Errorf("%d messages afterwards", n)
					}
				})
			})
		}
	}
}

// threeDays lets 300 incidents come and all but a few go, with a restart now and then. It returns when each was announced, and those that go on.
func threeDays(r *rig, d *desk) (born map[string]time.Time, open []string) {
	born = map[string]time.Time{}
	for i := range 300 {
		id := fmt.Sprintf("x%03d", i)
		born[id] = time.Now()
		r.put(d.set(note(id, alerting.First, 0)))
		if i%60 == 7 {
			open = append(open, id)
			time.Sleep(864 * time.Second)
			r.put(d.set(note(id, alerting.Changed, 1)))
			continue
		}
		time.Sleep(400 * time.Second)
		if i%3 == 0 {
			r.put(d.set(note(id, alerting.Changed, 1)))
		}
		time.Sleep(464 * time.Second)
		r.put(d.set(note(id, alerting.Resolved, 2)))
		if i%50 == 30 {
			r.close()
			r.open()
			r.run()
		}
	}
	for _, id := range open {
		d.worsen(id, 0.77)
	}
	return born, open
}

// checkLate holds what a message says after an outage.
func checkLate(t *testing.T, h hit, born map[string]time.Time, wait time.Duration) {
	t.Helper()
	text := string(h.body)
	var has, lacks []string
	switch id := subject(h); id {
	case "missed":
		has = []string{"During the outage of ", " h of this receiver 295 incidents opened and ended, 295 of severity page", "https://wrackline.example/incidents", "Over after", "prod"}
		if strings.Contains(text, `"blocks"`) {
			has = append(has, "and 287 more")
		}
	case "before":
		if wait < time.Hour {
			lacks = []string{" h late"}
		}
	default:
		has = []string{"nnounced " + hours(h.at.Sub(born[id]).Milliseconds()) + " late", "77 %"}
		lacks = []string{"Changed: ", "Changed, ", "new alerts added"} // to somebody who has not heard of it
	}
	for _, w := range has {
		if !strings.Contains(text, w) {
			t.Errorf("it lacks %q: %s", w, text)
		}
	}
	for _, w := range lacks {
		if strings.Contains(text, w) {
			t.Errorf("it says %q: %s", w, text)
		}
	}
}

// subject returns what a message of either kind is about.
func subject(h hit) string {
	var p struct {
		Blocks []struct {
			Elements []struct{ Text string }
		}
	}
	if json.Unmarshal(h.body, &p) != nil || len(p.Blocks) == 0 {
		return incidentOf(h)
	}
	text := p.Blocks[len(p.Blocks)-1].Elements[0].Text
	if _, after, found := strings.Cut(text, "incident "); found {
		id, _, _ := strings.Cut(after, " ")
		return id
	}
	return "missed"
}

// An incident that has ended by the time its message would go out, though its closing word has not come yet, is not announced any more; one that had been announced is another matter.
func TestNothingIsAnnouncedThatIsOverByNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{}
		r := newRig(t, Options{Current: d.current}, nil)
		r.run()
		r.put(d.set(note("told", alerting.First, 0)))
		time.Sleep(time.Minute)
		r.far.say(always(answer{code: 503}))
		r.put(d.set(note("over", alerting.First, 0)), d.set(note("open", alerting.First, 0)), d.set(note("told", alerting.Changed, 1)))
		time.Sleep(time.Hour)
		d.set(note("over", alerting.Resolved, 1))
		d.set(note("told", alerting.Resolved, 2))
		before := len(r.far.got())
		r.far.say(nil)
		time.Sleep(time.Hour)
		r.put(note("over", alerting.Resolved, 1), note("told", alerting.Resolved, 2))
		time.Sleep(time.Hour)
		var got []string
		for _, h := range r.far.got()[before:] {
			got = append(got, subject(h))
		}
		if !slices.Equal(got, []string{"open", "told", "missed", "told"}) {
			t.Errorf("told of %v", got)
		}
	})
}

// One that stays well, and one whose outage is short: nobody reads of an outage that was none, and nothing that is told soon is called late.
func TestNobodyReadsOfAnOutageThatWasNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{}, nil)
		r.run()
		for i := range 50 {
			id := fmt.Sprint("i", i)
			r.put(note(id, alerting.First, 0))
			time.Sleep(time.Minute)
			r.put(note(id, alerting.Resolved, 1))
			time.Sleep(time.Minute)
		}
		r.far.say(always(answer{code: 503}))
		r.put(note("short", alerting.First, 0))
		time.Sleep(3 * time.Minute)
		r.far.say(nil)
		time.Sleep(time.Hour)
		hits := r.far.got()
		for _, h := range hits {
			if strings.Contains(string(h.body), "outage") || strings.Contains(string(h.body), " late") {
				t.Errorf("sent %s", h.body)
			}
		}
		if s := r.stats(); s.Sent != 101 {
			t.Errorf("stats %+v", s)
		}
	})
}

// Two incidents that nobody was told of, one after the other, while the summary of the first is refused: still one summary, of both.
func TestThereIsOneSummaryOfAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{}, always(answer{code: 503}))
		r.run()
		for _, id := range []string{"a", "b"} {
			r.put(note(id, alerting.First, 0))
			time.Sleep(10 * time.Minute)
			r.put(note(id, alerting.Resolved, 1))
			time.Sleep(time.Hour)
		}
		r.close() // what was missed is on disk
		r.open()
		if s := r.stats(); s.Missed != 2 {
			t.Errorf("stats %+v", s)
		}
		before := len(r.far.got())
		r.run()
		time.Sleep(10 * time.Minute)
		tries := ids(r.far.got()[before:])
		r.far.say(nil)
		time.Sleep(time.Hour)
		all := r.far.got()
		last := all[len(all)-1]
		if !strings.Contains(string(last.body), "2 incidents opened and ended") || len(tries) < 3 || last.id() != tries[0] || tries[0] != tries[1] {
			t.Errorf("%s as %v, after %v", last.body, last.id(), tries)
		}
		if s := r.stats(); s.Sent != 1 || s.Missed != 0 {
			t.Errorf("stats %+v", s)
		}
		r.close()
		r.open()
		r.run()
		time.Sleep(time.Hour)
		if len(r.far.got()) != len(all) {
			t.Error("the summary came twice")
		}
	})
}

// Whether the receiver has heard survives the process: a closing word follows what may have been announced, and nothing else, wherever the process died.
func TestWhatWasAnnouncedIsKnownAfterARestart(t *testing.T) {
	for _, c := range []struct {
		name string
		out  answer
		want []string
	}{
		{"nobody was there", answer{err: noRoute}, []string{"missed"}},
		{"it said no", answer{code: 503}, []string{"missed"}},
		{"it said nothing", answer{err: errors.New("connection reset by peer")}, []string{"i1"}},
		{"it was about to answer", answer{after: time.Hour}, []string{"i1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, Options{}, always(c.out))
				r.run()
				r.put(note("i1", alerting.First, 0))
				time.Sleep(time.Second)
				copied := r.copy() // what a kill leaves
				time.Sleep(time.Minute)
				copied.put(note("i1", alerting.Resolved, 1))
				copied.run()
				time.Sleep(time.Minute)
				var got []string
				for _, h := range copied.far.got() {
					got = append(got, subject(h))
				}
				if !slices.Equal(got, c.want) {
					t.Errorf("told of %v, want %v", got, c.want)
				}
			})
		})
	}
}

// Who wants no closing words is not told of what is over either.
func TestWhoWantsNoClosingWordIsNotToldOfWhatIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		no := false
		r := newRig(t, Options{Receivers: []Receiver{{Name: "ops", Webhook: []WebhookConfig{{URL: "https://hook.example/a", SendResolved: &no}}}}}, nil)
		r.run()
		r.put(note("told", alerting.First, 0))
		time.Sleep(time.Minute)
		r.far.say(always(answer{code: 503}))
		r.put(note("over", alerting.First, 0), note("open", alerting.First, 0), note("told", alerting.Changed, 1))
		time.Sleep(time.Hour)
		r.put(note("over", alerting.Resolved, 1), note("told", alerting.Resolved, 2))
		before := len(r.far.got())
		r.far.say(nil)
		time.Sleep(time.Hour)
		var got []string
		for _, h := range r.far.got()[before:] {
			got = append(got, subject(h))
		}
		if !slices.Equal(got, []string{"open", "missed"}) {
			t.Errorf("told of %v", got)
		}
	})
}

// Two receivers with one URL, as a channel that is on two lists: together they are not faster than one.
func TestTwoReceiversOfOneURLShareItsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var receivers []Receiver
		for _, n := range []string{"a", "b"} {
			receivers = append(receivers, Receiver{Name: n, Slack: []SlackConfig{{APIURL: "https://slack.example/x"}}})
		}
		receivers = append(receivers, Receiver{Name: "c", Slack: []SlackConfig{{APIURL: "https://slack.example/y", PerMinute: 20}}})
		r := newRig(t, Options{Receivers: receivers}, func(n int, h hit) answer {
			if n == 10 {
				return answer{code: 429, header: map[string]string{"Retry-After": "30"}}
			}
			return answer{}
		})
		r.run()
		for i := range 15 {
			r.put(note(fmt.Sprint("i", i), alerting.First, 0))
		}
		time.Sleep(5 * time.Minute)
		least := map[string]time.Duration{"https://slack.example/x": time.Second, "https://slack.example/y": 3 * time.Second}
		last := map[string]time.Time{}
		n := map[string]int{}
		for _, h := range r.far.got() {
			if before, ok := last[h.url]; ok && h.at.Sub(before) < least[h.url] {
				t.Errorf("%s: %v after the one before", h.url, h.at.Sub(before))
			}
			last[h.url] = h.at
			n[h.url]++
		}
		if n["https://slack.example/x"]+n["https://slack.example/y"] != 46 {
			t.Errorf("sent %v", n)
		}
	})
}

// A message at which a receiver fails each time holds nobody up, and costs the others no order.
func TestPoisonHoldsNobodyUp(t *testing.T) {
	for _, c := range []answer{{code: 500}, {code: 400}, {code: 413}, {err: errors.New("connection reset by peer")}, {after: time.Minute}} {
		t.Run(fmt.Sprint(c.code, c.err), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, Options{}, func(_ int, h hit) answer {
					if strings.HasPrefix(subject(h), "poison") {
						return c
					}
					return answer{}
				})
				r.run()
				for i := range 3 {
					r.put(note(fmt.Sprint("poison", i), alerting.First, 0))
				}
				time.Sleep(time.Hour)
				began := time.Now()
				var want, got []string
				for i := range 20 {
					want = append(want, fmt.Sprintf("x%02d", i))
					r.put(note(want[i], alerting.First, 0))
				}
				time.Sleep(15 * time.Minute)
				var last time.Time
				for _, h := range r.far.got() {
					if id := subject(h); strings.HasPrefix(id, "x") {
						got = append(got, id)
						last = h.at
					}
				}
				if !slices.Equal(got, want) || last.Sub(began) > 12*time.Minute {
					t.Errorf("%d of %d arrived, the last after %v: %v", len(got), len(want), last.Sub(began), got)
				}
			})
		})
	}
}
