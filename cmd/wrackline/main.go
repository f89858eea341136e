// Command wrackline learns what is normal in a Kubernetes cluster from Prometheus remote write and says when something drifts.
// This package wires the rooms of the house together; it judges nothing itself.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	_ "time/tzdata" // the image has no zones of its own

	_ "golang.org/x/crypto/x509roots/fallback" // … and no trust store

	"github.com/wrackline/wrackline/baseline/near"
)

// version is set by the linker; see the Makefile.
var version = "dev"

// Exit codes, the same for every command.
const (
	exitOK       = 0
	exitFailure  = 1
	exitUsage    = 2
	exitFindings = 3
)

// errUsage marks a mistake in the command line. errFindings marks a check that found something.
var (
	errUsage    = errors.New("usage")
	errFindings = errors.New("findings")
)

// command is one sub-command.
type command struct {
	name, args, short string
	long              string
	run               func(ctx context.Context, e env, args []string) error
}

// env is what a command may use of its surroundings, so that tests can give it another.
type env struct {
	stdout, stderr io.Writer
	flags          func(*flag.FlagSet) // wants a command's flags, and nothing else of it; nil = nobody does
}

func commands() []command {
	return []command{
		{"serve", "[flags]", "receive remote write, learn, judge, tell, and show (the default)", serveHelp, runServe},
		{"demo", "[flags]", "serve with a simulated cluster: two weeks learned, then incidents on a schedule", demoHelp, runDemo},
		{"simulate", "[flags]", "the simulated cluster alone: remote write to a URL, or a recording", simulateHelp, runSimulate},
		{"replay", "[flags] FILE…", "a recording or CSV files through the engine: verdicts out", replayHelp, runReplay},
		{"backtest", "[flags] FILE…", "which notifications the last days would have given, with one configuration or two", backtestHelp, runBacktest},
		{"eval", "[flags] [DIR…]", "score scenarios or labelled CSVs: recall, delay, false alarms", evalHelp, runEval},
		{"backfill", "--from URL [flags]", "learn from the past of a Prometheus or VictoriaMetrics, beside serve or before it", backfillHelp, runBackfill},
		{"packs", "list|check|test|explain|metrics|remote-write-config", "what is watched and why", packsHelp, runPacks},
		{"coverage", "[flags]", "which questions are answered of clusters, what is missing, and the lines that would bring it", coverageHelp, runCoverage},
		{"sizes", "[flags]", "what containers should request and be limited to, and why: table, JSON, CSV, manifests for kubectl", sizesHelp, runSizes},
		{"selftest", "[flags]", "faults injected into copies of a running Wrackline's models: what it would notice", selftestHelp, runSelftest},
		{"ack", "[flags] INCIDENT… | list | undo ID…", "somebody has an incident: no repetition, no escalation", ackHelp, runAck},
		{"silence", "[flags] MATCHER… | list | undo ID…", "alarms that match are told to nobody for a while", silenceHelp, runSilence},
		{"maintenance", "[flags] MATCHER… | list | undo ID…", "a silence that begins later, or comes again", maintenanceHelp, runMaintenance},
		{"lesson", "[flags] MATCHER… | list | undo ID… | export | diff FILE | import FILE", "what is normal, for good; rules as a file", lessonHelp, runLesson},
		{"accept", "[flags] ID…", "the level at which a signal is in alarm is its new normal", acceptHelp, runAccept},
		{"forget", "cluster NAME…", "drop a cluster and all that was learned of it", forgetHelp, runForget},
		{"receivers", "test|list", "who is told, and a test message to each", receiversHelp, runReceivers},
		{"routes", "test|show", "which receivers an incident with given labels reaches", routesHelp, runRoutes},
		{"dashboards", "--out DIR", "dashboards for Grafana, and rules that watch Wrackline itself", dashboardsHelp, runDashboards},
		{"load", "[flags]", "bounded remote-write load against a URL: CPU per million samples, latency, many clusters", loadHelp, runLoad},
		{"inspect", "stats|verify|repair|backup|compact|recording [FILE]", "what the store holds, and its health", inspectHelp, runInspect},
		{"check-config", "[FILE]", "read a configuration as serve would and say what is wrong", checkConfigHelp, runCheckConfig},
		{"config", "[FILE]", "the configuration that holds, with what is a default, secrets masked", configHelp, runConfig},
		{"version", "", "print the version", "Prints version, Go version and platform.\n", runVersion},
		{"completion", "bash|zsh|fish", "print a completion script for your shell", completionHelp, runCompletion},
		{"man", "", "print the manual page", manHelp, runMan},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := mainCode(ctx, env{stdout: os.Stdout, stderr: os.Stderr}, os.Args[1:])
	stop()
	os.Exit(code)
}

// mainCode runs the command line and returns the exit code.
func mainCode(ctx context.Context, e env, args []string) int {
	name := "serve"
	switch {
	case len(args) > 0 && (args[0] == "help" || args[0] == "-h" || args[0] == "--help" || args[0] == "-help"):
		if len(args) > 1 && args[0] == "help" {
			for _, c := range commands() {
				if c.name == args[1] {
					printHelp(e.stdout, c)
					return exitOK
				}
			}
			noCommand(e, args[1])
			return exitUsage
		}
		usage(e.stdout)
		return exitOK
	case len(args) > 0 && (args[0] == "--version" || args[0] == "-version"):
		name, args = "version", nil
	case len(args) > 0 && !strings.HasPrefix(args[0], "-"):
		name, args = args[0], args[1:]
	}
	for _, c := range commands() {
		if c.name != name {
			continue
		}
		err := c.run(ctx, e, args)
		switch {
		case err == nil:
			return exitOK
		case errors.Is(err, flag.ErrHelp):
			return exitOK
		case errors.Is(err, errUsage):
			if msg := strings.TrimSuffix(err.Error(), ": "+errUsage.Error()); msg != errUsage.Error() {
				fmt.Fprintf(e.stderr, "wrackline %s: %s\nSee wrackline %s --help.\n", name, msg, name)
			}
			return exitUsage
		case errors.Is(err, errFindings):
			return exitFindings
		}
		fmt.Fprintf(e.stderr, "wrackline %s: %v\n", name, err)
		return exitFailure
	}
	noCommand(e, name)
	return exitUsage
}

// noCommand says that there is no command of a name.
func noCommand(e env, name string) {
	var names []string
	for _, c := range commands() {
		names = append(names, c.name)
	}
	fmt.Fprintf(e.stderr, "wrackline: there is no command %q%s; see wrackline help\n", name, near.Meant(name, names))
}

func usage(w io.Writer) {
	fmt.Fprint(w, `Wrackline learns the normal range of every Kubernetes metric that matters, from Prometheus remote write alone,
and tells you when something drifts.

Usage: wrackline COMMAND [flags]     (no command: serve)

`)
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-13s %s\n", c.name, c.short)
	}
	fmt.Fprint(w, `
wrackline COMMAND --help explains a command. Start with: wrackline demo
Exit codes: 0 ok, 1 failure, 2 usage, 3 findings.
`)
}

