package identity

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/wrackline/wrackline/baseline/codec"
	"github.com/wrackline/wrackline/baseline/series"
)

func TestPatternOfName(t *testing.T) {
	for _, c := range []struct {
		name, pattern string
		many          bool
	}{
		{"runner-abc123-project-42-concurrent-0xyz", "runner-*-project-*-concurrent-*", true},
		{"runner-jhxsb3wz-project-7-concurrent-0-k2p9xq", "runner-*-project-*-concurrent-*-*", true},
		{"spark-pi-1700000123456-driver", "spark-pi-*-driver", true},
		{"build-and-test-run-x7k2p", "build-and-test-run-*", true},
		{"build-and-test-run-tkhjf", "build-and-test-run-*", true},
		{"build-cwhm2", "build-*", true},
		{"my-job-12-x0b3p-h2l9f-qm4pz", "my-job-*-*-*-*", true},
		{"etl-20240131", "etl-*", true},
		{"db-primary", "db-primary", false},
		{"db-replica", "db-replica", false},
		{"web-v2", "web-*", false},
		{"kafka-broker1", "kafka-*", false},
		{"postgres-15-main", "postgres-*-main", false},
		{"node1", "*", false},
		{"debug-shell", "debug-shell", false},
		{"", "", false},
		{"-", "-", false},
		{"x7k2p", "*", false}, // nothing says of what
	} {
		if p, many := patternOf(c.name); p != c.pattern || many != c.many {
			t.Errorf("%q: %q %v, want %q %v", c.name, p, many, c.pattern, c.many)
		} else if !covers(p, c.name) && c.name != "-" {
			t.Errorf("%q does not cover %q", p, c.name)
		}
	}
	for _, c := range [][2]string{{"my-job-*-*", "my-job-12"}, {"my-job-*", "my-job-12-13"}, {"a-*", "b-12"}, {"a-*", "a.12"}, {"a-*-b", "a-1-c"}, {"*-a", "-a"}, {"a-*", "a-"}} {
		if covers(c[0], c[1]) {
			t.Errorf("%q covers %q", c[0], c[1])
		}
	}
}

// life drives a book by minutes, with pods that come and go.
type life struct {
	b    *Book
	now  int64
	ends map[uint32]int64 // by pod
}

func newLife() *life {
	l := &life{b: NewBook(nil), now: 60_000_000, ends: map[uint32]int64{}}
	l.bind()
	l.b.Tick(l.now, l.now)
	return l
}

func (l *life) bind() { l.b.Asks(func(i uint32) bool { return l.ends[i] == 0 || l.now < l.ends[i] }) }

func (l *life) pod(kind, owner, name string, minutes int64) uint32 {
	i := l.b.Pod("ns", name)
	l.b.Learn(podOwner, view("namespace", "ns", "pod", name, "owner_kind", kind, "owner_name", owner), i, None)
	l.b.Began(i, l.now)
	if minutes > 0 {
		l.ends[i] = l.now + minutes*60_000
	}
	return i
}

func view(kv ...string) *View {
	var l series.Labels
	for i := 0; i < len(kv); i += 2 {
		l = append(l, series.Label{Name: kv[i], Value: kv[i+1]})
	}
	return &View{Labels: l}
}

func (l *life) pass(minutes int) {
	for range minutes {
		l.now += 60_000
		l.b.Tick(l.now, 60_000_000)
		l.b.Settle()
		l.b.Moved()
	}
}

// sweep forgets pods that ended more than an hour ago.
func (l *life) sweep() {
	to := l.b.Sweep(nil, func(i uint32) bool { return l.ends[i] == 0 || l.now < l.ends[i]+3_600_000 }, func(func(string)) {})
	if to == nil {
		return
	}
	ends := map[uint32]int64{}
	for i, t := range l.ends {
		if to[i] != None {
			ends[to[i]] = t
		}
	}
	l.ends = ends
}

