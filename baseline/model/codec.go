package model

// A model's bytes: one list of fields serves writing, reading and checking, so the three cannot differ.

import (
	"errors"
	"fmt"

	"github.com/wrackline/wrackline/baseline/model/field"
)

// version is the first byte of an encoded model. A model of another version is refused, never guessed at. Version 5 did not know how far a band
// leaned as a row began; version 4 counted no events, had no ledger and did not remember how levels scattered; version 3 had no habits, and wider times.
const version = 6

// ErrEncoding is wrapped by every error of UnmarshalBinary: the bytes are not a model of this version, or hold values that no model has.
var ErrEncoding = errors.New("not an encoded model")

// AppendBinary appends m's bytes, always the same number of them, little-endian, beginning with a version.
func (m *Model) AppendBinary(dst []byte) []byte {
	c := codec{Walker: field.Walker{B: append(dst, version), Write: true}, from: version}
	c.model(m)
	return c.B
}

// UnmarshalBinary replaces m by the model in data, which then continues bit for bit as the one that was written. m is unchanged when an error is returned. data is not retained.
func (m *Model) UnmarshalBinary(data []byte) error {
	if len(data) == 0 || data[0] < 3 || data[0] > version {
		return fmt.Errorf("%w: unknown version", ErrEncoding)
	}
	c := codec{Walker: field.Walker{B: data[1:]}, from: data[0]}
	var n Model
	c.model(&n)
	switch {
	case c.Short:
		return fmt.Errorf("%w: %d bytes are too few", ErrEncoding, len(data))
	case len(c.B) != 0:
		return fmt.Errorf("%w: %d bytes too many", ErrEncoding, len(c.B))
	case c.Bad || n.lent&^lentLevel > PriorMost || n.mode > 2 || n.state > Drifting || n.test >= tests || (n.hour >= 168 && n.hour != noHour) ||
		n.wander < 0 || !n.book.Sound() || n.b < 0 || n.q < 0 || n.d < 0 || n.step > stepMax || n.s < 0 || n.sigma < 0 || n.v <= 0 || n.vb <= 0 || n.weekUnit <= 0 || (n.flags&flagWarm == 0 && n.seen >= warmUp):
		return fmt.Errorf("%w: a value is out of range", ErrEncoding)
	}
	for i := range n.ext {
		if x := &n.ext[i]; x.Top < 0 || x.Wide < 0 {
			return fmt.Errorf("%w: an extreme is negative", ErrEncoding)
		}
	}
	for i := range n.tails {
		if n.tails[i].Q <= 0 {
			return fmt.Errorf("%w: a quantile is not positive", ErrEncoding)
		}
	}
	*m = n
	return nil
}

// codec walks over a model's fields.
type codec struct {
	field.Walker
	from uint8 // the version that is read
}

