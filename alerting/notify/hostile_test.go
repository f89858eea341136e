package notify

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline/change"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
)

// hostileParts are what chats, pages, terminals and parsers act upon.
var hostileParts = []string{
	"<!channel>", "<!here|x>", "<@U0123ABC>", "<#C0123>", "<!subteam^S1>", "<https://evil.example|click>", "https://evil.example/x", "http://10.0.0.1", "mailto:a@b.example", "@here", "@channel", "@everyone", "@HERE", "*bold*", "_slanted_", "~struck~",
	"`code`", "```\nblock\n```", "> quoted", "&gt; quoted", "&lt;!channel&gt;", "&amp;", "\u202egnp.exe", "\u2066x\u2069", "\u200b", "\u2028", "\u2029", "\x00", "\x1b[31mred", "\r\n", "\n\n• item", ":rage:", ":a:b:c:", "<!date^0^{time}|x>", "|", ">", "<", "*", "_", "~",
	"`", "\"", "'", "\\", "{{ .Labels }}", "${HOME}", "$(rm -rf)", "%s%n", "<script>alert(1)</script>", "]]>", "\xff\xfe", "é", "日本語", "a_b_c", "__init__", "kube_pod_info", strings.Repeat("A", 400), strings.Repeat("*", 90), strings.Repeat("<", 120), "1. one", "- item", "# head", "",
}

// hostileValue makes the i-th value: each part alone, then mixtures.
func hostileValue(rng *rand.Rand, i int) string {
	if i < len(hostileParts) {
		return hostileParts[i]
	}
	var b strings.Builder
	for range 1 + rng.IntN(4) {
		b.WriteString(hostileParts[rng.IntN(len(hostileParts))])
		if rng.IntN(2) == 0 {
			b.WriteString([]string{" ", "", "x", "-", "."}[rng.IntN(5)])
		}
	}
	return b.String()
}

// withValue makes an incident all of whose foreign texts are v.
func withValue(v string) alerting.Notification {
	n := dnsIncident()
	inc := *n.Incident
	inc.Members = slices.Clone(inc.Members)
	for i := range inc.Members {
		m := &inc.Members[i]
		m.Entity = series.Labels{{Name: "cluster", Value: v}, {Name: "namespace", Value: v}, {Name: "node", Value: v}, {Name: "workload", Value: v}}
		m.Top = []signal.Member{{Name: v, Value: 1}}
		m.Name, m.Rule = "x.y", &pack.Rule{Name: "x.y", Pack: "x", Summary: "{{ $labels.namespace }} fails", Meaning: "It fails.", Causes: []string{"A cause."}, Next: []string{"kubectl -n {{ $labels.namespace }} get pods"}}
	}
	inc.Changes = []alerting.Cause{{Nearness: alerting.SameThing, Change: change.Change{T: t0, Kind: change.Rollout, Object: v, From: v, To: v}}}
	inc.Cluster, inc.Scope, inc.Title = v, inc.Members[0].Entity, inc.Members[inc.Lead].Sentence(true)
	n.Incident = &inc
	return n
}

// everyForm renders a value in every form that a chat gets.
func everyForm(v string) map[string]*slackPayload {
	const url = "https://wrackline.example"
	n := withValue(v)
	first := NewMessage(n, url)
	changed := *first
	changed.Reason = alerting.Changed
	changed.compare(&holding{T: t0 - 90*minute, Severity: pack.Warn})
	over := *first
	over.Reason, over.Resolved, over.How = alerting.Resolved, t0, "recovered"
	over.Since = changed.Since
	list := (*keptList)(nil).with(first, 1, time.UnixMilli(t0-minute))
	list = list.with(&Message{Incident: "other", Headline: v, Where: v, Onset: t0, Resolved: t0 + minute}, 2, time.UnixMilli(t0))
	digest := newDigest("k", list, time.UnixMilli(t0), time.UTC, url, "", func(string) bool { return true })
	l := &lane{box: &Outbox{}}
	l.miss(&ledger{}, &row{Since: t0 - minute}, first, time.UnixMilli(t0))
	return map[string]*slackPayload{
		"first": slackMessage(first, slackWebhook), "bot": slackMessage(first, slackFull), "changed": slackMessage(&changed, slackShort), "webhook changed": slackMessage(&changed, slackWebhook),
		"over": slackMessage(&over, slackShort), "resolved": slackMessage(&over, slackFull), "digest": slackMessage(digest, slackWebhook), "summary": slackMessage(summarise("k", l.missed, time.UnixMilli(t0), url), slackWebhook),
	}
}

