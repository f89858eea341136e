package notify

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// slackNo are what Slack's methods say no with.
var slackNo = []string{"ratelimited", "internal_error", "fatal_error", "channel_not_found", "invalid_auth", "not_in_channel", "msg_too_long", "invalid_blocks", "service_unavailable", "something_new"}

// TestTortureReceiversThatHoldSomething is TestTortureReceivers for who holds threads and alerts: once it is well its threads and alerts say how each incident stands, and no thread is there twice but for what may have arrived.
func TestTortureReceiversThatHoldSomething(t *testing.T) {
	n, seed := 3, uint64(time.Now().UnixNano())
	for name, to := range map[string]func(v uint64){"WRACKLINE_TORTURE": func(v uint64) { n = int(v) }, "WRACKLINE_SEED": func(v uint64) { seed = v }} {
		if v, err := strconv.ParseUint(os.Getenv(name), 10, 63); err == nil {
			to(v)
		}
	}
	t.Logf("%d times, WRACKLINE_SEED=%d", n, seed)
	for i := range n {
		synctest.Test(t, func(t *testing.T) { tortureBot(t, rand.New(rand.NewPCG(seed, uint64(2*i)))) })
		synctest.Test(t, func(t *testing.T) { tortureAlertmanager(t, rand.New(rand.NewPCG(seed, uint64(2*i+1)))) })
		if t.Failed() {
			t.Fatalf("in run %d of seed %d", i, seed)
		}
	}
}

// tortureBot lets Slack misbehave.
func tortureBot(t *testing.T, rng *rand.Rand) {
	d, f := &desk{}, &slackFake{}
	way, maybe := answer{}, 0
	of := map[string][]string{} // incident → its threads
	r := newRig(t, Options{Current: d.current, Rand: rng.Float64, Receivers: oneBot}, nil)
	defer r.close()
	r.far.say(func(n int, h hit) answer {
		if way.code != 0 || way.err != nil || way.after > 0 || way.body != "" {
			if way.err != nil || way.after > 0 {
				maybe++
			}
			return way
		}
		var p slackPayload
		json.Unmarshal(h.body, &p)
		a := f.answer(n, h)
		if said, _ := readSlack([]byte(a.body)); said.ok && p.TS == "" && p.Thread == "" {
			id := footIncident(string(h.body))
			of[id] = append(of[id], said.ts)
		}
		return a
	})
	r.run()
	seqs, open := tortureLives(rng, r, d, func(a answer) {
		r.far.mu.Lock()
		defer r.far.mu.Unlock()
		if way = a; a.code != 0 && rng.IntN(2) == 0 {
			way = answer{body: `{"ok":false,"error":"` + slackNo[rng.IntN(len(slackNo))] + `"}`}
		}
	})
	goesOn := map[string]bool{}
	for _, id := range open {
		goesOn[id] = true
	}
	for id := range seqs {
		threads := of[id]
		switch {
		case len(threads) == 0 && goesOn[id]:
			t.Errorf("%s goes on, and has no thread", id)
		case len(threads) > 1:
			t.Errorf("%s has %d threads", id, len(threads))
		}
		for _, ts := range threads {
			texts := f.posts[ts]
			over := strings.HasPrefix(texts[0], "🟢")
			if over == goesOn[id] {
				t.Errorf("%s: open %t, and its thread says %q", id, goesOn[id], texts)
			}
			for i, s := range texts[1:] {
				if strings.HasPrefix(s, "🟢") && i != len(texts)-2 {
					t.Errorf("%s goes on after its closing word: %q", id, texts)
				}
			}
		}
	}
	if s := r.stats(); s.Queued != 0 || s.Owed != 0 || s.Missed != 0 {
		t.Errorf("what is left: %+v", s)
	}
}

// footIncident returns the incident that a chat's message names at its foot.
func footIncident(text string) string {
	_, after, _ := strings.Cut(text, "Wrackline · incident ")
	id, _, _ := strings.Cut(after, " ")
	return id
}

// tortureAlertmanager lets an Alertmanager misbehave. Alerts of it end by themselves, as it says.
func tortureAlertmanager(t *testing.T, rng *rand.Rand) {
	d, way := &desk{}, answer{}
	ends, began, told := map[string]time.Time{}, map[string]bool{}, map[string]bool{}
	r := newRig(t, Options{Current: d.current, Rand: rng.Float64, Receivers: oneAlertmanager}, nil)
	defer r.close()
	r.far.say(func(_ int, h hit) answer {
		if way.code == 0 && way.err == nil && way.after == 0 {
			for _, a := range alertsOf(t, h) {
				id := a.Labels["incident"]
				if told[id] && a.EndsAt.After(time.Now()) {
					t.Errorf("%s goes on after its end", id)
				}
				if !a.EndsAt.After(time.Now()) {
					told[id] = true
				}
				ends[id], began[id] = a.EndsAt, true
			}
		}
		return way
	})
	r.run()
	seqs, open := tortureLives(rng, r, d, func(a answer) {
		r.far.mu.Lock()
		defer r.far.mu.Unlock()
		way = a
	})
	goesOn := map[string]bool{}
	for _, id := range open {
		goesOn[id] = true
		if !ends[id].After(time.Now()) {
			t.Errorf("%s goes on, and its alert ended at %s", id, ends[id])
		}
	}
	for id := range seqs {
		if !goesOn[id] && ends[id].After(time.Now()) {
			t.Errorf("%s is over, and its alert lasts until %s", id, ends[id])
		}
	}
	if s := r.stats(); s.Queued != 0 || s.Owed != 0 || s.Missed != 0 || len(r.box.lanes[0].held) != len(open) {
		t.Errorf("what is left: %+v, %d held of %d", s, len(r.box.lanes[0].held), len(open))
	}
}
