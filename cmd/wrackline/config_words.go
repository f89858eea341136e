package main

import (
	"slices"
	"strings"
)

const byAlertmanager = "use alertmanager_configs: an Alertmanager speaks to it; or webhook_configs, for whatever takes Alertmanager's payload"

// insteadOf says of Alertmanager's words that Wrackline does not know what to use in their place. A section before a dot narrows a word down.
var insteadOf = map[string]string{
	"global":                   "say it where it is used: api_url and the like stand in each integration",
	"templates":                "leave it out: messages are worded by Wrackline and cannot be changed; webhook_configs give everything as data",
	"inhibit_rules":            "leave it out: what belongs together is one incident already; an Alertmanager in alertmanager_configs can inhibit by its labels",
	"mute_time_intervals":      "use time_intervals, which a route names in mute_time_intervals or active_time_intervals",
	"tracing":                  "leave it out: there is none",
	"route.group_by":           "leave it out: an incident is one message, with all that belongs to it",
	"route.group_wait":         "leave it out: a warning waits a minute by itself, a page not at all",
	"route.group_interval":     "leave it out: an incident that widens is told again after ten minutes at the earliest",
	"route.match":              `use matchers: ['severity="page"']`,
	"route.match_re":           `use matchers: ['namespace=~"shop|pay.*"']`,
	"http_config":              "use bearer_token_file, tls_config, or basic_auth in alertmanager_configs; the proxy is alerting.outlet.proxy_from_environment",
	"min_version":              "leave it out: it is TLS 1.2",
	"max_version":              "leave it out: the newest that both speak is used",
	"ca":                       "use ca_file",
	"cert":                     "use cert_file",
	"key":                      "use key_file",
	"proxy_url":                "use alerting.outlet.proxy_from_environment",
	"api_version":              "leave it out: it is v2",
	"static_configs":           "use url; each Alertmanager of a cluster is one of alertmanager_configs",
	"path_prefix":              "put it into url",
	"app_token":                "use bot_token",
	"app_token_file":           "use bot_token_file",
	"app_url":                  "use api_url, where Slack's methods are not at https://slack.com/api/",
	"receivers.timeout":        "leave it out: it is 15 s",
	"receivers.payload":        "leave it out: webhook_configs send Alertmanager's payload, version 4",
	"receivers.update_message": "use bot_token: the first message is kept up to date then",
	"receivers.username":       "leave it out: it is the name that the Slack app has",
	"receivers.icon_emoji":     "leave it out: it is the icon that the Slack app has",
	"receivers.icon_url":       "leave it out: it is the icon that the Slack app has",
	"receivers.slack_api_url":  "use api_url",
}

// slackWords and others are Alertmanager's, of integrations.
var (
	slackWords  = []string{"title", "title_link", "text", "pretext", "fallback", "color", "fields", "short_fields", "actions", "footer", "callback_id", "link_names", "mrkdwn_in", "image_url", "thumb_url", "message_text"}
	otherConfig = []string{"pagerduty_configs", "opsgenie_configs", "email_configs", "discord_configs", "msteams_configs", "msteamsv2_configs", "telegram_configs", "victorops_configs", "pushover_configs", "sns_configs",
		"webex_configs", "wechat_configs", "jira_configs", "rocketchat_configs", "incidentio_configs", "mattermost_configs"}
)

// instead returns what to use in the place of a key that nobody knows; "" when that is not known.
func instead(path string) string {
	section, _, _ := strings.Cut(path, ".")
	section, _, _ = strings.Cut(section, "[")
	word := path[strings.LastIndexByte(path, '.')+1:]
	switch {
	case insteadOf[section+"."+word] != "":
		return insteadOf[section+"."+word]
	case slices.Contains(otherConfig, word):
		return byAlertmanager
	case section == "receivers" && slices.Contains(slackWords, word):
		return insteadOf["templates"]
	}
	return insteadOf[word]
}