var codeSpan = regexp.MustCompile("`[^`]*`")

// markup returns what a chat acts upon in a text, in order: it is ours alone when it does not depend on what labels say.
func markup(text string) string {
	text = codeSpan.ReplaceAllString(text, "`")
	text = regexp.MustCompile(`<https://wrackline\.example[a-z0-9/~.=%_-]*\|`).ReplaceAllString(text, "<L|")
	text = slackDate.ReplaceAllString(text, "<D>")
	var b strings.Builder
	for i, r := range text {
		switch {
		case strings.ContainsRune("<>*~`\n", r):
			b.WriteRune(r)
		case r == '_' && (i == 0 || i == len(text)-1 || strings.ContainsRune(" \n()/.,:", rune(text[i-1])) || strings.ContainsRune(" \n()/.,:", rune(text[i+1]))):
			b.WriteRune(r)
		}
	}
	return b.String()
}

var (
	smile   = regexp.MustCompile(`:[a-z0-9_+'-]+:`)
	mention = regexp.MustCompile(`(?i)@(here|channel|everyone|[a-z])`)
	linked  = regexp.MustCompile(`[a-z]://`)
	quoted  = regexp.MustCompile(`(?m)^(&gt;|>)`)
)

// Of 500 hostile label values none is anything but text: no mention, link, picture, markup or break of a line comes of it, in no form and for no reason; limits of Slack hold.
func TestFiveHundredHostileLabelValues(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(seed, 0))
	plain := everyForm("plain")
	for i := range 500 {
		v := hostileValue(rng, i)
		for form, p := range everyForm(v) {
			texts, want := textsOf(p), textsOf(plain[form])
			short := v != "" && len(slackEscape(v, 1000)) < 60 // else lines are left out, and what is cut may end a line
			if short && len(texts) != len(want) {
				t.Errorf("seed %d, %s, %q: %d texts, want %d", seed, form, v, len(texts), len(want))
				continue
			}
			for k, s := range texts {
				if short && markup(s) != markup(want[k]) {
					t.Errorf("seed %d, %s, %q: markup %q, want %q in %q", seed, form, v, markup(s), markup(want[k]), s)
				}
				bare := slackDate.ReplaceAllString(regexp.MustCompile(`<https://wrackline\.example[^|>]*\|`).ReplaceAllString(s, ""), "")
				spanless := codeSpan.ReplaceAllString(bare, "")
				if smile.MatchString(spanless) || linked.MatchString(spanless) || mention.MatchString(spanless) || quoted.MatchString(spanless) || slackCall.MatchString(bare) {
					t.Errorf("seed %d, %s, %q acts in %q", seed, form, v, s)
				}
				if strings.ContainsAny(s, "\u202e\u2066\u2069\u200b\u2028\u2029\x00\x1b\r") {
					t.Errorf("seed %d, %s, %q leaves what cannot be seen in %q", seed, form, v, s)
				}
			}
			checkLimits(t, p)
		}
		n := withValue(v)
		var hook webhookPayload
		if err := json.Unmarshal(webhookJSON(NewMessage(n, ""), "r", 0), &hook); err != nil || len(hook.Alerts) != 3 {
			t.Errorf("%q: %v", v, err)
		}
		for k, x := range newAMAlert(NewMessage(n, ""), nil).Labels {
			if x != oneLine(x, amLabelMax) || x == "" {
				t.Errorf("%q: label %s = %q", v, k, x)
			}
		}
		if t.Failed() {
			t.FailNow()
		}
	}
}

