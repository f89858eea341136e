// Small drawings in tables: where a value lies in its band, and a share.

package ui

import (
	"fmt"
	"html/template"
	"strings"

	"github.com/wrackline/wrackline/baseline/model"
)

// gauge draws where a value lies in its band: the box is the band, the tick the expected value, the dot the value.
func gauge(v float64, b model.Band, state model.State) template.HTML {
	const w, left, width = 96., 30., 36.
	at := func(x float64) float64 {
		var f float64
		l, u := finite(b.Lower), finite(b.Upper)
		switch {
		case l && u && b.Upper > b.Lower:
			f = (x - b.Lower) / (b.Upper - b.Lower)
		case u && finite(b.Expected) && b.Upper > b.Expected:
			f = 0.5 + 0.5*(x-b.Expected)/(b.Upper-b.Expected)
		case l && finite(b.Expected) && b.Expected > b.Lower:
			f = 0.5 + 0.5*(x-b.Expected)/(b.Expected-b.Lower)
		case x > b.Upper:
			f = 9
		case x < b.Lower:
			f = -9
		default:
			f = 0.5
		}
		return min(max(left+width*f, 5), w-5)
	}
	var d strings.Builder
	fmt.Fprintf(&d, `<svg class="gauge" width="%.0f" height="14" aria-hidden="true" focusable="false"><path class="axis" d="M0 7H%.0f"/><rect class="box" x="%.0f" y="2" width="%.0f" height="10" rx="2"/>`, w, w, left, width)
	if finite(b.Expected) {
		x := at(b.Expected)
		fmt.Fprintf(&d, `<path class="tick" d="M%.1f 3V11"/>`, x)
	}
	if finite(v) && state != model.Absent {
		class := stateClass(state)
		if (state == model.High || state == model.Low) && v >= b.Lower && v <= b.Upper {
			class = "st-" + easingOn
		}
		fmt.Fprintf(&d, `<circle class="%s" cx="%.1f" cy="7" r="4"/>`, class, at(v))
	}
	d.WriteString(`</svg>`)
	return template.HTML(d.String())
}

// bar draws a share between 0 and 1.
func bar(share float64, class string) template.HTML {
	if !finite(share) {
		share = 0
	}
	switch class { // from a fixed set, whatever the template says
	case "ok", "warn", "bad", "calm":
	default:
		class = "calm"
	}
	return template.HTML(fmt.Sprintf(`<svg class="bar %s" width="100%%" height="8" aria-hidden="true" focusable="false"><rect class="rest" width="100%%" height="8" rx="4"/><rect class="part" width="%.1f%%" height="8" rx="4"/></svg>`,
		class, min(max(share, 0), 1)*100))
}
