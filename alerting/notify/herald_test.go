package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wrackline/wrackline/baseline/pack"
)

// full is what a herald is given when the disk is full.
func full(now time.Time) Notice {
	return Notice{Key: "disk", Incident: "self-abc", Edition: 1, Severity: pack.Page, SinceMs: now.UnixMilli(), Title: "Nothing can be taken in because the disk is full: <!channel> write /data",
		Meaning: "Senders are answered 503.", Lines: []NoticeLine{{Name: "wrackline.journal.refuses", Text: "no space left on device", Fix: "Free disk space.", SinceMs: now.UnixMilli()}}}
}

// heralds runs a herald in the test's bubble.
func heralds(t *testing.T, o Options, far *farEnd) *Herald {
	t.Helper()
	o.Transport, o.Rand = far, func() float64 { return 0.5 }
	h, err := NewHerald(o)
	if err != nil {
		t.Fatal(err)
	}
	runHerald(t, h)
	return h
}

func runHerald(t *testing.T, h *Herald) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { h.Run(ctx); close(done) }()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return stop
}

// kept returns how many notices a herald holds.
func kept(h *Herald) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.list)
}

// status returns what a webhook's body says of itself.
func status(t *testing.T, h hit) (state, reason string) {
	t.Helper()
	var p webhookPayload
	if err := json.Unmarshal(h.body, &p); err != nil {
		t.Fatal(err)
	}
	return p.Status, p.NotificationReason
}

func TestHeraldTellsOnceAndCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := &farEnd{}
		no := false
		h := heralds(t, Options{Receivers: []Receiver{{Name: "ops", Webhook: []WebhookConfig{{URL: "https://hook.example/a"}}, Slack: []SlackConfig{{APIURL: "https://slack.example/T0"}}},
			{Name: "mute", Webhook: []WebhookConfig{{URL: "https://hook.example/quiet", SendResolved: &no}}}}, ExternalURL: "https://w.example/"}, far)
		n := full(time.Now())
		for range 20 { // each look says it again
			h.Tell(n)
			time.Sleep(15 * time.Second)
		}
		hits := far.got()
		if len(hits) != 3 {
			t.Fatalf("%d messages for three integrations", len(hits))
		}
		for _, x := range hits {
			text := string(x.body)
			if !strings.Contains(text, "disk is full") || strings.Contains(x.url, "slack") && strings.Contains(text, "<!channel>") {
				t.Errorf("%s got %s", x.url, text)
			}
		}
		if got := h.Told("disk"); len(got) != 3 {
			t.Errorf("told %v", got)
		}
		h.Over("disk", time.Now().UnixMilli())
		time.Sleep(time.Minute)
		if hits = far.got()[3:]; len(hits) != 2 {
			t.Fatalf("%d closing words for two integrations that want them", len(hits))
		}
		for _, x := range hits {
			if !strings.Contains(string(x.body), "Over after 5 min") {
				t.Errorf("the closing word: %s", x.body)
			}
		}
		if n := kept(h); n != 0 {
			t.Errorf("%d notices are kept", n)
		}
	})
}

