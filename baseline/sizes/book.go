package sizes

import (
	"strings"

	"github.com/wrackline/wrackline/baseline/series"
)

// Key names a container of a workload.
type Key struct{ Namespace, Workload, Container string }

// Resources are cores and bytes; 0 = none are set.
type Resources struct{ CPU, Memory float64 }

// Set is what is set today.
type Set struct{ Requests, Limits Resources }

// Limits of a Book.
const (
	ContainersMax = 100_000
	PodsMax       = 1_000_000
)

// Quiet times, minutes.
const (
	goneMin   = 30              // a pod without an answer has ended
	forgetMin = 5 * 7 * 24 * 60 // a container without a pod is forgotten
	sweepMin  = 10
)

// container is what a book holds of one container. What is set today is a fact that comes again; the rest is learned.
type container struct {
	Key
	record
	kind    string
	set     Set
	setAt   [4]uint32 // minutes at which each was told: CPU and memory of requests, then of limits
	counted int       // kills of the newest minutes that are counted already
	pods    int       // that run
	trial   *Trial
}

// Trial is what became of other requests or limits, while it is found out.
type Trial struct {
	AtMs       int64 // when they changed, Unix milliseconds
	Was, Now   Set
	Kills      int     // before: all that were known
	Asked      float64 // minutes since, of which
	Throttled  float64 // so many were throttled
	KillsSince int
}

// cell is a pod's container that runs.
type cell struct {
	pod         string
	set         uint32              // label set, for which Book.at has this cell; 0 = none
	of          int32               // number of the container; −1 = free
	born, last  uint32              // minutes of its start, and of the newest answer
	dayAt       uint32              // minute at which its running day began
	floor, prev float32             // the least bytes of the running day, and of the first
	days        uint8               // since the first
	recent      [recentDays]float32 // the least bytes of the newest days, by their number
}

type podKey struct {
	of  int32
	pod string
}

// Book is what is learned of the containers of one cluster. It is a deterministic fold over answers in order of time; one goroutine at a time may use it.
type Book struct {
	containers []container
	byKey      map[Key]int32
	cells      []cell
	free       []int32
	byPod      map[podKey]int32
	at         numbers // of cells, by label set
	of         numbers // of containers, by label set; one may be both, as what lacks a pod is
	now        minute
	began      uint32 // minute of the first answer
	swept      uint32
	salt       uint32
	scalers    map[[2]string]float64         // namespace, workload → per cent of the CPU request
	ranges     map[string]map[string]float64 // namespace → resource/constraint
	quotas     map[string]map[string]float64 // namespace → resource → what is left
	node       Resources

	// Refused counts answers that there was no room for.
	Refused int64
	// KindOf tells the kind of a workload, "" while it is not known; nil = nobody knows.
	KindOf func(namespace, workload string) string
}

// NewBook returns a book that has learned nothing.
func NewBook() *Book {
	return &Book{byKey: map[Key]int32{}, byPod: map[podKey]int32{}, scalers: map[[2]string]float64{}, ranges: map[string]map[string]float64{}, quotas: map[string]map[string]float64{}}
}

// Now returns the newest minute, counted since 1970; 0 = none.
func (b *Book) Now() uint32 { return b.now.at }

// Len returns how many containers and pods' containers are known.
func (b *Book) Len() (containers, pods int) { return len(b.containers), len(b.byPod) }

// Minute lets time pass up to a minute, counted since 1970; week is the minute of the week by people's clock. It reports false for a minute that has been, of which nothing must be told.
func (b *Book) Minute(at uint32, week int) bool {
	m := minute{at, uint16(week)}
	was := b.now
	switch {
	case was.at == 0:
		b.now, b.began, b.swept = m, at, at
		return true
	case at <= was.at:
		return false
	}
	b.now = m
	if m.hour() != was.hour() || at-was.at >= 60 {
		for i := range b.containers {
			b.endHour(&b.containers[i], was)
		}
	}
	if at-b.swept >= sweepMin {
		b.swept = at
		b.sweep()
	}
	return true
}

// TurnBack makes a minute that has been the newest: the clock was ahead and has been put right. What was learned stays.
func (b *Book) TurnBack(at uint32) {
	b.now.at = min(b.now.at, at)
	b.swept = min(b.swept, at)
	for i := range b.containers {
		c := &b.containers[i]
		c.last, c.weekAt = min(c.last, at), min(c.weekAt, at)
		c.rolledAt, c.killAt, c.movedAt = min(c.rolledAt, at), min(c.killAt, at), min(c.movedAt, at)
		for j := range c.setAt {
			c.setAt[j] = min(c.setAt[j], at)
		}
	}
	for i := range b.cells {
		c := &b.cells[i]
		c.born, c.last, c.dayAt = min(c.born, at), min(c.last, at), min(c.dayAt, at)
	}
}

func (b *Book) endHour(c *container, was minute) {
	c.record.endHour(b.now, was.hour())
	if b.now.slot() != was.slot() {
		c.endSlot(b.now, was.slot())
	}
	c.turn(b.now)
	if b.KindOf != nil {
		if k := b.KindOf(c.Namespace, c.Workload); k != "" {
			c.kind = k
		}
	}
}

