package notify

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wrackline/wrackline/alerting"
)

func TestRetriesBackOffAndKeepTheirId(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{}, func(n int, _ hit) answer {
			if n < 11 {
				return answer{code: 503}
			}
			return answer{code: 204}
		})
		r.run()
		r.put(note("i1", alerting.First, 0))
		time.Sleep(3 * time.Hour)
		hits := r.far.got()
		want := []time.Duration{2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300} // seconds
		if len(hits) != len(want)+1 {
			t.Fatalf("%d attempts, want %d", len(hits), len(want)+1)
		}
		for i, w := range want {
			if gap := hits[i+1].at.Sub(hits[i].at); gap != w*time.Second {
				t.Errorf("attempt %d came %v after the one before, want %v", i+1, gap, w*time.Second)
			}
			if late := hits[i+1].at.Sub(hits[0].at) > lateAfter; hits[i+1].id() != hits[0].id() || !late && !bytes.Equal(hits[i+1].body, hits[0].body) {
				t.Errorf("attempt %d is another message", i+1)
			}
		}
		if s := r.stats(); s.Sent != 1 || s.Failed != 11 || s.Queued != 0 || s.Dead != 0 || !strings.HasPrefix(s.LastError, "503") {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestTheJitterStaysWithinAQuarter(t *testing.T) {
	for _, x := range []float64{0, 0.25, math.Nextafter(1, 0)} {
		b := &Outbox{opts: Options{Rand: func() float64 { return x }}}
		for n := 1; n < 100; n++ {
			base := min(retryFirst*time.Duration(math.Pow(2, float64(min(n, 30)-1))), retryMost)
			if d := b.backoff(n); d < base*3/4 || d > base*5/4 {
				t.Errorf("backoff(%d) with %v = %v, base %v", n, x, d, base)
			}
		}
	}
}

func TestOnlyTheNewestMessageOfAnIncidentWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{}, always(answer{code: 503}))
		r.run()
		newest := note("i1", alerting.Changed, 2)
		r.put(note("i1", alerting.First, 0))
		time.Sleep(time.Minute)
		r.put(note("i2", alerting.First, 0), note("i1", alerting.Changed, 1))
		time.Sleep(time.Hour)
		r.put(newest)
		time.Sleep(time.Hour)
		if s := r.stats(); s.Queued != 2 || s.Coalesced != 2 {
			t.Errorf("while it is down: %+v", s)
		}
		r.far.say(nil)
		before := len(r.far.got())
		time.Sleep(time.Hour)
		got := ids(r.far.got()[before:])
		slices.Sort(got)
		want := []string{newest.ID, alerting.NotificationID("i2", alerting.First, 0)}
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("sent %v, want %v", got, want)
		}
	})
}

// While a message is under way a newer one may come. When the first fails, only the newer is left to say; never the
// first after it.
func TestANewerMessageIsNeverFollowedByAnOlderOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{}, func(n int, _ hit) answer {
			if n == 0 {
				return answer{code: 500, after: 5 * time.Second}
			}
			return answer{}
		})
		r.run()
		r.put(note("i1", alerting.First, 0))
		time.Sleep(time.Second)
		r.put(note("i1", alerting.Changed, 1))
		time.Sleep(time.Hour)
		want := []string{alerting.NotificationID("i1", alerting.First, 0), alerting.NotificationID("i1", alerting.Changed, 1)}
		if got := ids(r.far.got()); !slices.Equal(got, want) {
			t.Errorf("sent %v, want %v", got, want)
		}
	})
}

func TestSlackGetsAtMostOneMessageASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{Receivers: oneSlack}, nil)
		r.run()
		for i := range 20 {
			r.put(note(fmt.Sprint("i", i), alerting.First, 0))
		}
		time.Sleep(time.Minute)
		hits := r.far.got()
		if len(hits) != 20 {
			t.Fatalf("%d messages", len(hits))
		}
		for i := 1; i < len(hits); i++ {
			if gap := hits[i].at.Sub(hits[i-1].at); gap < time.Second || gap > 1100*time.Millisecond {
				t.Errorf("message %d came %v after the one before", i, gap)
			}
		}
	})
}

