package notify

import (
	"compress/gzip"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/wrackline/wrackline/alerting"
)

// hooks makes webhooks of one receiver: "name=url" or "url".
func hooks(receiver string, list ...string) Receiver {
	r := Receiver{Name: receiver}
	for _, s := range list {
		name, u, named := strings.Cut(s, "=")
		if !named {
			name, u = "", name
		}
		r.Webhook = append(r.Webhook, WebhookConfig{Name: name, URL: Secret("https://" + u)})
	}
	return r
}

// The configuration changes while everybody's messages wait. What waits for a URL goes to the one that is meant.
func TestWhatWaitsFindsItsReceiverAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "url")
	write := func(u string) {
		if err := os.WriteFile(file, []byte(u), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	fromFile := Receiver{Name: "ops", Webhook: []WebhookConfig{{URLFile: file}, {URL: "https://b.example/1"}}}
	slacks := func(channels ...string) Receiver {
		r := Receiver{Name: "ops"}
		for _, c := range channels {
			r.Slack = append(r.Slack, SlackConfig{APIURL: "https://legacy.example/x", Channel: c})
		}
		return r
	}
	for _, c := range []struct {
		name        string
		before, now []Receiver
		goes        []string // for each integration of before, the URL (and #channel) that gets what waits for it; "" = nobody, it is listed
		rotate      string
	}{
		{name: "nothing changes", before: []Receiver{hooks("ops", "a.example/1", "b.example/1")}, now: []Receiver{hooks("ops", "a.example/1", "b.example/1")}, goes: []string{"a.example/1", "b.example/1"}},
		{name: "receivers change places", before: []Receiver{hooks("x", "a.example/1"), hooks("y", "b.example/1")}, now: []Receiver{hooks("y", "b.example/1"), hooks("x", "a.example/1")}, goes: []string{"a.example/1", "b.example/1"}},
		{name: "integrations change places", before: []Receiver{hooks("ops", "a.example/1", "b.example/1")}, now: []Receiver{hooks("ops", "b.example/1", "a.example/1")}, goes: []string{"a.example/1", "b.example/1"}},
		{name: "one is put before them", before: []Receiver{hooks("ops", "a.example/1", "b.example/1")}, now: []Receiver{hooks("ops", "c.example/1", "a.example/1", "b.example/1")}, goes: []string{"a.example/1", "b.example/1"}},
		{name: "the first is removed", before: []Receiver{hooks("ops", "a.example/1", "b.example/1")}, now: []Receiver{hooks("ops", "b.example/1")}, goes: []string{"", "b.example/1"}},
		{name: "the first is removed, another added behind", before: []Receiver{hooks("ops", "n=a.example/1", "b.example/1")}, now: []Receiver{hooks("ops", "b.example/1", "m=c.example/1")}, goes: []string{"", "b.example/1"}},
		{name: "a secret in the URL is rotated", before: []Receiver{hooks("ops", "a.example/1", "b.example/1")}, now: []Receiver{hooks("ops", "b.example/1", "a.example/2")}, goes: []string{"a.example/2", "b.example/1"}},
		{name: "a password is rotated", before: []Receiver{hooks("ops", "u:p@a.example/1", "a.example/2")}, now: []Receiver{hooks("ops", "a.example/2", "u:q@a.example/1")}, goes: []string{"a.example/1", "a.example/2"}},
		{name: "both are rotated", before: []Receiver{hooks("ops", "a.example/1", "a.example/2")}, now: []Receiver{hooks("ops", "a.example/3", "a.example/4")}, goes: []string{"a.example/3", "a.example/4"}},
		{name: "both are rotated and change places", before: []Receiver{hooks("ops", "a.example/1", "b.example/1")}, now: []Receiver{hooks("ops", "b.example/2", "a.example/2")}, goes: []string{"a.example/2", "b.example/2"}},
		{name: "the URL is another", before: []Receiver{hooks("ops", "a.example/1")}, now: []Receiver{hooks("ops", "z.example/9")}, goes: []string{"z.example/9"}},
		{name: "the file says another URL", before: []Receiver{fromFile}, now: []Receiver{{Name: "ops", Webhook: []WebhookConfig{{URL: "https://b.example/1"}, {URLFile: file}}}}, rotate: "https://elsewhere.example/7", goes: []string{"elsewhere.example/7", "b.example/1"}},
		{name: "the URL moves from the file into the configuration", before: []Receiver{fromFile}, now: []Receiver{hooks("ops", "b.example/1", "f.example/1")}, goes: []string{"f.example/1", "b.example/1"}},
		{name: "the receiver is renamed", before: []Receiver{hooks("team", "a.example/1", "b.example/1")}, now: []Receiver{hooks("squad", "a.example/1", "b.example/1")}, goes: []string{"a.example/1", "b.example/1"}},
		{name: "one is renamed, one added, one stays", before: []Receiver{hooks("team", "a.example/1"), hooks("other", "b.example/1")}, now: []Receiver{hooks("new", "c.example/1"), hooks("squad", "a.example/1"), hooks("other", "b.example/1")}, goes: []string{"a.example/1", "b.example/1"}},
		{name: "renamed, and another URL: nothing says that it is the same", before: []Receiver{hooks("team", "a.example/1")}, now: []Receiver{hooks("squad", "z.example/1")}, goes: []string{""}},
		{name: "another receiver of the same URL stays", before: []Receiver{hooks("x", "a.example/1"), hooks("y", "a.example/1")}, now: []Receiver{hooks("y", "a.example/1")}, goes: []string{"", "a.example/1"}},
		{name: "two names of the same URL", before: []Receiver{hooks("ops", "p=a.example/1", "q=a.example/1")}, now: []Receiver{hooks("ops", "q=a.example/1", "p=a.example/1")}, goes: []string{"a.example/1", "a.example/1"}},
		{name: "names decide, not URLs", before: []Receiver{hooks("ops", "p=a.example/1", "q=b.example/1")}, now: []Receiver{hooks("ops", "p=b.example/1", "q=a.example/1")}, goes: []string{"b.example/1", "a.example/1"}},
		{name: "it gets a name", before: []Receiver{hooks("ops", "a.example/1", "b.example/1")}, now: []Receiver{hooks("ops", "q=b.example/1", "p=a.example/1")}, goes: []string{"a.example/1", "b.example/1"}},
		{name: "it loses its name", before: []Receiver{hooks("ops", "p=a.example/1")}, now: []Receiver{hooks("ops", "b.example/1", "a.example/1")}, goes: []string{"a.example/1"}},
		{name: "another name and another URL are another", before: []Receiver{hooks("ops", "p=a.example/1")}, now: []Receiver{hooks("ops", "q=a.example/2")}, goes: []string{""}},
		{name: "channels", before: []Receiver{slacks("#a", "#b")}, now: []Receiver{slacks("#c", "#b", "#a")}, goes: []string{"legacy.example/x#a", "legacy.example/x#b"}},
		{name: "the channel is renamed", before: []Receiver{slacks("#a")}, now: []Receiver{slacks("#b")}, goes: []string{"legacy.example/x#b"}},
		{name: "nobody is left", before: []Receiver{hooks("ops", "a.example/1")}, now: []Receiver{}, goes: []string{""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				write("https://f.example/1")
				r := newRig(t, Options{Receivers: c.before}, always(answer{code: 503}))
				// One incident for each integration, so that it is known what waited for whom.
				for i, l := range r.box.lanes {
					all := r.box.lanes
					r.box.lanes = []*lane{l}
					r.put(note(fmt.Sprint("i", i), alerting.First, 0))
					r.box.lanes = all
				}
				if c.rotate != "" {
					write(c.rotate)
				}
				r.close()
				r.opts.Receivers = c.now
				r.far.say(nil)
				r.open()
				astray := len(r.box.Astray())
				r.close() // the second time nothing is left to be decided
				r.open()
				r.run()
				time.Sleep(time.Minute)
				got := whoGot(r.far.got(), len(c.goes))
				lost := 0
				for i, want := range c.goes {
					if got[fmt.Sprint("i", i)] != want {
						t.Errorf("what waited for the %d. went to %q, want %q", i+1, got[fmt.Sprint("i", i)], want)
					}
					if want == "" {
						lost++
					}
				}
				if d := r.dead(); len(d) != lost || astray != lost || len(r.box.Astray()) != lost {
					t.Errorf("%d are listed, %d and then %d astray, want %d: %+v", len(d), astray, len(r.box.Astray()), lost, d)
				}
			})
		})
	}
}

