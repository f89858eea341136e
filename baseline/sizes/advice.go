package sizes

import "math"

// What must have been seen before anything is recommended.
const (
	daysLeast = 7 // a week, with its peaks
	runsLeast = 5 // of a job
	growsFor  = 14
)

// Advice is what a container should request, and why. The zero value advises nothing.
type Advice struct {
	Usage
	// Missing is why nothing is recommended; its zero value says that something is.
	Missing    Missing
	Set        Set       // 0 = leave it unset
	Why        []Reason  // of what Set says
	Confidence Sure      //
	Risks      []Risk    // of what is set today, worst first
	Frees      Resources // of all its pods; below 0 = so much more is needed
	Target     float64   // per cent that its autoscaler must aim at to go on as it does; 0 = it has none
}

// Missing is what has not been seen yet. The zero value misses nothing.
type Missing struct {
	Hours float64 // of a week
	Runs  int     // of a job
	Usage bool    // nobody tells what it uses
}

// Any reports whether something is missing.
func (m Missing) Any() bool { return m != Missing{} }

// Sure says how much was seen.
type Sure uint8

// How sure an advice is.
const (
	Low    Sure = iota // a week, or it has just become another version
	Medium             // a week and a start, or a week of runs
	High               // two weeks and two starts, or twenty runs in a week and more
)

func (s Sure) String() string { return [...]string{"low", "medium", "high"}[s] }

// Cause says what a value rests on.
type Cause uint8

// The causes.
const (
	Peak      Cause = iota // the largest value of the newest weeks
	StartPeak              // the largest during a start
	OldPeak                // the largest of weeks before
	Usual                  // what it needs nineteen minutes of twenty
	BusyHour               // the mean of the busiest hour of the week
	Killed                 // it was killed at a limit
	Grows                  // it does not give back
	Stopped                // it is throttled, so what it wants is not seen
	NoStart                // no start was seen, so nothing is lowered
	Margin                 // so much on top
	Lowest                 // a LimitRange allows no less
	Highest                // … no more
	NoQuota                // a quota has no room for it
	Collector              // it gives back most of what it takes, now and then
)

// Reason is one of the values that a recommendation rests on.
type Reason struct {
	Memory bool // of memory; false = of CPU
	Limit  bool // of a limit; false = of the request, and of a memory limit, which is the same
	Cause  Cause
	Value  float64 // cores or bytes; of Margin a share; of Grows bytes a day
	Minute int     // of the week, of a Peak or BusyHour
}

// Danger is what may happen with what is set today.
type Danger uint8

// The dangers, worst first.
const (
	KilledBefore Danger = iota // it was killed, and the limit is what it was
	WillBeKilled               // it grows into its limit
	NearLimit                  // its peak is close to its limit
	Throttling                 // it is stopped
	Evictable                  // it uses more memory than it requests
	Squeezed                   // it needs more CPU than it requests when it is busiest
	Unset                      // nothing is requested
)

// Risk is a danger and how large it is.
type Risk struct {
	Danger Danger
	Value  float64 // kills; days until; share of the limit; hours a week; shares of the request
}

// Margins and marks.
const (
	marginLeast = 0.08
	marginMost  = 0.25
	nearLimit   = 0.9
	riskFrom    = 1.05
	killsFor    = 8 * weekMin // a kill counts so long, minutes
	killedMore  = 1.25
	killedOften = 3 // kills: it wants far more than that
	killedMost  = 1.5
	stoppedFrom = 0.05
	stoppedMore = 1.5
)

// Advise says what the container should request.
func (c *Container) Advise() Advice {
	a := Advice{Usage: c.Usage(), Set: c.Set}
	a.risks(c)
	switch {
	case a.Mem.Max == 0 && a.Mem.Start == 0 || a.CPU.Max == 0 && a.CPU.Start == 0:
		a.Missing.Usage = true
	case c.Job():
		a.Missing.Runs = max(0, runsLeast-a.Runs)
	case a.Days < daysLeast-.05:
		a.Missing.Hours = math.Ceil((daysLeast - a.Days) * 24)
	}
	if a.Missing.Any() {
		return a
	}
	a.sure(c)
	a.memory(c)
	a.cpu(c)
	pods := float64(max(c.Pods, 1))
	if c.Set.Requests.CPU > 0 {
		a.Frees.CPU = (c.Set.Requests.CPU - a.Set.Requests.CPU) * pods
	}
	if c.Set.Requests.Memory > 0 {
		a.Frees.Memory = (c.Set.Requests.Memory - a.Set.Requests.Memory) * pods
	}
	if c.Scaler > 0 && c.Set.Requests.CPU > 0 && a.Set.Requests.CPU > 0 {
		a.Target = math.Round(c.Scaler * c.Set.Requests.CPU / a.Set.Requests.CPU)
	}
	return a
}

