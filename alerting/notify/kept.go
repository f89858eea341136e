// The daily digest: what the noise contract kept back, in one message.

package notify

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline/near"
	"github.com/wrackline/wrackline/baseline/pack"
)

// DigestConfig says when the daily digest is sent.
type DigestConfig struct {
	Off bool   `yaml:"off,omitempty"` // no digest
	At  string `yaml:"at,omitempty"`  // time of day; "" = 09:00
	// Timezone as in the time-zone database; "" = where the digest is configured for all, else signals.timezone.
	Timezone string `yaml:"timezone,omitempty"`
}

// digestTime is a DigestConfig that has been read.
type digestTime struct {
	minute int // of the day
	zone   *time.Location
}

// over returns the configuration of one receiver over that of all.
func (c *DigestConfig) over(all DigestConfig) DigestConfig {
	if c == nil {
		return all
	}
	return DigestConfig{c.Off, cmp.Or(c.At, all.At), cmp.Or(c.Timezone, all.Timezone)}
}

// Check returns what is wrong with the configuration.
func (c *DigestConfig) Check() error {
	_, err := c.read()
	return err
}

// read returns nil for no digest.
func (c *DigestConfig) read() (*digestTime, error) {
	at, err := time.Parse("15:04", cmp.Or(c.At, "09:00"))
	if err != nil {
		return nil, errors.New("at must be a time of day such as 09:00")
	}
	zone, err := time.LoadLocation(c.Timezone)
	if err != nil {
		return nil, fmt.Errorf("timezone: %q is not a time zone%s", c.Timezone, near.Zone(c.Timezone))
	}
	if c.Off {
		return nil, nil
	}
	return &digestTime{at.Hour()*60 + at.Minute(), zone}, nil
}

// week numbers the week, from Monday, that a digest at t is of.
func (d *digestTime) week(t time.Time) int64 {
	year, month, day := t.In(d.zone).Date()
	return (time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix()/86_400 + 3) / 7
}

// after returns the first time for a digest after t.
func (d *digestTime) after(t time.Time) time.Time {
	year, month, day := t.In(d.zone).Date()
	for {
		if at := time.Date(year, month, day, 0, d.minute, 0, 0, d.zone); at.After(t) {
			return at
		}
		day++
	}
}

// keptList is what was kept back since the last digest. It is stored. One that is shared is never changed.
type keptList struct {
	From  int64       `json:"from"`  // Unix ms when the first was kept back
	Count int         `json:"count"` // incidents
	List  []keptEntry `json:"list"`  // of them, those that matter most, the first on top
}

type keptEntry struct {
	Incident string        `json:"incident"`
	Severity pack.Severity `json:"severity"`
	Score    float64       `json:"score"` // of its headline at its worst
	Onset    int64         `json:"onset"`
	Resolved int64         `json:"resolved,omitempty"`
	Title    string        `json:"title"`
	Where    string        `json:"where,omitempty"`
}

const (
	keptMost   = 100 // incidents of a digest that are listed
	digestMost = 20  // … of those that are shown in a chat
)

// with returns k with what is kept back; score is the evidence for it.
func (k *keptList) with(m *Message, score float64, now time.Time) *keptList {
	next := &keptList{From: now.UnixMilli()}
	if k != nil {
		*next = keptList{k.From, k.Count, slices.Clone(k.List)}
	}
	e := keptEntry{Incident: m.Incident, Severity: m.Severity, Onset: m.Onset, Resolved: m.Resolved, Title: oneLine(cmp.Or(m.Headline, m.Title), changeMax), Where: oneLine(m.Where, 200)}
	if score > 0 && score < math.MaxFloat64 { // JSON has no word for the rest
		e.Score = score
	}
	if i := next.index(m.Incident); i >= 0 {
		next.List[i] = e
	} else {
		next.Count++
		next.List = append(next.List, e)
	}
	slices.SortStableFunc(next.List, func(a, b keptEntry) int {
		return cmp.Or(-cmp.Compare(alerting.SeverityRank(a.Severity), alerting.SeverityRank(b.Severity)), -cmp.Compare(a.Score, b.Score), cmp.Compare(a.Onset, b.Onset))
	})
	next.List = next.List[:min(len(next.List), keptMost)]
	return next
}

