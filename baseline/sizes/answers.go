package sizes

import (
	"math"
	"strings"

	"github.com/wrackline/wrackline/baseline/series"
)

// Labels returns the labels of a set.
type Labels func(set uint32) series.Labels

// What is beyond is no size but a mistake, or malice: it would be a peak for good, and no advice.
const (
	coresMost = 1e6
	bytesMost = 1 << 60
)

// sane reports whether v may be an amount of CPU or memory. NaN may not.
func sane(v float64, memory bool) bool {
	if memory {
		return v >= 0 && v <= bytesMost
	}
	return v >= 0 && v <= coresMost
}

// CPU learns the cores of a pod.
func (b *Book) CPU(set uint32, v float64, labels Labels) {
	if !sane(v, false) {
		return
	}
	c := b.cell(set, labels)
	if c == nil {
		return
	}
	k := &b.containers[c.of]
	c.last, k.last = b.now.at, b.now.at
	b.salt++
	k.usesCPU(b.now, float32(v), b.starting(c) && !jobLike(k.kind), b.salt)
}

// Memory learns the bytes of a pod.
func (b *Book) Memory(set uint32, v float64, labels Labels) {
	if !(v > 0) || !sane(v, true) {
		return
	}
	c := b.cell(set, labels)
	if c == nil {
		return
	}
	k := &b.containers[c.of]
	c.last, k.last = b.now.at, b.now.at
	b.salt++
	starting := b.starting(c)
	k.usesMemory(b.now, float32(v), starting && !jobLike(k.kind), b.salt)
	if starting {
		return
	}
	if c.floor == 0 || float32(v) < c.floor {
		c.floor = float32(v)
	}
	if b.now.at >= c.dayAt+dayMin {
		switch {
		case c.prev == 0 || c.days >= 4*7:
			c.prev, c.days = c.floor, 0
		default:
			c.days++
			k.day(c.prev, c.recent[c.days%recentDays], c.floor, int(c.days))
		}
		c.recent[c.days%recentDays] = c.floor
		c.floor, c.dayAt = 0, b.now.at
	}
}

// Throttled learns the share of the periods of so many minutes in which a pod was stopped.
func (b *Book) Throttled(set uint32, share float64, minutes int, labels Labels) {
	if !(share >= 0 && share <= 1) {
		return
	}
	if c := b.cell(set, labels); c != nil && !b.starting(c) {
		k := &b.containers[c.of]
		k.throttles(share, minutes)
		if t := k.trial; t != nil {
			t.Asked += float64(minutes)
			if share >= throttledFrom {
				t.Throttled += float64(minutes)
			}
		}
	}
}

// Restarts learns how often a pod's container began anew within the newest minutes: one that did is starting again.
func (b *Book) Restarts(set uint32, n float64, labels Labels) {
	if !(n > 0.5) {
		return
	}
	if c := b.cell(set, labels); c != nil && b.now.at >= c.born+startMin {
		c.born, c.dayAt, c.floor, c.prev, c.days = b.now.at, b.now.at+startMin, 0, 0, 0
		k := &b.containers[c.of]
		k.starts += min(1, math.MaxUint16-k.starts)
	}
}

// Kills learns how many of a container's pods were killed for their memory within the newest minutes, which overlap from answer to answer.
func (b *Book) Kills(set uint32, n float64, labels Labels) {
	if !(n >= 0) {
		return
	}
	i := b.of.find(set)
	if i < 0 && !(n > 0.5) {
		return // nobody asks for a container that was never killed
	}
	if i = b.ofSet(set, labels(set)); i < 0 {
		return
	}
	c, now := &b.containers[i], int(math.Round(min(n, math.MaxUint16)))
	if now > c.counted {
		c.killed(b.now, uint16(now-c.counted), float32(c.set.Limits.Memory))
		if c.trial != nil {
			c.trial.KillsSince += now - c.counted
		}
	}
	c.counted = now
}

// Rolled learns that a workload runs another version from now on.
func (b *Book) Rolled(namespace, workload string) {
	for i := range b.containers {
		if c := &b.containers[i]; c.Namespace == namespace && c.Workload == workload {
			c.rolled(b.now)
		}
	}
}

// Requests and Limits learn what is set, by the labels' resource.
func (b *Book) Requests(set uint32, v float64, labels Labels) { b.setTo(set, v, labels, 0) }

// Limits: see Requests.
func (b *Book) Limits(set uint32, v float64, labels Labels) { b.setTo(set, v, labels, 2) }

func (b *Book) setTo(set uint32, v float64, labels Labels, which int) {
	l := labels(set)
	memory := l.Get("resource") == "memory"
	i := b.ofSet(set, l)
	if i < 0 || !sane(v, memory) {
		return
	}
	c := &b.containers[i]
	if memory {
		which++
	}
	was := c.set
	at := [...]*float64{&c.set.Requests.CPU, &c.set.Requests.Memory, &c.set.Limits.CPU, &c.set.Limits.Memory}[which]
	known := c.setAt[which] != 0
	c.setAt[which] = b.now.at
	if *at == v {
		return
	}
	*at = v
	switch {
	case !known:
	case c.trial == nil || b.now.at >= uint32(c.trial.AtMs/60_000)+goneMin:
		c.trial = &Trial{AtMs: int64(b.now.at) * 60_000, Was: was, Now: c.set, Kills: int(c.kills)}
	default:
		c.trial.Now = c.set // one act
	}
}

// Scaler learns at which share of its CPU request, per cent, an autoscaler holds a workload.
func (b *Book) Scaler(v float64, l series.Labels) {
	if v > 0 && v <= coresMost {
		b.scalers[[2]string{l.Get("namespace"), l.Get("scaletargetref_name")}] = v
	}
}

// Range learns a bound that a LimitRange sets to containers of a namespace.
func (b *Book) Range(v float64, l series.Labels) {
	if sane(v, l.Get("resource") == "memory") {
		put(b.ranges, l.Get("namespace"), l.Get("resource")+"/"+l.Get("constraint"), v)
	}
}

// Quota learns what is left of a namespace's quota: nothing where more is used than allowed. Of several for one resource the tightest counts.
func (b *Book) Quota(v float64, l series.Labels) {
	resource := strings.TrimPrefix(l.Get("resource"), "requests.")
	v = max(v, 0)
	if resource != "cpu" && resource != "memory" || !sane(v, resource == "memory") {
		return
	}
	if was, ok := b.quotas[l.Get("namespace")][resource]; ok {
		v = min(v, was)
	}
	put(b.quotas, l.Get("namespace"), resource, v)
}

// Node learns how large a node is on average.
func (b *Book) Node(v float64, l series.Labels) {
	switch memory := l.Get("resource") == "memory"; {
	case !sane(v, memory):
	case memory:
		b.node.Memory = v
	default:
		b.node.CPU = v
	}
}

// Facts forgets the facts that an answer is about to tell anew, by the name of their measure.
func (b *Book) Facts(of string) {
	switch of {
	case "scaler":
		clear(b.scalers)
	case "range":
		clear(b.ranges)
	case "quota":
		clear(b.quotas)
	}
}

func put(m map[string]map[string]float64, a, k string, v float64) {
	if m[a] == nil {
		m[a] = map[string]float64{}
	}
	m[a][k] = v
}
