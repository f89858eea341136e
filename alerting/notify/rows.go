// The outbox on disk: rows of the queue, the table of integrations, ids that are known, what was missed, dead letters.

package notify

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline/codec"
)

var (
	bucketName   = []byte("outbox")
	formatKey    = []byte("format")
	formatNow    = []byte("1")
	saltKey      = []byte("salt")
	selfKey      = []byte("self")
	knownBucket  = []byte("known")
	queueBucket  = []byte("queue")
	deadBucket   = []byte("dead")
	tableBucket  = []byte("integrations")
	missedBucket = []byte("missed")
	heldBucket   = []byte("held")
	memoBucket   = []byte("memos")
	saidBucket   = []byte("said")
)

// ErrFormat is returned by Open for an outbox that a newer version has written.
var ErrFormat = errors.New("outbox has an unknown format")

// row is one queued message. The exported fields are stored.
type row struct {
	Created int64    `json:"created"` // Unix ms
	Message *Message `json:"message"`
	Since   int64    `json:"since,omitempty"`  // Unix ms when the receiver should have heard this; never 0 but in rows of older programs
	Heard   bool     `json:"heard,omitempty"`  // the receiver has, or may have, heard of the incident
	Given   int64    `json:"given,omitempty"`  // Unix ms when it was listed as given up; it is offered all the same while it matters
	Astray  bool     `json:"astray,omitempty"` // it once lost its integration: that its incident goes on must be known from elsewhere

	// Over says that the incident has ended and was counted as missed; the row stays, unsent, for the closing word that may still come and must not be said either.
	Over bool `json:"over,omitempty"`

	After int64 `json:"after,omitempty"` // Unix ms before which it is not said, and not at all when the incident is over by then: an escalation; 0 = at once
	Muted bool  `json:"muted,omitempty"` // its routes were silent when it was to be said

	key      []byte
	made     time.Time // Created …
	due      time.Time // … and Since, where this process made them by a clock that nobody sets
	attempts int       // that ended in a way that may be the message's own fault
	next     time.Time // not tried alone before
	tried    time.Time // last
	no       time.Time // when the receiver first said no to this message; zero when it did not, or has said something else since
	summary  bool      // not in the queue: says what was missed

	// Of pairs, guarded by Outbox.mu.
	cleared bool      // the other server lets this one say it
	asking  bool      // it is being asked
	yield   bool      // … and asked itself meanwhile
	unasked bool      // it could not be asked, and this one is the second
	hold    time.Time // not before
	lone    time.Time // since when it could not be asked
}

// complete gives a row that an older program wrote what it lacks.
func (r *row) complete() {
	if r.Since == 0 {
		r.Since = r.Created
		r.Heard = r.Message.Reason != alerting.First
	}
	r.made, r.due = time.UnixMilli(r.Created), time.UnixMilli(r.Since)
}

// DeadLetter is a message that was given up: the receiver has not taken it in time, or said no. While its incident matters it is offered all the same, now and then.
type DeadLetter struct {
	At       int64  `json:"at"` // Unix ms
	Receiver string `json:"receiver"`
	ID       string `json:"id"`
	Incident string `json:"incident"`
	Title    string `json:"title"`
	Why      string `json:"why"`
}

// stored is an outbox as it is on disk.
type stored struct {
	whole   bool // it has been made before
	salt    []byte
	table   []identity // by key; what only the queue's keys say when an older program has written
	counted bool       // … which is so
	rows    map[string][]*row
	damaged [][]byte // keys of rows that cannot be read
	missed  map[string]*missed
	held    map[string]map[string]*holding // by key and incident
	memos   map[string]memo                // by key
	said    map[string]map[string]*Word    // by key and place
}

