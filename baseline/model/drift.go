package model

// Slow moves. The rings hold absolute levels, rid only of the seasonal shape, so adaptation cannot hide a trend from the test.

import "math"

// What makes a trend news, besides its direction.
const (
	// Strength of evidence, as a normal deviate. A signal is tested about twelve times a day; 5.3 allows 1e5 signals one chance
	// find a week if residuals were normal. Windows of weeks are tested once a day, so they may be less strict.
	zHours, zWeeks = 5.3, 4.8
	// Least change over the window, in standard deviations of hourly residuals: short windows see wander, long ones do not.
	sdHours, sdDays, sdWeeks = 3, 2.2, 1.2
	// Least change over the window, as a share of the smallest effect: a trend is to be found before it is at its end.
	trendShare = .5
	// What a step fits this much better than a line, in squares, is one.
	stepBetter = .75
	// A test that comes to this share of what is news keeps a drift standing.
	weakTrend = .6
)

// trend is what the test finds in one window of a ring.
type trend struct {
	strength float64 // 1 = news
	perHour  float64 // slope, y an hour
	start    float64 // fitted level at the window's begin and end, y
	end      float64
	hours    float64 // length of the window
	since    float64 // hours before the end at which the move began
}

// ringMs is the length of a cell of the fine and of the middle ring. Blocks are of at least three windows, and divide a week.
func ringMs(step int64) (block, mid int64) {
	const minute = 60_000
	block = 6 * 60 * minute
	for _, b := range [...]int64{15 * minute, 30 * minute, 60 * minute, 120 * minute, 180 * minute} {
		if b >= 3*step {
			block = b
			break
		}
	}
	return block, max(120*minute, 4*block)
}

// blank marks the cells after prev up to now, which is under way, as holes.
func blank(ring []int16, prev, now int32) {
	n := int32(len(ring))
	if now < prev || now-prev > n {
		prev = now - n
	}
	for k := prev + 1; k <= now; k++ {
		if k >= 0 {
			ring[k%n] = hole
		}
	}
}

// driftTest tests for a trend in all windows for which there is enough, after the cell of a ring closed.
// Seasonal signals wait nine days for windows of less than a week: a shape not yet known looks like a trend.
func (m *Model) driftTest(p *Params, at Moment, fine, mid, day bool) (best trend) {
	if p.Mode == Event || p.Mode == Spread {
		return best
	}
	h := m.ageH()
	block, midMs := ringMs(p.StepMs)
	wait := 9 * dayH
	switch {
	case p.Season == NoSeason:
		wait = 0
	case p.Season == Daily:
		wait = 4 * dayH
	}
	if m.mode == 2 && m.weekday[int(phase(p, at))/24] < 2 {
		fine, mid = false, false // a weekday seen once is half known, and what its shape lacks looks like a slow move
	}
	try := func(ring []int16, newest int32, n int, cellH, zMin, kSd float64) {
		t := m.trendOf(p, at, ring, newest, n, cellH, zMin, kSd)
		if t.strength > best.strength {
			best = t
		}
	}
	if fine && h >= wait {
		try(m.r15(), m.b, 48, float64(block)/hourMs, zHours, sdHours)
	}
	if mid && h >= wait {
		try(m.r2h(), m.q, 24, float64(midMs)/hourMs, zHours, sdDays)
		try(m.r2h(), m.q, 48, float64(midMs)/hourMs, zHours, sdDays)
	}
	if day {
		if p.Season == NoSeason || p.Season == Daily {
			try(m.r1d(), m.d-1, 10, 24, zWeeks, sdWeeks)
		}
		for _, n := range [...]int{14, 21, 28} {
			try(m.r1d(), m.d-1, n, 24, zWeeks, sdWeeks)
		}
	}
	return best
}

// trendEffect returns the smallest change over a window, from x, that counts as a trend.
func (p *Params) trendEffect(x float64) float64 {
	return trendShare * max(p.EffectAbs, p.EffectRel*math.Abs(x))
}

