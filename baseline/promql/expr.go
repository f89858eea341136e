package promql

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/parser/posrange"
)

// An exprError says where in an expression something is wrong, what, and what to write instead.
type Error struct {
	Line, Col int // from 1; columns in characters
	Msg       string
}

// Error says it in one line.
func (e *Error) Error() string { return fmt.Sprintf("expression %d:%d: %s", e.Line, e.Col, e.Msg) }

// Bounds on one expression. A pack file comes from someone who may configure the process, but a slip should not hang it.
const (
	exprBytesMax = 16 << 10
	exprDepthMax = 64
	exprLeafsMax = 32
)

const noSubquery = "subqueries are not available: windows are seen once, as they close; the baseline does the looking back, or " + recording

// recording is the way out that always exists.
const recording = "write a recording rule in your Prometheus and select its result here as a gauge"

// refusedFuncs says for functions that PromQL has and we do not why, or what to write instead.
var refusedFuncs = map[string]string{
	"irate":                        "it looks at two samples only; write rate(x[1m])",
	"idelta":                       "it looks at two samples only; select the gauge itself",
	"deriv":                        "slopes are found by the baseline; select the gauge itself and set baseline.mode: trend",
	"predict_linear":               "times to a limit are found by the baseline; select the gauge itself and set baseline.mode: trend, limit and eta",
	"double_exponential_smoothing": "smoothing is the baseline's work; select the series itself",
	"delta":                        "select the gauge itself: the baseline sees how it moves; or " + recording,
	"resets":                       "write changes(x[5m]) of a start time, or " + recording,
	"absent_over_time":             "a gauge is good for five minutes as it is; write absent(x)",
	"scalar":                       "join the vector instead: a / on ({scope}) group_left sum by ({scope}) (b)",
	"label_replace":                "relabel in your Prometheus, or " + recording,
	"label_join":                   "relabel in your Prometheus, or " + recording,
	"sort":                         "results have no order; leave it out",
	"sort_desc":                    "results have no order; leave it out",
	"hour":                         "the time of day is the baseline's work; see baseline.season",
	"minute":                       "the time of day is the baseline's work; see baseline.season",
	"day_of_week":                  "the time of week is the baseline's work; see baseline.season",
	"day_of_month":                 "the calendar is the baseline's work; see baseline.season",
}

// refusedAggs is the same for aggregations.
var refusedAggs = map[parser.ItemType]string{
	parser.TOPK:         "a signal's entities must stay the same; write max by ({scope}, …) (x): the members that weigh most are shown as evidence",
	parser.BOTTOMK:      "a signal's entities must stay the same; write min by ({scope}, …) (x): the members that weigh most are shown as evidence",
	parser.COUNT_VALUES: "a value as label makes entities without end; write count by ({scope}) (x == 1) for each value that matters",
	parser.LIMITK:       "a sample of the series is no stable signal; write avg by ({scope}) (x)",
	parser.LIMIT_RATIO:  "a sample of the series is no stable signal; write avg by ({scope}) (x)",
}

// source is an expression's text with the places of its tokens, for error messages.
type source struct {
	text   string
	scope  string
	tokens []parser.Item // until the end, or the first that is no token
}

func newSource(text, scope string) *source {
	s := &source{text: text, scope: scope}
	lex := parser.Lex(text)
	for {
		var it parser.Item
		lex.NextItem(&it)
		if it.Typ == parser.EOF || it.Typ == parser.ERROR {
			return s
		}
		s.tokens = append(s.tokens, it)
	}
}

// errorf makes an error at a byte offset. {scope} in the message stands for the dialect's scope.
func (s *source) errorf(at posrange.Pos, format string, args ...any) error {
	head := s.text[:min(max(int(at), 0), len(s.text))]
	line := 1 + strings.Count(head, "\n")
	col := 1 + utf8.RuneCountInString(head[strings.LastIndexByte(head, '\n')+1:])
	return &Error{Line: line, Col: col, Msg: strings.ReplaceAll(fmt.Sprintf(format, args...), "{scope}", s.scope)}
}

