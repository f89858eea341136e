// Package route decides who is told of what, in Alertmanager's words: a tree of routes with matchers over an incident's labels, and intervals of time in which a route is silent.
// It knows neither incidents nor receivers but by name, reads no clock and does no I/O.
package route

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wrackline/wrackline/baseline/near"
)

// Names are the labels of an incident that matchers may ask for, those of the signal that its title speaks of. One that an incident has not is "".
var Names = []string{"severity", "cluster", "namespace", "workload", "node", "pack", "alertname"}

// Route is a node of the tree as it stands in the configuration. A node without a receiver has its parent's.
type Route struct {
	Receiver string   `yaml:"receiver,omitempty"` // who is told; "" = the parent's
	Matchers []string `yaml:"matchers,omitempty"` // all must match; none = everything
	Continue bool     `yaml:"continue,omitempty"` // the siblings behind it are asked, too
	Routes   []*Route `yaml:"routes,omitempty"`   // the first that matches, or each up to one without continue, takes the place of this one

	ActiveTimeIntervals []string `yaml:"active_time_intervals,omitempty"` // names; outside of them nothing is sent; none = always
	MuteTimeIntervals   []string `yaml:"mute_time_intervals,omitempty"`   // names; within them nothing is sent

	// NotificationsPerDay is the noise contract of this route and of those below it without one of their own, in place of alerting.notifications_per_day; nil = none. 0 = nothing but pages, everything else is in
	// the digest; negative = everything is sent. Pages do not count.
	NotificationsPerDay *int `yaml:"notifications_per_day,omitempty"`
	// RepeatInterval says again that an incident is still open, so long after the last word on it; "" = the parent's, which is never at the root.
	RepeatInterval string `yaml:"repeat_interval,omitempty"`
	// Escalate tells somebody else of a page that is still open after a while; nil = the parent's.
	Escalate *Escalation `yaml:"escalate,omitempty"`
}

// Escalation is who else is told of a page, and when. Nobody can say that he takes care of it, so what counts is that it is still open.
type Escalation struct {
	After    string `yaml:"after"`    // how long a page stays open before somebody else is told, too, as 30m
	Receiver string `yaml:"receiver"` // who is told; "" = the parent's
}

// FieldError is what is wrong with a field of the configuration.
type FieldError struct {
	Path string // of the field or of what it belongs to, as route.routes[0].matchers[1]
	Err  error  // holds no secret
}

// Error says path and reason.
func (e *FieldError) Error() string { return e.Path + ": " + e.Err.Error() }

// Unwrap returns Err.
func (e *FieldError) Unwrap() error { return e.Err }

// Leg is one way that an incident takes: a node of the tree with what it has from those above it.
type Leg struct {
	Receiver string
	Path     string        // of the node, as route.routes[1]
	Contract string        // path of the node whose notifications_per_day counts; "" = there is none
	PerDay   int           // of that node; negative = everything is sent
	Repeat   time.Duration // 0 = never
	Escalate time.Duration // 0 = never
	EscalTo  string        // receiver

	mute, active []*Interval
}

// MutedAt reports whether nothing is sent on this way at a time.
func (l *Leg) MutedAt(t time.Time) bool {
	contains := func(i *Interval) bool { return i.Contains(t) }
	return slices.ContainsFunc(l.mute, contains) || len(l.active) > 0 && !slices.ContainsFunc(l.active, contains)
}

// Tree is a configuration of routes that is ready to be asked. A nil Tree leads everything to everybody: Match returns nothing then. It is immutable.
type Tree struct{ root *node }

type node struct {
	leg      Leg
	matchers []matcher
	goesOn   bool
	below    []*node
}

const (
	nodesMost = 1000
	depthMost = 20
)

// New makes a tree. It returns FieldErrors, joined, for what is wrong. A nil root gives a nil tree.
func New(root *Route, intervals []TimeInterval, receivers []string) (*Tree, error) {
	c := &compiler{receivers: receivers, intervals: map[string]*Interval{}}
	for i := range intervals {
		c.interval(i, &intervals[i])
	}
	if root == nil {
		return nil, errors.Join(c.errs...)
	}
	if root.Receiver == "" {
		c.bad("route.receiver", "it is missing: the root says who gets what no other route takes")
	}
	if len(root.Matchers) > 0 {
		c.bad("route.matchers", "the root takes everything; put matchers into a route below it")
	}
	if root.Continue {
		c.bad("route.continue", "the root has no siblings")
	}
	if len(root.ActiveTimeIntervals)+len(root.MuteTimeIntervals) > 0 {
		c.bad("route", "the root is never silent; put time intervals into a route below it")
	}
	n := c.node(root, Leg{}, "route", 0)
	if len(c.errs) > 0 {
		return nil, errors.Join(c.errs...)
	}
	return &Tree{n}, nil
}

