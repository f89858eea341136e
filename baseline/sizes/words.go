package sizes

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// CPU writes cores as people read them: 250m, 1.5 cores.
func CPU(v float64) string {
	switch {
	case v == 0:
		return "0"
	case math.Abs(v) < 1:
		return strconv.FormatFloat(v*1000, 'f', 0, 64) + "m"
	}
	return strconv.FormatFloat(v, 'f', -1+digits(v), 64) + " cores"
}

func digits(v float64) int {
	if math.Abs(v) < 100 {
		return 2
	}
	return 1
}

// Memory writes bytes as people read them: 640 MiB, 1.5 GiB.
func Memory(v float64) string {
	switch a := math.Abs(v); {
	case v == 0:
		return "0"
	case a < 10*mib:
		return strconv.FormatFloat(v/mib, 'f', 1, 64) + " MiB"
	case a < 1000*mib:
		return strconv.FormatFloat(v/mib, 'f', 0, 64) + " MiB"
	}
	return strconv.FormatFloat(v/(1024*mib), 'f', 1, 64) + " GiB"
}

// CPUQuantity and MemoryQuantity write what a manifest holds; "" for 0.
func CPUQuantity(v float64) string {
	if v <= 0 {
		return ""
	}
	if m := math.Round(v * 1000); math.Mod(m, 1000) != 0 {
		return strconv.FormatFloat(m, 'f', 0, 64) + "m"
	}
	return strconv.FormatFloat(math.Round(v), 'f', 0, 64)
}

// MemoryQuantity: see CPUQuantity.
func MemoryQuantity(v float64) string {
	if v <= 0 {
		return ""
	}
	if v >= 1024*mib && math.Mod(v, 1024*mib) == 0 {
		return strconv.FormatFloat(v/(1024*mib), 'f', 0, 64) + "Gi"
	}
	return strconv.FormatFloat(math.Ceil(v/mib), 'f', 0, 64) + "Mi"
}

// Minute writes a minute of the week: "Mondays 09:10".
func Minute(m int) string {
	return [...]string{"Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays"}[m/1440%7] + fmt.Sprintf(" %02d:%02d", m/60%24, m%60)
}

func (r Reason) amount() string {
	if r.Memory {
		return Memory(r.Value)
	}
	return CPU(r.Value)
}

// Text says the reason in words.
func (r Reason) Text() string {
	switch r.Cause {
	case Peak:
		return "peak " + r.amount() + " on " + Minute(r.Minute)
	case StartPeak:
		return "start-up " + r.amount()
	case OldPeak:
		return "earlier weeks up to " + r.amount()
	case Usual:
		return "19 of 20 minutes need at most " + r.amount()
	case BusyHour:
		return "busiest hour " + r.amount() + " on " + Minute(r.Minute)
	case Killed:
		if r.Value == 0 {
			return "was killed for its memory"
		}
		return "was killed at " + r.amount()
	case Grows:
		return "grows by " + r.amount() + " a day and gives nothing back: room for " + strconv.Itoa(growsFor) + " days"
	case Stopped:
		return "throttled at its limit of " + r.amount() + ", so what it wants is not seen: a step up"
	case NoStart:
		return "no start was seen, so the request of " + r.amount() + " is not lowered"
	case Margin:
		return "plus " + strconv.FormatFloat(100*r.Value, 'f', 0, 64) + " %"
	case Lowest:
		return "a LimitRange allows no less than " + r.amount()
	case Highest:
		return "a LimitRange allows no more than " + r.amount()
	case NoQuota:
		return "the namespace's quota lacks " + r.amount() + " for it"
	case Collector:
		return "half of the time " + r.amount() + " are enough: a runtime that collects garbage later than it could may be told a smaller heap"
	}
	return ""
}

// Because words what one of the numbers rests on: memory, or CPU's request or limit.
func (a *Advice) Because(memory, limit bool) string {
	var list []string
	for _, r := range a.Why {
		if r.Memory == memory && (memory || r.Limit == limit) {
			list = append(list, r.Text())
		}
	}
	return strings.Join(list, ", ")
}

