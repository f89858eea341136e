// Package notify brings notifications to people: it words them, keeps them in an outbox until they have arrived, and
// speaks to Slack (incoming webhooks, and a bot with a thread for each incident), to generic webhooks in Alertmanager's payload version 4, and to Alertmanager's API.
//
// Delivery is at least once. A notification is on disk before its first send, and is forgotten when the receiver has said yes, when a newer one about the same incident says
// all that is left to say, or when nobody needs it any more. What a receiver has not taken for MaxAge, or says no to, is listed as given up; while it matters it is
// offered all the same. Its id is the same on every attempt, so that a receiver that looks at it sees a repetition for what it is.
package notify

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/wrackline/wrackline/alerting/route"
)

// Secret is text that must not be shown: webhook URLs and signing keys. Every usual way of printing it hides it.
type Secret string

const hidden = "<secret>"

// String returns "<secret>", or "" for an empty secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// GoString is String.
func (s Secret) GoString() string { return s.String() }

// LogValue is String.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText is String, for JSON.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalYAML is String.
func (s Secret) MarshalYAML() (any, error) { return s.String(), nil }

// UnmarshalText takes the text as it is.
func (s *Secret) UnmarshalText(b []byte) error { *s = Secret(b); return nil }

// UnmarshalYAML takes the text as it is.
func (s *Secret) UnmarshalYAML(unmarshal func(any) error) error { return unmarshal((*string)(s)) }

// Receiver is somebody who is told, in Alertmanager's words. A receiver without integrations is told nothing.
type Receiver struct {
	Name         string               `yaml:"name"`                           // of the receiver: one line; unique
	Slack        []SlackConfig        `yaml:"slack_configs,omitempty"`        // Slack, by incoming webhooks or by an app
	Webhook      []WebhookConfig      `yaml:"webhook_configs,omitempty"`      // whatever takes Alertmanager's webhook payload
	Alertmanager []AlertmanagerConfig `yaml:"alertmanager_configs,omitempty"` // Alertmanagers
	Digest       *DigestConfig        `yaml:"digest,omitempty"`               // when this receiver is sent the daily digest; nil = as Options.Digest says
}

// SlackConfig is a Slack incoming webhook, or anything that takes the same; with a token it is a Slack app that writes as a bot, with a thread for each incident.
type SlackConfig struct {
	Name       string `yaml:"name,omitempty"`         // tells it from its siblings when the file is rearranged; no slash, not only digits; "" = told by its place and URL
	APIURL     Secret `yaml:"api_url,omitempty"`      // exactly one of the two
	APIURLFile string `yaml:"api_url_file,omitempty"` // read before every send, so that it may change
	Channel    string `yaml:"channel,omitempty"`      // of webhooks only legacy ones obey it; a bot needs it: an id as C0123456789, or a name

	// BotToken (xoxb-…) is that of a Slack app with the scope chat:write, which is a member of the channel. APIURL is then where Slack's methods are; "" means https://slack.com/api/.
	BotToken     Secret `yaml:"bot_token,omitempty"`
	BotTokenFile string `yaml:"bot_token_file,omitempty"` // read before every send; not together with BotToken

	// SendResolved says whether the closing word is sent. nil means yes; Alertmanager's default for Slack is no.
	SendResolved *bool `yaml:"send_resolved,omitempty"`
	// PerMinute is how many messages a minute are sent at most, evenly. 0 means 60: Slack takes about one a second for each channel.
	PerMinute int `yaml:"messages_per_minute,omitempty"`

	TLS *TLSConfig `yaml:"tls_config,omitempty"` // nil = as the system says
}

