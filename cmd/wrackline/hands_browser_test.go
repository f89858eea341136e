package main

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
)

// stops presses the tab key until an element that a selector finds has the focus.
func (s *school) stops(selector string) {
	s.t.Helper()
	for range 80 {
		s.must(s.b.Keys("\t"))
		if on, err := s.b.Text("document.activeElement?.matches(" + quoteJS(selector) + ")"); err == nil && on == "true" {
			return
		}
	}
	s.must(s.b.Wait("false && " + quoteJS(selector)))
}

func quoteJS(text string) string { return "`" + text + "`" }

// TestFormsByMouseAndKeyboard clicks what no other test does: "not mine", "too small", "this level is normal" and the form for the token; and acknowledges and silences without a mouse.
func TestFormsByMouseAndKeyboard(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a quarter of a minute")
	}
	t.Parallel()
	s := newSchool(t)
	s.send(120, nil)
	s.send(45, map[string]float64{"teach": 1000})
	s.soon("the alarm is told", func() bool { return s.heard("teach") == 1 })
	id := s.open()["teach"]
	if id == "" {
		t.Fatal("no incident is open")
	}
	page := s.url + "/incidents/" + id
	forms := `document.querySelector("form.fields")`

	// Not mine: another receiver from now on.
	s.must(s.b.Open(page), s.b.Click(`.handsbar a[href*="of=route"]`), s.b.Wait(forms))
	here, err := s.b.Text("location.pathname + location.search")
	s.must(err)
	if text := s.form(here, "select[name=not_for]", "ops", "select[name=to]", "night", "input[name=who]", "anna"); !strings.Contains(text, "it would have led at least 1 past ops") && !strings.Contains(text, "past ops") {
		t.Errorf("not mine: %s", text)
	}
	s.save()
	// Too small: what it would have removed is seen before it is saved.
	s.must(s.b.Open(page), s.b.Click(`.handsbar a[href*="of=effect"]`), s.b.Wait(forms))
	here, err = s.b.Text("location.pathname + location.search")
	s.must(err)
	if value, err := s.b.Text(`document.querySelector("input[name=effect]").value`); err != nil || value == "" {
		t.Errorf("too small suggests no effect: %q %v", value, err)
	}
	if text := s.form(here, "input[name=effect]", "5000", "input[name=who]", "anna"); !strings.Contains(text, "it would have removed at least 1") {
		t.Errorf("too small: %s", text)
	}
	s.save()
	var acts struct {
		Data struct {
			Acts []struct {
				ID, Kind string
				NotFor   string `json:"not_for"`
				To       string
				Effect   *float64
			}
		}
	}
	s.json("/api/v1/acts?in_force=1", &acts)
	routed, small := "", ""
	for _, x := range acts.Data.Acts {
		switch {
		case x.NotFor == "ops" && x.To == "night":
			routed = x.ID
		case x.Effect != nil && *x.Effect == 5000:
			small = x.ID
		}
	}
	if routed == "" || small == "" {
		t.Fatalf("what was said: %+v", acts.Data.Acts)
	}
	s.api("/api/v1/acts/undo", `{"id":"`+small+`","who":"otto"}`)

	// By the keyboard alone: somebody has it, then it is silenced.
	s.must(s.b.Open(page))
	s.stops(".handsbar input[name=who]")
	s.must(s.b.Keys("kay"))
	s.stops(".handsbar button.main")
	s.must(s.b.Keys("\r"), s.b.Wait(`document.querySelector(".handsbar").innerText.includes("kay has it")`))
	s.stops(`.handsbar a[href*="kind=silence"]`)
	s.must(s.b.Keys("\r"), s.b.Wait(forms))
	s.stops("form.fields button.main")
	s.must(s.b.Keys("\r"), s.b.Wait(`document.querySelector("#save")`))
	s.stops("#save")
	s.must(s.b.Keys("\r"), s.b.Wait(`document.readyState === "complete" && !!document.querySelector(".handsbar") && !document.querySelector("#save")`))
	s.send(3, map[string]float64{"teach": 1000})
	s.must(s.b.Open(page), s.b.Wait(`document.querySelector(".handsbar").innerText.includes("Nobody is told")`))

	// This level is normal: its page says the signal, and the alarm ends.
	s.must(s.b.Open(page), s.b.Click(`.handsbar a[href*="kind=level"]`), s.b.Wait(forms), s.b.Click("form.fields button.main"), s.b.Wait(`document.querySelector("#save")`))
	s.save()
	s.send(30, map[string]float64{"teach": 1000})
	s.soon("the alarm ends, for its level is normal", func() bool { return s.open()["teach"] == "" })

	s.token(page)
	if e := s.b.Errors(); len(e) > 2 { // of a wrong token the browser says so itself, and looks for an icon there
		t.Errorf("pages complain: %s", strings.Join(e, "; "))
	}
}

// token comes from elsewhere, behind a proxy: nothing can be done before the token was shown, a wrong one is none, and it is forgotten when asked.
func (s *school) token(page string) {
	s.t.Helper()
	to, err := url.Parse(s.url)
	s.must(err)
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Header.Set("X-Forwarded-For", "203.0.113.9")
		if r.In.Header.Get("Origin") != "" {
			r.Out.Header.Set("Origin", s.url)
		}
	}})
	defer proxy.Close()
	far := strings.Replace(page, s.url, proxy.URL, 1)
	s.must(s.b.Open(far), s.b.Wait(`document.querySelector("#enter") && !document.querySelector(".handsbar .actions")`))
	s.must(s.b.Click("#enter summary"), s.b.Fill("#enter input[name=token]", "wrong-wrong-wrong"), s.b.Click("#enter button"), s.b.Wait(`document.body.innerText.includes("not the token")`))
	s.must(s.b.Open(far), s.b.Click("#enter summary"), s.b.Fill("#enter input[name=token]", schoolToken), s.b.Click("#enter button"), s.b.Wait(`document.querySelector(".handsbar .actions")`))
	s.must(s.b.Open(proxy.URL+"/acts"), s.b.Click(`form[action$="/acts/leave"] button`), s.b.Wait(`document.querySelector("#enter")`))
	if res, err := http.Post(proxy.URL+"/api/v1/acts", "application/json", strings.NewReader(`{"kind":"ack","who":"x","incident":"y"}`)); err != nil || res.StatusCode != http.StatusForbidden {
		s.t.Errorf("without the token: %v %v", res, err)
	} else {
		res.Body.Close()
	}
}
