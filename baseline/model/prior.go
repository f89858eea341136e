package model

// What others of its kind know. A new signal need not be deaf while it gathers its first values: siblings that are mature say how much such
// a signal scatters, how heavy its tails are and what its days look like. They do not say where it stands: workloads differ in size, so the
// level comes from its own first windows, and nothing is borrowed when these do not look like the siblings'. Only where all siblings rest at
// the good end of a bounded range, as ratios of errors do, is the level borrowed too.

import (
	"math"

	"github.com/wrackline/wrackline/baseline/model/curve"
	"github.com/wrackline/wrackline/baseline/model/extreme"
	"github.com/wrackline/wrackline/baseline/model/ring"
	"github.com/wrackline/wrackline/baseline/model/tail"
	"github.com/wrackline/wrackline/baseline/model/trend"
)

// PriorMost is how many siblings are asked at most.
const PriorMost = 32

const (
	priorLeast  = 4   // siblings that make a prior
	priorLevel  = 8   // siblings that must agree before the level is borrowed
	priorAgeH   = 48. // hours that a sibling has learned, at least
	priorFreshH = 1.  // hours since its newest window, at most
	priorSettle = 10  // own windows that say where the signal stands
	priorWeight = 60  // windows of its own for which the siblings' word on scatter and tails counts
	priorRarity = 960 // … on how rare what is far out is, of which there are many among them: two thirds of a day
	priorFit    = 2.  // × the siblings' scatter that the first windows may have, and may move
	priorReach  = 6.  // × the siblings' scatter that one of them may be away
	priorBlocks = 16  // blocks behind the extremes of a sibling, at least
	priorExtN   = 12  // blocks for which its word on extremes counts
	lentLevel   = 0x80
)

// Mature reports whether others may learn from m at the moment t, Unix ms: it has seen two days, is up to date and not in alarm.
func (m *Model) Mature(t int64) bool {
	return m.flags&flagWarm != 0 && m.ageH() >= priorAgeH && !m.state.Alarm() && t-m.last <= priorFreshH*hourMs
}

// Asks reports whether m has still to find out what is normal, and might begin with what siblings know: call Borrow then.
func (m *Model) Asks() bool { return m.flags&flagWarm == 0 && (m.seen == 0 || m.seen >= priorSettle) }

// Lends reports whether signals with such parameters may learn from each other. Those that are usually zero have a law of their own, for which there is no prior.
func (p *Params) Lends() bool { return p.sane() && p.Mode != Event }

// Borrowed returns how many siblings m leans on; 0 = none, or no longer, since what it has seen itself outweighs them.
func (m *Model) Borrowed() int {
	if m.ageH() >= priorAgeH {
		return 0
	}
	return int(m.lent &^ lentLevel)
}

// weight is how many windows stand behind what m knows: its own, and so many more where siblings lent.
func (m *Model) weight(lent float64) float64 {
	if m.lent != 0 {
		return float64(m.seen) + lent
	}
	return float64(m.seen)
}

// Prior is what mature siblings know together. The zero value knows nothing.
type Prior struct {
	n      int          // siblings
	like   Model        // medians of what does not depend on the level
	rel    float64      // scatter as a share of the level, widened by how far siblings differ; 0 = unknown
	season uint8        // shape that they share, as Model.mode
	shape  [168]float64 // by hour of week, 1 = mean
	level  bool         // they agree on the level:
	s      float64      // its scale of asinh
	at     float64      // the level
	sigma  float64      // scatter there, on the scale
}

// Known reports whether there were enough siblings for anything to be borrowed.
func (pr *Prior) Known() bool { return pr.n > 0 }

