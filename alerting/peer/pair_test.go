package peer

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/alerting/notify"
	"github.com/wrackline/wrackline/alerting/route"
	"github.com/wrackline/wrackline/baseline/pack"
)

// pairCase is what may become of a pair, and who says what of the incident: see says. Of several that are right | stands between.
type pairCase struct {
	name string
	do   func(w *world, a, b *server)
	want string
}

var (
	cart        = story{name: "cart", onset: 10}
	other       = story{name: "cart", onset: 13, id: "learned-less"}
	first, over = alerting.First, alerting.Resolved
)

// deaths are servers that die and come back.
var deaths = []pairCase{
	{"both are well", func(w *world, a, b *server) {
		w.both(cart.note(first, 0, 12))
		time.Sleep(20 * time.Minute)
		w.both(cart.note(over, 1, 32))
	}, "A A!"},
	{"the first is away, and comes back with all that it missed", func(w *world, a, b *server) {
		a.kill()
		time.Sleep(5 * time.Minute)
		w.both(cart.note(first, 0, 12))
		time.Sleep(20 * time.Minute)
		a.start()
		time.Sleep(5 * time.Minute)
		w.both(cart.note(over, 1, 42))
	}, "B? A!"},
	{"the first is away for good", func(w *world, a, b *server) {
		a.kill()
		time.Sleep(5 * time.Minute)
		w.both(cart.note(first, 0, 12))
		time.Sleep(20 * time.Minute)
		w.both(cart.note(over, 1, 42))
	}, "B? B!?"},
	{"the first dies right behind its word", func(w *world, a, b *server) {
		w.both(cart.note(first, 0, 12))
		time.Sleep(time.Second)
		a.kill()
		time.Sleep(20 * time.Minute)
		w.both(cart.note(over, 1, 32))
	}, "A B!?"},
	{"both die right behind the word", func(w *world, a, b *server) {
		w.both(cart.note(first, 0, 12))
		time.Sleep(time.Second)
		a.kill()
		b.kill()
		b.start()
		time.Sleep(10 * time.Minute)
		a.start()
		time.Sleep(10 * time.Minute)
		w.both(cart.note(over, 1, 32))
	}, "A A!"},
	{"the second restarts", func(w *world, a, b *server) {
		w.both(cart.note(first, 0, 12))
		time.Sleep(30 * time.Second)
		b.kill()
		b.start()
		time.Sleep(10 * time.Minute)
		w.both(cart.note(over, 1, 32))
	}, "A A!"},
}

// wires are connections between the two, and to the receiver.
var wires = []pairCase{
	{"the connection is lost for half a minute", func(w *world, a, b *server) {
		w.set(func() { w.cut = true })
		w.both(cart.note(first, 0, 12))
		time.Sleep(30 * time.Second)
		w.set(func() { w.cut = false })
		time.Sleep(10 * time.Minute)
		w.both(cart.note(over, 1, 32))
	}, "A A!"},
	{"the connection is lost when the second asks", func(w *world, a, b *server) {
		w.set(func() { w.cut = true })
		time.Sleep(2 * time.Minute)
		w.both(cart.note(first, 0, 12))
		time.Sleep(55 * time.Second)
		w.set(func() { w.cut = false })
		time.Sleep(10 * time.Minute)
		w.both(cart.note(over, 1, 32))
	}, "A A!"},
	{"the connection is lost for ten minutes: both say it, and the second says so", func(w *world, a, b *server) {
		w.set(func() { w.cut = true })
		w.both(cart.note(first, 0, 12))
		time.Sleep(10 * time.Minute)
		w.set(func() { w.cut = false })
		time.Sleep(10 * time.Minute)
		w.both(cart.note(over, 1, 32))
	}, "A B? A!"},
	{"only the way from the second to the first is cut: it hears what the first says", func(w *world, a, b *server) {
		w.set(func() { w.oneWay = 1 })
		time.Sleep(5 * time.Minute)
		w.both(cart.note(first, 0, 12))
		time.Sleep(20 * time.Minute)
		w.both(cart.note(over, 1, 32))
	}, "A A!"},
	{"only the way from the first to the second is cut: it is asked", func(w *world, a, b *server) {
		w.set(func() { w.oneWay = 0 })
		time.Sleep(5 * time.Minute)
		w.both(cart.note(first, 0, 12))
		time.Sleep(20 * time.Minute)
		w.both(cart.note(over, 1, 32))
	}, "A A!"},
	{"the other one is slow", func(w *world, a, b *server) {
		w.set(func() { w.delay = 3 * time.Second })
		time.Sleep(5 * time.Minute)
		w.both(cart.note(first, 0, 12))
		time.Sleep(20 * time.Minute)
		w.both(cart.note(over, 1, 32))
	}, "A A!"},
	{"the other one is slower than anybody waits: what it is told it hears all the same", func(w *world, a, b *server) {
		w.set(func() { w.delay = 20 * time.Second })
		time.Sleep(5 * time.Minute)
		w.both(cart.note(first, 0, 12))
		time.Sleep(20 * time.Minute)
		w.both(cart.note(over, 1, 32))
	}, "A A!"},
	{"the first does not reach the receiver", func(w *world, a, b *server) {
		w.set(func() { w.down[0] = true })
		w.both(cart.note(first, 0, 12))
		time.Sleep(10 * time.Minute)
		w.set(func() { w.down[0] = false })
		time.Sleep(10 * time.Minute)
		w.both(cart.note(over, 1, 32))
	}, "B A!"},
	{"nobody reaches the receiver for a while", func(w *world, a, b *server) {
		w.set(func() { w.down = [2]bool{true, true} })
		w.both(cart.note(first, 0, 12))
		time.Sleep(30 * time.Minute)
		w.set(func() { w.down = [2]bool{} })
		time.Sleep(30 * time.Minute)
		w.both(cart.note(over, 1, 72))
	}, "A A!|B A!"},
	{"nobody knows who is first, and both are cut off: the message waits a minute, and comes", func(w *world, a, b *server) {
		a.kill()
		b.kill()
		w.set(func() { w.cut = true })
		a.start()
		b.start()
		w.both(cart.note(first, 0, 12))
		time.Sleep(10 * time.Minute)
		w.set(func() { w.cut = false })
		time.Sleep(10 * time.Minute)
		w.both(cart.note(over, 1, 32))
	}, "A? B? A!|B? A? A!"},
}

