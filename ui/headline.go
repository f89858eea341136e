// The headline of the overview: one sentence about everything, and what qualifies it.

package ui

import (
	"fmt"
	"time"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline/model"
)

// headline puts into words what matters most: samples that do not arrive, incidents that fire, those that end, deviations outside
// incidents, and only then that all is well.
func (b *overviewBody) headline(n *census, open openIncidents, st *Status, snap *alerting.Snapshot) {
	switch {
	case n.all == 0:
		b.sayWaiting(st)
	case st.silentMs(b.Now) > 0:
		b.Tone, b.Headline = "bad", "Nothing has arrived for "+alerting.Span(st.silentMs(b.Now))
		b.Lines = append(b.Lines, "Nothing is judged meanwhile: what stands below is how things were before. The status page says how senders are.")
	case open.phases[alerting.Firing] > 0:
		b.sayFiring(n, open)
	case len(snap.Open) > 0:
		b.sayEasing(n, open)
	case n.outside()+n.easings > 0:
		b.Tone, b.Headline = "note", "No open incident"
		b.Lines = append(b.Lines, n.outsideNow(", none of it worth a message"))
	case n.learning:
		b.Tone, b.Headline = "note", "Learning what is normal"
		b.Lines = append(b.Lines, b.entities()+". Gross and lasting deviations already count; finer ones as the bands mature.")
	case len(st.young(b.Now)) > 0:
		b.Tone, b.Headline = "note", "Learning what is normal"
		b.Lines = append(b.Lines, b.stand(n)+" The bands are a first guess yet.")
	case n.fresh > 0:
		b.Tone, b.Headline = "note", plural(n.fresh, "signal")+" fell silent within the hour"
		b.Lines = append(b.Lines, b.stand(n)+" Whether what fell silent is well is not known: a job that has ended, or a target that does not answer.")
	default:
		b.sayCalm(n, snap)
	}
	if n.all > 0 {
		b.sayYoung(st)
	}
	if len(b.Waiting) > 0 && n.all > 0 {
		b.Lines = append(b.Lines, plural(len(b.Waiting), "cluster")+" "+waitingWindow+".")
	}
}

// deafMs is for how long nothing may arrive before the overview speaks of nothing else.
const deafMs = 5 * 60_000

// silentMs returns for how long nothing has arrived from anybody, when that is longer than usual; 0 = it is not.
func (st *Status) silentMs(now int64) int64 {
	last := int64(0)
	for i := range st.Senders {
		last = max(last, st.Senders[i].LastMs)
	}
	if last == 0 || now-last < deafMs {
		return 0
	}
	return now - last
}

func (b *overviewBody) sayWaiting(st *Status) {
	b.Tone = "waiting"
	switch {
	case len(st.Senders) == 0:
		b.Headline = "Waiting for the first samples"
	case len(st.Clusters) > len(b.Waiting):
		b.Headline = "Samples arrive; no signal has a value yet"
	default:
		b.Headline = "Samples arrive; " + waitingWindow
		b.sayFirst(st)
	}
}

// minute and the first hour of a cluster, milliseconds.
const (
	minuteMs     = 60_000
	youngMinutes = 60 // windows of a cluster that are only learned
)

// sayFirst says until when the first whole minute is waited for.
func (b *overviewBody) sayFirst(st *Status) {
	first := int64(0)
	for i := range st.Senders {
		if x := st.Senders[i].FirstMs; x != 0 && (first == 0 || x < first) {
			first = x
		}
	}
	const then = "Then values and bands appear, and what is normal is learned; in a cluster's first hour only facts are told: a target that is down, a pod that is not ready, a certificate's end."
	if until := (first+minuteMs-1)/minuteMs*minuteMs + minuteMs + st.GraceMs; first != 0 && b.Now <= until {
		b.Lines = append(b.Lines, "It is judged by "+time.UnixMilli(until).UTC().Format("15:04:05 UTC")+" at the latest, "+ago(b.Now, until)+". "+then)
		return
	}
	b.Lines = append(b.Lines, "That takes longer than usual: are the samples of now? The status page says how old the newest is, and which metrics are missing. "+then)
}