// whoGot returns where the messages about i0, i1, … went: URL without user, and the channel.
func whoGot(hits []hit, n int) map[string]string {
	got := map[string]string{}
	for _, h := range hits {
		where := strings.TrimPrefix(h.url, "https://")
		if _, after, found := strings.Cut(where, "@"); found {
			where = after
		}
		if _, after, found := strings.Cut(string(h.body), `"channel":"`); found {
			where += after[:2]
		}
		for i := range n {
			if id := fmt.Sprint("i", i); subject(h) == id {
				got[id] += where
			}
		}
	}
	return got
}

// A receiver that was taken out by mistake and put back: what still goes on is told then, what ended is not.
func TestAReceiverThatComesBackGetsWhatStillMatters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		two := []Receiver{hooks("ops", "a.example/1"), hooks("other", "b.example/1")}
		open := note("open", alerting.First, 0)
		r := newRig(t, Options{Receivers: two, Log: slog.New(slog.NewTextHandler(&log, nil)), Current: func(id string) (*alerting.Incident, bool) {
			return open.Incident, id == "open"
		}}, nil)
		r.run()
		r.put(note("announced", alerting.First, 0))
		time.Sleep(time.Second)
		r.far.say(always(answer{code: 503}))
		r.put(open, note("ended", alerting.First, 0))
		time.Sleep(time.Minute)
		r.close()

		r.opts.Receivers = two[1:]
		r.open()
		r.far.say(nil)
		r.run()
		if a := r.box.Astray(); len(a) != 1 || a[0].Integration != "ops/webhook/0" || a[0].Waiting != 2 || a[0].Until.Sub(time.Now()) != 72*time.Hour {
			t.Errorf("astray %+v", a)
		}
		if d := r.dead(); len(d) != 2 || d[0].Receiver != "ops/webhook/0" || d[0].Why != "receiver is no longer configured" {
			t.Errorf("dead letters %+v", d)
		}
		if s := log.String(); !strings.Contains(s, "ops/webhook/0") || !strings.Contains(s, "no longer configured") {
			t.Errorf("the log says %s", s)
		}
		time.Sleep(time.Hour)
		r.put(note("ended", alerting.Resolved, 1)) // nobody is there who could know
		time.Sleep(time.Hour)
		r.close()

		before := len(r.far.got())
		r.opts.Receivers = two
		r.open()
		r.run()
		if len(r.box.Astray()) != 0 {
			t.Errorf("astray %+v", r.box.Astray())
		}
		time.Sleep(time.Minute)
		r.put(note("announced", alerting.Resolved, 1)) // its closing word is due: it was told of it long ago
		time.Sleep(time.Minute)
		var got []string
		for _, h := range r.far.got()[before:] {
			if strings.Contains(h.url, "a.example") {
				got = append(got, incidentOf(h))
			}
		}
		if !slices.Equal(got, []string{"open", "missed", "announced"}) {
			t.Errorf("after it came back it was told of %v", got)
		}
	})
}

