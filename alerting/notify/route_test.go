package notify

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/alerting/route"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/series"
)

// threeHooks are receivers that are told apart by their paths.
var threeHooks = []Receiver{{Name: "all", Webhook: []WebhookConfig{{URL: "https://hook.example/all"}}}, {Name: "pager", Webhook: []WebhookConfig{{URL: "https://hook.example/pager"}}},
	{Name: "shop", Webhook: []WebhookConfig{{URL: "https://hook.example/shop"}}}}

// about makes a notification about a workload.
func about(incident string, severity pack.Severity, reason alerting.Reason, seq uint32, namespace string) alerting.Notification {
	n := note(incident, reason, seq)
	inc := *n.Incident
	inc.Severity = severity
	head := inc.Members[inc.Lead]
	head.Entity = series.Labels{{Name: "cluster", Value: "prod"}, {Name: "namespace", Value: namespace}, {Name: "workload", Value: "cart"}}
	inc.Members = append(inc.Members[:0:0], inc.Members...)
	inc.Members[inc.Lead] = head
	n.Incident = &inc
	n.T = time.Now().UnixMilli()
	return n
}

func keptBack(n alerting.Notification) alerting.Notification {
	n.Kept, n.ID = true, alerting.NotificationID(n.IncidentID, "kept "+n.Reason, n.Seq)
	return n
}

// heardBy writes who got which incident with which status, in order.
func heardBy(hits []hit) string {
	var out []string
	for _, h := range hits {
		status := "firing"
		if strings.Contains(string(h.body), `"status":"resolved"`) {
			status = "resolved"
		}
		out = append(out, h.url[strings.LastIndexByte(h.url, '/')+1:]+" "+incidentOf(h)+" "+status)
	}
	return strings.Join(out, ", ")
}

func TestRoutesSayWhoIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root := &route.Route{Receiver: "all", Routes: []*route.Route{{Receiver: "pager", Matchers: []string{`severity="page"`}, Continue: true}, {Receiver: "shop", Matchers: []string{`namespace="shop"`}}}}
		r := newRig(t, Options{Receivers: threeHooks, Route: root}, nil)
		r.run()
		step := func(want string, notes ...alerting.Notification) {
			t.Helper()
			before := len(r.far.got())
			for _, n := range notes {
				r.put(n)
				time.Sleep(2 * time.Second)
			}
			if got := heardBy(r.far.got()[before:]); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		}
		step("all i1 firing, all i1 resolved", about("i1", pack.Warn, alerting.First, 0, "kube-system"), about("i1", pack.Warn, alerting.Resolved, 1, "kube-system"))
		step("shop i2 firing, shop i2 resolved", about("i2", pack.Warn, alerting.First, 0, "shop"), about("i2", pack.Warn, alerting.Resolved, 1, "shop"))
		// It becomes a page: the pager hears of it as of something new, and of its end as everybody who knows.
		step("shop i3 firing", about("i3", pack.Warn, alerting.First, 0, "shop"))
		before := len(r.far.got())
		r.put(about("i3", pack.Page, alerting.Changed, 1, "shop"))
		time.Sleep(2 * time.Second)
		for _, h := range r.far.got()[before:] {
			if first := strings.Contains(string(h.body), "first notification"); first != strings.HasSuffix(h.url, "pager") {
				t.Errorf("%s: %s", h.url, h.body)
			}
		}
		// After a restart with other routes who was told still hears the end, and nobody else does.
		r.close()
		r.opts.Route = &route.Route{Receiver: "all"}
		r.open()
		r.run()
		before = len(r.far.got())
		r.put(about("i3", pack.Page, alerting.Resolved, 2, "shop"))
		time.Sleep(2 * time.Second)
		if got := heardBy(r.far.got()[before:]); got != "pager i3 resolved, shop i3 resolved" && got != "shop i3 resolved, pager i3 resolved" {
			t.Error(got)
		}
		for _, l := range r.box.lanes {
			if len(l.held) != 0 {
				t.Errorf("%s holds %v", l.key, l.held)
			}
		}
	})
}

// What Wrackline says of itself goes where its severity and its pack lead; who has been told hears the end.
func TestNoticesTakeTheirRoutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := &farEnd{}
		root := &route.Route{Receiver: "all", Routes: []*route.Route{{Receiver: "pager", Matchers: []string{`severity="page"`, `pack="wrackline"`, `alertname=~"wrackline.*"`}}}}
		h := heralds(t, Options{Receivers: threeHooks, Route: root}, far)
		page := full(time.Now())
		warn := full(time.Now())
		warn.Key, warn.Incident, warn.Severity = "door", "self-door", pack.Warn
		h.Tell(page)
		h.Tell(warn)
		time.Sleep(time.Minute)
		h.Over("disk", time.Now().UnixMilli())
		h.Over("door", time.Now().UnixMilli())
		time.Sleep(time.Minute)
		for _, hit := range far.got() {
			if pager := strings.HasSuffix(hit.url, "pager"); strings.HasSuffix(hit.url, "shop") || pager != strings.Contains(string(hit.body), page.Incident) {
				t.Errorf("%s: %s", hit.url, hit.body)
			}
		}
		if n := len(far.got()); n != 4 {
			t.Errorf("%d messages", n)
		}
	})
}

