package pack

import (
	"github.com/wrackline/wrackline/baseline/model"
)

// Severity says whom a rule wants to reach.
type Severity string

// The severities, most urgent first.
const (
	Page Severity = "page"
	Warn Severity = "warn"
	Info Severity = "info"
)

// Rule is one question of a pack, ready to be asked of every entity that its expression groups by.
// Rules are immutable once loaded.
type Rule struct {
	Pack         string       // the pack's name, "dns"
	Name         string       // "dns.servfail_ratio"
	Question     string       // "Are cluster DNS lookups failing?"
	Unit         string       // ratio, s, ms, B, B/s, /s, cores, count, %/h …; shown beside every number
	Exprs        []string     // ordered fallbacks: the first whose metrics arrive is used
	Was          string       // an expression that it had before and that meant the same: what was learned goes on; "" = none
	Params       model.Params // direction, bounds, effect, mode
	MinEvents    float64      // the denominator of a ratio must count this many events a window, else there is no value
	EffectEvents float64      // smallest number of bad events in a window that is worth a message
	BornZero     bool         // the time before an entity's first value is a time of zeros: it counts what should not happen, and what never happened has no series
	Severity     Severity
	Digest       bool       // its alarms are incidents although it is info: listed, and never sent as they happen
	Impact       bool       // what users feel: of what explains it, it is the consequence
	Settles      bool       // what is new begins beyond the fixed mark and settles: that is no fact in a cluster's first hour
	Lesson       string     // networking, resources, rbac, upgrades, trend
	Summary      string     // template of the sentence in a message; see alerting
	Meaning      string     // what it means when it moves, one or two sentences
	Causes       []string   // likely causes, likeliest first
	Next         []string   // commands or looks to do next
	Evidence     []string   // names of other rules worth showing beside it
	Overridden   []string   // what the configuration changed, in words; nil = nothing
	scope        *scope     // what it changed for single entities; nil = nothing
	needs        [][]string // metrics of each form; nil of a rule that was not loaded
}

// Share reports whether the rule asks which part of counted events is bad, so that their number can be judged where they are few.
func (r *Rule) Share() bool {
	p := &r.Params
	return r.Unit == "ratio" && r.MinEvents > 0 && r.EffectEvents > 0 && p.Mode == model.Level && p.Bad == model.Up && p.Min == 0 && p.Max == 1
}
