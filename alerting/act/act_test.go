package act

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wrackline/wrackline/alerting/route"
)

// monday is 2027-03-01 09:20 UTC, a Monday.
var monday = time.Date(2027, 3, 1, 9, 20, 0, 0, time.UTC).UnixMilli()

const minute, hour, day = 60_000, 3_600_000, 24 * 3_600_000

func num(v float64) *float64 { return &v }

// alarm is a high one of 5 against 1 to 2, of a workload.
func alarm(workload string) *Subject {
	labels := map[string]string{"cluster": "prod", "namespace": "shop", "workload": workload, "signal": "wl.cpu_cores", "pack": "wl", "severity": "warn", "id": "wl.cpu_cores~workload=" + workload}
	return &Subject{Label: func(n string) string { return labels[n] }, Value: 5, Lower: 1, Expected: 1.5, Upper: 2, Side: 1}
}

func silence(match ...string) Draft {
	return Draft{Kind: Silence, Who: "anna", Why: "test", Rule: Rule{Match: match}, For: "2h"}
}

func lesson(r Rule) Draft {
	r.Match = append(r.Match, `signal="wl.cpu_cores"`, `workload="cart"`)
	return Draft{Kind: Lesson, Who: "anna", Rule: r}
}

func at(start, end string, days ...string) *route.TimeSpan {
	return &route.TimeSpan{Weekdays: days, Times: []route.TimeRange{{Start: start, End: end}}}
}

func said(t *testing.T, b *Book, d Draft, now int64) *Act {
	t.Helper()
	a, err := d.Act(now)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Apply(&Entry{Act: a}); err != nil {
		t.Fatal(err)
	}
	return a
}