// WebhookConfig is a URL that takes Alertmanager's webhook payload, version 4.
type WebhookConfig struct {
	Name         string `yaml:"name,omitempty"`                // as SlackConfig's
	URL          Secret `yaml:"url,omitempty"`                 // exactly one of the two
	URLFile      string `yaml:"url_file,omitempty"`            // read before every send
	SendResolved *bool  `yaml:"send_resolved,omitempty"`       // nil means yes
	MaxAlerts    int    `yaml:"max_alerts,omitempty"`          // most alerts in one payload; 0 means all
	PerMinute    int    `yaml:"messages_per_minute,omitempty"` // as SlackConfig's; 0 means 600

	// Secret signs each request by Standard Webhooks: whsec_ and base64. Several, separated by white space, sign
	// with each, so that a key can be replaced without a gap. Empty means unsigned.
	Secret     Secret `yaml:"secret,omitempty"`
	SecretFile string `yaml:"secret_file,omitempty"` // read before every send; not together with Secret

	// Bearer is sent as "Authorization: Bearer …". Empty means no such header.
	Bearer     Secret `yaml:"bearer_token,omitempty"`
	BearerFile string `yaml:"bearer_token_file,omitempty"` // read before every send; not together with Bearer

	TLS *TLSConfig `yaml:"tls_config,omitempty"` // nil = as the system says
}

// FieldError is what is wrong with a field of the receivers' configuration.
type FieldError = route.FieldError

// NewTree makes the tree of routes of a configuration; its receivers must be among these. It returns FieldErrors, joined, for what is wrong.
func NewTree(root *route.Route, intervals []route.TimeInterval, receivers []Receiver) (*route.Tree, error) {
	names := make([]string, len(receivers))
	for i := range receivers {
		names[i] = receivers[i].Name
	}
	return route.New(root, intervals, names)
}

// CheckReceivers reports what is wrong with the configuration, by receiver and field: FieldErrors that are joined. Files are read. No error contains a secret.
func CheckReceivers(receivers []Receiver) error {
	var list []error
	seen := map[string]bool{}
	for i := range receivers {
		at := fmt.Sprintf("receivers[%d]", i)
		r := &receivers[i]
		switch {
		case r.Name == "":
			list = append(list, &FieldError{Path: at, Err: errors.New("name is missing")})
		case len(r.Name) > 200 || r.Name != oneLine(r.Name, 200):
			list = append(list, &FieldError{Path: at + ".name", Err: errors.New("name must be one line of at most 200 bytes")})
		case seen[r.Name]:
			list = append(list, &FieldError{Path: at + ".name", Err: fmt.Errorf("receiver %q: the name is used twice; give each its own", r.Name)})
		}
		seen[r.Name] = true
		if len(r.Slack)+len(r.Webhook)+len(r.Alertmanager) == 0 {
			list = append(list, &FieldError{Path: at, Err: fmt.Errorf("receiver %q has no slack_configs, webhook_configs or alertmanager_configs: nobody would be told. Give one, or take the receiver out", r.Name)})
		}
		if r.Digest != nil {
			if err := r.Digest.Check(); err != nil {
				list = append(list, &FieldError{Path: at + ".digest", Err: err})
			}
		}
		names := map[string]bool{}
		bad := func(kind string, k int, err error) {
			if err != nil {
				list = append(list, &FieldError{Path: fmt.Sprintf("%s.%s[%d]", at, kind, k), Err: fmt.Errorf("receiver %q: %w", r.Name, err)})
			}
		}
		for k, c := range r.Slack {
			bad("slack_configs", k, c.check(names))
		}
		for k, c := range r.Webhook {
			bad("webhook_configs", k, c.check(names))
		}
		for k, c := range r.Alertmanager {
			bad("alertmanager_configs", k, c.check(names))
		}
	}
	return errors.Join(list...)
}

// check returns the first thing that is wrong. names are those of the receiver so far.
func (c *SlackConfig) check(names map[string]bool) error {
	if err := checkIntegration("slack", c.Name, c.PerMinute, names); err != nil {
		return err
	}
	if err := c.TLS.check(); err != nil {
		return err
	}
	if c.bot() {
		if _, err := either("bot_token", c.BotToken, c.BotTokenFile); err != nil {
			return err
		}
		if c.Channel == "" {
			return errors.New("channel is missing: a bot writes into one")
		}
		if c.APIURL == "" && c.APIURLFile == "" {
			return nil
		}
	}
	_, err := target("api_url", c.APIURL, c.APIURLFile)
	return err
}

// bot reports whether it is an app with a token rather than a webhook.
func (c *SlackConfig) bot() bool { return c.BotToken != "" || c.BotTokenFile != "" }