// Within a silent interval nothing is said; what lasts is said when it ends, what came and went is in the digest, and a route beside it does not mind.
func TestASilentRouteSaysAfterwardsWhatLasts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // it is midnight
		night := []route.TimeInterval{{Name: "night", Spans: []route.TimeSpan{{Times: []route.TimeRange{{Start: "00:00", End: "06:00"}}}}}}
		root := &route.Route{Receiver: "all", Routes: []*route.Route{{Receiver: "pager", Continue: true}, {Receiver: "shop", MuteTimeIntervals: []string{"night"}}}}
		d := &desk{}
		r := newRig(t, Options{Receivers: threeHooks, Route: root, TimeIntervals: night, Current: d.current}, nil)
		r.run()
		r.put(d.set(about("lasts", pack.Page, alerting.First, 0, "a")), d.set(about("short", pack.Warn, alerting.First, 0, "a")))
		time.Sleep(time.Hour)
		r.put(d.set(about("short", pack.Warn, alerting.Resolved, 1, "a")))
		time.Sleep(time.Hour)
		if got := heardBy(r.far.got()); strings.Contains(got, "shop") || strings.Count(got, "pager") != 3 {
			t.Errorf("in the night: %s", got)
		}
		r.close() // it is remembered
		r.open()
		r.run()
		time.Sleep(3*time.Hour + 59*time.Minute)
		if got := heardBy(r.far.got()); strings.Contains(got, "shop") {
			t.Errorf("before six: %s", got)
		}
		time.Sleep(2 * time.Minute)
		hits := r.far.got()
		last := hits[len(hits)-1]
		if got := heardBy(hits[3:]); got != "shop lasts firing" || !strings.Contains(string(last.body), "held for 6 h by a time interval") {
			t.Errorf("after six: %s\n%s", got, last.body)
		}
		time.Sleep(3 * time.Hour)
		hits = r.far.got()
		if got := string(hits[len(hits)-1].body); len(hits) != 5 || !strings.Contains(got, "Daily digest: 1 incident") {
			t.Errorf("at nine: %d, %s", len(hits), got)
		}
		r.put(d.set(about("lasts", pack.Page, alerting.Resolved, 1, "a")))
		time.Sleep(time.Minute)
		if got := heardBy(r.far.got()[5:]); got != "pager lasts resolved, shop lasts resolved" && got != "shop lasts resolved, pager lasts resolved" {
			t.Error(got)
		}
	})
}

// A page that lasts is told to somebody else, also over a restart, with its end; one that is over by then, or a warning, is not.
func TestAPageThatLastsIsEscalated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root := &route.Route{Receiver: "pager", Escalate: &route.Escalation{After: "30m", Receiver: "shop"}, Routes: []*route.Route{{Receiver: "all", Matchers: []string{`namespace="b"`}}}}
		d := &desk{}
		r := newRig(t, Options{Receivers: threeHooks, Route: root, Current: d.current}, nil)
		r.run()
		r.put(d.set(about("lasts", pack.Page, alerting.First, 0, "a")), d.set(about("short", pack.Page, alerting.First, 0, "a")), d.set(about("warns", pack.Warn, alerting.First, 0, "a")))
		time.Sleep(10 * time.Minute)
		r.put(d.set(about("short", pack.Page, alerting.Resolved, 1, "a")), d.set(about("lasts", pack.Page, alerting.Changed, 1, "a")))
		time.Sleep(10 * time.Minute)
		r.close()
		r.open()
		r.run()
		time.Sleep(9 * time.Minute)
		if got := heardBy(r.far.got()); strings.Contains(got, "shop") {
			t.Errorf("too early: %s", got)
		}
		time.Sleep(2 * time.Minute)
		hits := r.far.got()
		if got := heardBy(hits[len(hits)-1:]); got != "shop lasts firing" || strings.Count(heardBy(hits), "shop") != 1 {
			t.Errorf("after half an hour: %s", heardBy(hits))
		}
		if body := string(hits[len(hits)-1].body); !strings.Contains(body, "first notification") || strings.Contains(body, `"told"`) || !strings.Contains(body, "still open 30 min after it was told") {
			t.Errorf("%s", body[strings.Index(body, "notification_reason"):])
		}
		r.put(d.set(about("lasts", pack.Page, alerting.Resolved, 2, "a")))
		time.Sleep(48 * time.Hour)
		if got := heardBy(r.far.got()[len(hits):]); strings.Count(got, "lasts resolved") != 2 || strings.Contains(got, "missed") || strings.Count(got, ",") != 1 {
			t.Error(got)
		}
	})
}

