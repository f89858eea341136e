package notify

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline/pack"
)

var oneAlertmanager = []Receiver{{Name: "am", Alertmanager: []AlertmanagerConfig{{URL: "http://am.example:9093/prefix/", Labels: map[string]string{"team": "shop"}, BasicAuth: &BasicAuth{Username: "w", Password: "canary"}}}}}

func alertsOf(t *testing.T, h hit) (list []amAlert) {
	t.Helper()
	if err := json.Unmarshal(h.body, &list); err != nil || len(list) == 0 {
		t.Fatalf("%s: %v", h.body, err)
	}
	return list
}

func TestWhatIsOpenIsToldAlertmanagerAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{Receivers: oneAlertmanager}, nil)
		r.run()
		r.put(note("i1", alerting.First, 0))
		time.Sleep(10*time.Minute + time.Second)
		hits := r.far.got()
		if len(hits) < 10 || len(hits) > 12 {
			t.Fatalf("%d requests in ten minutes", len(hits))
		}
		first := alertsOf(t, hits[0])[0]
		for k, want := range map[string]string{"alertname": "dns.servfail_ratio", "severity": "page", "cluster": "prod", "incident": "i1", "team": "shop"} {
			if first.Labels[k] != want {
				t.Errorf("%s = %q, want %q", k, first.Labels[k], want)
			}
		}
		if hits[0].url != "http://am.example:9093/prefix/api/v2/alerts" || !strings.HasPrefix(hits[0].header.Get("Authorization"), "Basic ") {
			t.Errorf("%s %s", hits[0].url, hits[0].header)
		}
		for i, h := range hits {
			a := alertsOf(t, h)[0]
			if left := a.EndsAt.Sub(h.at); left < 4*time.Minute || left > 6*time.Minute {
				t.Errorf("request %d ends %s ahead", i, left)
			}
			if i > 0 && h.at.Sub(hits[i-1].at) > 61*time.Second {
				t.Errorf("%s between two", h.at.Sub(hits[i-1].at))
			}
			if fingerprint(a.Labels) != fingerprint(first.Labels) || !a.StartsAt.Equal(first.StartsAt) {
				t.Errorf("request %d is about another alert: %v", i, a.Labels)
			}
		}
		// A restart goes on at once: what is open is on disk.
		r.close()
		before := len(r.far.got())
		r.open()
		r.run()
		time.Sleep(time.Second)
		if hits = r.far.got(); len(hits) != before+1 || alertsOf(t, hits[before])[0].Labels["incident"] != "i1" {
			t.Fatalf("%d requests after a restart", len(hits)-before)
		}
		r.put(note("i1", alerting.Resolved, 1))
		time.Sleep(time.Second)
		hits = r.far.got()
		over := alertsOf(t, hits[len(hits)-1])[0]
		if over.EndsAt.After(time.Now()) || fingerprint(over.Labels) != fingerprint(first.Labels) {
			t.Errorf("%+v", over)
		}
		time.Sleep(time.Hour)
		hits = r.far.got()
		last := hits[len(hits)-1]
		if since := last.at.Sub(over.EndsAt); since < 13*time.Minute || since > 16*time.Minute || !alertsOf(t, last)[0].EndsAt.Equal(over.EndsAt) {
			t.Errorf("the end is said for %s, as of %s", since, alertsOf(t, last)[0].EndsAt)
		}
		if len(r.box.lanes[0].held) != 0 {
			t.Errorf("%d are held", len(r.box.lanes[0].held))
		}
		if s := r.stats(); s.Sent != 1 || s.Kind != "alertmanager" || s.Queued != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// A severity that rises ends the alert of before and begins another: routes there ask for it. Nothing else of the identity moves with the incident.
func TestAnAlertsIdentityIsThatOfTheFirstTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{Receivers: oneAlertmanager}, nil)
		r.run()
		n := note("i1", alerting.First, 0)
		n.Incident.Severity, n.Incident.Lead = pack.Warn, 0
		r.put(n)
		time.Sleep(30 * time.Second)
		n = note("i1", alerting.Changed, 1)
		r.put(n)
		time.Sleep(time.Second)
		hits := r.far.got()
		list := alertsOf(t, hits[len(hits)-1])
		if len(list) != 2 || list[0].Labels["severity"] != "warn" || list[0].EndsAt.After(time.Now()) || list[1].Labels["severity"] != "page" || !list[1].EndsAt.After(time.Now()) {
			t.Fatalf("%+v", list)
		}
		if list[1].Labels["alertname"] != "dns.latency_p99" {
			t.Errorf("the alert has another name: %v", list[1].Labels)
		}
		time.Sleep(2 * time.Minute)
		hits = r.far.got()
		if list := alertsOf(t, hits[len(hits)-1]); len(list) != 1 || list[0].Labels["severity"] != "page" {
			t.Errorf("%+v", list)
		}
	})
}

