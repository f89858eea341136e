package sizes

import (
	"errors"
	"maps"
	"math"
	"slices"

	"github.com/wrackline/wrackline/baseline/codec"
)

// ErrState is returned by Restore for bytes that Append did not make, or that were damaged since.
var ErrState = errors.New("sizes of the checkpoint are damaged")

// stateVersion is the form of a book's section, as FORMAT.md draws it.
const stateVersion = 1

// nameMax bounds names and words of a state.
const nameMax = 1 << 16

// Append appends the book's complete state. A book that restores it learns the same from then on, to the bit.
func (b *Book) Append(dst []byte) []byte {
	x := coder{codec.Writing(dst)}
	x.book(b)
	return x.Bytes()
}

// Restore makes the book what it was when Append made data. It returns ErrState, and leaves the book as it was, when that cannot be.
func (b *Book) Restore(data []byte) error {
	x := coder{codec.Reading(data, ErrState)}
	fresh := NewBook()
	x.book(fresh)
	if x.Err() == nil && x.Left() > 0 {
		x.Fail()
	}
	if err := x.Err(); err != nil {
		return err
	}
	fresh.KindOf = b.KindOf
	*b = *fresh
	return nil
}

// coder walks over the fields of a book in one order for both directions.
type coder struct{ *codec.Coder }

func (x coder) number(v, most int) int {
	x.Num(&v)
	if v < -1 || v > most {
		x.Fail()
		v = 0
	}
	return v
}

func (x coder) u32(v *uint32) { *v = uint32(x.number(int(*v), math.MaxUint32)) }
func (x coder) u16(v *uint16) { *v = uint16(x.number(int(*v), math.MaxUint16)) }

func (x coder) real(v *float32) {
	x.F32(v)
	if *v-*v != 0 {
		x.Fail()
	}
}

func (x coder) i16(v *int16) {
	n := int(*v)
	x.Num(&n)
	if n != int(int16(n)) {
		x.Fail()
	}
	*v = int16(n)
}

func (x coder) i8(v *int8) {
	n := int16(*v)
	x.i16(&n)
	*v = int8(n)
}

func (x coder) book(b *Book) {
	if x.number(stateVersion, stateVersion) != stateVersion {
		x.Fail()
		return
	}
	x.u32(&b.now.at)
	x.u16(&b.now.week)
	x.u32(&b.began)
	x.u32(&b.swept)
	x.u32(&b.salt)
	x.I64(&b.Refused)
	if b.now.week >= weekMin {
		x.Fail()
	}
	codec.List(x.Coder, &b.containers, ContainersMax, x.container)
	codec.List(x.Coder, &b.cells, PodsMax+PodsMax/2, x.cell)
	codec.List(x.Coder, &b.free, len(b.cells), func(i *int32) { *i = int32(x.number(int(*i), len(b.cells)-1)) })
	x.facts(b)
	if x.Reads() && x.Err() == nil {
		x.relate(b)
	}
}

// relate makes what follows from what was read.
func (x coder) relate(b *Book) {
	for i := range b.containers {
		b.byKey[b.containers[i].Key] = int32(i)
	}
	unused := 0
	for i := range b.cells {
		c := &b.cells[i]
		if c.of < 0 {
			unused++
			continue
		}
		if int(c.of) >= len(b.containers) {
			x.Fail()
			return
		}
		b.containers[c.of].pods++
		b.byPod[podKey{c.of, c.pod}] = int32(i)
	}
	for _, i := range b.free {
		if i < 0 || b.cells[i].of >= 0 {
			x.Fail()
			return
		}
	}
	if len(b.byKey) != len(b.containers) || len(b.free) != unused || len(b.byPod)+unused != len(b.cells) {
		x.Fail()
	}
}

