// Intervals of time as Alertmanager writes them.

package route

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wrackline/wrackline/baseline/near"
)

// TimeInterval is a named list of spans as it stands in the configuration.
type TimeInterval struct {
	Name  string     `yaml:"name"`           // by which routes name it
	Spans []TimeSpan `yaml:"time_intervals"` // when it holds: in any of these
}

// TimeSpan holds when each of its parts does; a part that is not given holds always.
type TimeSpan struct {
	Times       []TimeRange `yaml:"times,omitempty" json:"times,omitempty"`                 // of the day
	Weekdays    []string    `yaml:"weekdays,omitempty" json:"weekdays,omitempty"`           // saturday, monday:friday
	DaysOfMonth []string    `yaml:"days_of_month,omitempty" json:"days_of_month,omitempty"` // 1:5, -3:-1; negative ones count from the end
	Months      []string    `yaml:"months,omitempty" json:"months,omitempty"`               // 1:3, may:august
	Years       []string    `yaml:"years,omitempty" json:"years,omitempty"`                 // 2026:2028
	Location    string      `yaml:"location,omitempty" json:"location,omitempty"`           // as in the time-zone database; "" = UTC
}

// TimeRange is from a minute of the day up to another, which is not of it: 22:00 to 24:00.
type TimeRange struct {
	Start string `yaml:"start_time" json:"start_time"` // HH:MM
	End   string `yaml:"end_time" json:"end_time"`     // HH:MM; the end of the day is 24:00
}

// Interval is a TimeInterval that is ready to be asked.
type Interval struct{ spans []span }

type span struct {
	times, weekdays, days, months, years []bounds // none = always
	zone                                 *time.Location
}

// bounds are both ends; the second belongs to it.
type bounds [2]int

// Contains reports whether t lies within.
func (i *Interval) Contains(t time.Time) bool {
	return slices.ContainsFunc(i.spans, func(s span) bool { return s.contains(t.In(s.zone)) })
}

func (s *span) contains(t time.Time) bool {
	holds := func(list []bounds, v int) bool {
		return len(list) == 0 || slices.ContainsFunc(list, func(b bounds) bool { return v >= b[0] && v <= b[1] })
	}
	year, month, day := t.Date()
	last := time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
	inMonth := len(s.days) == 0 || slices.ContainsFunc(s.days, func(b bounds) bool {
		for i, v := range b {
			if v < 0 {
				b[i] = last + v + 1
			}
		}
		return day >= b[0] && day <= b[1]
	})
	return inMonth && holds(s.times, t.Hour()*60+t.Minute()) && holds(s.weekdays, int(t.Weekday())) && holds(s.months, int(month)) && holds(s.years, year)
}

var (
	weekdayNames = []string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}
	monthNames   = []string{"", "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"}
)

func (c *compiler) interval(i int, x *TimeInterval) {
	at := fmt.Sprintf("time_intervals[%d]", i)
	if c.intervals[x.Name] != nil {
		c.bad(at+".name", "the name %q is used twice", x.Name)
	}
	if len(x.Spans) == 0 {
		c.bad(at, "time_intervals is missing: when does it hold?")
	}
	out := &Interval{}
	for k := range x.Spans {
		out.spans = append(out.spans, c.span(fmt.Sprintf("%s.time_intervals[%d]", at, k), &x.Spans[k]))
	}
	if x.Name == "" {
		c.bad(at, "name is missing")
		return
	}
	c.intervals[x.Name] = out
}

func (c *compiler) span(at string, x *TimeSpan) (s span) {
	var err error
	if s.zone, err = time.LoadLocation(x.Location); err != nil || x.Location == "Local" {
		c.bad(at+".location", "%q is not a time zone%s", x.Location, near.Zone(x.Location))
		s.zone = time.UTC
	}
	for i, r := range x.Times {
		from, ok1 := minuteOf(r.Start)
		to, ok2 := minuteOf(r.End)
		if !ok1 || !ok2 || from >= to {
			c.bad(fmt.Sprintf("%s.times[%d]", at, i), "want start_time before end_time, as 08:00 and 17:30; the end of the day is 24:00, and a night is two ranges")
			continue
		}
		s.times = append(s.times, bounds{from, to - 1})
	}
	s.weekdays = c.ranges(at+".weekdays", x.Weekdays, weekdayNames, 0, 6)
	s.days = c.ranges(at+".days_of_month", x.DaysOfMonth, nil, -31, 31)
	s.months = c.ranges(at+".months", x.Months, monthNames, 1, 12)
	s.years = c.ranges(at+".years", x.Years, nil, 1970, 9999)
	return s
}

// minuteOf reads 08:30; 24:00 is the end of the day.
func minuteOf(text string) (minute int, ok bool) {
	h, m, found := strings.Cut(text, ":")
	hour, err1 := strconv.Atoi(h)
	min, err2 := strconv.Atoi(m)
	ok = found && err1 == nil && err2 == nil && len(m) == 2 && hour >= 0 && min >= 0 && min < 60 && hour*60+min <= 24*60
	return hour*60 + min, ok
}

// ranges reads words or numbers, each alone or two with a colon between.
func (c *compiler) ranges(at string, list []string, names []string, least, most int) (out []bounds) {
	for i, text := range list {
		first, last, two := strings.Cut(strings.ToLower(strings.TrimSpace(text)), ":")
		if !two {
			last = first
		}
		from, ok1 := numberOf(first, names)
		to, ok2 := numberOf(last, names)
		days := least < 0
		switch {
		case !ok1 || !ok2 || from < least || to < least || from > most || to > most || days && (from == 0 || to == 0):
			c.bad(fmt.Sprintf("%s[%d]", at, i), "%q is not one of them, or two with a colon between%s", text, near.Meant(first, names))
			continue
		case from > to && from > 0 == (to > 0), days && from < 0 && to > 0:
			c.bad(fmt.Sprintf("%s[%d]", at, i), "%q begins behind its end", text)
			continue
		}
		out = append(out, bounds{from, to})
	}
	return out
}

func numberOf(text string, names []string) (int, bool) {
	if i := slices.Index(names, text); i >= 0 && text != "" {
		return i, true
	}
	n, err := strconv.Atoi(text)
	return n, err == nil && (len(names) == 0 || names[0] == "") // weekdays are words alone
}