// check returns the first thing that is wrong. names are those of the receiver so far.
func (c *WebhookConfig) check(names map[string]bool) error {
	if err := checkIntegration("webhook", c.Name, c.PerMinute, names); err != nil {
		return err
	}
	if err := c.TLS.check(); err != nil {
		return err
	}
	if _, err := target("url", c.URL, c.URLFile); err != nil {
		return err
	}
	if _, err := signingKeys(*c); err != nil {
		return err
	}
	if _, err := either("bearer_token", c.Bearer, c.BearerFile); err != nil {
		return err
	}
	if c.MaxAlerts < 0 {
		return errors.New("max_alerts is negative")
	}
	return nil
}

// checkIntegration checks what both kinds have. names are those of the receiver so far.
func checkIntegration(kind, name string, perMinute int, names map[string]bool) error {
	switch {
	case name == "":
	case len(name) > 100 || name != oneLine(name, 100) || strings.Contains(name, "/") || digits(name):
		return errors.New("name must be one line of at most 100 bytes, without a slash and not only digits")
	case names[kind+"/"+name]:
		return fmt.Errorf("the name %q is used twice", name)
	}
	names[kind+"/"+name] = name != ""
	if perMinute < 0 || perMinute > perMinuteMost {
		return fmt.Errorf("messages_per_minute is %d; it must be between 0 (the default) and %d", perMinute, perMinuteMost)
	}
	return nil
}

// Files returns the files that the receivers' secrets are in.
func Files(receivers []Receiver) (out []string) {
	for _, r := range receivers {
		for _, c := range r.Slack {
			out = append(append(out, c.APIURLFile, c.BotTokenFile), c.TLS.files()...)
		}
		for _, c := range r.Webhook {
			out = append(append(out, c.URLFile, c.SecretFile, c.BearerFile), c.TLS.files()...)
		}
		for _, c := range r.Alertmanager {
			out = append(append(out, c.URLFile, c.BearerFile), c.TLS.files()...)
			if c.BasicAuth != nil {
				out = append(out, c.BasicAuth.PasswordFile)
			}
		}
	}
	return slices.DeleteFunc(out, func(f string) bool { return f == "" })
}

// either returns the value or the trimmed content of the file, whichever is given; "" when neither is.
func either(name string, value Secret, file string) (string, error) {
	switch {
	case value != "" && file != "":
		return "", fmt.Errorf("%s and %s_file are both given", name, name)
	case file == "":
		return strings.TrimSpace(string(value)), nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("%s_file: %w", name, err)
	}
	text := strings.TrimSpace(string(b))
	if text == "" {
		return "", fmt.Errorf("%s_file: %s is empty", name, file)
	}
	return text, nil
}

// target returns the URL to send to. Its errors never quote it.
func target(name string, value Secret, file string) (*url.URL, error) {
	text, err := either(name, value, file)
	if err != nil {
		return nil, err
	}
	if text == "" {
		return nil, fmt.Errorf("%s or %s_file is missing; give one of them", name, name)
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s is not a URL", name)
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%s must begin with http:// or https://", name)
	}
	if u.Hostname() == "" {
		return nil, fmt.Errorf("%s has no host", name)
	}
	return u, nil
}

// redact takes everything that is secret about u out of an error, and bounds it.
func redact(err error, u *url.URL, more ...string) string {
	if err == nil {
		return ""
	}
	var ue *url.Error
	if errors.As(err, &ue) { // its text quotes the whole URL
		err = fmt.Errorf("%s: %w", strings.ToLower(ue.Op), ue.Err)
	}
	text := err.Error()
	if u != nil {
		more = append(more, u.String(), u.RequestURI(), u.EscapedPath(), u.Path, u.RawQuery, u.Fragment)
		for _, part := range strings.FieldsFunc(u.Path, func(r rune) bool { return r == '/' }) {
			if len(part) >= 8 {
				more = append(more, part)
			}
		}
		if u.User != nil {
			p, _ := u.User.Password()
			more = append(more, u.User.String(), u.User.Username(), p, base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+p)))
		}
		for _, vs := range u.Query() {
			more = append(more, vs...)
		}
	}
	for _, s := range more {
		if len(s) > 1 {
			text = strings.ReplaceAll(text, s, hidden)
		}
	}
	return oneLine(text, 300)
}
