// Why: a judgement in words.

package ui

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/model"
)

// testWords says what each test looks for.
var testWords = [...]string{
	model.NoTest:      "no test has anything to say",
	model.PointTest:   "windows far outside the tail of what it usually does",
	model.ShiftTest:   "a shift that lasts a quarter of an hour or longer",
	model.DriftTest:   "a slow trend over hours, days or weeks, with its usual rhythm taken out",
	model.CeilingTest: "a fixed mark that is bad by itself",
	model.EventTest:   "something that is usually zero and is not",
	model.FlatTest:    "a value that usually moves and has stopped moving",
	model.CountTest:   "few events, of which too many went wrong or too few came, by their number",
}

func testWord(t model.Test) string {
	if int(t) < len(testWords) {
		return testWords[t]
	}
	return t.String()
}

// verdictSentence says in one line what a signal does and how long already.
func verdictSentence(v *baseline.SignalView, now int64) string {
	unit := v.Signal.Rule.Unit
	since := ""
	if v.Since > 0 {
		since = " for " + alerting.Span(max(now-v.Since, 0))
	}
	switch v.State {
	case model.High, model.Low:
		way := "Above"
		if v.State == model.Low {
			way = "Below"
		}
		if easingSignal(v) {
			return fmt.Sprintf("Recovering: the value is back inside its band. It was %s it; the alarm, up%s, ends when the value stays inside.", strings.ToLower(way), since)
		}
		if math.IsNaN(v.Value) || v.Value <= v.Band.Upper && v.Value >= v.Band.Lower {
			return fmt.Sprintf("%s its normal level%s; the present value is back inside the band.", way, since)
		}
		return fmt.Sprintf("%s its band%s; now %s.", way, since, deviation(v.Value, v.Band, unit))
	case model.Drifting:
		s := "Drifting slowly in the bad direction" + since
		if v.SlopePerDay != 0 {
			s += ": " + signed(v.SlopePerDay, unit) + " a day"
		}
		if v.LimitEta > 0 {
			s += "; reaches its limit in " + alerting.Span(v.LimitEta) + " at this pace"
		}
		return s + "."
	case model.Absent:
		return "No value" + since + ". It used to have one every minute."
	case model.Learning:
		return "Still learning what is normal: it has " + alerting.Quantity(v.Maturity, "ratio") + " of what it wants to see" + borrowed(v.Borrowed) + ". Until then only gross, lasting deviations count."
	}
	if outside(v) {
		return fmt.Sprintf("Outside its band just now (%s), and no alarm: %s.", deviation(v.Value, v.Band, unit), excuseWord(v.Why.Excuse, v.Signal.Rule.Params.Persist, v.Score))
	}
	return "Within its band" + since + "."
}

func signed(v float64, unit string) string {
	if v > 0 {
		return "+" + difference(v, unit)
	}
	return difference(v, unit)
}

// fact is one line of the list that explains a judgement.
type fact struct {
	Name, Value, Note string
	At                int64 // Unix ms, when the fact is a time; 0 otherwise
}

