package main

import (
	"context"
	_ "embed"
	"fmt"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/wrackline/wrackline/baseline/form"
)

// configDocs says of each field of the configuration's types what its comment in the source says, a line each: Type.Field, a tab, the text. TestConfigDocs writes and holds it.
//
//go:embed config_docs.txt
var configDocs string

func configDoc(field string) string {
	for line := range strings.Lines(configDocs) {
		if name, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t"); name == field {
			return text
		}
	}
	return ""
}

// configSchema returns the JSON schema of configuration files.
func configSchema() ([]byte, error) {
	c := defaultConfig()
	b, err := form.Schema(&c, "Configuration of Wrackline", configDoc)
	return append(b, '\n'), err
}

const configHelp = `Prints the configuration that holds, as YAML: what the file says, and behind each value that it does not give "# default". Secrets are masked.

  wrackline config                                  the defaults
  wrackline config --config.file wrackline.yml
  wrackline config --changed --config.file wrackline.yml    only what the file gives
`

func runConfig(_ context.Context, e env, args []string) error {
	fs := newFlags(e, "config")
	configFile := fs.String("config.file", "", "configuration `file`; may also be the argument")
	changed := fs.Bool("changed", false, "only what the file gives")
	if err := parse(e, fs, args); err != nil {
		return err
	}
	file, err := oneFile(fs, *configFile)
	if err != nil {
		return err
	}
	cfg, err := loadConfig(file)
	if err != nil {
		return err
	}
	text, err := effectiveConfig(&cfg, *changed)
	if err != nil {
		return err
	}
	fmt.Fprint(e.stdout, text)
	return nil
}

// effectiveConfig is a configuration as YAML, with a word behind each default; with changed without these.
func effectiveConfig(cfg *config, changed bool) (string, error) {
	says := cfg.says
	if says == nil {
		says = func(string) bool { return false }
	}
	var b strings.Builder
	if err := show(&b, reflect.ValueOf(*cfg), "", "", says, changed); err != nil {
		return "", err
	}
	if b.Len() == 0 {
		return "{} # everything is as by default\n", nil
	}
	return b.String(), nil
}

// show writes the fields of a struct that stands at a path.
func show(b *strings.Builder, v reflect.Value, path, indent string, says func(string) bool, changed bool) error {
	for i := range v.NumField() {
		name, _ := form.Field(v.Type().Field(i))
		if name == "" {
			continue
		}
		key := strings.TrimPrefix(path+"."+name, ".")
		x := v.Field(i)
		if x.Kind() == reflect.Struct {
			var part strings.Builder
			if err := show(&part, x, key, indent+"  ", says, changed); err != nil {
				return err
			}
			if part.Len() > 0 {
				b.WriteString(indent + name + ":\n" + part.String())
			}
			continue
		}
		given := says(key)
		if changed && !given {
			continue
		}
		value := x.Interface()
		if x.Kind() == reflect.Slice && x.Len() == 0 {
			value = []any{}
		}
		text, err := yaml.MarshalWithOptions(yaml.MapSlice{{Key: name, Value: value}}, yaml.IndentSequence(false))
		if err != nil {
			return err
		}
		lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
		if !given {
			lines[0] += " # default"
		}
		for _, l := range lines {
			b.WriteString(indent + l + "\n")
		}
	}
	return nil
}

// configText returns the effective configuration as YAML. Secrets print as <secret>.
func configText(cfg *config) string {
	text, err := effectiveConfig(cfg, false)
	if err != nil {
		return "# " + err.Error()
	}
	return text
}
