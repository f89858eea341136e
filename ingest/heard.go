package ingest

import (
	"maps"
	"slices"
	"strings"
	"sync"
)

// talksMax bounds how many senders are remembered. Beyond it see forget.
const talksMax = 256

// Talk is what has been heard from a sender since the process began: counts of requests by what became of them, which only grow.
type Talk struct {
	Sender string // its name; that of the remote host when no valid token said who it is
	Host   string // where the newest request came from
	// Taken had samples that were taken. One that had none and was not refused (metadata alone) is in no count.
	Taken int64
	// Denied showed no valid token, Refused nothing was taken of for another fault of the sender, Busy were answered 503. Each of these is tried again or given up by the sender.
	Denied, Refused, Busy int64
	// Code and Reason are those of the newest request that was not taken, one line. 0 and "" when there was none.
	Code      int
	Reason    string
	UntakenMs int64 // when that was, Unix milliseconds by the handler's clock

	order int64 // of its newest request
}

// Heard remembers who was heard from and what became of it, also of those whose requests never reach the fold: who is refused is not silent. It is bounded. The zero value is ready, and
// outlives handlers that are replaced. Safe for concurrent use.
type Heard struct {
	mu    sync.Mutex
	talks map[string]*Talk
	order int64
}

// Talks returns a copy of what is remembered, sorted by sender.
func (h *Heard) Talks() []Talk {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make([]Talk, 0, len(h.talks))
	for _, name := range slices.Sorted(maps.Keys(h.talks)) {
		out = append(out, *h.talks[name])
	}
	return out
}

// note counts a request by its answer.
func (h *Heard) note(host string, a *answer, nowMs int64) {
	if a.gone || a.kind == "method" || a.plain != "" { // a person with a browser, a probe, somebody who hung up
		return
	}
	name := a.sender
	if name == "" {
		name = host
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.talks[name]
	if t == nil {
		if h.talks == nil {
			h.talks = map[string]*Talk{}
		}
		if len(h.talks) >= talksMax {
			h.forget()
		}
		t = &Talk{Sender: strings.Clone(name)}
		h.talks[t.Sender] = t
	}
	h.order++
	t.order = h.order
	if t.Host != host {
		t.Host = strings.Clone(host)
	}
	switch {
	case a.samples+a.histograms > 0:
		t.Taken++
		return
	case a.code < 300:
		return
	case a.kind == "credentials":
		t.Denied++
	case a.code >= 500:
		t.Busy++
	default:
		t.Refused++
	}
	t.Code, t.Reason, t.UntakenMs = a.code, oneLine(a.reason), nowMs
}

// forget drops whoever was heard from longest ago, of those at the address that has most names: names cost nothing, and those of one address take no room from another's.
func (h *Heard) forget() {
	names := map[string]int{}
	for _, t := range h.talks {
		names[t.Host]++
	}
	oldest := ""
	for name, t := range h.talks {
		o := h.talks[oldest]
		if o == nil || names[t.Host] > names[o.Host] || names[t.Host] == names[o.Host] && t.order < o.order {
			oldest = name
		}
	}
	delete(h.talks, oldest)
}