// why lists what a judgement rests on.
func why(v *baseline.SignalView, now int64) []fact {
	p, unit := judgedBy(v), v.Signal.Rule.Unit
	var out []fact
	add := func(name, value, note string) { out = append(out, fact{Name: name, Value: value, Note: note}) }
	if v.State == model.Absent {
		add("Last value", alerting.Quantity(v.Value, unit), "the signal has been silent since")
	} else {
		add("Value", alerting.Quantity(v.Value, unit), deviation(v.Value, v.Band, unit))
	}
	if !math.IsNaN(v.Band.Expected) && v.State != model.Absent {
		add("Band", alerting.Range(v.Band.Lower, v.Band.Upper, unit), "expected "+alerting.Quantity(v.Band.Expected, unit)+", predicted before the value was seen")
	}
	if v.Test != model.NoTest {
		add("Test", v.Test.String(), "looks for "+testWord(v.Test))
	}
	note := scorePhrase(v.Score)
	if need := p.Nats(v.Test); need > 0 {
		note += "; score 1 is " + alerting.Quantity(need, "nats")
		add("Evidence", alerting.Quantity(v.Evidence, "nats"), note)
	} else {
		add("Evidence", "score "+scoreText(v.Score), "alarm at 1")
	}
	if t := byTest(&v.Why, p); t != "" {
		add("By test", t, "each test alone, against what it needs for an alarm")
	}
	if v.State != model.Absent && v.Seen > 0 {
		add("How rare", chance(v.Why.P, p.Extremes), "by what this signal has shown so far")
	}
	if c := compared(v); c != "" {
		add("Compared with", c, "civil time")
	}
	if e := v.Why.Excuse; e != model.NoExcuse {
		add("No alarm", e.String(), excuseWord(e, p.Persist, v.Score))
	}
	if c, n := clears(v, unit); c != "" {
		add("Ends", c, n)
	}
	if v.State.Alarm() && v.State != model.Absent && v.Test != model.CeilingTest && v.Test != model.EventTest {
		add("If it is the new normal", "wrackline accept "+alerting.ShellWord(v.Signal.ID), "with --server and this server's address; ends the alarm, and what was normal stays known for four weeks")
	}
	if v.Onset > 0 && v.State != model.Absent {
		out = append(out, fact{Name: "Began", At: v.Onset, Note: "when evidence was last zero"})
	}
	if v.SlopePerDay != 0 {
		note := ""
		if v.LimitEta > 0 {
			note = "limit " + alerting.Quantity(p.Limit, unit) + " in " + alerting.Span(v.LimitEta)
		}
		add("Slope", signed(v.SlopePerDay, unit)+" a day", note)
	}
	add("How sure", alerting.Quantity(v.Maturity, "ratio"), sure(v.Maturity))
	step := p.StepMs
	if step <= 0 {
		step = 60_000
	}
	add("Learned from", commas(v.Seen)+" windows", alerting.Span(v.Seen*step)+" of data in windows of "+alerting.Span(step))
	if v.Borrowed > 0 {
		add("Borrowed from", commas(int64(v.Borrowed))+" similar signals", "scatter, tails and the shape of the day are those of the same question elsewhere, until two days have been seen")
	}
	add("Shape", shapeWord(v.Seasonal), shapeNote(p.Season, v.Seasonal))
	add("Made of", plural(v.Members, "series", "series"), membersNote(v.Members, v.Expected))
	add("Bad direction", p.Bad.String(), effectNote(p, unit))
	return out
}

// judgedBy returns the parameters with which a signal was judged: its rule's, as strict as the budget asked.
func judgedBy(v *baseline.SignalView) *model.Params {
	p := v.Signal.Rule.Params
	p.Strict = float64(v.Why.Strict)
	return &p
}

// excuseWord says why a value beyond its band raises no alarm.
func excuseWord(e model.Excuse, persist int, score float64) string {
	switch e {
	case model.GoodSide:
		return "this side is not the bad one"
	case model.ByHabit:
		return "it comes back at this time, and has been told often enough"
	case model.ByHour:
		return "these hours usually bring it, or did a week ago"
	case model.BySunday:
		return "the day is like a Sunday, as holidays are"
	case model.ByRegime:
		return "it stood there before its present level was adopted"
	case model.TooSmall:
		return "it is less than the smallest effect worth a message"
	case model.TooBrief:
		return fmt.Sprintf("it has not lasted for %d windows", persist)
	case model.Young:
		return "little has been seen yet, so only what is gross counts"
	}
	return "the evidence is not enough yet, " + scorePhrase(score)
}

