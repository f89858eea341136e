package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/user"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/alerting/act"
	"github.com/wrackline/wrackline/alerting/route"
)

// The commands by which people say something of alarms have one shape: add (which need not be said), list, undo; a lesson has export, diff and import, too.

const sayWhere = `
Said to a running Wrackline (--server). On its own machine no token is needed; elsewhere --token-file names a file with web.admin_token.
Everything is kept with who, when and why, is seen on the page "Silences & lessons", and can be undone. Times are UTC; --json gives what the API gives.
`

const ackHelp = `Somebody has an incident: it is neither repeated nor escalated, and messages, lists and its page say who has it. What gets worse is told as ever.

  wrackline ack inc_5f0c3a                              the id is in the message, on the page and in /api/v1/incidents
  wrackline ack --why "disk is being replaced" inc_5f0c3a inc_77b2e1
  wrackline ack list                                    who has what; --all lists what was given back, too
  wrackline ack undo ID                                 give it back: what is due is told within a minute
` + sayWhere

const silenceHelp = `Alarms that match are told to nobody until an end. They are judged and listed all the same; what still stands at the end is told then.

  wrackline silence --for 2h --why "load test" 'workload="cart"' 'namespace="shop"'
  wrackline silence --until 2026-03-02T06:00 --preview 'node=~"pool-b-.*"'    what it would have kept from being sent; nothing is said
  wrackline silence list
  wrackline silence undo ID

Matchers are label, one of = != =~ !~, value; all must match. Labels: cluster, namespace, workload, node, signal, pack, severity, id. At most 90 days:
what is normal for longer is a lesson.
` + sayWhere

const maintenanceHelp = `A silence that begins later, or comes again at hours of the week.

  wrackline maintenance --from 2026-03-01T22:00 --for 4h --why upgrade 'cluster="eu-1"'
  wrackline maintenance --days saturday --start 02:00 --end 05:00 --location Europe/Berlin 'workload="backup"'
  wrackline maintenance list
  wrackline maintenance undo ID

A window that comes again needs no end and may take half of the time at most; one that comes once has an end within 90 days.
` + sayWhere

const lessonHelp = `What is normal, for good: alarms of one signal within bounds, at hours of the week if you like. What goes beyond is told as ever.

  wrackline lesson --at-most 3.5 --days monday:friday --start 02:00 --end 03:00 'signal="wl.cpu_cores"' 'workload="report"'
  wrackline lesson --effect 0.05 'signal="wl.error_ratio"' 'namespace="shop"'    too small: told only when it is further from what is expected
  wrackline lesson --at-least 0 --preview 'signal="wl.requests"' 'workload="batch"'
  wrackline lesson --not-for shop-team --to platform 'pack="dns"' 'namespace="shop"'    not mine: another receiver is told
  wrackline lesson list
  wrackline lesson undo ID
  wrackline lesson export >lessons.yaml            the rules that hold, to review and keep in git
  wrackline lesson diff lessons.yaml               how the file differs from what holds; exit code 3 where it does
  wrackline lesson import lessons.yaml             adds what is in the file alone; --prune takes back what is not in it

Bounds are in the signal's unit: --at-most is about high alarms, --at-least about low ones, --effect about both, --absent about silence.
` + sayWhere

func runAck(ctx context.Context, e env, args []string) error {
	return runSay(ctx, e, act.Ack, args)
}
func runSilence(ctx context.Context, e env, args []string) error {
	return runSay(ctx, e, act.Silence, args)
}
func runMaintenance(ctx context.Context, e env, args []string) error {
	return runSay(ctx, e, act.Maintenance, args)
}
func runLesson(ctx context.Context, e env, args []string) error {
	return runSay(ctx, e, act.Lesson, args)
}

// sayer is one of those commands.
type sayer struct {
	*teller
	e        env
	kind     act.Kind
	who, why string
	json     bool

	forHow, until, from                 string // of add
	days, start, end, location          string
	atMost, atLeast, effect, notFor, to string
	absent, preview, all, prune         bool
}

