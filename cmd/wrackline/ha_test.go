package main

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/alerting/act"
	"github.com/wrackline/wrackline/alerting/notify"
	"github.com/wrackline/wrackline/alerting/peer"
	"github.com/wrackline/wrackline/baseline/scenario"
)

// TestTwoServersMeanTheSameIncident: what must be equal on two servers for an incident to have the same id. Servers that were sent the same differ in when they were sent it, and an id does not depend on
// that; one that began to learn half a day later, or was away for a while, may find another onset, and is understood all the same.
func TestTwoServersMeanTheSameIncident(t *testing.T) {
	if testing.Short() || underRace {
		t.Skip("takes half a minute of CPU time, on one goroutine")
	}
	t.Parallel()
	const day, hour = 86_400_000, int64(3_600_000)
	sc := scenario.Config{Seed: 36, StartMs: scenario.Epoch}
	g, err := scenario.New(sc)
	if err != nil {
		t.Fatal(err)
	}
	begin := sc.StartMs + day + 10*hour
	faults := scenario.Rotation(begin, 2*time.Hour, 6)
	for _, f := range faults {
		if err := g.Add(f); err != nil {
			t.Fatal(err)
		}
	}
	cfg := defaultConfig()
	cfg.Alerting.NotificationsPerDay, cfg.Alerting.PagesPerDay = -1, -1
	var as [3]*offline
	for i := range as {
		if as[i], err = newOffline(cfg, nil); err != nil {
			t.Fatal(err)
		}
	}
	rng := rand.New(rand.NewPCG(1, 36))
	late := int64(0)
	for {
		r, ok := g.Next(begin + 13*hour)
		if !ok {
			break
		}
		b, received := r.Batch, r.Batch.ReceivedMs
		as[0].engine.Apply(&b, 0)
		if rng.IntN(50) == 0 { // a connection that was slow for a while
			late = rng.Int64N(20_000)
		}
		b = r.Batch
		b.ReceivedMs = received + late
		as[1].engine.Apply(&b, 0)
		away := received >= begin && (received-begin)%(4*hour) > 3*hour && (received-begin)%(4*hour) < 3*hour+20*60_000
		if received < sc.StartMs+day/2 || away {
			continue
		}
		b = r.Batch
		as[2].engine.Apply(&b, 0)
	}
	firsts := func(o *offline) (list []alerting.Notification) {
		for _, n := range o.told {
			if n.Reason == alerting.First && n.T >= begin {
				list = append(list, n)
			}
		}
		return list
	}
	truth := firsts(as[0])
	for i, o := range as[1:] {
		same, understood, not := 0, 0, 0
		mine := firsts(o)
		for _, n := range mine {
			how := &not
			about := notify.AboutOf(n.Incident)
			for _, x := range truth {
				switch {
				case x.ID == n.ID:
					how = &same
				case how == &not && notify.SameIncident(&about, asItEnded(as[0], x.Incident)):
					how = &understood
				}
			}
			*how++
			if how == &not {
				t.Logf("server %d alone tells of %s at %s: %s", i+1, n.IncidentID, alerting.Clock(n.T), n.Incident.Title)
			}
		}
		t.Logf("server %d: %d told, %d with the id of the first server's %d, %d under another id and understood, %d that the first does not tell", i+1, len(mine), same, len(truth), understood, not)
		if len(truth) < 5 || len(mine) < 5 {
			t.Errorf("%d and %d incidents were told: too few to say anything", len(truth), len(mine))
		}
		if i == 0 && (same != len(mine) || len(mine) != len(truth)) {
			t.Error("ids depend on when requests are received")
		}
	}
}

// asItEnded returns an incident with all that joined it.
func asItEnded(o *offline, inc *alerting.Incident) *alerting.Incident {
	for _, x := range o.manager.Incidents() {
		if x.ID == inc.ID {
			return x
		}
	}
	return inc
}

// twoApps serves two applications that are each other's peer.
func twoApps(t *testing.T, hook string) (list [2]*app, urls [2]string) {
	t.Helper()
	var ls [2]net.Listener
	for n := range ls {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ls[n], urls[n] = l, "http://"+l.Addr().String()
	}
	for n := range list {
		cfg, err := loadConfig(file(t, "w.yml", "ha: {peer: \""+urls[1-n]+"\", token: a-token-of-two-servers, wait: 5s}\nreceivers: [{name: ops, webhook_configs: [{url: \""+hook+"\"}]}]\n"))
		if err != nil {
			t.Fatal(err)
		}
		a, err := openApp(cfg, t.TempDir(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan error, 1)
		front := newFront(ls[n], nil)
		go func() { done <- a.serve(ctx, front, nil) }()
		t.Cleanup(func() {
			stop()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
		list[n] = a
	}
	for _, a := range list {
		until(t, "the other server is there", func() bool { return a.ready.Load() && a.peer.State().Up })
	}
	return list, urls
}

func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not within a minute: " + what)
		}
	}
}

