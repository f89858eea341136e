package notify

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wrackline/wrackline/alerting"
)

// Not earlier, and not later either: the receiver has said when.
func TestRetryAfterIsObeyedToTheSecond(t *testing.T) {
	for _, c := range []struct {
		code int
		wait time.Duration
		date bool
	}{{429, 37 * time.Second, false}, {503, 20 * time.Minute, false}, {429, 90 * time.Second, true}, {503, time.Second, false}} {
		t.Run(fmt.Sprint(c.code, c.wait, c.date), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, Options{}, func(n int, _ hit) answer {
					if n > 2 {
						return answer{}
					}
					v := fmt.Sprint(int(c.wait.Seconds()))
					if c.date {
						v = time.Now().Add(c.wait).UTC().Format(http.TimeFormat)
					}
					return answer{code: c.code, header: map[string]string{"Retry-After": v}}
				})
				r.run()
				r.put(note("i1", alerting.First, 0))
				synctest.Wait()
				r.put(note("i2", alerting.First, 0)) // others wait with it: the limit is the receiver's
				time.Sleep(2 * time.Hour)
				hits := r.far.got()
				if len(hits) != 5 {
					t.Fatalf("%d attempts, want 5", len(hits))
				}
				for i := 1; i <= 3; i++ {
					if gap := hits[i].at.Sub(hits[i-1].at); gap != c.wait {
						t.Errorf("attempt %d came after %v, want %v", i, gap, c.wait)
					}
				}
			})
		})
	}
}

func TestWhichAnswersAreTriedAgain(t *testing.T) {
	type want int
	const (
		yes want = iota
		retry
		dead
	)
	for _, c := range []struct {
		name string
		a    answer
		to   []Receiver
		want want
	}{
		{"200", answer{}, oneWebhook, yes},
		{"202 with any text", answer{code: 202, body: "queued"}, oneWebhook, yes},
		{"no connection", answer{err: errors.New("connection refused")}, oneWebhook, retry},
		{"blocked address", answer{err: fmt.Errorf("dial: %w", ErrBlocked)}, oneWebhook, retry},
		{"timeout", answer{after: time.Hour}, oneWebhook, retry},
		{"408", answer{code: 408}, oneWebhook, retry},
		{"429", answer{code: 429}, oneWebhook, retry},
		{"500", answer{code: 500}, oneWebhook, retry},
		{"502", answer{code: 502}, oneWebhook, retry},
		{"504", answer{code: 504}, oneWebhook, retry},
		{"599", answer{code: 599}, oneWebhook, retry},
		{"301", answer{code: 301, header: map[string]string{"Location": "https://elsewhere.example/"}}, oneWebhook, retry},
		{"307", answer{code: 307, header: map[string]string{"Location": "https://elsewhere.example/"}}, oneWebhook, retry},
		{"400", answer{code: 400, body: "bad"}, oneWebhook, dead},
		{"401", answer{code: 401}, oneWebhook, retry},
		{"403", answer{code: 403}, oneWebhook, retry},
		{"404", answer{code: 404}, oneWebhook, retry},
		{"413", answer{code: 413}, oneWebhook, dead},
		{"422", answer{code: 422}, oneWebhook, dead},
		{"Slack ok", answer{body: "ok"}, oneSlack, yes},
		{"407", answer{code: 407}, oneWebhook, retry},
		{"451", answer{code: 451}, oneWebhook, retry},
		{"415", answer{code: 415}, oneWebhook, dead},
		{"a page", answer{body: "<html>login</html>"}, oneWebhook, yes},
		{"Slack, a login", answer{body: "<html>login</html>"}, oneSlack, retry},
		{"Slack says no", answer{body: `{"ok":false,"error":"channel_not_found"}`}, oneSlack, retry},
		{"Rocket.Chat says no", answer{body: `{"success":false}`}, oneSlack, retry},
		{"Zulip says no", answer{body: `{"result":"error","msg":"x"}`}, oneSlack, retry},
		{"Rocket.Chat", answer{body: `{"success":true}`}, oneSlack, yes},
		{"Zulip", answer{body: `{"result":"success","msg":""}`}, oneSlack, yes},
		{"Slack, nothing", answer{}, oneSlack, yes},
		{"Slack, a word", answer{body: "accepted"}, oneSlack, yes},
		{"Slack 404 no_service", answer{code: 404, body: "no_service"}, oneSlack, retry},
		{"Slack 429", answer{code: 429}, oneSlack, retry},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, Options{Receivers: c.to}, always(c.a))
				r.run()
				r.put(note("i1", alerting.First, 0))
				time.Sleep(10 * time.Minute)
				hits, s, letters := r.far.got(), r.stats(), r.dead()
				var ok bool
				switch c.want {
				case yes:
					ok = len(hits) == 1 && s.Sent == 1 && s.Queued == 0 && len(letters) == 0
				case retry:
					ok = len(hits) > 5 && s.Sent == 0 && s.Queued == 1 && len(letters) == 0 && !s.NextAttempt.IsZero()
				case dead: // a deploy may say no for a while, too; then it is listed, and offered now and then
					ok = len(hits) > 5 && s.Sent == 0 && s.Queued == 1 && len(letters) == 0
					time.Sleep(2 * time.Hour)
					s, letters = r.stats(), r.dead()
					ok = ok && s.Queued == 1 && s.Owed == 1 && s.Dead == 1 && len(letters) == 1 && letters[0].Incident == "i1"
					before := len(r.far.got())
					time.Sleep(24 * time.Hour)
					ok = ok && len(r.far.got()) == before+24 && len(r.dead()) == 1
					r.far.say(nil)
					time.Sleep(2 * time.Hour)
					ok = ok && r.stats().Sent == 1 && r.stats().Owed == 0
				}
				if !ok {
					t.Errorf("%d sends, stats %+v, dead letters %+v", len(hits), s, letters)
				}
				for _, h := range hits {
					if strings.Contains(h.url, "elsewhere") {
						t.Error("a redirect was followed")
					}
				}
			})
		})
	}
}

