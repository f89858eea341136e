package main

import (
	"cmp"
	"context"
	"io"
	"net/http"

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

// serveAccept answers POST /-/accept?signal=ID: the act of kind level, by the door that was there before the others.
func (a *app) serveAccept(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	d := &act.Draft{Kind: act.Level, Signal: q.Get("signal"), Who: cmp.Or(q.Get("who"), "wrackline accept"), Why: q.Get("why")}
	err := speakerOf(r).may(a, d)
	if err == nil {
		_, err = a.say(r.Context(), d)
	}
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