// flags declares what the kind takes.
func (s *sayer) flags(fs *flag.FlagSet) {
	s.teller = addTeller(fs)
	fs.StringVar(&s.who, "who", "", "your `name`, so that others know whom to ask; default: that of your account on this machine")
	fs.StringVar(&s.why, "why", "", "the `reason`, for others and for later")
	fs.BoolVar(&s.json, "json", false, "what the API answers, as JSON")
	fs.BoolVar(&s.all, "all", false, "list: what is over or was undone, too")
	if s.kind == act.Ack {
		return
	}
	fs.BoolVar(&s.preview, "preview", false, "say nothing: only which past notifications it would have kept from being sent")
	fs.StringVar(&s.forHow, "for", "", "how `long`: 90m, 2h, 3d, 1w")
	fs.StringVar(&s.until, "until", "", "the `time` of its end, as 2026-03-02T06:00 (UTC) or 2026-03-02T06:00:00+01:00")
	if s.kind == act.Silence {
		return
	}
	fs.StringVar(&s.days, "days", "", "`weekdays`, as monday:friday or saturday,sunday")
	fs.StringVar(&s.start, "start", "", "`HH:MM` at which its hours begin")
	fs.StringVar(&s.end, "end", "", "`HH:MM` at which its hours end")
	fs.StringVar(&s.location, "location", "", "time `zone` of days and hours, as Europe/Berlin; default UTC")
	if s.kind == act.Maintenance {
		fs.StringVar(&s.from, "from", "", "the `time` of its beginning, as --until")
		return
	}
	fs.StringVar(&s.atMost, "at-most", "", "a high `value` is normal up to here")
	fs.StringVar(&s.atLeast, "at-least", "", "a low `value` is normal down to here")
	fs.StringVar(&s.effect, "effect", "", "a value is normal while it is no further than `this` from what is expected")
	fs.BoolVar(&s.absent, "absent", false, "that the signal is silent is normal")
	fs.StringVar(&s.notFor, "not-for", "", "in place of bounds: this `receiver` is not told of incidents that match")
	fs.StringVar(&s.to, "to", "", "with --not-for: this `receiver` is told in its place; default: the others that are told anyway")
	fs.BoolVar(&s.prune, "prune", false, "import: take back the lessons that are not in the file")
}

func runSay(ctx context.Context, e env, kind act.Kind, args []string) error {
	fs := newFlags(e, string(kind))
	s := &sayer{e: e, kind: kind}
	s.flags(fs)
	if err := parse(e, fs, args); err != nil {
		return err
	}
	verb, rest := fs.Arg(0), fs.Args()
	switch verb {
	case "add", "list", "undo", "export", "diff", "import":
		rest = rest[1:]
	default: // what is to be said stands there
		verb = "add"
	}
	if s.kind != act.Lesson && (verb == "export" || verb == "diff" || verb == "import") {
		return usagef("%s has no %s; lessons have", kind, verb)
	}
	if s.who == "" {
		if u, err := user.Current(); err == nil {
			s.who = u.Username
		}
	}
	switch verb {
	case "list":
		if len(rest) > 0 {
			return usagef("unexpected argument %q", rest[0])
		}
		return s.list(ctx)
	case "undo":
		return s.undo(ctx, rest)
	case "export":
		if len(rest) > 0 {
			return usagef("unexpected argument %q: the file goes to standard output", rest[0])
		}
		b, err := s.ask(ctx, http.MethodGet, "/api/v1/lessons", "", nil)
		if err == nil {
			_, err = e.stdout.Write(b)
		}
		return err
	case "diff", "import":
		if len(rest) != 1 {
			return usagef("want one file of lessons, or - for standard input")
		}
		return s.bring(ctx, rest[0], verb == "import")
	}
	if len(rest) == 0 {
		if kind == act.Ack {
			return usagef("want the id of an incident, as its page and its messages show it")
		}
		return usagef(`want matchers, such as 'workload="cart"'`)
	}
	return s.add(ctx, rest)
}

// sayAnswer is what the API answers about one act.
type sayAnswer struct {
	Data struct {
		Act       act.Act
		Words     string
		Foresight *foreseen
		Hint      string
	}
}

