// What a start or a reload does with what waits: each message finds its integration again, and what finds none is listed.

package notify

import (
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/wrackline/wrackline/alerting"
)

// Astray is what waits for an integration that the configuration no longer has.
type Astray struct {
	Receiver, Kind string
	Integration    string // the key of its queue
	Waiting        int
	Until          time.Time // when it is forgotten
}

// Astray returns what waited for integrations that are no longer configured when the outbox was opened. It has been listed as given up; when a receiver of that name, or one with that
// URL, is configured again, what still matters goes there.
func (b *Outbox) Astray() []Astray { return slices.Clone(b.astray) }

// Moved says, one sentence each, which messages wait for an integration under another key than before the outbox was opened.
func (b *Outbox) Moved() []string { return slices.Clone(b.moved) }

// settling is what Open changes on disk.
type settling struct {
	table  []identity
	drop   [][]byte
	put    []*row
	lost   []DeadLetter
	missed map[string]*missed // by key as it now is
	held   map[string]map[string]*holding
	memos  map[string]memo
	moved  []*lane // that have another key than before
	born   []*lane // that nobody knew; what was announced before them was not announced to them
}

// load reads what waits and gives it to the lanes. When what changes cannot be written, as on a full disk, it stays for the next start: what waits goes out all the same.
func (b *Outbox) load(now time.Time) error {
	s, err := b.read()
	if err != nil {
		return err
	}
	if len(s.salt) == 0 {
		s.salt = make([]byte, 16)
		rand.Read(s.salt) // never fails
	}
	p := b.settleIn(s, now)
	if b.opts.Idle {
		return nil
	}
	err = b.opts.DB.Update(func(tx *bolt.Tx) error {
		root, err := prepare(tx, s.salt)
		if err != nil {
			return err
		}
		if err := forget(root, now); err != nil {
			return err
		}
		if err := outlive(root, s.table); err != nil {
			return err
		}
		return p.write(root)
	})
	if err != nil && s.whole {
		b.opts.Log.Warn("the outbox cannot be written; what waits is sent", "err", err)
		return nil
	}
	if err != nil {
		return err
	}
	for _, d := range p.lost {
		count("dead", d.Receiver).Inc()
		b.opts.Log.Warn("message given up", "receiver", d.Receiver, "incident", d.Incident, "err", d.Why)
	}
	for _, m := range b.moved {
		b.opts.Log.Info("waiting messages go elsewhere", "moved", m)
	}
	for _, a := range b.astray {
		b.opts.Log.Warn("messages wait for a receiver that is no longer configured; one of that name, or with that URL, gets those that still matter", "receiver", a.Integration, "waiting", a.Waiting, "until", a.Until.UTC())
	}
	return nil
}

// settleIn finds each lane's identity and queue.
func (b *Outbox) settleIn(s *stored, now time.Time) *settling {
	p := &settling{missed: map[string]*missed{}, held: map[string]map[string]*holding{}, memos: map[string]memo{}}
	is := make([]identity, len(b.lanes))
	for i, l := range b.lanes {
		is[i] = l.identity
		is[i].key = ""
		if u, err := l.to.url(); err == nil {
			is[i].URL = hashURL(s.salt, u)
		}
	}
	of := match(s.table, is)
	nameKeys(s.table, is, of)
	kept := map[string]bool{} // keys of before that are spoken for
	for i, l := range b.lanes {
		l.identity = is[i]
		if of[i] < 0 {
			if s.whole && !s.counted {
				p.born = append(p.born, l)
			}
			continue
		}
		was := &s.table[of[i]]
		kept[was.key] = true
		l.Born = was.Born
		l.queue, l.missed, l.memo = s.rows[was.key], s.missed[was.key], s.memos[was.key]
		if held := s.held[was.key]; held != nil {
			l.held = held
			trim(held)
		}
		for _, w := range s.said[was.key] {
			l.said[string(w.saidKey(l.key))] = w
		}
		if was.key == l.key {
			continue
		}
		p.moved = append(p.moved, l) // what was said under the key of before is forgotten in time
		for k, r := range l.queue {
			moved := *r
			moved.key = slices.Concat([]byte(l.key), r.key[len(was.key):])
			p.drop, p.put = append(p.drop, r.key), append(p.put, &moved)
			l.queue[k] = &moved
		}
		if n := waiting(l.queue); n > 0 {
			b.moved = append(b.moved, fmt.Sprintf("%s that waited for %s: now for %s.", alerting.Count(n, "message"), was.key, l.key))
		}
	}
	for _, l := range b.lanes {
		p.table = append(p.table, l.identity)
		if l.missed != nil {
			p.missed[l.key] = l.missed
		}
		p.held[l.key], p.memos[l.key] = l.held, l.memo
	}
	for _, key := range s.damaged {
		p.drop = append(p.drop, key)
		p.lost = append(p.lost, deadLetter(laneOf(key), &row{Message: &Message{}}, "the record was damaged", now))
	}
	for i := range s.table {
		if was := s.table[i]; !kept[was.key] {
			b.part(p, was, s, now)
		}
	}
	return p
}

