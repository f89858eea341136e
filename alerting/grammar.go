// Sentences that agree with what they are about: summaries are written in the present tense, of what is many, and say it of one, and of what is over.

package alerting

import (
	"strconv"
	"strings"
	"text/template"
	"text/template/parse"
	"unicode"
)

// verb is one in three forms: one waits, many wait, one waited; many waited, where that is another word.
type verb struct{ one, many, past, pasts string }

// verbs are those that summaries use.
var verbs = func() map[string]verb {
	known := map[string]verb{}
	for _, v := range []verb{
		{one: "is", many: "are", past: "was", pasts: "were"}, {one: "has", many: "have", past: "had"}, {one: "does", many: "do", past: "did"}, {one: "cannot", many: "cannot", past: "could not"},
		{one: "comes", many: "come", past: "came"}, {one: "takes", many: "take", past: "took"}, {one: "gets", many: "get", past: "got"}, {one: "gives", many: "give", past: "gave"},
		{one: "holds", many: "hold", past: "held"}, {one: "keeps", many: "keep", past: "kept"}, {one: "knows", many: "know", past: "knew"}, {one: "leaves", many: "leave", past: "left"},
		{one: "runs", many: "run", past: "ran"}, {one: "says", many: "say", past: "said"}, {one: "sees", many: "see", past: "saw"}, {one: "sends", many: "send", past: "sent"},
		{one: "tells", many: "tell", past: "told"}, {one: "finds", many: "find", past: "found"}, {one: "drops", many: "drop", past: "dropped"}, {one: "grows", many: "grow", past: "grew"},
		{one: "loses", many: "lose", past: "lost"}, {one: "goes", many: "go", past: "went"}, {one: "stands", many: "stand", past: "stood"}, {one: "falls", many: "fall", past: "fell"},
		{one: "fails"}, {one: "waits"}, {one: "turns"}, {one: "ends"}, {one: "needs"}, {one: "fills"}, {one: "misses", many: "miss"}, {one: "moves"}, {one: "uses"}, {one: "allows"},
		{one: "rejects"}, {one: "reaches", many: "reach"}, {one: "answers"}, {one: "serves"}, {one: "wants"}, {one: "requests"}, {one: "owes"}, {one: "refuses"}, {one: "restarts"}, {one: "lasts"},
	} {
		if v.many == "" {
			v.many = strings.TrimSuffix(v.one, "s")
		}
		if v.past == "" {
			v.past = strings.TrimSuffix(v.many, "e") + "ed"
		}
		if v.pasts == "" {
			v.pasts = v.past
		}
		known[v.one], known[v.many] = v, v
	}
	return known
}()

// form returns the verb for so many, now or then. A word that is no verb of ours comes back as it is.
func (g grammar) form(word string, one bool) string {
	v, ok := verbs[word]
	switch {
	case !ok:
		return word
	case g.past && one:
		return v.past
	case g.past:
		return v.pasts
	case one:
		return v.one
	}
	return v.many
}

// grammar is what a sentence must agree with.
type grammar struct{ past bool }

// funcs are those of a summary that depend on how many there are and on when it was.
func (g grammar) funcs() template.FuncMap {
	return template.FuncMap{
		"count": func(v quantity, what string) string { return v.count(what) },
		"rate":  func(v quantity, what string) string { return v.rate(what) },
		"times": func(v quantity) string { return v.times() },
		"verb":  func(v quantity, word string) string { return g.form(word, v.one()) },
		"ends":  func(v quantity) string { return v.ends(g.past) },
	}
}

// tell puts the words of a summary that stand outside its actions into the past. What labels say is left alone.
func (g grammar) tell(t *template.Template) {
	if g.past && t.Tree != nil && t.Tree.Root != nil {
		last := ""
		thenAll(t.Tree.Root, &last)
	}
}