// young returns the clusters in their first hour.
func (st *Status) young(now int64) (list []*Cluster) {
	for i := range st.Clusters {
		c := &st.Clusters[i]
		if !c.Waiting() && c.WindowsClosed < youngMinutes && now-c.ClosedEnd <= 10*minuteMs { // a backlog is no hour of the clock
			list = append(list, c)
		}
	}
	return list
}

// youngLine says of a cluster in its first hour what is told, and until when.
func youngLine(c *Cluster) string {
	until := c.ClosedEnd + (youngMinutes-c.WindowsClosed)*minuteMs
	return "Of cluster " + alerting.Clean(c.Name, textMax) + " only facts are told before " + time.UnixMilli(until).UTC().Format("15:04 UTC") +
		" (a target that is down, a pod that is not ready, a certificate's end): its first hour is learned. What still stands then is told."
}

// sayYoung says of clusters in their first hour until when they are only learned.
func (b *overviewBody) sayYoung(st *Status) {
	for k, c := range st.young(b.Now) {
		if b.Lines = append(b.Lines, youngLine(c)); k == 2 {
			break
		}
	}
}

func (b *overviewBody) sayFiring(n *census, open openIncidents) {
	fire := open.phases[alerting.Firing]
	b.Tone, b.Headline = "warn", plural(fire, "open incident")
	if open.urgent > 0 {
		b.Tone = "bad"
		b.Headline += ", " + commas(open.urgent) + " of severity page"
		if open.urgent == fire {
			b.Headline = plural(open.urgent, "open incident") + " of severity page"
		}
	}
	b.Lines = append(b.Lines, n.outsideNow(" for them"))
	if n := open.phases[alerting.Recovering]; n > 0 {
		b.Lines = append(b.Lines, plural(n, "more incident")+" recovering: back inside, and ending when the values stay there.")
	}
	if n := open.phases[alerting.Closing]; n > 0 {
		b.Lines = append(b.Lines, plural(n, "more incident")+" closing: no alarm is left.")
	}
}

// sayEasing speaks of open incidents of which none fires.
func (b *overviewBody) sayEasing(n *census, open openIncidents) {
	word, its, line := "recovering", "its band", "Nothing is outside because of it any more; it ends when the values stay inside."
	if open.phases[alerting.Recovering] == 0 {
		word, line = "closing", "No alarm is left; it ends when nothing comes back."
	}
	all := len(b.Open) + b.OpenMore
	if all > 1 {
		its = "their bands"
	}
	b.Tone, b.Headline = "easing", plural(all, "incident")+" "+word+", inside "+its
	if open.since > 0 {
		b.Headline += " since " + shortClock(b.Now, open.since)
	}
	b.Lines = append(b.Lines, line, n.outsideNow(" for them"))
}

func (b *overviewBody) sayCalm(n *census, snap *alerting.Snapshot) {
	b.Tone, b.Headline = "calm", "Everything is as usual"
	last := "No incident so far."
	if len(snap.Closed) > 0 {
		last = "The last incident ended " + ago(b.Now, snap.Closed[0].Resolved) + "."
	}
	b.Lines = append(b.Lines, b.stand(n), last)
}

// stand says how many signals are not in alarm, still learning, and silent.
func (b *overviewBody) stand(n *census) string {
	young := n.states[model.Learning]
	if young == 0 && n.silent == 0 {
		return b.entities() + ", none of them in alarm."
	}
	line := fmt.Sprintf("%s: %s not in alarm", b.entities(), commas(n.states[model.Normal]))
	if young > 0 {
		line += ", " + commas(young) + " still learning"
	}
	if n.silent > 0 {
		line += ", " + commas(n.silent) + " silent"
	}
	return line + "."
}

func (b *overviewBody) entities() string {
	return plural(b.Signals, "signal") + " in " + plural(len(b.Clusters), "cluster")
}

// outsideNow says how many values are outside now; those that only wait for the end of their alarm are told apart.
func (n *census) outsideNow(tail string) string {
	line := "No signal of " + commas(n.all) + " is outside what is normal for it"
	if bad := n.outside(); bad > 0 {
		line = plural(bad, "signal") + " of " + commas(n.all) + " outside what is normal" + tail
	}
	if n.easings > 0 {
		line += "; " + commas(n.easings) + " back inside, waiting to close"
	}
	return line + "."
}
