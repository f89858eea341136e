package coverage

import (
	"fmt"
	"strings"

	"github.com/wrackline/wrackline/baseline/pack"
)

// Why says in words why something is missing.
func (g *Gap) Why() string {
	switch g.Reason {
	case Dropped:
		text := g.Software + " is scraped, and these of its metrics do not arrive: a list on the way drops them, or its version or flags leave them out."
		if len(g.DropsAs) > 0 {
			text += " They are dropped by " + or(g.DropsAs) + " as it comes."
		}
		return text
	case NoJob:
		return "Nothing of " + g.Software + " arrives: there is no such scrape job, or all of it is dropped on the way."
	}
	if g.Software == "" {
		return "These metrics do not arrive, and who exports them is not known."
	}
	return g.Software + " runs in this cluster, and nothing of it arrives: there is no such scrape job."
}

// Rank says in words what it is ranked by.
func (g *Gap) Rank() string {
	var out []string
	if g.Caught > 0 {
		out = append(out, fmt.Sprintf("%s in incidents of other clusters here", count(g.Caught, "alarm")))
	}
	if g.Stories > 0 {
		out = append(out, fmt.Sprintf("about what %d of %d public stories of failures tell", g.Stories, storiesAll))
	}
	text := count(len(g.Questions), "question")
	if g.Pages > 0 {
		text += fmt.Sprintf(", %d of severity page", g.Pages)
	}
	return strings.Join(append(out, text), "; ")
}

// Text says in words why a question is not asked; "" when it is.
func (q *Question) Text() string {
	who := q.Software
	if who == "" {
		who = "whatever exports these"
	}
	switch q.State {
	case Waiting:
		return "The cluster is too young to say."
	case Quiet:
		return "It counts what should not happen, and has no series before it does."
	case NotHere:
		return who + " is not seen to run here."
	case Missing:
		g := Gap{Software: q.Software, Reason: q.Reason}
		return g.Why()
	}
	return ""
}

// Asks lists the first questions in words.
func (g *Gap) Asks(n int) (out []string) {
	for _, r := range g.Questions[:min(n, len(g.Questions))] {
		out = append(out, asks(r))
	}
	return out
}

func asks(r *pack.Rule) string {
	if r.Question != "" {
		return r.Question
	}
	return r.Name
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

func or(list []string) string {
	if len(list) > 1 {
		return strings.Join(list[:len(list)-1], ", ") + " or " + list[len(list)-1]
	}
	return strings.Join(list, "")
}
