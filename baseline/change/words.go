package change

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// amount writes a limit as people do.
func amount(resource string, v float64) string {
	n := func(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
	switch resource {
	case "cpu":
		if v < 1 && v > 0 {
			return n(v*1000) + "m CPU"
		}
		return n(v) + " CPU"
	case "memory", "ephemeral_storage":
		const mi = 1 << 20
		switch {
		case v >= 1<<30 && v == float64(int64(v/(1<<28)))*(1<<28):
			return n(v/(1<<30)) + " GiB"
		case v >= mi:
			return n(v/mi) + " MiB"
		}
	}
	return n(v)
}

func stampMinute(seconds float64) string {
	if !(seconds > 0 && seconds < 1e11) {
		return ""
	}
	return time.Unix(int64(seconds), 0).UTC().Format("2006-01-02 15:04 UTC")
}

// cutText shortens s to changeTextMax bytes at a rune.
func cutText(s string) string {
	if len(s) <= changeTextMax {
		return s
	}
	n := changeTextMax - len("…")
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

func joinTexts(a, b string) string {
	switch {
	case b == "" || a == b || strings.HasSuffix(a, ", "+b) || strings.HasPrefix(a, b+", "):
		return a
	case a == "":
		return b
	}
	return cutText(a + ", " + b)
}

func slashed(ns, name string) string {
	if ns == "" {
		return name
	}
	return ns + "/" + name
}
