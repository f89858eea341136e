package baseline_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/room"
	"github.com/wrackline/wrackline/baseline/scenario"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
)

// pushers push to one cluster.
type pushers struct {
	t    *testing.T
	opts baseline.Options
	e    *baseline.Engine
	twin *baseline.Engine // was restored in between
	at   int64
}

func newPushers(t *testing.T, limit int) *pushers {
	c := &pushers{t: t, opts: baseline.Options{Stream: signal.StreamOptions{Packs: packs(t), MaxSeries: limit}}, at: scenario.Epoch}
	c.e = c.engine()
	return c
}

func (c *pushers) engine() *baseline.Engine {
	e, err := baseline.New(c.opts)
	if err != nil {
		c.t.Fatal(err)
	}
	return e
}

// send makes a sender push series of a metric, in requests of 200.
func (c *pushers) send(sender, replica, metric, name string, from, n int) (sum series.Result) {
	for ; n > 0; from, n = from+200, n-200 {
		b := requestOf(sender, "eu", metric, from, min(n, 200), c.at)
		l := b.Labels.(keptLabels)
		for i := range l {
			l[i][2].Value = name + l[i][2].Value
			if replica != "" {
				l[i] = append(l[i], series.Label{Name: "prometheus_replica", Value: replica})
			}
			b.Entries[i].Key = series.Hash64([]byte(l[i].String()))
		}
		b.ReceivedMs += int64(from % 1000)
		res := c.e.Apply(b, 0)
		if c.twin != nil {
			if other := c.twin.Apply(b, 0); other.Samples != res.Samples || other.Rejected != res.Rejected {
				c.t.Fatalf("after a restart the answer is %+v, without it %+v", other, res)
			}
		}
		sum.Samples, sum.Rejected = sum.Samples+res.Samples, sum.Rejected+res.Rejected
		if res.Reason != "" {
			sum.Reason = res.Reason
		}
	}
	return sum
}

// restart begins the life of an engine beside that reads what the first has kept right behind an exchange.
func (c *pushers) restart() {
	c.at = (c.at/10_000 + 1) * 10_000
	c.e.Apply(&series.Batch{Sender: "nobody", Cluster: "eu", ReceivedMs: c.at}, 0) // an exchange
	sections := map[string][]byte{}
	for name, write := range c.e.Sections {
		sections[name] = write(nil)
	}
	c.twin = c.engine()
	models := map[string][]byte{}
	for id, data := range c.e.Models {
		models[id] = bytes.Clone(data)
	}
	if err := c.twin.Restore(0, sections, func(yield func(string, []byte) bool) {
		for id, data := range models {
			if !yield(id, data) {
				return
			}
		}
	}); err != nil {
		c.t.Fatal(err)
	}
}

func (c *pushers) tracked() map[string]signal.SenderStats {
	c.e.Publish()
	out := map[string]signal.SenderStats{}
	for _, x := range c.e.Stats().Senders {
		out[x.Name] = x
	}
	return out
}

// In one cluster a sender that has less than its share of the limit always finds room, whatever another one does: who has more gives up series, is named, and counted.
func TestASenderFindsItsShare(t *testing.T) {
	t.Parallel()
	const limit, honest = 400, 180
	for _, metric := range []string{"kube_node_info", "of_no_use"} {
		limit, honest := limit, honest
		if metric == "of_no_use" {
			limit, honest = limit/room.UnneededShare, 120 // of series that nobody needs it is not known which two senders both send
		}
		for _, flood := range []string{"burst", "slow", "churn", "pair"} {
			for _, first := range []bool{true, false} {
				for _, pair := range []bool{false, true} {
					t.Run(fmt.Sprint(metric, " ", flood, " first=", first, " pair=", pair), func(t *testing.T) {
						t.Parallel()
						c := newPushers(t, limit)
						last := series.Result{}
						good := func() { last = c.send("good-a", "", metric, "good", 0, honest) }
						if pair {
							honest := honest / 2
							good = func() {
								last = c.send("good-a", "a", metric, "good", 0, honest)
								last.Rejected += c.send("good-b", "b", metric, "good", 0, honest).Rejected
							}
						}
						reason := ""
						bad := func(round int) {
							var res series.Result
							switch flood {
							case "burst":
								res = c.send("bad", "", metric, "bad", 0, 4_000)
							case "slow":
								res = c.send("bad", "", metric, "bad", 0, 20*round)
							case "churn": // pods of other names each minute
								res = c.send("bad", "", metric, fmt.Sprint("bad", round/4), 0, 100)
							case "pair":
								c.send("bad-1", "1", metric, "bad", 0, 1_000)
								res = c.send("bad-2", "2", metric, "bad", 0, 1_000)
							}
							if res.Rejected > 0 {
								reason = res.Reason
							}
						}
						for round := range 100 {
							if c.at += 15_000; first || round >= 40 {
								good()
							}
							if !first || round >= 40 {
								bad(round)
							}
							if round == 60 {
								c.restart()
							}
						}
						good()
						c.twin.Publish()
						st := c.tracked()
						if n := last.Rejected; n > 0 {
							t.Errorf("%d of the honest sender's samples are refused: %s", n, last.Reason)
						}
						if metric != "of_no_use" {
							want := honest
							if pair {
								want /= 2
							}
							if n := st["good-a"].Tracked + st["good-b"].Tracked; n != want {
								t.Errorf("%d series of the honest sender are held, want %d: %+v", n, want, st)
							}
							if st := c.e.Stats(); st.Tracked > limit+limit/8 || st.Tracked < limit*3/4 {
								t.Errorf("%d series are held of %d", st.Tracked, limit)
							}
							if gave := st["bad"].Yielded + st["bad-1"].Yielded + st["bad-2"].Yielded; !first && !pair && gave == 0 || c.e.Stats().Yielded != gave {
								t.Errorf("who floods gave up %d, in all %d", gave, c.e.Stats().Yielded)
							}
						}
						if st["good-a"].Yielded+st["good-b"].Yielded > 0 {
							t.Errorf("the honest sender gave up %d", st["good-a"].Yielded)
						}
						if reason == "" || !strings.Contains(reason, "sender bad") || strings.Contains(reason, "good") {
							t.Errorf("the flood is refused with %q", reason)
						}
						for name, write := range c.e.Sections {
							for other, again := range c.twin.Sections {
								if name == other && !bytes.Equal(write(nil), again(nil)) {
									t.Errorf("section %s is another after a restart", name)
								}
							}
						}
					})
				}
			}
		}
	}
}

