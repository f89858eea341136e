package main

import (
	"fmt"
	"strings"
	"testing"
)

// check-config says all that is wrong, each with its place, and nothing of what is right.
func TestCheckConfigSaysEverything(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string // parts, in any order
		not  []string
	}{
		{"ingest: {sync: often, journal_max: 1MiB}\nsignals: {series_max: 0, timezone: Mars/Olympus}\nreceivers:\n- {name: a}\n- {name: a, webhook_configs: [{url: 'ftp://x'}]}\nstorage: {retention: 1h}\n",
			[]string{"w.yml:1:16: ingest.sync", "ingest.journal_max", "signals.series_max", "signals.timezone", "receivers[0]", "receivers[1].name", "receivers[1].webhook_configs[0]", "storage.retention", "8 things are wrong"}, nil},
		{"ingest:\n  sinc: 1s\n  sync: often\nalerting:\n  notification_per_day: 3\n  pages_per_day: 0\nreciever: []\n",
			[]string{"w.yml:2:", "sinc", "w.yml:3:9: ingest.sync", "notification_per_day", "alerting.pages_per_day", "reciever", "5 things are wrong"}, nil},
		{"track:\n- {name: x.a, match: 'up{', func: value, agg: max}\n- {name: x.a, match: up, func: value, agg: max}\npacks:\n  disable: ['[']\n  files: [nowhere.yaml]\n", []string{"track[0]", "track[1].name", "packs.disable[0]", "packs.files[0]"}, nil},
		{"ingest: {tokens: [{token: short}, {}, {token_file: /nowhere/token}]}\n", []string{"ingest.tokens[0]", "ingest.tokens[1]", "ingest.tokens[2].token_file", "3 things are wrong"}, []string{"short}"}},
		{"storage: {retention: 1h}\n", []string{"w.yml:1:22: storage.retention"}, []string{"things are wrong"}},
		{"storage: [\n", []string{"w.yml:"}, []string{"things are wrong"}},
	} {
		code, out, errs := run(t, "check-config", file(t, "w.yml", c.text))
		if code != exitFailure {
			t.Errorf("%q: code %d, %s", c.text, code, out)
		}
		for _, w := range c.want {
			if !strings.Contains(errs, w) {
				t.Errorf("%q: %q is not said:\n%s", c.text, w, errs)
			}
		}
		for _, w := range c.not {
			if strings.Contains(errs, w) {
				t.Errorf("%q: %q is said:\n%s", c.text, w, errs)
			}
		}
	}
	for n, want := range map[int]string{1: "1 receiver\n", 2: "2 receivers\n"} {
		text := "receivers:\n"
		for i := range n {
			text += fmt.Sprintf("- {name: r%d, webhook_configs: [{url: 'http://127.0.0.1:%d/'}]}\n", i, 8000+i)
		}
		if code, out, errs := run(t, "check-config", file(t, "w.yml", text)); code != exitOK || !strings.HasSuffix(out, want) {
			t.Errorf("code %d: %s%s", code, out, errs)
		}
	}
}