// What is open still is said again at the interval, and not once more when it is over; the ids are those that a second life would make.
func TestWhatIsOpenStillIsSaidAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root := &route.Route{Receiver: "all", RepeatInterval: "4h"}
		d := &desk{}
		r := newRig(t, Options{Receivers: threeHooks[:1], Route: root, Current: d.current}, nil)
		r.run()
		r.put(d.set(about("i1", pack.Page, alerting.First, 0, "a")))
		time.Sleep(9 * time.Hour)
		r.close()
		r.open()
		r.run()
		time.Sleep(4 * time.Hour)
		hits := r.far.got()
		if len(hits) != 4 { // at 0, 4, 8 and 12 o'clock
			t.Fatalf("%d messages: %s", len(hits), heardBy(hits))
		}
		seen := map[string]bool{}
		for i, h := range hits {
			if seen[h.id()] {
				t.Errorf("%s twice", h.id())
			}
			seen[h.id()] = true
			if i > 0 && (!strings.Contains(string(h.body), "repeat interval elapsed") || h.at.Sub(hits[i-1].at) < 4*time.Hour) {
				t.Errorf("%s", h.body)
			}
		}
		r.put(d.set(about("i1", pack.Page, alerting.Resolved, 1, "a")))
		time.Sleep(24 * time.Hour)
		if got := heardBy(r.far.got()[4:]); got != "all i1 resolved" {
			t.Error(got)
		}
	})
}

// A route's own contract counts its warnings by the day; beyond it they are in the digest. Pages pass, a route without a limit gets what the contract of all keeps back, with the end.
func TestARoutesOwnContract(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		two, any := 2, -1
		root := &route.Route{Receiver: "all", Routes: []*route.Route{{Receiver: "pager", NotificationsPerDay: &two, Continue: true}, {Receiver: "shop", NotificationsPerDay: &any, Continue: true}, {}}}
		d := &desk{}
		r := newRig(t, Options{Receivers: threeHooks, Route: root, Current: d.current}, nil)
		r.run()
		// Of five warnings the contract of all lets one pass.
		for i := range 5 {
			n := about(fmt.Sprint("w", i), pack.Warn, alerting.First, 0, "a")
			if i > 0 {
				n = keptBack(n)
			}
			r.put(d.set(n))
			r.put(n) // a replay
			time.Sleep(time.Minute)
			if i == 2 {
				r.close()
				r.open()
				r.run()
			}
		}
		r.put(d.set(about("p", pack.Page, alerting.First, 0, "a")))
		time.Sleep(time.Minute)
		count := func(of string) int { return strings.Count(heardBy(r.far.got()), of) }
		if count("all w") != 1 || count("pager w") != 2 || count("shop w") != 5 || count(" p firing") != 3 {
			t.Error(heardBy(r.far.got()))
		}
		for i := range 5 {
			n := about(fmt.Sprint("w", i), pack.Warn, alerting.Resolved, 1, "a")
			if i > 0 {
				n = keptBack(n)
			}
			r.put(d.set(n))
			time.Sleep(time.Minute)
		}
		if count("all w0 resolved") != 1 || count("all w") != 2 || count("pager w") != 4 || count("shop w") != 10 {
			t.Error(heardBy(r.far.got()))
		}
		before := len(r.far.got())
		time.Sleep(10 * time.Hour)
		hits := r.far.got()[before:]
		if len(hits) != 2 { // who gets everything has no digest
			t.Fatalf("%d messages at nine", len(hits))
		}
		for _, h := range hits {
			want := map[string]string{"all": "Daily digest: 4 incidents that", "pager": "Daily digest: 3 incidents that"}[h.url[strings.LastIndexByte(h.url, '/')+1:]]
			if want == "" || !strings.Contains(string(h.body), want) {
				t.Errorf("%s: %s", h.url, h.body)
			}
		}
		r.put(d.set(about("next", pack.Warn, alerting.First, 0, "a"))) // the second of the day for who may have two: the contract is of the day, not of the digest
		time.Sleep(15 * time.Hour)
		r.put(d.set(about("tomorrow", pack.Warn, alerting.First, 0, "a")))
		time.Sleep(time.Minute)
		if got := heardBy(r.far.got()); strings.Contains(got, "pager next") || !strings.Contains(got, "pager tomorrow") {
			t.Error(got)
		}
	})
}
