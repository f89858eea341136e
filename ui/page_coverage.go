// Coverage as a page and as JSON.

package ui

import (
	"math"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"github.com/wrackline/wrackline/baseline/coverage"
)

type coverageBody struct {
	Cluster  string
	Clusters []coverageRow
	Now      int64
}

// coverageRow is one cluster on the page.
type coverageRow struct {
	*coverage.Report
	Share float64 // 0 to 1; NaN = nothing to say yet
	Score string
	URL   string
	Areas []areaRow
	Gaps  []gapRow
}

type areaRow struct {
	*coverage.Area
	Share                                float64
	Score                                string
	Asked, Missing, Quiet, NotHere, Wait int
	Rows                                 []questionRow
}

type questionRow struct {
	Name, Question, State, Why string
	Metrics                    []string
}

type gapRow struct {
	*coverage.Gap
	Why, Rank string
	Some      []string
	More      int
}

// coverageURL leads to what is asked of a cluster, "" = of all.
func (s *server) coverageURL(cluster string) string {
	v := url.Values{}
	if cluster != "" {
		v.Set("cluster", cluster)
	}
	return address(s.base+"/coverage", v)
}

func (s *server) coverageRow(r *coverage.Report) coverageRow {
	row := coverageRow{Report: r, Score: coverText(&r.Counts), URL: s.coverageURL(r.Cluster)}
	row.Share, _ = r.Score()
	for i := range r.Areas {
		a := &r.Areas[i]
		x := areaRow{Area: a, Score: coverText(&a.Counts), Asked: a.Of(coverage.Asked), Missing: a.Of(coverage.Missing), Quiet: a.Of(coverage.Quiet), NotHere: a.Of(coverage.NotHere), Wait: a.Of(coverage.Waiting)}
		x.Share, _ = a.Score()
		for k := range a.Questions {
			q := &a.Questions[k]
			x.Rows = append(x.Rows, questionRow{q.Rule.Name, q.Rule.Question, q.State.String(), q.Text(), q.Metrics})
		}
		row.Areas = append(row.Areas, x)
	}
	for i := range r.Gaps {
		g := &r.Gaps[i]
		x := gapRow{Gap: g, Why: g.Why(), Rank: g.Rank(), Some: g.Asks(4)}
		x.More = len(g.Questions) - len(x.Some)
		row.Gaps = append(row.Gaps, x)
	}
	return row
}

func (s *server) coverage(c *gin.Context) {
	f, st := s.frame("Coverage", "coverage")
	b := &coverageBody{Cluster: c.Query("cluster"), Now: f.Now}
	for _, r := range coverageOf(&st, s.view(), s.snapshot(), b.Cluster) {
		b.Clusters = append(b.Clusters, s.coverageRow(r))
	}
	if b.Cluster != "" && len(b.Clusters) == 0 {
		s.fail(c, http.StatusNotFound, "There is no such cluster.")
		return
	}
	f.Body, f.JSON = b, address(s.base+"/api/v1/coverage", c.Request.URL.Query())
	s.page(c, http.StatusOK, "coverage", f)
}

// apiQuestion is a rule in a cluster as programs see it.
type apiQuestion struct {
	Signal   string   `json:"signal"`
	Question string   `json:"question"`
	Severity string   `json:"severity"`
	State    string   `json:"state"`              // asked, quiet, missing, not here, waiting
	Why      string   `json:"why,omitempty"`      // it is not asked
	Software string   `json:"software,omitempty"` // whose metrics are missing
	Metrics  []string `json:"metrics,omitempty"`  // that are
}

type apiScore struct {
	Asked   int `json:"asked"`
	Missing int `json:"missing"`
	Quiet   int `json:"quiet"`    // counts what should not happen, and has no series before it does
	NotHere int `json:"not_here"` // about what is not seen to run
	Waiting int `json:"waiting"`  // the cluster is too young to say
	Score   num `json:"score"`    // asked of asked and missing, 0 to 1; null = none is either
}

