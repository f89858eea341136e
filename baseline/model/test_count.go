package model

// The count test: of a few events too many went wrong, or too few arrived. A window of ten requests says nothing by its value; a row of them does by their number.
//
//	shares  each window of n events, k of them bad, is a bet that the share is √p instead of p, the usual one of windows with about as many
//	rates   each window of which λ events were to be expected is a bet that four in five are missing
//	m ← clamp(m + ln bet, 0, 3 · need)      need = max(threshold, 2 · the most that was harmless)      score = m / need
//
// See package counts for the bets. Of shares it judges windows with fewer than Params.Least events, which nothing else can judge, and those of a signal whose
// scale is not yet fixed. Where somebody is hurt it also judges the windows with more, and bets on half: at whatever age, and whatever the tails have come to take
// for usual, most requests failing is news. Of rates it judges where the smallest effect is more than what is expected less EffectRel of it, so that the tails never speak.
//
// It is heard once the row has Persist windows and, over all of them, is worth a message: a share further from the usual one than the smallest effect, of Params.Worth bad
// events or more; as many missing as the smallest effect makes in one window. It is over when the same bet, turned round, says that what is usual is back.

import (
	"math"

	"github.com/wrackline/wrackline/baseline/model/counts"
	"github.com/wrackline/wrackline/baseline/model/field"
)

const (
	backNats   = 7.       // evidence that a row is over: one in a thousand
	tauShareH  = 72.      // hours over which shares are forgotten
	tauMostH   = 42 * 24. // … and what was harmless, half of the age at first
	gravest    = .5       // share that the bet is on where the tails judge too
	countFromH = 48.      // hours before arrivals are expected: the second night is still new
	countDoubt = 1.5      // × the evidence until then: how failures come in heaps is not known yet
	countYoung = 50       // × the threshold: what may be harmless until then
	shareFrom  = warmUp   // events before a share is known
	friday     = 4 * 24   // hour of the week; somewhere the weekend begins then
)

// few reports whether a share is of too few events for its value to be judged.
func (p *Params) few() bool { return p.Trials > 0 && p.Trials < p.Least }

// shares reports whether the events behind a share are counted.
func (p *Params) shares() bool { return p.Trials > 0 && !p.Extremes }

// count gathers a window's evidence, and speaks of the row that it is in.
func (m *Model) count(p *Params, q *prediction, l *lesson, w *voice) {
	switch {
	case p.shares():
		m.countShare(p, l, w)
	case p.PerUnit > 0 && p.Bad != Up && !p.Extremes:
		m.countRate(p, q, l, w)
	}
	age := max(m.ageH(), float64(m.last/1000-int64(m.first))/3600)
	m.row.Fade(l.dt / clamp(age/2, dayH, tauMostH))
}

// countShare weighs a window of Params.Trials events.
func (m *Model) countShare(p *Params, l *lesson, w *voice) {
	n := p.Trials
	k := clamp(l.v, 0, 1) * n
	usual := m.usually.Usual(n)
	bet := max(math.Sqrt(usual), min(2*usual, (1+usual)/2))
	if !p.few() {
		bet = max(bet, gravest)
	}
	l.counted, l.again = true, m.row.Again(k, n, usual)
	known := m.usually.Known() >= shareFrom
	if l.known && m.test != CountTest {
		m.row.Drop()
	} else {
		m.weigh(p, l, counts.Fails(k, n, usual, bet), k, n)
		bad, all := float64(m.row.Count), float64(m.row.Of)
		if known && (p.few() || p.Grave || m.flags&flagWarm == 0) && bad-usual*all >= all*max(p.EffectAbs, p.EffectRel*usual)*l.gross && bad >= max(p.Worth, 1) {
			m.speak(p, l, High, w)
		}
	}
	r := 1.
	switch {
	case m.state.Alarm():
		r = 0
	case known && float64(m.row.Nats) > l.threshold/2:
		r = .2
	}
	m.usually.Learn(k, n, l.dt/tauShareH, r)
}

// countRate weighs a window of which few arrivals were to be expected.
func (m *Model) countRate(p *Params, q *prediction, l *lesson, w *voice) {
	x := m.leastExpected(q)
	if l.age < countFromH {
		x = max(m.x(q.yhat), 0) // no hours are known, and nothing is told
	}
	want, k := x*p.PerUnit, max(l.v, 0)*p.PerUnit
	rests := q.how >= friday && l.age < 8*dayH && m.byWeek[q.how] == noCell && (p.Season == Auto || p.Season == Weekly)
	begins := l.age >= countFromH && l.age-l.dt < countFromH
	if l.counted = (1-p.EffectRel)*x < p.EffectAbs; !l.counted || (l.known || rests || begins) && m.test != CountTest {
		if m.test != CountTest {
			m.row.Drop()
		}
		return
	}
	l.again = m.row.Arrive(k, want)
	m.weigh(p, l, counts.Lost(k, want), k, want)
	if missing := float64(m.row.Of - m.row.Count); missing >= p.EffectAbs*p.PerUnit && missing >= p.EffectRel*float64(m.row.Of) && l.age >= countFromH {
		m.speak(p, l, Low, w)
	}
	if m.row.Nats > 0 && m.row.Back <= 0 { // the band of a row is narrower than that of one window
		q.band.Lower = max(q.band.Lower, x*(1-3/math.Sqrt(max(float64(m.row.Of), 9))))
	}
}

