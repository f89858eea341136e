// Numbers for people: every number with its unit, three significant digits, no exponents.

package alerting

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Quantity writes a value of a signal with its unit: "31.2 %", "180 ms", "1.5 GiB", "12 /s". NaN is "no data".
func Quantity(v float64, unit string) string {
	if math.IsNaN(v) {
		return "no data"
	}
	if countable(unit) {
		n := counted(v, unit)
		if n == "1" {
			unit = singular(unit)
		}
		return n + " " + unit
	}
	factor, suffix := scaleOf(v, unit)
	return join(number(v*factor), suffix)
}

// counted writes how many there are of what one can count: whole from ten on, and with a half at most before. What is measured rather than counted is not rounded so.
func counted(v float64, unit string) string {
	switch abs := math.Abs(v); {
	case unit == "cores" || unit == "nats" || abs < 1 || abs >= 1e15:
		return number(v)
	case abs < 10:
		return number(math.Round(v*2) / 2)
	}
	return number(math.Round(v))
}

// Range writes a band in one scale: "0–0.2 %", "120–180 ms", "≤ 3 cores". An open side is left out.
func Range(lower, upper float64, unit string) string {
	low, high := !math.IsNaN(lower) && !math.IsInf(lower, 0), !math.IsNaN(upper) && !math.IsInf(upper, 0)
	switch {
	case !low && !high:
		return "anything"
	case !low:
		return "≤ " + Quantity(upper, unit)
	case !high:
		return "≥ " + Quantity(lower, unit)
	}
	big := upper
	if math.Abs(lower) > math.Abs(upper) {
		big = lower
	}
	factor, suffix := scaleOf(big, unit)
	a, b := number(lower*factor), number(upper*factor)
	if countable(unit) {
		if a, b = counted(lower, unit), counted(upper, unit); a == b && a == "1" {
			suffix = singular(unit)
		}
	}
	switch {
	case a == b:
		return join(a, suffix)
	case strings.HasPrefix(a, "-") || strings.HasPrefix(b, "-"):
		return join(a+" to "+b, suffix)
	}
	return join(a+"–"+b, suffix)
}

// Span writes a length of time given in milliseconds: "45 s", "12 min", "3 h 20 min", "2 d 4 h".
func Span(ms int64) string {
	if ms < 0 {
		ms = 0
	}
	s := ms / 1000
	two := func(a int64, ua string, b int64, ub string) string {
		if b == 0 {
			return strconv.FormatInt(a, 10) + " " + ua
		}
		return strconv.FormatInt(a, 10) + " " + ua + " " + strconv.FormatInt(b, 10) + " " + ub
	}
	switch {
	case s < 60:
		return strconv.FormatInt(s, 10) + " s"
	case s < 3600:
		return strconv.FormatInt(s/60, 10) + " min"
	case s < 86400:
		return two(s/3600, "h", s%3600/60, "min")
	}
	return two(s/86400, "d", s%86400/3600, "h")
}

// Clock writes Unix milliseconds as "2026-03-01 14:03 UTC".
func Clock(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02 15:04 UTC") }

// scaleOf picks the factor and the suffix in which v of the unit reads best.
func scaleOf(v float64, unit string) (factor float64, suffix string) {
	abs := math.Abs(v)
	if math.IsInf(v, 0) {
		abs = 0
	}
	switch unit {
	case "ratio":
		return 100, "%"
	case "s":
		return secondsScale(abs)
	case "d":
		f, s := secondsScale(abs * 86400)
		return f * 86400, s
	case "ms":
		f, s := secondsScale(abs / 1000)
		return f / 1000, s
	case "B":
		return bytesScale(abs)
	case "B/s":
		f, s := bytesScale(abs)
		return f, s + "/s"
	case "count":
		f, s := thousandsScale(abs)
		return f, s
	case "/s", "":
		f, s := thousandsScale(abs)
		return f, s + unit
	}
	return 1, unit
}

func secondsScale(abs float64) (float64, string) {
	switch {
	case abs == 0 || abs >= 1 && abs < 120:
		return 1, "s"
	case abs < 1e-6:
		return 1e9, "ns"
	case abs < 1e-3:
		return 1e6, "µs"
	case abs < 1:
		return 1e3, "ms"
	case abs < 2*3600:
		return 1. / 60, "min"
	case abs < 48*3600:
		return 1. / 3600, "h"
	}
	return 1. / 86400, "d"
}

func bytesScale(abs float64) (float64, string) {
	const ki = 1024
	switch {
	case abs < ki:
		return 1, "B"
	case abs < ki*ki:
		return 1. / ki, "KiB"
	case abs < ki*ki*ki:
		return 1. / (ki * ki), "MiB"
	case abs < ki*ki*ki*ki:
		return 1. / (ki * ki * ki), "GiB"
	}
	return 1. / (ki * ki * ki * ki), "TiB"
}

func thousandsScale(abs float64) (float64, string) {
	switch {
	case abs < 1e5:
		return 1, ""
	case abs < 1e6:
		return 1e-3, "k"
	case abs < 1e9:
		return 1e-6, "M"
	}
	return 1e-9, "G"
}

// number writes v with three significant digits, whole numbers below 100,000 in full.
func number(v float64) string {
	switch {
	case math.IsNaN(v):
		return "no data"
	case math.IsInf(v, 1):
		return "∞"
	case math.IsInf(v, -1):
		return "-∞"
	case v == 0:
		return "0"
	}
	abs := math.Abs(v)
	if abs >= 100 {
		if abs >= 1e15 {
			return strconv.FormatFloat(v, 'g', 3, 64)
		}
		return Commas(strconv.FormatFloat(math.Round(v), 'f', -1, 64))
	}
	if abs < 1e-6 {
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	digits := 2 - int(math.Floor(math.Log10(abs)))
	s := strconv.FormatFloat(v, 'f', digits, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// Commas groups the digits of a whole number: 1,234,567.
func Commas(n string) string {
	sign := ""
	if strings.HasPrefix(n, "-") {
		sign, n = "-", n[1:]
	}
	for i := len(n) - 3; i > 0; i -= 3 {
		n = n[:i] + "," + n[i:]
	}
	return sign + n
}

// Count writes how many there are of what one names, an English word that takes an s: "1 receiver", "1,234 series" for a word that ends so already.
func Count[N int | int64 | uint64](n N, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return Commas(strconv.FormatInt(int64(n), 10)) + " " + many(one)
}

func join(number, suffix string) string {
	if suffix == "" {
		return number
	}
	return number + " " + suffix
}