func apiScoreOf(c *coverage.Counts) apiScore {
	out := apiScore{Asked: c.Of(coverage.Asked), Missing: c.Of(coverage.Missing), Quiet: c.Of(coverage.Quiet), NotHere: c.Of(coverage.NotHere), Waiting: c.Of(coverage.Waiting), Score: num(math.NaN())}
	if share, ok := c.Score(); ok {
		out.Score = num(share)
	}
	return out
}

type apiArea struct {
	Area  string `json:"area"`
	Title string `json:"title"`
	apiScore
	Questions []apiQuestion `json:"questions"`
}

// apiGap is one thing to do as programs see it.
type apiGap struct {
	Software string   `json:"software"` // "" = not known
	Reason   string   `json:"reason"`   // dropped, no scrape job, not scraped
	Why      string   `json:"why"`
	Metrics  []string `json:"metrics"`
	Signals  []string `json:"signals"`
	Pages    int      `json:"pages"`
	Stories  int      `json:"stories"` // public stories of failures that these are about
	Caught   int      `json:"caught"`  // alarms of these in incidents of other clusters
	DropsAs  []string `json:"drops_as,omitempty"`
	Lines    string   `json:"lines"` // that would bring it
	Note     string   `json:"note,omitempty"`
}

type apiCoverage struct {
	Cluster string `json:"cluster"`
	apiScore
	Areas []apiArea `json:"areas"`
	Gaps  []apiGap  `json:"gaps"` // what would have caught most first
}

func apiCoverageOf(r *coverage.Report) apiCoverage {
	out := apiCoverage{Cluster: r.Cluster, apiScore: apiScoreOf(&r.Counts), Areas: []apiArea{}, Gaps: []apiGap{}}
	for i := range r.Areas {
		a := apiArea{Area: r.Areas[i].Name, Title: r.Areas[i].Title, apiScore: apiScoreOf(&r.Areas[i].Counts), Questions: []apiQuestion{}}
		for k := range r.Areas[i].Questions {
			q := &r.Areas[i].Questions[k]
			a.Questions = append(a.Questions, apiQuestion{q.Rule.Name, q.Rule.Question, string(q.Rule.Severity), q.State.String(), q.Text(), q.Software, q.Metrics})
		}
		out.Areas = append(out.Areas, a)
	}
	for i := range r.Gaps {
		g := &r.Gaps[i]
		x := apiGap{Software: g.Software, Reason: g.Reason.String(), Why: g.Why(), Metrics: g.Metrics, Signals: []string{}, Pages: g.Pages, Stories: g.Stories, Caught: g.Caught, DropsAs: g.DropsAs, Lines: g.Lines, Note: g.Note}
		for _, q := range g.Questions {
			x.Signals = append(x.Signals, q.Name)
		}
		out.Gaps = append(out.Gaps, x)
	}
	return out
}

// apiCoverage answers with what is asked of clusters and what is missing: as JSON, or with output=table as text.
func (s *server) apiCoverage(c *gin.Context) {
	st := s.about()
	cluster := c.Query("cluster")
	list := coverageOf(&st, s.view(), s.snapshot(), cluster)
	if cluster != "" && len(list) == 0 {
		s.apiFail(c, http.StatusNotFound, "there is no such cluster")
		return
	}
	switch c.Query("output") {
	case "", "json":
		out := struct {
			At       int64         `json:"at"`
			Clusters []apiCoverage `json:"clusters"`
		}{At: s.view().AtMs, Clusters: []apiCoverage{}}
		for _, r := range list {
			out.Clusters = append(out.Clusters, apiCoverageOf(r))
		}
		s.apiOK(c, out)
	case "table":
		s.text(c, "text/plain; charset=utf-8", coverageTable(list))
	default:
		s.apiFail(c, http.StatusBadRequest, "output must be json or table")
	}
}