func printHelp(w io.Writer, c command) {
	fmt.Fprintf(w, "Usage: wrackline %s %s\n\n%s", c.name, c.args, c.long)
}

// newFlags returns a flag set that prints the command's help and its flags for --help, and whose mistakes are usage errors.
func newFlags(e env, name string) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	return fs
}

// parseVerb is parse for commands that have several: the first argument that is no flag says which.
func parseVerb(e env, fs *flag.FlagSet, args []string) (verb string, err error) {
	if err := parse(e, fs, args); err != nil || fs.NArg() == 0 {
		return "", err
	}
	verb = fs.Arg(0)
	return verb, fs.Parse(append([]string{"--"}, fs.Args()[1:]...))
}

// parseAnywhere takes flags before, between and behind other arguments. What follows -- is no flag.
func parseAnywhere(fs *flag.FlagSet, args []string) error {
	rest := []string{"--"}
	var behind []string
	if i := slices.Index(args, "--"); i >= 0 {
		args, behind = args[:i], args[i+1:]
	}
	for len(args) > 0 {
		if err := fs.Parse(args); err != nil {
			return err
		}
		if args = fs.Args(); len(args) > 0 {
			rest, args = append(rest, args[0]), args[1:]
		}
	}
	return fs.Parse(append(rest, behind...))
}

