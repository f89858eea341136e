package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"runtime"
	"slices"
	"text/tabwriter"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/alerting/notify"
	"github.com/wrackline/wrackline/web"
)

const receiversHelp = `Receivers are who is told: Slack by webhook or as a bot, webhooks and Alertmanagers, in Alertmanager's words (see docs/receivers.md).

  wrackline receivers list --config.file wrackline.yml
  wrackline receivers test --config.file wrackline.yml [NAME]    send a test message now, to one or to all, and say what came back
`

func runReceivers(ctx context.Context, e env, args []string) error {
	fs := newFlags(e, "receivers")
	configFile := fs.String("config.file", "", "configuration `file` with the receivers")
	verb, err := parseVerb(e, fs, args)
	if err != nil {
		return err
	}
	if verb != "test" && verb != "list" {
		return usagef("want list or test")
	}
	if fs.NArg() > 1 || (verb == "list" && fs.NArg() > 0) {
		return usagef("unexpected argument %q", fs.Arg(fs.NArg()-1))
	}
	cfg, err := loadConfig(*configFile)
	if err != nil {
		return err
	}
	if len(cfg.Receivers) == 0 {
		return errors.New("no receivers are configured; name the file with --config.file")
	}
	if verb == "list" {
		w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
		for _, r := range cfg.Receivers {
			fmt.Fprintf(w, "%s\t%d slack\t%d webhook\t%d alertmanager\n", r.Name, len(r.Slack), len(r.Webhook), len(r.Alertmanager))
		}
		return w.Flush()
	}
	got, err := notify.SendTest(ctx, cfg.told(), fs.Arg(0))
	if err != nil {
		return err
	}
	failed := 0
	for _, d := range got {
		if d.Err != nil {
			failed++
			fmt.Fprintf(e.stdout, "%s: %s at %s: failed: %v\n", d.Receiver, d.Kind, d.Host, d.Err)
			continue
		}
		fmt.Fprintf(e.stdout, "%s: %s at %s: arrived\n", d.Receiver, d.Kind, d.Host)
	}
	if failed > 0 {
		return fmt.Errorf("%d of %s did not arrive", failed, alerting.Count(len(got), "message"))
	}
	return nil
}

const checkConfigHelp = `Reads a configuration as serve would, with its packs, token files and receivers, and says what is wrong.
Exit code 0 when it is right, 1 when it is not. It starts nothing and sends nothing.

  wrackline check-config wrackline.yml
  wrackline check-config --schema >wrackline.schema.json    for editors: begin the file with "# yaml-language-server: $schema=wrackline.schema.json"
`

// oneFile is the configuration file of commands that take it as a flag or as the argument.
func oneFile(fs *flag.FlagSet, named string) (string, error) {
	switch {
	case fs.NArg() == 1 && named == "":
		return fs.Arg(0), nil
	case fs.NArg() > 0:
		return "", usagef("name one file")
	}
	return named, nil
}

func runCheckConfig(_ context.Context, e env, args []string) error {
	fs := newFlags(e, "check-config")
	configFile := fs.String("config.file", "", "configuration `file`; may also be the argument")
	webFile := fs.String("web.config.file", "", "also check this `file` with TLS and passwords, as serve takes it")
	schema := fs.Bool("schema", false, "print the JSON schema of configuration files instead")
	if err := parse(e, fs, args); err != nil {
		return err
	}
	if *schema {
		if fs.NArg() > 0 || *configFile != "" {
			return usagef("--schema takes no file")
		}
		b, err := configSchema()
		if err == nil {
			_, err = e.stdout.Write(b)
		}
		return err
	}
	file, err := oneFile(fs, *configFile)
	if err != nil {
		return err
	}
	if file == "" && *webFile == "" {
		return usagef("name a configuration file")
	}
	cfg, err := loadConfig(file)
	list := each(errors.Join(err, web.ConfigFile(*webFile).Check()))
	if err == nil || cfg.place != nil { // it could be read, and more may be wrong
		packs, err := cfg.packs()
		for _, err := range each(err) {
			if !slices.ContainsFunc(list, func(x error) bool { return x.Error() == err.Error() }) {
				list = append(list, err)
			}
		}
		n := 0
		for _, p := range packs {
			if err := checkSummaries(p); err != nil {
				list = append(list, err)
			}
			n += len(p.Rules)
		}
		if len(list) == 0 {
			fmt.Fprintf(e.stdout, "%s: ok: %s in %s, of which %s, %s\n", cmp.Or(file, *webFile), alerting.Count(n, "signal"), alerting.Count(len(packs), "pack"), alerting.Count(len(cfg.Track), "track rule"), alerting.Count(len(cfg.Receivers), "receiver"))
			return nil
		}
	}
	if len(list) > 1 {
		list = append(list, fmt.Errorf("%d things are wrong", len(list)))
	}
	return errors.Join(list...)
}

// parallelism is how many CPU-bound jobs run at once.
func parallelism() int { return max(1, runtime.GOMAXPROCS(0)) }
