package signal

import (
	"strings"

	"github.com/wrackline/wrackline/baseline/birth"
	"github.com/wrackline/wrackline/baseline/change"
	"github.com/wrackline/wrackline/baseline/identity"
	"github.com/wrackline/wrackline/baseline/promql"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/window"
)

// When windows close.
const (
	jumpMs       = 10 * windowMs      // when samples are so far ahead of the open window, empty windows are looked for
	reachMs      = 3 * windowMs       // the rings of a series hold so much beyond the open window
	formMs       = 10 * windowMs      // a metric has arrived when it was seen within this
	absentMs     = 24 * 60 * windowMs // … and one that only absent() asks for when it was seen within this
	missingMax   = 10                 // a value with more than a tenth of its series missing is none
	youngWindows = 2                  // so many windows of a new cluster wait a little although all known series are past them: others may
	youngWaitMs  = 20_000             // only be on their way. Somebody who has just pasted the block wants to see bands, and they are provisional
)

// cluster is one cluster's windows, identity and rules.
type cluster struct {
	name  string
	table *promql.Table
	tidyN int // sets in table after it was last made anew

	series   []uint32   // in hot, in order
	lists    [][]uint32 // by leaf: binds, in order of series
	rules    []ruleState
	measures []*promql.State // by number; nil = not asked yet
	order    []uint32        // signals of the cluster, sorted by id
	fresh    int             // new ones at the end of order, unsorted

	open       int64            // end of the open window, Unix milliseconds; 0 = no sample yet
	born       int64            // the first one
	newest     int64            // newest sample
	passed     [shortRing]int64 // receive clock when newest passed a window's end, by its number
	live, past int              // series with flagLive, and those of them with flagPast
	sweepAt    int64
	arrived    []int64       // by metric: newest sample of a tracked series, when the last window closed
	asked      []int64       // by leaf: end of the window that was open when a change of rules brought it; 0 = it was always there
	births     []birth.Birth // counters that have come, until their window closes
	mixed      bool          // lists are not in order
	undo       bool          // while the clock is turned back: its series are to be forgotten
	windows    int64
	early      int64
	grace      int64

	book    *identity.Book
	podHead []uint32 // by pod of the book: its newest series, none
	changes *change.Tracker
	scratch series.Labels
}

// ruleState is a rule in a cluster.
type ruleState struct {
	form    int // in use; −1 = dormant
	plans   []*promql.State
	signals map[uint32]uint32 // labelTable id → Signal.Index
	series  int               // elements that the form's leaves gave in the last window
}

// cluster returns the number of a cluster, made when it is new.
func (s *Stream) cluster(name string) (uint16, error) {
	if i, ok := s.clusterAt[name]; ok {
		return i, nil
	}
	if len(s.clusters) >= ClustersMax {
		return 0, errOverClusters
	}
	return s.makeCluster(strings.Clone(name)), nil
}

func (s *Stream) makeCluster(name string) uint16 {
	c := &cluster{
		name: name, table: promql.NewTable(), lists: make([][]uint32, len(s.leaves)), rules: make([]ruleState, len(s.rules)),
		arrived: make([]int64, len(s.metrics)), asked: make([]int64, len(s.leaves)),
	}
	c.book = identity.NewBook(c.table.Word)
	c.changes = change.NewTracker(change.Deps{Cluster: name, Book: c.book, Words: c.table.Word, Counts: s.changeCounts})
	c.bind(s)
	for i, r := range s.rules {
		c.rules[i] = ruleState{form: -1, plans: make([]*promql.State, len(r.forms)), signals: map[uint32]uint32{}}
	}
	i := uint16(len(s.clusters))
	s.clusters = append(s.clusters, c)
	s.clusterAt[name] = i
	return i
}

// begin opens the first window, the one that t lies in.
func (c *cluster) begin(t int64) {
	c.open = int64(window.Of(t)) * windowMs
	c.born = c.open
	c.tick()
	c.sweepAt = c.open + sweepMs
}

// bind makes the cluster ask s, after s has been made or copied.
func (c *cluster) bind(s *Stream) {
	c.book.Asks(func(pod uint32) bool { return c.running(s, pod) })
	c.changes.Asks(func(pod uint32, t int64, alive bool) bool { return c.heard(s, pod, t, alive) })
}

// tick tells the rooms of the cluster what time it is.
func (c *cluster) tick() {
	c.book.Tick(c.open, c.born)
	c.changes.Tick(c.open)
}
