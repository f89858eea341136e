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
		{"twice", "receivers: [{name: a, webhook_configs: [{url: 'http://x/'}]}, {name: a}]\n", "twice"},
		{"unset variable", "alerting: {external_url: 'http://${WRACKLINE_NO_SUCH}'}\n", "WRACKLINE_NO_SUCH"},
		{"no such signal", "packs: {disable: [dns.nothing]}\n", "dns.nothing"},
		{"short token", "ingest: {tokens: [{token: abc}]}\n", "tokens[0]"},
		{"track without match", "track: [{name: my.thing}]\n", "track[0]"},
		{"bad size", "ingest: {body_max: huge}\n", "huge"},
		{"bad duration", "storage: {retention: soon}\n", "soon"},
		{"short retention", "storage: {retention: 1h}\n", "retention"},
		{"budget", "alerting: {notifications_per_day: 0}\n", "notifications_per_day"},
		{"place of a check", "signals:\n  grace: 1h\n", "w.yml:2:10: signals.grace: "},
		{"place of a kind", "alerting:\n  pages_per_day: many\n", "w.yml:2:18: alerting.pages_per_day: want a whole number, not text"},
		{"place of a size", "ingest:\n  body_max: huge\n", `w.yml:2:13: ingest.body_max: "huge" is not a size`},
		{"place of a duration", "storage:\n  retention: soon\n", `w.yml:2:14: storage.retention: "soon" is not a duration`},
		{"place of an unknown key", "receivers:\n- name: a\n  slack_configs:\n  - {api_url: 'http://x/y', chanel: b}\n", "w.yml:4:29: receivers[0].slack_configs[0].chanel: "},
		{"place of a receiver", "receivers:\n- name: a\n  webhook_configs: [{url: 'http://x/'}]\n- name: b\n  webhook_configs: [{}]\n", "w.yml:5:21: receivers[1].webhook_configs[0]: "},
		{"place of a variable", "alerting:\n  external_url: 'http://${WRACKLINE_NO_SUCH}'\n", "w.yml:2:25: environment variable"},
		{"place of a host", "web:\n  hosts: [a, 'b:80']\n", "w.yml:2:14: web.hosts[1]: "},
		{"place of a proxy", "web:\n  trusted_proxies:\n  - proxy.local\n", "w.yml:3:5: web.trusted_proxies[0]: "},
		{"place of a file", "packs: {files: [none.yaml]}\n", "w.yml:1:17: packs.files[0]: "},
		{"a receiver of nobody", "receivers:\n- name: a\n  webhook_configs:\n", "receivers[0]: receiver \"a\" has no slack_configs"},
		{"a heartbeat for nobody", "alerting:\n  heartbeat: {interval: 1m}\n", "w.yml:2:25: alerting.heartbeat.interval: there is no url"},
		{"a heartbeat's method", "alerting:\n  heartbeat: {url: 'http://x/', method: PUT}\n", "w.yml:2:41: alerting.heartbeat.method: "},
		{"short admin token", "web: {admin_token: abc}\n", "web.admin_token: it is shorter"},
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
	if code != exitOK || !strings.Contains(out, "1 track rule, 2 receivers") {
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

// TestFlagsStandAnywhere: before the words, between and behind them; what follows -- is a word.
func TestFlagsStandAnywhere(t *testing.T) {
	dir := t.TempDir()
	for _, args := range [][]string{{"verify", "--storage.path", dir}, {"--storage.path", dir, "verify"}, {"--storage.path=" + dir, "--", "verify"}} {
		if code, out, errs := run(t, append([]string{"inspect"}, args...)...); code != exitOK || !strings.Contains(out, "ok") {
			t.Errorf("inspect %q: code %d, %s%s", args, code, out, errs)
		}
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"forget", "cluster", "prod", "--server", "http://127.0.0.1:1"}, "127.0.0.1:1"},
		{[]string{"accept", "--server", "http://127.0.0.1:1", "--", "--server"}, "127.0.0.1:1"},
		{[]string{"accept", "some", "--no-such"}, "no-such"},
	} {
		if code, _, errs := run(t, c.args...); code == exitOK || !strings.Contains(errs, c.want) {
			t.Errorf("%q: code %d, %s", c.args, code, errs)
		}
	}
}
