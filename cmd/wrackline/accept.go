package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/wrackline/wrackline/alerting/act"
)

const acceptHelp = `Tells a running Wrackline that the level at which a signal is in alarm is its new normal. By itself it adopts a new level only when it was
steady for long: 30 hours where no side is bad, six where a rollout explains it; to the bad side only where a rollout does.

  wrackline accept 'wl.cpu_cores~cluster=prod~namespace=shop~workload=cart'
  wrackline accept --server https://wrackline.example ID…

The next window ends the alarm as adopted; the level before is remembered for four weeks, and a return to it is no news. An alarm of a ceiling or
of an event has no level to get used to: change the rule (packs.overrides). The answer comes once it is on disk.
`

func runAccept(ctx context.Context, e env, args []string) error {
	fs := newFlags(e, "accept")
	t := addTeller(fs)
	if err := parse(e, fs, args); err != nil {
		return err
	}
	if fs.NArg() == 0 {
		return usagef("want the id of a signal, as its page shows it")
	}
	return t.tell(ctx, e, "/-/accept?signal=", fs.Args())
}

// teller are the flags of commands that change something in a running Wrackline.
type teller struct{ server, tokenFile string }

func addTeller(fs *flag.FlagSet) *teller {
	t := &teller{}
	fs.StringVar(&t.server, "server", "http://localhost:9099", "`URL` of a running Wrackline; that of --web.admin-address where it has one")
	fs.StringVar(&t.tokenFile, "token-file", "", "`file` with the administrator's token (web.admin_token), which a Wrackline on another machine wants")
	return t
}

// tell asks a running Wrackline to do something for each name, and says what it answers. It ends at the first refusal.
func (t *teller) tell(ctx context.Context, e env, path string, names []string) error {
	base, err := serverURL(t.server)
	if err != nil {
		return err
	}
	var token string
	if t.tokenFile != "" {
		b, err := os.ReadFile(t.tokenFile)
		if err != nil {
			return err
		}
		if token = strings.TrimSpace(string(b)); token == "" || strings.ContainsFunc(token, unicode.IsControl) {
			return fmt.Errorf("%s does not hold a token", t.tokenFile)
		}
	}
	client := &http.Client{Timeout: time.Minute, // a checkpoint is written before the answer
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }} // it would become a GET
	for _, name := range names {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+path+url.QueryEscape(name), nil)
		if err != nil {
			return err
		}
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		res, err := client.Do(req)
		if err != nil {
			return err
		}
		text, _ := io.ReadAll(io.LimitReader(res.Body, 4096))
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s: %s", name, res.Status, plain(strings.TrimSpace(string(text))))
		}
		fmt.Fprintf(e.stdout, "%s: %s\n", name, plain(strings.TrimSpace(string(text))))
	}
	return nil
}

// serveAccept answers POST /-/accept?signal=ID: the act of kind level, by the door that was there before the others.
func (a *app) serveAccept(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	_, err := a.say(r.Context(), &act.Draft{Kind: act.Level, Signal: q.Get("signal"), Who: cmp.Or(q.Get("who"), "wrackline accept"), Why: q.Get("why")})
	if err != nil {
		code, text := refusalOf(err)
		if code == http.StatusServiceUnavailable {
			unavailable(w, err)
			return
		}
		http.Error(w, text, code)
		return
	}
	io.WriteString(w, "Its next window adopts the present level.\n")
}