// TestMuted: each kind mutes what it says, and its quiet twins are told.
func TestMuted(t *testing.T) {
	value := func(s *Subject, v float64, side int) *Subject { s.Value, s.Side = v, side; return s }
	silent := alarm("cart")
	silent.Absent, silent.Side, silent.Value = true, 0, math.NaN()
	for _, c := range []struct {
		name string
		d    Draft
		s    *Subject
		t    int64
		want bool
	}{
		{"silence of a workload", silence(`workload="cart"`), alarm("cart"), monday + minute, true},
		{"another workload", silence(`workload="cart"`), alarm("pay"), monday + minute, false},
		{"what was judged before it was said and is told after", silence(`workload="cart"`), alarm("cart"), monday - minute, true},
		{"at its end", silence(`workload="cart"`), alarm("cart"), monday + 2*hour, false},
		{"just before", silence(`workload="cart"`), alarm("cart"), monday + 2*hour - 1, true},
		{"regular expression", silence(`workload=~"cart|ca.*"`), alarm("canary"), monday, true},
		{"a regular expression is anchored", silence(`workload=~"car"`), alarm("cart"), monday, false},
		{"all matchers count", silence(`workload="cart"`, `severity="page"`), alarm("cart"), monday, false},
		{"two in one line", silence(`workload="cart",severity="warn"`), alarm("cart"), monday, true},
		{"by pack, signal and id", silence(`pack="wl"`, `signal=~"wl[.].*"`, `id="wl.cpu_cores~workload=cart"`), alarm("cart"), monday, true},
		{"a silence knows no bounds", silence(`workload="cart"`), value(alarm("cart"), 1e9, 1), monday, true},
		{"maintenance to come", Draft{Kind: Maintenance, Who: "a", Rule: Rule{Match: []string{"workload=cart"}}, From: "2027-03-01T22:00", For: "1h"}, alarm("cart"), monday, false},
		{"maintenance under way", Draft{Kind: Maintenance, Who: "a", Rule: Rule{Match: []string{"workload=cart"}}, From: "2027-03-01T22:00", For: "1h"}, alarm("cart"), monday + 13*hour, true},
		{"maintenance that is over", Draft{Kind: Maintenance, Who: "a", Rule: Rule{Match: []string{"workload=cart"}}, From: "2027-03-01T22:00", For: "1h"}, alarm("cart"), monday + 14*hour, false},
		{"maintenance again next week", Draft{Kind: Maintenance, Who: "a", Rule: Rule{Match: []string{"workload=cart"}, When: at("09:00", "10:00", "monday")}}, alarm("cart"), monday + 7*day, true},
		{"and not on Tuesday", Draft{Kind: Maintenance, Who: "a", Rule: Rule{Match: []string{"workload=cart"}, When: at("09:00", "10:00", "monday")}}, alarm("cart"), monday + day, false},
		{"lesson at this hour", lesson(Rule{When: at("09:00", "10:00", "monday"), AtMost: num(6)}), alarm("cart"), monday + 7*day, true},
		{"on Tuesday", lesson(Rule{When: at("09:00", "10:00", "monday"), AtMost: num(6)}), alarm("cart"), monday + 8*day, false},
		{"an hour later", lesson(Rule{When: at("09:00", "10:00", "monday"), AtMost: num(6)}), alarm("cart"), monday + hour, false},
		{"in the place's own time", lesson(Rule{When: &route.TimeSpan{Location: "Asia/Tokyo", Times: []route.TimeRange{{Start: "18:00", End: "19:00"}}}, AtMost: num(6)}), alarm("cart"), monday, true},
		{"higher than the lesson covers", lesson(Rule{When: at("09:00", "10:00"), AtMost: num(4)}), alarm("cart"), monday, false},
		{"an outage is not a lesson about high values", lesson(Rule{When: at("09:00", "10:00"), AtMost: num(6)}), value(alarm("cart"), 0, -1), monday, false},
		{"an outage below what is covered", lesson(Rule{When: at("09:00", "10:00"), AtLeast: num(.5)}), value(alarm("cart"), 0, -1), monday, false},
		{"an outage that is covered", lesson(Rule{When: at("09:00", "10:00"), AtLeast: num(0)}), value(alarm("cart"), 0, -1), monday, true},
		{"low, told as high by a level that fell since", lesson(Rule{AtMost: num(6)}), value(alarm("cart"), .2, 1), monday, false},
		{"too small", lesson(Rule{Effect: num(4)}), alarm("cart"), monday, true},
		{"a larger effect", lesson(Rule{Effect: num(4)}), value(alarm("cart"), 5.6, 1), monday, false},
		{"a larger effect downwards", lesson(Rule{Effect: num(1)}), value(alarm("cart"), .4, -1), monday, false},
		{"both count", lesson(Rule{Effect: num(4), AtMost: num(4.5)}), alarm("cart"), monday, false},
		{"silent, and no word of that", lesson(Rule{AtMost: num(6), AtLeast: num(0)}), silent, monday, false},
		{"silent, as it may be", lesson(Rule{Absent: true}), silent, monday, true},
		{"absent says nothing of values", lesson(Rule{Absent: true}), alarm("cart"), monday, false},
		{"a value that is none", lesson(Rule{AtMost: num(6)}), value(alarm("cart"), math.NaN(), 1), monday, false},
		{"a fixed mark within the band", lesson(Rule{AtMost: num(1.8)}), value(alarm("cart"), 1.7, 0), monday, true},
		{"a fixed mark beyond", lesson(Rule{AtMost: num(1.6)}), value(alarm("cart"), 1.7, 0), monday, false},
	} {
		var b Book
		a := said(t, &b, c.d, monday)
		if by := b.Muted(c.s, c.t); (by != nil) != c.want {
			t.Errorf("%s: muted %v, want %v (%s)", c.name, by != nil, c.want, a.Words())
		}
		// A restart comes to the same.
		var again Book
		if err := again.RestoreState(b.AppendState(nil)); err != nil {
			t.Fatal(err)
		}
		if by := again.Muted(c.s, c.t); (by != nil) != c.want {
			t.Errorf("%s: another answer after a restart", c.name)
		}
		if err := b.Apply(&Entry{Undo: a.ID, By: &Undo{Who: "bert", T: monday}}); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if b.Muted(c.s, c.t) != nil || b.Any() {
			t.Errorf("%s: muted though it was undone", c.name)
		}
	}
}

