// Package uitest walks through the pages in a real browser, as a person would, and takes pictures.
// Tests use it against a fake cluster and against the demo; it needs Chromium and knows nothing of Wrackline's types.
package uitest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// ErrNoBrowser is returned when no Chromium is installed; a test may skip then.
var ErrNoBrowser = errors.New("no chromium in PATH")

// Find returns the path of a Chromium, or ErrNoBrowser.
func Find() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			return p, nil
		}
	}
	return "", ErrNoBrowser
}

// Browser is one tab of a headless browser. It remembers every error that a page logs. Use it from one goroutine.
type Browser struct {
	ctx   context.Context
	close []context.CancelFunc

	mu     sync.Mutex // guards errors: the tab's own goroutine adds to them
	errors []string
}

// Start opens a browser with an empty profile. It lives until Close or until ctx ends.
func Start(ctx context.Context) (*Browser, error) {
	bin, err := Find()
	if err != nil {
		return nil, err
	}
	profile, err := os.MkdirTemp("", "wrackline-browser-")
	if err != nil {
		return nil, err
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(bin), chromedp.UserDataDir(profile), chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("hide-scrollbars", true))
	if os.Geteuid() == 0 { // the sandbox refuses root
		opts = append(opts, chromedp.NoSandbox)
	}
	b := &Browser{}
	alloc, cancel := chromedp.NewExecAllocator(ctx, opts...)
	b.close = append(b.close, func() { os.RemoveAll(profile) }, cancel)
	tab, cancel := chromedp.NewContext(alloc, chromedp.WithListener(b.listen))
	b.close = append(b.close, cancel)
	b.ctx = tab
	if err := chromedp.Do(tab, chromedp.EmulateViewport(1280, 900)); err != nil {
		b.Close()
		return nil, fmt.Errorf("start %s: %w", bin, err)
	}
	return b, nil
}

// Close ends the browser and removes its profile.
func (b *Browser) Close() {
	for i := len(b.close) - 1; i >= 0; i-- {
		b.close[i]()
	}
	b.close = nil
}

func (b *Browser) note(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.errors) < 50 {
		b.errors = append(b.errors, fmt.Sprintf(format, args...))
	}
}

// listen keeps what a page complains about: exceptions, console errors, and the browser's own log, where violations of
// the content security policy and answers that failed are written.
func (b *Browser) listen(ev any) {
	switch e := ev.(type) {
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if x := e.ExceptionDetails.Exception; x != nil {
			text += " " + x.Description
		}
		b.note("exception: %s", text)
	case *runtime.EventConsoleAPICalled:
		if e.Type == "error" || e.Type == "assert" || e.Type == "warning" {
			var parts []string
			for _, a := range e.Args {
				parts = append(parts, a.Description+string(a.Value))
			}
			b.note("console.%s: %s", e.Type, strings.Join(parts, " "))
		}
	case *log.EventEntryAdded:
		if e.Entry != nil && (e.Entry.Level == "error" || e.Entry.Source == "security") {
			b.note("%s: %s (%s)", e.Entry.Source, e.Entry.Text, e.Entry.URL)
		}
	}
}

// Errors returns what pages have complained about since the last call.
func (b *Browser) Errors() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.errors
	b.errors = nil
	return e
}

// Open goes to an address and waits until the page has loaded.
func (b *Browser) Open(url string) error {
	if err := chromedp.Do(b.ctx, chromedp.Navigate(url)); err != nil {
		return fmt.Errorf("open %s: %w", url, err)
	}
	return b.Wait("document.readyState === 'complete' && !!document.querySelector('main h1')")
}

// patience is how long something is waited for that comes within a moment on an idle machine.
const patience = time.Minute

// until asks again and again whether something has come.
func (b *Browser) until(come func() bool) error {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	for !come() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil
}

// Wait waits, for up to a minute, until the expression is true in the page. A navigation in between is no error.
func (b *Browser) Wait(expr string) error {
	var last error
	err := b.until(func() bool {
		var ok bool
		ok, last = chromedp.Run(b.ctx, chromedp.Evaluate[bool]("!!("+expr+")"))
		return last == nil && ok
	})
	if err == nil || b.ctx.Err() != nil {
		return err
	}
	where, _ := chromedp.Run(b.ctx, chromedp.Location())
	if last != nil {
		return fmt.Errorf("wait for %s at %s: %w", expr, where, last)
	}
	return fmt.Errorf("waited in vain for %s at %s", expr, where)
}

// WaitError waits, for up to a minute, until a page has complained with a text. What was complained of until then counts as told.
func (b *Browser) WaitError(text string) error {
	var all []string
	err := b.until(func() bool {
		all = append(all, b.Errors()...)
		return slices.ContainsFunc(all, func(e string) bool { return strings.Contains(e, text) })
	})
	if err != nil {
		return fmt.Errorf("no page complains of %q but of %q: %w", text, all, err)
	}
	return nil
}

