package notify

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline/pack"
)

// At the hour of its receiver, in its zone, what was kept back is told in one message, the worst first; nothing when there is nothing; who wants none gets none.
func TestTheDigestOfADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // it is midnight in London, on a Saturday
		d := &desk{}
		receivers := []Receiver{{Name: "nine", Webhook: []WebhookConfig{{URL: "https://hook.example/nine"}}},
			{Name: "tokyo", Webhook: []WebhookConfig{{URL: "https://hook.example/tokyo"}}, Digest: &DigestConfig{At: "18:30", Timezone: "Asia/Tokyo"}},
			{Name: "none", Webhook: []WebhookConfig{{URL: "https://hook.example/none"}}, Digest: &DigestConfig{Off: true}}}
		r := newRig(t, Options{Receivers: receivers, Current: d.current, ExternalURL: "https://w.example"}, nil)
		r.run()
		for i := range 30 {
			n := keptBack(about(fmt.Sprintf("k%02d", i), pack.Warn, alerting.First, 0, "a"))
			n.Incident.Members[n.Incident.Lead].Peak = float64(i)
			if i == 7 {
				n.Incident.Severity = pack.Page
			}
			r.put(d.set(n))
			r.put(n)
			if i == 15 {
				r.close()
				r.open()
				r.run()
			}
		}
		r.put(d.set(keptBack(about("k03", pack.Warn, alerting.Resolved, 1, "a"))))
		// One of them is announced after all.
		r.put(d.set(about("k04", pack.Warn, alerting.First, 0, "a")))
		time.Sleep(8*time.Hour + 59*time.Minute)
		if got := heardBy(r.far.got()); strings.Count(got, "k04") != 3 || strings.Contains(got, "digest") {
			t.Fatal(got)
		}
		before := len(r.far.got())
		time.Sleep(2 * time.Minute)
		hits := r.far.got()[before:]
		if len(hits) != 1 || !strings.HasSuffix(hits[0].url, "nine") {
			t.Fatalf("%s", heardBy(hits))
		}
		body := string(hits[0].body)
		kept := body[strings.Index(body, `"kept":"`):]
		kept = kept[:strings.Index(kept, `","`)]
		lines := strings.Split(kept, `\n`)
		if !strings.Contains(body, "Daily digest: 29 incidents that the noise contract did not send, 28 are still open") || len(lines) != 29 || !strings.Contains(lines[0], "page: ") || !strings.Contains(kept, ", over after") {
			t.Errorf("%d lines: %s", len(lines), body)
		}
		if strings.Count(body, `"status":"firing"`) != 0 {
			t.Errorf("a digest fires: %s", body)
		}
		time.Sleep(30 * time.Minute) // half past nine in London is half past six in Tokyo
		if got := r.far.got(); len(got) != before+2 || !strings.HasSuffix(got[before+1].url, "tokyo") {
			t.Errorf("%s", heardBy(got[before:]))
		}
		time.Sleep(48 * time.Hour)
		if n := len(r.far.got()); n != before+2 {
			t.Errorf("%d messages about nothing", n-before-2)
		}
		r.put(d.set(keptBack(about("next", pack.Warn, alerting.First, 0, "a"))))
		time.Sleep(24 * time.Hour)
		hits = r.far.got()[before+2:]
		if len(hits) != 2 || !strings.Contains(string(hits[0].body), "1 incident that") || hits[0].id() == r.far.got()[before].id() {
			t.Errorf("%s", heardBy(hits))
		}
	})
}

// A digest that could not be sent is sent later, once, under its id; what is kept back meanwhile is for the next one.
func TestADigestSurvives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{}, nil)
		r.run()
		r.put(keptBack(about("k1", pack.Warn, alerting.First, 0, "a")))
		time.Sleep(8 * time.Hour)
		twin := r.copy() // a process that is killed now …
		twin.run()
		r.far.say(always(answer{err: noRoute}))
		time.Sleep(2 * time.Hour)
		r.put(keptBack(about("k2", pack.Warn, alerting.First, 0, "a")))
		r.close()
		r.open()
		r.far.say(nil)
		before := len(r.far.got())
		r.run()
		time.Sleep(time.Hour)
		hits := r.far.got()[before:]
		if len(hits) != 1 || !strings.Contains(string(hits[0].body), "1 incident that") || !strings.Contains(string(hits[0].body), "told 1 h late") {
			t.Fatalf("%s", heardBy(hits))
		}
		if other := twin.far.got(); len(other) != 1 || other[0].id() != hits[0].id() { // … sends the same under the same id
			t.Errorf("%v, want %v", ids(other), ids(hits))
		}
		time.Sleep(24 * time.Hour)
		if hits := r.far.got()[before:]; len(hits) != 2 || !strings.Contains(string(hits[1].body), "1 incident that") {
			t.Errorf("%s", heardBy(hits))
		}
	})
}

