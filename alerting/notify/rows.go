// The outbox on disk: rows of the queue, ids that are known, dead letters.

package notify

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/wrackline/wrackline/baseline/codec"
)

var (
	bucketName  = []byte("outbox")
	formatKey   = []byte("format")
	formatNow   = []byte("1")
	knownBucket = []byte("known")
	queueBucket = []byte("queue")
	deadBucket  = []byte("dead")
)

// ErrFormat is returned by Open for an outbox that a newer version has written.
var ErrFormat = errors.New("outbox has an unknown format")

// row is one queued message. The exported fields are stored.
type row struct {
	Created int64    `json:"created"` // Unix ms
	Message *Message `json:"message"`

	key      []byte
	attempts int
	next     time.Time
	maybe    bool // an attempt ended without a no: it may have arrived
	unheard  bool // the receiver has surely heard nothing of the incident before it
}

// DeadLetter is a message that was given up.
type DeadLetter struct {
	At       int64  `json:"at"` // Unix ms
	Receiver string `json:"receiver"`
	ID       string `json:"id"`
	Incident string `json:"incident"`
	Title    string `json:"title"`
	Why      string `json:"why"`
}

func (b *Outbox) load(now time.Time) error {
	byKey := map[string]*lane{}
	for _, l := range b.lanes {
		byKey[l.key] = l
	}
	return b.opts.DB.Update(func(tx *bolt.Tx) error {
		root, err := tx.CreateBucketIfNotExists(bucketName)
		if err != nil {
			return err
		}
		if f := root.Get(formatKey); f != nil && string(f) != string(formatNow) {
			return fmt.Errorf("%w %q", ErrFormat, f)
		}
		if err := root.Put(formatKey, formatNow); err != nil {
			return err
		}
		for _, n := range [][]byte{knownBucket, queueBucket, deadBucket} {
			if _, err := root.CreateBucketIfNotExists(n); err != nil {
				return err
			}
		}
		if err := forget(root, now); err != nil {
			return err
		}
		type orphan struct {
			key []byte
			r   *row
			why string
		}
		var orphans []orphan
		err = root.Bucket(queueBucket).ForEach(func(k, v []byte) error {
			key := slices.Clone(k)
			name, _, _ := strings.Cut(string(k), "\x00")
			l := byKey[name]
			r, err := decodeRow(key, v)
			switch {
			case err != nil:
				orphans = append(orphans, orphan{key, &row{Message: &Message{}}, "the record was damaged"})
			case l == nil:
				orphans = append(orphans, orphan{key, r, "receiver is no longer configured"})
			default:
				l.queue = append(l.queue, r)
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, o := range orphans {
			if err := root.Bucket(queueBucket).Delete(o.key); err != nil {
				return err
			}
			name, _, _ := strings.Cut(string(o.key), "\x00")
			if err := bury(root, deadLetter(name, o.r, o.why, now)); err != nil {
				return err
			}
			count("dead", name).Inc()
			b.opts.Log.Warn("message given up", "receiver", name, "incident", o.r.Message.Incident, "err", o.why)
		}
		return nil
	})
}

func encodeRow(key []byte, r *row) []byte {
	body := plainJSON(r)
	return append(binary.LittleEndian.AppendUint32(nil, codec.Checksum(key, body)), body...)
}

var errDamaged = errors.New("record is damaged")

func decodeRow(key, v []byte) (*row, error) {
	if len(v) < 4 || binary.LittleEndian.Uint32(v) != codec.Checksum(key, v[4:]) {
		return nil, errDamaged
	}
	r := &row{key: key}
	if err := json.Unmarshal(v[4:], r); err != nil || r.Message == nil {
		return nil, errDamaged
	}
	return r, nil
}

// forget drops ids that no replay can bring back.
func forget(root *bolt.Bucket, now time.Time) error {
	known := root.Bucket(knownBucket)
	limit := uint64(max(0, now.Add(-knownFor).UnixMilli()))
	var old [][]byte
	err := known.ForEach(func(k, v []byte) error {
		if len(v) != 8 || binary.BigEndian.Uint64(v) < limit {
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

// remove deletes r on disk. When that fails, the message may be sent again after a restart, never lost.
func (b *Outbox) remove(r *row) {
	err := b.opts.DB.Update(func(tx *bolt.Tx) error { return tx.Bucket(bucketName).Bucket(queueBucket).Delete(r.key) })
	if err != nil {
		b.opts.Log.Error("delivered message not removed, a restart may repeat it", "incident", r.Message.Incident, "err", err)
	}
}

// DeadLetters returns what was given up, newest first, at most 200.
func (b *Outbox) DeadLetters() ([]DeadLetter, error) {
	var out []DeadLetter
	err := b.opts.DB.View(func(tx *bolt.Tx) error {
		c := tx.Bucket(bucketName).Bucket(deadBucket).Cursor()
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