// Text says what is missing: "not yet: …". "" when nothing is.
func (m Missing) Text() string {
	switch {
	case m.Usage:
		return "not yet: its CPU or memory does not arrive (container_cpu_usage_seconds_total, container_memory_working_set_bytes)"
	case m.Runs > 0:
		return "not yet: " + count(m.Runs, "more run") + " must be seen"
	case m.Hours > 0:
		return "not yet: " + count(int(math.Ceil(m.Hours)), "more hour") + " of a first week must be seen, since weekly peaks may lie in them"
	}
	return ""
}

func count(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + one + "s"
}

// Text says the danger in words.
func (r Risk) Text() string {
	times := strconv.FormatFloat(r.Value, 'f', 1, 64) + " times its request"
	switch r.Danger {
	case KilledBefore:
		return "was killed for its memory " + count(int(r.Value), "time") + ", and the limit is what it was"
	case WillBeKilled:
		if r.Value < 1 {
			return "grows into its memory limit within a day"
		}
		return "grows into its memory limit within " + count(int(math.Ceil(r.Value)), "day")
	case NearLimit:
		return "its peak is " + strconv.FormatFloat(100*r.Value, 'f', 0, 64) + " % of its memory limit"
	case Throttling:
		return "throttled for " + strconv.FormatFloat(r.Value, 'f', 1, 64) + " h of a week"
	case Evictable:
		return "uses " + times + " of memory: a node that is short of it evicts it first"
	case Squeezed:
		return "needs " + times + " of CPU in its busiest hour"
	case Unset:
		return "requests nothing: the scheduler places it blindly"
	}
	return ""
}

// Sentences words the advice: a line for memory, one for CPU, one for its limit, what an autoscaler must aim at, and what is missing.
func (a *Advice) Sentences(c *Container) []string {
	if a.Missing.Any() {
		return []string{a.Missing.Text()}
	}
	out := []string{"memory " + Memory(a.Set.Requests.Memory) + ": " + a.Because(true, false), "CPU " + CPU(a.Set.Requests.CPU) + ": " + a.Because(false, false)}
	if a.Set.Limits.CPU > 0 {
		out = append(out, "CPU limit "+CPU(a.Set.Limits.CPU)+": "+a.Because(false, true))
	}
	if a.Target > 0 && a.Target != c.Scaler {
		out = append(out, fmt.Sprintf("its autoscaler aims at %.0f %% of the CPU request: with the new one it must aim at %.0f %% to go on as it does", c.Scaler, a.Target))
	}
	if c.Sidecar() {
		out = append(out, "this is a sidecar that something injects: set it where it comes from, not in the workload")
	}
	if a.MovedMs > 0 && c.AtMs-a.MovedMs < 2*weekMin*60_000 {
		out = append(out, fmt.Sprintf("a new version uses %s of the CPU and %s of the memory of the one before; what was learned of that is moved by as much", percent(a.Moved), percent(a.MovedMem)))
	}
	return out
}

func percent(v float64) string { return strconv.FormatFloat(100*v, 'f', 0, 64) + " %" }

// Promised reports whether a change kept its promise: nothing was killed since, and hardly anything throttled.
func (t *Trial) Promised() bool { return t.KillsSince == 0 && t.Throttled < 0.01*t.Asked }

// Text says what became of a change: whether it kept its promise.
func (t *Trial) Text() string {
	var bad []string
	if t.KillsSince > 0 {
		bad = append(bad, count(t.KillsSince, "kill")+" for its memory since")
	}
	if t.Asked > 0 && t.Throttled >= 0.01*t.Asked {
		bad = append(bad, "throttled in "+strconv.FormatFloat(100*t.Throttled/t.Asked, 'f', 1, 64)+" % of its minutes")
	}
	move := "memory " + Memory(t.Was.Requests.Memory) + " → " + Memory(t.Now.Requests.Memory) + ", CPU " + CPU(t.Was.Requests.CPU) + " → " + CPU(t.Now.Requests.CPU)
	if t.Promised() {
		return move + ": kept, no kill and no throttling since"
	}
	return move + ": " + strings.Join(bad, ", ")
}