// again is maintenance of a workload that comes again.
func again(when route.TimeSpan) Draft {
	return Draft{Kind: Maintenance, Who: "a", Rule: Rule{Match: []string{"workload=cart"}, When: &when}}
}

// TestRefused: what nobody may say, with the field that is named.
func TestRefused(t *testing.T) {
	with := func(d Draft, change func(*Draft)) Draft { change(&d); return d }
	ok := silence("workload=cart")
	for _, c := range []struct {
		field string
		d     Draft
	}{
		{"kind", with(ok, func(d *Draft) { d.Kind = "shrug" })},
		{"who", with(ok, func(d *Draft) { d.Who = " \u200b " })},
		{"until", with(ok, func(d *Draft) { d.For = "" })},
		{"until", with(ok, func(d *Draft) { d.For = "91d" })},
		{"until", with(ok, func(d *Draft) { d.For, d.Until = "", "2027-03-01T09:20" })},
		{"until", with(ok, func(d *Draft) { d.Until = "2027-03-02T09:20" })},
		{"until", with(ok, func(d *Draft) { d.For, d.Until = "", "tomorrow" })},
		{"for", with(ok, func(d *Draft) { d.For = "-2h" })},
		{"for", with(ok, func(d *Draft) { d.For = "NaNd" })},
		{"from", with(ok, func(d *Draft) { d.From = "2027-03-01T22:00" })},
		{"match", with(ok, func(d *Draft) { d.Match = nil })},
		{"match", silence(`workload=~".*"`)},
		{"match", silence(`workload!="cart"`)},
		{"match", silence(`severity=~".+"`)},
		{"match", silence(`severity=~"page|warn|info"`)},
		{"match", silence(`signal=~"[a-z].*"`)},
		{"match", silence(`id=~".*~.*"`)},
		{"match", silence(`cluster=~"..*"`, `namespace!="x"`)},
		{"match", silence(slices.Repeat([]string{"workload=cart"}, 17)...)},
		{"match[0]", silence("")},
		{"match[0]", silence(`pod="x"`)},
		{"match[0]", silence(`workload=~"("`)},
		{"match[0]", silence(`workload="` + strings.Repeat("x", 1100) + `"`)},
		{"at_most", with(ok, func(d *Draft) { d.AtMost = num(1) })},
		{"when", with(ok, func(d *Draft) { d.When = at("09:00", "10:00") })},
		{"incident", with(ok, func(d *Draft) { d.Incident = "x" })},
		{"signal", with(ok, func(d *Draft) { d.Signal = "x" })},
		{"when", Draft{Kind: Maintenance, Who: "a", Rule: Rule{Match: []string{"workload=cart"}, When: at("00:00", "24:00")}}},
		{"when", Draft{Kind: Maintenance, Who: "a", Rule: Rule{Match: []string{"workload=cart"}, When: at("09:00", "08:00")}}},
		{"when", again(route.TimeSpan{Years: []string{"2026:2026"}})},
		{"when", again(route.TimeSpan{Years: []string{"2027"}, Weekdays: []string{"monday"}})},
		{"when", again(route.TimeSpan{Months: []string{"april:december"}})},
		{"when", again(route.TimeSpan{Months: []string{"july:september"}})},               // 92 days
		{"when", again(route.TimeSpan{Months: []string{"january", "november:december"}})}, // over the turn of the year: 92 days
		{"when", again(route.TimeSpan{Months: []string{"january", "november:december"}, Location: "Asia/Tokyo"})},
		{"until", Draft{Kind: Maintenance, Who: "a", Rule: Rule{Match: []string{"workload=cart"}}, From: "2027-03-01T22:00"}},
		{"until", Draft{Kind: Maintenance, Who: "a", Rule: Rule{Match: []string{"workload=cart"}}, From: "2027-03-01T22:00", Until: "2027-03-01T21:00"}},
		{"from", Draft{Kind: Maintenance, Who: "a", Rule: Rule{Match: []string{"workload=cart"}}, From: "2029-03-01T22:00", For: "1h"}},
		{"at_most", lesson(Rule{When: at("09:00", "10:00")})},
		{"at_most", lesson(Rule{AtMost: num(1), AtLeast: num(2)})},
		{"at_most", lesson(Rule{AtMost: num(math.Inf(1))})},
		{"effect", lesson(Rule{Effect: num(0)})},
		{"match", Draft{Kind: Lesson, Who: "a", Rule: Rule{Match: []string{"workload=cart"}, AtMost: num(1)}}},
		{"match", Draft{Kind: Lesson, Who: "a", Rule: Rule{Match: []string{`signal=~"wl.*"`}, AtMost: num(1)}}},
		{"incident", Draft{Kind: Ack, Who: "a"}},
		{"until", Draft{Kind: Ack, Who: "a", Incident: "x", For: "2h"}},
		{"match", Draft{Kind: Ack, Who: "a", Incident: "x", Rule: Rule{Match: []string{"workload=cart"}}}},
		{"signal", Draft{Kind: Level, Who: "a"}},
	} {
		_, err := c.d.Act(monday)
		var e *Error
		if !errors.As(err, &e) || e.Field != c.field {
			t.Errorf("%+v: %v, want a word about %s", c.d, err, c.field)
		}
	}
	if _, err := ok.Act(monday); err != nil {
		t.Error(err)
	}
	for _, d := range []Draft{
		again(route.TimeSpan{Months: []string{"july:august"}}),
		again(route.TimeSpan{Months: []string{"april:december"}, Weekdays: []string{"saturday:sunday"}}),
		again(route.TimeSpan{DaysOfMonth: []string{"1:3"}}),
		silence(`severity=~"warn|info"`), silence(`severity=~".+"`, "namespace=shop"), silence(`signal=~"wl[.].*"`), silence(`namespace=~"kube-.*"`), silence(`id=~".*workload=cart.*"`),
	} {
		for _, now := range []int64{monday, monday + 290*day, monday + 5*30*day} {
			if _, err := d.Act(now); err != nil {
				t.Errorf("%+v: %v", d.Rule, err)
			}
		}
	}
	if a, err := (&Draft{Kind: Silence, Who: "a", Rule: Rule{Match: []string{"workload=cart"}}, Until: "2027-03-01T12:20:00+01:00"}).Act(monday); err != nil || a.Until != monday+2*hour {
		t.Error(a, err)
	}
}