func thenAll(n parse.Node, last *string) {
	switch n := n.(type) {
	case *parse.ListNode:
		if n != nil {
			for _, x := range n.Nodes {
				thenAll(x, last)
			}
		}
	case *parse.TextNode:
		n.Text = []byte(then(string(n.Text), last))
	case *parse.IfNode:
		thenAll(n.List, last)
		thenAll(n.ElseList, last)
	case *parse.ActionNode:
		if len(n.Pipe.Decl) == 0 {
			*last = ""
		}
	}
}

// then puts a text into the past. last is the word before, and becomes the last of the text.
func then(text string, last *string) string {
	var b strings.Builder
	for len(text) > 0 {
		n := strings.IndexFunc(text, func(r rune) bool { return !letter(r) })
		switch {
		case n < 0:
			n = len(text)
		case n == 0:
			if n = strings.IndexFunc(text, letter); n < 0 {
				n = len(text)
			}
			if strings.ContainsAny(text[:n], ",;:.(") {
				*last = ""
			}
			b.WriteString(text[:n])
			text = text[n:]
			continue
		}
		word := text[:n]
		text = text[n:]
		b.WriteString(thenWord(word, *last, text))
		if word != "not" || !open[*last] {
			*last = word
		}
	}
	return strings.ReplaceAll(b.String(), ", now ", ", ")
}

func letter(r rune) bool { return unicode.IsLetter(r) || r == '\'' || r == '-' }

// Words that tell a verb from what looks like one: behind an open one stands how something is done (may have, does not answer), and requests and answers are
// things behind an article, or before something that is said of them.
var (
	open     = words("to may can could cannot should must will does do did")
	articles = words("the a an its their of no in")
	things   = words("request requests answer answers run runs move moves end ends")
	behind   = words("of to that than")
)

func words(list string) map[string]bool {
	known := map[string]bool{}
	for _, w := range strings.Fields(list) {
		known[w] = true
	}
	return known
}

func thenWord(word, last, rest string) string {
	v, ok := verbs[word]
	if !ok || open[last] {
		return word
	}
	if v.one == "requests" && last != "it" {
		return word // they are what is counted
	}
	next, _, _ := strings.Cut(strings.TrimPrefix(rest, " "), " ")
	if v.one != "is" && v.one != "has" {
		if _, verb := verbs[next]; verb || articles[last] || things[word] && behind[next] {
			return word
		}
	}
	switch {
	case word == "ends" && next == "in":
		return "was to end"
	case word == v.one:
		return v.past
	}
	return v.pasts
}

// singular returns the one of many: "node" of "nodes", "process" of "processes", "entry" of "entries". Of several words it is the last.
func singular(many string) string {
	switch {
	case strings.HasSuffix(many, "series"), !strings.HasSuffix(many, "s"), strings.HasSuffix(many, "ss"):
		return many
	case strings.HasSuffix(many, "ies"):
		return strings.TrimSuffix(many, "ies") + "y"
	case strings.HasSuffix(many, "sses"), strings.HasSuffix(many, "xes"), strings.HasSuffix(many, "ches"):
		return strings.TrimSuffix(many, "es")
	}
	return strings.TrimSuffix(many, "s")
}

// many returns more than one of what one names.
func many(one string) string {
	switch {
	case strings.HasSuffix(one, "series"):
		return one
	case strings.HasSuffix(one, "y") && !strings.HasSuffix(one, "ay") && !strings.HasSuffix(one, "ey") && !strings.HasSuffix(one, "oy"):
		return strings.TrimSuffix(one, "y") + "ies"
	case strings.HasSuffix(one, "ss"), strings.HasSuffix(one, "x"), strings.HasSuffix(one, "ch"):
		return one + "es"
	}
	return one + "s"
}

// countable reports whether a unit is a word for things of which there are many: nodes, pods, file systems.
func countable(unit string) bool {
	return len(unit) > 2 && strings.HasSuffix(unit, "s") && !strings.HasSuffix(unit, "ss") && strings.IndexFunc(unit, func(r rune) bool { return r != ' ' && !unicode.IsLetter(r) }) < 0
}

func itoa(n int) string { return strconv.Itoa(n) }
