package main

import (
	"strings"
	"testing"
)

const routesConfig = `receivers:
- {name: all, webhook_configs: [{url: 'http://127.0.0.1:1/'}], digest: {at: "08:30", timezone: Europe/Berlin}}
- {name: am, alertmanager_configs: [{url: 'http://127.0.0.1:2/', resend_interval: 30s, labels: {team: shop}}]}
- {name: pager, slack_configs: [{bot_token: xoxb-canary, channel: C123}]}
- {name: boss, webhook_configs: [{url: 'http://127.0.0.1:3/'}]}
alerting:
  digest: {at: "07:00"}
route:
  receiver: all
  routes:
  - {receiver: am, continue: true, notifications_per_day: -1}
  - receiver: pager
    matchers: [severity="page"]
    repeat_interval: 4h
    escalate: {after: 30m, receiver: boss}
  - matchers: ['namespace=~"shop|pay.*"', 'cluster!="test"']
    receiver: pager
    mute_time_intervals: [night]
    notifications_per_day: 5
time_intervals:
- name: night
  time_intervals:
  - {times: [{start_time: "20:00", end_time: "24:00"}, {start_time: "00:00", end_time: "07:00"}], location: Europe/Berlin}
`

func TestRoutesCommand(t *testing.T) {
	f := file(t, "w.yml", routesConfig)
	for _, c := range []struct {
		args []string
		code int
		want []string
	}{
		{[]string{"test", "severity=page"}, exitOK, []string{"am  (route.routes[0], " + f + ":11:5; any number a day)\n", "pager  (route.routes[1]", "again each 4h0m0s", "open after 30m0s also to boss"}},
		{[]string{"test", "severity=warn", "namespace=payments", "--at", "2026-07-01T19:00:00Z"}, exitOK, []string{"silent at that time; 5 a day"}},
		{[]string{"test", "severity=warn", "namespace=shop", "--at", "2026-07-01T12:00:00Z", "--expect", "pager,am"}, exitOK, []string{"pager"}},
		{[]string{"test", "severity=warn", "namespace=shop", "--at", "2026-07-01T19:00:00Z", "--expect", "pager,am"}, exitFindings, []string{"It reaches am, and am, pager was expected"}},
		{[]string{"test", "severity=warn", "--expect", "am"}, exitOK, []string{"am"}},
		{[]string{"test", "team=shop"}, exitUsage, []string{"labels are severity"}},
		{[]string{"show"}, exitOK, []string{"everything → all\n", `  severity="page" → pager`, "; mute night\n", "; continue\n"}},
		{[]string{"show", "severity=page"}, exitUsage, nil},
		{[]string{"tets"}, exitUsage, nil},
	} {
		code, out, errs := run(t, append([]string{"routes", "--config.file", f}, c.args...)...)
		if code != c.code {
			t.Errorf("%v: code %d\n%s%s", c.args, code, out, errs)
		}
		for _, w := range c.want {
			if !strings.Contains(out+errs, w) {
				t.Errorf("%v: %q is not said:\n%s%s", c.args, w, out, errs)
			}
		}
	}
	none := file(t, "n.yml", "receivers:\n- {name: a, webhook_configs: [{url: 'http://127.0.0.1:1/'}]}\n- {name: b, webhook_configs: [{url: 'http://127.0.0.1:2/'}]}\n")
	if code, out, errs := run(t, "routes", "test", "--config.file", none, "--expect", "a,b", "severity=warn"); code != exitOK {
		t.Errorf("%d %s%s", code, out, errs)
	}
	if code, out, errs := run(t, "check-config", f); code != exitOK || !strings.Contains(out, "4 receivers") {
		t.Errorf("%d %s%s", code, out, errs)
	}
}

// What is Alertmanager's word and not ours is an error that says what to use, with its place.
func TestAlertmanagersWordsSayWhatToUse(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{"global: {slack_api_url: x}\ntemplates: []\ninhibit_rules: []\nmute_time_intervals: []\n", []string{"w.yml:1:1: global", "say it where it is used", "messages are worded by Wrackline", "what belongs together is one incident", "time_intervals, which a route names"}},
		{"receivers:\n- name: a\n  pagerduty_configs: []\n  email_configs: []\n  slack_configs:\n  - api_url: http://127.0.0.1:1/\n    title: x\n    http_config: {}\n", []string{"w.yml:3:3: receivers[0].pagerduty_configs", "an Alertmanager speaks to it", "receivers[0].email_configs", "cannot be changed", "bearer_token_file"}},
		{"receivers: [{name: a, webhook_configs: [{url: 'http://127.0.0.1:1/'}]}]\nroute:\n  receiver: a\n  group_by: [x]\n  group_wait: 10s\n  group_interval: 1m\n  routes:\n  - match: {severity: page}\n    receiver: a\n    matcher: []\n", []string{"w.yml:4:3: route.group_by", "an incident is one message", "a warning waits a minute", "after ten minutes", `matchers: ['severity="page"']`}},
		{"receivers: [{name: ops, webhook_configs: [{url: 'http://127.0.0.1:1/'}]}]\nroute:\n  receiver: osp\n  routes:\n  - {matchers: [severity=critical]}\n  - {matchers: [sevrity=page], mute_time_intervals: [nihgt]}\ntime_intervals: [{name: night, time_intervals: [{weekdays: [frday]}]}]\n",
			[]string{`w.yml:3:13: route.receiver: there is no receiver "osp"; did you mean "ops"?`, "critical is page", `did you mean "severity"`, `did you mean "night"`, "w.yml:7:61: time_intervals[0].time_intervals[0].weekdays[0]"}},
		{"receivers:\n- {name: a, slack_configs: [{bot_token: xoxb-canary}]}\n- {name: b, alertmanager_configs: [{url: 'http://am', tls_config: {min_version: TLS13}}]}\nalerting: {digest: {at: noon}}\n", []string{"tls_config.min_version", "TLS 1.2"}},
		{"receivers:\n- {name: a, slack_configs: [{bot_token: xoxb-canary}], digest: {timezone: Mars}}\nalerting: {digest: {at: noon}}\n", []string{"channel is missing: a bot writes into one", "receivers[0].digest: timezone", "alerting.digest: at must be"}},
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
		if strings.Contains(errs, "canary") {
			t.Errorf("a secret is shown: %s", errs)
		}
	}
}