// waiting counts the rows that are still to be sent.
func waiting(rows []*row) (n int) {
	for _, r := range rows {
		if !r.Over {
			n++
		}
	}
	return n
}

// part is what becomes of an integration that is not configured: it is remembered for a while, in case it was a mistake, and what waits for it is listed.
func (b *Outbox) part(p *settling, was identity, s *stored, now time.Time) {
	if was.Gone == 0 {
		was.Gone = now.UnixMilli()
	}
	rows := s.rows[was.key]
	gone := now.Sub(time.UnixMilli(was.Gone))
	if gone >= b.opts.MaxAge {
		for _, r := range rows {
			p.drop = append(p.drop, r.key)
		}
		rows = nil
	}
	for _, r := range rows {
		if r.Given == 0 && !r.Over {
			p.lost = append(p.lost, deadLetter(was.key, r, "receiver is no longer configured", now))
			r.Given = now.UnixMilli()
		}
		if !r.Astray {
			r.Astray = true
			p.put = append(p.put, r)
		}
	}
	if n := waiting(rows); n > 0 {
		b.astray = append(b.astray, Astray{was.Receiver, was.Kind, was.key, n, time.UnixMilli(was.Gone).Add(b.opts.MaxAge)})
	}
	if gone < knownFor && !slices.ContainsFunc(p.table, func(x identity) bool { return x.key == was.key }) {
		p.table = append(p.table, was)
		if m := s.missed[was.key]; m != nil {
			p.missed[was.key] = m
		}
		p.held[was.key], p.memos[was.key] = s.held[was.key], s.memos[was.key]
	}
}

func (p *settling) write(root *bolt.Bucket) error {
	queue := root.Bucket(queueBucket)
	for _, k := range p.drop {
		if err := queue.Delete(k); err != nil {
			return err
		}
	}
	for _, r := range p.put {
		if err := queue.Put(r.key, encodeRow(r.key, r)); err != nil {
			return err
		}
	}
	for _, d := range p.lost {
		if err := bury(root, d); err != nil {
			return err
		}
	}
	for _, l := range p.born {
		n, err := queue.NextSequence()
		if err != nil {
			return err
		}
		l.Born = n
		p.table[slices.IndexFunc(p.table, func(x identity) bool { return x.key == l.key })].Born = n
	}
	for _, l := range p.moved {
		if err := putSaid(root, l.key, slices.Collect(maps.Values(l.said)), nil); err != nil {
			return err
		}
	}
	for _, name := range [][]byte{tableBucket, missedBucket, heldBucket, memoBucket} {
		if err := root.DeleteBucket(name); err != nil {
			return err
		}
		if _, err := root.CreateBucket(name); err != nil {
			return err
		}
	}
	for i := range p.table {
		if err := root.Bucket(tableBucket).Put([]byte(p.table[i].key), plainJSON(&p.table[i])); err != nil {
			return err
		}
	}
	for key, m := range p.missed {
		if err := putMissed(root, key, m); err != nil {
			return err
		}
	}
	for key, held := range p.held {
		for incident, h := range held {
			if err := putHeld(root, key, incident, h); err != nil {
				return err
			}
		}
	}
	for key, m := range p.memos {
		if err := putMemo(root, key, &m); err != nil {
			return err
		}
	}
	return nil
}
