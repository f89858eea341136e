package main

import (
	"context"
	"fmt"
	"strings"
)

const completionHelp = `Prints a script that completes commands and configuration files.

  bash:  source <(wrackline completion bash)
  zsh:   wrackline completion zsh > "${fpath[1]}/_wrackline"
  fish:  wrackline completion fish > ~/.config/fish/completions/wrackline.fish
`

func runCompletion(_ context.Context, e env, args []string) error {
	fs := newFlags(e, "completion")
	if err := parse(e, fs, args); err != nil {
		return err
	}
	var names []string
	for _, c := range commands() {
		names = append(names, c.name)
	}
	words := strings.Join(names, " ")
	switch fs.Arg(0) {
	case "bash":
		fmt.Fprintf(e.stdout, `_wrackline() {
  local cur=${COMP_WORDS[COMP_CWORD]}
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W %q -- "$cur"))
  else
    COMPREPLY=($(compgen -f -- "$cur"))
  fi
}
complete -F _wrackline wrackline
`, words)
	case "zsh":
		fmt.Fprint(e.stdout, "#compdef wrackline\n_wrackline() {\n  local -a commands\n  commands=(\n")
		for _, c := range commands() {
			fmt.Fprintf(e.stdout, "    '%s:%s'\n", c.name, strings.ReplaceAll(strings.ReplaceAll(c.short, "'", "’"), ":", `\:`))
		}
		fmt.Fprint(e.stdout, "  )\n  if (( CURRENT == 2 )); then _describe command commands; else _files; fi\n}\n_wrackline \"$@\"\n")
	case "fish":
		fmt.Fprint(e.stdout, "complete -c wrackline -n __fish_use_subcommand -f\n")
		for _, c := range commands() {
			fmt.Fprintf(e.stdout, "complete -c wrackline -n __fish_use_subcommand -a %s -d '%s'\n", c.name, strings.ReplaceAll(c.short, "'", "’"))
		}
	case "":
		return usagef("name a shell: bash, zsh or fish")
	default:
		return usagef("no completion for %q; there is bash, zsh and fish", fs.Arg(0))
	}
	return nil
}
