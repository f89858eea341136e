package pack

// Which way of moving hurts, told from a metric's name. People name metrics by what they fear or what they hope for, and the words are few.

import (
	"strings"

	"github.com/wrackline/wrackline/baseline/model"
)

// badUp and badDown are words of metric names. A word ends at anything that is no letter; in the last letters a plural's s does not count.
var badUp, badDown = words(`
	latency latencies delay lag age stale staleness duration wait waiting rtt fsync
	error err failure failed fail fault rejected denied forbidden unauthorized timeout timedout abort aborted crash panic
	retran retransmit retry overflow drop dropped discard lost loss corrupt
	throttle throttled throttling pressure stall saturation utilization utilisation
	restart oom kill killed eviction evicted flap flapping pending backlog depth stuck unschedulable unavailable notready
	used usage fill memory mem rss heap swap leak deprecated`), words(`
	ready available avail free healthy health up alive success succeeded hit remaining headroom`)

func words(s string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(s) {
		m[w] = true
	}
	return m
}

// DirectionOf returns which way of moving is bad for a metric of this name, Both when the name does not say. The last word that says
// something decides, since what comes first is where the metric comes from: node_memory_MemAvailable_bytes is of what is available. Times told
// by their quantile (p50 to p99) are bad when high. A share of something that is good when low, such as 'errors_free', is not understood.
func DirectionOf(metric string) model.Direction {
	d := model.Both
	for _, w := range nameWords(metric) {
		one := strings.TrimSuffix(w, "s")
		switch {
		case badUp[w] || badUp[one] || quantileName(w):
			d = model.Up
		case badDown[w] || badDown[one]:
			d = model.Down
		}
	}
	return d
}

// nameWords splits a name at everything that is neither letter nor digit and where a capital follows a small letter, in lower case.
func nameWords(s string) []string {
	var list []string
	var b strings.Builder
	end := func() {
		if b.Len() > 0 {
			list = append(list, b.String())
			b.Reset()
		}
	}
	small := false
	for _, r := range s {
		switch {
		case r >= 'A' && r <= 'Z':
			if small {
				end()
			}
			b.WriteRune(r + 'a' - 'A')
			small = false
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
			small = true
		default:
			end()
			small = false
		}
	}
	end()
	return list
}

// quantileName reports whether w is p50 … p99, p999.
func quantileName(w string) bool {
	return len(w) >= 3 && w[0] == 'p' && strings.Trim(w[1:], "0123456789") == ""
}