// model is the list. A new field goes to its group and raises version.
func (c *codec) model(m *Model) {
	field.Ints(&c.Walker, &m.last)
	if c.from == 3 {
		first, since, lived := int64(m.first)*1000, int64(m.since)*1000, int64(m.lived)*1000
		var prev float64
		field.Ints(&c.Walker, &first)
		field.Ints(&c.Walker, &since)
		c.F64(&m.s)
		c.F64(&prev)
		field.Ints(&c.Walker, &lived)
		m.first, m.since, m.prevX, m.lived = seconds(first), seconds(since), field.Likeness(prev), seconds(lived)
	} else {
		c.F64(&m.s)
		field.Ints(&c.Walker, &m.first, &m.since, &m.prevX, &m.lived)
		for i := range m.habits {
			h := &m.habits[i]
			field.Ints(&c.Walker, &h.Level)
			field.Ints(&c.Walker, &h.At, &h.Long, &h.Day, &h.N)
		}
	}
	for i := range m.tails {
		t := &m.tails[i]
		c.F32(&t.Q, &t.M1, &t.M2, &t.H, &t.LLR, &t.A1, &t.Ext, &t.Nats, &t.Top, &t.Med)
		field.Ints(&c.Walker, &t.On)
	}
	for i := range m.ext {
		x := &m.ext[i]
		c.F32(&x.Mid, &x.Wide, &x.Top)
	}
	field.List(&c.Walker, m.extN[:])
	c.F32(&m.wander)
	field.Ints(&c.Walker, &m.extL)
	field.Ints(&c.Walker, &m.seen, &m.step)
	c.F32(&m.off[0], &m.off[1], &m.off[2], &m.mean, &m.quick, &m.err[0], &m.err[1], &m.err[2], &m.errH)
	c.F32(&m.sigma, &m.v, &m.cov, &m.gvar, &m.g, &m.vb, &m.hv, &m.weekUnit, &m.p0, &m.p00, &m.hit, &m.same)
	c.F32(&m.hSum, &m.hAbs, &m.hRes, &m.bSum, &m.bDev, &m.qSum, &m.dSum)
	c.F32(&m.cand, &m.candD, &m.candH)
	if c.from == 3 {
		alt, hours := float32(m.alt[0])*unit, float32(0)
		c.F32(&alt, &hours)
		if hours > 0 {
			m.alt, m.altEnd = [2]int16{pack(alt), 0}, seconds(m.last+int64(hours*hourMs))
		}
	} else {
		field.Ints(&c.Walker, &m.altEnd)
		field.List(&c.Walker, m.alt[:])
	}
	c.F32(&m.slope, &m.driftH, &m.spanH, &m.mute, &m.rec)
	field.Ints(&c.Walker, &m.b, &m.q, &m.d)
	field.Ints(&c.Walker, &m.hN, &m.bN, &m.qN, &m.dN, &m.run, &m.runMax, &m.streak[0], &m.streak[1], &m.stay[0], &m.stay[1], &m.evHits, &m.ceil)
	field.Ints(&c.Walker, &m.hour, &m.mode, &m.flags)
	if c.from == 3 {
		field.Ints(&c.Walker, &m.state)
		field.Ints(&c.Walker, &m.test)
	} else {
		stands := uint8(m.state) | uint8(m.test)<<4
		field.Ints(&c.Walker, &stands)
		m.state, m.test = State(stands&15), Test(stands>>4)
	}
	field.Ints(&c.Walker, &m.age)
	field.List(&c.Walker, m.weekday[:])
	field.List(&c.Walker, m.visits[:])
	field.List(&c.Walker, m.scale[:])
	field.List(&c.Walker, m.byHour[:])
	field.List(&c.Walker, m.rings[:])
	field.List(&c.Walker, m.byWeek[:])
	field.Ints(&c.Walker, &m.lent)
	if c.from >= 5 {
		c.counts(m)
		c.ledger(m)
		field.List(&c.Walker, m.altSig[:])
	} else if !c.Write {
		m.book.Clear()
	}
	if c.from >= 6 {
		field.Ints(&c.Walker, &m.lean)
	}
}

// counts walks over what is known of events by their number.
func (c *codec) counts(m *Model) {
	for i := range m.usually {
		t := &m.usually[i]
		c.F32(&t.Bad, &t.All)
		c.Bad = c.Bad || t.Bad < 0 || t.All < 0
	}
	r := &m.row
	c.F32(&r.Nats, &r.Peak, &r.Most, &r.Back, &r.Count, &r.Of)
	field.Ints(&c.Walker, &r.On)
	c.Bad = c.Bad || min(r.Nats, r.Peak, r.Most, r.Back, r.Count, r.Of) < 0
}

// ledger walks over what adaptation does not move.
func (c *codec) ledger(m *Model) {
	for i := range m.book.Days {
		field.Ints(&c.Walker, &m.book.Days[i].Low, &m.book.Days[i].High)
	}
	field.Ints(&c.Walker, &m.book.Now.Low, &m.book.Now.High)
	c.F32(&m.smooth, &m.life.Spent, &m.life.Least, &m.told.Far, &m.told.FarY)
	field.Ints(&c.Walker, &m.told.Way, &m.told.N)
}
