package ui

import (
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/model"
)

func TestFilterTextIsReadAsPeopleWriteIt(t *testing.T) {
	for text, want := range map[string][]term{
		"":                        nil,
		"  DNS   cart ":           {{value: "dns"}, {value: "cart"}},
		"namespace=shop":          {{label: "namespace", value: "shop"}},
		`namespace="a b" x`:       {{label: "namespace", value: "a b"}, {value: "x"}},
		`a="un closed`:            {{label: "a", value: `"un`}, {value: "closed"}},
		`=x`:                      {{value: "=x"}},
		`a=`:                      {{label: "a"}},
		`a="q\"uote\\d"`:          {{label: "a", value: `q"uote\d`}},
		strings.Repeat("x ", 100): slices.Repeat([]term{{value: "x"}}, termsMax),
	} {
		if got := parseTerms(text); !slices.Equal(got, want) {
			t.Errorf("parseTerms(%q) = %+v, want %+v", text, got, want)
		}
	}
}

// TestALabelLinkFindsItsSignals: whatever the value, the link of a label filters for exactly that value.
func TestALabelLinkFindsItsSignals(t *testing.T) {
	for _, p := range append(slices.Clone(payloads), "plain", "with space", `"quoted"`, `back\slash`, "") {
		if len(p) > queryMax {
			continue
		}
		got := parseTerms(matcher("workload", p))
		if len(got) != 1 || got[0].label != "workload" || got[0].value != p {
			if strings.ToValidUTF8(p, "") != p {
				continue
			}
			t.Errorf("matcher of %q reads back as %+v", p, got)
		}
	}
}

// TestFindAgreesWithACheckOfEachSignal compares the one-pass filter and its facets with plain loops.
func TestFindAgreesWithACheckOfEachSignal(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 2))
	v := bigFake(1000).view
	for i := range v.Signals {
		v.Signals[i].State = model.State(rng.IntN(6))
		r := *v.Signals[i].Signal.Rule
		r.Pack = []string{"wl", "dns", "node"}[rng.IntN(3)]
		s := *v.Signals[i].Signal
		s.Rule = &r
		v.Signals[i].Signal = &s
	}
	pick := func(from ...string) string { return from[rng.IntN(len(from))] }
	for range 100 {
		q := parseQuery(url.Values{"q": {pick("", "", "workload-7", "CPU", "namespace=ns-3")}, "pack": {pick("", "wl", "nope")}, "cluster": {pick("", "c3")}, "namespace": {pick("", "ns-3")},
			"state": {pick("", "high", abnormal, easingOn, "learning")}, "sort": {pick("", "signal", "entity", "state", "since", "learned")}, "desc": {pick("", "1")}})
		match := func(s *baseline.SignalView, but string) bool {
			for k := range q.terms {
				if !q.terms[k].match(s) {
					return false
				}
			}
			e := s.Signal.Entity
			return (but == "pack" || q.Pack == "" || s.Signal.Rule.Pack == q.Pack) && (but == "cluster" || q.Cluster == "" || e.Get("cluster") == q.Cluster) &&
				(but == "namespace" || q.Namespace == "" || e.Get("namespace") == q.Namespace) && (but == "state" || q.matchState(s, easingSignal(s)))
		}
		f := q.find(v, "")
		n, packs, high := 0, map[string]int{}, 0
		for i := range v.Signals {
			s := v.Signals[i]
			n += b2i(match(s, ""))
			if match(s, "pack") {
				packs[s.Signal.Rule.Pack]++
			}
			high += b2i(match(s, "state") && s.State == model.High && !easingSignal(s))
		}
		if len(f.Rows) != n {
			t.Fatalf("seed %d: %+v finds %d, want %d", seed, q, len(f.Rows), n)
		}
		for _, x := range f.Packs {
			if x.Count != packs[x.Value] {
				t.Fatalf("seed %d: %+v counts %d in %s, want %d", seed, q, x.Count, x.Value, packs[x.Value])
			}
		}
		for _, x := range f.States {
			if x.Value == "high" && x.Count != high {
				t.Fatalf("seed %d: %+v counts %d high, want %d", seed, q, x.Count, high)
			}
		}
		seen := map[string]bool{}
		for i, r := range f.Rows {
			if seen[r.Signal.ID] {
				t.Fatalf("seed %d: %s twice", seed, r.Signal.ID)
			}
			seen[r.Signal.ID] = true
			if i == 0 {
				continue
			}
			p, ok := f.Rows[i-1], true
			switch q.Sort {
			case "signal":
				ok = (p.Signal.ID < r.Signal.ID) != q.Desc
			case "since":
				ok = p.Since == r.Since || (p.Since > r.Since) != q.Desc
			case "learned":
				ok = p.Maturity == r.Maturity || (p.Maturity < r.Maturity) != q.Desc
			case "state":
				ok = urgency(p.State) == urgency(r.State) || (urgency(p.State) < urgency(r.State)) != q.Desc
			case "entity":
				a, b := p.Signal.Entity.Get("cluster"), r.Signal.Entity.Get("cluster")
				ok = a == b || (a < b) != q.Desc
			case "score":
				ok = p.State.Alarm() != r.State.Alarm() || p.Score == r.Score || (p.Score > r.Score) != q.Desc
			}
			if !ok {
				t.Fatalf("seed %d: sort %s desc %v: %s before %s", seed, q.Sort, q.Desc, p.Signal.ID, r.Signal.ID)
			}
		}
	}
}