// A receiver that is down hears of what lasts when it is up again, and of nothing that is over; the others do not wait for it.
func TestHeraldDoesNotWaitForWhoIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := &farEnd{}
		var down atomic.Bool
		down.Store(true)
		far.answer = func(_ int, h hit) answer {
			if down.Load() && strings.Contains(h.url, "/down") {
				return answer{err: errors.New("connection refused"), after: 14 * time.Second}
			}
			return answer{}
		}
		h := heralds(t, Options{Receivers: []Receiver{{Name: "down", Webhook: []WebhookConfig{{URL: "https://hook.example/down"}}}, {Name: "up", Webhook: []WebhookConfig{{URL: "https://hook.example/up"}}}}}, far)
		of := func(path string) (list []hit) {
			for _, x := range far.got() {
				if strings.HasSuffix(x.url, path) {
					list = append(list, x)
				}
			}
			return list
		}
		short, long := full(time.Now()), full(time.Now())
		long.Key, long.Incident = "door", "self-def"
		h.Tell(short)
		h.Tell(long)
		time.Sleep(time.Second)
		if n := len(of("/up")); n != 2 {
			t.Fatalf("%d messages to who is up", n)
		}
		time.Sleep(time.Minute)
		said := h.Said()
		if x := said["down/webhook/0"]; x.Waiting != 2 || x.Sent != 0 || x.Failed == 0 || !strings.Contains(x.LastError, "refused") || !x.LastErrorAt.After(x.LastSuccess) {
			t.Errorf("of who is down: %+v", x)
		}
		if x := said["up/webhook/0"]; x.Waiting != 0 || x.Sent != 2 || x.Failed != 0 || x.LastSuccess.IsZero() {
			t.Errorf("of who is up: %+v", x)
		}
		time.Sleep(time.Hour)
		h.Over("disk", time.Now().UnixMilli())
		time.Sleep(6 * time.Hour)
		tries := len(of("/down"))
		if tries < 20 || tries > 120 {
			t.Errorf("%d attempts within seven hours", tries)
		}
		down.Store(false)
		time.Sleep(10 * time.Minute)
		got := of("/down")[tries:]
		if len(got) != 1 || !strings.Contains(string(got[0].body), "self-def") {
			t.Fatalf("back again it got %d messages", len(got))
		}
		h.Over("door", time.Now().UnixMilli())
		time.Sleep(time.Minute)
		if got = of("/down")[tries:]; len(got) != 2 {
			t.Errorf("%d messages with the closing word", len(got))
		}
		if state, _ := status(t, got[len(got)-1]); state != "resolved" {
			t.Errorf("the last one is %s", state)
		}
	})
}

// What a life before has told is not told again, but closed; more of the same is said as a change; another receiver that will not have it is not asked twice.
func TestHeraldRemembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := &farEnd{}
		h := heralds(t, Options{Receivers: oneWebhook}, far)
		n := full(time.Now())
		h.Tell(n, "ops/webhook/0")
		time.Sleep(time.Minute)
		if len(far.got()) != 0 {
			t.Fatal("told again")
		}
		n.Edition = 2
		h.Tell(n)
		time.Sleep(time.Minute)
		if got := far.got(); len(got) != 1 {
			t.Fatalf("%d messages of a change", len(got))
		} else if _, reason := status(t, got[0]); reason != "new alerts added" {
			t.Errorf("the change is said as %q", reason)
		}
		h.Over("disk", time.Now().UnixMilli())
		time.Sleep(time.Minute)
		if len(far.got()) != 2 {
			t.Fatal("no closing word")
		}
		far.say(always(answer{code: 400, body: "no"}))
		n.Seq, n.Edition = 1, 1
		h.Tell(n)
		time.Sleep(time.Hour)
		if got := far.got(); len(got) != 3 {
			t.Errorf("a message that was refused was tried %d times", len(got)-2)
		} else if got[2].id() == got[0].id() || got[2].id() == got[1].id() {
			t.Error("it has the id of one before")
		}
	})
}

// What a life before has told to one receiver, and this life has not seen, is news to no other; its end is told to the one. Once it is seen again everybody hears of it.
func TestHeraldDoesNotTellOfThePast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := &farEnd{}
		h := heralds(t, Options{Receivers: append([]Receiver{{Name: "new", Webhook: []WebhookConfig{{URL: "https://hook.example/new"}}}}, oneWebhook...)}, far)
		over, seen := full(time.Now()), full(time.Now())
		over.Past, seen.Past, seen.Key, seen.Incident = true, true, "door", "self-def"
		h.Tell(over, "ops/webhook/0")
		h.Tell(seen, "ops/webhook/0")
		time.Sleep(10 * time.Minute)
		if n := len(far.got()); n != 0 {
			t.Fatalf("%d messages of what this life has not seen", n)
		}
		seen.Past = false
		h.Tell(seen)
		h.Over("disk", time.Now().UnixMilli())
		time.Sleep(10 * time.Minute)
		got := map[string]string{}
		for _, x := range far.got() {
			state, _ := status(t, x)
			got[x.url[strings.LastIndex(x.url, "/"):]] += state
		}
		if got["/new"] != "firing" || len(got) != 2 || len(far.got()) != 2 {
			t.Errorf("told %v", got)
		}
	})
}

