package coverage

import (
	"slices"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/baseline/pack"
)

func packs(t *testing.T) []*pack.Pack {
	t.Helper()
	list, err := pack.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// facts are those of a cluster to which the metrics come that has says.
func facts(list []*pack.Pack, has func(metric string) bool, runs ...string) *Facts {
	f := &Facts{Cluster: "a", Runs: runs}
	for _, p := range list {
		for _, r := range p.Rules {
			u := Use{Rule: r, Form: -1}
			for form := range r.Exprs {
				// A histogram is there when one of its two forms is.
				lacks := slices.DeleteFunc(slices.Clone(r.Needs(form)), func(m string) bool { return has(m) || slices.Contains(r.Needs(form), m+"_bucket") })
				if len(lacks) == 0 && u.Form < 0 {
					u.Form = form
				}
				u.Missing = append(u.Missing, lacks...)
			}
			if u.Form >= 0 {
				u.Missing = nil
			}
			f.Uses = append(f.Uses, u)
		}
	}
	return f
}

func stateOf(t *testing.T, r *Report, signal string) Question {
	t.Helper()
	for i := range r.Areas {
		for _, q := range r.Areas[i].Questions {
			if q.Rule.Name == signal {
				return q
			}
		}
	}
	t.Fatalf("%s is in no area", signal)
	return Question{}
}

// Every question has an area of its own, and every story is told of a question that is there.
func TestAreasHoldEveryQuestion(t *testing.T) {
	list := packs(t)
	r := Of(facts(list, func(string) bool { return true }))
	names := map[string]bool{}
	for _, p := range list {
		for _, x := range p.Rules {
			names[x.Name] = true
		}
	}
	if n := r.Of(Asked); n != len(names) || len(r.Gaps) != 0 {
		t.Errorf("%d of %d are asked when everything arrives, %d gaps", n, len(names), len(r.Gaps))
	}
	for _, a := range r.Areas {
		if a.Name == "others" {
			t.Errorf("without an area: %s", a.Questions[0].Rule.Name)
		}
	}
	for signal := range stories {
		if !names[signal] {
			t.Errorf("a story of %s, which nobody asks", signal)
		}
	}
	for signal, area := range map[string]string{"node.fs_free": "storage", "node.cpu": "nodes", "kubelet.cert_ttl": "certificates", "upg.cohort_disk": "nodes", "upg.version_skew": "control-plane", "api.client_cert_ttl": "certificates"} {
		if got := areas[areaOf(signal)].name; got != area {
			t.Errorf("%s is asked in %s, want %s", signal, got, area)
		}
	}
}

// What is missing has the reason that it has in life.
func TestWhyQuestionsAreNotAsked(t *testing.T) {
	list := packs(t)
	drops := map[string]bool{"container_cpu_cfs_throttled_periods_total": true, "apiserver_flowcontrol_rejected_requests_total": true}
	has := func(m string) bool {
		s := pack.SoftwareOf(m)[0]
		return !drops[m] && slices.Contains([]string{"any scrape", "kubelet", "cAdvisor", "kube-state-metrics", "node-exporter", "kube-apiserver", "CoreDNS"}, s)
	}
	r := Of(facts(list, has, "cert-manager", "shop"))
	for signal, want := range map[string]struct {
		state    State
		reason   Reason
		software string
	}{
		"dns.servfail_ratio": {Asked, 0, ""},
		"wl.throttle_ratio":  {Missing, Dropped, "cAdvisor"},                    // other metrics of it arrive
		"etcd.fsync_p99":     {Missing, NoJob, "etcd"},                          // every cluster has one
		"api.admin_bindings": {Missing, NoJob, "kube-state-metrics, asked for"}, //
		"cert.days_left":     {Missing, Unseen, "cert-manager"},                 // it is seen to run
		"argo.unhealthy":     {NotHere, Absent, "Argo CD"},                      // it is not
		"cilium.endpoints":   {NotHere, Absent, "Cilium"},
		"api.apf_rejected":   {Quiet, 0, "kube-apiserver"}, // the quiet twin of a dropped one: nothing was ever rejected
		"svc.error_ratio":    {Missing, NoJob, "applications"},
	} {
		q := stateOf(t, r, signal)
		if q.State != want.state || q.Reason != want.reason || q.Software != want.software {
			t.Errorf("%s is %s (%s of %q), want %s (%s of %q)", signal, q.State, q.Reason, q.Software, want.state, want.reason, want.software)
		}
		if (q.Text() == "") != (q.State == Asked) {
			t.Errorf("%s: %q", signal, q.Text())
		}
	}
	share, ok := r.Score()
	if n := r.Of(Asked) + r.Of(Missing); !ok || share != float64(r.Of(Asked))/float64(n) || share < 0.4 || share > 0.9 {
		t.Errorf("a score of %v, %v", share, ok)
	}
	for i, g := range r.Gaps {
		if g.Lines == "" || g.Why() == "" || g.Rank() == "" || len(g.Questions) == 0 || len(g.Metrics) == 0 {
			t.Errorf("gap %+v", g)
		}
		if i > 0 && g.Stories > r.Gaps[i-1].Stories {
			t.Errorf("%s would have caught more than what is before it", g.Software)
		}
	}
}

// What caught something elsewhere comes first; a young cluster lacks nothing yet; a pack of one's own is told apart.
func TestRankAndAge(t *testing.T) {
	list := packs(t)
	f := facts(list, func(m string) bool { return pack.SoftwareOf(m)[0] != "kube-proxy" && pack.SoftwareOf(m)[0] != "etcd" })
	if r := Of(f); len(r.Gaps) != 2 || r.Gaps[0].Software != "kube-proxy" || r.Gaps[0].Stories <= r.Gaps[1].Stories {
		t.Fatalf("%d gaps, %+v", len(r.Gaps), r.Gaps)
	}
	f.Caught = map[string]int{"etcd.fsync_p99": 3}
	if r := Of(f); r.Gaps[0].Software != "etcd" || !strings.Contains(r.Gaps[0].Rank(), "3 alarms") {
		t.Errorf("first %s: %s", r.Gaps[0].Software, r.Gaps[0].Rank())
	}
	for i := range f.Uses {
		f.Uses[i].Waiting, f.Uses[i].Form = true, -1
	}
	r := Of(f)
	if _, ok := r.Score(); ok || len(r.Gaps) != 0 || r.Of(Waiting) != len(f.Uses) {
		t.Errorf("of a young cluster: %v", r.Counts)
	}
	own, err := pack.Load([]byte("pack: {name: p, version: 1}\ngroups: [{name: g, rules: [{signal: queue.depth, expr: sum by (cluster) (our_queue_depth)}]}]\n"), "p.yaml")
	if err != nil {
		t.Fatal(err)
	}
	r = Of(facts([]*pack.Pack{own}, func(string) bool { return false }))
	if len(r.Gaps) != 1 || r.Gaps[0].Software != "" || r.Areas[0].Name != "others" || !strings.Contains(r.Gaps[0].Why(), "not known") {
		t.Errorf("%+v", r)
	}
}

// A set-up as it comes lacks what it drops, and its name is told.
func TestSetUps(t *testing.T) {
	stacks, err := pack.Stacks()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range stacks {
		r := Of(facts(packs(t), s.Has))
		for _, g := range r.Gaps {
			if g.Reason == Dropped && (g.Software == "cAdvisor" || g.Software == "node-exporter") && s.Passes != nil && !slices.Contains(g.DropsAs, s.Name) {
				t.Errorf("%s drops %v, and that is not said", s.Name, g.Metrics)
			}
			if (g.Reason == NoJob || g.Reason == Unseen) && slices.Contains(s.Scrapes, g.Software) && g.Software != "HAProxy" {
				t.Errorf("%s scrapes %s, and a job is advised", s.Name, g.Software)
			}
		}
		share, _ := r.Score()
		t.Logf("%s: %.0f %%, %d gaps", s.Name, 100*share, len(r.Gaps))
	}
}
