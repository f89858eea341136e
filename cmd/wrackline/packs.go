package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/packtest"
)

const packsHelp = `Packs are files of questions ("signals") with a PromQL expression each. They decide what is watched.

  wrackline packs list                              every signal that is on: what it asks, whom it wakes
  wrackline packs list --json                       the same for scripts
  wrackline packs check my-pack.yaml                read a pack strictly; errors carry line and column
  wrackline packs test my-pack.yaml                 run the pack's tests through the real engine; exit code 3 when one fails
  wrackline packs test                              the tests of the built-in and the configured packs
  wrackline packs explain dns.servfail_ratio        expression, metrics, bounds, smallest effect, what it means
  wrackline packs explain --server http://localhost:9099 wl.throttle_ratio
                                                    also what it matches in a running Wrackline: series by selector,
                                                    signals, or the metrics that were not received
  wrackline packs explain --server http://localhost:9099
                                                    the same of all signals, a line each
  wrackline packs explain --recording cluster.rec wl.throttle_ratio
                                                    the same of a recording
  wrackline packs remote-write-config --url http://HOST:9099/api/v1/write
                                                    the block for prometheus.yml, with a keep-list of just what is needed
  wrackline packs remote-write-config --for operator|kube-prometheus-stack|vmagent|alloy|otel|gmp
                                                    the same as another sender wants it
  wrackline packs metrics                           which signal needs which metrics, and where they are to be had (Markdown)
`

func runPacks(ctx context.Context, e env, args []string) error {
	fs := newFlags(e, "packs")
	configFile := fs.String("config.file", "", "configuration `file`: further packs, disabled signals, track rules")
	target := fs.String("url", "http://localhost:9099/api/v1/write", "remote-write-config: `URL` to send to, as Prometheus reaches it")
	sender := fs.String("for", "prometheus", "remote-write-config: `sender` that is configured: "+strings.Join(senderNames(), ", "))
	asJSON := fs.Bool("json", false, "list: JSON lines")
	verbose := fs.Bool("v", false, "test: also list what passed, and when signals fired")
	recording := fs.String("recording", "", "explain: also play this recording and say what matched")
	t := addTellerAt(fs, "", "explain: also ask the Wrackline at this `URL` what matches")
	verb, err := parseVerb(e, fs, args)
	if err != nil {
		return err
	}
	switch {
	case verb == "check":
		return checkPacks(e, fs.Args())
	case verb == "test" && fs.NArg() > 0:
		return testPackFiles(e, fs.Args(), *verbose)
	}
	cfg, err := loadConfig(*configFile)
	if err != nil {
		return err
	}
	if verb == "test" {
		packs, err := cfg.allPacks()
		if err != nil {
			return err
		}
		return testPacks(e, packs, *verbose)
	}
	packs, err := cfg.packs()
	if err != nil {
		return err
	}
	switch verb {
	case "list":
		return listPacks(e, packs, *asJSON)
	case "explain":
		if *recording != "" && t.server != "" {
			return usagef("explain: --recording or --server, not both")
		}
		if fs.NArg() == 0 && *recording == "" && t.server == "" {
			return usagef("explain: name a signal, as dns.servfail_ratio, or say --server or --recording for all")
		}
		m, err := newMatcher(ctx, e, cfg, *recording, t)
		if err != nil {
			return err
		}
		if fs.NArg() == 0 {
			return m.summary(ctx, e.stdout)
		}
		for _, name := range fs.Args() {
			rule := rulesOf(packs)(name)
			switch {
			case rule != nil:
				explainRule(e, rule)
			case m.server == "": // which may have packs of its own
				return fmt.Errorf("no signal is called %q; wrackline packs list names them", name)
			}
			if err := m.explain(ctx, e.stdout, name, rule); err != nil {
				return err
			}
		}
		return nil
	case "remote-write-config":
		return remoteWriteConfig(e, &cfg, packs, *target, *sender)
	case "metrics":
		return metricsTable(e.stdout, packs)
	case "":
		return usagef("want list, check, test, explain, metrics or remote-write-config")
	}
	return usagef("there is no packs %q; want list, check, test, explain, metrics or remote-write-config", verb)
}