// NewPrior asks the first PriorMost of siblings, which must be Mature and of the same rule. Nothing is kept of the slice. share says that
// the signal is a share of counted events, whose level may be borrowed; a machine that is busier than others is no news.
func NewPrior(p *Params, siblings []*Model, share bool) Prior {
	var pr Prior
	if !p.Lends() {
		return pr
	}
	var list []*Model
	for _, m := range siblings[:min(len(siblings), PriorMost)] {
		if int64(m.step) == p.StepMs && (!p.Extremes || min(m.extN[0], m.extN[4]) >= priorBlocks) {
			list = append(list, m)
		}
	}
	if len(list) < priorLeast {
		return pr
	}
	pr.n = len(list)
	pr.blend(list)
	pr.scatter(p, list)
	if p.Extremes && pr.rel > 0 {
		pr.extremes(list)
	}
	if share {
		pr.agree(p, list)
	}
	if pr.rel == 0 && !pr.level {
		return Prior{}
	}
	return pr
}

// middle returns the median of what f says of the models, and the median distance from it.
func middle(list []*Model, f func(*Model) float64) (mid, dev float64) {
	var buf [PriorMost]float64
	b := buf[:len(list)]
	for i, m := range list {
		b[i] = f(m)
	}
	mid = trend.Median(b)
	for i := range b {
		b[i] = math.Abs(b[i] - mid)
	}
	return mid, trend.Median(b)
}

// blend takes the medians of everything that is counted in sigmas.
func (pr *Prior) blend(list []*Model) {
	mid := func(f func(*Model) float32) float32 {
		v, _ := middle(list, func(m *Model) float64 { return float64(f(m)) })
		return float32(v)
	}
	l := &pr.like
	for i := range l.tails {
		t := &l.tails[i]
		t.Q = mid(func(m *Model) float32 { return m.tails[i].Q })
		t.M1 = mid(func(m *Model) float32 { return m.tails[i].M1 })
		t.M2 = mid(func(m *Model) float32 { return m.tails[i].M2 })
		t.H = mid(func(m *Model) float32 { return m.tails[i].H })
		t.LLR = mid(func(m *Model) float32 { return m.tails[i].LLR })
		t.A1 = mid(func(m *Model) float32 { return m.tails[i].A1 })
		t.Med = mid(func(m *Model) float32 { return m.tails[i].Med })
		t.Extend([]float64{tail.Fast, tail.Fast, tail.Block, tail.Block}[i])
	}
	l.v = mid(func(m *Model) float32 { return m.v })
	l.gvar = mid(func(m *Model) float32 { return m.gvar })
	l.cov = mid(func(m *Model) float32 {
		if m.gvar <= 0 {
			return 0
		}
		return m.cov / m.gvar
	}) * l.gvar
	l.vb = mid(func(m *Model) float32 { return m.vb })
	l.hv = mid(func(m *Model) float32 { s := max(m.sigma, minSig); return m.hv / (s * s) }) // in sigmas
	l.p0 = mid(func(m *Model) float32 { return m.p0 })
	l.p00 = mid(func(m *Model) float32 { return m.p00 })
	l.same = mid(func(m *Model) float32 { return m.same })
	l.runMax = uint16(mid(func(m *Model) float32 { return float32(m.runMax) }))
	for s := range l.stay {
		l.stay[s] = uint16(mid(func(m *Model) float32 { return float32(m.stay[s]) }))
	}
}

// extremes takes the laws of how far siblings go when nothing is wrong: in their own scatter, and as a share of their level. How far they wander is
// each one's own.
func (pr *Prior) extremes(list []*Model) {
	for i := range pr.like.ext[:5] {
		mid, dev := middle(list, func(m *Model) float64 {
			x := float64(m.ext[i].Mid)
			if i == 4 {
				_, level := m.share()
				x -= math.Log(max(math.Abs(level), 1e-300))
			}
			return x
		})
		wide, _ := middle(list, func(m *Model) float64 { return float64(m.ext[i].Wide) })
		pr.like.ext[i] = extreme.Law{Mid: float32(mid), Wide: float32(wide + .7*dev)}
		pr.like.extN[i] = priorExtN
	}
}