// folds are servers that judge differently, or at another time.
var folds = []pairCase{
	{"the second has learned less: another id and onset", func(w *world, a, b *server) {
		a.fold(cart.note(first, 0, 12))
		b.fold(other.note(first, 0, 14))
		time.Sleep(20 * time.Minute)
		a.fold(cart.note(over, 1, 32))
		b.fold(other.note(over, 1, 33))
	}, "A A!"},
	{"the second lags by twenty minutes", func(w *world, a, b *server) {
		a.fold(cart.note(first, 0, 12))
		time.Sleep(20 * time.Minute)
		b.fold(cart.note(first, 0, 12))
		a.fold(cart.note(over, 1, 32))
		time.Sleep(20 * time.Minute)
		b.fold(cart.note(over, 1, 32))
	}, "A A!"},
	{"the first lags", func(w *world, a, b *server) {
		b.fold(cart.note(first, 0, 12))
		time.Sleep(5 * time.Minute)
		a.fold(cart.note(first, 0, 12))
		time.Sleep(20 * time.Minute)
		w.both(cart.note(over, 1, 32))
	}, "B A!"},
	{"the first sees nothing of it", func(w *world, a, b *server) {
		b.fold(cart.note(first, 0, 12))
		time.Sleep(20 * time.Minute)
		b.fold(cart.note(over, 1, 32))
	}, "B B!"},
	{"it is over for the second, and the first still judges it", func(w *world, a, b *server) {
		w.both(cart.note(first, 0, 12))
		time.Sleep(10 * time.Minute)
		a.fold(cart.note(alerting.Changed, 1, 22))
		b.fold(cart.note(over, 1, 22))
		time.Sleep(10 * time.Minute)
		a.fold(cart.note(over, 2, 32))
	}, "A A A!"},
	{"the first told it and is fed no more: the second closes it", func(w *world, a, b *server) {
		w.both(cart.note(first, 0, 12))
		time.Sleep(30 * time.Minute)
		b.fold(cart.note(over, 1, 42))
	}, "A B!"},
}

// comebacks are incidents that come again, or get worse.
var comebacks = []pairCase{
	{"the same again an hour later is told again", func(w *world, a, b *server) {
		w.both(cart.note(first, 0, 12))
		time.Sleep(10 * time.Minute)
		w.both(cart.note(over, 1, 22))
		time.Sleep(50 * time.Minute)
		again := story{name: "cart", onset: 71}
		w.both(again.note(first, 0, 72))
		time.Sleep(10 * time.Minute)
		w.both(again.note(over, 1, 82))
	}, "A A! A A!"},
	{"the same again, and the first is dead, with its old incident never closed", func(w *world, a, b *server) {
		w.both(cart.note(first, 0, 12))
		time.Sleep(10 * time.Minute)
		a.kill()
		b.fold(cart.note(over, 1, 22))
		time.Sleep(50 * time.Minute)
		again := story{name: "cart", onset: 71}
		b.fold(again.note(first, 0, 72))
		time.Sleep(10 * time.Minute)
		b.fold(again.note(over, 1, 82))
	}, "A B!? B? B!?"},
	{"what the first never closed is no excuse for what begins days later", func(w *world, a, b *server) {
		a.fold(cart.note(first, 0, 12)) // the second was away, and has no past
		time.Sleep(10 * time.Minute)
		a.kill()
		time.Sleep(72 * time.Hour)
		again := story{name: "cart", onset: 4400}
		b.fold(again.note(first, 0, 4401))
		time.Sleep(10 * time.Minute)
		b.fold(again.note(over, 1, 4411))
	}, "A B? B!?"},
	{"it gets worse: that is told, once", func(w *world, a, b *server) {
		mild := cart
		mild.severity = pack.Warn
		w.both(mild.note(first, 0, 12))
		time.Sleep(10 * time.Minute)
		w.both(cart.note(alerting.Changed, 1, 22))
		time.Sleep(10 * time.Minute)
		w.both(cart.note(over, 2, 32))
	}, "A A A!"},
	{"it gets worse while the first is away", func(w *world, a, b *server) {
		mild := cart
		mild.severity = pack.Warn
		w.both(mild.note(first, 0, 12))
		time.Sleep(10 * time.Minute)
		a.kill()
		w.both(cart.note(alerting.Changed, 1, 22))
		time.Sleep(10 * time.Minute)
		a.start()
		time.Sleep(5 * time.Minute)
		w.both(cart.note(over, 2, 37))
	}, "A B? A!"},
}