// Match returns the ways that an incident with these labels takes, in the order of the tree; each receiver may come several times. At least one, but for a nil tree.
func (t *Tree) Match(labels map[string]string) []*Leg {
	if t == nil {
		return nil
	}
	return t.root.match(labels)
}

func (n *node) match(labels map[string]string) (legs []*Leg) {
	for i := range n.matchers {
		if !n.matchers[i].matches(labels) {
			return nil
		}
	}
	for _, b := range n.below {
		got := b.match(labels)
		legs = append(legs, got...)
		if len(got) > 0 && !b.goesOn {
			break
		}
	}
	if len(legs) == 0 {
		legs = []*Leg{&n.leg}
	}
	return legs
}

// compiler gathers what is wrong.
type compiler struct {
	receivers []string
	intervals map[string]*Interval
	nodes     int
	errs      []error
}

func (c *compiler) bad(path, format string, args ...any) {
	c.errs = append(c.errs, &FieldError{path, fmt.Errorf(format, args...)})
}

// node makes a node of a route; from is what it has from above.
func (c *compiler) node(r *Route, from Leg, path string, depth int) *node {
	if c.nodes++; c.nodes > nodesMost || depth > depthMost {
		if c.nodes == nodesMost+1 || depth == depthMost+1 {
			c.bad(path, "there are more than %d routes, or more than %d in one another", nodesMost, depthMost)
		}
		return &node{}
	}
	leg := from
	leg.Path, leg.mute, leg.active = path, c.named(path+".mute_time_intervals", r.MuteTimeIntervals), c.named(path+".active_time_intervals", r.ActiveTimeIntervals)
	if r.Receiver != "" {
		leg.Receiver = r.Receiver
		c.receiver(path+".receiver", r.Receiver)
	}
	if p := r.NotificationsPerDay; p != nil {
		leg.Contract, leg.PerDay = path, *p
		if *p > 1000 {
			c.bad(path+".notifications_per_day", "it is %d; it must be at most 1000, or negative: everything is sent", *p)
		}
	}
	if r.RepeatInterval != "" {
		leg.Repeat = c.duration(path+".repeat_interval", r.RepeatInterval, time.Minute)
	}
	if e := r.Escalate; e != nil {
		leg.Escalate, leg.EscalTo = c.duration(path+".escalate.after", e.After, time.Minute), e.Receiver
		c.receiver(path+".escalate.receiver", e.Receiver)
	}
	n := &node{leg: leg, goesOn: r.Continue}
	for i, text := range r.Matchers {
		ms, err := parseMatchers(text, Names)
		if err != nil {
			c.bad(fmt.Sprintf("%s.matchers[%d]", path, i), "%w", err)
		}
		n.matchers = append(n.matchers, ms...)
	}
	for i, b := range r.Routes {
		if at := fmt.Sprintf("%s.routes[%d]", path, i); b == nil {
			c.bad(at, "it is empty")
		} else {
			n.below = append(n.below, c.node(b, leg, at, depth+1))
		}
	}
	return n
}

func (c *compiler) receiver(path, name string) {
	if name == "" {
		c.bad(path, "it is missing")
	} else if !slices.Contains(c.receivers, name) {
		c.bad(path, "there is no receiver %q%s", name, near.Suggest(name, c.receivers))
	}
}

// duration reads 90s, 5m, 36h, 15d or 1w.
func (c *compiler) duration(path, text string, least time.Duration) time.Duration {
	d, err := time.ParseDuration(text)
	for suffix, unit := range map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour} {
		if number, ok := strings.CutSuffix(text, suffix); ok {
			var f float64
			if f, err = strconv.ParseFloat(number, 64); err == nil && !(f >= 0 && f <= 1000) {
				err = strconv.ErrRange
			}
			d = time.Duration(f * float64(unit))
		}
	}
	if err != nil || d < least {
		c.bad(path, "%q is not a duration such as 30m, 4h or 1d of at least %s%s", text, strings.TrimSuffix(least.String(), "0s"), near.Duration(text))
	}
	return d
}

func (c *compiler) named(path string, names []string) (list []*Interval) {
	for i, name := range names {
		if x := c.intervals[name]; x != nil {
			list = append(list, x)
			continue
		}
		known := make([]string, 0, len(c.intervals))
		for n := range c.intervals {
			known = append(known, n)
		}
		slices.Sort(known)
		c.bad(fmt.Sprintf("%s[%d]", path, i), "there is no time interval %q in time_intervals%s", name, near.Suggest(name, known))
	}
	return list
}
