// Backtests: what the last days would have told with a configuration. They run behind somebody else's door; here is how they stand.

package ui

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/wrackline/wrackline/alerting"
)

// Backtest is what there is to say of backtests.
type Backtest struct {
	Off     string       // why none can be made; "" = one can
	Reach   string       // how far back one can go, and why not further
	Config  string       // what of the configuration in force judges, as YAML: what a form begins with
	DaysMax int          // that can be asked for
	Run     *BacktestRun // the one under way, or the newest; nil = there was none
}

// BacktestRun is one backtest. Times are Unix milliseconds.
type BacktestRun struct {
	ID        string   `json:"id"`
	State     string   `json:"state"` // running, done, failed, cancelled
	Error     string   `json:"error,omitempty"`
	Days      int      `json:"days"`
	Against   bool     `json:"compared"`         // with a configuration that was given
	Config    string   `json:"config,omitempty"` // that one
	StartedMs int64    `json:"started"`          // the machine's clock
	EndedMs   int64    `json:"ended,omitempty"`
	Percent   int      `json:"percent"`        // of the time that is folded
	AtMs      int64    `json:"at,omitempty"`   // receive clock that it has come to
	FromMs    int64    `json:"from,omitempty"` // from which on notifications are listed …
	ToMs      int64    `json:"to,omitempty"`   // … up to the newest request
	Summary   string   `json:"summary,omitempty"`
	Notes     []string `json:"notes,omitempty"`         // what makes what serve told another thing
	Told      []Told   `json:"notifications,omitempty"` // by time
	Differ    int      `json:"differ"`                  // of two configurations, how many are in one alone
}

// Running reports whether it is under way.
func (r *BacktestRun) Running() bool { return r.State == "running" }

// Told is one notification of a backtest.
type Told struct {
	T        int64           `json:"t"` // Unix ms, event time
	Day      string          `json:"day"`
	Reason   alerting.Reason `json:"reason"`
	Severity string          `json:"severity"`
	Title    string          `json:"title"`
	Why      string          `json:"why"` // the headline: its value against its band
	ID       string          `json:"id"`
	Incident string          `json:"incident"`
	Signal   string          `json:"signal"`
	In       string          `json:"in,omitempty"` // of two configurations: both, first, second
}

// Closing reports whether it is a closing word, which no contract counts.
func (x Told) Closing() bool { return x.Reason == alerting.Resolved }

// BacktestDay counts the notifications of a day, closing words apart.
type BacktestDay struct {
	Day           string
	First, Second int // that each configuration gives; with one alone only First
	Both          int
	Pages         int // of First, how many are of severity page
	Closing       int // closing words of the first
}

// OnlyFirst and OnlySecond count what one configuration alone gives.
func (d BacktestDay) OnlyFirst() int { return d.First - d.Both }

// OnlySecond is OnlyFirst of the other one.
func (d BacktestDay) OnlySecond() int { return d.Second - d.Both }

// BacktestDays counts by days, oldest first, and the sum of all.
func BacktestDays(list []Told) (days []BacktestDay, all BacktestDay) {
	all.Day = "in all"
	for i := range list {
		x := &list[i]
		if len(days) == 0 || days[len(days)-1].Day != x.Day {
			days = append(days, BacktestDay{Day: x.Day})
		}
		for _, d := range []*BacktestDay{&days[len(days)-1], &all} {
			first, second := b2i(x.In != "second"), b2i(x.In == "second" || x.In == "both")
			if x.Closing() {
				d.Closing += first
				continue
			}
			d.First += first
			d.Second += second
			d.Both += b2i(x.In == "both")
			d.Pages += first * b2i(x.Severity == "page")
		}
	}
	return days, all
}

// backtestShown bounds the notifications of the page; the rest is in the JSON.
const backtestShown = 500

type backtestBody struct {
	hands
	Backtest
	Table []BacktestDay
	Sum   BacktestDay
	Shown []Told // the newest first; of two configurations those that only one gives
	More  int
}

func (s *server) backtest(c *gin.Context) {
	f, _ := s.frame("Backtest", "acts")
	b := &backtestBody{hands: hands{Access: s.access(c.Request), Back: s.base + "/backtest", Base: s.base, Now: f.Now}, Backtest: s.src.Backtest()}
	if r := b.Run; r != nil && !r.Running() {
		b.Table, b.Sum = BacktestDays(r.Told)
		for i := len(r.Told) - 1; i >= 0; i-- {
			switch x := &r.Told[i]; {
			case r.Against && x.In == "both":
			case len(b.Shown) < backtestShown:
				b.Shown = append(b.Shown, *x)
			default:
				b.More++
			}
		}
	}
	f.Body, f.JSON = b, s.base+"/api/v1/backtest"
	s.page(c, http.StatusOK, "backtest", f)
}

// apiBacktest answers GET /api/v1/backtest: the one under way, or the newest.
func (s *server) apiBacktest(c *gin.Context) {
	b := s.src.Backtest()
	s.apiOK(c, object{"run": b.Run, "off": b.Off, "reach": b.Reach, "days_max": b.DaysMax})
}
