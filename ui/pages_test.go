package ui

import (
	"html"
	"net/http"
	"strings"
	"testing"
)

func TestPagesSayWhatATiredEngineerNeeds(t *testing.T) {
	h := New(newFake(), Options{Version: "v9.9.9"})
	for path, wants := range map[string][]string{
		"/": {"2 open incidents, 1 of severity page", "6 signals of 41 outside", "1 signal</a> fell silent", "34.2 % of DNS answers fail", "31.1 %", "31.1 % (normal 0–0.203 %), worst 34.2 %", "3 signals in alarm", "Moved first", "dns.latency_p99", "34 min ago", "worker-3 fills by 3.1 % a day and is full in 9 d",
			"0.9 a day", "at most 3 a day", "2 withheld", "DNS and service networking", "2 questions cannot be asked: metrics do not arrive", "48,213", "14 s ago", "catalog uses 97 %", "conntrack table of worker-2 fills", "in 9 min", "next fault:"},
		"/signals": {"dns.servfail_ratio", "11.7–22.1 ms", "abnormal <b>6</b>", "silent <b>1</b>", "high <b>5</b>", "drifting", "no data", "747 MiB", "3,712 /s", "any namespace", "1–41 of 41"},
		servfailPath: {"Are cluster DNS lookups failing?", "Above its band for 30 min", "31.1 %", "30.9 points above the band", "57.6 nats", "score 3.20 (alarm at 1); score 1 is 18 nats", "point", "93 %", "21,600 windows", "15 d of data", "by hour of the day",
			"names do not resolve", "The upstream resolver does not answer", "kubectl -n kube-system logs -l k8s-app=kube-dns --tail=50", "coredns-5d78c9869d-x7k2p", "Incidents with this signal", "Beside it", "net.conntrack_fill", "ceiling 25 %", "this page as JSON", "The chart as a table", "3 changes in this range", "Changes: 2026-03-02 "},
		"/incidents": {"34.2 % of DNS answers fail", "3 signals in alarm", "34 min ago", "Alarms without an incident", "node.cpu", "recovered", "5 h ago", "2 h"},
		dnsPath: {"Open", "dns.latency_p99", "31.1 %", "worst 34.2 %", "score 3.20 (alarm at 1)", "band 93 % learned", "2 notifications", "The same signal led 1 incident in the 24 h before", "CoreDNS answers SERVFAIL", "dig @10.96.0.10",
			"What changed just before", "3 min before", "rollout of deployment kube-system/coredns", "clusterrolebinding coredns changed", "All changes of that time", "What moved, in order", "opened the incident", "told: first announcement", "told: it became worse or wider", "severity became page"},
		"/incidents/inc_5d1nq8y2jkta": {">09:21</time> UTC after 2 h: back inside its band", "returned to its band", "came back once", "the closing word"},
		"/changes":                    {"rollout of deployment kube-system/coredns: coredns:1.14.0 → coredns:1.14.1", "node worker-4 joined", "5 h ago", "node new <b>1</b>", "rollout <b>2</b>", "staging", "any namespace", "this page as JSON"},
		"/changes?kind=scale":         {"Changes <span class=\"muted\">1 of 5", "deployment shop/cart scaled: 3 → 4 by its autoscaler", "clear"},
		"/changes?kind=odd&from=x":    {"from and to must be Unix milliseconds", "node worker-4 joined"},
		"/changes?namespace=none":     {"No change matches", "Show all 5"},
		"/receivers":                  {"team-slack", "hooks.slack.com", "retrying", "answered 503: upstream is away", "next attempt", "in 1 min", "webhook is gone", "Messages received", "resolved", "wrackline receivers test team-slack", "4 h 55 min ago"},
		"/status":                     {"v0.1.0", "go1.26.8", "prometheus-k8s-1", "Of the other replica", "12,330,000", "Series in windows", "912,001–934,555", "412 MiB", "took 118 ms", "86 % of the limit is used", "Raise signals.signals_max", "came after their window had closed", "dormant", "api_url: &lt;secret&gt;", "503 until a checkpoint"},
	} {
		got := html.UnescapeString(body(t, h, path, http.StatusOK))
		for _, want := range wants {
			if !strings.Contains(got, html.UnescapeString(want)) {
				t.Errorf("%s does not say %q", path, want)
			}
		}
	}
}