// add says it: of an ack one for each incident, else one with all matchers.
func (s *sayer) add(ctx context.Context, about []string) error {
	if s.kind == act.Ack {
		for _, incident := range about {
			if err := s.say(ctx, &act.Draft{Incident: incident}); err != nil {
				return fmt.Errorf("%s: %w", incident, err)
			}
		}
		return nil
	}
	d := &act.Draft{From: s.from, Until: s.until, For: s.forHow, Rule: act.Rule{Match: about, Absent: s.absent, NotFor: s.notFor, To: s.to}}
	if s.days != "" || s.start != "" || s.end != "" {
		d.When = hoursOf(s.days, s.start, s.end, s.location)
	}
	for _, x := range []struct {
		flag, text string
		to         **float64
	}{{"at-most", s.atMost, &d.AtMost}, {"at-least", s.atLeast, &d.AtLeast}, {"effect", s.effect, &d.Effect}} {
		if x.text == "" {
			continue
		}
		v, err := strconv.ParseFloat(x.text, 64)
		if err != nil {
			return usagef("--%s %q: want a number, in the signal's unit", x.flag, x.text)
		}
		*x.to = &v
	}
	return s.say(ctx, d)
}

// hoursOf makes a span of hours of the week.
func hoursOf(days, start, end, location string) *route.TimeSpan {
	w := &route.TimeSpan{Location: location}
	for day := range strings.SplitSeq(days, ",") {
		if day = strings.TrimSpace(day); day != "" {
			w.Weekdays = append(w.Weekdays, day)
		}
	}
	if start != "" || end != "" {
		w.Times = []route.TimeRange{{Start: cmp.Or(start, "00:00"), End: cmp.Or(end, "24:00")}}
	}
	return w
}

func (s *sayer) say(ctx context.Context, d *act.Draft) error {
	d.Kind, d.Who, d.Why = s.kind, s.who, s.why
	body, err := json.Marshal(d)
	if err != nil {
		return err
	}
	path := "/api/v1/acts"
	if s.preview {
		path += "?preview=1"
	}
	b, err := s.ask(ctx, http.MethodPost, path, "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	if s.json {
		_, err := s.e.stdout.Write(b)
		return err
	}
	var out sayAnswer
	if err := json.Unmarshal(b, &out); err != nil {
		return fmt.Errorf("the answer is none of Wrackline's API: %w", err)
	}
	a := &out.Data.Act
	if s.preview {
		fmt.Fprintf(s.e.stdout, "%s of %s%s: nothing was said\n", s.kind, plain(out.Data.Words), untilText(a))
	} else {
		fmt.Fprintf(s.e.stdout, "%s: %s of %s%s. To undo: wrackline %s undo %s%s\n", a.ID, s.kind, plain(out.Data.Words), untilText(a), s.kind, s.again(), a.ID)
	}
	if out.Data.Hint != "" {
		fmt.Fprintf(s.e.stdout, "%s It holds all the same for what comes.\n", plain(out.Data.Hint))
	}
	if f := out.Data.Foresight; f != nil {
		did := "removed"
		if a.NotFor != "" {
			did = "led elsewhere"
		}
		f.write(s.e.stdout, did)
	}
	return nil
}

func untilText(a *act.Act) string {
	text := ""
	if a.From != 0 {
		text = " from " + alerting.Clock(a.From)
	}
	if a.Until != 0 {
		text += " until " + alerting.Clock(a.Until)
	}
	return text
}

// write says in words what an act would have done.
func (f *foreseen) write(w io.Writer, did string) {
	if f.Told == 0 {
		fmt.Fprintln(w, "Nothing was told yet that it could have kept from being sent.")
		return
	}
	fmt.Fprintf(w, "Of %s since %s it would have %s at least %d", alerting.Count(f.Told, "notification"), alerting.Clock(f.SinceMs), did, f.Count)
	if f.Later > 0 {
		fmt.Fprintf(w, ", of which %d would have been sent later", f.Later)
	}
	fmt.Fprintln(w, ".")
	for _, l := range f.Removed {
		fmt.Fprintf(w, "  %s  %s  %s", alerting.Clock(l.T), l.Reason, plain(l.Title))
		if l.HeldBy != "" {
			fmt.Fprintf(w, "  (acknowledged by %s)", plain(l.HeldBy))
		}
		fmt.Fprintln(w)
	}
	if f.Skipped > 0 {
		fmt.Fprintf(w, "%s not looked at: there are too many.\n", alerting.Count(f.Skipped, "incident"))
	}
	if f.Real > 0 {
		fmt.Fprintf(w, "Careful: %d of them are about an incident that somebody acknowledged as real.\n", f.Real)
	}
}

