// Package coverage says which questions are answered of a cluster, what is missing for the others, and what would bring it: arithmetic over what became of rules.
package coverage

import (
	"cmp"
	"slices"
	"strings"

	"github.com/wrackline/wrackline/baseline/pack"
)

// State says what became of a question in a cluster.
type State uint8

// The states of a question.
const (
	Asked   State = iota // its metrics arrive
	Quiet                // it counts what should not happen: nothing has, or something drops it
	Missing              // what it needs does not arrive, though the cluster has it, or should
	NotHere              // what it is about is not seen to run in the cluster
	Waiting              // the cluster is too young to say
)

var stateNames = [...]string{"asked", "quiet", "missing", "not here", "waiting"}

func (s State) String() string { return stateNames[s] }

// Use says what became of a rule in the cluster.
type Use struct {
	Rule    *pack.Rule
	Form    int      // the expression in use; −1 = none
	Missing []string // metrics that do not arrive, of all forms, when none is in use
	Waiting bool
}

// Facts are what is known of a cluster.
type Facts struct {
	Cluster string
	Uses    []Use
	Runs    []string       // names of the workloads that are seen in it, sorted
	Caught  map[string]int // incidents of other clusters that had an alarm of a rule, by its name
}

// Reason says why something is missing.
type Reason uint8

// The reasons.
const (
	Dropped Reason = iota + 1 // other metrics of the same program arrive
	NoJob                     // every cluster has the program, and nothing of it arrives
	Unseen                    // the program runs in the cluster, and nothing of it arrives
	Absent                    // the program is not seen to run
)

var reasonNames = [...]string{"", "dropped", "no scrape job", "not scraped", "not here"}

func (r Reason) String() string { return reasonNames[r] }

// Question is a rule in a cluster.
type Question struct {
	Rule     *pack.Rule
	State    State
	Software string   // whose metrics are missing; "" = not known, or nothing is
	Metrics  []string // that are missing, of the form that is nearest
	Reason   Reason   // 0 = nothing is missing
}

// Area is a part of what is to be watched.
type Area struct {
	Name, Title string
	Questions   []Question // in the order of the packs
	Counts
}

// Counts is how many questions are in which state.
type Counts [len(stateNames)]int

// Of returns how many are in a state.
func (c Counts) Of(s State) int { return c[s] }

// Score is the share of questions that are asked, of those that the cluster could be asked, 0 to 1; ok is false when there is none. What counts nothing but faults,
// and what is not here, is on neither side.
func (c Counts) Score() (share float64, ok bool) {
	n := c[Asked] + c[Missing]
	return float64(c[Asked]) / float64(max(n, 1)), n > 0
}

// Gap is one thing to do, and what it would answer.
type Gap struct {
	Software  string
	Reason    Reason
	Metrics   []string     // sorted
	Questions []*pack.Rule // the most severe first
	Pages     int          // of the questions, those that would wake somebody
	Stories   int          // public stories of failures that the questions are about
	Caught    int          // alarms of these rules in incidents of other clusters
	DropsAs   []string     // set-ups that drop some of the metrics as they come
	Lines     string       // what would bring it
	Note      string       // what else is to be known of it; "" = nothing
}

// Report is what there is to say of a cluster.
type Report struct {
	Cluster string
	Areas   []Area // those with a question, in the order of areas
	Gaps    []Gap  // what would have caught most first
	Counts
}

// areas are what is to be watched, and the first parts of the names of signals that ask it; the longest that fits counts.
var areas = []struct {
	name, title string
	prefixes    []string
}{
	{"dns", "DNS", []string{"dns."}},
	{"network", "Network", []string{"net.", "cilium.", "cni."}},
	{"nodes", "Nodes", []string{"node.", "kubelet.", "win.", "ca.", "kp.", "upg.cohort"}},
	{"control-plane", "Control plane", []string{"api.", "etcd.", "sched.", "kcm.", "cp.", "upg."}},
	{"workloads", "Workloads", []string{"wl.", "cap.", "roll.", "argo.", "flux."}},
	{"storage", "Storage", []string{"pv.", "pvc.", "node.fs", "node.inodes", "node.disk", "node.raid", "win.disk"}},
	{"certificates", "Certificates", []string{"cert.", "api.client_cert", "kubelet.cert", "kubelet.server_cert"}},
	{"front-doors", "Front doors", []string{"ing.", "svc."}},
	{"watchers", "The watchers", []string{"prom.", "am.", "ksm.", "op.", "recv."}},
	{"others", "Others", []string{""}},
}

// areaOf returns the number of the area of a signal.
func areaOf(signal string) (at int) {
	longest := -1
	for i := range areas {
		for _, p := range areas[i].prefixes {
			if strings.HasPrefix(signal, p) && len(p) > longest {
				at, longest = i, len(p)
			}
		}
	}
	return at
}

// Of says what is answered of a cluster.
func Of(f *Facts) *Report {
	out := &Report{Cluster: f.Cluster, Areas: make([]Area, len(areas))}
	for i := range areas {
		out.Areas[i].Name, out.Areas[i].Title = areas[i].name, areas[i].title
	}
	k := know(f)
	for i := range f.Uses {
		q := k.question(&f.Uses[i])
		a := &out.Areas[areaOf(q.Rule.Name)]
		a.Questions = append(a.Questions, q)
		a.Counts[q.State]++
		out.Counts[q.State]++
	}
	out.Areas = slices.DeleteFunc(out.Areas, func(a Area) bool { return len(a.Questions) == 0 })
	out.Gaps = gaps(out.Areas, f.Caught)
	return out
}

