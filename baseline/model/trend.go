package model

// Is there a slow move in a ring, and since when? The rings hold absolute levels, rid only of the seasonal shape, so adaptation cannot hide
// a trend from the test.
//
//   - slope: the median of the slopes of all pairs. H. Theil, A rank-invariant method of linear and polynomial regression analysis, 1950;
//     P. K. Sen, Estimates of the regression coefficient based on Kendall's tau, 1968
//   - balance: the signs of all pairs. H. B. Mann, Nonparametric tests against trend, 1945
//   - autocorrelation: variances × (1 + r) / (1 - r). G. V. Bayley and J. M. Hammersley, The "effective" number of independent observations
//     in an autocorrelated time series, 1946
//   - a t value as a normal deviate. D. L. Wallace, Bounds on normal approximations to Student's and the chi-square distributions, 1959

import "math"

// trend is what the test finds in one window of a ring. The zero value is nothing.
type trend struct {
	strength float64 // 1 = news
	perHour  float64 // slope, y an hour
	start    float64 // fitted level at the window's begin and end, y
	end      float64
	hours    float64 // length of the window
	since    float64 // hours before the end at which the move began
}

// orStronger makes t the stronger one of two trends.
func (t *trend) orStronger(o trend) {
	if o.strength > t.strength {
		*t = o
	}
}

// cells are the levels of a window of a ring, without holes.
type cells struct {
	ys, xs [48]float64 // level, y; number of the cell in the window
	n      int
	hours  float64 // length of a cell
}

// trendOf tests the newest n cells of a ring, of cellH hours each. What it takes to be news is zMin and kSd, see test_drift.go.
func (m *Model) trendOf(p *Params, at Moment, ring []int16, newest int32, n int, cellH, zMin, kSd float64) trend {
	c := cells{hours: cellH}
	size := int32(len(ring))
	for i := range n {
		at := newest - int32(n-1-i)
		if at < 0 {
			continue
		}
		if y := ring[at%size]; y != hole {
			c.ys[c.n], c.xs[c.n] = float64(y)*unit, float64(i)
			c.n++
		}
	}
	if c.n < n*4/5 || c.n < 9 || c.xs[0] > float64(n)/10 {
		return trend{}
	}
	t := m.fit(p, &c, zMin, kSd)
	if t.strength < weakTrend || m.mode != 0 || float64(n)*cellH > 24 || p.Season == NoSeason || m.flags&flagReady == 0 {
		return t
	}
	// A daily shape that is not used, since single windows are noisier than it is high, is in these cells still, and half a
	// day of it is a fine trend. What is news must be so without it too. Whole days balance by themselves.
	now := float64(at.HourOfWeek%24) + at.HourFrac
	for i := range c.n {
		h := math.Mod(now-(float64(n)-c.xs[i]-.5)*cellH-.5, 24)
		if h < 0 {
			h += 24
		}
		a := int(h) % 24
		f := h - math.Floor(h)
		lo, hi := float64(m.byHour[a])*unit, float64(m.byHour[(a+1)%24])*unit
		c.ys[i] -= lo + f*(hi-lo) - float64(m.mean)
	}
	u := m.fit(p, &c, zMin, kSd)
	if (u.perHour > 0) != (t.perHour > 0) {
		return trend{}
	}
	t.strength = min(t.strength, u.strength)
	return t
}

// fit weighs the trend of cells. A cheap least-squares pass comes first: nearly every window has nothing to find.
func (m *Model) fit(p *Params, c *cells, zMin, kSd float64) (t trend) {
	least := max(kSd*math.Sqrt(float64(m.hv)), .7*float64(m.sigma), unit)
	if !m.leans(p, c, zMin, least) {
		return t
	}
	b, balance := c.slope()
	if b == 0 {
		return t
	}
	N := float64(c.n)
	a, scale, c0, c1 := c.residuals(b)
	z := deviate(b, N, scale, c0, c1)
	mk := math.Abs(balance) / math.Sqrt(N*(N-1)*(2*N+5)/18) / math.Sqrt(inflate(N, c0, c1))

	last := c.xs[c.n-1]
	t.perHour = b / c.hours
	t.start, t.end = a+b*c.xs[0], a+b*last
	t.hours = (last - c.xs[0]) * c.hours
	change := math.Abs(t.end - t.start)
	x0, x1 := m.x(t.start), m.x(t.end)
	t.strength = min(z/zMin, mk/2.5, change/least)
	if eff := p.trendEffect(x0); eff > 0 {
		t.strength = min(t.strength, math.Abs(x1-x0)/eff)
	}
	if t.strength < 1 {
		return t
	}
	if stepFits(c.ys[:c.n], c.xs[:c.n], a, b) {
		t.strength = .99 // a deploy, not a drift: it keeps a drift standing, and opens none
		return t
	}
	t.since = c.began()
	return t
}

