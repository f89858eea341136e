package uitest

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/chromedp/chromedp/kb"
)

// Walk goes through the pages of the server at baseURL the way a person in a hurry does: overview, an open incident, its
// first signal, zoom by dragging, reading by keys, filter, theme, help. The server must have an open incident with a
// signal that has history. Every page must stay free of errors and of violations of the content security policy, and
// must not be wider than a window of 500 pixels.
//
// shots is a directory for pictures, light and dark, 1280 and 500 pixels wide; "" takes none.
// Walk returns ErrNoBrowser when there is no Chromium.
func Walk(ctx context.Context, baseURL, shots string) error {
	ctx, cancel := context.WithTimeout(ctx, walkMost)
	defer cancel()
	b, err := Start(ctx)
	if err != nil {
		return err
	}
	defer b.Close()
	w := &walk{Browser: b, base: strings.TrimRight(baseURL, "/"), shots: shots}
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"overview", w.overview}, {"incident", w.incident}, {"signal", w.signal}, {"zoom", w.zoom}, {"read by keys", w.keys}, {"refresh", w.refresh},
		{"filter", w.filter}, {"theme", w.theme}, {"help", w.help}, {"pages", w.pages},
	} {
		if err := step.do(); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		if e := w.Errors(); len(e) > 0 {
			return fmt.Errorf("%s: the page complains: %s", step.name, strings.Join(e, "; "))
		}
	}
	return nil
}

// walkMost bounds a walk, lest a browser that hangs hold up a test for ever. An idle machine takes half a minute.
const walkMost = 6 * time.Minute

type walk struct {
	*Browser
	base, shots string
	signalURL   string
}

// must waits for each expression in turn.
func (w *walk) must(exprs ...string) error {
	for _, e := range exprs {
		if err := w.Wait(e); err != nil {
			return err
		}
	}
	return nil
}

// shoot takes four pictures of the present page and checks that it fits a narrow window.
func (w *walk) shoot(name string) error {
	here, err := w.Text("location.href")
	if err != nil {
		return err
	}
	for _, width := range []int{1280, 500} {
		for _, dark := range []bool{false, true} {
			v := View{Width: width, Height: 900, Dark: dark, Full: true}
			theme := "light"
			if dark {
				theme = "dark"
			}
			if err := w.look(v); err != nil {
				return err
			}
			if _, err := w.Text("scrollTo(0, 0)"); err != nil {
				return err
			}
			if width == 500 && !dark {
				wide, err := w.Text("document.documentElement.scrollWidth")
				if err != nil {
					return err
				}
				if wide != "500" {
					return fmt.Errorf("%s is %s pixels wide in a window of 500", here, wide)
				}
			}
			if w.shots == "" {
				continue
			}
			if err := w.picture(filepath.Join(w.shots, fmt.Sprintf("%s-%s-%d.png", name, theme, width)), v); err != nil {
				return err
			}
		}
	}
	return w.look(View{})
}

func (w *walk) overview() error {
	if err := w.Open(w.base + "/"); err != nil {
		return err
	}
	if err := w.must(`document.querySelector(".hero h1").textContent.match(/incident/i)`, `document.querySelector("main .card .chart .val")`); err != nil {
		return err
	}
	return w.shoot("overview")
}

func (w *walk) incident() error {
	if err := w.Click("main .card h3 a"); err != nil {
		return err
	}
	if err := w.must(`location.pathname.includes("/incidents/")`, `document.querySelector(".member .chart .val")`, `document.querySelector(".timeline li")`); err != nil {
		return err
	}
	return w.shoot("incident")
}

func (w *walk) signal() error {
	if err := w.Click(".member h3 a"); err != nil {
		return err
	}
	if err := w.must(`location.pathname.includes("/signals/")`, `document.querySelector("#chart .chart .val")`, `document.querySelector(".why")`); err != nil {
		return err
	}
	var err error
	if w.signalURL, err = w.Text("location.href"); err != nil {
		return err
	}
	return w.shoot("signal")
}