// read reads everything but ids and dead letters.
func (b *Outbox) read() (*stored, error) {
	s := &stored{rows: map[string][]*row{}, missed: map[string]*missed{}, held: map[string]map[string]*holding{}, memos: map[string]memo{}}
	err := b.opts.DB.View(func(tx *bolt.Tx) error {
		root := tx.Bucket(bucketName)
		if root == nil {
			return nil
		}
		if f := root.Get(formatKey); f != nil && string(f) != string(formatNow) {
			return fmt.Errorf("%w %q", ErrFormat, f)
		}
		if root.Bucket(knownBucket) == nil || root.Bucket(queueBucket) == nil || root.Bucket(deadBucket) == nil {
			return nil
		}
		s.whole = true
		s.salt = slices.Clone(root.Get(saltKey))
		have := map[string]bool{}
		if t := root.Bucket(tableBucket); t != nil {
			t.ForEach(func(k, v []byte) error {
				id := identity{key: string(k)}
				if json.Unmarshal(v, &id) != nil { // the key says most of it
					id = identityOf(string(k))
				}
				have[id.key] = true
				s.table = append(s.table, id)
				return nil
			})
		} else {
			s.counted = true
		}
		if m := root.Bucket(missedBucket); m != nil {
			m.ForEach(func(k, v []byte) error {
				var x missed
				if json.Unmarshal(v, &x) == nil && x.Count > 0 {
					s.missed[string(k)] = &x
				}
				return nil
			})
		}
		s.readHeld(root)
		s.readSaid(root)
		return root.Bucket(queueBucket).ForEach(func(k, v []byte) error {
			key := slices.Clone(k)
			of := laneOf(key)
			r, err := decodeRow(key, v)
			if err != nil {
				s.damaged = append(s.damaged, key)
				return nil
			}
			s.rows[of] = append(s.rows[of], r)
			if !have[of] {
				have[of] = true
				s.table = append(s.table, identityOf(of))
			}
			return nil
		})
	})
	return s, err
}

// readHeld reads what integrations hold and remember. What is damaged is as if it was not: at worst somebody hears of an incident twice.
func (s *stored) readHeld(root *bolt.Bucket) {
	if bucket := root.Bucket(heldBucket); bucket != nil {
		bucket.ForEach(func(k, v []byte) error {
			lane, incident := cutHeldKey(k)
			h := &holding{}
			if unseal(k, v, h) == nil {
				if s.held[lane] == nil {
					s.held[lane] = map[string]*holding{}
				}
				s.held[lane][incident] = h
			}
			return nil
		})
	}
	if bucket := root.Bucket(memoBucket); bucket != nil {
		bucket.ForEach(func(k, v []byte) error {
			var x memo
			if unseal(k, v, &x) == nil {
				s.memos[string(k)] = x
			}
			return nil
		})
	}
}

// rowKey is where a row of an integration is: after those before it.
func rowKey(lane string, seq uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte(lane+"\x00"), seq)
}

// laneOf returns the integration that a row's key names.
func laneOf(key []byte) string { return string(key[:max(0, len(key)-9)]) }

// prepare makes the outbox's buckets where they are missing, and returns the outermost.
func prepare(tx *bolt.Tx, salt []byte) (*bolt.Bucket, error) {
	root, err := tx.CreateBucketIfNotExists(bucketName)
	if err != nil {
		return nil, err
	}
	if err := root.Put(formatKey, formatNow); err != nil {
		return nil, err
	}
	if err := root.Put(saltKey, salt); err != nil {
		return nil, err
	}
	for _, n := range [][]byte{knownBucket, queueBucket, deadBucket, tableBucket, missedBucket, heldBucket, memoBucket} {
		if _, err := root.CreateBucketIfNotExists(n); err != nil {
			return nil, err
		}
	}
	return root, nil
}

// seal writes a record with a sum of it and its key.
func seal(key []byte, v any) []byte {
	body := plainJSON(v)
	return append(binary.LittleEndian.AppendUint32(nil, codec.Checksum(key, body)), body...)
}

// unseal reads what seal wrote.
func unseal(key, v []byte, out any) error {
	if len(v) < 4 || binary.LittleEndian.Uint32(v) != codec.Checksum(key, v[4:]) || json.Unmarshal(v[4:], out) != nil {
		return errDamaged
	}
	return nil
}

func encodeRow(key []byte, r *row) []byte { return seal(key, r) }

// enqueue gives a row its place at the end of a lane's queue.
func enqueue(root *bolt.Bucket, l *lane, r *row) error {
	queue := root.Bucket(queueBucket)
	seq, err := queue.NextSequence()
	if err != nil {
		return err
	}
	r.key = rowKey(l.key, seq)
	return queue.Put(r.key, encodeRow(r.key, r))
}

