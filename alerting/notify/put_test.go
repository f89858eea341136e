package notify

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wrackline/wrackline/alerting"
)

func TestAMessageIsOnDiskBeforeItsFirstSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r *rig
		found := false
		r = newRig(t, Options{}, func(_ int, h hit) answer {
			// What another process would see now: a copy of the file as it is.
			b, err := os.ReadFile(r.path)
			if err != nil {
				t.Error(err)
				return answer{}
			}
			copied := filepath.Join(t.TempDir(), "copy.db")
			if err := os.WriteFile(copied, b, 0o600); err != nil {
				t.Error(err)
			}
			db, err := openDB(copied)
			if err != nil {
				t.Error(err)
				return answer{}
			}
			defer db.Close()
			box, err := Open(Options{DB: db, Receivers: oneWebhook, Transport: &farEnd{}})
			if err != nil {
				t.Error(err)
				return answer{}
			}
			found = len(box.lanes[0].queue) == 1 && box.lanes[0].queue[0].Message.ID == h.id()
			return answer{}
		})
		r.run()
		r.put(note("i1", alerting.First, 0))
		synctest.Wait()
		if len(r.far.got()) != 1 || !found {
			t.Errorf("%d sends, on disk before: %v", len(r.far.got()), found)
		}
		if s := r.stats(); s.Sent != 1 || s.Queued != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestAReplayedIdAddsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{}, nil)
		n := note("i1", alerting.First, 0)
		r.put(n, n) // before it was sent
		r.run()
		synctest.Wait()
		r.put(n) // after
		synctest.Wait()
		r.close()
		r.open()
		r.run()
		r.put(n) // after a restart
		time.Sleep(time.Hour)
		if got := r.far.got(); len(got) != 1 {
			t.Errorf("sent %v", ids(got))
		}
		// Ids are forgotten once no journal can bring them back, not earlier.
		time.Sleep(knownFor - 2*time.Hour)
		r.put(n)
		synctest.Wait()
		if got := r.far.got(); len(got) != 1 {
			t.Errorf("sent again within %v", knownFor)
		}
		time.Sleep(24 * time.Hour)
		r.put(note("i2", alerting.First, 0)) // a clock that is ahead makes nothing forgotten by itself
		time.Sleep(7 * time.Hour)
		r.put(n)
		time.Sleep(time.Second)
		if got := r.far.got(); len(got) != 3 {
			t.Errorf("the id was never forgotten: the table would grow for ever")
		}
	})
}

func TestSendResolvedFalseKeepsTheClosingWordBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		no := false
		r := newRig(t, Options{Receivers: []Receiver{{Name: "a", Webhook: []WebhookConfig{{URL: "https://a.example/", SendResolved: &no}, {URL: "https://b.example/"}}}}}, nil)
		r.run()
		r.put(note("i1", alerting.First, 0))
		time.Sleep(time.Second)
		r.put(note("i1", alerting.Resolved, 1))
		time.Sleep(time.Second)
		count := map[string]int{}
		for _, h := range r.far.got() {
			count[h.url]++
		}
		if count["https://a.example/"] != 1 || count["https://b.example/"] != 2 {
			t.Errorf("sent %v", count)
		}
	})
}

func TestWhatTheDiskRefusesIsHeldAndStoredLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{}, nil)
		closed, err := openDB(filepath.Join(t.TempDir(), "closed.db"))
		if err != nil {
			t.Fatal(err)
		}
		closed.Close()
		r.box.opts.DB = closed
		a, b := note("i1", alerting.First, 0), note("i2", alerting.First, 0)
		if err := r.box.Put(a); err == nil {
			t.Error("Put to a closed file succeeded")
		}
		r.box.Accept(a)
		r.box.Accept(b)
		if n, lost := r.box.Held(); n != 2 || lost != 0 {
			t.Errorf("held %d, lost %d", n, lost)
		}
		for i := range pendingMax {
			r.box.Accept(note(fmt.Sprint("more", i), alerting.First, 0))
		}
		if n, lost := r.box.Held(); n != pendingMax || lost != 2 {
			t.Errorf("held %d, lost %d: memory must be bounded and what is lost be counted", n, lost)
		}
		r.box.pending = r.box.pending[:2]
		r.box.opts.DB = r.db
		r.run()
		time.Sleep(2 * storeAgain)
		if n, _ := r.box.Held(); n != 0 || len(r.far.got()) != 2 {
			t.Errorf("held %d, sent %v", n, ids(r.far.got()))
		}
	})
}
