// Package near says which known word a wrong one was meant to be.
package near

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Suggest returns "; did you mean …?" with the word of known that is most like word, the first of those that are alike, else one that begins with it or with which it begins, or "; there are …" where there are ten at most, or "".
func Suggest(word string, known []string) string {
	best, least := "", 1+max(min(len(word)/2, 2), len(word)/3)
	for _, k := range known {
		d := distance(word, k)
		if letters(word) == letters(k) { // two of them have changed places
			d = min(d, 1)
		}
		if d < least {
			best, least = k, d
		}
	}
	for _, k := range known {
		if best == "" && min(len(k), len(word)) >= 3 && (strings.HasPrefix(k, word) || strings.HasPrefix(word, k)) {
			best = k
		}
	}
	switch {
	case best != "":
		return fmt.Sprintf("; did you mean %q?", best)
	case len(known) > 0 && len(known) <= 10:
		return "; there are " + strings.Join(known, ", ")
	}
	return ""
}

// Meant is Suggest where that knows which word was meant, else "".
func Meant(word string, known []string) string {
	if s := Suggest(word, known); strings.Contains(s, "did you mean") {
		return s
	}
	return ""
}

// Duration returns "; did you mean …?" for a text that is no duration: a number without a unit, or with one by another name.
func Duration(text string) string {
	number, unit := text, ""
	if i := strings.IndexFunc(text, func(r rune) bool { return r != '.' && (r < '0' || r > '9') }); i >= 0 {
		number, unit = text[:i], strings.ToLower(strings.TrimSpace(text[i:]))
	}
	if _, err := strconv.ParseFloat(number, 64); err != nil || len(number) > 10 {
		return ""
	}
	for _, u := range []struct{ unit, words string }{{"s", ",s,sec,secs,second,seconds"}, {"m", "m,min,mins,minute,minutes"}, {"h", "h,hr,hrs,hour,hours"}, {"d", "d,day,days"}} {
		if slices.Contains(strings.Split(u.words, ","), unit) && number+u.unit != text {
			return "; did you mean " + number + u.unit + "?"
		}
	}
	return ""
}

// letters returns those of a word, sorted.
func letters(word string) string {
	b := []byte(word)
	slices.Sort(b)
	return string(b)
}

// distance is how many letters must be changed, added or left out (V. I. Levenshtein, Binary codes capable of correcting deletions, insertions, and reversals, 1966), of words that are cut to 64 bytes.
func distance(a, b string) int {
	a, b = a[:min(len(a), 64)], b[:min(len(b), 64)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := before
			if a[i] != b[j] {
				cost++
			}
			before = row[j+1]
			row[j+1] = min(cost, row[j]+1, before+1)
		}
	}
	return row[len(b)]
}