// textsOf returns what a chat reads as markup.
func textsOf(p *slackPayload) []string {
	texts := []string{p.Text}
	for _, b := range p.Blocks {
		if b.Text != nil {
			texts = append(texts, b.Text.Text)
		}
		for _, x := range slices.Concat(b.Fields, b.Elements) {
			texts = append(texts, x.Text)
		}
	}
	return texts
}

// checkLimits holds a message against Slack's documented limits, and ours.
func checkLimits(t *testing.T, p *slackPayload) {
	t.Helper()
	if b := plainJSON(p); len(b) > slackBytesMax || len(p.Blocks) > 50 || len(p.Blocks) < 2 || len(p.Text) > 3000 {
		t.Errorf("%d bytes, %d blocks, text of %d", len(b), len(p.Blocks), len(p.Text))
	}
	for _, b := range p.Blocks {
		if b.Text != nil && (len(b.Text.Text) > slackSectionMax || b.Text.Text == "" || !b.Text.Verbatim) {
			t.Errorf("a section of %d bytes, verbatim %t", len(b.Text.Text), b.Text.Verbatim)
		}
		for _, x := range b.Fields {
			if len(x.Text) > 2000 {
				t.Errorf("a field of %d bytes", len(x.Text))
			}
		}
		if a := b.Accessory; a != nil && (len(a.URL) > 3000 || !strings.HasPrefix(a.URL, "https://wrackline.example")) {
			t.Errorf("%+v", a)
		}
	}
}

func TestWhatIsNeutralStaysReadable(t *testing.T) {
	for in, want := range map[string]string{
		"kube_pod_info": "kube_pod_info", "coredns:1.14.1": "coredns:1.14.1", "*x*": "∗x∗", "_x_": "ˍxˍ", "__init__": "ˍˍinitˍˍ", "a_b_": "a_bˍ", "~x~": "∼x∼", ":rage:": ":\u2060rage:", "&gt;": "&amp;gt;", "> x": "\u2060&gt; x", "12:30": "12:30", "@here": "@\u2060here",
		"a:b:c:d": "a:\u2060b:\u2060c:d", "é_é": "éˍé",
	} {
		if got := slackEscape(in, 100); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestChangedIsShort(t *testing.T) {
	n := dnsIncident()
	inc := *n.Incident
	inc.Members = slices.Clone(inc.Members)
	for i := range 12 {
		m := inc.Members[2]
		m.SignalID, m.Opened = fmt.Sprint("n", i), t0+minute
		m.Entity = series.Labels{{Name: "cluster", Value: "prod"}, {Name: "namespace", Value: "shop"}, {Name: "workload", Value: fmt.Sprint("w", min(i, 8))}}
		inc.Members = append(inc.Members, m)
	}
	n.Incident, n.Reason, n.T = &inc, alerting.Changed, t0+2*minute
	m := NewMessage(n, "https://wrackline.example")
	m.compare(&holding{T: t0, Severity: pack.Warn})
	got := strings.Join(textsOf(slackMessage(m, slackShort)), "\n")
	want := "now of severity page, it was warn; +12 signals in 9 workloads since <!date^1772460000^{time}|14:00 UTC>; now 28 % (normal 0–0.2 %), worst 31.2 %"
	if !strings.Contains(got, want) || strings.Contains(got, "CoreDNS answers") {
		t.Errorf("%s", got)
	}
	whole := len(plainJSON(slackMessage(m, slackFull)))
	if short := len(plainJSON(slackMessage(m, slackShort))); short > whole*2/3 {
		t.Errorf("the second message has %d bytes of %d", short, whole)
	}
}