// What runs for minutes again and again is one workload, once it is known that it does; until then nothing is said of it. What lives is a workload, as is what looks alike only to a reader.
func TestShortLivedPodsAreOneWorkload(t *testing.T) {
	for kind, name := range map[string]func(r *rand.Rand) (owner, pod string){
		"": func(r *rand.Rand) (string, string) {
			return "", fmt.Sprintf("runner-%s-project-%d-concurrent-%d-%s", random(r, 8), r.IntN(60), r.IntN(9), random(r, 6))
		},
		"TaskRun": func(r *rand.Rand) (string, string) { o := "build-" + random(r, 5); return o, o + "-pod" },
		"Workflow": func(r *rand.Rand) (string, string) {
			o := "etl-" + random(r, 5)
			return o, fmt.Sprintf("%s-step-%d", o, r.Uint32())
		},
		"Job": func(r *rand.Rand) (string, string) {
			o := fmt.Sprint("deploy-", 100_000+r.IntN(900_000))
			return o, o + "-" + random(r, 5)
		},
	} {
		const seed = 3
		r := rand.New(rand.NewPCG(seed, 9))
		l := newLife()
		var other *life
		works := map[string]bool{}
		for round := range 40 {
			for range 4 {
				if o, p := name(r); kind != "Workflow" || round > 0 {
					l.pod(kind, o, p, 7)
				}
			}
			l.pass(10)
			if round%2 == 0 {
				l.sweep()
			}
			if round == 15 { // a restart
				w := &codec.Writer{}
				l.b.Append(w)
				other = &life{b: NewBook(nil), now: l.now, ends: l.ends}
				rd := codec.NewReader(w.B, fmt.Errorf("damaged"))
				if other.b.Restore(rd); rd.Err() != nil || rd.Left() > 0 {
					t.Fatal(rd.Err(), rd.Left())
				}
				l = other
				l.bind()
				l.b.Tick(l.now, 60_000_000)
			}
			if round == 39 {
				for i := range l.b.pods {
					if v := l.b.View(uint32(i)); !v.Held {
						works[v.Workload] = true
					} else if l.now < l.b.pods[i].firstT+3_000_000 {
						t.Errorf("%s: %s waits still", kind, v.Name)
					}
				}
			}
		}
		if len(works) == 0 || len(works) > 2 { // random letters without a number look like a word
			t.Errorf("%q: workloads %v", kind, works)
		}
		if n := l.b.Sizes(); n.Workloads > 200 {
			t.Errorf("%q: %+v", kind, n)
		}
	}
}

func random(r *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(b)
}

// The quiet twins.
func TestLongLivedPodsStayWorkloads(t *testing.T) {
	l := newLife()
	own := map[uint32]string{}
	for _, n := range []string{"db-primary", "db-replica", "kafka1", "kafka2", "kafka3", "postgres-15-main"} {
		own[l.pod("", "", n, 0)] = n
	}
	for i := range 10 {
		own[l.pod("StatefulSet", "web", fmt.Sprint("web-", i), 0)] = "web"
	}
	for i, w := range own {
		if v := l.b.View(i); v.Held || v.Workload != w {
			t.Errorf("%s is of %s, waits %v", v.Name, v.Workload, v.Held)
		}
	}
	for _, n := range []string{"vm-00017", "vm-00018", "tool-x7k2p-a", "tool-q9d4z-a"} {
		i := l.pod("", "", n, 0)
		if own[i] = n; !l.b.View(i).Held {
			t.Errorf("%s does not wait", n)
		}
	}
	l.pass(61)
	for k := range 30 { // others of such names come and go beside
		l.pod("", "", fmt.Sprintf("tool-%d-a", 10_000+k), 5)
		l.pass(10)
		l.sweep()
	}
	if i := l.b.Pod("ns", "tool-zz999-a"); l.b.View(i).Workload != "tool-zz999-a" && l.b.View(i).Workload != "tool-*-a" {
		t.Errorf("%+v", l.b.View(i))
	}
	for i, p := range l.b.pods {
		if l.ends[uint32(i)] != 0 || p.name == "tool-zz999-a" {
			continue
		}
		if v := l.b.View(uint32(i)); v.Held || v.Workload != v.Name && v.Workload != "web" {
			t.Errorf("%s is of %s, waits %v: %s", v.Name, v.Workload, v.Held, p.why)
		}
	}
}