// zoom drags over the chart; the address must then name the range that was dragged over.
func (w *walk) zoom() error {
	was, err := w.Text(`document.querySelector("#chart").dataset.from + " " + document.querySelector("#chart").dataset.to`)
	if err != nil {
		return err
	}
	var from, to float64
	if _, err := fmt.Sscan(was, &from, &to); err != nil {
		return fmt.Errorf("range of the chart %q: %w", was, err)
	}
	if err := w.Drag("#chart svg.chart", 0.5, 0.9); err != nil {
		return err
	}
	if err := w.must(`new URLSearchParams(location.search).has("from")`, `document.readyState === "complete" && document.querySelector("#chart svg")`); err != nil {
		return err
	}
	now, err := w.Text(`new URLSearchParams(location.search).get("from") + " " + new URLSearchParams(location.search).get("to")`)
	if err != nil {
		return err
	}
	var zf, zt float64
	if _, err := fmt.Sscan(now, &zf, &zt); err != nil {
		return fmt.Errorf("range in the address %q: %w", now, err)
	}
	width := to - from
	if d := (zf - from - 0.5*width) / width; d > 0.02 || d < -0.02 {
		return fmt.Errorf("dragging from the middle of %s gave %s", was, now)
	}
	if d := (zt - from - 0.9*width) / width; d > 0.02 || d < -0.02 {
		return fmt.Errorf("dragging to nine tenths of %s gave %s", was, now)
	}
	return nil
}

func (w *walk) keys() error {
	if err := w.Open(w.signalURL); err != nil {
		return err
	}
	if _, err := w.Text(`document.querySelector("#chart").focus()`); err != nil {
		return err
	}
	if err := w.Keys(kb.ArrowLeft + kb.ArrowLeft); err != nil {
		return err
	}
	if err := w.must(`document.querySelector("#chart .readout.live").textContent.includes("UTC")`, `document.querySelector("#chart .chart > .cursor")`); err != nil {
		return err
	}
	if err := w.Keys(kb.Escape); err != nil {
		return err
	}
	return w.must(`!document.querySelector(".readout.live")`)
}

// refresh marks the page's content; coming back to the page must replace it, and keep what was unfolded.
func (w *walk) refresh() error {
	if err := w.Open(w.signalURL); err != nil {
		return err
	}
	if _, err := w.Text(`(document.getElementById("expr").open = true, document.querySelector("main").firstElementChild.dataset.old = "1", document.dispatchEvent(new Event("visibilitychange")))`); err != nil {
		return err
	}
	return w.must(`!document.querySelector("[data-old]")`, `document.getElementById("expr").open`)
}

func (w *walk) filter() error {
	if err := w.Open(w.base + "/"); err != nil {
		return err
	}
	if err := w.Keys("/"); err != nil {
		return err
	}
	if err := w.must(`location.pathname.endsWith("/signals")`, `document.activeElement?.id === "filter"`); err != nil {
		return err
	}
	if err := w.shoot("signals"); err != nil {
		return err
	}
	if err := w.Keys("zzz-no-such-thing" + kb.Enter); err != nil {
		return err
	}
	return w.must(`new URLSearchParams(location.search).get("q") === "zzz-no-such-thing"`, `document.querySelector("main .empty")`)
}

func (w *walk) theme() error {
	if err := w.Open(w.base + "/"); err != nil {
		return err
	}
	shade := `getComputedStyle(document.body).backgroundColor`
	light, err := w.Text(shade)
	if err != nil {
		return err
	}
	for _, want := range []string{"light", "dark"} {
		if err := w.Keys("t"); err != nil {
			return err
		}
		if err := w.must(`document.documentElement.dataset.theme === "` + want + `"`); err != nil {
			return err
		}
	}
	dark, err := w.Text(shade)
	if err != nil {
		return err
	}
	if dark == light {
		return errors.New("dark looks like light")
	}
	// The choice must be there before anything is drawn on the next page.
	if err := w.Open(w.base + "/status"); err != nil {
		return err
	}
	if err := w.must(`document.documentElement.dataset.theme === "dark"`); err != nil {
		return err
	}
	if err := w.Keys("t"); err != nil {
		return err
	}
	return w.must(`document.documentElement.dataset.theme === undefined`)
}

func (w *walk) help() error {
	if err := w.Keys("?"); err != nil {
		return err
	}
	if err := w.must(`document.getElementById("help").open`); err != nil {
		return err
	}
	if err := w.Keys(kb.Escape); err != nil {
		return err
	}
	if err := w.must(`!document.getElementById("help").open`); err != nil {
		return err
	}
	if err := w.Keys("gi"); err != nil {
		return err
	}
	return w.must(`location.pathname.endsWith("/incidents")`, `document.querySelector("main h1")`)
}

func (w *walk) pages() error {
	for _, name := range []string{"incidents", "receivers", "status"} {
		if err := w.Open(w.base + "/" + name); err != nil {
			return err
		}
		if err := w.shoot(name); err != nil {
			return err
		}
	}
	return nil
}