// share returns the scatter of m as a share of its level, and the level.
func (m *Model) share() (rel, level float64) {
	y := math.Abs(float64(m.off[0]))
	return float64(max(m.sigma, minSig)) / math.Tanh(y), m.x(y)
}

// week returns the shape of m by hour of the week as a multiple of its mean. ok is false when m uses none, or one that changes its sign.
func (m *Model) week(shape *[168]float64) (ok bool) {
	if m.mode == 0 {
		return false
	}
	sum := 0.
	for h := range shape {
		y := float64(m.byHour[h%24]) * unit
		if m.mode == 2 {
			y = m.cell(h, y)
		}
		shape[h] = m.x(y)
		sum += shape[h] / 168
	}
	for h := range shape {
		shape[h] /= sum
		if !(shape[h] > .02 && shape[h] < 50) {
			return false
		}
	}
	return true
}

// scatter finds how much siblings scatter for their size, and whether their days are alike.
func (pr *Prior) scatter(p *Params, list []*Model) {
	var sized []*Model
	for _, m := range list {
		if m.s > 0 && m.p0 < .02 && math.Abs(float64(m.off[0])) > .1 {
			sized = append(sized, m)
		}
	}
	if len(sized) < priorLeast || len(sized)*4 < len(list)*3 {
		return
	}
	ln, dev := middle(sized, func(m *Model) float64 { r, _ := m.share(); return math.Log(r) })
	pr.rel = math.Exp(ln + min(1.4826*dev, 1))
	if p.Season == NoSeason || p.Mode == Spread {
		return
	}
	var shapes [][168]float64
	weekly := 0
	for _, m := range sized {
		var s [168]float64
		if m.week(&s) {
			shapes = append(shapes, s)
			if m.mode == 2 {
				weekly++
			}
		}
	}
	if len(shapes) == 0 {
		return
	}
	// Where most have a shape and do not share it, the first minutes say nothing of the next hours: none of it is lent.
	rel := pr.rel
	if len(shapes)*2 > len(sized) {
		pr.rel = 0
	}
	var buf [PriorMost]float64
	sds := buf[:0]
	for _, s := range shapes {
		v := 0.
		for _, x := range s {
			v += (x - 1) * (x - 1) / 168
		}
		sds = append(sds, math.Sqrt(v))
	}
	sd := trend.Median(sds)
	if len(shapes) < priorLeast || len(shapes)*4 < len(sized)*3 {
		return
	}
	// Alike: what siblings differ in is small beside what they share.
	apart := 0.
	for h := range pr.shape {
		b := buf[:len(shapes)]
		for i := range shapes {
			b[i] = shapes[i][h]
		}
		pr.shape[h] = trend.Median(b)
		for i := range b {
			b[i] = math.Abs(b[i] - pr.shape[h])
		}
		d := 1.4826 * trend.Median(b)
		apart += d * d / 168
	}
	if apart = math.Sqrt(apart); apart > sd/3 {
		return
	}
	pr.season = 1
	if weekly*4 >= len(shapes)*3 {
		pr.season = 2
	}
	pr.rel = math.Hypot(rel, apart)
}

// agree finds whether all but few siblings rest at the good end of a bounded range, within what would be worth a message.
func (pr *Prior) agree(p *Params, list []*Model) {
	if len(list) < priorLevel || p.Mode != Level || p.Bad == Both || !finite(p.Min) || !finite(p.Max) {
		return
	}
	at := func(m *Model) float64 { return m.x(float64(m.off[0])) }
	level, _ := middle(list, at)
	end := p.Min
	if p.Bad == Down {
		end = p.Max
	}
	effect := max(p.EffectAbs, p.EffectRel*math.Abs(level))
	away := 0
	for _, m := range list {
		if x := at(m); math.Abs(x-level) > effect || math.Abs(x-end) > effect {
			away++
		}
	}
	if away*16 > len(list) || math.Abs(level-end) > effect {
		return
	}
	var scaled []*Model
	for _, m := range list {
		if m.s > 0 {
			scaled = append(scaled, m)
		}
	}
	pr.level, pr.at, pr.sigma = true, level, minSig
	if len(scaled) == 0 {
		return
	}
	pr.s, _ = middle(scaled, func(m *Model) float64 { return m.s })
	// Scatter in the unit: siblings differ in scale. Those that never moved have none, so the ones that did decide.
	d, dev := middle(scaled, func(m *Model) float64 {
		return m.s * math.Cosh(float64(m.off[0])) * float64(max(m.sigma, minSig))
	})
	d += 1.4826 * dev
	pr.sigma = clamp(d/(pr.s*math.Cosh(math.Asinh(level/pr.s))), minSig, 10)
}

