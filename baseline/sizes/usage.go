package sizes

import (
	"math"
)

// Container is what is known of one container of one workload at one moment. It is immutable.
type Container struct {
	Key
	Kind  string // of the workload: deployment, statefulset …; "" = not known
	Pods  int    // that run
	Set   Set    // today
	Trial *Trial // what became of the newest change of what is set; nil = there was none
	AtMs  int64  // when this was so, Unix milliseconds

	Scaler float64 // per cent of the CPU request that an autoscaler aims at; 0 = none does
	Min    Resources
	Max    Resources // of a LimitRange; 0 = none
	Left   Resources // of a quota; below 0 = there is none
	Node   Resources // a node of the cluster on average; 0 = not known

	record record
}

// Containers returns what is known of all containers, in the order in which they were learned of.
func (b *Book) Containers() []Container {
	out := make([]Container, 0, len(b.containers))
	for i := range b.containers {
		c := &b.containers[i]
		x := Container{Key: c.Key, Kind: c.kind, Pods: c.pods, AtMs: int64(b.now.at) * 60_000, Node: b.node, record: c.record, Left: Resources{-1, -1}}
		for j, v := range []float64{c.set.Requests.CPU, c.set.Requests.Memory, c.set.Limits.CPU, c.set.Limits.Memory} {
			if b.now.at-c.setAt[j] < 2*goneMin || c.pods == 0 { // nobody says so any more
				*[]*float64{&x.Set.Requests.CPU, &x.Set.Requests.Memory, &x.Set.Limits.CPU, &x.Set.Limits.Memory}[j] = v
			}
		}
		x.Scaler = b.scalers[[2]string{c.Namespace, c.Workload}]
		of := b.ranges[c.Namespace]
		x.Min, x.Max = Resources{of["cpu/min"], of["memory/min"]}, Resources{of["cpu/max"], of["memory/max"]}
		if v, ok := b.quotas[c.Namespace]["cpu"]; ok {
			x.Left.CPU = v
		}
		if v, ok := b.quotas[c.Namespace]["memory"]; ok {
			x.Left.Memory = v
		}
		if c.trial != nil {
			t := *c.trial
			x.Trial = &t
		}
		out = append(out, x)
	}
	return out
}

// Usage is what pods of a container use, each.
type Usage struct {
	CPU  Curve
	Mem  Curve
	Days float64 // since the first answer
	// Hours is how many hours of the week have been seen.
	Hours     int
	Starts    int
	Runs      int     // pods that have ended
	Kills     int     // for their memory
	KillLimit float64 // bytes, at the newest; 0 = not known
	KilledMs  int64   // when that was, Unix milliseconds
	Throttled float64 // share of the newest minutes in which a tenth of the periods and more were stopped
	Asked     float64 // minutes behind it
	Growth    float64 // bytes a day that a pod does not give back; 0 = it gives back what it takes
	Moved     float64 // by which factor the newest version that changed it moved the CPU, 1 = it did not
	MovedMem  float64
	MovedMs   int64
}

// Curve is what a pod uses of one resource.
type Curve struct {
	P50, P95, P99 float64
	Max           float64 // the largest of a minute, of the newest weeks
	MaxMinute     int     // of the week, from Monday 00:00
	Start         float64 // the largest during a start; 0 = none was seen
	Busiest       float64 // CPU: the mean of the busiest hour of the week
	BusiestHour   int
	Old           float64 // the largest of weeks before, as far as it has not faded
}

// Usage says what pods of the container use.
func (c *Container) Usage() Usage {
	r := &c.record
	u := Usage{Days: float64(r.last-r.first+1) / dayMin, Starts: int(r.starts), Runs: int(r.runs), Kills: int(r.kills), KillLimit: float64(r.killLimit),
		KilledMs: int64(r.killAt) * 60_000, Asked: float64(r.asked), MovedMs: int64(r.movedAt) * 60_000,
		Moved: math.Exp2(float64(r.moved) / 16), MovedMem: math.Exp2(float64(r.moved4) / 16)}
	ch, mh := r.cpuHist(), r.memHist()
	u.CPU = Curve{P50: ch.quantile(.5), P95: ch.quantile(.95), P99: ch.quantile(.99)}
	u.Mem = Curve{P50: mh.quantile(.5), P95: mh.quantile(.95), P99: mh.quantile(.99)}
	for _, w := range r.week {
		if v := float64(w.cpu); v > u.CPU.Max {
			u.CPU.Max, u.CPU.MaxMinute = v, int(w.cpuAt)
		}
		if v := float64(w.mem); v > u.Mem.Max {
			u.Mem.Max, u.Mem.MaxMinute = v, int(w.memAt)
		}
	}
	for h, s := range r.level {
		if s == 0 {
			continue
		}
		u.Hours++
		if v := unstep(s, cpuBase); v > u.CPU.Busiest {
			u.CPU.Busiest, u.CPU.BusiestHour = v, h
		}
	}
	for _, s := range r.top {
		if s != 0 {
			u.Mem.Old = max(u.Mem.Old, unstep(s, memBase))
		}
	}
	cpu, mem := r.startPeak()
	u.CPU.Start, u.Mem.Start = float64(cpu), float64(mem)
	if r.asked > 0 {
		u.Throttled = float64(r.throttled / r.asked)
	}
	if r.grows >= growsLeast {
		u.Growth = float64(r.growth)
	}
	u.CPU.settle()
	u.Mem.settle()
	return u
}

// settle makes quantiles no larger than the largest value: they are read from buckets.
func (c *Curve) settle() {
	c.P50, c.P95, c.P99, c.Busiest = min(c.P50, c.Max), min(c.P95, c.Max), min(c.P99, c.Max), min(c.Busiest, c.Max)
}

// growsLeast is how many days of growth of pods must be left over to call it growth.
const growsLeast = 2

// Job reports whether the container's pods run to an end.
func (c *Container) Job() bool { return jobLike(c.Kind) }

// Hour is one hour of the week.
type Hour struct {
	Level, Peak float64 // mean and largest cores of a pod; 0 = not seen yet
	Memory      float64 // largest bytes of the four hours around
}

// Week returns the hours of the week from Monday 00:00 on.
func (c *Container) Week() (list [hours]Hour) {
	r := &c.record
	for h := range list {
		if s := r.level[h]; s != 0 {
			list[h].Level = unstep(s, cpuBase)
			list[h].Peak = list[h].Level * math.Exp2(float64(r.overOf(h))/4)
		}
		if s := r.top[h/slotHours]; s != 0 {
			list[h].Memory = unstep(s, memBase)
		}
	}
	return list
}