// known is what can be said of programs from what arrives.
type known struct {
	arrives map[string]bool // metrics, of those that rules ask for
	seen    map[string]bool // programs of which something arrives that no other exports
	runs    []string
}

func know(f *Facts) *known {
	k := &known{arrives: map[string]bool{}, seen: map[string]bool{}, runs: f.Runs}
	for i := range f.Uses {
		u := &f.Uses[i]
		needs := u.Rule.Metrics
		if u.Form >= 0 {
			needs = func() []string { return u.Rule.Needs(u.Form) }
		}
		for _, m := range needs() {
			// A histogram comes as one of two metrics, so that a form in use does not say which: either names the program.
			if u.Form >= 0 || !u.Waiting && !slices.Contains(u.Missing, m) && !half(u.Missing, m) {
				k.arrives[m] = true
			}
		}
	}
	for m := range k.arrives {
		if s := pack.SoftwareOf(m); len(s) == 1 {
			k.seen[s[0]] = true
		}
	}
	return k
}

// half reports whether a metric is the native form of one that is missing: of these only the classic ones are listed.
func half(missing []string, m string) bool {
	return slices.Contains(missing, m+"_bucket") || slices.Contains(missing, m+"_count") || slices.Contains(missing, m+"_sum")
}

// question says what became of a rule. Of several forms that cannot be asked the one that is nearest counts.
func (k *known) question(u *Use) Question {
	q := Question{Rule: u.Rule, State: Asked}
	switch {
	case u.Waiting:
		q.State = Waiting
		return q
	case u.Form >= 0:
		return q
	}
	q.State = Missing
	for form := range u.Rule.Exprs {
		x := Question{}
		for _, m := range u.Rule.Needs(form) {
			if !slices.Contains(u.Missing, m) {
				continue
			}
			x.Metrics = append(x.Metrics, m)
			if software, why := k.why(m); why > x.Reason {
				x.Software, x.Reason = software, why
			}
		}
		if q.Reason == 0 || x.Reason != 0 && x.Reason < q.Reason {
			q.Software, q.Metrics, q.Reason = x.Software, x.Metrics, x.Reason
		}
	}
	if q.Reason == 0 {
		q.Reason, q.Metrics = Unseen, u.Missing // of no form that is known
	}
	switch {
	case q.Reason == Absent:
		q.State = NotHere
	case q.Reason == Dropped && u.Rule.BornZero:
		q.State, q.Reason = Quiet, 0
	}
	return q
}

// why says why a metric does not arrive.
func (k *known) why(metric string) (software string, r Reason) {
	list := pack.SoftwareOf(metric)
	if list == nil {
		return "", Unseen // of a pack of somebody's own: who exports it is not known
	}
	for _, name := range list {
		if k.seen[name] {
			return name, Dropped
		}
	}
	b := pack.BringOf(list[0])
	switch {
	case b == nil:
		return list[0], Dropped // what each scrape has, and Wrackline itself
	case b.Everywhere:
		return list[0], NoJob
	case slices.ContainsFunc(k.runs, b.RunsAs):
		return list[0], Unseen
	}
	return list[0], Absent
}

// gaps gathers what is missing by what brings it.
func gaps(list []Area, caught map[string]int) (out []Gap) {
	at := map[string]int{}
	for i := range list {
		for _, q := range list[i].Questions {
			if q.State != Missing {
				continue
			}
			key := q.Software + "\x00" + q.Reason.String()
			n, ok := at[key]
			if !ok {
				n = len(out)
				at[key], out = n, append(out, Gap{Software: q.Software, Reason: q.Reason})
			}
			g := &out[n]
			g.Questions, g.Metrics = append(g.Questions, q.Rule), append(g.Metrics, q.Metrics...)
			g.Caught += caught[q.Rule.Name]
			if q.Rule.Severity == pack.Page {
				g.Pages++
			}
		}
	}
	for i := range out {
		out[i].finish()
	}
	slices.SortStableFunc(out, func(a, b Gap) int {
		return cmp.Or(cmp.Compare(b.Caught, a.Caught), cmp.Compare(b.Stories, a.Stories), cmp.Compare(b.Pages, a.Pages), cmp.Compare(len(b.Questions), len(a.Questions)), strings.Compare(a.Software, b.Software))
	})
	return out
}

func (g *Gap) finish() {
	slices.Sort(g.Metrics)
	g.Metrics = slices.Compact(g.Metrics)
	order := []pack.Severity{pack.Page, pack.Warn, pack.Info}
	slices.SortStableFunc(g.Questions, func(a, b *pack.Rule) int {
		return cmp.Compare(slices.Index(order, a.Severity), slices.Index(order, b.Severity))
	})
	told := map[int]bool{}
	for _, r := range g.Questions {
		for _, n := range stories[r.Name] {
			told[n] = true
		}
	}
	g.Stories = len(told)
	if b := pack.BringOf(g.Software); b != nil && (g.Reason == NoJob || g.Reason == Unseen) {
		g.Lines, g.Note = b.Job(), b.Note
		return
	}
	if g.Software == "" {
		return
	}
	g.Lines = "# In metric_relabel_configs of what scrapes " + g.Software + ", in its own lists, and in write_relabel_configs of what sends here:\n# where action is keep, add this to the regex; where it is drop, take it out:\n" + strings.Join(g.Metrics, "|") + "\n"
	stacks, _ := pack.Stacks()
	for _, s := range stacks {
		if slices.ContainsFunc(g.Metrics, func(m string) bool { return s.Scraped(m) && !s.Has(m) }) {
			g.DropsAs = append(g.DropsAs, s.Name)
		}
	}
}
