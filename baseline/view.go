package baseline

import (
	"encoding/binary"
	"errors"
	"maps"
	"math"
	"slices"

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

// ErrView is returned by RestoreView for bytes that AppendView cannot have written.
var ErrView = errors.New("verdicts of the checkpoint are damaged")

// AppendView appends the last verdict of every signal, for a checkpoint.
func (e *Engine) AppendView(dst []byte) []byte {
	c := viewCodec{b: append(dst, viewMagic...), write: true}
	return e.appendView(&c)
}

func (e *Engine) appendView(c *viewCodec) []byte {
	c.i64(&e.nowMs)
	clusters := len(e.first)
	c.num(&clusters)
	for _, name := range slices.Sorted(maps.Keys(e.first)) {
		first := e.first[name]
		c.str(&name)
		c.i64(&first)
		if !c.before {
			windows := e.windows[name]
			c.i64(&windows)
		}
	}
	n := int64(0)
	for b := range e.judged {
		if b.v.Signal != nil {
			n++
		}
	}
	c.i64(&n)
	for b := range e.judged {
		if b.v.Signal != nil {
			id := b.signal.ID
			c.str(&id)
			c.verdict(&b.lastVerdict)
		}
	}
	c.i64(&e.changeSeq)
	c.changes(&e.changes)
	if !c.before {
		c.budgets(&e.budgets)
	}
	return c.b
}

// RestoreView puts back what AppendView gave. Verdicts of signals that the engine does not know are left out.
func (e *Engine) RestoreView(b []byte) error {
	if len(b) < len(viewMagic) || string(b[:len(viewMagic)]) != viewMagic && string(b[:len(viewMagic)]) != viewMagic2 {
		return ErrView
	}
	c := viewCodec{b: b[len(viewMagic):], before: string(b[:len(viewMagic)]) == viewMagic2}
	byID := map[string]*baseline{}
	for b := range e.judged {
		byID[b.signal.ID] = b
	}
	var now, n int64
	var clusters int
	c.i64(&now)
	c.num(&clusters)
	first, windows := map[string]int64{}, map[string]int64{}
	for ; clusters > 0 && !c.bad; clusters-- {
		var name string
		var t int64
		c.str(&name)
		c.i64(&t)
		first[name] = t
		if !c.before {
			var n int64
			c.i64(&n)
			windows[name] = n
		}
	}
	c.i64(&n)
	for ; n > 0 && !c.bad; n-- {
		var id string
		var l lastVerdict
		c.str(&id)
		c.verdict(&l)
		if b := byID[id]; b != nil && !c.bad {
			l.v.Signal, l.v.Borrowed = b.signal, b.model.Borrowed()
			b.lastVerdict = l
		}
	}
	var seq int64
	var told []signal.Change
	c.i64(&seq)
	c.changes(&told)
	budgets := e.budgets
	if !c.before {
		c.budgets(&budgets)
	}
	if c.bad || len(c.b) > 0 {
		return ErrView
	}
	e.changes, e.changeSeq = told, seq
	e.budgets = budgets
	e.first, e.windows = first, windows
	e.nowMs = max(e.nowMs, now)
	e.Publish()
	return nil
}

// viewCodec walks over the fields in one order for both directions.
type viewCodec struct {
	b      []byte
	write  bool
	bad    bool
	before bool // WLV2

	number map[string]int // of words, when writing
	words  []string       // by number, when reading
}

func (c *viewCodec) i64(v *int64) {
	if c.write {
		c.b = binary.AppendVarint(c.b, *v)
		return
	}
	x, n := binary.Varint(c.b)
	if n <= 0 {
		c.bad, c.b = true, nil
		return
	}
	*v, c.b = x, c.b[n:]
}

func (c *viewCodec) num(v *int) {
	x := int64(*v)
	c.i64(&x)
	*v = int(x)
}

func (c *viewCodec) f64(v *float64) {
	if c.write {
		c.b = binary.LittleEndian.AppendUint64(c.b, math.Float64bits(*v))
		return
	}
	if len(c.b) < 8 {
		c.bad, c.b = true, nil
		return
	}
	*v, c.b = math.Float64frombits(binary.LittleEndian.Uint64(c.b)), c.b[8:]
}

func (c *viewCodec) u8(v *uint8) {
	x := int64(*v)
	c.i64(&x)
	*v = uint8(x)
}

func (c *viewCodec) str(v *string) {
	n := len(*v)
	c.num(&n)
	if c.write {
		c.b = append(c.b, *v...)
		return
	}
	if n < 0 || n > len(c.b) {
		c.bad, c.b = true, nil
		return
	}
	*v, c.b = string(c.b[:n]), c.b[n:]
}

func (c *viewCodec) verdict(l *lastVerdict) {
	v := &l.v
	c.i64(&v.T)
	c.i64(&l.since)
	c.f64(&v.Value)
	c.f64(&v.Band.Lower)
	c.f64(&v.Band.Expected)
	c.f64(&v.Band.Upper)
	c.u8((*uint8)(&v.State))
	c.u8((*uint8)(&v.Transition))
	c.u8((*uint8)(&v.Test))
	c.u8((*uint8)(&v.Seasonal))
	c.f64(&v.Score)
	c.f64(&v.Evidence)
	c.i64(&v.Onset)
	c.f64(&v.Maturity)
	c.f64(&v.SlopePerDay)
	c.i64(&v.LimitEta)
	c.i64(&v.Seen)
	c.num(&v.Members)
	c.num(&v.Expected)
	n := len(l.top)
	c.num(&n)
	if n < 0 || n > 16 || v.State > model.Absent {
		c.bad, c.b = true, nil
		return
	}
	if !c.write {
		l.top = make([]signal.Member, n)
	}
	for i := range l.top {
		c.str(&l.top[i].Name)
		c.f64(&l.top[i].Value)
	}
	if !c.before {
		c.why(&l.why)
		c.f32((*float32)(&l.near))
		c.i64(&l.cadence.born)
		c.i64(&l.cadence.seen)
		c.f32(&l.cadence.gap)
	}
}

func (c *viewCodec) why(y *model.Why) {
	for i := range y.Scores {
		c.f32(&y.Scores[i])
	}
	c.f32(&y.P)
	c.f32(&y.Strict)
	c.u8((*uint8)(&y.Excuse))
	c.u8(&y.Hour)
	c.u8(&y.Visits)
	c.f64(&y.Clear.Lower)
	c.f64(&y.Clear.Upper)
	c.i64(&y.Clear.AfterMs)
	if y.Excuse > model.Young || y.Hour >= 168 {
		c.bad, c.b = true, nil
	}
}

// budgets writes what is known for the budget. What is asked is the configuration's.
func (c *viewCodec) budgets(list *[budgetKinds]model.Budget) {
	for k := range list {
		b := &list[k]
		for _, v := range []*float64{&b.Near, &b.Height, &b.Hours, &b.Alarms, &b.Extra} {
			c.f64(v)
			if !(*v >= 0 && *v < 1e12) {
				c.bad, c.b = true, nil
			}
		}
		c.i64(&b.LastMs)
	}
}

func (c *viewCodec) f32(v *float32) {
	x := int64(math.Float32bits(*v))
	c.i64(&x)
	*v = math.Float32frombits(uint32(x))
}

// word writes a string that comes often.
func (c *viewCodec) word(v *string) {
	if c.write {
		n, ok := c.number[*v]
		if !ok {
			if c.number == nil {
				c.number = map[string]int{}
			}
			n = len(c.number)
			c.number[*v] = n
		}
		c.num(&n)
		if !ok {
			c.str(v)
		}
		return
	}
	var n int
	c.num(&n)
	switch {
	case n < 0 || n > len(c.words):
		c.bad, c.b = true, nil
	case n == len(c.words):
		c.str(v)
		c.words = append(c.words, *v)
	default:
		*v = c.words[n]
	}
}

// count writes how many things of at least one byte follow, at most limit.
func (c *viewCodec) count(n, limit int) int {
	c.num(&n)
	if n < 0 || n > limit || !c.write && n > len(c.b) {
		c.bad, c.b = true, nil
		return 0
	}
	return n
}

func (c *viewCodec) changes(list *[]signal.Change) {
	n := c.count(len(*list), ChangesMax)
	if !c.write && n > 0 {
		*list = make([]signal.Change, n)
	}
	for i := 0; i < n && !c.bad; i++ {
		x := &(*list)[i]
		c.i64(&x.T)
		c.word((*string)(&x.Kind))
		c.word(&x.Cluster)
		c.word(&x.Object)
		c.word(&x.From)
		c.word(&x.To)
		labels := c.count(len(x.Entity), series.LabelsMax)
		if !c.write && labels > 0 {
			x.Entity = make(series.Labels, labels)
		}
		for j := 0; j < labels && !c.bad; j++ {
			c.word(&x.Entity[j].Name)
			c.word(&x.Entity[j].Value)
		}
		works := c.count(len(x.Works), signal.ChangeWorksMax)
		if !c.write && works > 0 {
			x.Works = make([]string, works)
		}
		for j := 0; j < works && !c.bad; j++ {
			c.word(&x.Works[j])
		}
	}
}
