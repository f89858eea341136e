// What people have said, where it is decided who is told: an act mutes alarms of an incident, and an incident of which every alarm is muted is told to nobody.

package alerting

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/wrackline/wrackline/alerting/act"
	"github.com/wrackline/wrackline/baseline/model"
)

// subject is a member as acts see it, with a value of its own or its worst.
func (m *Member) subject(cluster string, value float64, band model.Band) *act.Subject {
	s := &act.Subject{Value: value, Lower: band.Lower, Expected: band.Expected, Upper: band.Upper, Absent: m.State == model.Absent, Apart: m.Apart()}
	switch {
	case m.State == model.High, m.State == model.Drifting && m.SlopePerDay > 0:
		s.Side = 1
	case m.State == model.Low, m.State == model.Drifting && m.SlopePerDay < 0:
		s.Side = -1
	}
	s.Label = func(name string) string {
		switch name {
		case "signal":
			return m.Name
		case "id":
			return m.SignalID
		case "severity":
			return string(m.Severity)
		case "pack":
			if m.Rule != nil {
				return m.Rule.Pack
			}
			pack, _, _ := strings.Cut(m.Name, ".")
			return pack
		case "cluster":
			return cmp.Or(m.Entity.Get(name), cluster)
		}
		return m.Entity.Get(name)
	}
	return s
}

// Apart reports whether the member is told for something else than how far its value is from what is expected. What is expected follows a drift, is no matter to a mark that was passed, and is where a value stands that does
// not move: "too small" says nothing of these.
func (m *Member) Apart() bool {
	return m.State == model.Drifting || m.Test == model.DriftTest || m.Test == model.CeilingTest || m.Test == model.FlatTest
}

// mute finds for each alarm of an incident the act that keeps it from being told at t.
func (m *Manager) mute(inc *incident, t int64) {
	for _, s := range inc.slots {
		by := ""
		if s.m.Ended == 0 && m.opts.Acts.Any() {
			if a := m.opts.Acts.Muted(s.m.subject(inc.Cluster, s.m.Value, s.m.Band), t); a != nil {
				by = a.ID
			}
		}
		if by != s.m.Muted {
			s.m.Muted = by
			inc.dirty = true
		}
	}
}

// hush mutes, and notes in the timeline who did. Of an incident that would be told and is silenced whole it is remembered, so that it is told when the silence ends. A lesson is no promise to say so later: a value
// that moves about its bound would be news each time.
func (m *Manager) hush(inc *incident, t int64) {
	m.mute(inc, t)
	whole := inc.silent()
	for _, s := range inc.slots {
		by := s.m.Muted
		if by == "" || !s.m.Outside() {
			continue
		}
		if !slices.ContainsFunc(inc.Timeline, func(e Event) bool { return e.Kind == "silenced" && e.Signal == by }) {
			inc.note(t, "silenced", by)
		}
		if a := m.opts.Acts.View().Find(by); whole && a != nil && a.Kind != act.Lesson {
			inc.state |= hushed
		}
	}
}

// silent reports whether something is muted of the incident and nothing in alarm is not.
func (i *incident) silent() bool {
	muted := false
	for _, s := range i.slots {
		if s.m.Ended == 0 && s.m.Muted == "" {
			return false
		}
		muted = muted || s.m.Ended == 0
	}
	return muted
}

// Silenced returns the ids of the acts that keep the incident from being told, each once; nil when something in alarm is not muted.
func (i *Incident) Silenced() (by []string) {
	for k := range i.Members {
		m := &i.Members[k]
		switch {
		case m.Ended != 0:
		case m.Muted == "":
			return nil
		case !slices.Contains(by, m.Muted):
			by = append(by, m.Muted)
		}
	}
	return by
}

// Foresight says what an act would have done to what was told.
type Foresight struct {
	Since    int64      // onset of the oldest incident that is known, Unix ms; 0 = none is
	Told     int        // notifications since then, closing words apart
	Removed  []Foreseen // those that would not have been sent, the newest first, bounded
	Count    int        // how many these are, without a bound
	Later    int        // of these, how many would have been sent later, when an hour ended
	Real     int        // of these, how many are about an incident that somebody acknowledged
	Quieted  int        // incidents of which nothing would have been said
	Affected int        // incidents with a notification that would not have been sent
	Skipped  int        // incidents that were not looked at, since there are too many: the last of the open ones and then the closed ones
}