// TestWhatIsSaidToOneIsSaidToBoth: acts and undos reach the other server of a pair, and an ack the incident as it is called there.
func TestWhatIsSaidToOneIsSaidToBoth(t *testing.T) {
	list, _ := twoApps(t, "http://127.0.0.1:1/")
	ctx := context.Background()
	a, b := list[0], list[1]
	x, err := a.say(ctx, &act.Draft{Kind: act.Silence, Who: "ann", For: "2h", Rule: act.Rule{Match: []string{`workload="cart"`}}})
	if err != nil {
		t.Fatal(err)
	}
	until(t, "b has the silence", func() bool { return b.acts.View().Find(x.ID) != nil })
	if y := b.acts.View().Find(x.ID); y.Who != "ann" || y.Until != x.Until || y.T != x.T {
		t.Errorf("b has %+v, a %+v", y, x)
	}
	if _, err := b.unsay(ctx, &speaker{}, x.ID, "bob", "done"); err != nil {
		t.Fatal(err)
	}
	until(t, "a has the undo", func() bool { return a.acts.View().Find(x.ID).Undone != nil })
	until(t, "both know that they know the same", func() bool {
		return a.report().Acts == b.report().Acts && a.peer.State().Other.Acts == b.peer.State().Other.Acts
	})
	if n := len(b.acts.View().All()); n != 1 {
		t.Errorf("b has %d acts", n)
	}
	if why := a.peerStatus(); why == nil || !why.Up || why.Version != buildVersion() {
		t.Errorf("%+v", why)
	}
}

// TestThePeerDoor: what one server of a pair tells the other decides who is told, so only who has the token may say it; a server without a peer has no such door.
func TestThePeerDoor(t *testing.T) {
	cfg := defaultConfig()
	if code := knock(*openDoors(t, cfg, false).main.Load(), "POST", peer.Path, "10.1.1.1:1", "wrackline-1").Code; code == http.StatusOK {
		t.Error("a server that is none of a pair answers")
	}
	cfg.HA = haConfig{Peer: "http://10.0.0.2:9099", Token: "a-token-of-two-servers"}
	a := openDoors(t, cfg, false)
	main := *a.main.Load()
	ask := func(token, body string, headers ...string) int {
		r := httptest.NewRequest("POST", "http://wrackline-1.wrackline.svc:9099"+peer.Path, strings.NewReader(body))
		r.RemoteAddr = "10.1.1.1:1"
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		w := httptest.NewRecorder()
		main.ServeHTTP(w, r)
		return w.Code
	}
	const hello = `{"from":{"id":"x","born":1}}`
	for _, c := range []struct {
		token, body string
		want        int
		headers     []string
	}{
		{"", hello, 401, nil}, {"another-token-of-others", hello, 401, nil}, {"a-token-of-two-server", hello, 401, nil},
		{"a-token-of-two-servers", hello, 200, nil}, {"a-token-of-two-servers", `{`, 400, nil}, {"a-token-of-two-servers", `{}`, 400, nil}, {"a-token-of-two-servers", `{"from":{"id":"x"},"words":[{"lane":"no/such/0","incident":"i"}]}`, 200, nil},
		{"a-token-of-two-servers", hello, 403, []string{"Origin", "http://evil.example"}},
	} {
		if got := ask(c.token, c.body, c.headers...); got != c.want {
			t.Errorf("%q %s: %d, want %d", c.token, c.body, got, c.want)
		}
	}
	if !strings.Contains(configText(a.cfg.Load()), "<secret>") || strings.Contains(configText(a.cfg.Load()), "a-token-of") {
		t.Error("the token is shown")
	}
}

// haWays are the ways of going blind that a pair has.
func haWays() []blindCase {
	return []blindCase{
		{name: "the other server of a pair is not reached", told: "wrackline.peer.away", culprit: "http://10.0.0.2:9099", hiccup: true,
			rig: func(*testing.T) rigOptions {
				return rigOptions{setup: func(c *config) { c.HA.Peer = "http://10.0.0.2:9099" }}
			},
			blind: func(r *blindRig) {
				r.a.self.amend = func(f *facts) {
					f.peer = &peer.Status{Since: time.Now().Add(-time.Minute), Why: "connection refused"}
				}
			},
			well: func(r *blindRig) { r.a.self.amend = func(f *facts) { f.peer = nil } }},
	}
}
