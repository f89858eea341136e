package series

import (
	"fmt"
	"strings"
	"testing"
)

// TestOverflowNamesTheWorst: of what finds no room the metric, label and sender are named that take most of it, whatever else is refused beside, and not for ever.
func TestOverflowNamesTheWorst(t *testing.T) {
	var o Overflow
	if got := o.Worst(); got != "" {
		t.Errorf("nothing: %q", got)
	}
	send := func(n int, name, label, sender string, value func(i int) string) {
		for i := range n {
			o.Note(Labels{{Name: NameLabel, Value: name}, {Name: "job", Value: "shop"}, {Name: label, Value: value(i)}}, sender)
		}
	}
	for k := range 100 { // a crowd of others, each rare
		send(3, fmt.Sprint("rare_", k), "x", "prom-b", func(int) string { return "1" })
	}
	send(4000, "http_requests_total", "session", "prom-a", func(i int) string { return fmt.Sprint("s", i) })
	got := o.Worst()
	for _, want := range []string{"metric http_requests_total", "label session has more than 1000 values", "sender prom-a"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in %q", want, got)
		}
	}
	for k := range 40 { // many who come after, with a few of the same metric, are not who floods
		send(20, "http_requests_total", "session", fmt.Sprint("prom-", k), func(i int) string { return fmt.Sprint("s", i) })
	}
	if got := o.Worst(); !strings.Contains(got, "sender prom-a") {
		t.Errorf("somebody who came last is blamed: %q", got)
	}
	send(40_000, "bad\u202e\x1b[1m"+strings.Repeat("m", 500), "pod", "prom\nc", func(i int) string { return fmt.Sprint("p", i%50) })
	send(40_000, "bad\u202e\x1b[1m"+strings.Repeat("m", 500), "pod", "prom\nc", func(i int) string { return fmt.Sprint("p", i%50) })
	got = o.Worst()
	if !strings.Contains(got, "metric bad [1mm") || strings.ContainsAny(got, "\x1b\u202e\n") || len(got) > 400 || !strings.Contains(got, "label pod has about 5") && !strings.Contains(got, "label pod has about 4") {
		t.Errorf("the newer flood: %q", got)
	}
	if len(o.metrics) > overMetricsMax || o.total > overFade {
		t.Errorf("%d metrics, %d counted", len(o.metrics), o.total)
	}
}
