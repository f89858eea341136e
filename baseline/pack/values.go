package pack

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/wrackline/wrackline/baseline/series"
)

// A term of the notation: what it begins with, how it goes on, how often.
var testTerm = regexp.MustCompile(`^(now(?:[+-](?:[0-9]+(?:ms|s|m|h|d|w))+)?|prev|[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?)([+-](?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?)?(?:x([0-9]+))?$`)

// valueReader reads the terms of a series one by one.
type valueReader struct {
	values         []float64
	start, step    float64 // of the first term; NaN when it holds no value
	last           float64 // slope of the last term
	prev           float64 // the value before
	clock, counter bool    // what the series seems to be
}

// parseValues reads promtool's notation, with two words more: now, which may be followed by a duration, is the Unix time of minute 0,
// and prev is the value before. The length of the first term tells where normal life ends.
func parseValues(text string, t *Test, noise float64, ls series.Labels) (s TestSeries, first int, err error) {
	r := valueReader{start: math.NaN(), last: math.NaN()}
	for n, term := range strings.Fields(text) {
		if len(r.values) > testValuesMax {
			break
		}
		before := len(r.values)
		if err := r.term(term, n == 0); err != nil {
			return s, 0, fmt.Errorf("term %q%w", term, err)
		}
		if n == 0 {
			first = len(r.values)
			if math.IsNaN(r.start) {
				r.prev = math.NaN()
			}
		}
		if len(r.values) == before {
			return s, 0, fmt.Errorf("term %q gives no value", term)
		}
	}
	s.Values = r.values
	if len(s.Values) == 0 || len(s.Values) > testValuesMax {
		return s, 0, fmt.Errorf("want 1 to %d values, like 0+60x10 prev+600x20", testValuesMax)
	}
	if end := s.Values[len(s.Values)-1]; !math.IsNaN(end) {
		for i := range s.After {
			s.After[i] = end + float64(i+1)*r.last
		}
	} else {
		s.After = [3]float64{math.NaN(), math.NaN(), math.NaN()}
	}
	s.Labels, s.start, s.step, s.counter = ls, r.start, r.step, r.counter
	if !r.clock {
		s.noise = noise
	}
	s.lift(t)
	s.wobble(s.Values, "input")
	return s, first, nil
}

// term reads one term. Its error continues the term's own text.
func (r *valueReader) term(term string, first bool) error {
	switch {
	case term == "stale":
		r.values = append(r.values, series.StaleNaN)
		r.last = math.NaN()
		return nil
	case term == "_" || strings.HasPrefix(term, "_x"):
		count, err := 1, error(nil)
		if rest, ok := strings.CutPrefix(term, "_x"); ok {
			if count, err = strconv.Atoi(rest); err != nil || count < 1 || count > testValuesMax {
				return errors.New(": want _x10 for ten samples that do not come")
			}
		}
		for range count {
			r.values = append(r.values, math.NaN())
		}
		r.last = math.NaN()
		return nil
	}
	m := testTerm.FindStringSubmatch(term)
	if m == nil {
		return errors.New(": want 5, 5x10, 0+60x10, 9-1x5, prev+60x10, now+2dx10, _x3 or stale")
	}
	count, slope, err := 0, 0., error(nil)
	if m[3] != "" {
		if count, err = strconv.Atoi(m[3]); err != nil || count > testValuesMax {
			return fmt.Errorf(": at most %d values are possible", testValuesMax)
		}
	} else if m[2] != "" {
		return fmt.Errorf(": how often? write %sx10", term)
	}
	if m[2] != "" {
		if slope, err = strconv.ParseFloat(m[2], 64); err != nil {
			return fmt.Errorf(": %w", err)
		}
	}
	var from float64
	if m[1] == "prev" {
		if first || math.IsNaN(r.prev) {
			return errors.New(": there is no value before it")
		}
		from, count = r.prev+slope, count-1 // prev itself is there already
		if m[3] == "" {
			count = 0
		}
	} else if from, err = r.begin(m[1]); err != nil {
		return fmt.Errorf(": %w", err)
	}
	for i := range count + 1 {
		r.values = append(r.values, from+float64(i)*slope)
	}
	if count >= 0 {
		r.prev = from + float64(count)*slope
	}
	r.last = slope
	if first {
		r.start, r.step, r.counter = from, slope, m[2] != ""
	}
	return nil
}

// begin reads what a term begins with: a number, or now with a duration.
func (r *valueReader) begin(text string) (float64, error) {
	rest, ok := strings.CutPrefix(text, "now")
	if !ok {
		return strconv.ParseFloat(text, 64)
	}
	r.clock = true
	from := float64(TestStart.Unix())
	if rest == "" {
		return from, nil
	}
	d, err := duration(rest[1:])
	if rest[0] == '-' {
		d = -d
	}
	return from + d.Seconds(), err
}

// lift raises a counter that would begin below zero before minute 0: nobody sees how much a counter is, only by how much it grows.
func (s *TestSeries) lift(t *Test) {
	per := s.step * float64(t.WarmStepMs()) / float64(t.IntervalMs)
	low := s.start - float64(t.WarmMs/t.WarmStepMs()+1)*per
	if !(s.step > 0 && low < 0) {
		return
	}
	s.start -= low
	for i, v := range s.Values {
		if !math.IsNaN(v) { // a stale marker must stay itself
			s.Values[i] = v - low
		}
	}
	for i := range s.After {
		s.After[i] -= low
	}
}

// Warm returns the values before minute 0, which continue the first term into the past: oldest first, one every WarmStepMs, the last
// one step before minute 0. It is nil when the series does not begin with a value.
func (s *TestSeries) Warm(t *Test) []float64 {
	n := int(t.WarmMs / t.WarmStepMs())
	if n == 0 || math.IsNaN(s.start) {
		return nil
	}
	per := s.step * float64(t.WarmStepMs()) / float64(t.IntervalMs)
	out := make([]float64, n)
	for i := range out {
		out[i] = s.start - per*float64(n-i)
	}
	s.wobble(out, "warm")
	return out
}

// wobble makes values vary by a share of themselves, or of what a counter grows by. The same series varies the same way each time.
func (s *TestSeries) wobble(values []float64, salt string) {
	if s.noise == 0 {
		return
	}
	h := uint64(14695981039346656037)
	for _, text := range []string{s.Labels.String(), salt} {
		for i := range len(text) {
			h = (h ^ uint64(text[i])) * 1099511628211
		}
	}
	before := math.NaN()
	for i, v := range values {
		h += 0x9e3779b97f4a7c15
		z := (h ^ h>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		u := float64((z^z>>31)>>11)/(1<<52) - 1 // −1 to 1
		step := v
		if s.counter {
			step = v - before
		}
		if step > 0 { // not for a NaN
			values[i] = v + s.noise*u*step
		}
		before = v
	}
}