func (a *Advice) sure(c *Container) {
	switch {
	case a.MovedMs > 0 && c.AtMs-a.MovedMs < weekMin*60_000:
	case c.Job() && a.Runs >= 4*runsLeast && a.Days >= daysLeast, !c.Job() && a.Days >= 2*daysLeast-.1 && a.Starts >= 2:
		a.Confidence = High
	case c.Job() && a.Days >= daysLeast, !c.Job() && a.Starts >= 1:
		a.Confidence = Medium
	}
}

func (a *Advice) because(memory, limit bool, cause Cause, v float64, minute int) {
	a.Why = append(a.Why, Reason{Memory: memory, Limit: limit, Cause: cause, Value: v, Minute: minute})
}

// killedLately reports whether a kill still counts.
func (a *Advice) killedLately(c *Container) bool {
	return a.Kills > 0 && c.AtMs-a.KilledMs < killsFor*60_000
}

// memory advises a request and a limit, which are the same: what is over its request is what is evicted first.
func (a *Advice) memory(c *Container) {
	m := &a.Mem
	v, cause, minute := m.Max, Peak, m.MaxMinute
	if m.Start > v {
		v, cause = m.Start, StartPeak
	}
	if m.Old > v*1.05 { // it is read from steps of 4 %
		v, cause = m.Old, OldPeak
	}
	a.because(true, false, cause, v, minute)
	if cause != Peak && m.Max > 0 {
		a.because(true, false, Peak, m.Max, m.MaxMinute)
	}
	if cause != StartPeak && m.Start > 0 {
		a.because(true, false, StartPeak, m.Start, 0)
	}
	margin := c.margin()
	v *= 1 + margin
	a.because(true, false, Margin, margin, 0)
	if a.Growth > 0 {
		v += a.Growth * growsFor
		a.because(true, false, Grows, a.Growth, 0)
	}
	if a.killedLately(c) {
		at := max(a.KillLimit, m.Max, m.Start) * killedMore
		if a.Kills >= killedOften {
			at = max(a.KillLimit, m.Max, m.Start) * killedMost
		}
		a.because(true, false, Killed, a.KillLimit, 0)
		v = max(v, at)
	}
	v = roundMemory(v)
	unseen := m.Start == 0 && !c.Job()
	if now := c.Set.Requests.Memory; unseen && now > v {
		a.because(true, false, NoStart, now, 0)
		v = now
	}
	v = a.within(true, false, v, c.Min.Memory, c.Max.Memory)
	a.quota(true, v, c.Set.Requests.Memory, c.Left.Memory, c.Pods)
	a.Set.Requests.Memory, a.Set.Limits.Memory = v, v
	if unseen { // a limit that a start may need more than is worse than none
		if a.Set.Limits.Memory = 0; c.Set.Limits.Memory > 0 {
			a.Set.Limits.Memory = max(v, c.Set.Limits.Memory)
		}
	}
	if m.P50 > 0 && m.Max > 2*m.P50 && a.Growth == 0 {
		a.because(true, false, Collector, m.P50, 0)
	}
}

// cpu advises a request, and a limit where there is one today: a container that has none is never stopped while the node has time left.
func (a *Advice) cpu(c *Container) {
	u := &a.CPU
	v, cause, minute := u.P95, Usual, 0
	if u.Busiest > v {
		v, cause, minute = u.Busiest, BusyHour, u.BusiestHour*60
	}
	if v == 0 {
		v, cause = max(u.Max, u.Start), Peak
	}
	a.because(false, false, cause, v, minute)
	a.because(false, false, Margin, cpuMargin, 0)
	v *= 1 + cpuMargin
	stopped := a.Throttled >= stoppedFrom && c.Set.Limits.CPU > 0
	peak := max(u.Max, u.Start)
	if stopped {
		a.because(false, false, Stopped, c.Set.Limits.CPU, 0)
		v = max(v, min(c.Set.Limits.CPU, v*stoppedMore))
	}
	v = a.within(false, false, roundCPU(v), c.Min.CPU, c.Max.CPU)
	a.quota(false, v, c.Set.Requests.CPU, c.Left.CPU, c.Pods)
	a.Set.Requests.CPU = v
	if c.Set.Limits.CPU == 0 {
		return
	}
	cause, minute = Peak, u.MaxMinute
	if u.Start > u.Max {
		cause, minute = StartPeak, 0
	}
	a.because(false, true, cause, peak, minute)
	a.because(false, true, Margin, limitMargin, 0)
	limit := peak * (1 + limitMargin)
	if stopped {
		a.because(false, true, Stopped, c.Set.Limits.CPU, 0)
		limit = max(limit, c.Set.Limits.CPU*stoppedMore)
	}
	a.Set.Limits.CPU = a.within(false, true, max(roundCPU(limit), v), c.Min.CPU, c.Max.CPU)
}

