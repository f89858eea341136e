// Package replica finds out which label tells the replicas of an HA pair apart, whatever it is called.
//
// Two replicas scrape the same targets and send the same series, but for an external label that is constant in all that each of them sends. Two sites that are built alike send
// such series too, so labels alone prove nothing: what both show is compared first. Until it is known, the series of the newcomer are not counted.
package replica

import (
	"slices"
	"strings"

	"github.com/wrackline/wrackline/baseline/series"
)

// Bounds.
const (
	valuesMost = 4   // values of one label by which replicas behind one address may differ
	marksMost  = 24  // labels of a sender that are watched
	claimsMost = 64  // pairs of values of which something is known
	heldMost   = 500 // series of a claim that wait
	sureAfter  = 5   // series of a sender before its labels count as constant
	patience   = 5   // windows after which a claim that nothing speaks for is given up
	enough     = 8.0 // bits of evidence
	pairedMost = 200 // series that are compared
	refusedFor = 24 * 3_600_000
	NoSeries   = ^uint32(0)
)

// targetLabels are what a scrape says of a target: replicas agree in them, and senders that differ in one of them alone look at two things.
var targetLabels = []string{series.NameLabel, "instance", "pod", "node", "nodename", "host", "hostname", "namespace", "container", "endpoint", "service", "metrics_path", "le"}

// mark is a label that all series of a sender carry, and its values: one for each request.
type mark struct {
	name   string
	values []string
}

// voice is what is known of a sender.
type voice struct {
	heard bool
	n     int // series
	marks []mark
	now   series.Labels // what all series of the request under way have in common
}

// State of a claim.
type state uint8

const (
	open    state = iota
	granted       // the two are replicas
	refused
)

// Held is a series that waits, and the one of which it may be the copy.
type Held struct{ Series, Of uint32 }

// claim says that series with label=value are copies of those with label=of.
type claim struct {
	label, value, of string
	state            state
	windows          int   // that nothing has said
	at               int64 // when it was decided, milliseconds
	held             []Held
}

// Book holds the senders of a stream by number.
type Book struct {
	voices []voice
	claims []claim
	last   int // sender of the request under way
}

// Reset forgets everything.
func (b *Book) Reset() { *b = Book{last: -1} }

// Begin says that a request of a sender begins.
func (b *Book) Begin(sender int) {
	b.end()
	b.last = sender
}

// end learns from the request that is over.
func (b *Book) end() {
	if b.last < 0 || b.last >= len(b.voices) {
		return
	}
	v := &b.voices[b.last]
	b.last = -1
	if v.now == nil {
		return
	}
	if !v.heard {
		v.heard = true
		for _, l := range v.now {
			v.marks = append(v.marks, mark{l.Name, []string{l.Value}})
		}
	} else {
		v.marks = slices.DeleteFunc(v.marks, func(m mark) bool { return v.now.Get(m.name) == "" })
		for i := range v.marks {
			m := &v.marks[i]
			if x := v.now.Get(m.name); !slices.Contains(m.values, x) {
				m.values = append(m.values, x)
			}
		}
		v.marks = slices.DeleteFunc(v.marks, func(m mark) bool { return len(m.values) > valuesMost })
	}
	v.now = nil
}

// Hear takes note of the labels of a series that was not known, of the request under way.
func (b *Book) Hear(l series.Labels) {
	if b.last < 0 {
		return
	}
	for b.last >= len(b.voices) {
		b.voices = append(b.voices, voice{})
	}
	v := &b.voices[b.last]
	v.n++
	if v.now == nil {
		v.now = series.Labels{}
		for _, x := range l {
			if !slices.Contains(targetLabels, x.Name) && len(v.now) < marksMost && (!v.heard || slices.ContainsFunc(v.marks, func(m mark) bool { return m.name == x.Name })) {
				v.now = append(v.now, series.Label{Name: strings.Clone(x.Name), Value: strings.Clone(x.Value)})
			}
		}
		return
	}
	v.now = slices.DeleteFunc(v.now, func(x series.Label) bool { return l.Get(x.Name) != x.Value })
}

// Strip takes from the labels of a series what tells the replicas of a pair apart, and returns it: labels that are known to do so (named), and, with more, values that have
// shown to beside.
func (b *Book) Strip(l series.Labels, known []string, more bool) (rest series.Labels, named, all string) {
	for _, name := range known {
		if v := l.Get(name); v != "" {
			if named == "" {
				named = v
			}
			l = slices.DeleteFunc(l, func(x series.Label) bool { return x.Name == name })
		}
	}
	if !more {
		return l, named, named
	}
	all = named
	b.Hear(l)
	if b.Aliases() {
		for i := range l {
			if of, ok := b.Alias(l[i].Name, l[i].Value); ok {
				all += l[i].Value
				l[i].Value = of
			}
		}
	}
	return l, named, all
}

// Others calls try for the values of constant labels that other senders, or other replicas behind the same address, have where the series has another, until it returns
// true: try looks for the series with that value. It is asked for series that have just been heard.
func (b *Book) Others(l series.Labels, skip []string, try func(i int, value string) bool) {
	if b.last < 0 || b.last >= len(b.voices) {
		return
	}
	mine := &b.voices[b.last]
	for _, x := range mine.now {
		i := slices.IndexFunc(l, func(y series.Label) bool { return y.Name == x.Name })
		if i < 0 || slices.Contains(skip, x.Name) {
			continue
		}
		for s := range b.voices {
			v := &b.voices[s]
			if v.n < sureAfter {
				continue
			}
			for _, m := range v.marks {
				if m.name != x.Name {
					continue
				}
				for _, value := range m.values {
					if value != x.Value && try(i, value) {
						return
					}
				}
			}
		}
	}
}

