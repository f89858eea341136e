package baseline

import (
	"cmp"
	"maps"
	"slices"

	"github.com/wrackline/wrackline/baseline/room"
	"github.com/wrackline/wrackline/baseline/route"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
)

// What crosses clusters. Nothing else does. It changes hands when the receive clock of the log passes a border (exchangeMs), while no cluster folds, and is then the same
// for all of them until the next time: so whether clusters are folded one after the other or side by side makes no difference, and a replay of the log from a checkpoint that was
// made right behind an exchange gives the same bits.
//
//   - how many signals of each kind the others have: the false-alarm budget is shared by number of signals (budget.go);
//   - how much room the limits of series and signals leave: each may take a part of it until the next time;
//   - how late it is in event time, so that a cluster that has fallen silent forgets what is over, and is forgotten itself in the end;
//   - what mature siblings in all clusters know of a rule of which a cluster's own know too little (prior.go).
//
// To whom a sender's series belong crosses clusters too; the router decides that before anything is folded.

// exchange lets clusters know of each other what they may.
func (e *Engine) exchange() {
	e.settle()
	e.passTime()
	e.allow()
	var all [budgetKinds]int
	for _, c := range e.clusters {
		if c != nil {
			for k, n := range c.kinds {
				all[k] += n
			}
		}
	}
	for _, c := range e.clusters {
		if c == nil {
			continue
		}
		for k := range c.others {
			c.others[k] = all[k] - c.kinds[k]
		}
		c.share()
		for _, b := range c.newcomers {
			e.introduce(c, b)
		}
		clear(c.newcomers)
		c.newcomers = c.newcomers[:0]
	}
	for _, c := range e.clusters {
		if c == nil {
			continue
		}
		for r := range c.wants {
			if k := e.everyone[r]; k != nil && k.at != e.nowMs {
				k.ask(e.nowMs, e.nowMs)
			}
		}
		clear(c.wants)
	}
}

// passTime tells all clusters the newest event time, and forgets those of which nothing is left. For one whose senders stay behind it is not as late as elsewhere.
func (e *Engine) passTime() {
	t := int64(0)
	for _, c := range e.clusters {
		if c != nil {
			t = max(t, c.stream.EventMs())
		}
	}
	t = min(t, e.nowMs+series.FutureMs) // what lies further ahead was taken while the receive clock was wrong, and must make nobody forget
	for _, c := range e.clusters {
		if c == nil {
			continue
		}
		c.stream.Passed(min(t, c.stream.Present(e.nowMs)))
		if c.stream.Empty() && c.over(e.nowMs) {
			e.drop(c)
		}
	}
	e.makeRoom()
	e.forgetRescued()
}

// forgetRescued forgets models that wait for a cluster which has not come back for as long as signals without a value are kept, and those that wait for signals of one that has.
func (e *Engine) forgetRescued() {
	limit := e.nowMs - cmp.Or(e.opts.Stream.RetireMs, signal.RetireDefault)
	for name, since := range e.waiting {
		switch {
		case since == 0 || since > e.nowMs:
			e.waiting[name] = e.nowMs
		case since < limit:
			delete(e.waiting, name)
			maps.DeleteFunc(e.rescued, func(id string, _ []byte) bool {
				gone := clusterOf(id) == name
				if gone {
					rescuedForgotten.Inc()
				}
				return gone
			})
		}
	}
	for _, c := range e.clusters {
		if c != nil && len(c.pending) > 0 && c.first != 0 && c.first < limit {
			rescuedForgotten.Add(len(c.pending))
			clear(c.pending)
		}
	}
}

// unusedMs is for how long nothing must have come for a cluster that no sample was ever of use to.
const unusedMs = 3_600_000

// over reports whether a cluster may be forgotten once its stream has nothing: it had windows, or nothing has come for long. One that has only just begun may.
func (c *cluster) over(nowMs int64) bool {
	return len(c.out) == 0 && (c.windows > 0 || c.stream.HeardMs() < nowMs-unusedMs)
}

// clustersFull is the part of ClustersMax beyond which clusters that have sent nothing for an hour make room for new ones, whoever has been silent for longest first.
const clustersFull = .9

// makeRoom forgets clusters that are over while there are nearly too many.
func (e *Engine) makeRoom() {
	var over []*cluster
	n := 0
	for _, c := range e.clusters {
		if c == nil {
			continue
		}
		n++
		if c.stream.Silent() && c.over(e.nowMs) {
			over = append(over, c)
		}
	}
	if n -= int(clustersFull * route.ClustersMax); n <= 0 {
		return
	}
	slices.SortStableFunc(over, func(a, b *cluster) int { return cmp.Compare(a.stream.LastT(), b.stream.LastT()) })
	for _, c := range over[:min(n, len(over))] {
		e.drop(c)
	}
}

// roomKept is the part of a limit that clusters with more than their share of it, one of as many as there are and one that may come, leave to the others. Where there is one cluster alone it
// may have everything.
const roomKept = 4

// roomParts is into how many parts what is left of the limits is divided at most. In equal parts for all, one that grows would be refused while there is room for it; with so few,
// a limit is passed when more clusters than that grow into it within the same ten seconds, and by no more than they can send in these.
const roomParts = 4

// newParts is the same for clusters that begin before the next exchange: of those there may be any number, so each gets less.
const newParts = 16

// allow says how much each cluster may take of what the limits leave.
func (e *Engine) allow() {
	all := signal.RoomOf(e.opts.Stream)
	left, n := all, 0
	for _, c := range e.clusters {
		if c != nil {
			c.stream.Yield()
			left = left.Less(c.stream.Holds())
			n++
		}
	}
	parts := min(max(n, 1), roomParts)
	e.later = left.Part(newParts)
	e.spare = e.later
	if n == 0 {
		e.spare = left // it may be the only one
	}
	rest, share, free := left, all.Part(n+1), left.Part(parts)
	if n > 1 {
		rest = left.Less(all.Part(roomKept))
	}
	rest = rest.Part(parts)
	for _, c := range e.clusters {
		if c != nil {
			holds := c.stream.Holds()
			c.stream.Allow(room.Choose(free, rest, func(i int) bool { return holds.Beneath(share, i) }))
		}
	}
}

// drop forgets a cluster and gives its number free.
func (e *Engine) drop(c *cluster) {
	c.settle()
	st := c.stream.Stats()
	st.Clusters, st.Senders, st.Rules, st.Series, st.Tracked, st.Signals = nil, nil, nil, 0, 0, 0
	e.lost.Add(&st)
	e.clusters[c.number], e.queue[c.number] = nil, nil
	e.router.Forget(c.number)
	for _, k := range e.everyone {
		k.list = slices.DeleteFunc(k.list, func(r relative) bool { return r.c == c })
	}
	clustersForgotten.Inc()
	e.show()
}
