package ui

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/signal"
	"github.com/wrackline/wrackline/ui/uitest"
)

// The questions that whoever is woken asks first, as docs/glance.md lists them.
var glanceQuestions = []string{"what", "since", "bad", "first", "changed", "next", "who"}

// crowded is the fake cluster with so many open incidents, the worst of them the fake's own, and 10,000 signals.
func crowded(incidents int) *fake {
	f := newFake()
	open := byUrgency(f.snap.Open)
	worst := open[0]
	snap := *f.snap
	snap.Open = []*alerting.Incident{worst}
	for i := 1; i < incidents; i++ {
		x := *open[len(open)-1]
		x.ID = fmt.Sprintf("inc_more%04d", i)
		x.Title = fmt.Sprintf("worker-%d fills by 3.1 %% a day and is full in 9 d", i)
		snap.Open = append(snap.Open, &x)
	}
	f.snap = &snap
	view := *f.view
	for i := 0; len(view.Signals) < 10_000; i++ {
		of := f.view.Signals[i%len(f.view.Signals)]
		s := *of.Signal
		s.ID += fmt.Sprintf("~pad=%06d", i)
		v := baseline.SignalView{Verdict: of.Verdict, Since: of.Since, Why: of.Why}
		v.Signal = (*signal.Signal)(&s)
		v.State, v.Score = 1, 0
		view.Signals = append(view.Signals, &v)
	}
	f.view = &view
	return f
}

const glanceScript = `JSON.stringify([...%s].map((q) => {
	const e = document.querySelector("[data-q=" + q + "]");
	if (!e) return q + " is not answered";
	const r = e.getBoundingClientRect();
	if (!e.innerText.trim()) return q + " is empty";
	if (r.height === 0 || r.top < 0 || r.bottom > innerHeight) return q + " lies below the fold: " + Math.round(r.top) + " to " + Math.round(r.bottom) + " of " + innerHeight;
	if (r.left < 0 || r.right > innerWidth + 1) return q + " is wider than the window: " + Math.round(r.right);
	const hit = document.elementFromPoint(r.left + 3, r.top + r.height / 2);
	if (!hit || !(e.contains(hit) || hit.contains(e))) return q + " is covered";
	return "";
}).filter((x) => x))`

// TestAnsweredAtAGlance: what is wrong, since when, how bad, what moved first, what changed, what to do and who has it stand above the fold of overview, list and incident, in windows of 1400, 900 and 500 pixels, light and
// dark, with 1, 12 and 300 incidents and 10,000 signals, for somebody who may act. WRACKLINE_GLANCE names a directory that keeps the pictures.
func TestAnsweredAtAGlance(t *testing.T) {
	b := browser(t)
	defer b.Close()
	questions, _ := json.Marshal(glanceQuestions)
	shots := os.Getenv("WRACKLINE_GLANCE")
	for _, n := range []int{1, 12, 300} {
		f := crowded(n)
		srv := httptest.NewServer(New(f, Options{May: func(*http.Request) Access { return Access{May: true} }}))
		for name, path := range map[string]string{"overview": "/", "incidents": "/incidents", "incident": "/incidents/" + f.snap.Open[0].ID} {
			if err := b.Look(uitest.View{Width: 1400}); err != nil {
				t.Fatal(err)
			}
			if err := b.Open(srv.URL + path); err != nil {
				t.Fatal(err)
			}
			for _, width := range []int{1400, 900, 500} {
				for _, dark := range []bool{false, true} {
					v := uitest.View{Width: width, Height: 900, Dark: dark}
					if err := b.Look(v); err != nil {
						t.Fatal(err)
					}
					text, err := b.Text(fmt.Sprintf(glanceScript, questions))
					if err != nil {
						t.Fatal(err)
					}
					var bad []string
					if err := json.Unmarshal([]byte(text), &bad); err != nil {
						t.Fatal(err)
					}
					if len(bad) > 0 {
						t.Errorf("%s, %d incidents, %d pixels, dark %t: %s", name, n, width, dark, strings.Join(bad, "; "))
					}
					if shots != "" && n == 12 {
						theme := map[bool]string{false: "light", true: "dark"}[dark]
						if err := b.Picture(filepath.Join(shots, fmt.Sprintf("%s-%s-%d.png", name, theme, width)), v); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
		}
		srv.Close()
	}
	if e := b.Errors(); len(e) > 0 {
		t.Errorf("pages complain: %s", strings.Join(e, "; "))
	}
}
