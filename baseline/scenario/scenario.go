// Package scenario simulates a Kubernetes cluster that a Prometheus pair watches, breaks it on schedule and knows the truth.
//
// The cluster has a causal core: requests flow through a service graph, cost CPU and memory, look up names, open connections
// and queue, so that signals agree with each other as they do in life. A Generator plays it on a simulated clock and yields
// remote-write requests, in process (Generator.Next), to a URL (Send) or to a file (Recorder). Faults have a ground Truth,
// and Score compares it with what was alarmed. Everything follows from Config: the same Config gives the same requests.
//
// Nothing here reads a clock except Send, which paces itself.
package scenario

import (
	"fmt"
	"math"
	"time"
)

// Epoch is where simulated time starts unless Config says otherwise: Monday, 2 March 2026, 00:00 UTC.
const Epoch int64 = 1_772_409_600_000

const (
	stepHistoryMs = 60_000
	stepLiveMs    = 15_000
)

// Profile is the size of a cluster. The zero Profile is Small.
type Profile struct {
	Name      string
	Nodes     int
	Workloads int // Deployments, StatefulSets, DaemonSets, static pods and CronJobs
	// Replicas multiplies the replicas of application workloads; 0 = 1. It is how a cluster is grown to a sample rate.
	Replicas int
}

// The profiles of the README. Small has about 100 pods and 4,000 series.
var (
	Small  = Profile{Name: "small", Nodes: 3, Workloads: 40}
	Medium = Profile{Name: "medium", Nodes: 50, Workloads: 600}
	Large  = Profile{Name: "large", Nodes: 500, Workloads: 3000}
)

// ProfileByName returns small, medium or large.
func ProfileByName(name string) (Profile, error) {
	for _, p := range []Profile{Small, Medium, Large} {
		if p.Name == name {
			return p, nil
		}
	}
	return Profile{}, fmt.Errorf("unknown profile %q; there are small, medium and large", name)
}

// Config describes a simulated cluster and who watches it. The zero value is a small cluster from Epoch, scraped every
// minute by one Prometheus, with background life and no faults.
type Config struct {
	Seed    uint64
	Profile Profile
	// StartMs is the first scrape, Unix milliseconds, rounded down to a minute; 0 = Epoch.
	StartMs int64
	// Live scrapes as kube-prometheus does, every 15 or 30 s. Otherwise everything is scraped every minute (history).
	Live bool
	// Cluster is a `cluster` external label. Empty, as the Prometheus Operator leaves it, adds none.
	Cluster string
	// Replicas is how many Prometheus of an HA pair send, 1 or 2; 0 = 1.
	Replicas int
	// Shards is into how many queues each Prometheus splits its series, by series reference; 0 = 1, at most 64.
	Shards int
	// RequestMax is the most samples in a request; 0 = 2,000, as Prometheus has it.
	RequestMax int
	// Deadline is how long a shard waits for a request to fill; 0 = 5 s live, a whole minute's scrapes in history.
	Deadline time.Duration
	// Quiet leaves out background life (deploys, restarts, missed scrapes, slow shards); CronJobs and autoscaling stay.
	Quiet bool
	// Targets shows whom autoscalers scale, and at which usage they aim.
	Targets bool
	// Faults are what goes wrong, in any order.
	Faults []Fault
}

// withDefaults fills the zero fields in.
func (c Config) withDefaults() (Config, error) {
	if c.Profile.Nodes == 0 {
		r := c.Profile.Replicas
		c.Profile = Small
		c.Profile.Replicas = r
	}
	c.Profile.Replicas = max(1, c.Profile.Replicas)
	if c.StartMs == 0 {
		c.StartMs = Epoch
	}
	c.StartMs -= c.StartMs % stepHistoryMs
	c.Replicas = max(1, c.Replicas)
	c.Shards = max(1, c.Shards)
	if c.RequestMax <= 0 {
		c.RequestMax = 2000
	}
	if c.Replicas > 2 {
		return c, fmt.Errorf("%d Prometheus replicas; an HA pair has 1 or 2", c.Replicas)
	}
	if c.Shards > 64 {
		return c, fmt.Errorf("%d shards; at most 64", c.Shards)
	}
	if c.Profile.Nodes < 1 || c.Profile.Workloads < 40 {
		return c, fmt.Errorf("profile of %d nodes and %d workloads; at least 1 and 40", c.Profile.Nodes, c.Profile.Workloads)
	}
	for i, f := range c.Faults {
		f, err := f.withDefaults()
		if err != nil {
			return c, err
		}
		if i == 0 {
			c.Faults = append([]Fault(nil), c.Faults...)
		}
		c.Faults[i] = f
	}
	return c, nil
}

// Traffic over a day: a working-day hump and an evening one over a quiet night, 0 to 1 by minute of the day (UTC).
var dailyTable = func() (t [1440]float64) {
	bump := func(h, at, width float64) float64 {
		d := math.Mod(h-at+36, 24) - 12
		return math.Exp(-d * d / (2 * width * width))
	}
	lo, hi := math.Inf(1), math.Inf(-1)
	for i := range t {
		h := float64(i) / 60
		t[i] = bump(h, 12.8, 3.4) + 0.75*bump(h, 20, 2.3)
		lo, hi = min(lo, t[i]), max(hi, t[i])
	}
	for i := range t {
		t[i] = (t[i] - lo) / (hi - lo)
	}
	return t
}()

// shapeAt returns the share of peak traffic at t: 0.35 at night, 1 at a weekday's peak, 0.6 of that on weekends. Days blend
// into each other over four hours round midnight, since people do not change their minds on the stroke of twelve.
func shapeAt(ms int64) float64 {
	minutes := float64(ms) / 60_000
	day := math.Floor(minutes / 1440)
	m := minutes - day*1440
	i := int(m)
	f := m - float64(i)
	daily := dailyTable[i] + f*(dailyTable[(i+1)%1440]-dailyTable[i])
	weekly := dayFactor(int64(day))
	if h := m / 60; h < 2 {
		weekly = weekly + (dayFactor(int64(day)-1)-weekly)*(0.5-h/4)
	} else if h > 22 {
		weekly = weekly + (dayFactor(int64(day)+1)-weekly)*(h-22)/4
	}
	return (0.35 + 0.65*daily) * weekly
}

// dayFactor takes days since 1 January 1970, a Thursday.
func dayFactor(day int64) float64 {
	switch (day + 4) % 7 {
	case 0, 6:
		return 0.6
	}
	return 1
}
