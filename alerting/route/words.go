// The same words for others: what people say of alarms is written with the matchers and times of routes.

package route

import "errors"

// Matcher asks one label, as severity="page" or namespace=~"shop|pay.*" does. It is immutable.
type Matcher struct{ m matcher }

// ParseMatchers reads one matcher, or several with commas between and perhaps braces around, over labels of the given names.
func ParseMatchers(text string, names []string) ([]Matcher, error) {
	list, err := parseMatchers(text, names)
	if err != nil {
		return nil, err
	}
	out := make([]Matcher, len(list))
	for i, m := range list {
		out[i] = Matcher{m}
	}
	return out, nil
}

// Label returns the name of the label that is asked.
func (m *Matcher) Label() string { return m.m.name }

// Takes reports whether the label may have the value; "" = there is no such label.
func (m *Matcher) Takes(value string) bool { return m.m.takes(value) }

// Exact returns the one value that the matcher takes; ok is false when it takes several.
func (m *Matcher) Exact() (value string, ok bool) { return m.m.value, m.m.re == nil && !m.m.not }

// NewInterval makes spans ready to be asked. Its errors are FieldErrors, joined, with paths below at.
func NewInterval(at string, spans []TimeSpan) (*Interval, error) {
	c := &compiler{}
	out := &Interval{}
	for i := range spans {
		out.spans = append(out.spans, c.span(at, &spans[i]))
	}
	return out, errors.Join(c.errs...)
}
