package main

import (
	"cmp"
	"fmt"

	"github.com/wrackline/wrackline/baseline/change"
	"github.com/wrackline/wrackline/baseline/room"
	"github.com/wrackline/wrackline/baseline/route"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
	"github.com/wrackline/wrackline/ingest/journal"
	"github.com/wrackline/wrackline/ui"
)

// limits lists every limit that a person may reach, what is used of it, and who uses most.
func (a *app) limits(st *signal.Stats, j *journal.Stats, storeBytes int64) []ui.Limit {
	cfg := a.cfg.Load()
	const known = "; known ones keep working"
	top := holdersOf(st)
	out := []ui.Limit{
		{Name: "signals.series_max", Used: float64(st.Tracked), Max: float64(st.SeriesMax), Unit: "count", Meaning: "new series that signals need are refused to whoever has its share of them" + known + top.tracked + top.holder},
		{Name: fmt.Sprintf("%d × signals.series_max", room.UnneededShare), Used: float64(max(0, st.Series-st.Tracked)), Max: float64(room.UnneededShare * st.SeriesMax), Unit: "count",
			Meaning: "of series that no signal needs: new ones are refused" + top.sender},
		{Name: "signals.signals_max", Used: float64(st.Signals), Max: float64(st.SignalsMax), Unit: "count", Meaning: "new signals are not learned" + known + top.rule},
	}
	if n := cfg.Signals.ClusterSeriesMax; n > 0 {
		out = append(out, ui.Limit{Name: "signals.cluster_series_max", Used: float64(top.clusterTracked), Max: float64(n), Unit: "count", Meaning: "new series of that cluster are refused" + top.tracked})
	}
	if n := cfg.Signals.ClusterSignalsMax; n > 0 {
		out = append(out, ui.Limit{Name: "signals.cluster_signals_max", Used: float64(top.clusterSignals), Max: float64(n), Unit: "count", Meaning: "new signals of that cluster are not learned" + top.signals})
	}
	return append(out,
		ui.Limit{Name: "clusters", Used: float64(len(st.Clusters)), Max: route.ClustersMax, Unit: "count", Meaning: "further clusters are refused" + known},
		ui.Limit{Name: "senders", Used: float64(top.senders), Max: route.SendersMax, Unit: "count", Meaning: "further senders of a cluster are counted as one"},
		ui.Limit{Name: "objects watched for changes", Used: float64(st.Objects), Max: change.ObjectsMax, Unit: "count", Meaning: "changes of further objects are not seen"},
		ui.Limit{Name: "requests before the fold", Used: float64(a.line.held.Load()), Max: lineBytes, Unit: "B", Meaning: "requests are answered 503 until there is room"},
		ui.Limit{Name: "ingest.journal_max", Used: float64(j.Bytes), Max: float64(cfg.Ingest.JournalMax), Unit: "B", Meaning: "requests are answered 503 until a checkpoint frees room"},
		ui.Limit{Name: "storage.backtest_max", Used: float64(j.SpareBytes), Max: float64(cfg.Storage.BacktestMax), Unit: "B", Meaning: "older requests go: backtests reach back less far"},
		ui.Limit{Name: "storage.max_size", Used: float64(storeBytes), Max: 2 * float64(cfg.Storage.MaxSize), Unit: "B", Meaning: "of two files; charts of the past give way"},
	)
}

// holders say in words who uses most.
type holders struct {
	tracked, signals, rule, sender, holder  string // "" or "; most are of …"
	clusterTracked, clusterSignals, senders int
}

func holdersOf(st *signal.Stats) (c holders) {
	shown := func(name string) string { return series.Clean(cmp.Or(name, "–"), 80) }
	for i := range st.Clusters {
		x := &st.Clusters[i]
		if x.Tracked > c.clusterTracked {
			c.clusterTracked, c.tracked = x.Tracked, fmt.Sprintf("; most, %d, are of cluster %s", x.Tracked, shown(x.Name))
		}
		if x.Signals > c.clusterSignals {
			c.clusterSignals, c.signals = x.Signals, fmt.Sprintf("; most, %d, are of cluster %s", x.Signals, shown(x.Name))
		}
	}
	for i, most := 0, 0; i < len(st.Senders); i++ {
		if x := &st.Senders[i]; x.Tracked > most {
			most, c.holder = x.Tracked, fmt.Sprintf("; most, %d, are sent by %s", x.Tracked, shown(x.Name))
		}
	}
	most, byRule := 0, map[string]int{}
	for i := range st.Rules {
		name := st.Rules[i].Rule.Name
		byRule[name] += st.Rules[i].Signals
		if n := byRule[name]; n > most {
			most, c.rule = n, fmt.Sprintf("; most, %d, are of %s", n, shown(name))
		}
	}
	var samples int64
	names := map[string]bool{}
	for i := range st.Senders {
		x := &st.Senders[i]
		names[x.Name] = true
		if x.Samples > samples {
			samples, c.sender = x.Samples, "; most is sent by "+shown(x.Name)
		}
	}
	c.senders = len(names)
	return c
}
