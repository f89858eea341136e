// Curves of a chart as paths. Where there is a gap, nothing is drawn.

package ui

import (
	"math"
	"strconv"
	"strings"

	"github.com/wrackline/wrackline/baseline/model"
)

// coordinate writes a number with one digit after the point and no more.
func coordinate(b *strings.Builder, v float64) {
	b.WriteString(strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64))
}

func xy(b *strings.Builder, cmd byte, x, y float64) {
	b.WriteByte(cmd)
	coordinate(b, x)
	b.WriteByte(' ')
	coordinate(b, y)
}

// line returns a path through pick's values. It is broken where there is a gap or no value; a value on its own is a dot.
func (g *geometry) line(points []Point, pick func(*Point) float64) string {
	var b strings.Builder
	open := 0 // points of the present piece
	end := func() {
		if open == 1 {
			b.WriteString("h0.1")
		}
		open = 0
	}
	for i := range points {
		p := &points[i]
		v := pick(p)
		if !finite(v) {
			end()
			continue
		}
		if open > 0 && g.gap(&points[i-1], p) {
			end()
		}
		cmd := byte('L')
		if open == 0 {
			cmd = 'M'
		}
		xy(&b, cmd, g.x(p.T), g.y(v))
		open++
	}
	end()
	return b.String()
}

// area returns a closed path between two curves, in as many pieces as the gaps make. Endless sides are cut at the border.
func (g *geometry) area(points []Point, low, high func(*Point) float64) string {
	var b strings.Builder
	for i := 0; i < len(points); {
		if math.IsNaN(low(&points[i])) || math.IsNaN(high(&points[i])) {
			i++
			continue
		}
		j := i + 1
		for j < len(points) && !math.IsNaN(low(&points[j])) && !math.IsNaN(high(&points[j])) && !g.gap(&points[j-1], &points[j]) {
			j++
		}
		if j == i+1 { // one cell on its own is as wide as it lasts
			x0, x1 := g.x(points[i].T-g.stepMs), g.x(points[i].T)
			xy(&b, 'M', max(x0, 0), g.y(high(&points[i])))
			xy(&b, 'L', x1, g.y(high(&points[i])))
			xy(&b, 'L', x1, g.y(low(&points[i])))
			xy(&b, 'L', max(x0, 0), g.y(low(&points[i])))
		} else {
			cmd := byte('M')
			for k := i; k < j; k++ {
				xy(&b, cmd, g.x(points[k].T), g.y(high(&points[k])))
				cmd = 'L'
			}
			for k := j - 1; k >= i; k-- {
				xy(&b, 'L', g.x(points[k].T), g.y(low(&points[k])))
			}
		}
		b.WriteByte('Z')
		i = j
	}
	return b.String()
}

// outsideInAlarm reports whether a cell is in alarm and its value outside its band. An alarm that waits for its end is told by the strip below; its line would look like an outage that goes on.
func outsideInAlarm(p *Point) bool {
	return p.State.Alarm() && !(p.Value >= p.Lower && p.Value <= p.Upper)
}

// outsideCalm reports whether a value is outside its band and nobody has called it anything yet: evidence is gathered, and that looks like neither calm nor alarm. What is only at the edge does not count.
func outsideCalm(p *Point) bool {
	if p.State != model.Normal || !finite(p.Value) {
		return false
	}
	edge := (p.Upper - p.Lower) / 10
	if !finite(edge) { // one side has no end
		edge = 0
	}
	return p.Value > p.Upper+edge || p.Value < p.Lower-edge
}

// lineWhere is the value's line where pick says so, drawn over it.
func (g *geometry) lineWhere(points []Point, pick func(*Point) bool) string {
	var b strings.Builder
	for i := range points {
		p := &points[i]
		if !pick(p) || !finite(p.Value) {
			continue
		}
		if i > 0 && finite(points[i-1].Value) && !g.gap(&points[i-1], p) {
			if !pick(&points[i-1]) || b.Len() == 0 {
				xy(&b, 'M', g.x(points[i-1].T), g.y(points[i-1].Value))
			}
			xy(&b, 'L', g.x(p.T), g.y(p.Value))
			continue
		}
		xy(&b, 'M', g.x(p.T), g.y(p.Value))
		b.WriteString("h0.1")
	}
	return b.String()
}

// run is a span of time in one state.
type run struct {
	from, to int64
	state    model.State
	out      bool // outside the band and not in alarm
}

// runs joins neighbouring cells of one state. Gaps end a run.
func (g *geometry) runs(points []Point) []run {
	var out []run
	for i := range points {
		p := &points[i]
		if i > 0 && points[i-1].State == p.State && outsideCalm(&points[i-1]) == outsideCalm(p) && !g.gap(&points[i-1], p) {
			out[len(out)-1].to = p.T
			continue
		}
		from := p.T - g.stepMs
		if i > 0 {
			from = max(from, points[i-1].T)
		}
		out = append(out, run{from: max(from, g.from), to: p.T, state: p.State, out: outsideCalm(p)})
	}
	return out
}