// incidentOf returns what a webhook's message is about; "missed" for a summary.
func incidentOf(h hit) string {
	_, after, _ := strings.Cut(string(h.body), `"incident":"`)
	id, _, _ := strings.Cut(after, `"`)
	if strings.HasPrefix(id, "missed-") {
		return "missed"
	}
	return id
}

// A receiver that is new has heard of nothing: no closing word of what began before it, and what changes is announced to it.
func TestANewReceiverIsNotToldTheEndOfWhatItNeverHeardOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{Receivers: []Receiver{hooks("ops", "a.example/1")}}, nil)
		r.run()
		r.put(note("i1", alerting.First, 0), note("i2", alerting.First, 0))
		time.Sleep(time.Minute)
		r.close()
		r.opts.Receivers = []Receiver{hooks("new", "b.example/1"), hooks("ops", "a.example/1")}
		r.open()
		r.run()
		for _, n := range []alerting.Notification{note("i1", alerting.Resolved, 1), note("i2", alerting.Changed, 1), note("i3", alerting.First, 0)} {
			r.put(n)
			time.Sleep(time.Minute)
		}
		r.put(note("i2", alerting.Resolved, 2), note("i3", alerting.Resolved, 1))
		time.Sleep(time.Minute)
		got := map[string][]string{}
		for _, h := range r.far.got() {
			reason := "-"
			switch {
			case strings.Contains(string(h.body), `"notification_reason":"first`):
				reason = "+"
			case strings.Contains(string(h.body), `"notification_reason":"new`):
				reason = "c"
			}
			got[h.url] = append(got[h.url], incidentOf(h)+reason)
		}
		if want := []string{"i1+", "i2+", "i1-", "i2c", "i3+", "i2-", "i3-"}; !slices.Equal(got["https://a.example/1"], want) {
			t.Errorf("the old one got %v, want %v", got["https://a.example/1"], want)
		}
		if want := []string{"i2+", "i3+", "i2-", "i3-"}; !slices.Equal(got["https://b.example/1"], want) {
			t.Errorf("the new one got %v, want %v", got["https://b.example/1"], want)
		}
	})
}

