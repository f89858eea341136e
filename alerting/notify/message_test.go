package notify

import (
	"encoding/json"
	"flag"
	"fmt"
	"hash/fnv"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline/change"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const minute = int64(60_000)

// t0 is 2026-03-02 14:00 UTC.
var t0 = time.Date(2026, 3, 2, 14, 0, 0, 0, time.UTC).UnixMilli()

var servfail = &pack.Rule{
	Name: "dns.servfail_ratio", Question: "Are cluster DNS lookups failing?", Unit: "ratio", Severity: pack.Page,
	Summary: "{{ $value }} of DNS answers fail (normal {{ $band }})",
	Meaning: "CoreDNS answers SERVFAIL: names do not resolve for the workloads that ask. Retries hide it at first & add load.",
	Next:    []string{"kubectl -n kube-system logs -l k8s-app=kube-dns --tail=50", "kubectl -n kube-system get pods -o wide", "dig @10.96.0.10 kubernetes.default", "never shown"},
}

// dnsIncident is an incident of three members, 6 minutes after the first of them moved.
func dnsIncident() alerting.Notification {
	band := model.Band{Lower: 0, Expected: 0.0004, Upper: 0.002}
	prod := series.Label{Name: "cluster", Value: "prod"}
	inc := &alerting.Incident{
		ID: "k3m9x0qv7c", Title: "31.2 % of DNS answers fail (normal 0–0.2 %)", Severity: pack.Page, Cluster: "prod", Scope: series.Labels{prod},
		Onset: t0 - 6*minute, Opened: t0 - 2*minute, Updated: t0, Lead: 1,
		Members: []alerting.Member{
			{SignalID: "dns.latency_p99~cluster=prod", Name: "dns.latency_p99", Entity: series.Labels{prod}, Unit: "s", Severity: pack.Warn, Onset: t0 - 6*minute, Opened: t0 - 2*minute, Fired: 1,
				State: model.High, Test: model.PointTest, Value: 2.5, Band: model.Band{Lower: 0.001, Expected: 0.004, Upper: 0.012}, Score: 2, Peak: 2.2, Worst: 4.1, WorstT: t0 - minute, Maturity: 0.9},
			{SignalID: "dns.servfail_ratio~cluster=prod", Name: "dns.servfail_ratio", Rule: servfail, Entity: series.Labels{prod}, Unit: "ratio", Severity: pack.Page, Onset: t0 - 4*minute, Opened: t0 - minute, Fired: 1,
				State: model.High, Test: model.PointTest, Value: 0.28, Band: band, Score: 3, Peak: 3.4, Worst: 0.312, WorstT: t0 - minute, WorstBand: band, Maturity: 0.3,
				Top: []signal.Member{{Name: "coredns-5d78c9869d-x7k2p", Value: 0.6}}},
			{SignalID: "svc.error_ratio~cluster=prod~namespace=shop~workload=cart", Name: "svc.error_ratio", Entity: series.Labels{prod, {Name: "namespace", Value: "shop"}, {Name: "workload", Value: "cart"}}, Unit: "ratio", Severity: pack.Warn,
				Onset: t0 - 2*minute, Opened: t0, Ended: 0, Fired: 1, State: model.Absent, Value: math.NaN(), Band: band, Worst: math.NaN(), Score: 1, Peak: 1},
		},
		Changes: []alerting.Cause{
			{Nearness: alerting.SameThing, Change: change.Change{T: t0 - 9*minute, Kind: change.Rollout, Cluster: "prod", Object: "deployment kube-system/coredns",
				From: "coredns:1.14.0", To: "coredns:1.14.1", Entity: series.Labels{{Name: "namespace", Value: "kube-system"}, {Name: "workload", Value: "coredns"}}}},
			{Nearness: alerting.SameNamespace, Change: change.Change{T: t0 - 6*minute, Kind: change.Config, Cluster: "prod", Object: "configmap kube-system/coredns", Entity: series.Labels{{Name: "namespace", Value: "kube-system"}}}},
			{Nearness: alerting.WholeCluster, Change: change.Change{T: t0 - 50*minute, Kind: change.RBAC, Cluster: "prod", Object: "clusterrole view"}},
		},
		Earlier: 1, Refires: 2, Told: 1,
	}
	return alerting.Notification{ID: alerting.NotificationID(inc.ID, alerting.First, 0), IncidentID: inc.ID, Reason: alerting.First, T: t0, Incident: inc}
}

func resolvedIncident() alerting.Notification {
	n := dnsIncident()
	inc := *n.Incident
	inc.Members = slices.Clone(inc.Members)
	for i := range inc.Members {
		m := &inc.Members[i]
		m.Ended, m.Ending, m.State = t0+int64(i)*minute, "recovered", model.Normal
		m.Value = m.Band.Expected
	}
	inc.Resolved, inc.Resolution = t0+2*minute, "recovered"
	return alerting.Notification{ID: alerting.NotificationID(inc.ID, alerting.Resolved, 1), IncidentID: inc.ID, Reason: alerting.Resolved, Seq: 1, T: t0 + 7*minute, Incident: &inc}
}

// hostileIncident has everything in its labels that a chat or a page might act upon.
func hostileIncident(lines int) alerting.Notification {
	n := dnsIncident()
	inc := *n.Incident
	bad := "<!channel> @here @everyone <https://evil.example|click> https://evil.example/x `rm` *b* \u202egnp.exe\x1b[31m\n\n\"};alert(1)//<script>alert(1)</script>&amp;" + strings.Repeat("A", 3000)
	lead := inc.Members[1]
	lead.Entity = series.Labels{{Name: "cluster", Value: bad}, {Name: "namespace", Value: bad}}
	lead.Top = []signal.Member{{Name: bad, Value: 1}}
	lead.Unit = "<unit>"
	lead.Rule = &pack.Rule{Name: "x", Summary: "{{ $labels.namespace }}", Meaning: bad, Next: []string{"kubectl -n {{ $labels.namespace }} get pods"}}
	inc.Changes = []alerting.Cause{{Nearness: alerting.SameThing, Change: change.Change{T: t0, Kind: change.Rollout, Object: bad, From: bad, To: bad}}}
	inc.Members, inc.Lead, inc.Cluster, inc.Scope = nil, 0, bad, lead.Entity
	for i := range lines {
		m := lead
		m.SignalID = fmt.Sprint("s", i)
		inc.Members = append(inc.Members, m)
	}
	inc.Title = lead.Sentence(true)
	n.Incident = &inc
	return n
}

// everyReason makes a message for each reason that is no first one or closing word, and those of a bot.
func everyReason(url string) map[string]*Message {
	told := &holding{T: t0 - 3*minute, Severity: pack.Warn, Said: 1}
	again := func(reason alerting.Reason) *Message {
		n := dnsIncident()
		n.Reason, n.ID = reason, alerting.NotificationID(n.IncidentID, reason, 1)
		m := NewMessage(n, url)
		m.compare(told)
		return m
	}
	escalated := NewMessage(dnsIncident(), url)
	escalated.Escalated = "30 min"
	late := NewMessage(dnsIncident(), url)
	late.Told = "announced 26 h late"
	over := NewMessage(resolvedIncident(), url)
	over.compare(told)
	list := (*keptList)(nil).with(NewMessage(dnsIncident(), url), 3.4, time.UnixMilli(t0))
	list = list.with(&Message{Incident: "x2", Severity: pack.Warn, Headline: "restarts of cart are 12 /h (normal 0–1 /h)", Where: "prod / shop / cart", Onset: t0, Resolved: t0 + 90*minute}, 1.2, time.UnixMilli(t0))
	digest := newDigest("ops/slack/0", list, time.UnixMilli(t0+19*60*minute), time.UTC, url, "", func(string) bool { return true })
	l := &lane{box: &Outbox{}}
	l.miss(&ledger{}, &row{Since: t0 - minute, Given: 1}, over, time.UnixMilli(t0+60*minute))
	self := &Notice{Incident: "self-x", Edition: 1, Severity: pack.Page, SinceMs: t0, Title: "Nothing can be taken in because the disk is full", Meaning: "Senders are answered 503.", Lines: []NoticeLine{{Name: "wrackline.journal", Text: "no space left", Fix: "Free disk space.", SinceMs: t0}}}
	return map[string]*Message{"changed": again(alerting.Changed), "repeat": again(alerting.Repeated), "escalated": escalated, "late": late, "over": over, "digest": digest,
		"summary": summarise("ops/slack/0", l.missed, time.UnixMilli(t0+60*minute), url), "self": newSelfMessage(self, alerting.First, t0+minute, url), "announced": NewMessage(dnsIncident(), url)}
}

// botJSON is what a bot says: the first message as it then stands, and the answer in its thread where there is one.
func botJSON(m *Message) []byte {
	list := []*slackPayload{slackMessage(m, slackFull)}
	if m.Since != nil {
		list = append(list, slackMessage(m, slackShort))
	}
	return plainJSON(list)
}

func TestGoldenPayloads(t *testing.T) {
	const url = "https://wrackline.example/"
	type golden struct {
		file string
		got  []byte
	}
	var list []golden
	for reason, m := range everyReason(url) {
		list = append(list, golden{"slack_" + reason + ".json", slackJSON(m, "")}, golden{"webhook_" + reason + ".json", webhookJSON(m, "ops", 0)}, golden{"bot_" + reason + ".json", botJSON(m)})
		if m.ofIncident() {
			list = append(list, golden{"alertmanager_" + reason + ".json", plainJSON(newAMAlert(m, map[string]string{"team": "shop"}))})
		}
	}
	for _, c := range append(list, []golden{
		{"slack_first.json", slackJSON(NewMessage(dnsIncident(), url), "#ops")},
		{"slack_resolved.json", slackJSON(NewMessage(resolvedIncident(), url), "")},
		{"slack_hostile.json", slackJSON(NewMessage(hostileIncident(2), url), "")},
		{"slack_test.json", slackJSON(NewTestMessage(time.UnixMilli(t0), ""), "")},
		{"webhook_first.json", webhookJSON(NewMessage(dnsIncident(), url), "ops", 0)},
		{"webhook_resolved.json", webhookJSON(NewMessage(resolvedIncident(), url), "ops", 0)},
		{"webhook_max_alerts.json", webhookJSON(NewMessage(dnsIncident(), ""), "ops", 1)},
		{"webhook_test.json", webhookJSON(NewTestMessage(time.UnixMilli(t0), url), "ops", 0)},
	}...) {
		var v any
		if err := json.Unmarshal(c.got, &v); err != nil {
			t.Errorf("%s: %v", c.file, err)
			continue
		}
		var pretty strings.Builder
		e := json.NewEncoder(&pretty)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		e.Encode(v)
		path := filepath.Join("testdata", c.file)
		if *update {
			os.MkdirAll("testdata", 0o755)
			if err := os.WriteFile(path, []byte(pretty.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatalf("%v (run with -update)", err)
		}
		if string(want) != pretty.String() {
			t.Errorf("%s differs; run with -update and review. Got:\n%s", c.file, pretty.String())
		}
	}
}

// TestAMessageRoundTripsThroughTheOutbox also holds for values that JSON has no words for.
func TestAMessageRoundTripsThroughTheOutbox(t *testing.T) {
	for _, n := range []alerting.Notification{dnsIncident(), resolvedIncident(), hostileIncident(70)} {
		r := &row{Created: 1, Message: NewMessage(n, "https://w")}
		key := rowKey("k", 1)
		got, err := decodeRow(key, encodeRow(key, r))
		if err != nil {
			t.Fatal(err)
		}
		if a, b := slackJSON(r.Message, ""), slackJSON(got.Message, ""); string(a) != string(b) {
			t.Errorf("%s\n%s", a, b)
		}
		v := encodeRow(key, r)
		v[len(v)/2] ^= 4
		if _, err := decodeRow(key, v); err == nil {
			t.Error("a flipped bit was not noticed")
		}
	}
}

// slackDate is what we write a time as: nothing that a label says stands in it.
var slackDate = regexp.MustCompile(`<!date\^[0-9]+\^(\{date_short_pretty\} )?\{time\}\|[0-9: -]+ UTC>`)

func checkSlack(t *testing.T, b []byte) {
	t.Helper()
	if len(b) > slackBytesMax {
		t.Errorf("message has %d bytes", len(b))
	}
	var p slackPayload
	if err := json.Unmarshal(b, &p); err != nil {
		t.Fatal(err)
	}
	if len(p.Blocks) > 10 || len(p.Blocks) < 3 {
		t.Errorf("%d blocks", len(p.Blocks))
	}
	texts := []string{p.Text}
	for _, bl := range p.Blocks {
		for _, x := range append(append(append([]slackText{}, bl.Fields...), bl.Elements...), deref(bl.Text)...) {
			if !x.Verbatim || utf8.RuneCountInString(x.Text) > 3000 || x.Text == "" {
				t.Errorf("verbatim %v, %d characters", x.Verbatim, utf8.RuneCountInString(x.Text))
			}
			texts = append(texts, x.Text)
		}
		if len(bl.Fields) > 10 {
			t.Errorf("%d fields", len(bl.Fields))
		}
	}
	for _, s := range texts {
		s = slackDate.ReplaceAllString(s, "")
		s = strings.ReplaceAll(s, "<https://wrackline.example/incidents/k3m9x0qv7c|", "")
		s = strings.ReplaceAll(s, ">*", "*")
		for _, bad := range []string{"<", ">", "@here", "@everyone", "@channel", "\u202e", "\x1b", "\r"} {
			if strings.Contains(strings.ToLower(s), bad) {
				t.Errorf("%q in %q", bad, s)
			}
		}
		// Links are made of plain text only. Spans are not left by what is in them, so the text between them is every second part.
		if strings.Count(s, "`")%2 != 0 {
			t.Errorf("a code span is left in %q", s)
		}
		for i, part := range strings.Split(s, "`") {
			if i%2 == 0 && strings.Contains(part, "://") {
				t.Errorf("a link in %q", s)
			}
		}
	}
}

func deref(x *slackText) []slackText {
	if x == nil {
		return nil
	}
	return []slackText{*x}
}

func TestSlackStaysSmallAndHarmlessWhateverTheLabelsSay(t *testing.T) {
	for _, n := range []int{1, 2, 8, 64} {
		checkSlack(t, slackJSON(NewMessage(hostileIncident(n), "https://wrackline.example/"), ""))
	}
}

func FuzzSlack(f *testing.F) {
	f.Add("<!channel>", "@here", "https://x")
	f.Add("`a` <@U123> \u2028", "&lt;!here&gt;", ":rage: |>")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		n := hostileIncident(3)
		m := &n.Incident.Members[0]
		m.Entity = series.Labels{{Name: "cluster", Value: a}, {Name: "node", Value: b}}
		m.Name, m.Unit = c, b
		n.Incident.Title, n.Incident.Cluster = c, a
		checkSlack(t, slackJSON(NewMessage(n, "https://wrackline.example/"), ""))
	})
}

func TestWebhookPayloadHasAlertmanagersFields(t *testing.T) {
	var p map[string]json.RawMessage
	if err := json.Unmarshal(webhookJSON(NewMessage(dnsIncident(), "https://w"), "ops", 0), &p); err != nil {
		t.Fatal(err)
	}
	for _, k := range []string{"version", "groupKey", "truncatedAlerts", "status", "receiver", "groupLabels", "commonLabels", "commonAnnotations", "externalURL", "alerts"} {
		if p[k] == nil || string(p[k]) == "null" {
			t.Errorf("%s = %s", k, p[k])
		}
	}
	var alerts []map[string]any
	if err := json.Unmarshal(p["alerts"], &alerts); err != nil {
		t.Fatal(err)
	}
	for _, k := range []string{"status", "labels", "annotations", "startsAt", "endsAt", "generatorURL", "fingerprint"} {
		if alerts[0][k] == nil {
			t.Errorf("alerts[0].%s is missing", k)
		}
	}
	if alerts[0]["endsAt"] != "0001-01-01T00:00:00Z" || alerts[0]["startsAt"] != "2026-03-02T13:54:00Z" {
		t.Errorf("startsAt %v, endsAt %v", alerts[0]["startsAt"], alerts[0]["endsAt"])
	}
}

func TestFingerprintIsPrometheus(t *testing.T) {
	labels := map[string]string{"severity": "page", "alertname": "dns.servfail_ratio", "cluster": "prod"}
	h := fnv.New64a()
	h.Write([]byte("alertname\xffdns.servfail_ratio\xffcluster\xffprod\xffseverity\xffpage\xff"))
	if got, want := fingerprint(labels), fmt.Sprintf("%016x", h.Sum64()); got != want {
		t.Errorf("fingerprint = %s, want %s", got, want)
	}
}

// The example of the Standard Webhooks libraries.
func TestSignatureIsStandardWebhooks(t *testing.T) {
	keys, err := signingKeys(WebhookConfig{Secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"})
	if err != nil {
		t.Fatal(err)
	}
	got := sign(keys, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("signature = %s, want %s", got, want)
	}
	two, err := signingKeys(WebhookConfig{Secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="})
	if err != nil || len(two) != 2 {
		t.Fatalf("two keys: %d, %v", len(two), err)
	}
	if s := sign(two, "a", "1", nil); strings.Count(s, "v1,") != 2 || strings.Count(s, " ") != 1 {
		t.Errorf("two signatures: %q", s)
	}
	for _, bad := range []Secret{"abc", "whsec_!!", "whsec_AAEC", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"} {
		if _, err := signingKeys(WebhookConfig{Secret: bad}); err == nil || strings.Contains(err.Error(), string(bad)) {
			t.Errorf("secret %q: %v", string(bad), err)
		}
	}
}

func TestConfigurationErrorsNameThePlaceAndHideTheSecret(t *testing.T) {
	file := filepath.Join(t.TempDir(), "url")
	os.WriteFile(file, []byte("https://hooks.example/x\n"), 0o600)
	for _, c := range []struct {
		r    []Receiver
		want string
	}{
		{[]Receiver{{Name: "a", Slack: []SlackConfig{{APIURLFile: file}}, Webhook: []WebhookConfig{{URL: "http://10.0.0.1/hook"}}}}, ""},
		{[]Receiver{{Name: "nobody"}}, "nobody would be told"},
		{[]Receiver{{}}, "receivers[0]: name is missing"},
		{[]Receiver{{Name: "a\nb"}}, "one line"},
		{[]Receiver{{Name: "a", Webhook: []WebhookConfig{{URL: "https://x"}}}, {Name: "a"}}, "used twice"},
		{[]Receiver{{Name: "a", Slack: []SlackConfig{{}}}}, `receivers[0].slack_configs[0]: receiver "a": api_url or api_url_file is missing`},
		{[]Receiver{{Name: "a", Slack: []SlackConfig{{APIURL: "https://canary", APIURLFile: file}}}}, "both given"},
		{[]Receiver{{Name: "a", Webhook: []WebhookConfig{{URL: "ftp://canary/x"}}}}, "http://"},
		{[]Receiver{{Name: "a", Webhook: []WebhookConfig{{URL: "https://canary\x7f/x"}}}}, "not a URL"},
		{[]Receiver{{Name: "a", Webhook: []WebhookConfig{{URL: "https:///canary"}}}}, "no host"},
		{[]Receiver{{Name: "a", Webhook: []WebhookConfig{{URLFile: file + ".none"}}}}, "url_file"},
		{[]Receiver{{Name: "a", Webhook: []WebhookConfig{{URL: "https://x", Secret: "canary"}}}}, "whsec_"},
		{[]Receiver{{Name: "a", Webhook: []WebhookConfig{{URL: "https://x", MaxAlerts: -1}}}}, "max_alerts"},
		{[]Receiver{{Name: "a", Webhook: []WebhookConfig{{URL: "https://x", PerMinute: -1}}}}, "messages_per_minute is -1"},
		{[]Receiver{{Name: "a", Slack: []SlackConfig{{APIURL: "https://x", PerMinute: 100_000}}}}, "messages_per_minute"},
		{[]Receiver{{Name: "a", Webhook: []WebhookConfig{{URL: "https://x", Name: "p"}, {URL: "https://y", Name: "p"}}}}, `the name "p" is used twice`},
		{[]Receiver{{Name: "a", Webhook: []WebhookConfig{{URL: "https://x", Name: "p"}}, Slack: []SlackConfig{{APIURL: "https://y", Name: "p"}}}}, ""},
		{[]Receiver{{Name: "a", Webhook: []WebhookConfig{{URL: "https://x", Name: "a/b"}}}}, "without a slash"},
		{[]Receiver{{Name: "a", Webhook: []WebhookConfig{{URL: "https://x", Name: "12"}}}}, "not only digits"},
	} {
		err := CheckReceivers(c.r)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("CheckReceivers(%v) = %v, want %q", c.r, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "canary") {
			t.Errorf("the error shows a secret: %v", err)
		}
	}
	s := Secret("canary")
	js, _ := json.Marshal(s)
	if all := fmt.Sprintf("%v %s %q %+v %#v %s", s, s, s, struct{ S Secret }{s}, s, js); strings.Contains(all, "canary") {
		t.Errorf("a secret shows itself: %s", all)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.UnixMilli(t0)
	for _, c := range []struct {
		h    string
		want time.Duration
	}{
		{"", 0}, {"30", 30 * time.Second}, {"0", 0}, {"-5", 0}, {"soon", 0}, {"99999999999999999", time.Hour}, {"9223372036854775807", time.Hour}, {"99999999999999999999999999", time.Hour}, {"-99999999999999999999999999", 0},
		{"1.5", 0}, {" 7 ", 7 * time.Second}, {"3600", time.Hour}, {"Fri, 31 Dec 9999 23:59:59 GMT", time.Hour}, {"Mon, 02 Mar 1026 13:02:00 GMT", 0},
		{"Mon, 02 Mar 2026 14:02:00 GMT", 2 * time.Minute}, {"Mon, 02 Mar 2026 13:02:00 GMT", 0},
	} {
		if got := retryAfter(c.h, now); got != c.want {
			t.Errorf("retryAfter(%q) = %v, want %v", c.h, got, c.want)
		}
	}
}