// byTest lists what each test has.
func byTest(y *model.Why, p *model.Params) string {
	var out []string
	for t, s := range y.Scores {
		if s < .05 {
			continue
		}
		text := model.Test(t).String() + " " + scoreText(float64(s))
		if need := p.Nats(model.Test(t)); need > 0 {
			text += " (" + alerting.Quantity(float64(s)*need, "") + " of " + alerting.Quantity(need, "nats") + ")"
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

// chance writes a probability as people say it.
func chance(p float32, extremes bool) string {
	of := "windows"
	if extremes {
		of = "spans of six hours"
	}
	switch {
	case p <= 0:
		return "not weighed"
	case p >= .2:
		return "usual"
	case p < 1e-9:
		return "less than one in a billion " + of
	}
	n := 1 / float64(p)
	if n >= 100 { // two digits are all that is known
		e := math.Pow(10, math.Floor(math.Log10(n))-1)
		n = math.Round(n/e) * e
	}
	return "one in " + commas(math.Round(n)) + " " + of
}

var weekdays = [7]string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}

// compared says with which hour a value was compared, and how often that was seen.
func compared(v *baseline.SignalView) string {
	h := int(v.Why.Hour)
	var s string
	switch v.Seasonal {
	case model.Weekly:
		s = fmt.Sprintf("%s %02d:00–%02d:00", weekdays[h/24%7], h%24, (h+1)%24)
	case model.Daily:
		s = fmt.Sprintf("%02d:00–%02d:00 of other days", h%24, (h+1)%24)
	default:
		return ""
	}
	switch n := v.Why.Visits; {
	case v.Seasonal == model.Daily && n >= 15:
		return s + ", seen 15 times or more"
	case n == 1:
		return s + ", seen once"
	default:
		return s + fmt.Sprintf(", seen %d times", n)
	}
}

// clears says what would end the alarm that stands.
func clears(v *baseline.SignalView, unit string) (value, note string) {
	c := v.Why.Clear
	if !v.State.Alarm() || v.State == model.Absent {
		return "", ""
	}
	after := "at once"
	if c.AfterMs > 0 {
		after = "after " + alerting.Span(c.AfterMs)
	}
	lower, upper := !math.IsInf(c.Lower, -1), !math.IsInf(c.Upper, 1)
	switch {
	case math.IsNaN(c.Lower) && v.Test == model.FlatTest:
		return after, "of a value that moves again"
	case math.IsNaN(c.Lower) && v.Test == model.CountTest:
		return after, "of events as usual"
	case math.IsNaN(c.Lower):
		return after, "without a trend"
	case lower && upper:
		return after, "between " + alerting.Quantity(c.Lower, unit) + " and " + alerting.Quantity(c.Upper, unit)
	case lower:
		return after, "at or above " + alerting.Quantity(c.Lower, unit)
	case upper:
		return after, "at or below " + alerting.Quantity(c.Upper, unit)
	}
	return "", ""
}

// borrowed says of a young signal whom its band leans on.
func borrowed(from int) string {
	if from == 0 {
		return ""
	}
	return ", and borrowed from " + strconv.Itoa(from) + " similar signals"
}

func sure(maturity float64) string {
	switch {
	case maturity >= 0.95:
		return "the band has seen what it wants to see"
	case maturity >= 0.5:
		return "the band is usable and still narrows"
	}
	return "the band is provisional, and wide on purpose"
}

func shapeWord(s model.Season) string {
	switch s {
	case model.Daily:
		return "by hour of the day"
	case model.Weekly:
		return "by hour of the week"
	}
	return "none"
}

func shapeNote(hint, used model.Season) string {
	switch {
	case used == model.Daily || used == model.Weekly:
		return "it repeats, and predicting with the shape is better than without"
	case hint == model.NoSeason:
		return "the pack says that it has no rhythm"
	}
	return "no rhythm predicts better than the level alone, so far"
}

func membersNote(have, before int) string {
	if before > 0 && have != before {
		return fmt.Sprintf("gave a value in this window, %s in the one before", commas(before))
	}
	return "gave a value in this window"
}

// effectNote says how much must change before it is worth a message.
func effectNote(p *model.Params, unit string) string {
	s := ""
	add := func(t string) {
		if s != "" {
			s += " and "
		}
		s += t
	}
	if p.EffectAbs > 0 {
		add("at least " + difference(p.EffectAbs, unit) + " away")
	}
	if p.EffectRel > 0 {
		add("at least " + alerting.Quantity(p.EffectRel, "ratio") + " off")
	}
	if p.Persist > 1 {
		add(fmt.Sprintf("%d windows in a row", p.Persist))
	}
	if s == "" {
		return ""
	}
	return "worth a message when " + s
}
