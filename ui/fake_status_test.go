package ui

import (
	"time"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
)

// fakeUses says that all rules but two have their metrics.
func fakeUses(f *fake, r *fakeRules) []RuleUse {
	rules := []RuleUse{}
	r.latency.Exprs = []string{"histogram_quantile(0.99, sum by (cluster, le) (rate(coredns_dns_request_duration_seconds_bucket[1m])))"}
	r.fill.Exprs = []string{"max by (cluster, node) (node_nf_conntrack_entries)"}
	titles := map[string]string{"dns": "DNS and service networking", "net": "Node networking", "wl": "Workloads and resources", "svc": "Service golden signals", "node": "Nodes", "api": "API server and RBAC"}
	for _, x := range []*pack.Rule{r.latency, r.servfail, r.qps, r.fill, r.retrans, r.cpu, r.mem, r.ws, r.errs, r.rps, r.fs, r.nodeCPU, r.api, r.forbidden} {
		n := 0
		for i := range f.view.Signals {
			n += b2i(f.view.Signals[i].Signal.Rule == x)
		}
		rules = append(rules, RuleUse{Pack: x.Pack, PackTitle: titles[x.Pack], Rule: x, Cluster: "prod-eu", Form: 0, Series: n * 6, Signals: n})
	}
	hit := fakeRule("dns", "dns.cache_hit_ratio", "Is the cache decaying?", "ratio", pack.Warn, model.Down)
	psi := fakeRule("node", "node.psi_cpu", "Do tasks wait for CPU?", "ratio", pack.Warn, model.Up)
	hit.Exprs = []string{"sum by (cluster) (rate(coredns_cache_hits_total[5m])) / sum by (cluster) (rate(coredns_cache_requests_total[5m]))"}
	psi.Exprs = []string{"max by (cluster, node) (rate(node_pressure_cpu_waiting_seconds_total[1m]))"}
	rules = append(rules, RuleUse{Pack: "dns", PackTitle: titles["dns"], Rule: hit, Cluster: "prod-eu", Form: -1, Missing: []string{"coredns_cache_hits_total", "coredns_cache_requests_total"}},
		RuleUse{Pack: "node", PackTitle: titles["node"], Rule: psi, Cluster: "prod-eu", Form: -1, Missing: []string{"node_pressure_cpu_waiting_seconds_total"}})
	return rules
}

func fakeStatus(f *fake, r *fakeRules) Status {
	dns, oom := f.snap.Open[1], f.snap.Closed[0]
	at := func(ago int64) time.Time { return time.UnixMilli(fakeNow - ago*fakeMinute) }
	return Status{Version: "v0.1.0", Go: "go1.26.8", Platform: "linux/amd64", StartedMs: fakeNow - 16*24*60*fakeMinute, NowMs: fakeNow, ReceiveMs: fakeNow - 9_000,
		Senders: []Sender{{Name: "monitoring/k8s", Cluster: "prod-eu", Replica: "prometheus-k8s-0", Samples: 81_234_567, Accepted: 12_345_678, Duplicates: 120, FirstMs: fakeNow - 15*24*60*fakeMinute, LastMs: fakeNow - 9_000, LastT: fakeNow - 14_000, Used: 0.15},
			{Name: "monitoring/k8s", Cluster: "prod-eu", Replica: "prometheus-k8s-1", Samples: 81_234_001, Accepted: 11_000, Duplicates: 12_330_000, Late: 3, FirstMs: fakeNow - 15*24*60*fakeMinute, LastMs: fakeNow - 11_000, LastT: fakeNow - 19_000, Used: 0.0001}},
		Clusters: []Cluster{{Name: "prod-eu", Series: 48_213, Tracked: 9_120, Signals: len(f.view.Signals), Workloads: 42, LastT: fakeNow - 14_000, ClosedEnd: fakeNow - fakeMinute, WindowsClosed: 21_600, Owners: true}},
		Rules:    fakeUses(f, r),
		Limits: []Limit{{Name: "series known", Used: 48_213, Max: 1_000_000, Unit: "count", Meaning: "new series are refused with a count; known ones keep working"}, {Name: "signals", Used: 172_000, Max: 200_000, Unit: "count", Meaning: "new signals are refused with a count"},
			{Name: "journal", Used: 412 << 20, Max: 2 << 30, Unit: "B", Meaning: "requests are refused with 503 until a checkpoint frees room"}},
		Counters: []Counter{{Name: "samples", Value: 162_468_568, Unit: "samples", Meaning: "received in all"}, {Name: "late", Value: 3, Unit: "samples", Meaning: "came after their window had closed", Loss: true}, {Name: "over_series", Value: 0, Unit: "series", Meaning: "refused because the series limit was reached", Loss: true}},
		Journal:  Journal{FirstPos: 912_001, LastPos: 934_555, SyncedPos: 934_554, Bytes: 412 << 20, MaxBytes: 2 << 30, Segments: 7, Sync: "1s", LastSyncMs: fakeNow - 700},
		Store:    Store{Path: "data/wrackline.db", Bytes: 61 << 20, CheckpointMs: fakeNow - 41_000, TookMs: 118, Models: len(f.view.Signals), HistoryDays: 15},
		Receivers: []Receiver{{Name: "team-slack", Kind: "slack", Host: "hooks.slack.com", Sent: 14, LastSuccess: at(16), Test: "wrackline receivers test team-slack"},
			{Name: "pager", Kind: "webhook", Host: "pager.example.com", Queued: 2, Sent: 3, Failed: 9, LastSuccess: at(900), LastError: "answered 503: upstream is away", LastErrorAt: at(1), NextAttempt: time.UnixMilli(fakeNow + 64_000), Oldest: at(20)}},
		DeadLetters:         []DeadLetter{{AtMs: fakeNow - 3*24*60*fakeMinute, Receiver: "pager", ID: "msg_1", Incident: oom.ID, Title: "catalog uses 97 % of its memory limit", Why: "answered 410: the webhook is gone"}},
		Problems:            []Problem{{Severity: "warn", Text: "signals: 86 % of the limit is used", Fix: "Raise signals.signals_max or narrow a track rule."}, {Severity: "info", Text: "retention is 15 d"}},
		NotificationsPerDay: 3, PagesPerDay: 20, Days: f.snap.Days,
		Config: "storage:\n  path: data\nreceivers:\n- name: team-slack\n  slack_configs:\n  - api_url: <secret>\n",
		Demo: &Demo{Speed: 20, Scenario: "three nodes, 42 workloads, two weeks of history", Next: "conntrack table of worker-2 fills", NextMs: fakeNow + 9*fakeMinute,
			Inbox: []InboxMessage{{AtMs: fakeNow - 16*fakeMinute, Receiver: "demo", Reason: "changed", Severity: "page", Title: dns.Title, Incident: dns.ID, Where: "prod-eu", Value: "31 % (normal 0–0.2 %)", First: "dns.latency_p99 at " + alerting.Clock(fakeOnset) + " (prod-eu)", Meaning: r.servfail.Meaning, Next: r.servfail.Next[:2], Lines: []string{"dns.latency_p99: 2.1 s (normal 8.8–19 ms)", "dns.servfail_ratio: 31 % (normal 0–0.2 %)", "svc.error_ratio: 12 % (normal 0–0.3 %)"}},
				{AtMs: fakeNow - 295*fakeMinute, Receiver: "demo", Reason: "resolved", Severity: "page", Title: oom.Title, Incident: oom.ID, Where: "prod-eu / shop / catalog", Value: "61 % (normal 52–71 %), worst 97 %"}}}}
}
