package main

import (
	"context"
	"fmt"
	"io"
	"strings"
)

const manHelp = `Prints the manual page of all commands and their flags, made of what --help shows.

  wrackline man >/usr/local/share/man/man1/wrackline.1
  man -l <(wrackline man)
`

func runMan(_ context.Context, e env, args []string) error {
	fs := newFlags(e, "man")
	if err := parseFlags(e, fs, args); err != nil {
		return err
	}
	manPage(e.stdout, commands())
	return nil
}

// roff makes a text one that troff shows as it is.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "…", "...", "’", "'").Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	return text
}

// manPage writes the page.
func manPage(w io.Writer, list []command) {
	fmt.Fprintf(w, ".TH WRACKLINE 1 \"\" \"Wrackline %s\" \"User Commands\"\n.SH NAME\nwrackline \\- learns what is normal in a Kubernetes cluster and tells when something drifts\n", roff(buildVersion()))
	fmt.Fprint(w, ".SH SYNOPSIS\n.B wrackline\n[\\fICOMMAND\\fR] [\\fIflags\\fR]\n.SH DESCRIPTION\n")
	fmt.Fprintf(w, "%s\nWithout a command it is\n.BR serve .\nFlags may stand before, between and behind other arguments; what follows \\-\\- is no flag.\n.SH COMMANDS\n",
		roff("Wrackline learns the normal range of every Kubernetes metric that matters, from Prometheus remote write alone, and tells you when something drifts."))
	for i := range list {
		c := &list[i]
		fmt.Fprintf(w, ".SS \"%s %s\"\n", roff(c.name), roff(strings.ReplaceAll(c.args, `"`, "")))
		literal := false
		for line := range strings.Lines(c.long) {
			line = strings.TrimRight(line, "\n")
			if shown := strings.HasPrefix(line, "  "); shown != literal && line != "" {
				literal = shown
				fmt.Fprintln(w, map[bool]string{true: ".RS 2\n.nf", false: ".fi\n.RE"}[shown])
			}
			if line == "" {
				fmt.Fprintln(w, ".sp")
			} else {
				fmt.Fprintln(w, roff(strings.TrimPrefix(line, "  ")))
			}
		}
		if literal {
			fmt.Fprint(w, ".fi\n.RE\n")
		}
		for _, o := range optionsOf(c) {
			head := "\\fB\\-\\-" + roff(o.name) + "\\fR"
			if o.value != "" {
				head += " \\fI" + roff(o.value) + "\\fR"
			}
			text := o.text
			if o.def != "" {
				text += " (default " + o.def + ")"
			}
			fmt.Fprintf(w, ".TP\n%s\n%s\n", head, roff(text))
		}
	}
	fmt.Fprint(w, ".SH EXIT STATUS\n0 ok, 1 failure, 2 usage, 3 findings.\n.SH ENVIRONMENT\n.TP\n.B GOMEMLIMIT\nmemory that is used at most; default: nine tenths of the limit of the cgroup\n.TP\n.B HTTPS_PROXY, HTTP_PROXY, NO_PROXY\nobeyed by receivers where alerting.outlet.proxy_from_environment says so\n")
	fmt.Fprint(w, ".SH SEE ALSO\n"+roff("https://github.com/wrackline/wrackline: README.md and docs/.")+" wrackline config, wrackline check\\-config \\-\\-schema.\n")
}