// list lists what was said of the kind.
func (s *sayer) list(ctx context.Context) error {
	q := url.Values{"kind": {string(s.kind)}, "limit": {"1000"}}
	if !s.all {
		q.Set("in_force", "1")
	}
	b, err := s.ask(ctx, http.MethodGet, "/api/v1/acts?"+q.Encode(), "", nil)
	if err != nil {
		return err
	}
	if s.json {
		_, err := s.e.stdout.Write(b)
		return err
	}
	var out struct {
		Data struct {
			All  int
			Acts []struct {
				act.Act
				Words string
			}
		}
	}
	if err := json.Unmarshal(b, &out); err != nil {
		return fmt.Errorf("the answer is none of Wrackline's API: %w", err)
	}
	if len(out.Data.Acts) == 0 {
		fmt.Fprintln(s.e.stdout, "none")
		return nil
	}
	tw := tabwriter.NewWriter(s.e.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "ID\tWHO\tSAID\tUNTIL\tABOUT\tWHY")
	for i := range out.Data.Acts {
		a := &out.Data.Acts[i]
		until := "-"
		if a.Until != 0 {
			until = alerting.Clock(a.Until)
		}
		if a.Undone != nil {
			until = "undone by " + plain(a.Undone.Who)
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\n", a.ID, plain(a.Who), alerting.Clock(a.T), until, plain(a.Words), plain(a.Why))
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	if n := out.Data.All - len(out.Data.Acts); n > 0 {
		fmt.Fprintf(s.e.stdout, "and %d more\n", n)
	}
	return nil
}

// undo takes acts back, each by its id.
func (s *sayer) undo(ctx context.Context, ids []string) error {
	if len(ids) == 0 {
		return usagef("want the id that wrackline %s list shows", s.kind)
	}
	for _, id := range ids {
		body, err := json.Marshal(map[string]string{"id": id, "who": s.who, "why": s.why})
		if err != nil {
			return err
		}
		b, err := s.ask(ctx, http.MethodPost, "/api/v1/acts/undo", "application/json", bytes.NewReader(body))
		if err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
		if s.json {
			s.e.stdout.Write(b)
			continue
		}
		var out sayAnswer
		if err := json.Unmarshal(b, &out); err != nil {
			return fmt.Errorf("the answer is none of Wrackline's API: %w", err)
		}
		fmt.Fprintf(s.e.stdout, "%s: undone, %s of %s\n", id, out.Data.Act.Kind, plain(out.Data.Words))
	}
	return nil
}

// bring compares a file of lessons with those that hold; with apply it brings the file in.
func (s *sayer) bring(ctx context.Context, name string, apply bool) error {
	var text []byte
	var err error
	if name == "-" {
		text, err = io.ReadAll(io.LimitReader(os.Stdin, saidMax+1))
	} else {
		text, err = os.ReadFile(name)
	}
	if err != nil {
		return err
	}
	q := url.Values{"who": {s.who}, "why": {s.why}}
	if apply {
		q.Set("apply", "1")
		if s.prune {
			q.Set("prune", "1")
		}
	}
	b, err := s.ask(ctx, http.MethodPost, "/api/v1/lessons?"+q.Encode(), "application/yaml", bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	var out struct{ Data imported }
	if err := json.Unmarshal(b, &out); err != nil {
		return fmt.Errorf("the answer is none of Wrackline's API: %w", err)
	}
	differs := len(out.Data.Added)+len(out.Data.Extra) > 0
	if s.json {
		s.e.stdout.Write(b)
	} else {
		out.Data.write(s.e.stdout)
	}
	if differs && !apply {
		return errFindings
	}
	return nil
}

// write says how a file differs, a line each, as diff does: + is in the file alone, - is not in it.
func (x *imported) write(w io.Writer) {
	line := func(sign string, a *act.Act) {
		fmt.Fprintf(w, "%s %s  (%s)\n", sign, plain(a.Words()), plain(strings.TrimSuffix(a.Who+": "+a.Why, ": ")))
	}
	for _, a := range x.Added {
		line("+", a)
	}
	for _, a := range x.Extra {
		line("-", a)
	}
	fmt.Fprintf(w, "%d the same, %d in the file alone", x.Same, len(x.Added))
	if x.Applied {
		fmt.Fprint(w, " and added")
	}
	fmt.Fprintf(w, ", %d not in the file", len(x.Extra))
	switch {
	case x.Pruned:
		fmt.Fprint(w, " and taken back")
	case x.Applied && len(x.Extra) > 0:
		fmt.Fprint(w, " and kept (--prune takes them back)")
	}
	fmt.Fprintln(w)
}
