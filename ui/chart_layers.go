// Layers of a chart: how each part is drawn.

package ui

import (
	"fmt"
	"html"
	"strings"

	"github.com/wrackline/wrackline/alerting"
)

// open begins the drawing and says what it shows.
func (l *layout) open() {
	if l.alone {
		fmt.Fprintf(l, `<svg xmlns="http://www.w3.org/2000/svg" class="chart" role="img" width="1000" height="%.0f"><title>%s</title>`, l.total, esc(l.Title))
		fmt.Fprintf(l, `<rect%s width="100%%" height="100%%"/>`, l.class("bg", ""))
		l.text("head", "", "4", 17, "start", l.Title)
	} else {
		fmt.Fprintf(l, `<svg class="chart" role="img" width="100%%" height="%.0f" aria-label="%s" focusable="false">`, l.total, esc(l.say(l.points)))
	}
}

// inner begins a part that is stretched to the width of the page.
func (l *layout) inner(y, height float64) {
	fmt.Fprintf(l, `<svg x="0" y="%.0f" width="100%%" height="%.0f" viewBox="0 0 %d %.0f" preserveAspectRatio="none">`, y, height, plotW, height)
}

// plot draws, from back to front: levels, tinted spans, the band, the values, what is wrong, bounds, marks and changes.
func (l *layout) plot() {
	g, points := &l.g, l.points
	l.inner(l.top, g.h)
	for _, v := range l.levels {
		l.across("gl", g.y(v))
	}
	for _, r := range l.runs {
		if r.state.Alarm() {
			l.tint(r.from, r.to)
		}
	}
	for _, s := range l.Shade {
		l.tint(s.From, s.To)
	}
	l.path("band", g.area(points, func(p *Point) float64 { return p.Lower }, func(p *Point) float64 { return p.Upper }))
	l.path("exp", g.line(points, func(p *Point) float64 { return p.Expected }))
	l.path("env", g.area(points, func(p *Point) float64 { return p.Min }, func(p *Point) float64 { return p.Max }))
	l.path("cmp", g.line(l.Before, func(p *Point) float64 { return p.Value }))
	l.path("val", g.line(points, func(p *Point) float64 { return p.Value }))
	l.path("out", g.lineWhere(points, outsideCalm))
	l.path("bad", g.lineWhere(points, outsideInAlarm))
	for _, m := range l.fixed {
		l.across("ceil", g.y(m.v))
	}
	for _, m := range l.marks {
		l.path("mark", fmt.Sprintf("M%.1f 0V%.0f", g.x(m.T), g.h))
	}
	l.changes()
	l.WriteString(`</svg>`)
}

// across draws a level line.
func (l *layout) across(class string, y float64) {
	l.path(class, fmt.Sprintf("M0 %.1fH%d", y, plotW))
}

// tint colours a span of time.
func (l *layout) tint(from, to int64) {
	x0, x1 := max(l.g.x(from), 0), min(l.g.x(to), plotW)
	if x1 > x0 {
		fmt.Fprintf(l, `<rect%s x="%.1f" y="0" width="%.1f" height="%.0f"/>`, l.class("shade", ""), x0, x1-x0, l.g.h)
	}
}

// strip says what each window was called.
func (l *layout) strip() {
	l.inner(l.stripY, stripH)
	for _, r := range l.runs {
		x0, x1 := max(l.g.x(r.from), 0), min(l.g.x(r.to), plotW)
		class, words := stateClass(r.state), r.state.String()
		if r.out {
			class, words = "st-outside", "outside the band, not in alarm"
		}
		fmt.Fprintf(l, `<rect%s x="%.1f" y="0" width="%.1f" height="%d"><title>%s</title></rect>`, l.class(class, ""), x0, max(x1-x0, 1), stripH,
			esc(words+", "+alerting.Clock(r.from)+", "+alerting.Span(r.to-r.from)))
	}
	l.WriteString(`</svg>`)
}

// scores draws how much evidence there was.
func (l *layout) scores() {
	most := 1.5
	for i := range l.points {
		if s := l.points[i].Score; finite(s) {
			most = max(most, s)
		}
	}
	most = min(most, 1e6)
	g := geometry{from: l.From, to: l.To, lo: 0, hi: most * 1.05, h: scoreH, stepMs: l.g.stepMs}
	l.inner(l.scoreY, scoreH)
	l.path("sc", g.area(l.points, func(*Point) float64 { return 0 }, func(p *Point) float64 { return p.Score }))
	l.across("one", g.y(1))
	l.WriteString(`</svg>`)
	l.text("lab", "", "4", l.scoreY+10, "start", "score (alarm at 1, dashed)")
}

// labelLevels writes the values of level lines, beside the plot on the left, where the page leaves room for them, and of bounds, on the right. A picture that stands alone has them in the plot.
func (l *layout) labelLevels() {
	for _, v := range l.levels {
		if !l.alone {
			l.text("lab", "yl", "-6", l.top+l.g.y(v)+3.5, "end", alerting.Quantity(v, l.Unit))
			continue
		}
		l.text("lab", "yl", "4", l.top+l.g.y(v)-3, "start", alerting.Quantity(v, l.Unit))
	}
	for _, m := range l.fixed {
		l.text("lab", "", "100%", l.top+l.g.y(m.v)-3, "end", m.name+" "+alerting.Quantity(m.v, l.Unit))
	}
}

func (l *layout) labelMarks() {
	for _, m := range l.marks {
		x, anchor := l.g.x(m.T), "start"
		if x > plotW*0.8 {
			anchor = "end"
		}
		l.text("lab", "mk", percentX(x), l.top+10, anchor, " "+m.Label)
	}
}

func (l *layout) labelTimes() {
	for _, t := range timeTicks(l.From, l.To) {
		// A long label needs more room than half of it beside the edge of a narrow page.
		x, anchor, room := l.g.x(t.t), "middle", 6*float64(len(t.label))+6
		switch {
		case x < room:
			anchor = "start"
		case x > plotW-room:
			anchor = "end"
		}
		more := "xl"
		if t.minor {
			more = "xl xm"
		}
		l.text("lab", more, percentX(x), l.total-5, anchor, t.label)
	}
}

// changes draws the changes as small marks that stand on the plot's floor. Those too close to tell apart share one, which
// says them all.
func (l *layout) changes() {
	const apart, height = 4., 12.
	for i := 0; i < len(l.Ticks); {
		x := l.g.x(l.Ticks[i].T)
		var words []string
		far, more := "far", 0
		for ; i < len(l.Ticks) && l.g.x(l.Ticks[i].T)-x < apart; i++ {
			if l.Ticks[i].Near {
				far = ""
			}
			if len(words) == ticksNamed {
				more++
				continue
			}
			words = append(words, alerting.Clock(l.Ticks[i].T)+" "+alerting.Clean(l.Ticks[i].Text, textMax))
		}
		if x < 0 || x > plotW {
			continue
		}
		if more > 0 {
			words = append(words, fmt.Sprintf("and %d more", more))
		}
		fmt.Fprintf(l, `<path%s vector-effect="non-scaling-stroke" d="M%.1f %.0fV%.0f"><title>%s</title></path>`, l.class("chg", far), x, l.g.h, max(l.g.h-height, 0),
			html.EscapeString(strings.Join(words, "; ")))
	}
}
