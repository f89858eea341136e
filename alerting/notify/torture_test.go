package notify

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wrackline/wrackline/alerting"
)

// badAnswers are what receivers, and whatever stands before them, do instead of taking a message.
var badAnswers = []answer{
	{err: noRoute}, {err: fmt.Errorf("dial: %w", ErrBlocked)}, {err: errors.New("connection reset by peer")}, {err: errors.New("unexpected EOF"), after: 3 * time.Second}, {after: 20 * time.Second}, {code: 302, header: map[string]string{"Location": "https://login.example/"}},
	{code: 400}, {code: 401}, {code: 403}, {code: 404, body: "<html>not here</html>"}, {code: 405}, {code: 407}, {code: 408}, {code: 409}, {code: 410}, {code: 413}, {code: 422},
	{code: 429}, {code: 429, header: map[string]string{"Retry-After": "20"}}, {code: 429, header: map[string]string{"Retry-After": "31536000"}}, {code: 451}, {code: 500}, {code: 500, body: strings.Repeat("x", 9000)}, {code: 502}, {code: 503},
	{code: 503, header: map[string]string{"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}}, {code: 503, header: map[string]string{"Retry-After": "soon"}}, {code: 504}, {code: 799},
}

// heardOf is what a far end knows of an incident.
type heardOf struct {
	yes, maybe bool // a word that it goes on was taken; or may have been: nobody said no
	over       bool // the newest word that was taken is the closing one
}

// tortured is a receiver that misbehaves in one way after the other, and what came of it.
type tortured struct {
	t     *testing.T
	rng   *rand.Rand
	knows map[string]*heardOf
	taken map[string]bool // ids that were answered with yes
	way   answer
}

// answer answers as the way says, and holds what was sent against what was taken before.
func (x *tortured) answer(_ int, h hit) answer {
	id, of := h.id(), incidentOf(h)
	if x.taken[id] {
		x.t.Errorf("%s, of %s, is sent again though it was taken", id, of)
	}
	k := x.knows[of]
	if k == nil {
		k = &heardOf{}
		x.knows[of] = k
	}
	closing := strings.Contains(string(h.body), `"status":"resolved"`)
	if closing && of != "missed" && !k.yes && !k.maybe { // the summary of an outage closes nothing
		x.t.Errorf("a closing word of %s, of which nothing had been said", of)
	}
	if !closing && k.over {
		x.t.Errorf("%s goes on, after its closing word", of)
	}
	switch a := x.way; {
	case a.code == 0 && a.err == nil && a.after == 0:
		x.taken[id] = true
		k.yes, k.over = k.yes || !closing, closing
	case a.err != nil && a.err != noRoute && !errors.Is(a.err, ErrBlocked), a.after > 0:
		k.maybe = true
	}
	return x.way
}

// TestTortureReceivers lets a receiver misbehave at random for some days, with restarts, while incidents come, change and go: once it is well it knows of each that goes on, of each that it has heard of that it is over, and
// of no other; nothing that it took is said twice, and nothing that is over goes on. WRACKLINE_TORTURE says how often, WRACKLINE_SEED repeats a run.
func TestTortureReceivers(t *testing.T) {
	n, seed := 4, uint64(time.Now().UnixNano())
	for name, to := range map[string]func(v uint64){"WRACKLINE_TORTURE": func(v uint64) { n = int(v) }, "WRACKLINE_SEED": func(v uint64) { seed = v }} {
		if v, err := strconv.ParseUint(os.Getenv(name), 10, 63); err == nil {
			to(v)
		}
	}
	t.Logf("%d times, WRACKLINE_SEED=%d", n, seed)
	incidents, said := 0, 0
	for i := range n {
		synctest.Test(t, func(t *testing.T) {
			a, b := tortureReceiver(t, rand.New(rand.NewPCG(seed, uint64(i))))
			incidents, said = incidents+a, said+b
		})
		if t.Failed() {
			t.Fatalf("in run %d of seed %d", i, seed)
		}
	}
	t.Logf("%d incidents, %d messages taken", incidents, said)
}

func tortureReceiver(t *testing.T, rng *rand.Rand) (incidents, said int) {
	d := &desk{}
	x := &tortured{t: t, rng: rng, knows: map[string]*heardOf{}, taken: map[string]bool{}}
	r := newRig(t, Options{Current: d.current, Rand: rng.Float64}, x.answer)
	defer r.close()
	r.run()
	seqs, open := tortureLives(rng, r, d, func(a answer) {
		r.far.mu.Lock()
		defer r.far.mu.Unlock()
		x.way = a
	})
	goesOn := map[string]bool{}
	for _, id := range open {
		goesOn[id] = true
		if k := x.knows[id]; k == nil || !k.yes || k.over {
			t.Errorf("%s goes on, and the receiver knows %+v", id, k)
		}
	}
	for id := range seqs {
		if k := x.knows[id]; !goesOn[id] && k != nil && k.yes && !k.over {
			t.Errorf("%s is over, and the receiver does not know", id)
		}
	}
	if s := r.stats(); s.Queued != 0 || s.Owed != 0 || s.Missed != 0 {
		t.Errorf("what is left: %+v", s)
	}
	return len(seqs), len(x.taken)
}

// tortureLives lets incidents come, change and go for some days, with restarts, while the receiver misbehaves as way is told; it is well for the last day. It returns all incidents, and those that are open.
func tortureLives(rng *rand.Rand, r *rig, d *desk, way func(answer)) (seqs map[string]uint32, open []string) {
	seqs = map[string]uint32{}
	for end := time.Now().Add(time.Duration(6+rng.IntN(42)) * time.Hour); time.Now().Before(end); time.Sleep(time.Duration(rng.IntN(1200)) * time.Second) {
		if rng.IntN(4) == 0 {
			if way(answer{}); rng.IntN(3) > 0 {
				way(badAnswers[rng.IntN(len(badAnswers))])
			}
		}
		if rng.IntN(20) == 0 {
			r.close()
			r.open()
			r.run()
		}
		switch k := rng.IntN(3); {
		case k == 0 || len(open) == 0:
			id := fmt.Sprintf("x%03d", len(seqs))
			seqs[id], open = 0, append(open, id)
			r.put(d.set(note(id, alerting.First, 0)))
		default:
			i := rng.IntN(len(open))
			id, reason := open[i], alerting.Changed
			if k == 2 {
				reason, open = alerting.Resolved, append(open[:i:i], open[i+1:]...)
			}
			seqs[id]++
			r.put(d.set(note(id, reason, seqs[id])))
		}
	}
	way(answer{})
	time.Sleep(26 * time.Hour) // who said that nobody is there is asked once a day
	return seqs, open
}
