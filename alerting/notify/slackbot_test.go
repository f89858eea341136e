package notify

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline/pack"
)

var oneBot = []Receiver{{Name: "chat", Slack: []SlackConfig{{BotToken: "xoxb-canary", Channel: "#ops"}}}}

// slackFake answers as Slack's methods do.
type slackFake struct {
	next  int
	posts map[string][]string // texts in each thread; a first message is kept as it was changed last
	fail  func(method string, p *slackPayload) answer
}

func (f *slackFake) answer(_ int, h hit) answer {
	var p slackPayload
	if err := json.Unmarshal(h.body, &p); err != nil {
		return answer{code: 500}
	}
	method := h.url[strings.LastIndexByte(h.url, '/')+1:]
	if f.fail != nil {
		if a := f.fail(method, &p); a.code != 0 || a.body != "" || a.err != nil {
			return a
		}
	}
	f.next++
	ts := fmt.Sprintf("17%08d.000100", f.next)
	if f.posts == nil {
		f.posts = map[string][]string{}
	}
	switch {
	case method == "chat.update" && (p.Channel != "C042" || f.posts[p.TS] == nil):
		return answer{body: `{"ok":false,"error":"message_not_found"}`}
	case method == "chat.update":
		f.posts[p.TS][0], ts = p.Text, p.TS
	case p.Thread != "" && f.posts[p.Thread] == nil:
		return answer{body: `{"ok":false,"error":"thread_not_found"}`}
	case p.Thread != "":
		f.posts[p.Thread] = append(f.posts[p.Thread], p.Text)
	default:
		f.posts[ts] = []string{p.Text}
	}
	return answer{body: `{"ok":true,"channel":"C042","ts":"` + ts + `","message":{"text":"` + strings.Repeat("x", 90_000) + `"}}`}
}

func methods(hits []hit) string {
	var out []string
	for _, h := range hits {
		var p slackPayload
		json.Unmarshal(h.body, &p)
		m := strings.TrimPrefix(h.url, "https://slack.com/api/chat.")
		if p.Thread != "" {
			m += "(thread)"
		}
		if p.Broadcast {
			m += "+"
		}
		out = append(out, m)
	}
	return strings.Join(out, " ")
}

func TestABotHasAThreadForEachIncident(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &slackFake{}
		r := newRig(t, Options{Receivers: oneBot, ExternalURL: "https://w.example"}, f.answer)
		r.run()
		r.put(note("i1", alerting.First, 0), note("i2", alerting.First, 0))
		time.Sleep(10 * time.Second)
		n := note("i1", alerting.Changed, 1)
		r.put(n)
		time.Sleep(10 * time.Second)
		r.close() // the thread is found again
		r.open()
		r.run()
		r.put(note("i1", alerting.Resolved, 2))
		time.Sleep(10 * time.Second)
		if got := methods(r.far.got()); got != "postMessage postMessage update postMessage(thread) update postMessage(thread)" {
			t.Fatal(got)
		}
		for _, h := range r.far.got() {
			if h.header.Get("Authorization") != "Bearer xoxb-canary" || !strings.HasPrefix(h.header.Get("Content-Type"), "application/json") {
				t.Errorf("%v", h.header)
			}
		}
		thread := f.posts["1700000001.000100"]
		if len(thread) != 3 || !strings.HasPrefix(thread[0], "🟢 Resolved") || !strings.Contains(thread[1], "Changed") || !strings.Contains(thread[2], "Resolved") || len(f.posts) != 2 {
			t.Errorf("%q", f.posts)
		}
		if len(r.box.lanes[0].held) != 1 {
			t.Errorf("%v", r.box.lanes[0].held)
		}
		if !strings.Contains(string(r.far.got()[0].body), `"accessory":{"type":"button"`) {
			t.Errorf("%s", r.far.got()[0].body)
		}
	})
}

// That it is a page now is shown to the whole channel.
func TestABotSaysItToTheChannelWhenItBecomesAPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &slackFake{}
		r := newRig(t, Options{Receivers: oneBot}, f.answer)
		r.run()
		r.put(about("i1", pack.Warn, alerting.First, 0, "a"))
		time.Sleep(10 * time.Second)
		r.put(about("i1", pack.Page, alerting.Changed, 1, "a"))
		time.Sleep(10 * time.Second)
		r.put(about("i1", pack.Page, alerting.Changed, 2, "a"))
		time.Sleep(10 * time.Second)
		if got := methods(r.far.got()); got != "postMessage update postMessage(thread)+ update postMessage(thread)" {
			t.Error(got)
		}
	})
}