func TestGoneDisablesUntilSomebodyIsThereAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{}, always(answer{code: 410, body: "unsubscribed"}))
		r.put(note("i1", alerting.First, 0), note("i2", alerting.First, 0))
		r.run()
		synctest.Wait()
		r.put(note("i3", alerting.First, 0))
		time.Sleep(24 * time.Hour)
		if n := len(r.far.got()); n != 5 { // at once, and after 1, 3, 7 and 15 hours
			t.Errorf("%d requests to a receiver that is gone", n)
		}
		if s := r.stats(); !strings.Contains(s.Disabled, "410 Gone: unsubscribed") || s.Dead != 3 || s.Queued != 3 || s.Owed != 3 {
			t.Errorf("stats %+v", s)
		}
		if d := r.dead(); len(d) != 3 || d[0].Incident != "i3" || !strings.Contains(d[0].Why, "disabled") {
			t.Errorf("dead letters %+v", d)
		}
		// A test message that still meets nobody changes nothing, one that arrives does.
		if got, err := r.box.SendTest(t.Context(), "ops"); err != nil || got[0].Err == nil || r.stats().Disabled == "" {
			t.Errorf("SendTest = %+v, %v", got, err)
		}
		r.far.say(nil)
		if got, err := r.box.SendTest(t.Context(), "ops"); err != nil || got[0].Err != nil || r.stats().Disabled != "" {
			t.Errorf("SendTest = %+v, %v", got, err)
		}
		r.put(note("i4", alerting.First, 0))
		time.Sleep(time.Second)
		if s := r.stats(); s.Sent != 4 || s.Owed != 0 { // what was listed goes on, so it is told now
			t.Errorf("stats %+v", s)
		}
	})
}