func TestAMessageThatAReceiverCannotDigestDoesNotHoldUpTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := note("bad", alerting.First, 0)
		r := newRig(t, Options{}, func(_ int, h hit) answer {
			if h.id() == bad.ID {
				return answer{code: 500}
			}
			return answer{}
		})
		r.run()
		r.put(bad)
		for i := range 10 {
			time.Sleep(20 * time.Minute)
			r.put(note(fmt.Sprint("i", i), alerting.First, 0))
		}
		time.Sleep(10 * time.Minute)
		if s := r.stats(); s.Sent != 10 || s.Queued != 1 {
			t.Errorf("stats %+v", s)
		}
	})
}

// Three days of silence on the other side: one message for each incident waits, and what is too old is listed on time.
func TestAReceiverThatIsDownForDays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{}, always(answer{err: noRoute}))
		r.run()
		start := time.Now()
		r.put(note("old", alerting.First, 0))
		for day := range 3 {
			for i := range 20 {
				time.Sleep(72 * time.Minute)
				n := note(fmt.Sprint("d", day, "-", i), alerting.First, 0)
				r.put(n, note(n.IncidentID, alerting.Changed, 1), note(n.IncidentID, alerting.Changed, 2))
			}
		}
		if waited := time.Since(start); waited != 72*time.Hour {
			t.Fatalf("%v passed", waited)
		}
		synctest.Wait()
		if s := r.stats(); s.Queued != 61 || s.Owed != 1 || s.Coalesced < 2*60 || s.Dead != 1 {
			t.Errorf("after three days: %+v", s)
		}
		if d := r.dead(); len(d) != 1 || d[0].Incident != "old" || time.UnixMilli(d[0].At).Sub(start) != 72*time.Hour || !strings.Contains(d[0].Why, "no route to host") {
			t.Errorf("dead letters %+v", d)
		}
		r.far.say(nil)
		before := len(r.far.got())
		time.Sleep(10 * time.Minute)
		if n := len(r.far.got()) - before; n != 61 || r.stats().Queued != 0 || r.stats().Owed != 0 { // the first of them goes on, too
			t.Errorf("%d messages when it came back, stats %+v", n, r.stats())
		}
	})
}

func TestAFullQueueGivesTheOldestUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{QueueMax: 3}, always(answer{code: 503}))
		r.run()
		for i := range 5 {
			r.put(note(fmt.Sprint("i", i), alerting.First, 0))
			time.Sleep(time.Second)
		}
		if s := r.stats(); s.Queued != 3 || s.Dead != 2 {
			t.Errorf("stats %+v", s)
		}
		var gone []string
		for _, d := range r.dead() {
			gone = append(gone, d.Incident)
		}
		if !slices.Equal(gone, []string{"i1", "i0"}) {
			t.Errorf("given up %v", gone)
		}
	})
}

func TestAShutdownLetsASendFinishButNotForEver(t *testing.T) {
	for _, c := range []struct {
		takes time.Duration
		sent  int64
		least time.Duration
	}{{3 * time.Second, 1, 2 * time.Second}, {12 * time.Second, 0, graceFinish}} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, Options{}, always(answer{after: c.takes}))
			r.run()
			r.put(note("i1", alerting.First, 0))
			time.Sleep(time.Second)
			began := time.Now()
			r.stop()
			r.stop = nil
			if took := time.Since(began); took != c.least {
				t.Errorf("the stop took %v, want %v", took, c.least)
			}
			if s := r.stats(); s.Sent != c.sent || s.Queued != int(1-c.sent) {
				t.Errorf("stats %+v", s)
			}
			r.close()
			r.open()
			if s := r.stats(); s.Queued != int(1-c.sent) {
				t.Errorf("on disk: %+v", s)
			}
		})
	}
}
