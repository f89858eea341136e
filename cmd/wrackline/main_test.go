package main

import (
	"strings"
	"testing"
)

// TestEveryCommandTeaches holds that --help of each command explains it and lists its flags, and that mistakes are usage errors.
func TestEveryCommandTeaches(t *testing.T) {
	for _, c := range commands() {
		code, out, _ := run(t, c.name, "--help")
		if code != exitOK || !strings.Contains(out, "Usage: wrackline "+c.name) || len(c.long) < 40 {
			t.Errorf("%s --help: code %d, %q", c.name, code, out)
		}
		code, _, errs := run(t, c.name, "--no-such-flag")
		if code != exitUsage || !strings.Contains(errs, "no-such-flag") {
			t.Errorf("%s --no-such-flag: code %d, %q; want %d and the flag named", c.name, code, errs, exitUsage)
		}
	}
	if code, out, _ := run(t, "help"); code != exitOK || !strings.Contains(out, "demo") {
		t.Errorf("help: code %d, %q", code, out)
	}
	if code, _, errs := run(t, "no-such-command"); code != exitUsage || !strings.Contains(errs, "no-such-command") {
		t.Errorf("unknown command: code %d, %q", code, errs)
	}
}

// TestConfigErrorsNameTheirPlace holds that a wrong configuration is refused with the key or line that is wrong.
func TestConfigErrorsNameTheirPlace(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"unknown key", "ingest:\n  synk: 1s\n", "synk"},
		{"wrong kind", "signals:\n  series_max: many\n", "series_max"},
		{"bad sync", "ingest: {sync: sometimes}\n", "ingest.sync"},
		{"bad zone", "signals: {timezone: Mars/Olympus}\n", "timezone"},
		{"no URL", "receivers: [{name: a, webhook_configs: [{}]}]\n", "url"},
		{"bad scheme", "receivers: [{name: a, webhook_configs: [{url: 'ftp://x/'}]}]\n", "http"},
		{"twice", "receivers: [{name: a}, {name: a}]\n", "twice"},
		{"unset variable", "alerting: {external_url: 'http://${WRACKLINE_NO_SUCH}'}\n", "WRACKLINE_NO_SUCH"},
		{"no such signal", "packs: {disable: [dns.nothing]}\n", "dns.nothing"},
		{"short token", "ingest: {tokens: [{token: abc}]}\n", "tokens[0]"},
		{"track without match", "track: [{name: my.thing}]\n", "track[0]"},
		{"bad size", "ingest: {body_max: huge}\n", "huge"},
		{"bad duration", "storage: {retention: soon}\n", "soon"},
		{"short retention", "storage: {retention: 1h}\n", "retention"},
		{"budget", "alerting: {notifications_per_day: 0}\n", "notifications_per_day"},
	} {
		f := file(t, "w.yml", c.text)
		code, _, errs := run(t, "check-config", f)
		if code != exitFailure || !strings.Contains(errs, c.want) {
			t.Errorf("%s: code %d, %q; want %d and %q named", c.name, code, errs, exitFailure, c.want)
		}
	}
	for _, c := range []string{"", "# nothing but comments\n", "ingest:\nsignals:\nalerting:\nstorage:\nreceivers:\n"} {
		if code, _, errs := run(t, "check-config", file(t, "w.yml", c)); code != exitOK {
			t.Errorf("%q: code %d, %q; every key has a default", c, code, errs)
		}
	}
	code, out, errs := run(t, "check-config", file(t, "w.yml", goodConfig))
	if code != exitOK || !strings.Contains(out, "1 track rules, 2 receivers") {
		t.Errorf("good configuration: code %d, %q %q", code, out, errs)
	}
}

const goodConfig = `
ingest: {sync: always, body_max: 4MiB, tokens: [{token: 0123456789abcdef, sender: a, cluster: prod}]}
signals: {timezone: Europe/Berlin, grace: 2m}
packs: {disable: ["dns.*"]}
track:
- {name: shop.orders, match: 'orders_total{env="prod"}', func: rate, agg: sum, by: [shop], unit: /s, bad: down}
alerting: {external_url: "https://wrackline.example.com", notifications_per_day: 5}
receivers:
- {name: team, slack_configs: [{api_url: "https://hooks.slack.com/services/T/B/x"}]}
- {name: hook, webhook_configs: [{url: "http://127.0.0.1:1/x", secret: whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz}]}
storage: {checkpoint_interval: 30s, retention: 10d}
`