// leastExpected is the least that is to be expected of a window: of this hour of the day, or of the week, and of those beside it, so that a day may begin late.
func (m *Model) leastExpected(q *prediction) float64 {
	y := q.yhat
	for d := -1; d <= 1; d++ {
		how := (q.how + d + 168) % 168
		day := float64(m.byHour[how%24]) * unit
		y = min(y, day, day+float64(m.off[1]))
		if c := m.byWeek[how]; c != noCell {
			day += float64(c) * float64(m.weekUnit)
			y = min(y, day, day+float64(m.off[2]))
		}
	}
	return max(m.x(y), 0)
}

// need is the evidence that makes an alarm.
func (m *Model) need(l *lesson) float64 {
	least := l.threshold
	if l.age < countFromH {
		least *= countDoubt
	}
	return max(least, 2*float64(m.row.Most))
}

// weigh adds a window to the row.
func (m *Model) weigh(p *Params, l *lesson, nats, k, of float64) {
	top := l.threshold / float64(p.persist())
	need := m.need(l)
	harm := need
	if l.age < countFromH {
		harm = countYoung * l.threshold // nothing is told yet
	}
	m.row.Add(nats, k, of, top, 3*max(need, harm), harm, seconds(l.at.T-p.StepMs))
}

// speak says how much of an alarm the row is.
func (m *Model) speak(p *Params, l *lesson, s State, w *voice) {
	score := float64(m.row.Nats) / m.need(l)
	if n := (l.at.T/1000 - int64(m.row.On)) * 1000 / p.StepMs; n < int64(p.persist()) {
		score = min(score, .99*float64(n)/float64(p.persist()))
	}
	w.say(CountTest, s, score, int64(m.row.On)*1000)
}

// judgeFew is judge and learn for a share of so few events that its value teaches nothing.
func (m *Model) judgeFew(p *Params, at Moment, v float64, why *Why) (j Judgement) {
	m.arrive(p, at)
	l := lesson{at: at, v: v, why: why, dt: float64(p.StepMs) / hourMs, threshold: threshold(p), bad: p.badSides(), gross: 1}
	l.age = float64(at.T/1000-int64(m.first)) / 3600
	l.inflation = m.inflation(p, l.age)
	if l.age < learnH {
		l.gross = grossYoung
	}
	var w voice
	if why != nil {
		*why = Why{P: 1, Strict: float32(p.strict())}
		w.by = &why.Scores
	}
	j.Band, j.Seasonal, j.Maturity = m.shareBand(p), m.season(), m.maturity(p)
	m.count(p, nil, &l, &w)
	j.Transition = m.moveFew(p, &l, &w)
	m.report(p, &w, &voice{}, &l, &j)
	if why != nil && m.state.Alarm() {
		why.Clear = m.clears(p, &prediction{band: j.Band})
	}
	m.last, m.prevX = at.T, field.Likeness(v)
	j.Seen, j.Borrowed = int64(m.seen), m.Borrowed()
	return j
}

// moveFew opens, keeps and ends an alarm in a window of few events.
func (m *Model) moveFew(p *Params, l *lesson, w *voice) Transition {
	switch {
	case !m.state.Alarm() && w.score >= 1:
		return m.open(&prediction{}, l, w)
	case !m.state.Alarm():
		return Stay
	case float64(m.candH) >= acceptedH:
		m.usually = counts.Share{}
		m.usually.Learn(float64(m.row.Count), float64(m.row.Of), 0, 1)
		m.end(p)
		return Adopted
	}
	if m.returns(p, l) {
		return m.recover(p, l.at)
	}
	return Stay
}

// returns gathers evidence that what was counted is as usual again, and reports whether it has been for long enough.
func (m *Model) returns(p *Params, l *lesson) bool {
	has := l.counted && m.row.Of > 0
	back := m.row.Returns(l.again, backNats) || !has
	if has && m.row.Back <= 0 {
		m.rec = 0
		return false
	}
	m.rec += float32(l.dt)
	return back && float64(m.rec) >= m.recoverH(p)-l.dt/2
}

// shareBand is what is usual of a share of few events: of so many as the row has, at least of one window.
func (m *Model) shareBand(p *Params) Band {
	n := max(p.Trials, float64(m.row.Of))
	usual := m.usually.Usual(p.Trials)
	b := Band{Expected: usual, Upper: usual + max(p.EffectAbs, p.EffectRel*usual, 3*math.Sqrt(usual*(1-usual)/n))}
	b.clip(p)
	return b
}

// counted is what was counted in the row that is told, until it turns.
func (m *Model) counted() (count, of float64) {
	if m.test != CountTest || m.row.Back > 0 {
		return 0, 0
	}
	return float64(m.row.Count), float64(m.row.Of)
}