// Alias returns the value that stands for a label's value, since the two are of replicas.
func (b *Book) Alias(label, value string) (string, bool) {
	for i := range b.claims {
		if c := &b.claims[i]; c.state == granted && c.value == value && c.label == label {
			return c.of, true
		}
	}
	return "", false
}

// Aliases reports whether there are any.
func (b *Book) Aliases() bool {
	return slices.ContainsFunc(b.claims, func(c claim) bool { return c.state == granted })
}

// Answer says what is to become of a series that differs from another in the value of one label alone.
type Answer struct {
	No    int  // of the claim
	Waits bool // it is not counted until the claim is decided
	Turn  bool // it is the original, and the other one the copy
	Room  bool // Hold takes one more
}

// Claim notes that a label's value may be that of a replica of the one with the value of, since there is a series that differs in it alone.
func (b *Book) Claim(label, value, of string, at int64) (x Answer) {
	for i := range b.claims {
		c := &b.claims[i]
		same, turned := c.value == value && c.of == of, c.value == of && c.of == value
		if c.label != label || !same && !turned {
			continue
		}
		if c.state == refused && at >= c.at+refusedFor {
			*c = claim{label: c.label, value: c.value, of: c.of}
		}
		return Answer{i, same && c.state == open, turned && c.state != refused, c.state != refused && len(c.held) < heldMost}
	}
	if len(b.claims) >= claimsMost {
		i := slices.IndexFunc(b.claims, func(c claim) bool { return c.state == refused })
		if i < 0 {
			return Answer{}
		}
		b.claims = slices.Delete(b.claims, i, i+1)
	}
	b.claims = append(b.claims, claim{label: strings.Clone(label), value: strings.Clone(value), of: strings.Clone(of)})
	return Answer{len(b.claims) - 1, true, false, true}
}

// Hold makes a series wait for its claim. There must be room.
func (b *Book) Hold(no int, x Held) { b.claims[no].held = append(b.claims[no].held, x) }

// Waiting calls yield for every series that waits, or is a copy that goes.
func (b *Book) Waiting(yield func(id uint32)) {
	for i := range b.claims {
		for _, x := range b.claims[i].held {
			yield(x.Series)
		}
	}
}

// Judge decides claims as a window closes, by what compare says of two series: bits of evidence that they show the same, below 0 that they do not; said is false when that cannot
// be told. Series of claims that are refused wait no longer; those of claims that are granted are copies, which Gone lists.
func (b *Book) Judge(end int64, compare func(a, b uint32) (bits float64, said bool)) {
	for i := range b.claims {
		c := &b.claims[i]
		if c.state != open {
			continue
		}
		bits, agree, differ := 0.0, 0, 0
		for _, x := range c.held[:min(len(c.held), pairedMost)] {
			n, said := compare(x.Series, x.Of)
			switch {
			case !said:
			case n < 0:
				differ++
			default:
				agree++
				bits += n
			}
		}
		switch {
		case differ*5 > agree+differ:
			c.windows += 2
		case bits >= enough:
			c.state, c.at = granted, end
			continue
		default:
			c.windows++
		}
		if c.windows >= patience {
			c.state, c.at, c.held = refused, end, nil
		}
	}
}

// Gone returns the copies of which the originals are read from now on, and reports whether there are any; they are to be forgotten (Keep).
func (b *Book) Gone() (ids map[uint32]bool) {
	for i := range b.claims {
		if c := &b.claims[i]; c.state == granted && len(c.held) > 0 {
			if ids == nil {
				ids = map[uint32]bool{}
			}
			for _, x := range c.held {
				ids[x.Series] = true
			}
		}
	}
	return ids
}

// Keep gives the series their new numbers; those that wait without one, or for one without, wait no more.
func (b *Book) Keep(to []uint32) {
	for i := range b.claims {
		c := &b.claims[i]
		kept := c.held[:0]
		for _, x := range c.held {
			if x.Series, x.Of = to[x.Series], to[x.Of]; x.Series != NoSeries && x.Of != NoSeries {
				kept = append(kept, x)
			}
		}
		c.held = kept
	}
}

// KeepSenders gives the senders their new numbers, −1 to those that are forgotten. The others keep their order.
func (b *Book) KeepSenders(to func(i int) int) {
	b.end()
	kept := b.voices[:0]
	for i, v := range b.voices {
		if to(i) >= 0 {
			kept = append(kept, v)
		}
	}
	b.voices = kept
}

// ReplicaOf returns the value of the label by which a sender is told from its replicas, "" when it has none.
func (b *Book) ReplicaOf(sender int) string {
	if sender >= len(b.voices) {
		return ""
	}
	for _, p := range b.Pairs() {
		for _, m := range b.voices[sender].marks {
			if m.name == p.Label && slices.ContainsFunc(m.values, func(x string) bool { return slices.Contains(p.Values, x) }) {
				return strings.Join(m.values, ", ")
			}
		}
	}
	return ""
}

// Pair says that senders whose series have a label with one of the values are replicas of each other. The first value is that of the series that are kept.
type Pair struct {
	Label  string
	Values []string
}

// Pairs returns the pairs that are known, in order of their discovery.
func (b *Book) Pairs() (out []Pair) {
	for i := range b.claims {
		c := &b.claims[i]
		if c.state != granted {
			continue
		}
		at := slices.IndexFunc(out, func(p Pair) bool { return p.Label == c.label && p.Values[0] == c.of })
		if at < 0 {
			at = len(out)
			out = append(out, Pair{c.label, []string{c.of}})
		}
		out[at].Values = append(out[at].Values, c.value)
	}
	return out
}