// TestOfAPairOneTells: A is the first, B the second.
func TestOfAPairOneTells(t *testing.T) {
	for _, c := range slices.Concat(deaths, wires, folds, comebacks) {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, notify.Options{})
				if !w.servers[0].peer.First() || w.servers[1].peer.First() {
					t.Fatal("who has learned for longer is not the first")
				}
				c.do(w, w.servers[0], w.servers[1])
				time.Sleep(30 * time.Minute)
				got := says(w.of("cart"))
				if !slices.Contains(strings.Split(c.want, "|"), got) {
					t.Errorf("said %q, want %q", got, c.want)
				}
			})
		})
	}
}

// TestOfAPairOneRenews: what an Alertmanager is told again and again the first tells again; when it is away the second does, with the labels of the first's alert, and never of what is over.
func TestOfAPairOneRenews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, notify.Options{Receivers: []notify.Receiver{{Name: "am", Alertmanager: []notify.AlertmanagerConfig{{URL: "http://am.example", PerMinute: 60_000}}}}})
		a, b := w.servers[0], w.servers[1]
		a.fold(story{name: "cart", onset: 10}.note(alerting.First, 0, 12))
		b.fold(story{name: "cart", onset: 13, id: "learned-less"}.note(alerting.First, 0, 14))
		time.Sleep(10*time.Minute + time.Second)
		if n := len(w.of("cart")); n != 11 {
			t.Errorf("in ten minutes it was sent %d times, want 11: %s", n, says(w.of("cart")))
		}
		a.kill()
		time.Sleep(10 * time.Minute)
		b.fold(story{name: "cart", onset: 13, id: "learned-less"}.note(alerting.Resolved, 1, 34))
		time.Sleep(30 * time.Minute)
		labels, over, last := w.of("cart")[0].labels, false, time.Time{}
		for _, x := range w.of("cart") {
			if x.labels != labels {
				t.Fatalf("another alert: %s, it was %s", x.labels, labels)
			}
			if over && !x.closes {
				t.Errorf("it is said to go on at %s, after its end", x.at)
			}
			if gap := x.at.Sub(last); !last.IsZero() && gap > 3*time.Minute {
				t.Errorf("nothing was said for %s: the alert would have ended", gap)
			}
			over, last = x.closes, x.at
		}
		if !over {
			t.Error("its end was not said")
		}
	})
}

// TestOfAPairOneListsAndReminds: the digest, the summary of what was missed and the word that an incident is still open come from one of the two, and from the other when that is away.
func TestOfAPairOneListsAndReminds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, notify.Options{Route: &route.Route{Receiver: "ops", RepeatInterval: "1h"}, Digest: notify.DigestConfig{At: "09:00", Timezone: "UTC"}})
		a := w.servers[0]
		kept := story{name: "kept", onset: 5, severity: pack.Warn}.note(alerting.First, 0, 7)
		kept.Kept = true
		w.both(kept)
		w.set(func() { w.down = [2]bool{true, true} })
		short := story{name: "short", onset: 10}
		w.both(short.note(alerting.First, 0, 12))
		time.Sleep(10 * time.Minute)
		w.both(short.note(alerting.Resolved, 1, 22))
		time.Sleep(10 * time.Minute)
		w.set(func() { w.down = [2]bool{} })
		time.Sleep(10 * time.Minute)
		if got := says(w.of("summary")); len(strings.Fields(got)) != 1 {
			t.Errorf("what was missed was said %q", got)
		}
		cart := story{name: "cart", onset: 30}
		w.both(cart.note(alerting.First, 0, 32))
		time.Sleep(3*time.Hour + 30*time.Minute)
		if got := says(w.of("cart")); got != "A A~ A~ A~" {
			t.Errorf("said %q", got)
		}
		a.kill()
		time.Sleep(2 * time.Hour)
		if got := says(w.of("cart")); got != "A A~ A~ A~ B~? B~?" {
			t.Errorf("said %q", got)
		}
		a.start()
		w.both(cart.note(alerting.Resolved, 1, 400))
		time.Sleep(6 * time.Hour)
		if got := says(w.of("digest")); got != "A!" {
			t.Errorf("the digest was said %q", got)
		}
		if got := says(w.of("short")) + says(w.of("kept")); got != "" {
			t.Errorf("said %q of what had ended, or was kept", got)
		}
	})
}
