// Queries: what the address of the list of signals asks for, and how addresses are written.

package ui

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/series"
)

const (
	pageLen  = 100 // signals on a page
	queryMax = 512 // bytes of a filter text that are looked at
	termsMax = 16
	abnormal = "abnormal"   // the state filter for every alarm of a value; silence is not one
	easingOn = "recovering" // the state filter for alarms whose value is back inside the band
	silent   = "silent"     // what pages call absent
)

// query is what the list of signals is asked for. Its fields are those of the address.
type query struct {
	Text, Pack, Cluster, Namespace, State string
	Sort                                  string // score (default), signal, entity, state, since, learned
	Desc                                  bool   // turns the sort's own order round
	Page                                  int    // from 1
	Unknown                               string // a state that does not exist, as the address spelt it
	exact                                 bool   // states are the model's own: high holds those that recover too
	terms                                 []term
}

// states are what the list can be narrowed to, in the order of their chips.
var states = []string{abnormal, easingOn, "high", "low", "drifting", "absent", "normal", "learning"}

// stateLabel is what a chip calls a state.
func stateLabel(name string) string {
	if name == model.Absent.String() {
		return silent
	}
	return name
}

// term is one word of the filter text: a label matcher or text that must occur in name, question or a label value.
type term struct{ label, value string }

func parseQuery(v url.Values) query {
	q := query{Text: v.Get("q"), Pack: v.Get("pack"), Cluster: v.Get("cluster"), Namespace: v.Get("namespace"), State: v.Get("state"), Sort: v.Get("sort"), Desc: v.Get("desc") == "1"}
	q.Page, _ = strconv.Atoi(v.Get("page"))
	q.Page = max(q.Page, 1)
	if !slices.Contains([]string{"signal", "entity", "state", "since", "learned"}, q.Sort) {
		q.Sort = "score"
	}
	if q.State == silent {
		q.State = model.Absent.String()
	}
	if q.State != "" && !slices.Contains(states, q.State) {
		q.State, q.Unknown = "", q.State
	}
	q.terms = parseTerms(q.Text)
	return q
}

// parseTerms splits text at spaces. name=value and name="value with spaces" match a label exactly, else a word must
// occur somewhere, in either case of letters.
func parseTerms(s string) []term {
	if len(s) > queryMax*8 { // label values may be long
		s = s[:queryMax*8]
	}
	var out []term
	for len(out) < termsMax {
		s = strings.TrimLeft(s, " \t")
		if s == "" {
			break
		}
		end := strings.IndexAny(s, " \t")
		if end < 0 {
			end = len(s)
		}
		eq := strings.IndexByte(s[:end], '=')
		if eq > 0 {
			rest := s[eq+1:]
			if strings.HasPrefix(rest, `"`) {
				if quoted, err := strconv.QuotedPrefix(rest); err == nil {
					value, _ := strconv.Unquote(quoted)
					out = append(out, term{label: s[:eq], value: value})
					s = rest[len(quoted):]
					continue
				}
			}
			out = append(out, term{label: s[:eq], value: s[eq+1 : end]})
		} else {
			out = append(out, term{value: strings.ToLower(s[:end])})
		}
		s = s[end:]
	}
	return out
}

// matcher writes a label matcher as parseTerms reads it.
func matcher(name, value string) string {
	if value == "" || strings.ContainsAny(value, " \t\"\\\n") || strings.HasPrefix(value, `"`) {
		return name + "=" + strconv.Quote(value)
	}
	return name + "=" + value
}

// values returns the query as an address carries it, without defaults.
func (q query) values() url.Values {
	v := url.Values{}
	set := func(k, x string) {
		if x != "" {
			v.Set(k, x)
		}
	}
	set("q", q.Text)
	set("pack", q.Pack)
	set("cluster", q.Cluster)
	set("namespace", q.Namespace)
	set("state", q.State)
	if q.Sort != "score" {
		v.Set("sort", q.Sort)
	}
	if q.Desc {
		v.Set("desc", "1")
	}
	if q.Page > 1 {
		v.Set("page", strconv.Itoa(q.Page))
	}
	return v
}

// with returns the address of the list after change.
func (q query) with(base string, change func(*query)) string {
	q.Page = 1
	change(&q)
	return address(base+"/signals", q.values())
}

// address writes an address with what is asked of it.
func address(path string, v url.Values) string {
	if e := v.Encode(); e != "" {
		return path + "?" + e
	}
	return path
}

// hiddenFields are the parts of a query that a form carries along: all but those that are typed or chosen in it.
func hiddenFields(v url.Values, shown ...string) []series.Label {
	var out []series.Label
	for k, vs := range v {
		if !slices.Contains(shown, k) {
			out = append(out, series.Label{Name: k, Value: vs[0]})
		}
	}
	slices.SortFunc(out, func(x, y series.Label) int { return strings.Compare(x.Name, y.Name) })
	return out
}