func listPacks(e env, packs []*pack.Pack, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(e.stdout)
		enc.SetEscapeHTML(false)
		for _, p := range packs {
			for _, r := range p.Rules {
				if err := enc.Encode(map[string]any{"pack": p.Name, "signal": r.Name, "question": r.Question, "unit": r.Unit,
					"severity": r.Severity, "lesson": r.Lesson, "expr": r.Exprs, "metrics": r.Metrics(), "overridden": r.Overridden}); err != nil {
					return err
				}
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	n := 0
	for _, p := range packs {
		if len(p.Rules) == 0 {
			continue
		}
		fmt.Fprintf(w, "%s\tversion %d\t\t%s\n", p.Name, p.Version, p.Title)
		for _, r := range p.Rules {
			note := ""
			if len(r.Overridden) > 0 {
				note = "  [overridden: " + strings.Join(r.Overridden, "; ") + "]"
			}
			fmt.Fprintf(w, "  %s\t%s\t%s\t%s%s\n", r.Name, r.Severity, r.Unit, r.Question, note)
			n++
		}
	}
	fmt.Fprintf(w, "%s in %s\n", alerting.Count(n, "signal"), alerting.Count(len(packs), "pack"))
	return w.Flush()
}

func checkPacks(e env, files []string) error {
	if len(files) == 0 {
		return usagef("check: name at least one pack file")
	}
	bad := 0
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err == nil {
			var p *pack.Pack
			if p, err = pack.Load(data, f); err == nil {
				if err = checkSummaries(p); err == nil {
					fmt.Fprintf(e.stdout, "%s: pack %s version %d, %s, %s: ok\n", f, p.Name, p.Version, alerting.Count(len(p.Rules), "signal"), alerting.Count(len(p.Tests), "test"))
					continue
				}
			}
		}
		bad++
		fmt.Fprintln(e.stdout, err)
	}
	if bad > 0 {
		return errFindings
	}
	return nil
}

// testPackFiles runs the tests of pack files. A file that cannot be read or loaded is a finding too.
func testPackFiles(e env, files []string, verbose bool) error {
	var packs []*pack.Pack
	bad := false
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err == nil {
			var p *pack.Pack
			if p, err = pack.Load(data, f); err == nil {
				packs = append(packs, p)
				continue
			}
		}
		bad = true
		fmt.Fprintln(e.stdout, err)
	}
	err := testPacks(e, packs, verbose)
	if bad && err == nil {
		return errFindings
	}
	return err
}

// testPacks runs the tests of packs and prints a line for each pack and for each signal that did something else.
func testPacks(e env, packs []*pack.Pack, verbose bool) error {
	failed := false
	for _, p := range packs {
		results, err := packtest.Run(p)
		if err != nil {
			return fmt.Errorf("%s: %w", p.Origin, err)
		}
		bad := 0
		for _, r := range results {
			word := "pass"
			switch {
			case !r.OK:
				word = "FAIL"
				bad++
			case !verbose:
				continue
			}
			fmt.Fprintf(e.stdout, "%s  %s:%d  %s\n      %s %s", word, p.Origin, r.Line, r.Test, r.Signal, r.Want)
			if r.Reason != "" {
				fmt.Fprintf(e.stdout, ": %s", r.Reason)
			}
			fmt.Fprintln(e.stdout)
		}
		switch {
		case len(p.Tests) == 0:
			fmt.Fprintf(e.stdout, "%s: pack %s has no tests\n", p.Origin, p.Name)
		case bad > 0:
			failed = true
			fmt.Fprintf(e.stdout, "%s: pack %s: %d of %s of %s failed\n", p.Origin, p.Name, bad, alerting.Count(len(results), "expectation"), alerting.Count(len(p.Tests), "test"))
		default:
			fmt.Fprintf(e.stdout, "%s: pack %s: %s of %s: ok\n", p.Origin, p.Name, alerting.Count(len(results), "expectation"), alerting.Count(len(p.Tests), "test"))
		}
	}
	if failed {
		return errFindings
	}
	return nil
}

// checkSummaries reports the first template of a pack that cannot be filled. Templates belong to alerting, so the pack
// loader does not know them.
func checkSummaries(p *pack.Pack) error {
	for _, r := range p.Rules {
		if err := alerting.CheckSummary(r.Summary); err != nil {
			return fmt.Errorf("%s: signal %s: summary: %w", p.Origin, r.Name, err)
		}
		for _, n := range r.Next {
			if err := alerting.CheckSummary(n); err != nil {
				return fmt.Errorf("%s: signal %s: next: %w", p.Origin, r.Name, err)
			}
		}
	}
	return nil
}

// explainRule writes what a rule asks and why.
func explainRule(e env, rule *pack.Rule) {
	w := e.stdout
	p := &rule.Params
	fmt.Fprintf(w, "%s — %s\n  pack %s, severity %s", rule.Name, rule.Question, rule.Pack, rule.Severity)
	if rule.Lesson != "" {
		fmt.Fprintf(w, ", lesson %s", rule.Lesson)
	}
	fmt.Fprintf(w, "\n  unit %s, bad direction %s, %d windows of %ds must deviate\n", rule.Unit, p.Bad, p.Persist, p.StepMs/1000)
	fmt.Fprintf(w, "  smallest effect: %s", alerting.Quantity(p.EffectAbs, rule.Unit))
	if p.EffectRel > 0 {
		fmt.Fprintf(w, " and %.0f %% of the expected value", 100*p.EffectRel)
	}
	if rule.EffectEvents > 0 {
		fmt.Fprintf(w, " and %g events a window", rule.EffectEvents)
	}
	if rule.MinEvents > 0 {
		fmt.Fprintf(w, "; no value below %g events", rule.MinEvents)
	}
	fmt.Fprintln(w)
	for _, o := range rule.Overridden {
		fmt.Fprintf(w, "  overridden by the configuration: %s\n", o)
	}
	writeForms(w, rule.Exprs)
	fmt.Fprintf(w, "  metrics: %s\n", strings.Join(rule.Metrics(), ", "))
	if rule.Meaning != "" {
		fmt.Fprintf(w, "  meaning: %s\n", rule.Meaning)
	}
	for _, c := range rule.Causes {
		fmt.Fprintf(w, "  cause: %s\n", c)
	}
	for _, n := range rule.Next {
		fmt.Fprintf(w, "  next: %s\n", n)
	}
}