// Foreseen is a notification that an act would have kept from being sent.
type Foreseen struct {
	Incident *Incident
	T        int64
	Reason   Reason
	Later    bool     // it would have been sent later
	Holder   *act.Act // who acknowledged the incident; nil = nobody did
}

const (
	foreseenMax = 50
	laterMost   = 7 * dayMs     // for how long an alarm is followed to see whether an hour ends …
	laterStep   = 15 * minuteMs // … at each quarter of an hour
	foreseeMost = 200_000       // times that an act is asked in all, about a tenth of a second
)

// Foresee replays what was told of the incidents that are known, as if an act had been there all the time. What a member's value was at a notification is not kept: its worst stands for it, so a lesson that would have
// removed a notification for a smaller value is not credited with it. Incidents of which members were cut are never credited. The work is bounded: incidents that it does not reach are counted.
func Foresee(s *Snapshot, book *act.View, trial *act.Trial) (f Foresight) {
	asks := foreseeMost
	list := slices.Concat(s.Open, s.Closed)
	for i, inc := range list {
		if asks <= 0 {
			f.Skipped = len(list) - i
			break
		}
		if f.Since == 0 || inc.Onset < f.Since {
			f.Since = inc.Onset
		}
		removed, said, late := 0, 0, false
		for _, e := range inc.Timeline {
			if e.Kind != "notified" || Reason(e.Signal) == Resolved {
				continue
			}
			said++
			muted, later := inc.wouldMute(trial, e.T, &asks)
			if !muted {
				continue
			}
			removed++
			late = late || later
			x := Foreseen{Incident: inc, T: e.T, Reason: Reason(e.Signal), Later: later, Holder: book.Holder(inc.ID)}
			f.Count++
			f.Later += int(b2i(later))
			if x.Holder != nil {
				f.Real++
			}
			f.Removed = append(f.Removed, x)
		}
		f.Told += said
		if removed > 0 {
			f.Affected++
			if removed == said && !trial.Detour() && !late {
				f.Quieted++
			}
		}
	}
	slices.SortStableFunc(f.Removed, func(a, b Foreseen) int { return -cmp.Compare(a.T, b.T) })
	f.Removed = f.Removed[:min(len(f.Removed), foreseenMax)]
	return f
}

// wouldMute reports whether an act would have kept a notification at t from being sent, and whether it would have been sent later. Each question is taken from asks; when there are none left, what is not known is not credited.
func (i *Incident) wouldMute(x *act.Trial, t int64, asks *int) (muted, later bool) {
	if x.Detour() {
		*asks--
		return x.Mutes(i.Headline().subject(i.Cluster, math.NaN(), model.Band{}), t), false
	}
	if i.More > 0 {
		return false, false
	}
	for k := range i.Members {
		m := &i.Members[k]
		if m.Opened > t || m.Ended != 0 && m.Ended <= t {
			continue
		}
		if *asks--; *asks < 0 {
			return false, false
		}
		// A value that cannot be compared is what it was last.
		value, band := m.Worst, m.WorstBand
		if math.IsNaN(value) {
			value, band = m.Value, m.Band
		}
		s := m.subject(i.Cluster, value, band)
		if s.Side == 0 && !s.Absent { // over by now
			switch {
			case value > band.Upper:
				s.Side = 1
			case value < band.Lower:
				s.Side = -1
			}
		}
		if !x.Mutes(s, t) {
			return false, false
		}
		muted = true
		end := m.Ended
		if end == 0 {
			end = i.Updated
		}
		for at := nextQuarter(t); !x.Always() && !later && at < min(end, t+laterMost); at = nextQuarter(at) {
			if *asks--; *asks < 0 {
				return false, false
			}
			later = !x.Mutes(s, at)
		}
	}
	return muted, later
}

// nextQuarter returns the quarter of an hour that begins behind t: hours of acts mostly end at one, in all places.
func nextQuarter(t int64) int64 { return t - t%laterStep + laterStep }

func b2i(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
