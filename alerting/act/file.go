// Lessons as a file that people review: written, read, and compared with what holds.

package act

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/wrackline/wrackline/baseline/form"
)

const fileMax = 1 << 20 // bytes of a file of lessons

// file is the notation.
type file struct {
	Lessons []Draft `yaml:"lessons"`
}

// WriteLessons returns lessons as YAML, in the order given.
func WriteLessons(list []*Act) ([]byte, error) {
	f := file{Lessons: []Draft{}}
	for _, a := range list {
		d := Draft{Who: a.Who, Why: a.Why, Rule: a.Rule}
		if a.Until != 0 {
			d.Until = time.UnixMilli(a.Until).UTC().Format(time.RFC3339)
		}
		f.Lessons = append(f.Lessons, d)
	}
	b, err := yaml.MarshalWithOptions(f, yaml.IndentSequence(false))
	if err != nil {
		return nil, err
	}
	return append([]byte("# What is normal, as people said it. POST /api/v1/lessons reads this file.\n"), b...), nil
}

// ReadLessons reads what WriteLessons wrote, or what somebody wrote like it. Lessons without who are by who. What is over at now is left out. Errors name line and lesson, all of them joined.
func ReadLessons(b []byte, who string, now int64) ([]*Act, error) {
	if len(b) > fileMax {
		return nil, fmt.Errorf("the file is larger than %d bytes", fileMax)
	}
	var f file
	y, fault := form.Parse(b)
	if fault != nil {
		return nil, fmt.Errorf("the file is no list of lessons: %w", fault)
	}
	var bad []error
	for _, fault := range y.Decode(&f, form.Words{}) {
		bad = append(bad, fault)
	}
	if len(bad) > 0 {
		return nil, fmt.Errorf("the file is no list of lessons: %w", errors.Join(bad...))
	}
	var out []*Act
	for i := range f.Lessons {
		d := &f.Lessons[i]
		d.Kind = Lesson
		if d.Who == "" {
			d.Who = who
		}
		if end, err := readTime(d.Until); err == nil && end <= now {
			continue
		}
		a, err := d.Act(now)
		if err != nil {
			line, column := y.Place(fmt.Sprintf("lessons[%d]", i))
			bad = append(bad, fmt.Errorf("%d:%d: lessons[%d].%w", line, column, i, err))
			continue
		}
		if !slices.ContainsFunc(out, func(x *Act) bool { return sameRule(x, a) }) {
			out = append(out, a)
		}
	}
	if len(bad) > 0 {
		return nil, errors.Join(bad...)
	}
	return out, nil
}

// Diff is how a file differs from what holds.
type Diff struct {
	Same    int    // lessons in both
	Missing []*Act // in the file alone: an import adds them
	Extra   []*Act // not in the file: an import that prunes takes them back
}

// Compare compares the lessons of a file with those that hold.
func Compare(file, holds []*Act) (d Diff) {
	has := func(list []*Act, a *Act) bool {
		return slices.ContainsFunc(list, func(x *Act) bool { return sameRule(x, a) })
	}
	for _, a := range file {
		if has(holds, a) {
			d.Same++
		} else {
			d.Missing = append(d.Missing, a)
		}
	}
	for _, a := range holds {
		if !has(file, a) {
			d.Extra = append(d.Extra, a)
		}
	}
	return d
}
