package series

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Hidden reports whether a character is not what it shows: controls, what turns or joins the text around it, what takes no room, and what no character stands for.
// No text that others wrote is shown with one of these, wherever it goes: a page, a message, a log, a terminal.
func Hidden(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) || r == utf8.RuneError
}

// Clean makes one safe line of s: hidden characters become spaces, white space is folded, and what exceeds max bytes is cut at a rune with an ellipsis. max must be at least 3.
func Clean(s string, max int) string {
	var b strings.Builder
	space := false
	for _, r := range s {
		if unicode.IsSpace(r) || Hidden(r) {
			space = b.Len() > 0
			continue
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		b.WriteRune(r)
		if b.Len() > max {
			break
		}
	}
	return Cut(b.String(), max)
}

// Cut shortens s to at most max bytes, at a rune, marked by an ellipsis. max must be at least 3.
func Cut(s string, max int) string {
	if len(s) <= max {
		return s
	}
	n := max - len("…")
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