// Borrow lets m begin with what siblings know, as soon as its own first windows allow, and reports whether it did. Call it before
// Observe while Asks says so. at is the end of the window that will be observed next.
func (m *Model) Borrow(p *Params, at Moment, pr *Prior) bool {
	if pr.n == 0 || !m.Asks() || !p.sane() || m.state.Alarm() {
		return false
	}
	if pr.level && m.seen == 0 {
		m.begin(p, pr, pr.s, pr.at, pr.sigma)
		m.lent |= lentLevel
		return true
	}
	if pr.rel == 0 || m.seen < priorSettle || m.flags&flagGap != 0 {
		return false
	}
	var xs [priorSettle]float64
	for i := range xs {
		xs[i] = ring.Kept(m.rings[:], int(m.seen)-priorSettle+i)
	}
	rel := pr.rel
	level, ok := trend.Stands(xs[:], priorReach*rel, priorFit*rel)
	if !ok {
		return false
	}
	size := math.Abs(level)
	m.begin(p, pr, size, level, rel*math.Tanh(math.Asinh(1)))
	if pr.season > 0 {
		m.takeShape(p, at, pr, level)
	}
	return true
}

// begin ends the gathering of first values: from here on m judges.
func (m *Model) begin(p *Params, pr *Prior, s, level, sigma float64) {
	l := &pr.like
	m.s = s
	m.flags |= flagWarm
	m.lent = uint8(pr.n)
	m.tails, m.v, m.cov, m.gvar, m.vb = l.tails, l.v, l.cov, l.gvar, l.vb
	m.p0, m.p00, m.same, m.runMax, m.stay = l.p0, l.p00, l.same, l.runMax, l.stay
	m.ext, m.extN = l.ext, l.extN
	m.ext[4].Mid += float32(math.Log(max(math.Abs(level), 1e-300)))
	for i := range m.rings {
		m.rings[i] = hole
	}
	y := float32(m.y(level))
	m.off[0], m.quick = y, y
	m.sigma = float32(max(sigma, minSig))
	m.hv = l.hv * m.sigma * m.sigma
	m.err = [3]float32{m.sigma, m.sigma, m.sigma}
}

// takeShape gives m the siblings' days, sized so that the present hour is at its own level. The days count as seen twice: the third day of
// its own weighs as much as they do.
func (m *Model) takeShape(p *Params, at Moment, pr *Prior, level float64) {
	a := phase(p, at) - .5
	if a < 0 {
		a += 168
	}
	i := int(a) % 168
	f := a - math.Floor(a)
	shape, day, mean := curve.Sized(pr.shape, pr.season == 1, i, f, level)
	for h := range day {
		m.byHour[h] = pack(float32(m.y(mean * day[h])))
	}
	m.mode = pr.season
	for i := range m.visits {
		m.visits[i] = 0x22
	}
	m.flags |= flagReady
	if pr.season == 2 {
		for h, x := range shape {
			m.setCell(h, float32(m.y(mean*x))-float32(m.byHour[h%24])*unit)
		}
		for i := range m.weekday {
			m.weekday[i] = 1
		}
		m.errH, m.err[2] = 2, m.err[1]/2 // the week has proved itself elsewhere
	}
	m.setMean()
}