// trendOf tests the newest n cells of a ring.
func (m *Model) trendOf(p *Params, at Moment, ring []int16, newest int32, n int, cellH, zMin, kSd float64) trend {
	var ys, xs [48]float64
	size := int32(len(ring))
	k := 0
	for i := range n {
		at := newest - int32(n-1-i)
		if at < 0 {
			continue
		}
		if c := ring[at%size]; c != hole {
			ys[k], xs[k] = float64(c)*unit, float64(i)
			k++
		}
	}
	if k < n*4/5 || k < 9 || xs[0] > float64(n)/10 {
		return trend{}
	}
	t := m.fit(p, &ys, &xs, k, cellH, zMin, kSd)
	if t.strength < weakTrend || m.mode != 0 || float64(n)*cellH > 24 || p.Season == NoSeason || m.flags&flagReady == 0 {
		return t
	}
	// A daily shape that is not used, since single windows are noisier than it is high, is in these cells still, and half a
	// day of it is a fine trend. What is news must be so without it too. Whole days balance by themselves.
	now := float64(at.HourOfWeek%24) + at.HourFrac
	for i := range k {
		h := math.Mod(now-(float64(n)-xs[i]-.5)*cellH-.5, 24)
		if h < 0 {
			h += 24
		}
		a := int(h) % 24
		f := h - math.Floor(h)
		lo, hi := float64(m.byHour[a])*unit, float64(m.byHour[(a+1)%24])*unit
		ys[i] -= lo + f*(hi-lo) - float64(m.mean)
	}
	u := m.fit(p, &ys, &xs, k, cellH, zMin, kSd)
	if (u.perHour > 0) != (t.perHour > 0) {
		return trend{}
	}
	t.strength = min(t.strength, u.strength)
	return t
}

// fit runs Theil–Sen and Mann–Kendall over k cells, both with the variance inflation of the residuals' autocorrelation; see
// engine.md §4.4. A cheap least-squares pass comes first: nearly every window has nothing to find.
func (m *Model) fit(p *Params, ys, xs *[48]float64, k int, cellH, zMin, kSd float64) (t trend) {
	N := float64(k)
	var sx, sy, sxx, sxy, syy float64
	for i := range k {
		sx += xs[i]
		sy += ys[i]
	}
	mx, my := sx/N, sy/N
	for i := range k {
		dx, dy := xs[i]-mx, ys[i]-my
		sxx += dx * dx
		sxy += dx * dy
		syy += dy * dy
	}
	if syy == 0 || sxy*sxy < .25*sxx*syy {
		return t // correlation below one half: no window that short can be sure of a trend
	}
	slope := sxy / sxx
	var c0, c1, before float64
	for i := range k {
		e := ys[i] - my - slope*(xs[i]-mx)
		c0 += e * e
		c1 += e * before
		before = e
	}
	if deviate(slope, N, math.Sqrt(c0/N), c0, c1) < .4*zMin {
		return t
	}
	// Nor is a line news that moves by less than a third of what the robust one below must move by to count, nor one of so small an
	// effect; half of that is what keeps a drift standing.
	least := max(kSd*math.Sqrt(float64(m.hv)), .7*float64(m.sigma), unit)
	way := slope * (xs[k-1] - xs[0])
	if math.Abs(way) < .3*least {
		return t
	}
	if eff := p.trendEffect(m.x(my - way/2)); eff > 0 && math.Abs(m.x(my+way/2)-m.x(my-way/2)) < .3*eff {
		return t
	}
	// Theil–Sen: the median of all slopes, and Mann–Kendall's balance of their signs.
	var slopes [48 * 47 / 2]float32
	ns, balance := 0, 0.
	for i := 1; i < k; i++ {
		for j := range i {
			d := ys[i] - ys[j]
			if d > 0 {
				balance++
			} else if d < 0 {
				balance--
			}
			slopes[ns] = float32(d / (xs[i] - xs[j]))
			ns++
		}
	}
	b := float64(kth(slopes[:ns], ns/2))
	if b == 0 {
		return t
	}
	var res, buf [48]float64
	for i := range k {
		res[i] = ys[i] - b*xs[i]
		buf[i] = res[i]
	}
	a := median(buf[:k])
	for i := range k {
		res[i] -= a
		buf[i] = math.Abs(res[i])
	}
	mad := 1.4826 * median(buf[:k])
	sq := 0.
	c0, c1 = 0, 0
	for i := range k {
		sq += min(res[i]*res[i], 9*max(mad*mad, unit*unit))
		c0 += res[i] * res[i]
		if i > 0 {
			c1 += res[i] * res[i-1]
		}
	}
	z := deviate(b, N, max(mad, math.Sqrt(sq/N)), c0, c1)
	mk := math.Abs(balance) / math.Sqrt(N*(N-1)*(2*N+5)/18) / math.Sqrt(inflate(N, c0, c1))

	t.perHour = b / cellH
	t.start, t.end = a+b*xs[0], a+b*xs[k-1]
	t.hours = (xs[k-1] - xs[0]) * cellH
	change := math.Abs(t.end - t.start)
	x0, x1 := m.x(t.start), m.x(t.end)
	t.strength = min(z/zMin, mk/2.5, change/least)
	if eff := p.trendEffect(x0); eff > 0 {
		t.strength = min(t.strength, math.Abs(x1-x0)/eff)
	}
	if t.strength < 1 {
		return t
	}
	if stepFits(ys[:k], xs[:k], a, b) {
		t.strength = .99 // a deploy, not a drift: it keeps a drift standing, and opens none
		return t
	}
	// Began where a level followed by a line fits best.
	bestSS := math.Inf(1)
	for s := range k * 3 / 4 {
		ss, lv := 0., 0.
		for i := 0; i <= s; i++ {
			lv += ys[i]
		}
		lv /= float64(s + 1)
		num, den := 0., 0.
		for i := s + 1; i < k; i++ {
			dx := xs[i] - xs[s]
			num += dx * (ys[i] - lv)
			den += dx * dx
		}
		if den == 0 {
			break
		}
		g := num / den
		for i := range k {
			d := ys[i] - lv
			if i > s {
				d -= g * (xs[i] - xs[s])
			}
			ss += d * d
		}
		if ss < bestSS {
			bestSS = ss
			t.since = (xs[k-1] - xs[s]) * cellH
		}
	}
	return t
}

