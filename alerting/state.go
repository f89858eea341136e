// A Manager's state as bytes, for the checkpoint. One function describes each record for both directions, so that
// writing and reading cannot disagree.
//
//	state    = "WLA3" refused days loose open closed
//	list     = count, records
//	integers = zig-zag varint · floats = 8 bytes little-endian · strings = length, bytes
//
// "WLA2" did not say of members what was told of them, nor which member a change explains. "WLA1" did not say of incidents how late they were judged, nor when.
//
// The store guards the bytes with a checksum; RestoreState still refuses what it cannot have written.

package alerting

import (
	"bytes"
	"errors"
	"fmt"
	"math"

	"github.com/wrackline/wrackline/baseline/codec"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
)

const (
	stateMagic = "WLA" // and the version, a digit
	stateNow   = 3
	listMax    = math.MaxInt // entries of a list, which the bytes that are left bound
)

// ErrState is returned by RestoreState for bytes that AppendState cannot have written.
var ErrState = errors.New("alerting state is damaged")

// AppendState appends the complete state to dst. A Manager restored from it continues exactly as this one.
func (m *Manager) AppendState(dst []byte) []byte {
	c := &stateCoder{Coder: codec.Writing(append(append(dst, stateMagic...), '0'+stateNow)), rule: m.opts.Rule, version: stateNow}
	c.manager(m)
	return c.Bytes()
}

// RestoreState replaces the state by one that AppendState wrote. On error (ErrState) the Manager is unchanged.
func (m *Manager) RestoreState(b []byte) error {
	rest, ok := bytes.CutPrefix(b, []byte(stateMagic))
	if !ok || len(rest) == 0 || rest[0] < '1' || rest[0] > '0'+stateNow {
		return fmt.Errorf("%w: unknown format", ErrState)
	}
	n := NewManager(m.opts)
	c := &stateCoder{Coder: codec.Reading(rest[1:], ErrState), rule: m.opts.Rule, version: int(rest[0] - '0')}
	c.manager(n)
	if c.Err() == nil && c.Left() > 0 {
		c.Fail()
	}
	if c.Err() != nil {
		return c.Err()
	}
	m.open, m.closed, m.owing, m.tracked, m.loose, m.days, m.refused = n.open, n.closed, n.owing, n.tracked, n.loose, n.days, n.refused
	m.seen = false
	for _, inc := range m.open {
		m.mute(inc, inc.seen)
	}
	m.publish(c.newest)
	return nil
}

// stateCoder walks over the fields of a Manager in one order for both directions.
type stateCoder struct {
	*codec.Coder
	rule    func(string) *pack.Rule
	version int
	newest  int64 // Unix ms; the newest time of any incident
}

func (c *stateCoder) manager(m *Manager) {
	c.I64(&m.refused)
	codec.List(c.Coder, &m.days, listMax, func(d *DayTally) {
		c.I64(&d.Day)
		c.Num(&d.Sent)
		c.Num(&d.Pages)
		c.Num(&d.Resolved)
		c.Num(&d.Withheld)
	})
	codec.List(c.Coder, &m.loose, listMax, func(s **slot) { c.slot(m, s, nil) })
	codec.List(c.Coder, &m.open, listMax, func(p **incident) { c.incident(m, p) })
	codec.List(c.Coder, &m.closed, listMax, func(p **incident) {
		if !c.Reads() && (*p).enc != nil {
			c.Raw((*p).enc)
			return
		}
		start := len(c.Bytes())
		c.incident(m, p)
		if !c.Reads() && (*p).slots == nil { // frozen: never changes again
			(*p).enc = bytes.Clone(c.Bytes()[start:])
		}
	})
	// The closing words that are due, as positions in closed from its end.
	n := c.Count(len(m.owing), listMax)
	for i := 0; i < n && c.Err() == nil; i++ {
		var at int
		if !c.Reads() {
			for k, inc := range m.closed {
				if inc == m.owing[i] {
					at = len(m.closed) - k
				}
			}
		}
		c.Num(&at)
		if c.Reads() {
			if at < 1 || at > len(m.closed) {
				c.Fail()
				return
			}
			m.owing = append(m.owing, m.closed[len(m.closed)-at])
		}
	}
}

func (c *stateCoder) slot(m *Manager, p **slot, inc *incident) {
	if c.Reads() {
		*p = &slot{m: &Member{}, inc: inc}
	}
	s := *p
	c.Str(&s.key.cluster)
	c.member(s.m)
	if c.version > 2 {
		c.I64(&s.out)
		c.Flag(&s.told)
		c.Flag(&s.worse)
		c.Flag(&s.suspected)
	} else {
		s.out, s.told = s.m.LastSeen, inc != nil && inc.Told > 0 && s.m.Opened <= inc.lastTold
	}
	if !c.Reads() {
		return
	}
	s.key.id = s.m.SignalID
	if (inc == nil || inc.Resolved == 0) && s.m.Ending != worse {
		if m.tracked[s.key] != nil {
			c.Fail()
		}
		m.tracked[s.key] = s
	}
}