func TestSendTestSaysWhatBecameOfEach(t *testing.T) {
	far := &farEnd{answer: func(_ int, h hit) answer {
		if strings.Contains(h.url, "slack.example") {
			return answer{code: 403, body: "invalid_token"}
		}
		return answer{}
	}}
	o := Options{Transport: far, Receivers: []Receiver{oneWebhook[0], oneSlack[0]}}
	got, err := SendTest(t.Context(), o, "")
	if err != nil || len(got) != 2 {
		t.Fatalf("SendTest = %+v, %v", got, err)
	}
	if got[0].Err != nil || got[0].Host != "hook.example" || got[0].Kind != "webhook" {
		t.Errorf("webhook: %+v", got[0])
	}
	if got[1].Err == nil || !strings.Contains(got[1].Err.Error(), "403 Forbidden: invalid_token") {
		t.Errorf("slack: %+v", got[1])
	}
	for _, name := range []string{"nobody", "unknown"} {
		if _, err := SendTest(t.Context(), o, name); !errors.Is(err, ErrNoReceiver) {
			t.Errorf("SendTest(%s) = %v", name, err)
		}
	}
	if !bytes.Contains(far.got()[0].body, []byte("Test message from Wrackline")) {
		t.Errorf("body %s", far.got()[0].body)
	}
}

// After an outage: one message of an incident that still matters, and no closing word of one that was never announced.
func TestWhatWasNeverAnnouncedNeedsNoClosingWord(t *testing.T) {
	for _, c := range []struct {
		name    string
		outage  answer
		reasons []alerting.Reason
		want    []alerting.Reason
	}{
		{"began and ended", answer{code: 503}, []alerting.Reason{alerting.First, alerting.Resolved}, []alerting.Reason{alerting.Summary}},
		{"began, changed and ended", answer{code: 404}, []alerting.Reason{alerting.First, alerting.Changed, alerting.Resolved}, []alerting.Reason{alerting.Summary}},
		{"goes on", answer{code: 503}, []alerting.Reason{alerting.First, alerting.Changed}, []alerting.Reason{alerting.Changed}},
		{"was announced before", answer{code: 503}, []alerting.Reason{alerting.Changed, alerting.Resolved}, []alerting.Reason{alerting.Resolved}},
		{"may have arrived", answer{after: time.Hour}, []alerting.Reason{alerting.First, alerting.Resolved}, []alerting.Reason{alerting.Resolved}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				down := time.Now().Add(30 * time.Minute)
				r := newRig(t, Options{}, func(int, hit) answer {
					if time.Now().Before(down) {
						return c.outage
					}
					return answer{}
				})
				r.run()
				for i, reason := range c.reasons {
					r.put(note("i1", reason, uint32(i)))
					time.Sleep(3 * time.Minute)
				}
				before := len(r.far.got())
				time.Sleep(2 * time.Hour)
				var got []alerting.Reason
				for _, h := range r.far.got()[before:] {
					if h.at.After(down) {
						got = append(got, reasonOf(t, h))
					}
				}
				if !slices.Equal(got, c.want) || r.stats().Queued != 0 || len(r.dead()) != 0 {
					t.Errorf("after the outage %v were sent, want %v; %d wait, %d given up", got, c.want, r.stats().Queued, len(r.dead()))
				}
			})
		})
	}
}

// reasonOf returns why a webhook message was sent.
func reasonOf(t *testing.T, h hit) alerting.Reason {
	t.Helper()
	if bytes.Contains(h.body, []byte("wrackline.missed")) {
		return alerting.Summary
	}
	for _, x := range []alerting.Reason{alerting.First, alerting.Changed, alerting.Resolved} {
		for seq := range uint32(5) {
			if h.id() == alerting.NotificationID("i1", x, seq) {
				return x
			}
		}
	}
	t.Fatalf("message %s", h.id())
	return ""
}