// stepFits reports whether one step between two levels fits the values better than the line a + bx does.
func stepFits(ys, xs []float64, a, b float64) bool {
	line, sum, sq := 0., 0., 0.
	for i := range ys {
		e := ys[i] - a - b*xs[i]
		line += e * e
		sum += ys[i]
		sq += ys[i] * ys[i]
	}
	left, n := 0., float64(len(ys))
	for i := range ys[:len(ys)-1] {
		left += ys[i]
		k := float64(i + 1)
		if k < 3 || n-k < 3 {
			continue // an end that is off is no step
		}
		right := sum - left
		if sq-left*left/k-right*right/(n-k) < stepBetter*line {
			return true
		}
	}
	return false
}

// deviate returns how sure a slope b over N cells with residuals of scale r is, as a normal deviate; 0 when too little is
// left of N for the residuals' autocorrelation. c0 and c1 are the residuals' sums of squares and of products of neighbours.
func deviate(b, N, r, c0, c1 float64) float64 {
	infl := inflate(N, c0, c1)
	nu := N/infl - 2
	if nu < 1.5 {
		return 0
	}
	ts := math.Abs(b) * math.Sqrt(N*(N*N-1)/12) / (max(r, unit/2) * math.Sqrt(infl))
	return (8*nu + 1) / (8*nu + 3) * math.Sqrt(nu*math.Log1p(ts*ts/nu))
}

// inflate returns by how much residuals' lag-1 autocorrelation, corrected for few cells, inflates the variance of a mean.
func inflate(N, c0, c1 float64) float64 {
	r1 := 0.
	if c0 > 0 {
		r1 = c1 / c0
	}
	r1 = clamp((N*r1+2)/(N-4), 0, .95)
	return (1 + r1) / (1 - r1)
}

// kth returns the k-th smallest of v, reordering it.
func kth(v []float32, k int) float32 {
	lo, hi := 0, len(v)-1
	for lo < hi {
		pv := v[(lo+hi)/2]
		i, j := lo, hi
		for i <= j {
			for v[i] < pv {
				i++
			}
			for v[j] > pv {
				j--
			}
			if i <= j {
				v[i], v[j] = v[j], v[i]
				i++
				j--
			}
		}
		if k <= j {
			hi = j
		} else if k >= i {
			lo = i
		} else {
			break
		}
	}
	return v[k]
}

// eta returns the milliseconds until Limit at the trend's slope in the signal's unit, 0 when it does not lead there.
func (m *Model) eta(p *Params, t *trend) (ms int64, perDay float64) {
	x0, x1 := m.x(t.start), m.x(t.end)
	if t.hours <= 0 {
		return 0, 0
	}
	perHour := (x1 - x0) / t.hours
	if !finite(perHour) {
		return 0, 0
	}
	if finite(p.Limit) && perHour != 0 {
		h := (p.Limit - x1) / perHour
		if h > 0 && h < 24*3650 {
			ms = max(1, int64(h*hourMs))
		}
	}
	return ms, perHour * 24
}
