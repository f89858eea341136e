package baseline

import (
	"errors"
	"maps"
	"slices"

	"github.com/wrackline/wrackline/baseline/change"
	"github.com/wrackline/wrackline/baseline/codec"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
)

// The last verdict of every signal as bytes, so that a restarted process shows at once what it knew:
//
//	"WLV3" | nowMs | count, (cluster, first window, windows)… | count | records | changes told | count | changes | (near, height, hours, alarms, extra, last) ×2
//	record: id | T | since | value | band ×3 | state, transition, test, seasonal | score | evidence | onset | maturity |
//	        slope | eta | seen | members | expected | count, (name, value)… | why | near miss | born, seen, gap
//
//	why:    scores ×7 | p | strict | excuse | hour | visits | clear ×2 | clear after
//
//	change: T | kind | cluster | object | from | to | count, (name, value)… | count, workload…
//
// The strings of changes are numbers: of one that was written before, or of the next, which follows. "WLV2" had no why, near misses and budgets.
//
// integers are zig-zag varints, floats 8 bytes little-endian, strings a length and bytes.
const viewMagic, viewMagic2 = "WLV3", "WLV2"

// topMax bounds the members that a verdict lists.
const topMax = 16

// ErrView is returned by RestoreView for bytes that AppendView cannot have written.
var ErrView = errors.New("verdicts of the checkpoint are damaged")

// AppendView appends the last verdict of every signal, for a checkpoint.
func (e *Engine) AppendView(dst []byte) []byte {
	return e.appendView(viewCoder{Coder: codec.Writing(append(dst, viewMagic...))})
}

func (e *Engine) appendView(c viewCoder) []byte {
	c.I64(&e.nowMs)
	clusters := len(e.first)
	c.Num(&clusters)
	for _, name := range slices.Sorted(maps.Keys(e.first)) {
		first := e.first[name]
		c.Str(&name)
		c.I64(&first)
		if !c.before {
			windows := e.windows[name]
			c.I64(&windows)
		}
	}
	n := int64(0)
	for b := range e.judged {
		if b.v.Signal != nil {
			n++
		}
	}
	c.I64(&n)
	for b := range e.judged {
		if b.v.Signal != nil {
			id := b.signal.ID
			c.Str(&id)
			c.verdict(&b.lastVerdict)
		}
	}
	c.I64(&e.changeSeq)
	c.changes(&e.changes)
	if !c.before {
		c.budgets(&e.budgets)
	}
	return c.Bytes()
}

// RestoreView puts back what AppendView gave. Verdicts of signals that the engine does not know are left out.
func (e *Engine) RestoreView(b []byte) error {
	if len(b) < len(viewMagic) || string(b[:len(viewMagic)]) != viewMagic && string(b[:len(viewMagic)]) != viewMagic2 {
		return ErrView
	}
	c := viewCoder{codec.Reading(b[len(viewMagic):], ErrView), string(b[:len(viewMagic)]) == viewMagic2}
	byID := map[string]*baseline{}
	for b := range e.judged {
		byID[b.signal.ID] = b
	}
	var now, n int64
	var clusters int
	c.I64(&now)
	c.Num(&clusters)
	first, windows := map[string]int64{}, map[string]int64{}
	for ; clusters > 0 && c.Err() == nil; clusters-- {
		var name string
		var t int64
		c.Str(&name)
		c.I64(&t)
		first[name] = t
		if !c.before {
			var n int64
			c.I64(&n)
			windows[name] = n
		}
	}
	c.I64(&n)
	for ; n > 0 && c.Err() == nil; n-- {
		var id string
		var l lastVerdict
		c.Str(&id)
		c.verdict(&l)
		if b := byID[id]; b != nil && c.Err() == nil {
			l.v.Signal, l.v.Borrowed = b.signal, b.model.Borrowed()
			b.lastVerdict = l
		}
	}
	var seq int64
	var told []change.Change
	c.I64(&seq)
	c.changes(&told)
	budgets := e.budgets
	if !c.before {
		c.budgets(&budgets)
	}
	if c.Err() != nil || c.Left() > 0 {
		return ErrView
	}
	e.changes, e.changeSeq = told, seq
	e.budgets = budgets
	e.first, e.windows = first, windows
	e.nowMs = max(e.nowMs, now)
	e.Publish()
	return nil
}

// viewCoder walks over the fields of a view in one order for both directions.
type viewCoder struct {
	*codec.Coder
	before bool // WLV2
}

func (c viewCoder) verdict(l *lastVerdict) {
	v := &l.v
	c.I64(&v.T)
	c.I64(&l.since)
	c.F64(&v.Value)
	c.F64(&v.Band.Lower)
	c.F64(&v.Band.Expected)
	c.F64(&v.Band.Upper)
	c.U8((*uint8)(&v.State))
	c.U8((*uint8)(&v.Transition))
	c.U8((*uint8)(&v.Test))
	c.U8((*uint8)(&v.Seasonal))
	c.F64(&v.Score)
	c.F64(&v.Evidence)
	c.I64(&v.Onset)
	c.F64(&v.Maturity)
	c.F64(&v.SlopePerDay)
	c.I64(&v.LimitEta)
	c.I64(&v.Seen)
	c.Num(&v.Members)
	c.Num(&v.Expected)
	codec.List(c.Coder, &l.top, topMax, func(m *signal.Member) {
		c.Str(&m.Name)
		c.F64(&m.Value)
	})
	if v.State > model.Absent {
		c.Fail()
	}
	if !c.before {
		c.why(&l.why)
		c.F32((*float32)(&l.near))
		c.I64(&l.cadence.born)
		c.I64(&l.cadence.seen)
		c.F32(&l.cadence.gap)
	}
}

func (c viewCoder) why(y *model.Why) {
	for i := range y.Scores {
		c.F32(&y.Scores[i])
	}
	c.F32(&y.P)
	c.F32(&y.Strict)
	c.U8((*uint8)(&y.Excuse))
	c.U8(&y.Hour)
	c.U8(&y.Visits)
	c.F64(&y.Clear.Lower)
	c.F64(&y.Clear.Upper)
	c.I64(&y.Clear.AfterMs)
	if y.Excuse > model.Young || y.Hour >= 168 {
		c.Fail()
	}
}

// budgets writes what is known for the budget. What is asked is the configuration's.
func (c viewCoder) budgets(list *[budgetKinds]model.Budget) {
	for k := range list {
		b := &list[k]
		for _, v := range []*float64{&b.Near, &b.Height, &b.Hours, &b.Alarms, &b.Extra} {
			c.F64(v)
			if !(*v >= 0 && *v < 1e12) {
				c.Fail()
			}
		}
		c.I64(&b.LastMs)
	}
}

func (c viewCoder) changes(list *[]change.Change) {
	codec.List(c.Coder, list, ChangesMax, func(x *change.Change) {
		c.I64(&x.T)
		c.Word((*string)(&x.Kind))
		c.Word(&x.Cluster)
		c.Word(&x.Object)
		c.Word(&x.From)
		c.Word(&x.To)
		codec.List(c.Coder, (*[]series.Label)(&x.Entity), series.LabelsMax, func(l *series.Label) {
			c.Word(&l.Name)
			c.Word(&l.Value)
		})
		codec.List(c.Coder, &x.Works, change.WorksMax, c.Word)
	})
}