// While it is away nothing is lost: what still lasts is told when it is there, what came and went needs no word.
func TestAnAlertmanagerThatWasAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{Receivers: oneAlertmanager}, always(answer{err: noRoute}))
		r.run()
		r.put(note("i1", alerting.First, 0), note("i2", alerting.First, 0))
		time.Sleep(time.Hour)
		r.put(note("i2", alerting.Resolved, 1))
		time.Sleep(time.Hour)
		r.far.say(nil)
		before := len(r.far.got())
		time.Sleep(20 * time.Minute)
		for _, h := range r.far.got()[before:] {
			for _, a := range alertsOf(t, h) {
				if a.Labels["incident"] != "i1" {
					t.Errorf("%v", a.Labels)
				}
			}
		}
		if len(r.far.got())-before < 15 {
			t.Errorf("%d requests", len(r.far.got())-before)
		}
		if s := r.stats(); s.Missed != 0 || s.FailingSince != (time.Time{}) {
			t.Errorf("%+v", s)
		}
	})
}

func TestHostileLabelsMakeAValidAlert(t *testing.T) {
	for _, m := range []*Message{NewMessage(hostileIncident(64), "https://w"), NewTestMessage(time.UnixMilli(t0), ""), newSelfMessage(&Notice{Incident: "self", Severity: pack.Page, Title: "x", Lines: []NoticeLine{{Name: "store.full"}}}, alerting.First, t0, "")} {
		a := newAMAlert(m, nil)
		for k, v := range a.Labels {
			if !labelName.MatchString(k) || v == "" || len(v) > amLabelMax || v != oneLine(v, amLabelMax) {
				t.Errorf("%s = %q", k, v)
			}
		}
		for k, v := range a.Annotations {
			if v == "" || len(v) > amTextMax || v != oneLine(v, amTextMax) {
				t.Errorf("%s = %q", k, v)
			}
		}
		if a.Labels["alertname"] == "" || a.Labels["severity"] == "" || a.Annotations["summary"] == "" {
			t.Errorf("%+v", a)
		}
	}
}

func TestAlertmanagerConfigurationErrors(t *testing.T) {
	for want, c := range map[string]AlertmanagerConfig{
		"": {URL: "https://am/", ResendInterval: time.Second}, "url or url_file is missing": {}, "resend_interval is 1h": {URL: "http://a", ResendInterval: time.Hour}, "severity says what": {URL: "http://a", Labels: map[string]string{"severity": "x"}},
		"not a label's name": {URL: "http://a", Labels: map[string]string{"a-b": "x"}}, "one line": {URL: "http://a", Labels: map[string]string{"a": "x\ny"}}, "both given": {URL: "http://a", Bearer: "canary", BasicAuth: &BasicAuth{Username: "x"}},
		"username is missing": {URL: "http://a", BasicAuth: &BasicAuth{Password: "canary"}}, "messages_per_minute": {URL: "http://a", PerMinute: -1},
	} {
		err := CheckReceivers([]Receiver{{Name: "a", Alertmanager: []AlertmanagerConfig{c}}})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "receivers[0].alertmanager_configs[0]")) {
			t.Errorf("%q: %v", want, err)
		}
		if err != nil && strings.Contains(err.Error(), "canary") {
			t.Error(err)
		}
	}
}

// What Wrackline says of itself lasts at an Alertmanager, too.
func TestANoticeIsRenewedAtAnAlertmanager(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := &farEnd{}
		h, err := NewHerald(Options{Receivers: oneAlertmanager, Transport: far})
		if err != nil {
			t.Fatal(err)
		}
		stop := runHerald(t, h)
		defer stop()
		h.Tell(Notice{Key: "disk", Incident: "self-1", Seq: 1, Edition: 1, Severity: pack.Page, SinceMs: time.Now().UnixMilli(), Title: "the disk is full", Lines: []NoticeLine{{Name: "wrackline.store", Text: "full"}}})
		time.Sleep(5*time.Minute + time.Second)
		hits := far.got()
		if len(hits) < 5 || len(hits) > 7 {
			t.Fatalf("%d requests", len(hits))
		}
		h.Over("disk", time.Now().UnixMilli())
		time.Sleep(time.Minute)
		hits = far.got()
		a := alertsOf(t, hits[len(hits)-1])[0]
		if a.EndsAt.After(time.Now()) || fingerprint(a.Labels) != fingerprint(alertsOf(t, hits[0])[0].Labels) {
			t.Errorf("%+v", a)
		}
		time.Sleep(10 * time.Minute)
		if n := len(far.got()); n != len(hits) {
			t.Errorf("%d requests after the end", n-len(hits))
		}
	})
}
