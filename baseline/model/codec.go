package model

// A model's bytes: one list of fields serves writing, reading and checking, so the three cannot differ.

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// version is the first byte of an encoded model. A model of another version is refused, never guessed at. Version 3 had no habits, and wider times.
const version = 4

// ErrEncoding is wrapped by every error of UnmarshalBinary: the bytes are not a model of this version, or hold values that no model has.
var ErrEncoding = errors.New("not an encoded model")

// AppendBinary appends m's bytes, always the same number of them, little-endian, beginning with a version.
func (m *Model) AppendBinary(dst []byte) []byte {
	c := codec{b: append(dst, version), write: true}
	c.model(m)
	return c.b
}

// UnmarshalBinary replaces m by the model in data, which then continues bit for bit as the one that was written.
// m is unchanged when an error is returned. data is not retained.
func (m *Model) UnmarshalBinary(data []byte) error {
	if len(data) == 0 || data[0] != version && data[0] != 3 {
		return fmt.Errorf("%w: unknown version", ErrEncoding)
	}
	c := codec{b: data[1:], before: data[0] == 3}
	var n Model
	c.model(&n)
	switch {
	case c.short:
		return fmt.Errorf("%w: %d bytes are too few", ErrEncoding, len(data))
	case len(c.b) != 0:
		return fmt.Errorf("%w: %d bytes too many", ErrEncoding, len(c.b))
	case c.bad || n.lent&^lentLevel > PriorMost || n.mode > 2 || n.state > Drifting || n.test > FlatTest || (n.hour >= 168 && n.hour != noHour) ||
		n.wander < 0 || n.b < 0 || n.q < 0 || n.d < 0 || n.step > stepMax || n.s < 0 || n.sigma < 0 || n.v <= 0 || n.vb <= 0 || n.weekUnit <= 0 || (n.flags&flagWarm == 0 && n.seen >= warmUp):
		return fmt.Errorf("%w: a value is out of range", ErrEncoding)
	}
	for i := range n.ext {
		if x := &n.ext[i]; x.top < 0 || x.wide < 0 {
			return fmt.Errorf("%w: an extreme is negative", ErrEncoding)
		}
	}
	for i := range n.tails {
		if n.tails[i].q <= 0 {
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
}

// take returns n bytes to fill or to read.
func (c *codec) take(n int) []byte {
	if c.write {
		k := len(c.b)
		c.b = append(c.b, make([]byte, n)...)
		return c.b[k:]
	}
	if len(c.b) < n {
		c.short = true
		c.b = nil
		return make([]byte, n)
	}
	t := c.b[:n]
	c.b = c.b[n:]
	return t
}

func (c *codec) u64(v *uint64) {
	if t := c.take(8); c.write {
		binary.LittleEndian.PutUint64(t, *v)
	} else {
		*v = binary.LittleEndian.Uint64(t)
	}
}

func (c *codec) i64(v *int64) {
	u := uint64(*v)
	c.u64(&u)
	*v = int64(u)
}

func (c *codec) f64(v *float64) {
	u := math.Float64bits(*v)
	c.u64(&u)
	*v = math.Float64frombits(u)
	if !finite(*v) {
		c.bad = true
	}
}

func (c *codec) u32(vs ...*uint32) {
	for _, v := range vs {
		if t := c.take(4); c.write {
			binary.LittleEndian.PutUint32(t, *v)
		} else {
			*v = binary.LittleEndian.Uint32(t)
		}
	}
}

func (c *codec) i32(vs ...*int32) {
	for _, v := range vs {
		u := uint32(*v)
		c.u32(&u)
		*v = int32(u)
	}
}

func (c *codec) f32(vs ...*float32) {
	for _, v := range vs {
		u := math.Float32bits(*v)
		c.u32(&u)
		*v = math.Float32frombits(u)
		if !finite(float64(*v)) {
			c.bad = true
		}
	}
}

func (c *codec) u16(vs ...*uint16) {
	for _, v := range vs {
		if t := c.take(2); c.write {
			binary.LittleEndian.PutUint16(t, *v)
		} else {
			*v = binary.LittleEndian.Uint16(t)
		}
	}
}

func (c *codec) u8(vs ...*uint8) {
	for _, v := range vs {
		if t := c.take(1); c.write {
			t[0] = *v
		} else {
			*v = t[0]
		}
	}
}

func (c *codec) i16s(vs []int16) {
	for i := range vs {
		u := uint16(vs[i])
		c.u16(&u)
		vs[i] = int16(u)
	}
}

func (c *codec) u8s(vs []uint8) {
	for i := range vs {
		c.u8(&vs[i])
	}
}

// model is the list. A new field goes to its group and raises version.
func (c *codec) model(m *Model) {
	c.i64(&m.last)
	if c.before {
		first, since, lived := int64(m.first)*1000, int64(m.since)*1000, int64(m.lived)*1000
		var prev float64
		c.i64(&first)
		c.i64(&since)
		c.f64(&m.s)
		c.f64(&prev)
		c.i64(&lived)
		m.first, m.since, m.prevX, m.lived = seconds(first), seconds(since), likeness(prev), seconds(lived)
	} else {
		c.f64(&m.s)
		c.u32(&m.first, &m.since, &m.prevX, &m.lived)
		for i := range m.habits {
			h := &m.habits[i]
			u := uint16(h.level)
			c.u16(&u)
			h.level = int16(u)
			c.u8(&h.at, &h.long, &h.day, &h.n)
		}
	}
	for i := range m.tails {
		t := &m.tails[i]
		c.f32(&t.q, &t.m1, &t.m2, &t.h, &t.llr, &t.a1, &t.ext, &t.m, &t.top, &t.med)
		c.u32(&t.on)
	}
	for i := range m.ext {
		x := &m.ext[i]
		c.f32(&x.mid, &x.wide, &x.top)
	}
	c.u8s(m.extN[:])
	c.f32(&m.wander)
	c.u16(&m.extL)
	c.u32(&m.seen, &m.step)
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
		c.u32(&m.altEnd)
		c.i16s(m.alt[:])
	}
	c.f32(&m.slope, &m.driftH, &m.spanH, &m.mute, &m.rec)
	c.i32(&m.b, &m.q, &m.d)
	c.u16(&m.hN, &m.bN, &m.qN, &m.dN, &m.run, &m.runMax, &m.streak[0], &m.streak[1], &m.stay[0], &m.stay[1], &m.evHits, &m.ceil)
	c.u8(&m.hour, &m.mode, &m.flags)
	if c.before {
		c.u8((*uint8)(&m.state), (*uint8)(&m.test))
	} else {
		stands := uint8(m.state) | uint8(m.test)<<4
		c.u8(&stands)
		m.state, m.test = State(stands&15), Test(stands>>4)
	}
	c.u8(&m.age)
	c.u8s(m.weekday[:])
	c.u8s(m.visits[:])
	c.u8s(m.scale[:])
	c.i16s(m.byHour[:])
	c.i16s(m.rings[:])
	for i := range m.byWeek {
		u := uint8(m.byWeek[i])
		c.u8(&u)
		m.byWeek[i] = int8(u)
	}
	c.u8(&m.lent)
}