// What Slack says no with: what a person must put right is said once and asked seldom, what is about the message is said in a line, what is over there is said anew, and the rest again.
func TestSlacksErrors(t *testing.T) {
	no := func(word string) answer { return answer{body: `{"ok":false,"error":"` + word + `"}`} }
	for _, c := range []struct {
		name     string
		fail     func(n int, method string, p *slackPayload) answer
		within   time.Duration
		want     string // methods
		disabled bool
	}{
		{"channel_not_found", func(int, string, *slackPayload) answer { return no("channel_not_found") }, 50 * time.Minute, "postMessage", true},
		{"invalid_auth", func(int, string, *slackPayload) answer { return no("invalid_auth") }, 50 * time.Minute, "postMessage", true},
		{"put right", func(n int, _ string, _ *slackPayload) answer {
			if n == 0 {
				return no("not_in_channel")
			}
			return answer{}
		}, 70 * time.Minute, "postMessage postMessage", false},
		{"too long", func(_ int, _ string, p *slackPayload) answer {
			if len(p.Blocks) > 0 {
				return no("msg_too_long")
			}
			return answer{}
		}, time.Minute, "postMessage postMessage", false},
		{"limited", func(n int, _ string, _ *slackPayload) answer {
			if n == 0 {
				return answer{code: 429, header: map[string]string{"Retry-After": "45"}, body: `{"ok":false,"error":"ratelimited"}`}
			}
			return answer{}
		}, 46 * time.Second, "postMessage postMessage", false},
		{"limited in words", func(n int, _ string, _ *slackPayload) answer {
			if n == 0 {
				return no("ratelimited")
			}
			return answer{}
		}, 31 * time.Second, "postMessage postMessage", false},
		{"internal_error", func(n int, _ string, _ *slackPayload) answer {
			if n < 2 {
				return no("internal_error")
			}
			return answer{}
		}, 10 * time.Minute, "postMessage postMessage postMessage", false},
		{"a login's page", func(n int, _ string, _ *slackPayload) answer {
			if n == 0 {
				return answer{body: "<html>log in</html>"}
			}
			return answer{}
		}, 10 * time.Minute, "postMessage postMessage", false},
	} {
		synctest.Test(t, func(t *testing.T) {
			f, n := &slackFake{}, 0
			f.fail = func(method string, p *slackPayload) answer { n++; return c.fail(n-1, method, p) }
			r := newRig(t, Options{Receivers: oneBot}, f.answer)
			r.run()
			r.put(note("i1", alerting.First, 0))
			if c.name == "limited" {
				time.Sleep(44 * time.Second)
				if len(r.far.got()) != 1 {
					t.Error("it is asked before the time that it gave")
				}
			}
			time.Sleep(c.within)
			if got := methods(r.far.got()); got != c.want {
				t.Errorf("%s: %s, want %s", c.name, got, c.want)
			}
			s := r.stats()
			if s.Disabled != "" != c.disabled || (s.Queued == 0) == c.disabled {
				t.Errorf("%s: %+v", c.name, s)
			}
			if strings.Contains(fmt.Sprintf("%+v", s), "canary") {
				t.Errorf("%s: %+v", c.name, s)
			}
			if c.disabled {
				if d := r.dead(); len(d) != 1 || !strings.Contains(d[0].Why, c.name) {
					t.Errorf("%s: %+v", c.name, d)
				}
			}
		})
	}
}

// A first message that somebody has deleted cannot be changed, nor answered: what there is to say is said in a new thread.
func TestADeletedThreadIsBegunAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &slackFake{}
		r := newRig(t, Options{Receivers: oneBot}, f.answer)
		r.run()
		r.put(note("i1", alerting.First, 0))
		time.Sleep(10 * time.Second)
		clear(f.posts)
		r.put(note("i1", alerting.Changed, 1))
		time.Sleep(10 * time.Second)
		r.put(note("i1", alerting.Resolved, 2))
		time.Sleep(10 * time.Second)
		if got := methods(r.far.got()); got != "postMessage update postMessage(thread) postMessage update postMessage(thread)" {
			t.Error(got)
		}
		if len(f.posts) != 1 {
			t.Errorf("%q", f.posts)
		}
	})
}

// A webhook that becomes a bot keeps what waits, and speaks of an incident that it announced as a webhook in a thread of its own.
func TestAWebhookBecomesABot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{Receivers: []Receiver{{Name: "chat", Slack: []SlackConfig{{APIURL: "https://slack.example/services/T0/B0/x"}}}}}, nil)
		r.run()
		r.put(note("i1", alerting.First, 0))
		time.Sleep(10 * time.Second)
		r.close()
		f := &slackFake{}
		r.far.say(f.answer)
		r.opts.Receivers = oneBot
		r.open()
		r.run()
		r.put(note("i1", alerting.Changed, 1))
		time.Sleep(10 * time.Second)
		r.put(note("i1", alerting.Resolved, 2))
		time.Sleep(10 * time.Second)
		if got := methods(r.far.got()[1:]); got != "postMessage update postMessage(thread)" {
			t.Error(got)
		}
	})
}