// Receivers that are replaced go on where those before were, and their number of notices is bounded.
func TestHeraldIsReplacedAndBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := &farEnd{}
		o := Options{Receivers: oneWebhook, Transport: far, Rand: func() float64 { return .5 }}
		old, err := NewHerald(o)
		if err != nil {
			t.Fatal(err)
		}
		stop := runHerald(t, old)
		old.Tell(full(time.Now()))
		time.Sleep(time.Second)
		stop()
		o.Receivers = append([]Receiver{{Name: "new", Webhook: []WebhookConfig{{URL: "https://hook.example/new"}}}}, oneWebhook...)
		h := heralds(t, o, far)
		h.Inherit(old)
		h.Tell(full(time.Now()))
		time.Sleep(time.Minute)
		if got := far.got(); len(got) != 2 || !strings.HasSuffix(got[1].url, "/new") {
			t.Fatalf("%d messages; the second should go to the new receiver", len(got))
		}
		for i := range 200 {
			n := full(time.Now())
			n.Key = fmt.Sprint(i)
			h.Tell(n)
		}
		if _, lost := h.Integrations(); kept(h) != noticesMax || lost != 200-noticesMax+1 {
			t.Errorf("%d notices, %d lost", kept(h), lost)
		}
	})
}

func TestHeartBeatsWhileJudgingGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := &farEnd{}
		var why atomic.Pointer[string] // nil = judging goes on
		held := "the disk is full"
		const secret = "https://user:pass@beat.example/ping/0123456789abcdef?key=topsecret"
		var logs strings.Builder
		o := Options{Transport: far, Log: slog.New(slog.NewTextHandler(&logs, nil))}
		h, err := NewHeart(HeartOptions{HeartConfig: HeartConfig{URL: secret}, Interval: time.Minute, Alive: func() (bool, string) {
			if w := why.Load(); w != nil {
				return false, *w
			}
			return true, ""
		}, Outlet: o})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() { h.Run(ctx); close(done) }()
		defer func() { cancel(); <-done }()
		time.Sleep(10*time.Minute - time.Second)
		if n := len(far.got()); n != 10 {
			t.Errorf("%d calls in ten minutes", n)
		}
		why.Store(&held)
		time.Sleep(10 * time.Minute)
		if n := len(far.got()); n != 10 || h.Stats().Held != held {
			t.Errorf("%d calls while nothing is judged; held for %q", n-10, h.Stats().Held)
		}
		why.Store(nil)
		var fails atomic.Bool
		fails.Store(true)
		far.say(func(n int, _ hit) answer {
			if fails.Load() {
				return answer{err: fmt.Errorf("cannot reach %s", secret)}
			}
			return answer{}
		})
		time.Sleep(3*time.Minute + time.Second)
		st := h.Stats()
		if st.Fails < 6 || st.LastErr == "" {
			t.Errorf("after three minutes of failing: %+v", st)
		}
		fails.Store(false)
		time.Sleep(time.Minute)
		if st = h.Stats(); st.Fails != 0 || time.Since(st.Last) > time.Minute {
			t.Errorf("well again: %+v", st)
		}
		cancel()
		<-done
		for _, leak := range []string{"topsecret", "0123456789abcdef", "pass"} {
			if strings.Contains(logs.String(), leak) || strings.Contains(fmt.Sprint(st, h.o.HeartConfig), leak) || strings.Contains(fmt.Sprintf("%+v", h.Stats()), leak) {
				t.Errorf("%q is shown: %s", leak, logs.String())
			}
		}
	})
}

func TestHeartConfigIsChecked(t *testing.T) {
	for _, c := range []HeartConfig{{URL: "ftp://x/secret"}, {URL: "https://x/secret", Method: "PUT"}, {URL: "https://x/secret", URLFile: "/etc/x"}, {URLFile: "/does/not/exist"}, {Method: "GET"}} {
		if err := CheckHeart(c); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if h, err := NewHeart(HeartOptions{}); h != nil || err != nil {
		t.Errorf("nobody to call: %v, %v", h, err)
	}
}
