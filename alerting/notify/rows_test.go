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
