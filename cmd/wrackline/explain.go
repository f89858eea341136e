package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
)

// matcher says what rules match: in a recording that was played, in a running Wrackline, or nowhere.
type matcher struct {
	*teller          // its server is "" where there is none
	played  *offline // nil = there is no recording
}

const (
	matcherTimeout = 30 * time.Second
	matcherMax     = 64 << 20 // bytes of an answer
	signalsShown   = 20       // ids of a rule's signals
)

func newMatcher(ctx context.Context, e env, cfg config, recording string, t *teller) (*matcher, error) {
	m := &matcher{teller: t}
	if t.server != "" {
		var err error
		if m.server, err = serverURL(t.server); err != nil {
			return nil, err
		}
	}
	if recording == "" {
		return m, nil
	}
	o, err := newOffline(cfg, nil)
	if err != nil {
		return nil, err
	}
	if _, err := replayRecording(ctx, e, o, cfg, recording); err != nil {
		return nil, fmt.Errorf("%s: %w", recording, err)
	}
	o.engine.Publish()
	m.played = o
	return m, nil
}

// serverURL checks the address of a running Wrackline and returns it without a slash at its end.
func serverURL(server string) (string, error) {
	if u, err := url.Parse(server); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", usagef("server %q: want http://HOST:PORT", server)
	}
	return strings.TrimRight(server, "/"), nil
}

// ask gets the data of an API answer.
func (m *matcher) fetch(ctx context.Context, path string, into any) error {
	body, status, err := m.get(ctx, path)
	if err != nil {
		return err
	}
	var a struct {
		Status string          `json:"status"`
		Error  string          `json:"error"`
		Data   json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(body, &a); err != nil {
		return fmt.Errorf("%s%s: %s, and no answer of Wrackline's API: %w", m.server, path, http.StatusText(status), err)
	}
	if status != http.StatusOK {
		return fmt.Errorf("%s%s: %s", m.server, path, a.Error)
	}
	return json.Unmarshal(a.Data, into)
}

// read gets an API answer that is no JSON, as it is.
func (m *matcher) read(ctx context.Context, path string) ([]byte, error) {
	body, status, err := m.get(ctx, path)
	if err == nil && status != http.StatusOK {
		return nil, m.fetch(ctx, path, &body) // which says why
	}
	return body, err
}

// get gets an answer and its status.
func (m *matcher) get(ctx context.Context, path string) (body []byte, status int, err error) {
	res, body, _, err := m.send(ctx, http.MethodGet, path, "", nil, matcherTimeout, matcherMax)
	if err != nil {
		return nil, 0, err
	}
	return body, res.StatusCode, nil
}

// explain writes what a rule matches in each cluster. rule is what the packs here have of that name, nil when they have none.
func (m *matcher) explain(ctx context.Context, w io.Writer, name string, rule *pack.Rule) error {
	var clusters []signal.RuleExplanation
	switch {
	case m.played != nil:
		clusters = m.played.engine.Explain(name).Clusters
	case m.server != "":
		var a struct {
			Pack     string   `json:"pack"`
			Question string   `json:"question"`
			Exprs    []string `json:"exprs"`
			Clusters []struct {
				Cluster string   `json:"cluster"`
				Form    int      `json:"form"`
				Expr    string   `json:"expr"`
				Missing []string `json:"missing"`
				Leaves  []struct {
					Selector string `json:"selector"`
					Series   int    `json:"series"`
					Active   int    `json:"series_active"`
					Live     int    `json:"series_live"`
					LastT    int64  `json:"newest_sample"`
				} `json:"selectors"`
				Groups []string `json:"signals"`
			} `json:"clusters"`
		}
		if err := m.fetch(ctx, "/api/v1/packs/"+url.PathEscape(name), &a); err != nil {
			return err
		}
		switch {
		case rule == nil:
			fmt.Fprintf(w, "%s — %s\n  pack %s, which only the server has\n", name, plain(a.Question), plain(a.Pack))
			writeForms(w, a.Exprs)
		case !slices.Equal(rule.Exprs, a.Exprs):
			fmt.Fprintf(w, "  the server asks another expression than the packs here (--config.file names them):\n")
			writeForms(w, a.Exprs)
		}
		for _, c := range a.Clusters {
			x := signal.RuleExplanation{Cluster: c.Cluster, Form: c.Form, Expr: c.Expr, Missing: c.Missing, Groups: c.Groups}
			for _, l := range c.Leaves {
				x.Leaves = append(x.Leaves, signal.LeafExplanation{Selector: l.Selector, Series: l.Series, Active: l.Active, Live: l.Live, LastT: l.LastT})
			}
			clusters = append(clusters, x)
		}
	default:
		return nil
	}
	if len(clusters) == 0 {
		_, err := fmt.Fprintln(w, "  no cluster has sent anything yet")
		return err
	}
	for i := range clusters {
		writeMatches(w, &clusters[i])
	}
	return nil
}

// plain makes text of a server or a sender safe for a terminal, and leaves its columns.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if series.Hidden(r) {
			return ' '
		}
		return r
	}, s)
}