// Shares on top of what CPU is used.
const (
	cpuMargin   = 0.05
	limitMargin = 0.10
)

// margin is the share on top of the largest memory: more where one week differed from the next.
func (c *Container) margin() float64 {
	a, b := float64(c.record.week[0].mem), float64(c.record.week[1].mem)
	if w := &c.record.week[2]; a == 0 || c.record.last-c.record.weekAt < dayMin {
		a = max(a, float64(w.mem)) // the running week has hardly begun
	}
	if a == 0 || b == 0 {
		return 2 * marginLeast
	}
	return min(marginMost, marginLeast+math.Abs(a-b)/max(a, b)/2)
}

// within holds a value to what a LimitRange allows.
func (a *Advice) within(memory, limit bool, v, least, most float64) float64 {
	switch {
	case least > 0 && v < least:
		a.because(memory, limit, Lowest, least, 0)
		return least
	case most > 0 && v > most:
		a.because(memory, limit, Highest, most, 0)
		return most
	}
	return v
}

// quota notes that a quota has no room for what is recommended.
func (a *Advice) quota(memory bool, v, now, left float64, pods int) {
	if need := (v - now) * float64(max(pods, 1)); left >= 0 && need > left {
		a.because(memory, false, NoQuota, need-left, 0)
	}
}

// risks says what may happen with what is set today, worst first.
func (a *Advice) risks(c *Container) {
	risk := func(d Danger, v float64) { a.Risks = append(a.Risks, Risk{d, v}) }
	limit, peak := c.Set.Limits.Memory, max(a.Mem.Max, a.Mem.Start)
	if a.killedLately(c) && (limit <= a.KillLimit*1.01 || a.KillLimit == 0) {
		risk(KilledBefore, float64(a.Kills))
	}
	if days := (limit - a.Mem.Max) / a.Growth; limit > 0 && a.Growth > 0 && days < 60 {
		risk(WillBeKilled, max(0, days))
	}
	if limit > 0 && peak > nearLimit*limit {
		risk(NearLimit, peak/limit)
	}
	if h := a.Throttled * 7 * 24; h >= 0.5 {
		risk(Throttling, h)
	}
	req := c.Set.Requests
	switch {
	case req.Memory == 0 && req.CPU == 0 && a.Mem.Max > 0:
		risk(Unset, 0)
	case req.Memory > 0 && a.Mem.P99 > req.Memory*riskFrom:
		risk(Evictable, a.Mem.P99/req.Memory)
	}
	if req.CPU > 0 && a.CPU.Busiest > req.CPU*riskFrom {
		risk(Squeezed, a.CPU.Busiest/req.CPU)
	}
}

// Round steps: people read what is recommended.
func roundCPU(v float64) float64 {
	step := 0.005
	switch {
	case v >= 4:
		step = 0.1
	case v >= 1:
		step = 0.05
	case v >= 0.2:
		step = 0.01
	}
	return max(0.01, math.Ceil(v/step-1e-9)*step)
}

const mib = 1 << 20

func roundMemory(v float64) float64 {
	step := 4.0 * mib
	switch {
	case v >= 8192*mib:
		step = 256 * mib
	case v >= 2048*mib:
		step = 64 * mib
	case v >= 256*mib:
		step = 16 * mib
	}
	return max(16*mib, math.Ceil(v/step)*step)
}

// Kept says what became of a change of what is set, a week later; ok is false before, and when there was none.
func (c *Container) Kept() (t Trial, ok bool) {
	if c.Trial == nil || c.AtMs-c.Trial.AtMs < weekMin*60_000 {
		return Trial{}, false
	}
	return *c.Trial, true
}

// Changes reports whether the advice differs from what is set by more than a tenth.
func (a *Advice) Changes(now Set) bool {
	if a.Missing.Any() {
		return false
	}
	differs := func(a, b float64) bool { return math.Abs(a-b) > max(a, b)/10 }
	s := &a.Set
	return differs(s.Requests.CPU, now.Requests.CPU) || differs(s.Requests.Memory, now.Requests.Memory) || differs(s.Limits.CPU, now.Limits.CPU) || differs(s.Limits.Memory, now.Limits.Memory)
}
