// Slack by the token of an app: one thread for each incident, of which the first message is kept up to date.

package notify

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/wrackline/wrackline/alerting"
)

const slackMethods = "https://slack.com/api/"

type slackBot struct{ SlackConfig }

func (s *slackBot) sendResolved() bool { return s.SendResolved == nil || *s.SendResolved }

func (s *slackBot) url() (*url.URL, error) {
	api := s.APIURL
	if s.APIURLFile == "" {
		api = cmp.Or(api, slackMethods)
	}
	u, err := target("api_url", api, s.APIURLFile)
	if err != nil {
		return nil, err
	}
	return u.JoinPath("chat.postMessage"), nil
}

// slackSaid is what Slack's methods answer.
type slackSaid struct {
	ok                 bool
	error, channel, ts string
}

// readSlack reads an answer as far as it came: the message that it repeats may be cut off. known is false when it does not say yes or no.
func readSlack(body []byte) (said slackSaid, known bool) {
	d := json.NewDecoder(bytes.NewReader(body))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return said, false
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			break
		}
		var value json.RawMessage
		if d.Decode(&value) != nil {
			break
		}
		switch key {
		case "ok":
			known = json.Unmarshal(value, &said.ok) == nil
		case "error":
			json.Unmarshal(value, &said.error)
		case "channel":
			json.Unmarshal(value, &said.channel)
		case "ts":
			json.Unmarshal(value, &said.ts)
		}
	}
	return said, known
}

// say posts an incident's first message, or brings it up to date and answers in its thread. The update comes first: repeated after a kill it says the same, and an answer would be there twice.
func (s *slackBot) say(ctx context.Context, u *url.URL, m *Message, h *holding, call caller) outcome {
	if h == nil || h.TS == "" || !m.ofIncident() {
		said, o := s.post(ctx, u, slackMessage(m, slackFull), call)
		if o.verdict == delivered && h != nil && m.ofIncident() {
			h.Channel, h.TS = cmp.Or(said.channel, s.Channel), said.ts
		}
		return o
	}
	p := slackMessage(m, slackFull)
	p.Channel, p.TS = h.Channel, h.TS
	if _, o := s.method(ctx, u.JoinPath("../chat.update"), p, call); o.verdict != delivered && !o.past {
		return o
	}
	p = slackMessage(m, slackShort)
	p.Channel, p.Thread = h.Channel, h.TS
	p.Broadcast = m.Since != nil && m.Firing() && alerting.SeverityRank(m.Severity) > alerting.SeverityRank(m.Since.Severity)
	_, o := s.post(ctx, u, p, call)
	if o.verdict != delivered && o.past { // somebody has deleted the thread
		var said slackSaid
		if said, o = s.post(ctx, u, slackMessage(m, slackFull), call); o.verdict == delivered {
			h.Channel, h.TS = cmp.Or(said.channel, s.Channel), said.ts
		}
	}
	return o
}

// post posts a message; one that Slack finds too long or not well made is said once more in a line.
func (s *slackBot) post(ctx context.Context, u *url.URL, p *slackPayload, call caller) (slackSaid, outcome) {
	p.Channel = cmp.Or(p.Channel, s.Channel)
	said, o := s.method(ctx, u, p, call)
	if o.verdict == refused && !o.past && len(p.Blocks) > 0 {
		p.Blocks = nil
		said, o = s.method(ctx, u, p, call)
	}
	return said, o
}

// method calls one of Slack's methods.
func (s *slackBot) method(ctx context.Context, u *url.URL, p *slackPayload, call caller) (said slackSaid, o outcome) {
	token, err := either("bot_token", s.BotToken, s.BotTokenFile)
	if err != nil {
		return said, outcome{verdict: again, why: redact(err, nil)}
	}
	r, err := post(ctx, u, plainJSON(p))
	if err != nil {
		return said, outcome{verdict: again, why: redact(err, nil)}
	}
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	r.Header.Set("Authorization", "Bearer "+token)
	o = call(r, func(_ http.Header, body []byte) error {
		var known bool
		if said, known = readSlack(body); !known {
			return errSlackAnswer
		}
		if said.ok {
			return nil
		}
		return &answerError{slackErrors(said.error), oneLine(cmp.Or(said.error, "no"), 100)}
	})
	return said, o
}

// slackErrors says what an error of Slack's methods means. What a person must put right first is asked again seldom, as one who is gone: it is said once.
func slackErrors(word string) outcome {
	switch word {
	case "invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "missing_scope", "no_permission", "not_allowed_token_type", "org_login_required", "ekm_access_denied", "access_denied",
		"channel_not_found", "not_in_channel", "is_archived", "restricted_action", "restricted_action_read_only_channel", "team_access_not_granted", "two_factor_setup_required", "enterprise_is_restricted":
		return outcome{verdict: gone}
	case "msg_too_long", "msg_blocks_too_long", "invalid_blocks", "invalid_blocks_format", "no_text", "too_many_attachments", "invalid_arguments", "markdown_text_conflict":
		return outcome{verdict: refused}
	case "ratelimited", "rate_limited", "message_limit_exceeded":
		return outcome{verdict: again, after: slackLimited}
	case "message_not_found", "cant_update_message", "edit_window_closed", "thread_not_found", "cannot_reply_to_message", "restricted_action_thread_locked":
		return outcome{verdict: refused, past: true}
	}
	return outcome{verdict: again, suspect: true} // fatal_error, internal_error, service_unavailable, request_timeout and what is to come
}

// slackLimited is how long we wait when Slack says that there is too much, and not for how long.
const slackLimited = 30 * time.Second

// ofIncident reports whether a message is one of those about an incident.
func (m *Message) ofIncident() bool {
	switch m.Reason {
	case alerting.First, alerting.Changed, alerting.Repeated, alerting.Resolved:
		return true
	}
	return false
}