// parse parses args. On --help it prints the help and returns flag.ErrHelp.
func parse(e env, fs *flag.FlagSet, args []string) error {
	if e.flags != nil {
		e.flags(fs)
		return flag.ErrHelp
	}
	err := parseAnywhere(fs, args)
	if errors.Is(err, flag.ErrHelp) {
		for _, c := range commands() {
			if c.name == fs.Name() {
				printHelp(e.stdout, c)
			}
		}
		fmt.Fprint(e.stdout, "\nFlags:\n")
		fs.VisitAll(func(f *flag.Flag) {
			o := optionOf(f)
			fmt.Fprintf(e.stdout, "  %s\n        %s", strings.TrimSuffix("--"+o.name+" "+o.value, " "), o.text)
			if o.def != "" {
				fmt.Fprintf(e.stdout, " (default %s)", o.def)
			}
			fmt.Fprintln(e.stdout)
		})
		return flag.ErrHelp
	}
	if err != nil {
		return usagef("%s", flagFault(fs, err))
	}
	return nil
}

var (
	noFlag  = regexp.MustCompile(`^flag provided but not defined: -+(.*)$`)
	badFlag = regexp.MustCompile(`^invalid (?:boolean )?value (".*") for (?:flag )?-(.*?): .*$`)
)

// flagFault words what is wrong with a command line, with the flag that was probably meant.
func flagFault(fs *flag.FlagSet, err error) string {
	var names []string
	fs.VisitAll(func(f *flag.Flag) { names = append(names, "--"+f.Name) })
	if m := noFlag.FindStringSubmatch(err.Error()); m != nil {
		text := "there is no flag --" + m[1] + near.Meant("--"+m[1], names)
		if c := elsewhereFlag[m[1]]; c != "" {
			text += "; " + c
		}
		return text
	}
	if m := badFlag.FindStringSubmatch(err.Error()); m != nil {
		f := fs.Lookup(m[2])
		if f == nil {
			return err.Error()
		}
		kind := "a value of its kind"
		switch v, _ := f.Value.(flag.Getter); v.Get().(type) {
		case bool:
			kind = "true or false"
		case time.Duration:
			kind = "a duration such as 90s, 5m or 36h"
			text, _ := strconv.Unquote(m[1])
			return "--" + m[2] + ": " + m[1] + " is not " + kind + near.Duration(text)
		case int, int64, uint, uint64:
			kind = "a whole number"
		case float64:
			kind = "a number"
		}
		return "--" + m[2] + ": " + m[1] + " is not " + kind + "; the default is " + cmp.Or(f.DefValue, "none")
	}
	return strings.Replace(err.Error(), "flag needs an argument: -", "a value is missing behind --", 1)
}

// elsewhereFlag says where what Prometheus has as a flag is said here.
var elsewhereFlag = map[string]string{
	"storage.tsdb.path":                "it is --storage.path",
	"storage.tsdb.retention.time":      "it is storage.retention in the configuration file",
	"web.enable-lifecycle":             "POST /-/reload is there; who may is said in the configuration's section web",
	"web.enable-remote-write-receiver": "samples are taken at /api/v1/write anyway",
}

// parseFlags is parse for a command that takes nothing besides flags.
func parseFlags(e env, fs *flag.FlagSet, args []string) error {
	if err := parse(e, fs, args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return usagef("unexpected argument %q", fs.Arg(0))
	}
	return nil
}

func usagef(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, errUsage)...)
}

func runVersion(_ context.Context, e env, args []string) error {
	fs := newFlags(e, "version")
	if err := parse(e, fs, args); err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "wrackline %s (%s, %s/%s)\n", buildVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return nil
}

// buildVersion prefers the linker's word and falls back to what go install recorded.
func buildVersion() string {
	if version != "dev" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return version
}
