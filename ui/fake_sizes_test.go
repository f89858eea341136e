package ui

import (
	"math"

	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/sizes"
)

// fakeSizes are containers whose names are what name makes of them: one that wastes, one that is killed, one that is too young, an injected sidecar.
func fakeSizes(name func(string) string) []baseline.ClusterSizes {
	b := sizes.NewBook()
	b.KindOf = func(string, string) string { return "deployment" }
	var sets []series.Labels
	labels := func(set uint32) series.Labels { return sets[set] }
	add := func(workload, container, more, value string) uint32 {
		if len(sets) == 0 {
			sets = append(sets, nil)
		}
		sets = append(sets, series.Labels{{Name: "container", Value: name(container)}, {Name: "namespace", Value: name("shop")}, {Name: more, Value: value}, {Name: "workload", Value: name(workload)}})
		return uint32(len(sets) - 1)
	}
	const day, mib = 1440, 1 << 20
	first := uint32(fakeNow/60_000) - 15*day
	type container struct {
		workload, name           string
		from                     int
		cores, bytes             float64
		pods, cpu, mem, lim, cut uint32
	}
	list := []container{{workload: "cart", name: "app", cores: .2, bytes: 300 * mib}, {workload: "search", name: "app", cores: .4, bytes: 500 * mib}, {workload: "young", name: "app", from: 12 * day, cores: .1, bytes: 90 * mib},
		{workload: "cart", name: "istio-proxy", cores: .01, bytes: 60 * mib}}
	for i := range list {
		c := &list[i]
		c.cpu, c.mem, c.lim, c.cut = add(c.workload, c.name, "resource", "cpu"), add(c.workload, c.name, "resource", "memory"), add(c.workload, c.name, "resource", "memory"), add(c.workload, c.name, "resource", "cpu")
	}
	for m := range 15 * day {
		b.Minute(first+uint32(m), m%(7*day))
		for i := range list {
			c := &list[i]
			if m < c.from {
				continue
			}
			if m%(4*day) == 0 || c.pods == 0 {
				c.pods = add(c.workload, c.name, "pod", name(c.workload)+string(rune('a'+m/(4*day))))
			}
			load := 1 + .4*math.Sin(float64(m)/day*2*math.Pi)
			b.CPU(c.pods, c.cores*load, labels)
			b.Memory(c.pods, c.bytes*(.9+.1*load), labels)
			if m%60 == 0 {
				b.Requests(c.cpu, 1, labels)
				b.Requests(c.mem, 600*mib, labels)
				b.Limits(c.lim, 600*mib, labels)
			}
		}
	}
	b.Kills(list[1].cut, 3, labels)
	return []baseline.ClusterSizes{{Cluster: name("prod-eu"), Containers: b.Containers()}}
}