func TestTheHourOfADigest(t *testing.T) {
	at := func(s string) time.Time {
		x, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	for _, c := range []struct {
		config     DigestConfig
		from, want string
	}{
		{DigestConfig{}, "2026-03-01T08:59:59Z", "2026-03-01T09:00:00Z"}, {DigestConfig{}, "2026-03-01T09:00:00Z", "2026-03-02T09:00:00Z"}, {DigestConfig{At: "00:00"}, "2026-12-31T23:00:00Z", "2027-01-01T00:00:00Z"},
		{DigestConfig{At: "09:00", Timezone: "Europe/Berlin"}, "2026-03-28T08:30:00Z", "2026-03-29T07:00:00Z"}, // the clocks go forward
		{DigestConfig{At: "02:30", Timezone: "Europe/Berlin"}, "2026-03-28T12:00:00Z", "2026-03-29T01:30:00Z"}, // a time that there is not
		{DigestConfig{At: "09:00", Timezone: "Europe/Berlin"}, "2026-10-24T08:30:00Z", "2026-10-25T08:00:00Z"},
		{DigestConfig{At: "18:00", Timezone: "America/Los_Angeles"}, "2026-07-01T02:00:00Z", "2026-07-02T01:00:00Z"},
	} {
		d, err := c.config.read()
		if err != nil {
			t.Fatal(err)
		}
		if got := d.after(at(c.from)); !got.Equal(at(c.want)) {
			t.Errorf("%+v after %s: %s, want %s", c.config, c.from, got.UTC().Format(time.RFC3339), c.want)
		}
	}
	for _, bad := range []DigestConfig{{At: "9"}, {At: "25:00"}, {Timezone: "Mars"}} {
		if bad.Check() == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}

// However much is kept back, the list is bounded and the most severe are in it.
func TestADigestIsBounded(t *testing.T) {
	var k *keptList
	for i := range 5000 {
		m := &Message{Incident: fmt.Sprint("i", i), Severity: pack.Warn, Headline: strings.Repeat("x", 2000), Onset: t0}
		if i == 4999 {
			m.Severity = pack.Page
		}
		k = k.with(m, float64(i%977), time.UnixMilli(t0))
	}
	if k.Count != 5000 || len(k.List) != keptMost || k.List[0].Incident != "i4999" || len(plainJSON(k)) > 100_000 {
		t.Errorf("%d, %d, %s, %d bytes", k.Count, len(k.List), k.List[0].Incident, len(plainJSON(k)))
	}
	m := newDigest("k", k, time.UnixMilli(t0), time.UTC, "https://wrackline.example", "Sizes: 2 cores free.", func(string) bool { return true })
	checkLimits(t, slackMessage(m, slackWebhook))
	if text := strings.Join(textsOf(slackMessage(m, slackWebhook)), "\n"); !strings.Contains(text, "more incidents") || !strings.Contains(text, "5,000 incidents") || !strings.Contains(text, "Sizes: 2 cores free.") {
		t.Errorf("%s", text)
	}
}

// TestADigestKnowsItsWeek: the first of a week, by the receiver's clock, says the line of the week.
func TestADigestKnowsItsWeek(t *testing.T) {
	d := &digestTime{9 * 60, time.UTC}
	monday := time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)
	for day := range 7 {
		if d.week(monday.AddDate(0, 0, day)) != d.week(monday) {
			t.Errorf("day %d is of another week", day)
		}
	}
	if d.week(monday.AddDate(0, 0, 7)) != d.week(monday)+1 || d.week(monday.AddDate(0, 0, -1)) != d.week(monday)-1 {
		t.Error("weeks do not begin on Mondays")
	}
}
