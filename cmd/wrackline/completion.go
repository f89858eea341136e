package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

const completionHelp = `Prints a script that completes commands, their words and flags, and files. It is made of what --help shows.

  bash:  source <(wrackline completion bash)
  zsh:   wrackline completion zsh > "${fpath[1]}/_wrackline"
  fish:  wrackline completion fish > ~/.config/fish/completions/wrackline.fish
`

// option is a flag as documents know it.
type option struct {
	name, value, text, def string // value names what it takes, "" of a switch
}

// optionsOf returns the flags of a command: the command is asked for them as --help does, and does nothing else.
func optionsOf(c *command) (list []option) {
	_ = c.run(context.Background(), env{stdout: io.Discard, stderr: io.Discard, flags: func(fs *flag.FlagSet) {
		fs.VisitAll(func(f *flag.Flag) { list = append(list, optionOf(f)) })
	}}, nil)
	return list
}

func optionOf(f *flag.Flag) option {
	value, text := flag.UnquoteUsage(f)
	if b, ok := f.Value.(interface{ IsBoolFlag() bool }); ok && b.IsBoolFlag() {
		value = ""
	}
	def := f.DefValue
	if def == "false" || def == "0" {
		def = ""
	}
	return option{f.Name, value, text, def}
}

var lowerWord = regexp.MustCompile(`(?:^|[|\s])([a-z][a-z-]+)(?:$|[|\s])`)

// verbsOf returns the words that a command takes, as its line of usage has them: list|undo.
func verbsOf(c *command) (list []string) {
	for rest := c.args; ; {
		at := lowerWord.FindStringSubmatchIndex(rest)
		if at == nil {
			return slices.Compact(list)
		}
		list = append(list, rest[at[2]:at[3]])
		rest = rest[at[3]:]
	}
}

func runCompletion(_ context.Context, e env, args []string) error {
	fs := newFlags(e, "completion")
	if err := parse(e, fs, args); err != nil {
		return err
	}
	shells := map[string]func(io.Writer, []command){"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}
	write := shells[fs.Arg(0)]
	switch {
	case fs.NArg() == 0:
		return usagef("name a shell: bash, zsh or fish")
	case write == nil:
		return usagef("no completion for %q; there is bash, zsh and fish", fs.Arg(0))
	}
	write(e.stdout, commands())
	return nil
}

// files reports whether a flag takes a file or a directory.
func (o *option) files() bool { return o.value == "file" || o.value == "directory" }

func bashCompletion(w io.Writer, list []command) {
	var names, cases, withFile []string
	for i := range list {
		words := verbsOf(&list[i])
		for _, o := range optionsOf(&list[i]) {
			words = append(words, "--"+o.name)
			if o.files() {
				withFile = append(withFile, "--"+o.name)
			}
		}
		names = append(names, list[i].name)
		cases = append(cases, fmt.Sprintf("    %s) words=%q ;;", list[i].name, strings.Join(words, " ")))
	}
	slices.Sort(withFile)
	fmt.Fprintf(w, `_wrackline() {
  local cur=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]} words
  case $before in
    %s) COMPREPLY=($(compgen -f -- "$cur")); return ;;
  esac
  if [ "$COMP_CWORD" -eq 1 ] && [ "${cur#-}" = "$cur" ]; then
    COMPREPLY=($(compgen -W %q -- "$cur"))
    return
  fi
  case $command in
%s
    -*) words=%q ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
  [ "${cur#-}" != "$cur" ] || COMPREPLY+=($(compgen -f -- "$cur"))
}
complete -o filenames -F _wrackline wrackline
`, strings.Join(slices.Compact(withFile), "|"), strings.Join(names, " "), strings.Join(cases, "\n"), serveWords(list))
}

// serveWords are the flags of serve, which is the command where none is named.
func serveWords(list []command) string {
	var words []string
	for i := range list {
		if list[i].name == "serve" {
			for _, o := range optionsOf(&list[i]) {
				words = append(words, "--"+o.name)
			}
		}
	}
	return strings.Join(words, " ")
}

// quoted makes a text one word of zsh and fish that names nothing else.
func quoted(text string) string {
	return strings.NewReplacer("'", "’", "\\", "", "[", "(", "]", ")", ":", " ", "\n", " ").Replace(text)
}

func zshCompletion(w io.Writer, list []command) {
	fmt.Fprint(w, "#compdef wrackline\n_wrackline() {\n  local -a commands\n  commands=(\n")
	for _, c := range list {
		fmt.Fprintf(w, "    '%s:%s'\n", c.name, quoted(c.short))
	}
	fmt.Fprint(w, "  )\n  if (( CURRENT == 2 )); then _describe command commands; return; fi\n  local command=$words[2]\n  shift words; (( CURRENT-- ))\n  case $command in\n")
	for i := range list {
		fmt.Fprintf(w, "    %s) _arguments", list[i].name)
		for _, o := range optionsOf(&list[i]) {
			switch {
			case o.value == "":
				fmt.Fprintf(w, " \\\n      '--%s[%s]'", o.name, quoted(o.text))
			case o.files():
				fmt.Fprintf(w, " \\\n      '--%s=[%s]:%s:_files'", o.name, quoted(o.text), quoted(o.value))
			default:
				fmt.Fprintf(w, " \\\n      '--%s=[%s]:%s:'", o.name, quoted(o.text), quoted(o.value))
			}
		}
		if verbs := verbsOf(&list[i]); len(verbs) > 0 {
			fmt.Fprintf(w, " \\\n      '1:word:(%s)'", strings.Join(verbs, " "))
		}
		fmt.Fprint(w, " \\\n      '*:file:_files' ;;\n")
	}
	fmt.Fprint(w, "  esac\n}\n_wrackline \"$@\"\n")
}

func fishCompletion(w io.Writer, list []command) {
	for i := range list {
		c := &list[i]
		fmt.Fprintf(w, "complete -c wrackline -n __fish_use_subcommand -f -a %s -d '%s'\n", c.name, quoted(c.short))
		for _, v := range verbsOf(c) {
			fmt.Fprintf(w, "complete -c wrackline -n '__fish_seen_subcommand_from %s' -a %s\n", c.name, v)
		}
		for _, o := range optionsOf(c) {
			takes := ""
			switch {
			case o.files():
				takes = " -r"
			case o.value != "":
				takes = " -x"
			}
			fmt.Fprintf(w, "complete -c wrackline -n '__fish_seen_subcommand_from %s' -l %s%s -d '%s'\n", c.name, o.name, takes, quoted(o.text))
		}
	}
}