// parseError turns what the parser says into our form.
func (s *source) parseError(err error) error {
	errs, ok := errors.AsType[parser.ParseErrors](err)
	if !ok || len(errs) == 0 {
		return s.errorf(0, "%v", err)
	}
	at, msg := errs[0].PositionRange.Start, errs[0].Err.Error()
	if colon := slices.IndexFunc(s.tokens, func(t parser.Item) bool { return t.Typ == parser.COLON }); colon >= 0 && strings.Contains(msg, "got range vector") {
		for at = s.tokens[colon].Pos; at > 0 && s.text[at] != '['; at-- {
		}
		return s.errorf(at, "%s", noSubquery)
	}
	if i := strings.Index(msg, " is experimental and must be enabled"); i >= 0 {
		msg = msg[:i] + " is not available"
		for op, why := range refusedAggs {
			if strings.HasPrefix(msg, op.String()+"(") {
				msg += ": " + why
			}
		}
		return s.errorf(at, "%s", msg)
	}
	for _, w := range []struct{ has, advice string }{
		{"unknown function", "see packs/README.md for those there are, or " + recording},
		{"is not enabled", "see packs/README.md for the functions there are, or " + recording},
		{"experimental", "increases are split over window borders anyway, so rate(x[1m]) is enough"},
		{"expected type instant vector in aggregation", "write rate(x[1m]) or another function around a range"},
		{"got range vector", "write rate(x[1m]) for a counter, or leave the range out for a gauge"},
		{"metric name must not be set twice", "keep one"},
		{"at least one non-empty matcher", `name the metric: x{a="b"}`},
	} {
		if strings.Contains(msg, w.has) {
			msg += ": " + w.advice
			break
		}
	}
	return s.errorf(at, "%s", msg)
}

// token returns the place of the first token of the type at or after from; from itself when there is none.
func (s *source) token(from posrange.Pos, typs ...parser.ItemType) posrange.Pos {
	for _, t := range s.tokens {
		if t.Pos >= from && slices.Contains(typs, t.Typ) {
			return t.Pos
		}
	}
	return from
}

// list notes the places of the words in the parenthesised list that begins at token i, and returns the token after it.
func (s *source) list(i int, places map[string]posrange.Pos) int {
	if i >= len(s.tokens) || s.tokens[i].Typ != parser.LEFT_PAREN {
		return i
	}
	for i++; i < len(s.tokens) && s.tokens[i].Typ != parser.RIGHT_PAREN; i++ {
		if t := s.tokens[i]; t.Typ != parser.COMMA {
			places[strings.Trim(t.Val, "\"'`")] = t.Pos
		}
	}
	return i + 1
}

// groupingPlaces returns where the labels of an aggregation's by or without stand; the key "" is the word itself.
func (s *source) groupingPlaces(a *parser.AggregateExpr) map[string]posrange.Pos {
	places := map[string]posrange.Pos{"": a.PosRange.Start}
	i := slices.IndexFunc(s.tokens, func(t parser.Item) bool { return t.Pos >= a.PosRange.Start })
	if i < 0 {
		return places
	}
	i++ // the operator
	for depth := 0; i < len(s.tokens); i++ {
		switch s.tokens[i].Typ {
		case parser.LEFT_PAREN:
			depth++
		case parser.RIGHT_PAREN:
			depth--
			if depth < 0 {
				return places
			}
		case parser.BY, parser.WITHOUT:
			if depth == 0 {
				places[""] = s.tokens[i].Pos
				s.list(i+1, places)
				return places
			}
		default:
			if depth == 0 {
				return places // the next expression
			}
		}
	}
	return places
}

// matchingPlaces returns where the labels of a binary operation's on, ignoring and group_left stand; the key "" is the operator.
func (s *source) matchingPlaces(b *parser.BinaryExpr) map[string]posrange.Pos {
	from, to := b.LHS.PositionRange().End, b.RHS.PositionRange().Start
	places := map[string]posrange.Pos{"": from}
	for i := 0; i < len(s.tokens); i++ {
		t := s.tokens[i]
		if t.Pos < from || t.Pos >= to {
			continue
		}
		switch t.Typ {
		case parser.ON, parser.IGNORING, parser.GROUP_LEFT, parser.GROUP_RIGHT:
			i = s.list(i+1, places) - 1
		default:
			if t.Typ.IsOperator() {
				places[""] = t.Pos
			}
		}
	}
	return places
}

// set writes label names for people.
func setString(names []string) string { return "(" + strings.Join(names, ", ") + ")" }

// union returns the sorted union of sorted sets.
func union(a []string, b ...string) []string {
	out := append(slices.Clone(a), b...)
	slices.Sort(out)
	return slices.Compact(out)
}

// minus returns a without the names in b.
func minus(a []string, b ...string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(x string) bool { return slices.Contains(b, x) })
}