// Text evaluates an expression that gives a string.
func (b *Browser) Text(expr string) (string, error) {
	s, err := chromedp.Run(b.ctx, chromedp.Evaluate[string]("String("+expr+")"))
	if err != nil {
		return "", fmt.Errorf("evaluate %s: %w", expr, err)
	}
	return s, nil
}

// Click clicks the first element that a CSS selector finds, with the mouse.
func (b *Browser) Click(selector string) error {
	x, y, _, _, err := b.box(selector)
	if err != nil {
		return err
	}
	if err := chromedp.Do(b.ctx, chromedp.MouseClickXY(x, y)); err != nil {
		return fmt.Errorf("click %s: %w", selector, err)
	}
	return nil
}

// Fill types a text into the field that a CSS selector finds, in place of what stands there; of a list it chooses the entry of that value.
func (b *Browser) Fill(selector, text string) error {
	q, _ := json.Marshal(selector)
	v, _ := json.Marshal(text)
	kind, err := b.Text(`(() => { const e = document.querySelector(` + string(q) + `); if (!e) return "none"; e.scrollIntoView({block: "center"}); e.focus();
		if (e.tagName !== "SELECT") { e.select(); return "text"; }
		e.value = ` + string(v) + `; e.dispatchEvent(new Event("change", {bubbles: true})); return e.value === ` + string(v) + ` ? "list" : "no such entry"; })()`)
	switch {
	case err != nil:
		return err
	case kind == "list":
		return nil
	case kind != "text":
		return fmt.Errorf("fill %s: %s", selector, kind)
	}
	return b.Keys(text)
}

// box scrolls an element into view and returns its centre and size in pixels of the viewport.
func (b *Browser) box(selector string) (x, y, w, h float64, err error) {
	q, _ := json.Marshal(selector)
	r, err := chromedp.Run(b.ctx, chromedp.Evaluate[[]float64](`(() => { const e = document.querySelector(`+string(q)+`); if (!e) return [];
		e.scrollIntoView({block: "center"}); const r = e.getClientRects()[0] ?? e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2, r.width, r.height]; })()`))
	if err != nil {
		return 0, 0, 0, 0, fmt.Errorf("find %s: %w", selector, err)
	}
	if len(r) != 4 || r[2] == 0 {
		return 0, 0, 0, 0, fmt.Errorf("nothing to see at %s", selector)
	}
	return r[0], r[1], r[2], r[3], nil
}

// Drag presses the mouse in an element at a share of its width, moves to another share and lets go.
func (b *Browser) Drag(selector string, from, to float64) error {
	x, y, w, _, err := b.box(selector)
	if err != nil {
		return err
	}
	left := x - w/2
	if err := chromedp.Do(b.ctx, chromedp.DragAndDropXY(left+from*w, y, left+to*w, y, 8)); err != nil {
		return fmt.Errorf("drag in %s: %w", selector, err)
	}
	return nil
}

// Keys presses keys one after the other; see chromedp's kb for those without a character.
func (b *Browser) Keys(keys string) error {
	if err := chromedp.Do(b.ctx, chromedp.KeyEvent(keys)); err != nil {
		return fmt.Errorf("press %q: %w", keys, err)
	}
	return nil
}

// View is how a page is looked at.
type View struct {
	Width, Height int  // of the window, pixels; 0 = 1280 × 900
	Dark          bool // the system prefers dark
	Full          bool // the picture shows the whole page, not only the window
	Scale         float64
}

// Shoot opens an address and writes a picture of it as PNG.
func (b *Browser) Shoot(url, file string, v View) error {
	if err := b.look(v); err != nil {
		return err
	}
	if err := b.Open(url); err != nil {
		return err
	}
	return b.picture(file, v)
}

// Look changes how the present page is looked at.
func (b *Browser) Look(v View) error { return b.look(v) }

// Picture writes a picture of the present page as PNG.
func (b *Browser) Picture(file string, v View) error { return b.picture(file, v) }

// look sets the window's size and the system's theme.
func (b *Browser) look(v View) error {
	if v.Width == 0 {
		v.Width = 1280
	}
	if v.Height == 0 {
		v.Height = 900
	}
	if v.Scale == 0 {
		v.Scale = 1
	}
	theme := "light"
	if v.Dark {
		theme = "dark"
	}
	return chromedp.Do(b.ctx, chromedp.EmulateViewport(int64(v.Width), int64(v.Height), chromedp.EmulateScale(v.Scale)),
		chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
			_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}}})
			return err
		}))
}

func (b *Browser) picture(file string, v View) error {
	shot := chromedp.CaptureScreenshot()
	if v.Full {
		shot = chromedp.FullScreenshot(100)
	}
	png, err := chromedp.Run(b.ctx, shot)
	if err != nil {
		return fmt.Errorf("picture %s: %w", file, err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, png, 0o644)
}

// Screenshot opens one page in a browser of its own and writes a picture of it, for a README.
// url is the page's address, file ends in .png.
func Screenshot(ctx context.Context, url, file string, v View) error {
	b, err := Start(ctx)
	if err != nil {
		return err
	}
	defer b.Close()
	return b.Shoot(url, file, v)
}