// leans reports whether a least-squares line through cells leaves anything to find.
func (m *Model) leans(p *Params, c *cells, zMin, least float64) bool {
	N := float64(c.n)
	var sx, sy, sxx, sxy, syy float64
	for i := range c.n {
		sx += c.xs[i]
		sy += c.ys[i]
	}
	mx, my := sx/N, sy/N
	for i := range c.n {
		dx, dy := c.xs[i]-mx, c.ys[i]-my
		sxx += dx * dx
		sxy += dx * dy
		syy += dy * dy
	}
	if syy == 0 || sxy*sxy < .25*sxx*syy {
		return false // correlation below one half: no window that short can be sure of a trend
	}
	slope := sxy / sxx
	var c0, c1, before float64
	for i := range c.n {
		e := c.ys[i] - my - slope*(c.xs[i]-mx)
		c0 += e * e
		c1 += e * before
		before = e
	}
	if deviate(slope, N, math.Sqrt(c0/N), c0, c1) < .4*zMin {
		return false
	}
	// Nor is a line news that moves by less than a third of what the robust one must move by to count, nor one of so small an
	// effect; half of that is what keeps a drift standing.
	way := slope * (c.xs[c.n-1] - c.xs[0])
	if math.Abs(way) < .3*least {
		return false
	}
	eff := p.trendEffect(m.x(my - way/2))
	return !(eff > 0 && math.Abs(m.x(my+way/2)-m.x(my-way/2)) < .3*eff)
}

// slope returns the median of the slopes of all pairs, y a cell, and the balance of their signs.
func (c *cells) slope() (b, balance float64) {
	var slopes [48 * 47 / 2]float32
	ns := 0
	for i := 1; i < c.n; i++ {
		for j := range i {
			d := c.ys[i] - c.ys[j]
			if d > 0 {
				balance++
			} else if d < 0 {
				balance--
			}
			slopes[ns] = float32(d / (c.xs[i] - c.xs[j]))
			ns++
		}
	}
	return float64(kth(slopes[:ns], ns/2)), balance
}

// residuals returns where the line of slope b begins, the scale of what it leaves, and the sums of squares and of products of neighbours of that.
func (c *cells) residuals(b float64) (a, scale, c0, c1 float64) {
	var res, buf [48]float64
	for i := range c.n {
		res[i] = c.ys[i] - b*c.xs[i]
		buf[i] = res[i]
	}
	a = median(buf[:c.n])
	for i := range c.n {
		res[i] -= a
		buf[i] = math.Abs(res[i])
	}
	mad := 1.4826 * median(buf[:c.n])
	sq := 0.
	for i := range c.n {
		sq += min(res[i]*res[i], 9*max(mad*mad, unit*unit))
		c0 += res[i] * res[i]
		if i > 0 {
			c1 += res[i] * res[i-1]
		}
	}
	return a, max(mad, math.Sqrt(sq/float64(c.n))), c0, c1
}

// began returns how many hours before the end a level followed by a line fits best.
func (c *cells) began() (hours float64) {
	bestSS := math.Inf(1)
	for s := range c.n * 3 / 4 {
		ss, lv := 0., 0.
		for i := 0; i <= s; i++ {
			lv += c.ys[i]
		}
		lv /= float64(s + 1)
		num, den := 0., 0.
		for i := s + 1; i < c.n; i++ {
			dx := c.xs[i] - c.xs[s]
			num += dx * (c.ys[i] - lv)
			den += dx * dx
		}
		if den == 0 {
			break
		}
		g := num / den
		for i := range c.n {
			d := c.ys[i] - lv
			if i > s {
				d -= g * (c.xs[i] - c.xs[s])
			}
			ss += d * d
		}
		if ss < bestSS {
			bestSS = ss
			hours = (c.xs[c.n-1] - c.xs[s]) * c.hours
		}
	}
	return hours
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