// writeForms writes the expressions of a rule.
func writeForms(w io.Writer, exprs []string) {
	for i, x := range exprs {
		if len(exprs) > 1 {
			fmt.Fprintf(w, "  form %d:\n", i+1)
		}
		for line := range strings.Lines(strings.TrimSpace(x)) {
			fmt.Fprintf(w, "    %s\n", plain(strings.TrimRight(line, "\n")))
		}
	}
}

func writeMatches(w io.Writer, c *signal.RuleExplanation) {
	switch {
	case c.Form < 0 && len(c.Missing) == 0:
		fmt.Fprintf(w, "  cluster %s: no window has closed with it yet\n", plain(c.Cluster))
	case c.Form < 0:
		fmt.Fprintf(w, "  cluster %s: dormant, not received: %s\n", plain(c.Cluster), plain(strings.Join(c.Missing, ", ")))
	default:
		fmt.Fprintf(w, "  cluster %s: form %d, %s\n", plain(c.Cluster), c.Form+1, alerting.Count(len(c.Groups), "signal"))
	}
	for _, l := range c.Leaves {
		fmt.Fprintf(w, "    %s: %d series, %d taking part, %d alive", plain(l.Selector), l.Series, l.Active, l.Live)
		if l.LastT > 0 {
			fmt.Fprintf(w, ", newest sample %s", time.UnixMilli(l.LastT).UTC().Format("2006-01-02 15:04:05 UTC"))
		}
		fmt.Fprintln(w)
	}
	for i, id := range c.Groups {
		if i == signalsShown {
			fmt.Fprintf(w, "    and %d more\n", len(c.Groups)-i)
			break
		}
		fmt.Fprintf(w, "    %s\n", plain(id))
	}
}

// summary writes a line for each rule and cluster.
func (m *matcher) summary(ctx context.Context, w io.Writer) error {
	type rule struct {
		Signal  string   `json:"signal"`
		Cluster string   `json:"cluster"`
		Dormant bool     `json:"dormant"`
		Missing []string `json:"missing"`
		Form    int      `json:"form"`
		Series  int      `json:"series"`
		Signals int      `json:"signals"`
	}
	var rules []rule
	if m.played != nil {
		for _, r := range m.played.engine.Stats().Rules {
			rules = append(rules, rule{r.Rule.Name, r.Cluster, r.Form < 0, r.Missing, r.Form, r.Series, r.Signals})
		}
	} else {
		var a struct {
			Packs []struct {
				Rules []rule `json:"rules"`
			} `json:"packs"`
		}
		if err := m.fetch(ctx, "/api/v1/packs", &a); err != nil {
			return err
		}
		for _, p := range a.Packs {
			rules = append(rules, p.Rules...)
		}
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "signal\tcluster\tform\tseries\tsignals\tnot received")
	active, dormant := 0, 0
	for _, r := range rules {
		if r.Dormant {
			dormant++
			fmt.Fprintf(tw, "%s\t%s\tdormant\t\t\t%s\n", plain(r.Signal), plain(r.Cluster), plain(strings.Join(r.Missing, ", ")))
			continue
		}
		active++
		fmt.Fprintf(tw, "%s\t%s\t%d\t%d\t%d\t\n", plain(r.Signal), plain(r.Cluster), r.Form+1, r.Series, r.Signals)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%s active, %d dormant\n", alerting.Count(active, "rule"), dormant)
	return err
}
