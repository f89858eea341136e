package series

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                               "plain",
		" two  \t words\n":                    "two words",
		"größe 日本 Ωμέγα 🙂":                    "größe 日本 Ωμέγα 🙂",
		"\x1b[31mred\x1b[0m":                  "[31mred [0m",
		"a\r\nb\x00c\x7fd\u0085e":             "a b c d e",
		"admin\u202etxt.exe":                  "admin txt.exe", // override
		"x\u2066y\u2069z\u200fw\u061cv":       "x y z w v",     // isolates and marks
		"pay\u200bment\u200d\u2060\ufeffs":    "pay ment s",    // of no width
		"a\u00adb\u034fc\u180ed\u3164e\ufe0f": "a b c d e",     // ignorable
		"tag\U000e0041\U000e007f.":            "tag .",
		"private\ue000\U000f0000use":          "private use",
		"line\u2028para\u2029graph":           "line para graph",
		"bad\xff\xfe\xc3utf8":                 "bad utf8",
		"":                                    "",
		"\u202e\u202e":                        "",
	} {
		if got := Clean(in, 1000); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	for _, n := range []int{3, 4, 5, 10, 100} {
		if got := Clean(strings.Repeat("ä😀", 1000), n); len(got) > n || !utf8.ValidString(got) || !strings.HasSuffix(got, "…") {
			t.Errorf("at most %d bytes: %q", n, got)
		}
	}
}
