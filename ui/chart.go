// Charts: what was judged of a signal, as SVG. The geometry is plain arithmetic, so that tests can check it.

package ui

import (
	"html/template"

	"github.com/wrackline/wrackline/baseline/model"
)

const (
	cellsMax = 800  // cells drawn at most; more are merged two by two
	plotW    = 1000 // width of the drawing's own scale; it is stretched to the page
)

// chart is one drawing.
type chart struct {
	Title    string // what it shows, for people who hear it
	Unit     string
	From, To int64 // Unix ms
	StepMs   int64 // length of a cell
	Points   []Point
	Height   int           // of the plot, pixels
	Compact  bool          // no score strip, fewer labels
	Params   *model.Params // bounds and fixed marks; nil = none
	Marks    []mark        // vertical lines
	Ticks    []tick        // changes, by time
	Shade    []shade       // spans that are tinted, besides those in alarm
	earlier  earlier       // what Before is to be; the zero value is nothing
	Before   []Point       // what it was a day or a week earlier, moved to this range; nil = nothing is compared
}

// earlier is how long before the range something else is looked at to compare.
type earlier struct {
	name, words string // in an address, and for people
	ms          int64
}

// earliers are what can be compared with.
var earliers = []earlier{{"1d", "yesterday", 86_400_000}, {"1w", "last week", 7 * 86_400_000}}

// mark is a moment worth a line.
type mark struct {
	T     int64
	Label string
}

type shade struct{ From, To int64 }

const (
	padTop   = 16 // room for the label of the highest line: labels lie above theirs
	titleH   = 18 // of a picture that stands alone
	stripH   = 10
	scoreH   = 32
	axisH    = 20
	stripGap = 6
)

// svg draws the chart. alone makes a picture that needs no style sheet.
//
// The outer drawing has no scale of its own: text keeps its size on a narrow page. Curves lie in inner drawings that
// are stretched sideways, with strokes that are not.
func (c *chart) svg(alone bool) template.HTML {
	l := c.layOut(alone)
	l.open()
	l.plot()
	l.strip()
	if !c.Compact {
		l.scores()
	}
	l.labelLevels()
	l.labelMarks()
	l.labelTimes()
	l.WriteString(`</svg>`)
	return template.HTML(l.String()) // every text went through esc, every number through a formatter
}

// layout is a chart that is being drawn: its parts from top to bottom, and what they share.
type layout struct {
	*chart
	drawing
	g      geometry // of the plot
	points []Point  // as many as are drawn
	runs   []run
	levels []float64   // that have a line and a label
	fixed  []fixedMark // inside the plot
	marks  []mark      // inside the range

	top, stripY, scoreY, total float64 // where the plot, the strip of verdicts and the scores begin, and where all ends
}

// fixedMark is a bound that a rule gives.
type fixedMark struct {
	name string
	v    float64
}

// layOut measures the parts.
func (c *chart) layOut(alone bool) *layout {
	points, step := thin(c.Points, c.StepMs, cellsMax)
	lo, hi := domain(points, c.Params)
	if len(c.Before) > 0 {
		low, high := domain(c.Before, c.Params)
		lo, hi = min(lo, low), max(hi, high)
	}
	l := &layout{chart: c, points: points, drawing: drawing{alone: alone}, g: geometry{from: c.From, to: c.To, lo: lo, hi: hi, h: float64(max(c.Height, 40)), stepMs: step}, top: padTop}
	l.runs = l.g.runs(points)
	want := 4
	if c.Compact {
		want = 2
	}
	l.levels, l.g.hi = topped(ticks(lo, hi, c.Unit, want), lo, hi, l.g.h, c.Params)
	if c.Params != nil {
		for _, m := range [...]fixedMark{{"ceiling", c.Params.Ceiling}, {"limit", c.Params.Limit}} {
			if finite(m.v) && m.v > lo && m.v < hi {
				l.fixed = append(l.fixed, m)
			}
		}
	}
	for _, m := range c.Marks {
		if m.T >= c.From && m.T <= c.To {
			l.marks = append(l.marks, m)
		}
	}
	if alone {
		l.top += titleH
	}
	l.stripY = l.top + l.g.h + stripGap
	l.scoreY = l.stripY + stripH + stripGap
	bottom := l.scoreY + scoreH
	if c.Compact {
		bottom = l.stripY + stripH
	}
	l.total = bottom + axisH
	return l
}
