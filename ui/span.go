// Ranges of time: what addresses ask for, and the links that lead to others.

package ui

import (
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/wrackline/wrackline/alerting"
)

// presets are the ranges offered, widest last.
var presets = []struct {
	Name string
	Ms   int64
}{{"1h", 3_600_000}, {"6h", 6 * 3_600_000}, {"1d", 86_400_000}, {"1w", 7 * 86_400_000}, {"15d", 15 * 86_400_000}}

const (
	rangeLeast = 5 * 60_000
	rangeMost  = 400 * 86_400_000
)

// span is a range of time that charts show.
type span struct {
	From, To int64
	Preset   string // the name of a preset that ends now; "" when the range is fixed
	Problem  string // why the address' range could not be used
}

// defaultSpan is the range of a chart whose address asks for none.
func defaultSpan(now int64) span {
	return span{From: now - 6*3_600_000, To: now, Preset: "6h"}
}

// parseSpan reads range=6h, or from= and to= as Unix milliseconds or RFC 3339. now is the end of a preset.
func parseSpan(v url.Values, now int64, def span) span {
	if name := v.Get("range"); name != "" && v.Get("from") == "" {
		for _, p := range presets {
			if p.Name == name {
				return span{From: now - p.Ms, To: now, Preset: name}
			}
		}
		def.Problem = "there is no range " + alerting.Clean(strconv.Quote(name), 40) + "; use 1h, 6h, 1d, 1w, 15d, or from and to"
		return def
	}
	if v.Get("from") == "" && v.Get("to") == "" {
		return def
	}
	from, ok1 := parseTime(v.Get("from"))
	to, ok2 := parseTime(v.Get("to"))
	if v.Get("to") == "" {
		to, ok2 = now, true
	}
	switch {
	case !ok1 || !ok2:
		def.Problem = "from and to must be Unix milliseconds or RFC 3339 times"
		return def
	case from >= to:
		def.Problem = "from must be before to"
		return def
	case to-from > rangeMost:
		def.Problem = "the range is longer than 400 days"
		return def
	}
	if to-from < rangeLeast {
		middle := from + (to-from)/2
		from, to = middle-rangeLeast/2, middle+rangeLeast/2
	}
	return span{From: from, To: to}
}

func parseTime(s string) (int64, bool) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, n >= 0 && n < 1<<53
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil && t.Year() >= 1970 && t.Year() < 10000 {
		return t.UnixMilli(), true
	}
	return 0, false
}

// parseFromTo reads the bounds that a list is narrowed to, 0 where there is none, and says what is wrong with them.
func parseFromTo(v url.Values, from, to *int64) (problem string) {
	for _, x := range [...]struct {
		name string
		at   *int64
	}{{"from", from}, {"to", to}} {
		text := v.Get(x.name)
		if text == "" {
			continue
		}
		t, ok := parseTime(text)
		if !ok {
			problem = "from and to must be Unix milliseconds or RFC 3339 times"
			continue
		}
		*x.at = t
	}
	if *to != 0 && *from >= *to {
		*from, *to = 0, 0
		return "from must be before to"
	}
	return problem
}

// spanLinks are the range of a page and the addresses that change it.
type spanLinks struct {
	Span    span
	Presets []facet
	Back    string // half a range earlier
	Forward string
	Out     string // twice as wide
}

// spanLinksOf returns the links of the page at an address.
func spanLinksOf(at string, sp span, now int64) spanLinks {
	l := spanLinks{Span: sp}
	for _, p := range presets {
		l.Presets = append(l.Presets, facet{Value: p.Name, URL: at + "?range=" + p.Name, On: sp.Preset == p.Name})
	}
	width := sp.To - sp.From
	to := func(from, to int64) string {
		return fmt.Sprintf("%s?from=%d&to=%d", at, max(from, 0), to)
	}
	l.Back = to(sp.From-width/2, sp.To-width/2)
	if sp.To < now {
		l.Forward = to(sp.From+width/2, sp.To+width/2)
	}
	if 2*width <= rangeMost {
		end := min(sp.To+width/2, max(now, sp.To))
		l.Out = to(end-2*width, end)
	}
	return l
}
