// Cells of a chart: merged when there are more than can be drawn.

package ui

import (
	"math"

	"github.com/wrackline/wrackline/baseline/model"
)

// thin merges neighbouring cells until at most max are left. The least and greatest value, the worst state and the
// highest score survive; values are averaged; a cell without a value does not hide one that has it. Cells are only
// merged when they lie in the same slot of time, so a gap stays a gap.
func thin(points []Point, stepMs int64, max int) ([]Point, int64) {
	for len(points) > max && stepMs > 0 {
		stepMs *= 2
		out := make([]Point, 0, len(points)/2+1)
		slot := func(t int64) int64 { return (t - 1) / stepMs }
		for i := 0; i < len(points); {
			j := i + 1
			for j < len(points) && slot(points[j].T) == slot(points[i].T) {
				j++
			}
			out = append(out, merge(points[i:j]))
			i = j
		}
		points = out
	}
	return points, stepMs
}

// stateRank orders states by how much they matter when cells are merged.
func stateRank(s model.State) int {
	return [...]int{model.Learning: 0, model.Normal: 1, model.Absent: 2, model.Drifting: 3, model.Low: 4, model.High: 5}[s%6]
}

func merge(p []Point) Point {
	m := p[len(p)-1]
	var value, lower, expected, upper mean
	for i := range p {
		value.add(p[i].Value)
		lower.add(p[i].Lower)
		expected.add(p[i].Expected)
		upper.add(p[i].Upper)
		m.Min = least(m.Min, p[i].Min)
		m.Max = -least(-m.Max, -p[i].Max)
		if stateRank(p[i].State) > stateRank(m.State) {
			m.State = p[i].State
		}
		m.Score = max(m.Score, p[i].Score)
	}
	m.Value, m.Lower, m.Expected, m.Upper = value.get(), lower.get(), expected.get(), upper.get()
	return m
}

// least is the smaller of two, where NaN is no number to speak of.
func least(a, b float64) float64 {
	switch {
	case math.IsNaN(a):
		return b
	case math.IsNaN(b):
		return a
	}
	return min(a, b)
}

type mean struct {
	sum float64
	n   int
}

func (m *mean) add(v float64) {
	if !math.IsNaN(v) {
		m.sum += v
		m.n++
	}
}

func (m *mean) get() float64 {
	if m.n == 0 {
		return math.NaN()
	}
	return m.sum / float64(m.n)
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
