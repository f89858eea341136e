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

// orphan is a message in the queue that nobody is left to send.
type orphan struct {
	key []byte
	r   *row
	why string
}

// load reads what waits, and gives up what nobody is left to send. When that cannot be written, as on a full disk, it stays for the next start: what waits goes out all the same.
func (b *Outbox) load(now time.Time) error {
	orphans, whole, err := b.read()
	if err != nil {
		return err
	}
	err = b.opts.DB.Update(func(tx *bolt.Tx) error {
		root, err := prepare(tx)
		if err != nil {
			return err
		}
		if err := forget(root, now); err != nil {
			return err
		}
		for _, o := range orphans {
			if err := root.Bucket(queueBucket).Delete(o.key); err != nil {
				return err
			}
			if err := bury(root, deadLetter(o.lane(), o.r, o.why, now)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil && whole {
		b.opts.Log.Warn("the outbox cannot be written; what waits is sent", "err", err)
		return nil
	}
	if err != nil {
		return err
	}
	for _, o := range orphans {
		count("dead", o.lane()).Inc()
		b.opts.Log.Warn("message given up", "receiver", o.lane(), "incident", o.r.Message.Incident, "err", o.why)
	}
	return nil
}

// lane returns the key of the lane that the message was for.
func (o orphan) lane() string {
	name, _, _ := strings.Cut(string(o.key), "\x00")
	return name
}

// read puts what waits into the lanes' queues, and returns what has no lane. whole says that the outbox has been made before.
func (b *Outbox) read() (orphans []orphan, whole bool, err error) {
	byKey := map[string]*lane{}
	for _, l := range b.lanes {
		byKey[l.key] = l
	}
	err = b.opts.DB.View(func(tx *bolt.Tx) error {
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
		whole = true
		return root.Bucket(queueBucket).ForEach(func(k, v []byte) error {
			key := slices.Clone(k)
			o := orphan{key: key}
			l := byKey[o.lane()]
			r, err := decodeRow(key, v)
			switch {
			case err != nil:
				o.r, o.why = &row{Message: &Message{}}, "the record was damaged"
			case l == nil:
				o.r, o.why = r, "receiver is no longer configured"
			default:
				l.queue = append(l.queue, r)
				return nil
			}
			orphans = append(orphans, o)
			return nil
		})
	})
	return orphans, whole, err
}

// prepare makes the outbox's buckets where they are missing, and returns the outermost.
func prepare(tx *bolt.Tx) (*bolt.Bucket, error) {
	root, err := tx.CreateBucketIfNotExists(bucketName)
	if err != nil {
		return nil, err
	}
	if err := root.Put(formatKey, formatNow); err != nil {
		return nil, err
	}
	for _, n := range [][]byte{knownBucket, queueBucket, deadBucket} {
		if _, err := root.CreateBucketIfNotExists(n); err != nil {
			return nil, err
		}
	}
	return root, nil
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
