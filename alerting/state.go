// A Manager's state as bytes, for the checkpoint. One function describes each record for both directions, so that
// writing and reading cannot disagree.
//
//	state    = "WLA1" refused days loose open closed
//	list     = count, records
//	integers = zig-zag varint · floats = 8 bytes little-endian · strings = length, bytes
//
//
// The store guards the bytes with a checksum; RestoreState still refuses what it cannot have written.

package alerting

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
)

const stateMagic = "WLA1"

// ErrState is returned by RestoreState for bytes that AppendState cannot have written.
var ErrState = errors.New("alerting state is damaged")

// AppendState appends the complete state to dst. A Manager restored from it continues exactly as this one.
func (m *Manager) AppendState(dst []byte) []byte {
	c := &codec{b: append(dst, stateMagic...), write: true, rule: m.opts.Rule}
	c.manager(m)
	return c.b
}

// RestoreState replaces the state by one that AppendState wrote. On error (ErrState) the Manager is unchanged.
func (m *Manager) RestoreState(b []byte) error {
	rest, ok := bytes.CutPrefix(b, []byte(stateMagic))
	if !ok {
		return fmt.Errorf("%w: unknown format", ErrState)
	}
	n := NewManager(m.opts)
	c := &codec{b: rest, rule: m.opts.Rule}
	c.manager(n)
	if c.err == nil && len(c.b) > 0 {
		c.fail()
	}
	if c.err != nil {
		return c.err
	}
	m.open, m.closed, m.owing, m.tracked, m.loose, m.days, m.refused = n.open, n.closed, n.owing, n.tracked, n.loose, n.days, n.refused
	m.seen = false
	m.publish(c.newest)
	return nil
}

// codec writes to the end of b, or reads from its front. After an error reads give zero values.
type codec struct {
	b      []byte
	write  bool
	err    error
	rule   func(string) *signal.Rule
	newest int64
}

func (c *codec) fail() {
	if c.err == nil {
		c.err = ErrState
	}
	c.b = nil
}

func (c *codec) i64(v *int64) {
	if c.write {
		c.b = binary.AppendVarint(c.b, *v)
		return
	}
	x, n := binary.Varint(c.b)
	if n <= 0 {
		c.fail()
		x, n = 0, 0
	}
	*v, c.b = x, c.b[n:]
}

func (c *codec) num(v *int) {
	x := int64(*v)
	c.i64(&x)
	*v = int(x)
}

// count carries the length of a list; each entry takes at least one byte, which bounds what is allocated for it.
func (c *codec) count(n int) int {
	c.num(&n)
	if !c.write && (n < 0 || n > len(c.b)) {
		c.fail()
		return 0
	}
	return n
}

func (c *codec) flag(v *bool) {
	x := int64(0)
	if *v {
		x = 1
	}
	c.i64(&x)
	*v = x != 0
}

func (c *codec) f64(v *float64) {
	if c.write {
		c.b = binary.LittleEndian.AppendUint64(c.b, math.Float64bits(*v))
		return
	}
	if len(c.b) < 8 {
		c.fail()
		*v = 0
		return
	}
	*v, c.b = math.Float64frombits(binary.LittleEndian.Uint64(c.b)), c.b[8:]
}

func (c *codec) str(v *string) {
	n := c.count(len(*v))
	if c.write {
		c.b = append(c.b, *v...)
		return
	}
	if n > len(c.b) {
		c.fail()
		n = 0
	}
	*v, c.b = string(c.b[:n]), c.b[n:]
}

func list[T any](c *codec, v *[]T, each func(*T)) {
	n := c.count(len(*v))
	if !c.write {
		*v = nil
	}
	for i := 0; i < n && c.err == nil; i++ {
		if !c.write {
			var zero T
			*v = append(*v, zero)
		}
		each(&(*v)[i])
	}
}

func (c *codec) manager(m *Manager) {
	c.i64(&m.refused)
	list(c, &m.days, func(d *DayTally) {
		c.i64(&d.Day)
		c.num(&d.Sent)
		c.num(&d.Pages)
		c.num(&d.Resolved)
		c.num(&d.Withheld)
	})
	list(c, &m.loose, func(s **slot) { c.slot(m, s, nil) })
	list(c, &m.open, func(p **incident) { c.incident(m, p) })
	list(c, &m.closed, func(p **incident) {
		if c.write && (*p).enc != nil {
			c.b = append(c.b, (*p).enc...)
			return
		}
		start := len(c.b)
		c.incident(m, p)
		if c.write && (*p).slots == nil { // frozen: never changes again
			(*p).enc = bytes.Clone(c.b[start:])
		}
	})
	// The closing words that are due, as positions in closed from its end.
	n := c.count(len(m.owing))
	for i := 0; i < n && c.err == nil; i++ {
		var at int
		if c.write {
			for k, inc := range m.closed {
				if inc == m.owing[i] {
					at = len(m.closed) - k
				}
			}
		}
		c.num(&at)
		if !c.write {
			if at < 1 || at > len(m.closed) {
				c.fail()
				return
			}
			m.owing = append(m.owing, m.closed[len(m.closed)-at])
		}
	}
}