func (x coder) container(c *container) {
	x.Word(&c.Namespace)
	x.Word(&c.Workload)
	x.Word(&c.Container)
	x.Word(&c.kind)
	x.record(&c.record)
	x.set(&c.set)
	for i := range c.setAt {
		x.u32(&c.setAt[i])
	}
	c.counted = x.number(c.counted, math.MaxUint16)
	tried := c.trial != nil
	x.Flag(&tried)
	if !tried {
		return
	}
	if c.trial == nil {
		c.trial = &Trial{}
	}
	t := c.trial
	x.I64(&t.AtMs)
	x.set(&t.Was)
	x.set(&t.Now)
	t.Kills, t.KillsSince = x.number(t.Kills, math.MaxUint16), x.number(t.KillsSince, math.MaxInt32)
	x.F64(&t.Asked)
	x.F64(&t.Throttled)
}

func (x coder) set(s *Set) {
	for _, v := range []*float64{&s.Requests.CPU, &s.Requests.Memory, &s.Limits.CPU, &s.Limits.Memory} {
		x.F64(v)
	}
}

func (x coder) record(r *record) {
	for _, h := range []histogram{r.cpuHist(), r.memHist()} {
		for i := range h.counts {
			x.u16(&h.counts[i])
		}
		x.u16(h.top)
		x.U8(h.thin)
		if *h.thin >= 32 {
			x.Fail()
		}
	}
	for _, list := range [][]uint8{r.level[:], r.over[:], r.top[:]} {
		for i := range list {
			x.U8(&list[i])
		}
	}
	for i := range r.week {
		w := &r.week[i]
		x.real(&w.cpu)
		x.real(&w.mem)
		x.u16(&w.cpuAt)
		x.u16(&w.memAt)
	}
	for _, v := range []*uint32{&r.first, &r.last, &r.weekAt, &r.n, &r.killAt, &r.rolledAt, &r.movedAt} {
		x.u32(v)
	}
	for _, v := range []*float32{&r.sumCPU, &r.start[0].cpu, &r.start[0].mem, &r.start[1].cpu, &r.start[1].mem, &r.killLimit, &r.asked, &r.throttled, &r.growth} {
		x.real(v)
	}
	for _, v := range []*uint16{&r.starts, &r.kills, &r.runs} {
		x.u16(v)
	}
	for _, v := range []*uint8{&r.maxCPU, &r.maxMem, &r.grows, &r.nCPU, &r.n4} {
		x.U8(v)
	}
	x.i16(&r.sinceCPU)
	x.i16(&r.since4)
	x.i8(&r.moved)
	x.i8(&r.moved4)
}

func (x coder) cell(c *cell) {
	x.Str(&c.pod)
	c.of = int32(x.number(int(c.of), ContainersMax))
	x.u32(&c.born)
	x.u32(&c.last)
	x.u32(&c.dayAt)
	x.real(&c.floor)
	x.real(&c.prev)
	x.U8(&c.days)
	for i := range c.recent {
		x.real(&c.recent[i])
	}
}

// facts walks over what is told again and again.
func (x coder) facts(b *Book) {
	x.F64(&b.node.CPU)
	x.F64(&b.node.Memory)
	n := x.Count(len(b.scalers), nameMax)
	if x.Reads() {
		for ; n > 0 && x.Err() == nil; n-- {
			var k [2]string
			var v float64
			x.Word(&k[0])
			x.Word(&k[1])
			x.F64(&v)
			b.scalers[k] = v
		}
	} else {
		keys := slices.SortedFunc(maps.Keys(b.scalers), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
		for _, k := range keys {
			v := b.scalers[k]
			x.Word(&k[0])
			x.Word(&k[1])
			x.F64(&v)
		}
	}
	x.bounds(b.ranges)
	x.bounds(b.quotas)
}

func (x coder) bounds(m map[string]map[string]float64) {
	type bound struct {
		a, k string
		v    float64
	}
	var list []bound
	for _, a := range slices.Sorted(maps.Keys(m)) {
		for _, k := range slices.Sorted(maps.Keys(m[a])) {
			list = append(list, bound{a, k, m[a][k]})
		}
	}
	codec.List(x.Coder, &list, nameMax, func(o *bound) {
		x.Word(&o.a)
		x.Word(&o.k)
		x.F64(&o.v)
		if x.Reads() {
			put(m, o.a, o.k, o.v)
		}
	})
}