// TestBook: what is said twice is said once, undone once, bounded, and in both pictures.
func TestBook(t *testing.T) {
	var b Book
	a := said(t, &b, silence("workload=cart"), monday)
	if err := b.Apply(&Entry{Act: a}); err != nil || len(b.View().All()) != 1 {
		t.Error("a replay says it twice", err)
	}
	e := &Entry{Undo: a.ID, By: &Undo{Who: "bert", Why: "done", T: monday + minute}}
	text, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	read, err := Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := b.Apply(read); err != nil {
			t.Error(err)
		}
	}
	if u := b.View().Find(a.ID).Undone; u == nil || u.Who != "bert" || u.T != monday+minute || a.Undone != nil {
		t.Error(u, a.Undone)
	}
	if err := b.Apply(&Entry{Undo: "none", By: &Undo{Who: "x"}}); !errors.Is(err, ErrNone) {
		t.Error(err)
	}
	level := said(t, &b, Draft{Kind: Level, Who: "a", Signal: "x~y"}, monday)
	if err := b.Apply(&Entry{Undo: level.ID, By: &Undo{Who: "x"}}); !errors.Is(err, ErrLevel) {
		t.Error(err)
	}
	for i := range forceMax {
		said(t, &b, silence(fmt.Sprint("workload=w", i)), monday)
	}
	d := silence("workload=more")
	more, err := d.Act(monday)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Apply(&Entry{Act: more}); !errors.Is(err, ErrFull) {
		t.Error("no bound:", err)
	}
	said(t, &b, silence("workload=more"), monday+2*day) // the others are over
	first := said(t, &b, Draft{Kind: Ack, Who: "a", Incident: "i1"}, monday)
	second := said(t, &b, Draft{Kind: Ack, Who: "b", Incident: "i1"}, monday)
	if h := b.View().Holder("i1"); h.ID != second.ID {
		t.Error("who took it over has it", h)
	}
	if err := b.Apply(&Entry{Undo: second.ID, By: &Undo{Who: "b", T: monday}}); err != nil {
		t.Fatal(err)
	}
	if h := b.View().Holder("i1"); h.ID != first.ID || b.View().Holder("i2") != nil {
		t.Error(h)
	}
	for i := range actsMax + 10 {
		said(t, &b, Draft{Kind: Ack, Who: "a", Incident: fmt.Sprint("x", i)}, monday+2*day)
	}
	if n := len(b.View().All()); n != actsMax {
		t.Errorf("%d acts", n)
	}
	if !b.Any() {
		t.Error("a silence in force has left for acks")
	}
}

