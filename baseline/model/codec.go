package model

// A model's bytes: one list of fields serves writing, reading and checking, so the three cannot differ.

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unsafe"
)

// version is the first byte of an encoded model. A model of another version is refused, never guessed at. Version 4 counted no events, had no ledger and did not remember how levels scattered; version 3 had no habits, and wider times.
const version = 5

// ErrEncoding is wrapped by every error of UnmarshalBinary: the bytes are not a model of this version, or hold values that no model has.
var ErrEncoding = errors.New("not an encoded model")

// AppendBinary appends m's bytes, always the same number of them, little-endian, beginning with a version.
func (m *Model) AppendBinary(dst []byte) []byte {
	c := codec{b: append(dst, version), write: true}
	c.model(m)
	return c.b
}

// UnmarshalBinary replaces m by the model in data, which then continues bit for bit as the one that was written. m is unchanged when an error is returned. data is not retained.
func (m *Model) UnmarshalBinary(data []byte) error {
	if len(data) == 0 || data[0] < 3 || data[0] > version {
		return fmt.Errorf("%w: unknown version", ErrEncoding)
	}
	c := codec{b: data[1:], before: data[0] == 3, bare: data[0] < 5}
	var n Model
	c.model(&n)
	switch {
	case c.short:
		return fmt.Errorf("%w: %d bytes are too few", ErrEncoding, len(data))
	case len(c.b) != 0:
		return fmt.Errorf("%w: %d bytes too many", ErrEncoding, len(c.b))
	case c.bad || n.lent&^lentLevel > PriorMost || n.mode > 2 || n.state > Drifting || n.test >= tests || (n.hour >= 168 && n.hour != noHour) ||
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

// codec walks over a model's fields, writing them to b or reading them from it.
type codec struct {
	b          []byte
	write      bool
	short, bad bool
	before     bool // version 3
	bare       bool // version 4 or before
}

// word writes the lower n bytes of v, or returns the next n; what lies above them is for the caller to drop.
func (c *codec) word(n int, v uint64) uint64 {
	if c.write {
		c.b = binary.LittleEndian.AppendUint64(c.b, v)[:len(c.b)+n]
		return v
	}
	if len(c.b) >= 8 {
		v = binary.LittleEndian.Uint64(c.b)
		c.b = c.b[n:]
		return v
	}
	return c.last(n)
}

// last reads where less than eight bytes are left.
func (c *codec) last(n int) (v uint64) {
	if len(c.b) < n {
		c.short, c.b = true, nil
		return 0
	}
	for i := range n {
		v |= uint64(c.b[i]) << (8 * i)
	}
	c.b = c.b[n:]
	return v
}

// ints walks over integers, each of as many bytes as it has in memory.
func ints[T ~int8 | ~uint8 | ~int16 | ~uint16 | ~int32 | ~uint32 | ~int64](c *codec, vs ...*T) {
	for _, v := range vs {
		*v = T(c.word(int(unsafe.Sizeof(*v)), uint64(*v)))
	}
}

// list walks over a list of integers.
func list[T int8 | uint8 | int16](c *codec, vs []T) {
	for i, v := range vs {
		vs[i] = T(c.word(int(unsafe.Sizeof(v)), uint64(v)))
	}
}

func (c *codec) f64(v *float64) {
	*v = math.Float64frombits(c.word(8, math.Float64bits(*v)))
	c.bad = c.bad || !finite(*v)
}

func (c *codec) f32(vs ...*float32) {
	for _, v := range vs {
		*v = math.Float32frombits(uint32(c.word(4, uint64(math.Float32bits(*v)))))
		c.bad = c.bad || !finite(float64(*v))
	}
}

// model is the list. A new field goes to its group and raises version.
func (c *codec) model(m *Model) {
	ints(c, &m.last)
	if c.before {
		first, since, lived := int64(m.first)*1000, int64(m.since)*1000, int64(m.lived)*1000
		var prev float64
		ints(c, &first)
		ints(c, &since)
		c.f64(&m.s)
		c.f64(&prev)
		ints(c, &lived)
		m.first, m.since, m.prevX, m.lived = seconds(first), seconds(since), likeness(prev), seconds(lived)
	} else {
		c.f64(&m.s)
		ints(c, &m.first, &m.since, &m.prevX, &m.lived)
		for i := range m.habits {
			h := &m.habits[i]
			ints(c, &h.Level)
			ints(c, &h.At, &h.Long, &h.Day, &h.N)
		}
	}
	for i := range m.tails {
		t := &m.tails[i]
		c.f32(&t.Q, &t.M1, &t.M2, &t.H, &t.LLR, &t.A1, &t.Ext, &t.Nats, &t.Top, &t.Med)
		ints(c, &t.On)
	}
	for i := range m.ext {
		x := &m.ext[i]
		c.f32(&x.Mid, &x.Wide, &x.Top)
	}
	list(c, m.extN[:])
	c.f32(&m.wander)
	ints(c, &m.extL)
	ints(c, &m.seen, &m.step)
	c.f32(&m.off[0], &m.off[1], &m.off[2], &m.mean, &m.quick, &m.err[0], &m.err[1], &m.err[2], &m.errH)
	c.f32(&m.sigma, &m.v, &m.cov, &m.gvar, &m.g, &m.vb, &m.hv, &m.weekUnit, &m.p0, &m.p00, &m.hit, &m.same)
	c.f32(&m.hSum, &m.hAbs, &m.hRes, &m.bSum, &m.bDev, &m.qSum, &m.dSum)
	c.f32(&m.cand, &m.candD, &m.candH)
	if c.before {
		alt, hours := float32(m.alt[0])*unit, float32(0)
		c.f32(&alt, &hours)
		if hours > 0 {
			m.alt, m.altEnd = [2]int16{pack(alt), 0}, seconds(m.last+int64(hours*hourMs))
		}
	} else {
		ints(c, &m.altEnd)
		list(c, m.alt[:])
	}
	c.f32(&m.slope, &m.driftH, &m.spanH, &m.mute, &m.rec)
	ints(c, &m.b, &m.q, &m.d)
	ints(c, &m.hN, &m.bN, &m.qN, &m.dN, &m.run, &m.runMax, &m.streak[0], &m.streak[1], &m.stay[0], &m.stay[1], &m.evHits, &m.ceil)
	ints(c, &m.hour, &m.mode, &m.flags)
	if c.before {
		ints(c, &m.state)
		ints(c, &m.test)
	} else {
		stands := uint8(m.state) | uint8(m.test)<<4
		ints(c, &stands)
		m.state, m.test = State(stands&15), Test(stands>>4)
	}
	ints(c, &m.age)
	list(c, m.weekday[:])
	list(c, m.visits[:])
	list(c, m.scale[:])
	list(c, m.byHour[:])
	list(c, m.rings[:])
	list(c, m.byWeek[:])
	ints(c, &m.lent)
	if !c.bare {
		c.counts(m)
		c.ledger(m)
		list(c, m.altSig[:])
	} else if !c.write {
		m.book.Clear()
	}
}

// counts walks over what is known of events by their number.
func (c *codec) counts(m *Model) {
	for i := range m.usually {
		t := &m.usually[i]
		c.f32(&t.Bad, &t.All)
		c.bad = c.bad || t.Bad < 0 || t.All < 0
	}
	r := &m.row
	c.f32(&r.Nats, &r.Peak, &r.Most, &r.Back, &r.Count, &r.Of)
	ints(c, &r.On)
	c.bad = c.bad || min(r.Nats, r.Peak, r.Most, r.Back, r.Count, r.Of) < 0
}

// ledger walks over what adaptation does not move.
func (c *codec) ledger(m *Model) {
	for i := range m.book.Days {
		ints(c, &m.book.Days[i].Low, &m.book.Days[i].High)
	}
	ints(c, &m.book.Now.Low, &m.book.Now.High)
	c.f32(&m.smooth, &m.life.Spent, &m.life.Least, &m.told.Far, &m.told.FarY)
	ints(c, &m.told.N)
}
