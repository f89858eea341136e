// Drawings: SVG elements with the classes of the style sheet, or with colours of their own.

package ui

import (
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"

	"github.com/wrackline/wrackline/alerting"
)

// paint are the presentation attributes of a class in a picture that stands alone; on a page the style sheet wins.
var paint = map[string]string{
	"bg": `fill="#fff"`, "gl": `stroke="#e3e6ea"`, "band": `fill="#2f6fdb" fill-opacity="0.13"`, "exp": `stroke="#2f6fdb" stroke-opacity="0.6" stroke-dasharray="4 4" fill="none"`,
	"env": `fill="#1f4fa8" fill-opacity="0.28"`, "val": `stroke="#1f4fa8" stroke-width="1.6" fill="none"`, "bad": `stroke="#c81e1e" stroke-width="2.2" fill="none"`,
	"out": `stroke="#d97706" stroke-width="2.2" fill="none"`, "cmp": `stroke="#57606a" stroke-width="1.2" stroke-opacity="0.8" stroke-dasharray="1 3" fill="none"`, "st-outside": `fill="#d97706" fill-opacity="0.5"`,
	"shade": `fill="#c81e1e" fill-opacity="0.07"`, "ceil": `stroke="#b45309" stroke-dasharray="2 3"`, "mark": `stroke="#57606a" stroke-dasharray="3 3"`,
	"chg":  `stroke="#0f766e" stroke-width="3"`,
	"head": `fill="#1b2330" font-family="system-ui,sans-serif" font-size="13" font-weight="600"`,
	"lab":  `fill="#57606a" font-family="system-ui,sans-serif" font-size="11"`, "sc": `fill="#57606a" fill-opacity="0.45"`, "one": `stroke="#c81e1e" stroke-opacity="0.6" stroke-dasharray="3 3"`,
	"st-learning": `fill="#a9b7c9"`, "st-normal": `fill="#7fbf8e"`, "st-high": `fill="#c81e1e"`, "st-low": `fill="#7a3fc4"`, "st-drifting": `fill="#d97706"`, "st-absent": `fill="#8b949e"`,
}

// drawing writes SVG elements; every text goes through esc.
type drawing struct {
	strings.Builder
	alone bool
}

func esc(s string) string { return html.EscapeString(alerting.Clean(s, textMax)) }

// class returns the class attribute, and the colours when the picture stands alone.
func (d *drawing) class(c, more string) string {
	if more != "" {
		more = " " + more
	}
	if d.alone {
		key := c
		return ` class="` + c + more + `" ` + paint[key]
	}
	return ` class="` + c + more + `"`
}

func (d *drawing) path(class, path string) {
	if path == "" {
		return
	}
	fmt.Fprintf(d, `<path%s vector-effect="non-scaling-stroke" stroke-linecap="round" stroke-linejoin="round" d="%s"/>`, d.class(class, ""), path)
}

func (d *drawing) text(class, more, x string, y float64, anchor, s string) {
	fmt.Fprintf(d, `<text%s x="%s" y="%.1f" text-anchor="%s">%s</text>`, d.class(class, more), x, y, anchor, esc(s))
}

func percentX(x float64) string { return strconv.FormatFloat(math.Round(x*10)/100, 'f', -1, 64) + "%" }
