package trend

import "math"

// Move is a slow move in one window of cells. The zero value is none.
type Move struct {
	Strength float64 // 1 = news
	PerHour  float64 // slope, an hour
	Start    float64 // fitted level at the window's begin
	End      float64 // … and at its end
	Hours    float64 // length of the window
	Since    float64 // hours before the end at which the move began
}

// OrStronger makes t the stronger one of two moves.
func (t *Move) OrStronger(o Move) {
	if o.Strength > t.Strength {
		*t = o
	}
}

// Move weighs the trend of cells of cellH hours: news are zMin of its own scatter, least on the scale of the cells, and what effect says of the level where it begins. unit leads from that
// scale to the one of effect. A cheap least-squares pass comes first: nearly every window has nothing to find.
func (c *Cells) Move(cellH, zMin, least float64, unit, effect func(float64) float64) (t Move) {
	// Nor is a line news that moves by less than a third of what the robust one must move by to count, nor one of so small an
	// effect; half of that is what keeps a drift standing.
	middle, way, z := c.Lean()
	if z < .4*zMin || math.Abs(way) < .3*least {
		return t
	}
	if eff := effect(unit(middle - way/2)); eff > 0 && math.Abs(unit(middle+way/2)-unit(middle-way/2)) < .3*eff {
		return t
	}
	l := c.Line()
	if l.Slope == 0 {
		return t
	}
	t.PerHour = l.Slope / cellH
	t.Start, t.End = l.Start, l.End
	t.Hours = (c.X[c.N-1] - c.X[0]) * cellH
	x0, x1 := unit(t.Start), unit(t.End)
	t.Strength = min(l.Z/zMin, l.Balance/2.5, math.Abs(t.End-t.Start)/least)
	if eff := effect(x0); eff > 0 {
		t.Strength = min(t.Strength, math.Abs(x1-x0)/eff)
	}
	switch {
	case t.Strength < 1:
	case c.IsStep(&l):
		t.Strength = .99 // a deploy, not a drift: it keeps a drift standing, and opens none
	default:
		t.Since = c.Began() * cellH
	}
	return t
}
