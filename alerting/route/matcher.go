// Matchers as Alertmanager writes them: severity="page", namespace=~"shop|pay.*", and several of them in one string.

package route

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/wrackline/wrackline/baseline/near"
)

// matcher asks one label.
type matcher struct {
	name  string
	value string
	re    *regexp.Regexp // anchored; nil = value is compared
	not   bool
}

func (m *matcher) matches(labels map[string]string) bool {
	return m.takes(labels[m.name])
}

// takes reports whether the label may have a value; "" = it is not there.
func (m *matcher) takes(v string) bool {
	if m.re != nil {
		return m.re.MatchString(v) != m.not
	}
	return (v == m.value) != m.not
}

var errMatcher = errors.New(`a matcher is a label, one of = != =~ !~, and a value: severity="page"`)

var matcherHead = regexp.MustCompile(`^\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*`)

// parseMatchers reads one matcher, or several with commas between and perhaps braces around. Values may stand without quotes when they hold none of {}!=~," and no space.
func parseMatchers(text string, names []string) (list []matcher, err error) {
	rest := strings.TrimSpace(text)
	if inner, ok := strings.CutPrefix(rest, "{"); ok {
		if inner, ok = strings.CutSuffix(inner, "}"); !ok {
			return nil, errMatcher
		}
		rest = strings.TrimSpace(inner)
	}
	for rest != "" {
		head := matcherHead.FindStringSubmatch(rest)
		if head == nil {
			return nil, errMatcher
		}
		rest = rest[len(head[0]):]
		var value string
		if strings.HasPrefix(rest, `"`) {
			quoted, err := strconv.QuotedPrefix(rest)
			if err != nil {
				return nil, errMatcher
			}
			if value, err = strconv.Unquote(quoted); err != nil {
				return nil, errMatcher
			}
			rest = rest[len(quoted):]
		} else {
			end := strings.IndexAny(rest+",", `{}!=~," `)
			value, rest = rest[:end], rest[end:]
		}
		if rest = strings.TrimSpace(rest); rest != "" {
			after, ok := strings.CutPrefix(rest, ",")
			if !ok {
				return nil, errMatcher
			}
			rest = strings.TrimSpace(after)
		}
		m, err := newMatcher(head[1], head[2], value, names)
		if err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	if len(list) == 0 {
		return nil, errMatcher
	}
	return list, nil
}

// newMatcher makes one of a label that is among names.
func newMatcher(name, op, value string, names []string) (m matcher, err error) {
	if !slices.Contains(names, name) {
		hint := near.Suggest(name, names)
		if !strings.Contains(hint, "mean") {
			hint = "; incidents have " + strings.Join(names, ", ")
		}
		return m, fmt.Errorf("incidents have no label %q%s", name, hint)
	}
	m = matcher{name: name, value: value, not: op[0] == '!'}
	switch severities := []string{"page", "warn", "info"}; {
	case op[len(op)-1] == '~':
		if m.re, err = regexp.Compile("^(?:" + value + ")$"); err != nil {
			return m, fmt.Errorf("%q is not a regular expression: %w", value, err)
		}
	case name == "severity" && value != "" && !slices.Contains(severities, value):
		return m, fmt.Errorf("there is no severity %q; there are page, warn and info (critical is page, warning is warn)", value)
	}
	return m, nil
}
