package ui

import (
	"net/url"
	"testing"
)

func TestSpanOfAnAddress(t *testing.T) {
	now := int64(1_772_000_000_000)
	def := defaultSpan(now)
	for query, want := range map[string]span{
		"":                   def,
		"range=1d":           {From: now - 86_400_000, To: now, Preset: "1d"},
		"from=1771990000000": {From: 1771990000000, To: now},
		"from=1771990000000&to=1771995000000&range=1h":      {From: 1771990000000, To: 1771995000000},
		"from=1771990000000&to=1771990000001":               {From: 1771990000000 - rangeLeast/2, To: 1771990000000 + rangeLeast/2},
		"from=2026-02-01T00:00:00Z&to=2026-02-02T00:00:00Z": {From: 1769904000000, To: 1769990400000},
	} {
		v, _ := url.ParseQuery(query)
		if got := parseSpan(v, now, def); got != want {
			t.Errorf("%q = %+v, want %+v", query, got, want)
		}
	}
	for _, query := range []string{"range=2y", "from=x", "from=2&to=1", "from=-1", "to=1", "from=0&to=1771990000000", "from=9999999999999999999", "from=1e12", "from=NaN"} {
		v, _ := url.ParseQuery(query)
		if got := parseSpan(v, now, def); got.Problem == "" || got.From != def.From {
			t.Errorf("%q = %+v, want a problem and the default", query, got)
		}
	}
}
