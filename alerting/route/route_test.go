package route

import (
	"strings"
	"testing"
	"time"
)

func TestMatchers(t *testing.T) {
	shop := map[string]string{"severity": "page", "namespace": "shop", "workload": `ca"rt`, "cluster": "prod"}
	for text, want := range map[string]bool{
		`severity="page"`: true, `severity=page`: true, ` severity = "page" `: true, `severity!="page"`: false, `namespace=~"shop|pay"`: true, `namespace=~sho`: false,
		`namespace!~"pay.*"`: true, `node=""`: true, `node!=""`: false, `node=~".*"`: true, `workload="ca\"rt"`: true, `{severity="page",cluster="prod"}`: true,
		`severity="page", cluster="test"`: false, `severity="page",`: true, `node=`: true,
	} {
		ms, err := parseMatchers(text, Names)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got := true
		for i := range ms {
			got = got && ms[i].matches(shop)
		}
		if got != want {
			t.Errorf("%s: %t", text, got)
		}
	}
	for text, want := range map[string]string{
		``: "a matcher is", `{}`: "a matcher is", `severity`: "a matcher is", `severity=="page"`: "a matcher is", `severity="page" cluster="x"`: "a matcher is", `severity="page`: "a matcher is",
		`{severity="page"`: "a matcher is", `namespace=~"("`: "not a regular expression", `sevrity="page"`: `did you mean "severity"`, `team="a"`: "incidents have severity", `severity="critical"`: "critical is page", `tam="a"`: "incidents have severity",
	} {
		if _, err := parseMatchers(text, Names); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func legs(list []*Leg) (out string) {
	for _, l := range list {
		out += l.Receiver + " "
	}
	return strings.TrimSpace(out)
}

func TestTreeIsWalkedAsAlertmanagerDoes(t *testing.T) {
	five := 5
	root := &Route{Receiver: "all", RepeatInterval: "4h", Routes: []*Route{
		{Receiver: "am", Continue: true},
		{Matchers: []string{`severity="page"`}, Receiver: "pager", Continue: true, Escalate: &Escalation{After: "30m", Receiver: "boss"}},
		{Matchers: []string{`namespace="shop"`}, Receiver: "shop", NotificationsPerDay: &five, Routes: []*Route{
			{Matchers: []string{`workload=~"cart.*"`}, Receiver: "cart"},
			{Matchers: []string{`severity="info"`}}, // its parent's receiver
		}},
		{Matchers: []string{`namespace="shop"`}, Receiver: "never"},
	}}
	tree, err := New(root, nil, []string{"all", "am", "pager", "shop", "cart", "never", "boss"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		labels map[string]string
		want   string
	}{
		{map[string]string{"severity": "warn"}, "am"},
		{map[string]string{"severity": "page"}, "am pager"},
		{map[string]string{"severity": "page", "namespace": "shop"}, "am pager shop"},
		{map[string]string{"severity": "warn", "namespace": "shop", "workload": "cart-api"}, "am cart"},
		{map[string]string{"severity": "info", "namespace": "shop"}, "am shop"},
	} {
		if got := legs(tree.Match(c.labels)); got != c.want {
			t.Errorf("%v: %s, want %s", c.labels, got, c.want)
		}
	}
	got := tree.Match(map[string]string{"severity": "page", "namespace": "shop", "workload": "cart"})
	if l := got[1]; l.Escalate != 30*time.Minute || l.EscalTo != "boss" || l.Repeat != 4*time.Hour || l.Contract != "" {
		t.Errorf("%+v", l)
	}
	if l := got[2]; l.Receiver != "cart" || l.Contract != "route.routes[2]" || l.PerDay != 5 || l.Escalate != 0 || l.Path != "route.routes[2].routes[0]" {
		t.Errorf("%+v", l)
	}
	var none *Tree
	if none.Match(nil) != nil {
		t.Error("a nil tree matches something")
	}
}

func TestWhatIsWrongIsSaidWithItsPlace(t *testing.T) {
	many := 5000
	root := &Route{Matchers: []string{`severity=page`}, Continue: true, MuteTimeIntervals: []string{"nigth"}, Routes: []*Route{
		{Receiver: "pagr", Matchers: []string{`severity=page`, `x`}, RepeatInterval: "soon", NotificationsPerDay: &many, Escalate: &Escalation{After: "1s"}}, nil,
	}}
	_, err := New(root, []TimeInterval{{Name: "night", Spans: []TimeSpan{{Times: []TimeRange{{"22:00", "06:00"}}, Weekdays: []string{"frday"}, DaysOfMonth: []string{"0"}, Months: []string{"march:january"}, Years: []string{"20:1"}, Location: "Mars"}}},
		{Name: "night"}, {}}, []string{"pager"})
	for _, want := range []string{
		"route.receiver: it is missing", "route.matchers: the root", "route.continue", "route: the root is never silent", `route.mute_time_intervals[0]: there is no time interval "nigth" in time_intervals; did you mean "night"?`,
		`route.routes[0].receiver: there is no receiver "pagr"; did you mean "pager"?`, "route.routes[0].matchers[1]: a matcher is", `route.routes[0].repeat_interval: "soon"`, "route.routes[0].notifications_per_day",
		"route.routes[0].escalate.after", "route.routes[0].escalate.receiver: it is missing", "route.routes[1]: it is empty", "time_intervals[0].time_intervals[0].times[0]", "a night is two ranges", ".weekdays[0]", ".days_of_month[0]",
		".months[0]", ".years[0]", ".location", "time_intervals[1].name", "time_intervals[1]: time_intervals is missing", "time_intervals[2]: name is missing",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not said: %v", want, err)
		}
	}
	deep := &Route{Receiver: "pager"}
	for range 40 {
		deep = &Route{Receiver: "pager", Routes: []*Route{deep}}
	}
	if _, err := New(deep, nil, []string{"pager"}); err == nil {
		t.Error("forty routes in one another are taken")
	}
}

func TestIntervals(t *testing.T) {
	at := func(s string) time.Time {
		x, err := time.Parse("2006-01-02 15:04", s)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	for _, c := range []struct {
		span TimeSpan
		in   []string
		out  []string
	}{
		{TimeSpan{}, []string{"2026-01-01 00:00"}, nil},
		{TimeSpan{Times: []TimeRange{{"22:00", "24:00"}, {"00:00", "06:00"}}}, []string{"2026-01-01 22:00", "2026-01-01 23:59", "2026-01-01 05:59"}, []string{"2026-01-01 06:00", "2026-01-01 21:59"}},
		{TimeSpan{Weekdays: []string{"Monday:Friday"}}, []string{"2026-03-02 12:00", "2026-03-06 23:59"}, []string{"2026-03-07 00:00", "2026-03-08 12:00"}},
		{TimeSpan{Weekdays: []string{"saturday", "sunday"}}, []string{"2026-03-07 00:00", "2026-03-08 12:00"}, []string{"2026-03-02 12:00"}},
		{TimeSpan{DaysOfMonth: []string{"-3:-1"}}, []string{"2026-02-26 12:00", "2026-02-28 12:00", "2028-02-29 12:00"}, []string{"2026-02-25 12:00", "2028-02-26 12:00"}},
		{TimeSpan{DaysOfMonth: []string{"31"}}, []string{"2026-03-31 12:00"}, []string{"2026-02-28 12:00"}},
		{TimeSpan{Months: []string{"december", "1:2"}}, []string{"2026-12-24 12:00", "2026-01-01 12:00", "2026-02-01 12:00"}, []string{"2026-03-01 12:00"}},
		{TimeSpan{Years: []string{"2026:2027"}}, []string{"2027-01-01 12:00"}, []string{"2025-12-31 23:59", "2028-01-01 00:00"}},
		// Berlin is two hours ahead in summer, one in winter.
		{TimeSpan{Times: []TimeRange{{"08:00", "17:00"}}, Location: "Europe/Berlin"}, []string{"2026-07-01 06:00", "2026-01-01 07:00"}, []string{"2026-01-01 06:30", "2026-07-01 15:00"}},
		{TimeSpan{Weekdays: []string{"monday"}, Location: "Pacific/Auckland"}, []string{"2026-03-01 12:00"}, []string{"2026-03-02 12:00"}},
	} {
		five := []TimeInterval{{Name: "x", Spans: []TimeSpan{c.span}}}
		mute, err := New(&Route{Receiver: "r", Routes: []*Route{{MuteTimeIntervals: []string{"x"}}}}, five, []string{"r"})
		if err != nil {
			t.Fatal(err)
		}
		active, err := New(&Route{Receiver: "r", Routes: []*Route{{ActiveTimeIntervals: []string{"x"}}}}, five, []string{"r"})
		if err != nil {
			t.Fatal(err)
		}
		check := func(s string, in bool) {
			if got := mute.Match(nil)[0].MutedAt(at(s)); got != in {
				t.Errorf("%+v at %s: muted %t", c.span, s, got)
			}
			if got := active.Match(nil)[0].MutedAt(at(s)); got == in {
				t.Errorf("%+v at %s: active %t", c.span, s, !got)
			}
		}
		for _, s := range c.in {
			check(s, true)
		}
		for _, s := range c.out {
			check(s, false)
		}
	}
}

func FuzzMatchers(f *testing.F) {
	for _, s := range []string{`severity="page"`, `{a=~"x",b!=c}`, `workload="\xff`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ms, err := parseMatchers(text, Names)
		if err == nil && len(ms) == 0 {
			t.Error("nothing asked, and no error")
		}
		for i := range ms {
			ms[i].matches(map[string]string{"severity": "page"})
		}
	})
}
