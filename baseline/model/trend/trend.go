// Package trend finds a slow move in a few levels, and since when. It is arithmetic only, and knows no model.
//
//   - slope: the median of the slopes of all pairs. H. Theil, A rank-invariant method of linear and polynomial regression analysis, 1950;
//     P. K. Sen, Estimates of the regression coefficient based on Kendall's tau, 1968
//   - balance: the signs of all pairs. H. B. Mann, Nonparametric tests against trend, 1945
//   - autocorrelation: variances × (1 + r) / (1 - r). G. V. Bayley and J. M. Hammersley, The "effective" number of independent observations
//     in an autocorrelated time series, 1946
//   - a t value as a normal deviate. D. L. Wallace, Bounds on normal approximations to Student's and the chi-square distributions, 1959
package trend

import "math"

// Most is how many cells there are at most.
const Most = 48

// stepBetter: what a step fits this much better than a line, in squares, is one.
const stepBetter = .75

// Cells are the levels of a stretch of time, in its order, without holes. The zero value is empty.
type Cells struct {
	Y, X [Most]float64 // level; number of the cell in the stretch
	N    int           // cells that there are
	Unit float64       // resolution of Y: no scatter is taken for less than half of it
}

// Add appends a cell. There must be room.
func (c *Cells) Add(x, y float64) {
	c.X[c.N], c.Y[c.N] = x, y
	c.N++
}

// Gather takes the newest n of a ring's cells, of which hole is none, and reports whether they are enough for a trend: four fifths of them, nine at least, and one of the first tenth.
// newest is the number of the newest; n is at most Most.
func (c *Cells) Gather(ring []int16, newest int32, n int, hole int16) bool {
	size := int32(len(ring))
	for i := range n {
		at := newest - int32(n-1-i)
		if at < 0 {
			continue
		}
		if y := ring[at%size]; y != hole {
			c.Add(float64(i), float64(y)*c.Unit)
		}
	}
	return c.N >= n*4/5 && c.N >= 9 && c.X[0] <= float64(n)/10
}

// Lean returns the least-squares line: the level in its middle, how far it moves, and how sure that is, as a normal deviate. That is 0 where the
// correlation is below one half: no stretch that short can be sure of a trend. It costs a tenth of Line.
func (c *Cells) Lean() (middle, way, z float64) {
	N := float64(c.N)
	var sx, sy, sxx, sxy, syy float64
	for i := range c.N {
		sx += c.X[i]
		sy += c.Y[i]
	}
	mx, my := sx/N, sy/N
	for i := range c.N {
		dx, dy := c.X[i]-mx, c.Y[i]-my
		sxx += dx * dx
		sxy += dx * dy
		syy += dy * dy
	}
	if syy == 0 || sxy*sxy < .25*sxx*syy {
		return my, 0, 0
	}
	slope := sxy / sxx
	var c0, c1, before float64
	for i := range c.N {
		e := c.Y[i] - my - slope*(c.X[i]-mx)
		c0 += e * e
		c1 += e * before
		before = e
	}
	return my, slope * (c.X[c.N-1] - c.X[0]), c.deviate(slope, math.Sqrt(c0/N), c0, c1)
}

// Line is a robust line through cells. The zero value is none.
type Line struct {
	Slope   float64 // a cell
	Start   float64 // level in the first and in the last cell
	End     float64
	Z       float64 // how sure the slope is, as a normal deviate
	Balance float64 // how sure the balance of the signs of all pairs is, likewise
	base    float64 // level where X is 0
}

// Line fits a robust line. Its slope is 0 where there is none, and nothing else is set then.
func (c *Cells) Line() (l Line) {
	b, balance := c.slope()
	if b == 0 {
		return l
	}
	N := float64(c.N)
	a, scale, c0, c1 := c.residuals(b)
	return Line{
		Slope: b, Start: a + b*c.X[0], End: a + b*c.X[c.N-1], base: a,
		Z:       c.deviate(b, scale, c0, c1),
		Balance: math.Abs(balance) / math.Sqrt(N*(N-1)*(2*N+5)/18) / math.Sqrt(inflate(N, c0, c1)),
	}
}