// The file of testdata was written by the program before there was a table of integrations: two webhooks and a Slack, of which none answered.
func TestAnOutboxOfAnOlderProgramIsRead(t *testing.T) {
	for _, reordered := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "outbox.db")
			in, err := os.Open("testdata/outbox_1.db.gz")
			if err != nil {
				t.Fatal(err)
			}
			defer in.Close()
			z, err := gzip.NewReader(in)
			if err != nil {
				t.Fatal(err)
			}
			plain, err := io.ReadAll(z)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, plain, 0o600); err != nil {
				t.Fatal(err)
			}
			time.Sleep(3 * time.Minute) // what the program before had been through
			r := &rig{t: t, path: path, far: &farEnd{}, opts: Options{Receivers: []Receiver{hooks("ops", "hook.example/a", "hook.example/b"),
				{Name: "chat", Slack: []SlackConfig{{APIURL: "https://slack.example/services/T0/B0/x"}}}}}}
			r.opts.Transport = r.far
			r.opts.Rand = func() float64 { return 0.5 }
			defer r.close()
			r.open()
			if reordered { // once it has been read the table says which is which
				r.close()
				r.opts.Receivers[0] = hooks("ops", "hook.example/new", "hook.example/b", "hook.example/a")
				r.open()
			}
			r.run()
			time.Sleep(time.Minute)
			got := map[string][]string{}
			for _, h := range r.far.got() {
				if strings.Contains(h.url, "hook.example") {
					got[h.url] = append(got[h.url], incidentOf(h))
				} else {
					got["slack"] = append(got["slack"], h.url)
				}
			}
			// "over" began and ended; "known" had been announced.
			want := []string{"open", "known", "late", "missed"}
			if !slices.Equal(got["https://hook.example/a"], want) || !slices.Equal(got["https://hook.example/b"], want) || len(got["slack"]) != 4 || len(got["https://hook.example/new"]) != 0 || len(r.dead()) != 0 {
				t.Errorf("reordered %v: sent %v, want %v for each; given up %v", reordered, got, want, r.dead())
			}
			r.put(note("late", alerting.First, 0)) // a replay
			time.Sleep(time.Minute)
			if n := len(r.far.got()); n != 12 {
				t.Errorf("%d messages after a replay", n)
			}
			r.put(note("known", alerting.Resolved, 4)) // announced by the old program
			time.Sleep(time.Minute)
			if n := len(r.far.got()); n != 15 && !reordered || reordered && n != 15 && n != 16 {
				t.Errorf("%d messages after a closing word", n)
			}
		})
	}
}

// When the disk is full at the start, what waits goes out all the same, under whatever key it has.
func TestAFullDiskAtTheStartHoldsNothingBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{Receivers: []Receiver{hooks("team", "a.example/1")}}, nil)
		r.put(note("i1", alerting.First, 0))
		r.close()
		var err error
		if r.db, err = bolt.Open(r.path, 0o600, &bolt.Options{Timeout: time.Second, ReadOnly: true}); err != nil {
			t.Fatal(err)
		}
		r.opts.DB, r.opts.Receivers = r.db, []Receiver{hooks("squad", "a.example/1")}
		if r.box, err = Open(r.opts); err != nil {
			t.Fatal(err)
		}
		r.run()
		time.Sleep(time.Minute)
		if got := r.far.got(); len(got) != 1 || incidentOf(got[0]) != "i1" {
			t.Errorf("sent %v", ids(got))
		}
	})
}