// Renumbered forgets which label sets are whose: they have other numbers now.
func (b *Book) Renumbered() {
	clear(b.at)
	clear(b.of)
	for i := range b.cells {
		b.cells[i].set = 0
	}
}

// numbers are small numbers by label set, each + 1; 0 = none.
type numbers []int32

// find returns what is held under a label set, −1 for nothing.
func (n numbers) find(set uint32) int32 {
	if int(set) >= len(n) {
		return -1
	}
	return n[set] - 1
}

func (n *numbers) hold(set uint32, i int32) {
	for int(set) >= len(*n) {
		*n = append(*n, 0)
	}
	(*n)[set] = i + 1
}

// container returns the number of the container that labels name, made when it is new and may be made; −1 = none.
func (b *Book) container(l series.Labels, makes bool) int32 {
	k := Key{l.Get("namespace"), l.Get("workload"), l.Get("container")}
	if i, ok := b.byKey[k]; ok {
		return i
	}
	if !makes || k.Namespace == "" || k.Workload == "" || k.Container == "" {
		return -1
	}
	if len(b.containers) >= ContainersMax {
		b.Refused++
		return -1
	}
	k = Key{strings.Clone(k.Namespace), strings.Clone(k.Workload), strings.Clone(k.Container)}
	i := int32(len(b.containers))
	c := container{Key: k}
	c.first, c.weekAt = b.now.at, b.now.at
	if b.KindOf != nil {
		c.kind = b.KindOf(k.Namespace, k.Workload)
	}
	b.containers = append(b.containers, c)
	b.byKey[k] = i
	return i
}

// ofSet returns the number of the container that a label set without a pod names, −1 = none.
func (b *Book) ofSet(set uint32, labels series.Labels) int32 {
	i := b.of.find(set)
	if i < 0 {
		if i = b.container(labels, false); i >= 0 {
			b.of.hold(set, i)
		}
	}
	return i
}

// cell returns the pod's container of a label set, nil when there is none and no room for it.
func (b *Book) cell(set uint32, labels func(uint32) series.Labels) *cell {
	if i := b.at.find(set); i >= 0 {
		return &b.cells[i]
	}
	l := labels(set)
	of := b.container(l, true)
	pod := l.Get("pod")
	if of < 0 || pod == "" {
		return nil
	}
	i, ok := b.byPod[podKey{of, pod}]
	if !ok {
		if i, ok = b.newCell(of, pod); !ok {
			return nil
		}
	}
	b.cells[i].set = set
	b.at.hold(set, i)
	return &b.cells[i]
}

// newCell makes the cell of a pod that was not known. One that is there from the beginning has been running for nobody knows how long, so its start is over.
func (b *Book) newCell(of int32, pod string) (int32, bool) {
	if len(b.byPod) >= PodsMax {
		b.Refused++
		return 0, false
	}
	c := cell{pod: strings.Clone(pod), of: of, born: b.now.at, last: b.now.at}
	if b.now.at < b.began+startMin {
		c.born -= startMin
	} else {
		b.containers[of].starts++
	}
	c.dayAt = c.born + startMin
	b.containers[of].pods++
	i := int32(len(b.cells))
	if n := len(b.free); n > 0 {
		i, b.free = b.free[n-1], b.free[:n-1]
		b.cells[i] = c
	} else {
		b.cells = append(b.cells, c)
	}
	b.byPod[podKey{of, c.pod}] = i
	return i, true
}

// sweep ends pods that are silent and forgets containers without any.
func (b *Book) sweep() {
	for i := range b.cells {
		c := &b.cells[i]
		if c.of < 0 || b.now.at-c.last < goneMin {
			continue
		}
		k := &b.containers[c.of]
		k.pods--
		k.runs += min(1, 1<<16-1-k.runs)
		delete(b.byPod, podKey{c.of, c.pod})
		if c.set != 0 {
			b.at[c.set] = 0
		}
		*c = cell{of: -1}
		b.free = append(b.free, int32(i))
	}
	gone := 0
	for i := range b.containers {
		if b.containers[i].pods == 0 && b.now.at-b.containers[i].last >= forgetMin {
			gone++
		}
	}
	if gone > 0 {
		b.forget()
	}
}

// forget drops the containers that have had no pod for long.
func (b *Book) forget() {
	kept := b.containers[:0]
	to := make([]int32, len(b.containers))
	clear(b.byKey)
	for i := range b.containers {
		c := &b.containers[i]
		if c.pods == 0 && b.now.at-c.last >= forgetMin {
			continue
		}
		to[i] = int32(len(kept))
		b.byKey[c.Key] = to[i]
		kept = append(kept, *c)
	}
	clear(b.containers[len(kept):])
	b.containers = kept
	clear(b.byPod)
	for i := range b.cells {
		if c := &b.cells[i]; c.of >= 0 {
			c.of = to[c.of]
			b.byPod[podKey{c.of, c.pod}] = int32(i)
		}
	}
	b.Renumbered()
}

// starting reports whether a pod's container is in its start. Of a job that is never asked: it is all start.
func (b *Book) starting(c *cell) bool { return b.now.at < c.born+startMin }

// jobLike reports whether pods of the kind run to an end.
func jobLike(kind string) bool { return kind == "job" || kind == "cronjob" }
