package notify

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/alerting/route"
	"github.com/wrackline/wrackline/baseline/pack"
)

// TestDetours: who says that something is not his is not told of it, another is; nobody's word leaves an incident without a receiver; of what is another's nothing changes.
func TestDetours(t *testing.T) {
	two := []*route.Route{{Receiver: "pager", Continue: true}, {Receiver: "shop", Matchers: []string{"namespace=~a|b"}}}
	for _, c := range []struct {
		name string
		root *route.Route
		of   []Detour // of incidents in namespace a
		want string   // who hears of i1 in a, and then of i2 in b
	}{
		{"no detour, no routes", nil, nil, "all pager shop; all pager shop"},
		{"not for one of all", nil, []Detour{{"shop", ""}}, "all pager; all pager shop"},
		{"not for two", nil, []Detour{{"shop", ""}, {"all", ""}}, "pager; all pager shop"},
		{"for nobody is for all", nil, []Detour{{"shop", ""}, {"all", ""}, {"pager", ""}}, "all pager shop; all pager shop"},
		{"another in the place", &route.Route{Receiver: "all"}, []Detour{{"all", "shop"}}, "shop; all"},
		{"nobody in the place of the only one", &route.Route{Receiver: "all"}, []Detour{{"all", ""}}, "all; all"},
		{"one in the place that is no more", &route.Route{Receiver: "all"}, []Detour{{"all", "gone"}}, "all; all"},
		{"one who is told anyway", &route.Route{Receiver: "all", Routes: two}, []Detour{{"shop", "pager"}}, "pager; pager shop"},
		{"of one who is not told", &route.Route{Receiver: "all", Routes: two}, []Detour{{"all", "shop"}}, "pager shop; pager shop"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, Options{Receivers: threeHooks, Route: c.root, Detours: func(labels map[string]string, _ int64) []Detour {
					if labels["namespace"] == "a" {
						return c.of
					}
					return nil
				}}, nil)
				r.run()
				hear := func(incident, namespace string) (who string) {
					got := map[string]int{}
					before := len(r.far.got())
					r.put(about(incident, pack.Page, alerting.First, 0, namespace))
					time.Sleep(2 * time.Second)
					r.put(about(incident, pack.Page, alerting.Resolved, 1, namespace))
					time.Sleep(2 * time.Second)
					for _, h := range r.far.got()[before:] {
						got[h.url[len("https://hook.example/"):]]++
					}
					for _, x := range threeHooks {
						if n := got[x.Name]; n == 2 {
							who += " " + x.Name
						} else if n != 0 {
							t.Errorf("%s hears %d words of %s", x.Name, n, incident)
						}
					}
					return who[min(1, len(who)):]
				}
				if got := hear("i1", "a") + "; " + hear("i2", "b"); got != c.want {
					t.Errorf("%s, want %s", got, c.want)
				}
			})
		})
	}
}

// TestADetourTakesRepetitionAndEscalation: who is told in another's place is reminded as that one would have been, and nobody escalates to who says that it is not his.
func TestADetourTakesRepetitionAndEscalation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root := &route.Route{Receiver: "all", RepeatInterval: "1h", Escalate: &route.Escalation{After: "30m", Receiver: "shop"}}
		d := &desk{}
		r := newRig(t, Options{Receivers: threeHooks, Route: root, Current: d.current, Detours: func(map[string]string, int64) []Detour {
			return []Detour{{"all", "pager"}, {"shop", ""}}
		}}, nil)
		r.run()
		r.put(d.set(about("i1", pack.Page, alerting.First, 0, "a")))
		time.Sleep(2*time.Hour + time.Minute)
		if got := heardBy(r.far.got()); got != "pager i1 firing, pager i1 firing, pager i1 firing" {
			t.Error(got)
		}
	})
}