// TestState: what is stored is read again, and what cannot have been stored is refused.
func TestState(t *testing.T) {
	var b Book
	said(t, &b, silence("workload=cart"), monday)
	said(t, &b, lesson(Rule{When: at("09:00", "10:00", "monday"), AtMost: num(6.25)}), monday)
	stored := b.AppendState([]byte{7})[1:]
	var c Book
	if err := c.RestoreState(stored); err != nil {
		t.Fatal(err)
	}
	if string(c.AppendState(nil)) != string(stored) {
		t.Error("another state after a restart")
	}
	for i := range stored {
		if err := new(Book).RestoreState(stored[:i]); i > 0 && !errors.Is(err, ErrState) {
			t.Fatalf("cut at %d: %v", i, err)
		}
	}
	if err := c.RestoreState(append([]byte{2}, stored[1:]...)); !errors.Is(err, ErrState) || len(c.View().All()) != 2 {
		t.Error("a newer version:", err)
	}
	if err := c.RestoreState(nil); err != nil || len(c.View().All()) != 0 {
		t.Error("an older program's:", err)
	}
	for _, text := range []string{"", "{}", "[]", `{"undo":"x"}`, `{"act":{},"undo":"x","by":{}}`, strings.Repeat("x", bodyMax+1)} {
		if e, err := Decode([]byte(text)); err == nil {
			t.Errorf("%.40s: %+v", text, e)
		}
	}
}

