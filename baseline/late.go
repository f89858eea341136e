package baseline

// A window that closes long after its end is either history on its way through, which ends by itself and of which only what still stands at its end is worth a message, or it is the newest that
// there is: of a sender that stays behind, or by a receive clock that is ahead. The second is news, however late. Which of the two it is shows in the lag: a backlog that is drained takes more
// event time than time, so that the lag shrinks.

const (
	lookMs     = 2 * 60_000  // receive clock between two looks at the lag
	patienceMs = 60 * 60_000 // for how long a backlog may be drained before what stands in it is told all the same
)

// pace follows how late the windows of a cluster close. The zero value has seen none that was late.
type pace struct {
	sinceMs         int64 // receive clock of the first of the windows that have closed late without a break; 0 = the newest was in time
	atMs, lagMs     int64 // receive clock of the newest look, and how late a window closed then
	steady          int64 // 1 = the lag does not shrink: what closes is the newest that there is
	closedMs, endMs int64 // of the newest window
}

// turnBack takes back what lies after the end of a window that closes behind later ones: the clock was ahead and has been put right (signal.Stream). What was learned stays, and the cluster is
// as old as it was.
func (c *cluster) turnBack(end int64) {
	if end < c.first {
		c.first = end - c.windows*windowMs
	}
	for k := range c.budgets {
		c.budgets[k].LastMs = min(c.budgets[k].LastMs, end)
	}
	c.sizes.book.TurnBack(uint32(end/windowMs) - 1)
	for b := range c.judged {
		b.model.TurnBack(end - 2*windowMs) // a gap
		b.since = min(b.since, end)
	}
}

const windowMs = 60_000

// numbers lists what a state keeps.
func (p *pace) numbers() []*int64 {
	return []*int64{&p.sinceMs, &p.atMs, &p.lagMs, &p.steady, &p.closedMs, &p.endMs}
}

// history takes note of a window that ends at end and closes when the receive clock says closed, and reports whether it is history: late, and with newer ones at its heels. Unix milliseconds.
func (p *pace) history(closed, end int64) bool {
	lag := closed - end
	back := closed < p.closedMs || end < p.endMs // the clock was turned back
	p.closedMs, p.endMs = closed, end
	if lag <= oldAfterMs {
		p.sinceMs, p.steady = 0, 0
		return false
	}
	if p.sinceMs == 0 || back {
		p.sinceMs, p.atMs, p.lagMs, p.steady = closed, closed, lag, 0
		return true
	}
	if d := closed - p.atMs; d >= lookMs {
		shrunk := p.lagMs - lag
		p.steady = 0
		if shrunk < d/2 && -shrunk < d*9/10 { // had it grown by all of that, nothing would have come, and a backlog may follow
			p.steady = 1
		}
		p.atMs, p.lagMs = closed, lag
	}
	return p.steady == 0 && closed-p.sinceMs < patienceMs
}
