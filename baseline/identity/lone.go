package identity

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/wrackline/wrackline/baseline/codec"
)

// Pods that are their own workload: what nothing manages, or something that runs once (a Job, a TaskRun, a Workflow). Where a part of the name looks generated there may be thousands of
// them a week, each of which lives for minutes: then nothing can be learned of one, and what is learned of all together is worth something. Which is so the past tells: when pods have
// ended young whose names differ in generated parts alone, those of such names are one workload. Until then a pod waits for an hour: what lives longer is a workload.

const (
	settleMs    = int64(600_000)   // a cluster that has just begun, or begun again, does not know yet who runs
	loneMs      = int64(3_600_000) // who lives for so long is no short-lived pod
	serialLeast = 3                // so many short-lived pods of names alike make one workload
	kinKeepMs   = 24 * loneMs      // for how long fewer are remembered
	serialKeep  = 8 * kinKeepMs    // … and for how long a workload of theirs: it may run once a week
	kinsMost    = 10_000           // names that are remembered
	star        = "*"              // stands for a generated part
	separators  = "-._"
)

// kin are the pods of one namespace and kind whose names differ in generated parts alone.
type kin struct {
	ended int   // of these, so many have ended young; no more are counted than make a workload
	lastT int64 // when one was last heard of
}

type kinKey struct{ ns, kind, pattern string }

// look says how generated a part of a name looks: 0 not at all; 1 a number, or a word with one behind it; 2 what nobody would write.
func look(part string, last bool) int {
	numbers, turns, digit := 0, 0, false
	for i := range len(part) {
		d := part[i] >= '0' && part[i] <= '9'
		if d {
			numbers++
		}
		if i > 0 && d != digit {
			turns++
		}
		digit = d
	}
	switch {
	case last && len(part) == suffixLen && suffixLetters.all(part):
		return 2
	case numbers == 0:
		return 0
	case numbers == len(part):
		if len(part) >= 4 {
			return 2
		}
		return 1
	case turns > 1, len(part) >= 4 && part[0] >= '0' && part[0] <= '9':
		return 2
	}
	return 1
}

// patternOf returns a name with a star for each part that looks generated, and whether they make it likely that it is one of many: a part that nobody would write, or two numbers.
func patternOf(name string) (pattern string, many bool) {
	var b strings.Builder
	sum, parts := 0, 0
	for rest := name; ; parts++ {
		i := strings.IndexAny(rest, separators)
		part := rest
		if i >= 0 {
			part = rest[:i]
		}
		if x := look(part, i < 0); x > 0 {
			sum += x
			part = star
		}
		b.WriteString(part)
		if i < 0 {
			break
		}
		b.WriteByte(rest[i])
		rest = rest[i+1:]
	}
	return b.String(), parts > 0 && sum > 1
}

// covers reports whether a name is one of a pattern. A star stands for anything without a separator: of random letters some look like a word.
func covers(pattern, name string) bool {
	for {
		i, j := strings.IndexAny(pattern, separators), strings.IndexAny(name, separators)
		if (i < 0) != (j < 0) {
			return false
		}
		if i < 0 {
			return pattern == name || pattern == star && name != ""
		}
		if p := pattern[:i]; pattern[i] != name[j] || p != name[:j] && (p != star || j == 0) {
			return false
		}
		pattern, name = pattern[i+1:], name[j+1:]
	}
}

// managed are kinds whose pods come and go while the workload stays.
var managed = []string{Deployment, StatefulSet, DaemonSet, ReplicaSet, "replicationcontroller", CronJob, Static}

// Many reports whether a workload's name looks like that of one short-lived pod of many.
func Many(name string) bool {
	_, many := patternOf(name)
	return many
}

// lone reports whether a workload may be one short-lived pod of many.
func lone(name, kind string) bool {
	if slices.Contains(managed, kind) {
		return false
	}
	return Many(name)
}

// serial returns the workload of short-lived pods that one with the name belongs to, "" when there is none.
func (b *Book) serial(ns, kind, name string) string {
	list := b.serials[key{ns, kind}]
	if len(list) == 0 || !lone(name, kind) {
		return ""
	}
	if own := b.workloads[key{ns, name}]; own != nil && own.known {
		return "" // it has lived for long
	}
	p, _ := patternOf(name)
	if k := b.kins[kinKey{ns, kind, p}]; k != nil && k.ended >= serialLeast {
		return p
	}
	for _, p := range list {
		if covers(p, name) {
			return p
		}
	}
	return ""
}

// endedYoung notes that a pod which might be one of many has lived for less than an hour.
func (b *Book) endedYoung(p *pod) {
	pattern, _ := patternOf(p.work)
	at := kinKey{p.ns, p.kind, pattern}
	k := b.kins[at]
	if k == nil {
		if len(b.kins) >= kinsMost {
			return
		}
		at = kinKey{b.words(at.ns), b.words(at.kind), b.words(at.pattern)}
		k = &kin{}
		b.kins[at] = k
	}
	k.lastT = b.open
	if k.ended >= serialLeast {
		return
	}
	if k.ended++; k.ended < serialLeast {
		return
	}
	b.listSerials()
	for _, i := range slices.Clone(b.held) {
		if q := &b.pods[i]; q.held && q.ns == at.ns && q.kind == at.kind {
			b.resolve(i)
		}
	}
}

// listSerials makes the lists of serials anew.
func (b *Book) listSerials() {
	b.serials = map[key][]string{}
	for _, at := range sortedKins(b.kins) {
		if b.kins[at].ended >= serialLeast {
			k := key{at.ns, at.kind}
			b.serials[k] = append(b.serials[k], at.pattern)
		}
	}
}

// sweepKins forgets kin of which nothing was heard for long.
func (b *Book) sweepKins() {
	n := len(b.kins)
	for at, k := range b.kins {
		if w := b.workloads[key{at.ns, at.pattern}]; w != nil && k.ended >= serialLeast {
			k.lastT = max(k.lastT, w.lastT)
		}
		keep := kinKeepMs
		if k.ended >= serialLeast {
			keep = serialKeep
		}
		if k.lastT <= b.open-keep {
			delete(b.kins, at)
		}
	}
	if len(b.kins) < n {
		b.listSerials()
	}
}

func sortedKins(m map[kinKey]*kin) []kinKey {
	return slices.SortedFunc(maps.Keys(m), func(a, b kinKey) int {
		return cmp.Or(strings.Compare(a.ns, b.ns), strings.Compare(a.kind, b.kind), strings.Compare(a.pattern, b.pattern))
	})
}

func (b *Book) appendKins(w *codec.Writer) {
	w.Num(len(b.kins))
	for _, at := range sortedKins(b.kins) {
		w.Word(at.ns)
		w.Word(at.kind)
		w.Word(at.pattern)
		w.Num(b.kins[at].ended)
		w.Int(b.kins[at].lastT)
	}
}

func (b *Book) restoreKins(r *codec.Reader) {
	for range r.Count(5) {
		at := kinKey{b.words(r.Word()), b.words(r.Word()), b.words(r.Word())}
		b.kins[at] = &kin{r.Num(serialLeast), r.Time()}
	}
	if len(b.kins) > kinsMost {
		r.Fail()
	}
	b.listSerials()
}