// TestFile: lessons go out, are reviewed, and come in again.
func TestFile(t *testing.T) {
	var b Book
	said(t, &b, lesson(Rule{When: at("09:00", "10:30", "monday:friday"), AtMost: num(6)}), monday)
	d := lesson(Rule{Effect: num(.5)})
	d.Why, d.For = "noise: \"really\"\n- no", "30d"
	said(t, &b, d, monday)
	said(t, &b, silence("workload=cart"), monday)
	text, err := WriteLessons(b.View().Lessons(monday))
	if err != nil {
		t.Fatal(err)
	}
	list, err := ReadLessons(text, "", monday)
	if err != nil || len(list) != 2 {
		t.Fatalf("%v %v\n%s", list, err, text)
	}
	if x := Compare(list, b.View().Lessons(monday)); x.Same != 2 || len(x.Missing)+len(x.Extra) != 0 {
		t.Errorf("%+v\n%s", x, text)
	}
	changed := strings.Replace(string(text), "at_most: 6", "at_most: 7", 1)
	if list, err = ReadLessons([]byte(changed), "", monday); err != nil {
		t.Fatal(err)
	}
	if x := Compare(list, b.View().Lessons(monday)); x.Same != 1 || len(x.Missing) != 1 || len(x.Extra) != 1 || *x.Missing[0].AtMost != 7 {
		t.Errorf("%+v", x)
	}
	if list, err := ReadLessons(text, "", monday+31*day); err != nil || len(list) != 1 {
		t.Error("what is over does not come back:", list, err)
	}
	for _, bad := range []string{"lessons: [{at_most: 6}]", "lessons: [{match: [signal=x], at_mots: 6}]", "lessons: 7", "x", strings.Repeat("#", fileMax+1)} {
		if list, err := ReadLessons([]byte(bad), "anna", monday); err == nil {
			t.Errorf("%.60s: %v", bad, list)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"act":{"id":"a","kind":"silence","match":["workload=cart"],"until":5}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := Decode(b)
		if err != nil {
			return
		}
		var book Book
		if book.Apply(e) == nil {
			book.Muted(alarm("cart"), monday)
			if err := new(Book).RestoreState(book.AppendState(nil)); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestDetours: who is told is another question than whether: a lesson about it mutes nothing, and takes what its matchers take, at its hours, until it is undone.
func TestDetours(t *testing.T) {
	detour := func(r Rule) Draft {
		r.NotFor = "shop"
		return Draft{Kind: Lesson, Who: "anna", Rule: r}
	}
	for _, c := range []struct {
		name string
		d    Draft
		t    int64
		want bool
	}{
		{"of a workload", detour(Rule{Match: []string{"workload=cart"}}), monday, true},
		{"of another", detour(Rule{Match: []string{"workload=pay"}}), monday, false},
		{"of a signal by name", detour(Rule{Match: []string{`signal=~"wl[.].*"`, "pack=wl", "severity=warn"}}), monday, true},
		{"at this hour", detour(Rule{Match: []string{"workload=cart"}, When: at("09:00", "10:00", "monday")}), monday, true},
		{"at another", detour(Rule{Match: []string{"workload=cart"}, When: at("09:00", "10:00", "monday")}), monday + hour, false},
		{"to somebody", detour(Rule{Match: []string{"workload=cart"}, To: "platform"}), monday + 90*day, true},
	} {
		var b Book
		x := said(t, &b, c.d, monday-hour)
		if b.Muted(alarm("cart"), c.t) != nil {
			t.Errorf("%s: it mutes", c.name)
		}
		list := b.View().Detours(alarm("cart").Label, c.t)
		if (len(list) == 1 && list[0].ID == x.ID) != c.want {
			t.Errorf("%s: %d detours", c.name, len(list))
		}
		var again Book
		if err := again.RestoreState(b.AppendState(nil)); err != nil || len(again.View().Detours(alarm("cart").Label, c.t)) != len(list) {
			t.Errorf("%s: after a restart %v", c.name, err)
		}
		if err := b.Apply(&Entry{Undo: x.ID, By: &Undo{Who: "anna", T: monday}}); err != nil || len(b.View().Detours(alarm("cart").Label, c.t)) != 0 {
			t.Errorf("%s: undone: %v", c.name, err)
		}
	}
	for field, d := range map[string]Draft{
		"not_for":  {Kind: Silence, Who: "a", Rule: Rule{Match: []string{"workload=x"}, NotFor: "shop"}, For: "1h"},
		"to":       {Kind: Lesson, Who: "a", Rule: Rule{Match: []string{"signal=x"}, AtMost: num(1), To: "shop"}},
		"match":    {Kind: Lesson, Who: "a", Rule: Rule{Match: []string{"id=x"}, NotFor: "shop"}},
		"match ":   {Kind: Lesson, Who: "a", Rule: Rule{Match: []string{`workload!="x"`, `workload=~".*"`}[1:], NotFor: "shop"}},
		"not_for ": {Kind: Lesson, Who: "a", Rule: Rule{Match: []string{"signal=x"}, AtMost: num(1), NotFor: "shop"}},
		"to ":      {Kind: Lesson, Who: "a", Rule: Rule{Match: []string{"workload=x"}, NotFor: "shop", To: "shop"}},
	} {
		_, err := d.Act(monday)
		var bad *Error
		if !errors.As(err, &bad) || bad.Field != strings.TrimSpace(field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	// A file keeps them, and they are no others than themselves.
	a, _ := (&Draft{Kind: Lesson, Who: "a", Rule: Rule{Match: []string{"workload=x"}, NotFor: "shop", To: "platform"}}).Act(monday)
	b, _ := (&Draft{Kind: Lesson, Who: "a", Rule: Rule{Match: []string{"workload=x"}, NotFor: "shop"}}).Act(monday)
	text, err := WriteLessons([]*Act{a})
	if err != nil {
		t.Fatal(err)
	}
	list, err := ReadLessons(text, "b", monday)
	if err != nil || len(list) != 1 || !sameRule(list[0], a) || sameRule(list[0], b) {
		t.Errorf("%v %s", err, text)
	}
}
