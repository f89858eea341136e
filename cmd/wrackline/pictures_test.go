package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// telling are the series of docs/series.md: what the engine makes of them is drawn by make pictures and asserted here, so that the page stays true.
// day is 0 on a Monday; the last three days are drawn. from and to are what an alarm may begin within, in days; none is expected when both are 0.
var telling = []struct {
	name      string
	days      int
	value     func(day float64, noise func() float64) float64
	from, to  float64
	wantState string
}{
	{"spike", 12, func(d float64, n func() float64) float64 { return times(working(d, n), within(d, 10.5, 10.507), 3) }, 10.5, 10.51, "high"},
	{"outage", 12, func(d float64, n func() float64) float64 { return times(working(d, n), within(d, 10.5, 10.53), 0) }, 10.5, 10.51, "low"},
	{"second_outage", 19, func(d float64, n func() float64) float64 {
		return times(working(d, n), within(d, 10.5, 10.53) || within(d, 17.5, 17.53), 0)
	}, 17.5, 17.51, "low"},
	{"level_shift", 12, func(d float64, n func() float64) float64 { return times(working(d, n), d > 10.4, 1.5) }, 10.4, 10.6, "high"},
	{"slow_leak_used", 14, func(d float64, n func() float64) float64 { return 100 + 2*n() + 25*math.Max(0, d-11.5) }, 11.6, 13.2, "drifting"},
	{"stuck_sensor", 12, func(d float64, n func() float64) float64 {
		if within(d, 10.5, 10.8) {
			return 20
		}
		return 20 + n()
	}, 10.5, 10.56, "high"},
	{"second_weekend", 14, func(d float64, n func() float64) float64 { return times(working(d, n), int(d)%7 >= 5, .55) }, 0, 0, ""},
	{"hourly_job", 12, func(d float64, n func() float64) float64 {
		return 2 + .1*n() + 5*one(math.Mod(d*24, 1) < 4./60)
	}, 0, 0, ""},
	{"small_change", 12, func(d float64, n func() float64) float64 { return times(100+2*n(), d > 10.4, 1.08) }, 0, 0, ""},
	{"more_scatter", 12, func(d float64, n func() float64) float64 {
		if within(d, 10.4, 10.9) {
			return 100 + 8*n()
		}
		return 100 + 3*n()
	}, 10.4, 10.6, "low"},
	{"slow_creep", 14, func(d float64, n func() float64) float64 { return 100 + 2*n() + 1.2*math.Max(0, d-6) }, 0, 0, ""},
	{"memory_restart", 12, func(d float64, n func() float64) float64 {
		since := math.Mod(d+2.6, 4.3)
		return 300 + 150*(1-math.Exp(-3*since)) + 3*n()
	}, 0, 0, ""},
}

// working is a working day: quiet nights, busy days.
func working(d float64, n func() float64) float64 {
	return 100 * (1.2 - math.Cos((math.Mod(d, 1)*24-3)/12*math.Pi)) * math.Exp(.05*n())
}

func within(d, from, to float64) bool { return d >= from && d < to }

func times(v float64, on bool, factor float64) float64 {
	if on {
		return v * factor
	}
	return v
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// TestTellingSeries says of each series of docs/series.md whether and when it is told. With WRACKLINE_PICTURES it draws them into that directory.
func TestTellingSeries(t *testing.T) {
	dir := t.TempDir()
	var files []string
	for i, c := range telling {
		src := rand.New(rand.NewPCG(uint64(i), 2026))
		var b strings.Builder
		b.WriteString("timestamp,value\n")
		const start = 1_767_571_200 // Monday, 2026-01-05 00:00 UTC
		for m := range c.days * 1440 {
			v := c.value(float64(m)/1440, src.NormFloat64)
			fmt.Fprintf(&b, "%d,%s\n", start+60*(m+1), strconv.FormatFloat(v, 'f', 2, 64))
		}
		files = append(files, file(t, c.name+".csv", b.String()))
	}
	if code, _, errs := run(t, append([]string{"replay", "--out", dir}, files...)...); code != exitOK {
		t.Fatal(errs)
	}
	for _, c := range telling {
		data, err := os.ReadFile(filepath.Join(dir, c.name+".csv"))
		if err != nil {
			t.Fatal(err)
		}
		var begins []string
		early, right, other, was := 0, 0, 0, "0"
		for i, line := range strings.Split(strings.TrimSpace(string(data)), "\n")[1:] {
			f := strings.Split(line, ",")
			day := float64(i) / 1440
			if f[6] == "1" && was == "0" && day >= 7 {
				begins = append(begins, fmt.Sprintf("%s on day %.2f", f[7], day))
				switch {
				case day >= c.from && day <= c.to && c.to > 0 && f[7] == c.wantState:
					right++
				case day < float64(c.days-3):
					early++
				default:
					other++
				}
			}
			was = f[6]
		}
		t.Logf("%-14s %s", c.name, strings.Join(begins, ", "))
		switch {
		case c.to > 0 && right == 0:
			t.Errorf("%s: not told; alarms: %v", c.name, begins)
		case c.to == 0 && other > 0:
			t.Errorf("%s: told, though docs/series.md says that it is not: %v", c.name, begins)
		case other > 5:
			t.Errorf("%s: %d further alarms: %v", c.name, other, begins)
		}
	}
	if out := os.Getenv("WRACKLINE_PICTURES"); out != "" {
		if code, _, errs := run(t, append([]string{"replay", "--svg", out, "--last", "72h"}, files...)...); code != exitOK {
			t.Fatal(errs)
		}
	}
}