func (c *codec) slot(m *Manager, p **slot, inc *incident) {
	if !c.write {
		*p = &slot{m: &Member{}, inc: inc}
	}
	s := *p
	c.str(&s.key.cluster)
	c.member(s.m)
	if c.write {
		return
	}
	s.key.id = s.m.SignalID
	if inc == nil || inc.Resolved == 0 {
		if m.tracked[s.key] != nil {
			c.fail()
		}
		m.tracked[s.key] = s
	}
}

func (c *codec) incident(m *Manager, p **incident) {
	if !c.write {
		*p = &incident{}
	}
	i := *p
	c.str(&i.ID)
	c.str(&i.Title)
	c.str((*string)(&i.Severity))
	c.str(&i.Cluster)
	c.i64(&i.Opened)
	c.i64(&i.Updated)
	c.newest = max(c.newest, i.Updated)
	c.i64(&i.Resolved)
	c.str(&i.Resolution)
	c.num(&i.Refires)
	c.num(&i.Earlier)
	c.num(&i.Told)
	c.num(&i.Withheld)
	list(c, &i.Timeline, func(e *Event) {
		c.i64(&e.T)
		c.str(&e.Kind)
		c.str(&e.Signal)
	})
	list(c, &i.Changes, c.cause)
	c.i64(&i.searched.onset)
	c.num(&i.searched.members)
	c.i64(&i.searched.seq)
	c.i64(&i.minOnset)
	c.i64(&i.maxOnset)
	c.i64(&i.active)
	c.i64(&i.seen)
	c.i64(&i.lastTold)
	c.num(&i.toldSize)
	c.num(&i.toldRank)
	c.str(&i.first)
	c.str(&i.lead)
	seq, state := int64(i.seq), int64(i.state)
	c.i64(&seq)
	c.i64(&state)
	i.seq, i.state = uint32(seq), byte(state)
	c.num(&i.crowd)
	c.flag(&i.wide)
	frozen := i.Resolved != 0 && i.slots == nil
	c.flag(&frozen)
	if !frozen {
		list(c, &i.slots, func(s **slot) { c.slot(m, s, i) })
		if !c.write && c.err == nil {
			if len(i.slots) == 0 {
				c.fail()
				return
			}
			i.build()
		}
		return
	}
	list(c, (*[]series.Label)(&i.Scope), c.label)
	c.i64(&i.Onset)
	c.num(&i.Lead)
	c.num(&i.More)
	list(c, &i.Members, c.member)
	if c.write || c.err != nil {
		return
	}
	if i.Lead < 0 || i.Lead >= len(i.Members) {
		c.fail()
		return
	}
	pub := i.Incident
	i.pub = &pub
}

func (c *codec) cause(x *Cause) {
	near := int64(x.Nearness)
	c.i64(&near)
	if near < int64(WholeCluster) || near > int64(SameThing) {
		c.fail()
		return
	}
	x.Nearness = Nearness(near)
	c.i64(&x.T)
	c.str((*string)(&x.Kind))
	c.str(&x.Cluster)
	list(c, (*[]series.Label)(&x.Entity), c.label)
	c.str(&x.Object)
	c.str(&x.From)
	c.str(&x.To)
}

func (c *codec) label(l *series.Label) {
	c.str(&l.Name)
	c.str(&l.Value)
}

func (c *codec) band(b *model.Band) {
	c.f64(&b.Lower)
	c.f64(&b.Expected)
	c.f64(&b.Upper)
}

func (c *codec) member(m *Member) {
	c.str(&m.SignalID)
	c.str(&m.Name)
	list(c, (*[]series.Label)(&m.Entity), c.label)
	c.str(&m.Unit)
	c.str((*string)(&m.Severity))
	c.i64(&m.Onset)
	c.i64(&m.Opened)
	c.i64(&m.Ended)
	c.str(&m.Ending)
	c.num(&m.Fired)
	state, test := int64(m.State), int64(m.Test)
	c.i64(&state)
	c.i64(&test)
	m.State, m.Test = model.State(state), model.Test(test)
	c.f64(&m.Value)
	c.band(&m.Band)
	c.f64(&m.Score)
	c.f64(&m.Peak)
	c.f64(&m.Worst)
	c.i64(&m.WorstT)
	c.band(&m.WorstBand)
	c.f64(&m.Maturity)
	c.f64(&m.SlopePerDay)
	c.i64(&m.LimitEta)
	list(c, &m.Top, func(t *signal.Member) {
		c.str(&t.Name)
		c.f64(&t.Value)
	})
	c.i64(&m.LastSeen)
	if !c.write && c.err == nil {
		m.Rule = c.rule(m.Name)
	}
}
