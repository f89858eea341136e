package baseline

import (
	"bytes"
	"errors"
	"slices"

	"github.com/wrackline/wrackline/baseline/change"
	"github.com/wrackline/wrackline/baseline/codec"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/model/budget"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
)

// What is known of a cluster's signals besides their models, as bytes, so that a restarted process shows at once what it knew:
//
//	"WLV6" | nowMs | first window | windows | pace ×6 | count | records | changes told | count | changes | (near, height, hours, alarms, extra, last) ×2
//	record: id | T | since | value | band ×3 | state, transition, test, seasonal | score | evidence | onset | maturity |
//	        slope | eta | seen | members | expected | count, (name, value)… | why | near miss | born, seen, gap
//
// (pace: see late.go, numbers)
//
//	why:    scores ×8 | p | strict | excuse | hour | visits | clear ×2 | clear after
//
//	change: T | kind | cluster | object | from | to | count, (name, value)… | count, workload…
//
// The strings of changes are numbers: of one that was written before, or of the next, which follows. "WLV5" had no score of counted events; "WLV4" had no pace; "WLV3" was of all clusters, with
// count, (cluster, first window, windows)… in their place; "WLV2" had no why, near misses and budgets.
//
// integers are zig-zag varints, floats 8 bytes little-endian, strings a length and bytes.
const viewMagic, viewNewest, viewOldest = "WLV", 6, 2

// topMax bounds the members that a verdict lists.
const topMax = 16

// ErrView is returned by Restore for a section that Sections cannot have given.
var ErrView = errors.New("verdicts of the checkpoint are damaged")

// appendView appends what is known of the cluster's signals besides their models, and of the cluster.
func (c *cluster) appendView(dst []byte) []byte { return c.appendViewAs(dst, viewNewest) }

// appendViewAs is appendView as programs of a format from 4 on wrote it.
func (c *cluster) appendViewAs(dst []byte, format int) []byte {
	x := viewCoder{codec.Writing(append(append(dst, viewMagic...), byte('0'+format))), format}
	c.writeView(x, func() bool { return true })
	return x.Bytes()
}

// writeView writes the view, and calls pause between slices of it, first behind what changes with every request. It goes no further once pause has returned false.
func (c *cluster) writeView(x viewCoder, pause func() bool) {
	now := c.e.nowMs
	x.I64(&now)
	if !pause() {
		return
	}
	x.I64(&c.first)
	x.I64(&c.windows)
	if x.format >= 5 {
		for _, p := range c.pace.numbers() {
			x.I64(p)
		}
	}
	n, i := int64(0), 0
	for b := range c.judged {
		if i++; i%(16*sliceSignals) == 0 && !pause() {
			return
		}
		if b.v.Signal != nil {
			n++
		}
	}
	x.I64(&n)
	for b := range c.judged {
		if i%sliceSignals == 0 && !pause() {
			return
		}
		i++
		if b.v.Signal != nil {
			id := b.signal.ID
			x.Str(&id)
			x.verdict(&b.lastVerdict)
		}
	}
	x.I64(&c.changeSeq)
	x.changes(&c.changes)
	x.budgets(&c.budgets)
}

// restoreView puts back what appendView gave, and returns the receive clock of then. Verdicts of signals that the cluster does not know are left out. The views of older programs
// are of all clusters.
func (c *cluster) restoreView(b []byte) (now int64, err error) {
	rest, ok := bytes.CutPrefix(b, []byte(viewMagic))
	if !ok || len(rest) == 0 || rest[0] < '0'+viewOldest || rest[0] > '0'+viewNewest {
		return 0, ErrView
	}
	x := viewCoder{codec.Reading(rest[1:], ErrView), int(rest[0] - '0')}
	byID := map[string]*baseline{}
	for b := range c.judged {
		byID[b.signal.ID] = b
	}
	x.I64(&now)
	var first, windows, n, seq int64
	of := x.format >= 4 // of this cluster alone
	if of {
		x.I64(&first)
		x.I64(&windows)
	} else {
		first, windows = x.oldClusters(c.name)
	}
	var late pace
	if x.format >= 5 {
		for _, p := range late.numbers() {
			x.I64(p)
		}
	}
	x.I64(&n)
	for ; n > 0 && x.Err() == nil; n-- {
		var id string
		var l lastVerdict
		x.Str(&id)
		x.verdict(&l)
		if b := byID[id]; b != nil && x.Err() == nil {
			l.v.Signal, l.v.Borrowed = b.signal, b.model.Borrowed()
			b.lastVerdict = l
		}
	}
	var told []change.Change
	x.I64(&seq)
	x.changes(&told)
	budgets := c.budgets
	if x.format > 2 {
		x.budgets(&budgets)
	}
	if x.Err() != nil || x.Left() > 0 || now < 0 || first < 0 || windows < 0 {
		return 0, ErrView
	}
	if !of {
		told = slices.DeleteFunc(told, func(t change.Change) bool { return t.Cluster != c.name })
	}
	c.changes, c.changeSeq, c.budgets, c.first, c.windows, c.pace = told, seq, budgets, first, windows, late
	c.share()
	return now, nil
}

// oldClusters reads the list of clusters of a view of all of them, and returns what it says of one.
func (c viewCoder) oldClusters(name string) (first, windows int64) {
	var clusters int
	c.Num(&clusters)
	for ; clusters > 0 && c.Err() == nil; clusters-- {
		var of string
		var f, w int64
		c.Str(&of)
		c.I64(&f)
		if c.format > 2 {
			c.I64(&w)
		}
		if of == name {
			first, windows = f, w
		}
	}
	return first, windows
}

// viewCoder walks over the fields of a view in one order for both directions.
type viewCoder struct {
	*codec.Coder
	format int // 6 for WLV6
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
	if c.format > 2 {
		c.why(&l.why)
		c.F32((*float32)(&l.near))
		c.I64(&l.cadence.born)
		c.I64(&l.cadence.seen)
		c.F32(&l.cadence.gap)
	}
}

func (c viewCoder) why(y *model.Why) {
	scores := y.Scores[:]
	if c.format < 6 {
		scores = scores[:model.CountTest]
	}
	for i := range scores {
		c.F32(&scores[i])
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
func (c viewCoder) budgets(list *[budgetKinds]budget.Budget) {
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
