package notify

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/wrackline/wrackline/alerting"
)

func TestARestartKeepsTheQueueInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{}, always(answer{code: 500}))
		r.run()
		var want []string
		for i := range 5 {
			n := note(fmt.Sprint("i", i), alerting.First, 0)
			want = append(want, n.ID)
			r.put(n)
		}
		time.Sleep(10 * time.Minute)
		r.close()
		r.far.say(nil)
		before := len(r.far.got())
		r.open()
		if s := r.stats(); s.Queued != 5 || s.Oldest.IsZero() {
			t.Errorf("after the restart: %+v", s)
		}
		r.run()
		time.Sleep(time.Second)
		if got := ids(r.far.got()[before:]); !slices.Equal(got, want) {
			t.Errorf("sent %v, want %v", got, want)
		}
		r.close()
		r.open()
		if s := r.stats(); s.Queued != 0 {
			t.Errorf("delivered messages came back: %+v", s)
		}
	})
}

func TestDamagedAndOrphanedRowsAreGivenUpNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		two := []Receiver{oneWebhook[0], oneSlack[0]}
		r := newRig(t, Options{Receivers: two}, nil)
		r.put(note("i1", alerting.First, 0), note("i2", alerting.First, 0))
		err := r.db.Update(func(tx *bolt.Tx) error {
			q := tx.Bucket(bucketName).Bucket(queueBucket)
			k, v := q.Cursor().Seek([]byte("ops/"))
			bad := slices.Clone(v)
			bad[len(bad)/2] ^= 1
			return q.Put(k, bad)
		})
		if err != nil {
			t.Fatal(err)
		}
		r.close()
		r.opts.Receivers = oneWebhook // the chat is no longer configured
		r.open()
		r.run()
		synctest.Wait()
		if got := ids(r.far.got()); !slices.Equal(got, []string{alerting.NotificationID("i2", alerting.First, 0)}) {
			t.Errorf("sent %v", got)
		}
		why := map[string]int{}
		for _, d := range r.dead() {
			why[d.Why]++
		}
		if why["the record was damaged"] != 1 || why["receiver is no longer configured"] != 2 {
			t.Errorf("dead letters %v", why)
		}
		// A newer version's outbox is not touched.
		r.db.Update(func(tx *bolt.Tx) error { return tx.Bucket(bucketName).Put(formatKey, []byte("2")) })
		if _, err := Open(r.opts); !errors.Is(err, ErrFormat) {
			t.Errorf("Open of a newer format: %v", err)
		}
	})
}

func TestDeadLettersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{}, always(answer{code: 400}))
		r.run()
		for i := range deadMax + 20 {
			r.put(note(fmt.Sprint("i", i), alerting.First, 0))
		}
		time.Sleep(80 * time.Hour)
		if d := r.dead(); len(d) != deadMax || d[0].Incident != fmt.Sprint("i", deadMax+19) {
			t.Errorf("%d dead letters, newest %s", len(d), d[0].Incident)
		}
	})
}

// A file that was mended has its records, and its counters begin anew: what waits is not overwritten by what comes, nor what was given up.
func TestCountersThatBeganAnewOverwriteNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{Receivers: []Receiver{oneWebhook[0], oneSlack[0]}}, nil)
		r.run()
		r.put(note("told", alerting.First, 0))
		time.Sleep(time.Minute)
		r.stop()
		r.stop = nil
		r.put(note("i1", alerting.First, 0), note("i2", alerting.First, 0))
		r.close()
		r.opts.Receivers = append(r.opts.Receivers, Receiver{Name: "new", Webhook: []WebhookConfig{{URL: "https://new.example/"}}})
		r.open()
		r.close()
		var err error
		if r.db, err = openDB(r.path); err != nil {
			t.Fatal(err)
		}
		if err := r.db.Update(func(tx *bolt.Tx) error {
			root := tx.Bucket(bucketName)
			if err := bury(root, DeadLetter{ID: "kept"}); err != nil {
				return err
			}
			if err := root.Bucket(deadBucket).SetSequence(0); err != nil {
				return err
			}
			return root.Bucket(queueBucket).SetSequence(0)
		}); err != nil {
			t.Fatal(err)
		}
		r.close()
		r.open()
		if err := r.db.Update(func(tx *bolt.Tx) error { return bury(tx.Bucket(bucketName), DeadLetter{ID: "next"}) }); err != nil {
			t.Fatal(err)
		}
		if d := r.dead(); len(d) != 2 {
			t.Errorf("given up %+v", d)
		}
		r.put(note("i3", alerting.First, 0), note("i4", alerting.First, 0))
		r.close()
		r.open()
		before := len(r.far.got())
		r.run()
		time.Sleep(time.Minute)
		r.put(note("told", alerting.Resolved, 1), note("i3", alerting.Resolved, 1))
		time.Sleep(time.Minute)
		got := map[string][]string{}
		for _, h := range r.far.got()[before:] {
			got[h.url] = append(got[h.url], subject(h))
		}
		for u, want := range map[string][]string{string(oneWebhook[0].Webhook[0].URL): {"i1", "i2", "i3", "i4", "told", "i3"}, string(oneSlack[0].Slack[0].APIURL): {"i1", "i2", "i3", "i4", "told", "i3"}, "https://new.example/": {"i3", "i4", "i3"}} {
			if !slices.Equal(got[u], want) {
				t.Errorf("%s was told of %v, want %v", u, got[u], want)
			}
		}
	})
}
