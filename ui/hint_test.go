package ui

import (
	"strings"
	"testing"

	"github.com/wrackline/wrackline/alerting/act"
)

// TestUnmatchedSaysWhatWasMeant: what takes nothing that is known says so and names what is like it; what takes something, or nothing that a person could mend, is let be.
func TestUnmatchedSaysWhatWasMeant(t *testing.T) {
	v := newFake().view
	some := v.Signals[0].Signal
	cluster := some.Entity.Get("cluster")
	for _, c := range []struct {
		match []string
		want  string // "" = no hint
	}{
		{[]string{`cluster="` + cluster + `"`}, ""},
		{[]string{`signal="` + some.Rule.Name + `"`, `cluster="` + cluster + `"`}, ""},
		{[]string{`cluster!="none"`}, ""},
		{nil, ""},
		{[]string{`cluster="` + cluster + `x"`}, `did you mean "` + cluster + `"?`},
		{[]string{`signal="` + some.Rule.Name[:len(some.Rule.Name)-1] + `"`}, `did you mean "` + some.Rule.Name + `"?`},
		{[]string{`namespace=~"no-such-.*"`}, "the matcher of namespace takes no signal"},
		{[]string{`severity="page"`, `severity="warn"`}, "all of these labels at once"},
		{[]string{`id="` + some.ID + `"`, `namespace="no-such"`}, `no signal has namespace="no-such"`},
	} {
		got := Unmatched(v, &act.Act{Kind: act.Silence, Rule: act.Rule{Match: c.match}})
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%q: %q, want %q", c.match, got, c.want)
		}
	}
}
