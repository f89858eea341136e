package pack

import (
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"

	"github.com/wrackline/wrackline/baseline/promql"
)

// Stack is a set-up that people have to collect metrics, as it comes: what it scrapes, and what of that reaches a Prometheus.
type Stack struct {
	Name    string   `yaml:"name"`
	Scrapes []string `yaml:"scrapes"` // software, as SoftwareOf names it
	Drops   string   `yaml:"drops"`   // an expression of names that it drops; "" = none
	Passes  []string `yaml:"passes"`  // the names of ours that it lets pass; nil = all

	drops *regexp.Regexp
}

// software is who exports the metrics whose names match.
type software struct {
	Name    string   `yaml:"name"`
	Metrics string   `yaml:"metrics"`
	Also    []string `yaml:"also"` // others that export the same names

	match *regexp.Regexp
}

//go:embed stacks/stacks.yaml
var stacksFile []byte

var readStacks = sync.OnceValues(func() (f struct {
	Software []*software `yaml:"software"`
	Bring    []*Bring    `yaml:"bring"`
	Replaced []Replaced  `yaml:"replaced"`
	Stacks   []*Stack    `yaml:"stacks"`
}, err error) {
	if err = yaml.UnmarshalWithOptions(stacksFile, &f, yaml.Strict()); err != nil {
		return f, fmt.Errorf("stacks.yaml: %w", err)
	}
	anchored := func(s string) *regexp.Regexp { return regexp.MustCompile("^(?:" + s + ")$") }
	for _, s := range f.Software {
		s.match = anchored(s.Metrics)
	}
	for _, b := range f.Bring {
		b.runs = anchored(b.Runs)
	}
	for _, s := range f.Stacks {
		s.drops = anchored(s.Drops)
		slices.Sort(s.Passes)
	}
	return f, nil
})

// Stacks returns the set-ups that are known. They are shared: callers must not change them.
func Stacks() ([]*Stack, error) {
	f, err := readStacks()
	return f.Stacks, err
}

// SoftwareOf returns the names of the programs that export a metric, the usual one first; nil for a metric of which it is not known. The caller must not change them,
// and asks for metrics of rules only: each that was asked for is remembered.
func SoftwareOf(metric string) []string {
	if list, ok := exporters.Load(metric); ok {
		return list.([]string)
	}
	f, _ := readStacks()
	var list []string
	for _, s := range f.Software {
		if s.match.MatchString(metric) {
			list = append([]string{s.Name}, s.Also...)
			break
		}
	}
	exporters.Store(metric, list)
	return list
}

var exporters sync.Map // metric → []string

// Scraped reports whether the set-up scrapes a program that exports the metric.
func (s *Stack) Scraped(metric string) bool {
	return slices.ContainsFunc(SoftwareOf(metric), func(name string) bool { return name == "any scrape" || slices.Contains(s.Scrapes, name) })
}

// Has reports whether the metric reaches a Prometheus.
func (s *Stack) Has(metric string) bool {
	if !s.Scraped(metric) || s.Drops != "" && s.drops.MatchString(metric) {
		return false
	}
	_, passes := slices.BinarySearch(s.Passes, metric)
	return passes || s.Passes == nil || strings.HasPrefix(metric, "scrape_") || metric == "up"
}

// LivesOn returns the number of the first form of the rule whose metrics a set-up has, −1 when there is none.
func (r *Rule) LivesOn(s *Stack) int {
	return slices.IndexFunc(r.Exprs, func(src string) bool {
		p, err := Compile(src)
		return err == nil && whole(p, s)
	})
}

// whole reports whether a set-up has the metrics that a plan needs.
func whole(p *promql.Plan, s *Stack) bool {
	return p.Newest(func(leaf int) int64 {
		if name := p.Leaves[leaf].Name; Language.IsMade(name) || s.Has(name) {
			return 1
		}
		return 0
	}, 0) > 0
}

// Replaced is a metric that newer versions export beside a better one, and the words that say which versions need it.
type Replaced struct {
	Metric string `yaml:"metric"`
	Before string `yaml:"before"` // versions that have only this one: Kubernetes 1.26
}

// SendList is KeepList without what is replaced, and what was left out. A rule that has no other form keeps its metrics.
func SendList(packs []*Pack) (keep []string, left []Replaced, err error) {
	f, err := readStacks()
	if err != nil {
		return nil, nil, err
	}
	first := map[string]bool{} // of first forms
	for _, p := range packs {
		for _, r := range p.Rules {
			one := Rule{Exprs: r.Exprs[:1]}
			for _, m := range one.Metrics() {
				first[m] = true
			}
		}
		for _, m := range p.Measures {
			for _, name := range m.Metrics() {
				first[name] = true
			}
		}
	}
	keep = KeepList(packs)
	for _, x := range f.Replaced {
		if i := slices.Index(keep, x.Metric); i >= 0 && !first[x.Metric] {
			keep, left = slices.Delete(keep, i, i+1), append(left, x)
		}
	}
	return keep, left, nil
}
