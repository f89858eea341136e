package baseline

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"github.com/wrackline/wrackline/baseline/change"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/signal"
	"github.com/wrackline/wrackline/baseline/sizes"
)

// absentAfterMs is how long a signal may go without a value before views call it absent.
const absentAfterMs = 10 * 60_000

// SignalView is one signal as it stood when the view was published. It is immutable.
type SignalView struct {
	Verdict
	Since int64     // Unix ms since which the state has been what it is
	Why   model.Why // what the judgement rests on
}

// View is every signal at one moment, sorted by id. It is immutable and shared.
type View struct {
	AtMs    int64 // receive clock of the last request folded in, Unix milliseconds
	Signals []*SignalView
	Changes []change.Change // the newest ChangesMax of each cluster; of one in the order in which they were learned of, of several by time
	Sizes   []ClusterSizes  // of clusters by name
	Budget  []BudgetView    // of the kinds of signals that there are
}

// ClusterSizes is what is known of the sizes of a cluster's containers.
type ClusterSizes struct {
	Cluster    string
	Containers []sizes.Container // in the order in which they were learned of
}

// Signal returns the view of one signal by its id.
func (v *View) Signal(id string) (SignalView, bool) {
	i, ok := slices.BinarySearchFunc(v.Signals, id, func(s *SignalView, id string) int { return strings.Compare(s.Signal.ID, id) })
	if !ok {
		return SignalView{}, false
	}
	return *v.Signals[i], true
}

// part is what a cluster shows. It is immutable.
type part struct {
	signals []SignalView // sorted by id
	changes []change.Change
	stats   signal.Stats
	sizes   ClusterSizes
}

// publication is what others see of the engine: parts that clusters have made, put together when somebody looks.
type publication struct {
	mu      sync.Mutex // held for some assignments only: the fold waits for it
	parts   []*part    // of the clusters, by name
	atMs    int64
	budget  []BudgetView
	stats   *signal.Stats
	options signal.StreamOptions
	lost    signal.Stats // counts of clusters that are forgotten
	edition int64        // counts what was published

	looking sync.Mutex // whoever puts a view together; the others wait for it
	view    *View      // as of viewOf
	viewOf  int64
}

// AtMs returns View's AtMs, without making a view. Safe for concurrent use.
func (e *Engine) AtMs() int64 {
	e.published.mu.Lock()
	defer e.published.mu.Unlock()
	return e.published.atMs
}

// Budget returns View's Budget, without making a view. Safe for concurrent use; the list is shared and must not be changed.
func (e *Engine) Budget() []BudgetView {
	e.published.mu.Lock()
	defer e.published.mu.Unlock()
	return e.published.budget
}

// View returns the newest view. It is never nil. Safe for concurrent use.
func (e *Engine) View() *View {
	p := &e.published
	p.looking.Lock()
	defer p.looking.Unlock()
	p.mu.Lock()
	now := publication{parts: p.parts, atMs: p.atMs, budget: p.budget, edition: p.edition}
	p.mu.Unlock()
	if p.view == nil || p.viewOf != now.edition {
		p.view, p.viewOf = now.assemble(), now.edition
	}
	return p.view
}

// assemble puts a view together.
func (p *publication) assemble() *View {
	v := &View{AtMs: p.atMs, Budget: p.budget}
	lists := make([][]*SignalView, 0, len(p.parts))
	for _, x := range p.parts {
		list := make([]*SignalView, len(x.signals))
		for i := range x.signals {
			list[i] = &x.signals[i]
			if s := list[i]; v.AtMs-s.T > absentAfterMs && s.State != model.Absent {
				gone := *s
				gone.Since, gone.State, gone.Why = s.T, model.Absent, model.Why{}
				list[i] = &gone
			}
		}
		lists = append(lists, list)
		v.Changes = append(v.Changes, x.changes...)
		if len(x.sizes.Containers) > 0 {
			v.Sizes = append(v.Sizes, x.sizes)
		}
	}
	v.Signals = merged(lists)
	if len(p.parts) > 1 {
		slices.SortStableFunc(v.Changes, func(a, b change.Change) int { return cmp.Compare(a.T, b.T) })
	}
	return v
}

// merged makes one sorted list of several.
func merged(lists [][]*SignalView) []*SignalView {
	switch len(lists) {
	case 0:
		return nil
	case 1:
		return lists[0]
	}
	a, b := merged(lists[:len(lists)/2]), merged(lists[len(lists)/2:])
	out := make([]*SignalView, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if strings.Compare(a[0].Signal.ID, b[0].Signal.ID) <= 0 {
			out, a = append(out, a[0]), a[1:]
		} else {
			out, b = append(out, b[0]), b[1:]
		}
	}
	return append(append(out, a...), b...)
}

// Stats returns what the streams said when they last published. Safe for concurrent use.
func (e *Engine) Stats() signal.Stats {
	p := &e.published
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stats == nil {
		all := p.lost
		for _, x := range p.parts {
			all.Add(&x.stats)
		}
		all.Sort()
		if len(p.parts) == 0 {
			none := signal.StatsOf(p.options)
			all.Add(&none)
		}
		p.stats = &all
	}
	return *p.stats
}

// part makes what the cluster shows.
func (c *cluster) part() *part {
	c.stale, c.sinceView = false, 0
	p := &part{signals: make([]SignalView, 0, len(c.members)), changes: c.changes[:len(c.changes):len(c.changes)], stats: c.stream.Stats(), sizes: ClusterSizes{c.name, c.sized()}}
	for b := range c.judged {
		if b.v.Signal == nil {
			continue
		}
		sv := SignalView{Verdict: b.v, Since: b.since, Why: b.why}
		if len(b.top) > 0 {
			sv.Top = append([]signal.Member(nil), b.top...)
		}
		p.signals = append(p.signals, sv)
	}
	return p
}

// publishMade publishes what clusters have made anew.
func (e *Engine) publishMade() {
	fresh := false
	for _, c := range e.clusters {
		if c != nil && c.made != nil {
			c.shown, c.made, fresh = c.made, nil, true
		}
	}
	if fresh {
		e.show()
	}
}

// show makes the parts of all clusters visible.
func (e *Engine) show() {
	parts := make([]*part, 0, len(e.clusters))
	for _, c := range e.named() {
		if c.shown != nil {
			parts = append(parts, c.shown)
		}
	}
	p, budget := &e.published, e.budgetViews()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.parts, p.atMs, p.budget, p.stats, p.options = parts, e.nowMs, budget, nil, e.opts.Stream
	p.lost = e.lost
	p.edition++
}

// Publish makes the present state visible to View and Stats. The fold does so as windows close; call it, as part of the fold, to make what
// has closed no window yet visible too.
func (e *Engine) Publish() {
	for _, c := range e.clusters {
		if c != nil {
			c.shown, c.made = c.part(), nil
		}
	}
	e.show()
}

// Refresh makes visible what the fold has not published yet: the present counts, and signals of windows that closed too fast for anybody to look at each. It is part of the fold, and cheaper than Publish.
func (e *Engine) Refresh() {
	for _, c := range e.clusters {
		switch {
		case c == nil:
		case c.shown == nil || c.sinceView > 0:
			c.shown = c.part()
		default:
			p := *c.shown
			p.stats = c.stream.Stats()
			c.shown = &p
		}
	}
	e.show()
}