var errDamaged = errors.New("record is damaged")

func decodeRow(key, v []byte) (*row, error) {
	r := &row{key: key}
	if len(key) < 9 || unseal(key, v, r) != nil || r.Message == nil {
		return nil, errDamaged
	}
	r.complete()
	return r, nil
}

// knownValue is what is remembered of an id: when it was taken, the queue's sequence before it, and a byte that says that who was to hear of it is among the holdings.
func knownValue(now time.Time, seq uint64) []byte {
	return append(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, uint64(now.UnixMilli())), seq), 1)
}

// isKnown reports whether v is one of the forms that an id is remembered in.
func isKnown(v []byte) bool { return len(v) == 8 || len(v) == 16 || len(v) == 17 }

// tookBefore reports whether a notification was taken before an integration was born. An id that nobody remembers (nil) is taken for a later one: a closing word too many is better than one too few.
func tookBefore(known []byte, born uint64) bool {
	if born == 0 {
		return false
	}
	return len(known) == 8 || len(known) == 16 && binary.BigEndian.Uint64(known[8:]) < born // 8 bytes: by a program before the table
}

// forget drops ids that no replay can bring back: by the newest id or the clock, whichever is earlier, since a clock may be ahead for a while.
func forget(root *bolt.Bucket, now time.Time) error {
	if err := forgetSaid(root, now); err != nil {
		return err
	}
	known := root.Bucket(knownBucket)
	newest := uint64(0)
	known.ForEach(func(_, v []byte) error {
		if isKnown(v) {
			newest = max(newest, binary.BigEndian.Uint64(v))
		}
		return nil
	})
	limit := min(newest, uint64(max(0, now.UnixMilli())))
	limit -= min(limit, uint64(knownFor.Milliseconds()))
	var old [][]byte
	err := known.ForEach(func(k, v []byte) error {
		if !isKnown(v) || binary.BigEndian.Uint64(v) < limit {
			old = append(old, slices.Clone(k))
		}
		return nil
	})
	for _, k := range old {
		if err := known.Delete(k); err != nil {
			return err
		}
	}
	return err
}

// outlive makes sure that the numbers to come are beyond those in use: a file that was mended has its records, and its counters begin anew.
func outlive(root *bolt.Bucket, table []identity) error {
	queue, dead := root.Bucket(queueBucket), root.Bucket(deadBucket)
	last := uint64(0)
	for i := range table {
		last = max(last, table[i].Born)
	}
	queue.ForEach(func(k, _ []byte) error {
		if len(k) >= 9 {
			last = max(last, binary.BigEndian.Uint64(k[len(k)-8:]))
		}
		return nil
	})
	root.Bucket(knownBucket).ForEach(func(_, v []byte) error {
		if len(v) >= 16 {
			last = max(last, binary.BigEndian.Uint64(v[8:]))
		}
		return nil
	})
	if queue.Sequence() < last {
		if err := queue.SetSequence(last); err != nil {
			return err
		}
	}
	if k, _ := dead.Cursor().Last(); len(k) == 8 && dead.Sequence() < binary.BigEndian.Uint64(k) {
		return dead.SetSequence(binary.BigEndian.Uint64(k))
	}
	return nil
}

func bury(root *bolt.Bucket, d DeadLetter) error {
	dead := root.Bucket(deadBucket)
	n, err := dead.NextSequence()
	if err != nil {
		return err
	}
	if err := dead.Put(binary.BigEndian.AppendUint64(nil, n), plainJSON(d)); err != nil {
		return err
	}
	if n > deadMax {
		return dead.Delete(binary.BigEndian.AppendUint64(nil, n-deadMax))
	}
	return nil
}

func deadLetter(lane string, r *row, why string, now time.Time) DeadLetter {
	return DeadLetter{At: now.UnixMilli(), Receiver: lane, ID: r.Message.ID, Incident: r.Message.Incident, Title: r.Message.Title, Why: why}
}