// slope returns the median of the slopes of all pairs, y a cell, and the balance of their signs.
func (c *Cells) slope() (b, balance float64) {
	var slopes [Most * (Most - 1) / 2]float32
	ns := 0
	for i := 1; i < c.N; i++ {
		for j := range i {
			d := c.Y[i] - c.Y[j]
			if d > 0 {
				balance++
			} else if d < 0 {
				balance--
			}
			slopes[ns] = float32(d / (c.X[i] - c.X[j]))
			ns++
		}
	}
	return float64(kth(slopes[:ns], ns/2)), balance
}

// residuals returns where the line of slope b begins, the scale of what it leaves, and the sums of squares and of products of neighbours of that.
func (c *Cells) residuals(b float64) (a, scale, c0, c1 float64) {
	var res, buf [Most]float64
	for i := range c.N {
		res[i] = c.Y[i] - b*c.X[i]
		buf[i] = res[i]
	}
	a = Median(buf[:c.N])
	for i := range c.N {
		res[i] -= a
		buf[i] = math.Abs(res[i])
	}
	mad := 1.4826 * Median(buf[:c.N])
	sq := 0.
	for i := range c.N {
		sq += min(res[i]*res[i], 9*max(mad*mad, c.Unit*c.Unit))
		c0 += res[i] * res[i]
		if i > 0 {
			c1 += res[i] * res[i-1]
		}
	}
	return a, max(mad, math.Sqrt(sq/float64(c.N))), c0, c1
}

// Began returns how many cells before the end a move began: where a level followed by a line fits best.
func (c *Cells) Began() (back float64) {
	bestSS := math.Inf(1)
	for s := range c.N * 3 / 4 {
		ss, lv := 0., 0.
		for i := 0; i <= s; i++ {
			lv += c.Y[i]
		}
		lv /= float64(s + 1)
		num, den := 0., 0.
		for i := s + 1; i < c.N; i++ {
			dx := c.X[i] - c.X[s]
			num += dx * (c.Y[i] - lv)
			den += dx * dx
		}
		if den == 0 {
			break
		}
		g := num / den
		for i := range c.N {
			d := c.Y[i] - lv
			if i > s {
				d -= g * (c.X[i] - c.X[s])
			}
			ss += d * d
		}
		if ss < bestSS {
			bestSS = ss
			back = c.X[c.N-1] - c.X[s]
		}
	}
	return back
}

// IsStep reports whether one step between two levels fits the cells better than a line does.
func (c *Cells) IsStep(l *Line) bool {
	ys := c.Y[:c.N]
	line, sum, sq := 0., 0., 0.
	for i := range ys {
		e := ys[i] - l.base - l.Slope*c.X[i]
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

// deviate returns how sure a slope b with residuals of scale r is, as a normal deviate; 0 when too little is
// left of the cells for the residuals' autocorrelation. c0 and c1 are the residuals' sums of squares and of products of neighbours.
func (c *Cells) deviate(b, r, c0, c1 float64) float64 {
	N := float64(c.N)
	infl := inflate(N, c0, c1)
	nu := N/infl - 2
	if nu < 1.5 {
		return 0
	}
	ts := math.Abs(b) * math.Sqrt(N*(N*N-1)/12) / (max(r, c.Unit/2) * math.Sqrt(infl))
	return (8*nu + 1) / (8*nu + 3) * math.Sqrt(nu*math.Log1p(ts*ts/nu))
}

// inflate returns by how much residuals' lag-1 autocorrelation, corrected for few cells, inflates the variance of a mean.
func inflate(N, c0, c1 float64) float64 {
	r1 := 0.
	if c0 > 0 {
		r1 = c1 / c0
	}
	r1 = min(max((N*r1+2)/(N-4), 0), .95)
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

// Median sorts buf and returns its middle, 0 of nothing.
func Median(buf []float64) float64 {
	for i := 1; i < len(buf); i++ {
		v := buf[i]
		k := i
		for ; k > 0 && buf[k-1] > v; k-- {
			buf[k] = buf[k-1]
		}
		buf[k] = v
	}
	n := len(buf)
	if n == 0 {
		return 0
	}
	return buf[(n-1)/2]/2 + buf[n/2]/2
}