// The quiet twins: whoever is alone may have everything, and who keeps to the limit together loses nothing, however unequal they are.
func TestSendersWithinTheLimitLoseNothing(t *testing.T) {
	t.Parallel()
	type part struct {
		sender, replica, name string
		n                     int
	}
	for name, parts := range map[string][]part{
		"alone":             {{"big", "", "big", 1000}},
		"unequal":           {{"small", "", "small", 50}, {"big", "", "big", 950}},
		"the big one first": {{"big", "", "big", 950}, {"small", "", "small", 50}},
		"three":             {{"a", "", "a", 700}, {"b", "", "b", 200}, {"c", "", "c", 100}},
		"a pair beside one": {{"a", "a", "pair", 600}, {"b", "b", "pair", 600}, {"c", "", "c", 400}},
		"one beside a pair": {{"c", "", "c", 600}, {"a", "a", "pair", 400}, {"b", "b", "pair", 400}},
		"the same from two": {{"a", "", "same", 1000}, {"b", "", "same", 1000}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newPushers(t, 1000)
			for round := range 300 { // more than an hour
				c.at += 15_000
				for i, p := range parts {
					if round < 20*i {
						continue
					}
					if res := c.send(p.sender, p.replica, "kube_node_info", p.name, 0, p.n); res.Rejected > 0 {
						t.Fatalf("round %d: of %s %d are refused: %s", round, p.sender, res.Rejected, res.Reason)
					}
				}
			}
			if st := c.e.Stats(); st.Yielded > 0 {
				t.Errorf("%d series were given up", st.Yielded)
			}
		})
	}
}

// A sender that comes back under another name, as a Prometheus without a token does at another address, takes its series along: nothing of it is given up for itself.
func TestARenamedSenderTakesItsSeriesAlong(t *testing.T) {
	c := newPushers(t, 1000)
	for round := range 200 {
		c.at += 15_000
		name, more := "10.0.0.1", 0
		if round >= 60 {
			if name = "10.0.0.2"; round < 82 {
				continue // it is away for five minutes
			}
			more = 100
		}
		if res := c.send(name, "", "kube_node_info", "n", 0, 900+more); res.Rejected > 0 {
			t.Fatalf("round %d: %+v", round, res)
		}
	}
	if st := c.tracked(); st["10.0.0.1"].Tracked != 0 || st["10.0.0.2"].Tracked != 1000 || c.e.Stats().Yielded != 0 {
		t.Errorf("held: %+v", st)
	}
}

// Hundreds of names that somebody makes up take nothing from a sender that was there.
func TestMadeUpNamesTakeNothing(t *testing.T) {
	c := newPushers(t, 1000)
	for round := range 900 {
		c.at += 15_000
		if res := c.send("good", "", "kube_node_info", "good", 0, 300+min(150, round/5)); res.Rejected > 0 {
			t.Fatalf("round %d: %+v", round, res)
		}
		if round > 300 {
			name := fmt.Sprint("made-up-", round)
			c.send(name, "", "kube_node_info", name, 0, 20)
		}
	}
	if st := c.tracked(); st["good"].Tracked != 450 || st["good"].Yielded != 0 {
		t.Errorf("of the sender that was there %+v", st["good"])
	}
}
