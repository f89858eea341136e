// What is said of the outbox to pages, APIs and the process's metrics.

package notify

import (
	"strings"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

// Stats describe one integration, for pages and APIs. They hold no secret.
type Stats struct {
	Receiver      string
	Kind          string    // slack, webhook or alertmanager
	Host          string    // of the URL, without path and query; "" when unknown
	Integration   string    // the key of its queue: receiver/kind/name
	Queued        int       // messages that wait
	Owed          int       // of them, listed as given up: they are offered all the same while they matter
	Oldest        time.Time // when the oldest queued message was taken; zero when none
	Sent          int64     // since the start of the process
	Failed        int64     // attempts that failed and were or will be repeated
	Dead          int64     // messages listed as given up
	Coalesced     int64     // messages replaced by a newer one about the same incident
	LastSuccess   time.Time // zero when never, since the start
	LastError     string
	LastErrorAt   time.Time
	NextAttempt   time.Time // zero when nothing waits
	FailingSince  time.Time // of the first failure since the last success, or since the start; zero when there is none
	LastGivenUp   string    // why a message was listed as given up last; "" = none was since the start
	LastGivenUpAt time.Time
	Kept          int    // incidents that the noise contract kept back since the last digest
	Missed        int    // incidents that began and ended untold, of which a summary is due
	Disabled      string // why nothing is sent any more; "" when it is
}

// Stats returns one entry for each integration, in the order of the configuration.
func (b *Outbox) Stats() []Stats {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]Stats, len(b.lanes))
	for i, l := range b.lanes {
		s := l.stats
		s.Integration, s.FailingSince = l.key, l.since
		if l.missed != nil {
			s.Missed = l.missed.Count
		}
		if l.memo.Kept != nil {
			s.Kept = l.memo.Kept.Count
		}
		for _, r := range l.queue {
			if r.Over {
				continue
			}
			if r.Given != 0 {
				s.Owed++
			}
			s.Queued++
			if at := time.UnixMilli(r.Created); s.Oldest.IsZero() || at.Before(s.Oldest) {
				s.Oldest = at
			}
		}
		s.Disabled = l.disabled
		out[i] = s
	}
	return out
}

// count returns the process's counter of what happened to an integration's messages.
func count(what, lane string) *metrics.Counter {
	return metrics.GetOrCreateCounter(`wrackline_notify_messages_` + what + `_total{integration="` + labelText.Replace(oneLine(lane, 200)) + `"}`)
}

// labelText writes a label's value as the text format of metrics wants it: nothing else is escaped there.
var labelText = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

var (
	repeatedTotal = metrics.GetOrCreateCounter("wrackline_notify_notifications_repeated_total")
	lostTotal     = metrics.GetOrCreateCounter("wrackline_notify_notifications_lost_total")
)
