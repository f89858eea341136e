// Notices: what a signal would notice, and so what it would not.

package ui

import (
	"fmt"
	"math"
	"strings"
	"sync"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/model/trial"
)

// noticeCache keeps what signals would notice: it takes a tenth of a second of CPU to find out, and changes by the hour.
type noticeCache struct {
	mu   sync.Mutex // held while one is worked out, so that requests cannot take more than a core
	byID map[string]noticed
}

type noticed struct {
	at   int64 // Unix ms of the window it was worked out for
	list []trial.Notice
}

const (
	noticeMost  = 256         // signals that are kept
	noticeAgeMs = 10 * 60_000 // in event time
)

// notices returns what a signal would notice; nil when that is not known yet.
func (s *server) notices(v *baseline.SignalView) []trial.Notice {
	c := &s.noticed
	c.mu.Lock()
	defer c.mu.Unlock()
	if x, ok := c.byID[v.Signal.ID]; ok && v.T-x.at < noticeAgeMs && v.T >= x.at {
		return x.list
	}
	sh := s.src.Shadow(v.Signal.ID)
	if sh == nil {
		return nil
	}
	x := noticed{v.T, sh.Detect()}
	if c.byID == nil || len(c.byID) >= noticeMost {
		c.byID = map[string]noticed{}
	}
	c.byID[v.Signal.ID] = x
	return x.list
}

// noticeFacts says what a signal would notice, a fact for each span.
func noticeFacts(list []trial.Notice, expected float64, unit string) []fact {
	var out []fact
	for _, n := range list {
		var parts []string
		for _, side := range [2]float64{n.Up, -n.Down} {
			if math.IsNaN(side) {
				continue
			}
			text := signed(side, unit)
			if unit != "ratio" && expected != 0 && !math.IsNaN(expected) && math.Abs(side/expected) < 100 {
				text += fmt.Sprintf(" (%+.2g %%)", 100*side/math.Abs(expected))
			}
			parts = append(parts, text)
		}
		if parts == nil {
			parts = []string{"nothing"}
		}
		f := fact{Name: "Notices within " + alerting.Span(n.WithinMs), Value: strings.Join(parts, " or ")}
		if out == nil {
			f.Note = "or more, lasting; tried on a copy of what was learned"
		}
		out = append(out, f)
	}
	return out
}

type apiNotice struct {
	WithinMs int64 `json:"within_ms"`
	Up       num   `json:"up"`   // in the signal's unit; null = none, however large
	Down     num   `json:"down"` //
}

func apiNotices(list []trial.Notice) []apiNotice {
	out := []apiNotice{}
	for _, n := range list {
		out = append(out, apiNotice{n.WithinMs, num(n.Up), num(n.Down)})
	}
	return out
}
