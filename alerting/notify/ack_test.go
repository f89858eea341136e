package notify

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/alerting/route"
	"github.com/wrackline/wrackline/baseline/pack"
)

// holders say who has which incident.
type holders struct {
	mu  sync.Mutex
	who map[string]string
}

func (h *holders) holder(incident string) (string, int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.who[incident], time.Now().UnixMilli()
}

func (h *holders) set(incident, who string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.who == nil {
		h.who = map[string]string{}
	}
	h.who[incident] = who
}

// muteAll lets an act keep all of an incident from being told; "" = none does.
func (d *desk) muteAll(id, by string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	inc := *d.inc[id]
	inc.Members = append(inc.Members[:0:0], inc.Members...)
	for i := range inc.Members {
		inc.Members[i].Muted = by
	}
	d.inc[id] = &inc
}

// TestAHeldIncidentIsNeitherRepeatedNorEscalated walks through time tables: a page at 0:00 that is repeated each hour and escalated after two, and what people do meanwhile.
func TestAHeldIncidentIsNeitherRepeatedNorEscalated(t *testing.T) {
	type act struct {
		at time.Duration
		do string // "ack X", "undo X", "silence X", "unsilence X", "worse", "over"
	}
	const m, h = time.Minute, time.Hour
	for _, c := range []struct {
		name  string
		acts  []act
		pager string // minutes at which the pager is told of i1, with r for a repeat, c for a change, o for the end
		shop  string // … and who is told when it lasts
	}{
		{"nobody does anything", nil, "0 60r 120r 180r 240r", "120"},
		{"acknowledged", []act{{30 * m, "ack i1"}}, "0", ""},
		{"another one is acknowledged", []act{{30 * m, "ack other"}}, "0 60r 120r 180r 240r", "120"},
		{"acknowledged after it was escalated", []act{{150 * m, "ack i1"}}, "0 60r 120r", "120"},
		{"acknowledged and given back before it is due", []act{{10 * m, "ack i1"}, {20 * m, "undo i1"}}, "0 60r 120r 180r 240r", "120"},
		{"given back when it was due long ago", []act{{30 * m, "ack i1"}, {210*m + 30*time.Second, "undo i1"}}, "0 211r", "211"},
		{"acknowledged, then worse", []act{{30 * m, "ack i1"}, {90 * m, "worse"}}, "0 90c", ""},
		{"acknowledged, then over", []act{{30 * m, "ack i1"}, {90 * m, "over"}}, "0 90o", ""},
		{"escalated, acknowledged, over", []act{{150 * m, "ack i1"}, {170 * m, "over"}}, "0 60r 120r 170o", "120 170o"},
		{"silenced for two hours", []act{{30 * m, "silence i1"}, {150*m + 30*time.Second, "unsilence i1"}}, "0 151r 211r", "151"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				root := &route.Route{Receiver: "pager", RepeatInterval: "1h", Escalate: &route.Escalation{After: "2h", Receiver: "shop"}}
				d, who := &desk{}, &holders{}
				r := newRig(t, Options{Receivers: threeHooks, Route: root, Current: d.current, Holder: who.holder}, nil)
				r.run()
				start := time.Now()
				r.put(d.set(about("i1", pack.Page, alerting.First, 0, "a")), d.set(about("other", pack.Page, alerting.First, 0, "b")))
				for i, x := range c.acts {
					time.Sleep(start.Add(x.at).Sub(time.Now()))
					what, id, _ := strings.Cut(x.do, " ")
					switch what {
					case "ack":
						who.set(id, "anna")
					case "undo":
						who.set(id, "")
					case "silence":
						d.muteAll(id, "x")
					case "unsilence":
						d.muteAll(id, "")
					case "worse":
						r.put(d.set(about("i1", pack.Page, alerting.Changed, 1, "a")))
					case "over":
						r.put(d.set(about("i1", pack.Page, alerting.Resolved, 1, "a")))
					}
					if i == 0 && x.at == 30*m { // who has it is asked anew in each life
						r.close()
						r.open()
						r.run()
					}
				}
				time.Sleep(start.Add(4*h + 30*time.Second).Sub(time.Now()))
				got := map[string]string{}
				for _, x := range r.far.got() {
					if incidentOf(x) != "i1" {
						continue
					}
					mark := ""
					for words, letter := range map[string]string{"repeat interval elapsed": "r", "new alerts added": "c", "all alerts resolved": "o"} {
						if strings.Contains(string(x.body), words) {
							mark = letter
						}
					}
					to := x.url[strings.LastIndexByte(x.url, '/')+1:]
					got[to] += fmt.Sprintf(" %d%s", x.at.Sub(start)/m, mark)
					if held := strings.Contains(string(x.body), `"held_by":"anna has it since `); held != (mark == "c") {
						t.Errorf("%d min%s: who has it is said: %v", x.at.Sub(start)/m, mark, held)
					}
				}
				if strings.TrimSpace(got["pager"]) != c.pager || strings.TrimSpace(got["shop"]) != c.shop {
					t.Errorf("pager%s, shop%s; want pager %s, shop %s", got["pager"], got["shop"], c.pager, c.shop)
				}
				if n := len(r.dead()); n != 0 {
					t.Errorf("%d given up", n)
				}
			})
		})
	}
}

// TestMessagesSayWhoHasIt: every form of a message about an incident that somebody has says so once, and none that is over or that nobody has.
func TestMessagesSayWhoHasIt(t *testing.T) {
	m := *NewMessage(dnsIncident(), "https://w.example")
	m.Since = &Since{T: m.T - 60_000, Severity: m.Severity}
	plain := m
	m.Holder = &Moment{m.T - 60_000, "<anna> has it"}
	for name, text := range map[string]func(*Message) string{
		"text":          func(m *Message) string { return m.Text() },
		"webhook":       func(m *Message) string { return string(webhookJSON(m, "ops", 1)) },
		"slack webhook": func(m *Message) string { return string(slackJSON(m, "")) },
		"slack full":    func(m *Message) string { return string(plainJSON(slackMessage(m, slackFull))) },
		"slack short":   func(m *Message) string { return string(plainJSON(slackMessage(m, slackShort))) },
	} {
		if got := text(&m); !strings.Contains(got, "anna") || strings.HasPrefix(name, "slack") && strings.Count(got, "&lt;anna&gt; has it since ") != 1 {
			t.Errorf("%s: %s", name, got)
		}
		if got := text(&plain); strings.Contains(got, "has it") {
			t.Errorf("%s, of nobody: %s", name, got)
		}
	}
}