func (c *stateCoder) incident(m *Manager, p **incident) {
	if c.Reads() {
		*p = &incident{}
	}
	i := *p
	c.Str(&i.ID)
	c.Str(&i.Title)
	c.Str((*string)(&i.Severity))
	c.Str(&i.Cluster)
	c.I64(&i.Opened)
	c.I64(&i.Updated)
	c.newest = max(c.newest, i.Updated)
	c.I64(&i.Resolved)
	c.Str(&i.Resolution)
	c.Num(&i.Refires)
	c.Num(&i.Earlier)
	c.Num(&i.Told)
	c.Num(&i.Withheld)
	if c.version > 1 {
		c.I64(&i.LateMs)
	}
	codec.List(c.Coder, &i.Timeline, listMax, func(e *Event) {
		c.I64(&e.T)
		c.Str(&e.Kind)
		c.Str(&e.Signal)
	})
	codec.List(c.Coder, &i.Changes, listMax, c.cause)
	if c.version > 2 {
		codec.List(c.Coder, &i.Beside, listMax, c.cause)
		c.Str(&i.PartOf)
	}
	c.I64(&i.searched.onset)
	c.Num(&i.searched.members)
	c.I64(&i.searched.seq)
	c.I64(&i.minOnset)
	c.I64(&i.maxOnset)
	c.I64(&i.active)
	c.I64(&i.seen)
	if c.version > 1 {
		c.I64(&i.heard)
	}
	c.I64(&i.lastTold)
	c.Num(&i.toldSize)
	c.Num(&i.toldRank)
	c.Str(&i.first)
	c.Str(&i.lead)
	seq := int64(i.seq)
	c.I64(&seq)
	i.seq = uint32(seq)
	c.U8(&i.state)
	c.Num(&i.crowd)
	if c.version < 3 {
		var wide bool
		c.Flag(&wide)
	}
	frozen := i.Resolved != 0 && i.slots == nil
	c.Flag(&frozen)
	if !frozen {
		codec.List(c.Coder, &i.slots, listMax, func(s **slot) { c.slot(m, s, i) })
		if c.Reads() && c.Err() == nil {
			if len(i.slots) == 0 {
				c.Fail()
				return
			}
			i.build()
		}
		return
	}
	codec.List(c.Coder, (*[]series.Label)(&i.Scope), listMax, c.label)
	c.I64(&i.Onset)
	if c.version > 2 {
		c.label(&i.Common.Label)
		c.Num(&i.Common.N)
		c.Num(&i.Common.Of)
	}
	c.Num(&i.Lead)
	c.Num(&i.More)
	codec.List(c.Coder, &i.Members, listMax, c.member)
	if !c.Reads() || c.Err() != nil {
		return
	}
	if i.Lead < 0 || i.Lead >= len(i.Members) {
		c.Fail()
		return
	}
	pub := i.Incident
	i.pub = &pub
}

func (c *stateCoder) cause(x *Cause) {
	near := int64(x.Nearness)
	c.I64(&near)
	if near < int64(WholeCluster) || near > int64(SameThing) {
		c.Fail()
		return
	}
	x.Nearness = Nearness(near)
	c.I64(&x.T)
	c.Str((*string)(&x.Kind))
	c.Str(&x.Cluster)
	codec.List(c.Coder, (*[]series.Label)(&x.Entity), listMax, c.label)
	c.Str(&x.Object)
	c.Str(&x.From)
	c.Str(&x.To)
	if c.version > 2 {
		c.Str(&x.Signal)
	}
}

func (c *stateCoder) label(l *series.Label) {
	c.Str(&l.Name)
	c.Str(&l.Value)
}

func (c *stateCoder) band(b *model.Band) {
	c.F64(&b.Lower)
	c.F64(&b.Expected)
	c.F64(&b.Upper)
}

func (c *stateCoder) member(m *Member) {
	c.Str(&m.SignalID)
	c.Str(&m.Name)
	codec.List(c.Coder, (*[]series.Label)(&m.Entity), listMax, c.label)
	c.Str(&m.Unit)
	c.Str((*string)(&m.Severity))
	c.I64(&m.Onset)
	c.I64(&m.Opened)
	c.I64(&m.Ended)
	c.Str(&m.Ending)
	c.Num(&m.Fired)
	c.U8((*uint8)(&m.State))
	c.U8((*uint8)(&m.Test))
	c.F64(&m.Value)
	c.band(&m.Band)
	c.F64(&m.Score)
	c.F64(&m.Peak)
	c.F64(&m.Worst)
	c.I64(&m.WorstT)
	c.band(&m.WorstBand)
	c.F64(&m.Maturity)
	c.F64(&m.SlopePerDay)
	c.I64(&m.LimitEta)
	codec.List(c.Coder, &m.Top, listMax, func(t *signal.Member) {
		c.Str(&t.Name)
		c.F64(&t.Value)
	})
	c.I64(&m.LastSeen)
	if c.Reads() && c.Err() == nil {
		m.Rule = c.rule(m.Name)
	}
}