// ledger is what one step changes on disk, all of it or nothing.
type ledger struct {
	drop    []*row // leave the queue
	save    []*row // are written anew
	letters []DeadLetter
	held    map[string]*holding // by incident; nil = nothing any more
	missed  bool                // the lane's record of what was missed is another
	memo    bool                // … of what it remembers
	words   []*Word             // of a pair: what was said, here or by the other server …
	gone    [][]byte            // … and what is forgotten for it
	joined  int                 // how many of drop a newer message made superfluous
}

func (g *ledger) empty() bool {
	return len(g.drop) == 0 && len(g.save) == 0 && len(g.letters) == 0 && len(g.held) == 0 && !g.missed && !g.memo && len(g.words) == 0
}

// book writes a ledger and counts what it says. When the disk refuses, a restart may do what it says once more; nothing is lost.
func (b *Outbox) book(l *lane, g *ledger) {
	if g.empty() {
		return
	}
	b.mu.Lock()
	missed, memo := l.missed, l.memo
	b.mu.Unlock()
	err := b.opts.DB.Update(func(tx *bolt.Tx) error {
		root := tx.Bucket(bucketName)
		queue := root.Bucket(queueBucket)
		for _, r := range g.drop {
			if err := queue.Delete(r.key); err != nil {
				return err
			}
		}
		for _, r := range g.save {
			if err := queue.Put(r.key, encodeRow(r.key, r)); err != nil {
				return err
			}
		}
		for _, d := range g.letters {
			if err := bury(root, d); err != nil {
				return err
			}
		}
		for incident, h := range g.held {
			if err := putHeld(root, l.key, incident, h); err != nil {
				return err
			}
		}
		if g.memo {
			if err := putMemo(root, l.key, &memo); err != nil {
				return err
			}
		}
		if err := putSaid(root, l.key, g.words, g.gone); err != nil {
			return err
		}
		if g.missed {
			return putMissed(root, l.key, missed)
		}
		return nil
	})
	if err != nil {
		b.opts.Log.Error("the outbox cannot be written; a restart may repeat messages", "receiver", l.key, "err", err)
	}
	b.mu.Lock()
	l.stats.Coalesced += int64(g.joined)
	l.stats.Dead += int64(len(g.letters))
	for _, d := range g.letters {
		l.stats.LastGivenUp, l.stats.LastGivenUpAt = d.Why, time.UnixMilli(d.At)
	}
	b.mu.Unlock()
	count("coalesced", l.key).Add(g.joined)
	count("dead", l.key).Add(len(g.letters))
	b.share(g.words)
	for _, d := range g.letters {
		b.opts.Log.Error("message given up", "receiver", l.key, "incident", d.Incident, "why", d.Why)
	}
}

func putMissed(root *bolt.Bucket, lane string, m *missed) error {
	bucket, err := root.CreateBucketIfNotExists(missedBucket) // the disk may have been full at the start
	if err != nil {
		return err
	}
	if m == nil {
		return bucket.Delete([]byte(lane))
	}
	return bucket.Put([]byte(lane), plainJSON(m))
}

// putHeld stores a holding, or forgets it when h is nil.
func putHeld(root *bolt.Bucket, lane, incident string, h *holding) error {
	bucket, err := root.CreateBucketIfNotExists(heldBucket)
	if err != nil {
		return err
	}
	key := heldKey(lane, incident)
	if h == nil {
		return bucket.Delete(key)
	}
	return bucket.Put(key, seal(key, h))
}

// putMemo stores what an integration remembers.
func putMemo(root *bolt.Bucket, lane string, m *memo) error {
	bucket, err := root.CreateBucketIfNotExists(memoBucket)
	if err != nil {
		return err
	}
	return bucket.Put([]byte(lane), seal([]byte(lane), m))
}

// DeadLetters returns what was given up, newest first, at most 200.
func (b *Outbox) DeadLetters() ([]DeadLetter, error) {
	var out []DeadLetter
	err := b.opts.DB.View(func(tx *bolt.Tx) error {
		root := tx.Bucket(bucketName)
		if root == nil || root.Bucket(deadBucket) == nil { // an idle one makes none
			return nil
		}
		c := root.Bucket(deadBucket).Cursor()
		for k, v := c.Last(); k != nil; k, v = c.Prev() {
			var d DeadLetter
			if json.Unmarshal(v, &d) == nil {
				out = append(out, d)
			}
		}
		return nil
	})
	return out, err
}