// ended returns k with an incident over, and whether it is another.
func (k *keptList) ended(incident string, at int64) (*keptList, bool) {
	i := k.index(incident)
	if i < 0 {
		return k, false
	}
	next := &keptList{k.From, k.Count, slices.Clone(k.List)}
	next.List[i].Resolved = at
	return next, true
}

// without returns k without an incident, which is told after all, and whether it is another.
func (k *keptList) without(incident string) (*keptList, bool) {
	i := k.index(incident)
	switch {
	case i < 0:
		return k, false
	case k.Count == 1:
		return nil, true
	}
	return &keptList{k.From, k.Count - 1, slices.Delete(slices.Clone(k.List), i, i+1)}, true
}

func (k *keptList) index(incident string) int {
	if k == nil {
		return -1
	}
	return slices.IndexFunc(k.List, func(e keptEntry) bool { return e.Incident == incident })
}

// keptText is what a digest lists, a line each, in UTC.
func keptText(m *Message) string {
	var b strings.Builder
	for i := range m.Kept {
		k := &m.Kept[i]
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(stamp(k.Onset, m.T) + " " + string(k.Severity) + ": " + k.text())
	}
	if m.More > 0 {
		b.WriteString("\n… and " + alerting.Count(m.More, "more incident"))
	}
	return b.String()
}

// text is a line of a digest without its time.
func (k *KeptLine) text() string {
	s := k.Text
	if k.Where != "" {
		s += " (" + k.Where + ")"
	}
	return s + k.end()
}

// end words how it stands.
func (k *KeptLine) end() string {
	switch {
	case k.Open:
		return ", still open"
	case k.Resolved != 0:
		return ", over after " + alerting.Span(k.Resolved-k.Onset)
	}
	return ""
}

// newDigest words what was kept back, and a line of the week where there is one. Its id is of the integration and the day: the same when it is made again.
func newDigest(lane string, k *keptList, at time.Time, zone *time.Location, externalURL, weekly string, open func(incident string) bool) *Message {
	year, month, day := at.In(zone).Date()
	date := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	t := at.UnixMilli()
	id := alerting.NotificationID("digest "+lane, alerting.Digest, uint32(date.Unix()/86_400))
	m := &Message{ID: id, Incident: "digest-" + strings.TrimPrefix(id, "msg_"), Reason: alerting.Digest, T: t, Severity: pack.Info, Where: "all clusters", Onset: k.From, Resolved: t,
		Base: strings.TrimRight(externalURL, "/"), More: k.Count - len(k.List)}
	still := 0
	for _, e := range k.List {
		line := KeptLine{Severity: e.Severity, Onset: e.Onset, Resolved: e.Resolved, Open: e.Resolved == 0 && open(e.Incident), Text: e.Title, Where: e.Where}
		if line.Open {
			still++
		}
		if m.Base != "" {
			line.Link = m.Base + "/incidents/" + e.Incident
		}
		m.Kept = append(m.Kept, line)
	}
	m.Title = "Daily digest: " + alerting.Count(k.Count, "incident") + " that the noise contract did not send"
	switch {
	case still == 1:
		m.Title += ", 1 is still open"
	case still > 1:
		m.Title += ", " + strconv.Itoa(still) + " are still open"
	}
	m.Value, m.First = alerting.Count(k.Count, "incident"), "nothing: this is a list"
	m.Meaning = "What mattered most was sent as it happened. No word follows about these."
	if weekly != "" {
		m.Meaning += " " + weekly
	}
	if m.Base != "" {
		m.Link = m.Base + "/incidents"
	}
	m.Lines = []Line{{Name: "wrackline.digest", Severity: pack.Info, Where: m.Where, Sentence: m.Title, Value: m.Value, Raw: strconv.Itoa(k.Count), Unit: "count", Band: "0", State: "normal", Onset: k.From, Ended: t,
		Meaning: m.Meaning, Link: m.Link, Labels: map[string]string{}}}
	return m
}
