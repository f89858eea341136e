package alerting

import (
	"math"
	"testing"
)

func TestQuantities(t *testing.T) {
	for _, c := range []struct {
		v    float64
		unit string
		want string
	}{
		{0.312, "ratio", "31.2 %"}, {0.00213, "ratio", "0.213 %"}, {0, "ratio", "0 %"}, {1, "ratio", "100 %"},
		{0.18, "s", "180 ms"}, {2.5, "s", "2.5 s"}, {0.000012, "s", "12 µs"}, {600, "s", "10 min"}, {250, "ms", "250 ms"}, {4200, "ms", "4.2 s"}, {0, "s", "0 s"},
		{1610612736, "B", "1.5 GiB"}, {512, "B", "512 B"}, {3 << 20, "B/s", "3 MiB/s"},
		{12.34, "/s", "12.3 /s"}, {1234567, "/s", "1.23 M/s"}, {0.25, "cores", "0.25 cores"}, {12345, "count", "12,345"}, {3, "", "3"}, {-1.5, "%/h", "-1.5 %/h"},
		{math.NaN(), "s", "no data"}, {math.Inf(1), "count", "∞"}, {99.96, "ratio", "9,996 %"}, {9.999, "cores", "10 cores"},
	} {
		if got := Quantity(c.v, c.unit); got != c.want {
			t.Errorf("Quantity(%v, %q) = %q, want %q", c.v, c.unit, got, c.want)
		}
	}
	for _, c := range []struct {
		a, b float64
		unit string
		want string
	}{
		{0, 0.002, "ratio", "0–0.2 %"}, {0.12, 0.18, "s", "120–180 ms"}, {-3, 5, "/s", "-3 to 5 /s"}, {2, 2, "cores", "2 cores"},
		{math.Inf(-1), 3, "cores", "≤ 3 cores"}, {3, math.Inf(1), "B", "≥ 3 B"}, {math.NaN(), math.NaN(), "s", "anything"}, {1 << 20, 1 << 30, "B", "0.000977–1 GiB"},
	} {
		if got := Range(c.a, c.b, c.unit); got != c.want {
			t.Errorf("Range(%v, %v, %q) = %q, want %q", c.a, c.b, c.unit, got, c.want)
		}
	}
	for _, c := range []struct {
		ms   int64
		want string
	}{{45_000, "45 s"}, {720_000, "12 min"}, {12_000_000, "3 h 20 min"}, {2*dayMs + 4*3600_000, "2 d 4 h"}, {-5, "0 s"}} {
		if got := Span(c.ms); got != c.want {
			t.Errorf("Span(%d) = %q, want %q", c.ms, got, c.want)
		}
	}
}
