package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestCompletionAndManualKnowEveryFlag: each command, each of its words and flags is in every script and in the manual page, and commands do nothing when they are asked for their flags.
func TestCompletionAndManualKnowEveryFlag(t *testing.T) {
	texts := map[string]string{}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		code, out, errs := run(t, "completion", shell)
		if code != exitOK {
			t.Fatalf("%s: %d %s", shell, code, errs)
		}
		texts[shell] = out
	}
	_, page, _ := run(t, "man")
	texts["man"] = strings.ReplaceAll(page, `\-`, "-")
	flags := 0
	list := commands()
	for i := range list {
		c := &list[i]
		_, help, _ := run(t, c.name, "--help")
		options := optionsOf(c)
		if strings.Count(help, "\n  --") != len(options) {
			t.Errorf("%s: --help shows %d flags, documents %d", c.name, strings.Count(help, "\n  --"), len(options))
		}
		for where, text := range texts {
			if !strings.Contains(text, c.name) {
				t.Errorf("%s is not in %s", c.name, where)
			}
			for _, o := range options {
				flags++
				flag := map[string]string{"fish": "-l " + o.name + " "}[where]
				if flag == "" {
					flag = "--" + o.name
				}
				if !strings.Contains(text, flag) {
					t.Errorf("%s %s is not in %s", c.name, flag, where)
				}
			}
		}
	}
	if flags < 400 {
		t.Errorf("%d flags in all", flags)
	}
	verbs := map[string][]string{}
	for i := range list {
		verbs[list[i].name] = verbsOf(&list[i])
	}
	for name, want := range map[string][]string{"packs": {"list", "check", "test", "explain", "metrics", "remote-write-config"}, "ack": {"list", "undo"}, "lesson": {"list", "undo", "export", "diff", "import"}, "serve": nil, "forget": {"cluster"}, "completion": {"bash", "zsh", "fish"}, "eval": nil} {
		if !slices.Equal(verbs[name], want) {
			t.Errorf("%s takes the words %q, want %q", name, verbs[name], want)
		}
	}
}

// TestBashCompletes in a real bash.
func TestBashCompletes(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash is here")
	}
	_, script, _ := run(t, "completion", "bash")
	for line, want := range map[string]string{"wrackline che": "check-config", "wrackline packs remo": "remote-write-config", "wrackline serve --web.conf": "--web.config.file", "wrackline --log.f": "--log.format", "wrackline ack un": "undo", "wrackline serve --config.file /etc/hostna": "/etc/hostname"} {
		words := strings.Fields(line)
		test := script + "\nCOMP_WORDS=(" + line + ")\nCOMP_CWORD=" + string(rune('0'+len(words)-1)) + "\n_wrackline\nprintf '%s\\n' \"${COMPREPLY[@]}\"\n"
		out, err := exec.Command(bash, "-c", test).CombinedOutput()
		if err != nil || !slices.Contains(strings.Fields(string(out)), want) {
			t.Errorf("%s: %v %s, want %s", line, err, out, want)
		}
	}
}

// TestManualPageIsOne for who reads such pages, where there is one.
func TestManualPageIsOne(t *testing.T) {
	_, page, _ := run(t, "man")
	for _, tool := range [][]string{{"mandoc", "-T", "lint", "-W", "error"}, {"groff", "-man", "-ww", "-T", "utf8"}} {
		path, err := exec.LookPath(tool[0])
		if err != nil {
			t.Logf("no %s is here", tool[0])
			continue
		}
		cmd := exec.Command(path, tool[1:]...)
		cmd.Stdin = strings.NewReader(page)
		var errs strings.Builder
		cmd.Stderr = &errs
		if out, err := cmd.Output(); err != nil || errs.Len() > 0 || tool[0] == "groff" && !strings.Contains(string(out), "2 usage, 3 findings") {
			t.Errorf("%s: %v %s", tool[0], err, errs.String())
		}
	}
	for line := range strings.Lines(page) {
		if strings.HasPrefix(line, "'") || strings.HasPrefix(line, ".") && !strings.HasPrefix(line, ".TH") && !strings.HasPrefix(line, ".S") && !strings.HasPrefix(line, ".B") && !strings.HasPrefix(line, ".R") && !strings.HasPrefix(line, ".T") && !strings.HasPrefix(line, ".nf") && !strings.HasPrefix(line, ".fi") && !strings.HasPrefix(line, ".sp") {
			t.Errorf("a line of text is a command: %q", line)
		}
	}
}
