// Alertmanager as a receiver: its API, version 2. It keeps alerts in memory alone and lets go of what it is not told again, so what is open is sent again and again, and the end of it for a while, too.

package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/alerting/route"
)

// AlertmanagerConfig is an Alertmanager that takes alerts by its API, version 2. Each of a cluster of them is one of its own.
type AlertmanagerConfig struct {
	Name         string `yaml:"name,omitempty"`                // as SlackConfig's
	URL          Secret `yaml:"url,omitempty"`                 // where its pages are, as http://alertmanager:9093; exactly one of the two
	URLFile      string `yaml:"url_file,omitempty"`            // read before every send
	SendResolved *bool  `yaml:"send_resolved,omitempty"`       // nil means yes; else an alert ends when it is not sent again
	PerMinute    int    `yaml:"messages_per_minute,omitempty"` // as SlackConfig's; 0 means 600

	// ResendInterval is how often what is open is sent again; it ends there when it has not been for five times as long. 0 means 1 min.
	ResendInterval time.Duration     `yaml:"resend_interval,omitempty"`
	Labels         map[string]string `yaml:"labels,omitempty"` // more labels for every alert, as team: shop

	BasicAuth  *BasicAuth `yaml:"basic_auth,omitempty"`        // HTTP basic authentication; nil = none
	Bearer     Secret     `yaml:"bearer_token,omitempty"`      // sent as "Authorization: Bearer …"; at most one of the two
	BearerFile string     `yaml:"bearer_token_file,omitempty"` // read before every send

	TLS *TLSConfig `yaml:"tls_config,omitempty"` // nil = as the system says
}

// BasicAuth is a name and a password.
type BasicAuth struct {
	Username     string `yaml:"username"`                // of HTTP basic authentication
	Password     Secret `yaml:"password,omitempty"`      // at most one of the two
	PasswordFile string `yaml:"password_file,omitempty"` // read before every send
}

const (
	resendDefault = time.Minute
	resendMost    = 10 * time.Minute
	resendEnds    = 5                // intervals after which an alert ends that is not sent again
	overAgain     = 15 * time.Minute // for so long the end of an alert is sent again, as Prometheus does

	amLabelMax = 256  // bytes of a label's value
	amTextMax  = 2000 // bytes of an annotation
)

var labelName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// check returns the first thing that is wrong. names are those of the receiver so far.
func (c *AlertmanagerConfig) check(names map[string]bool) error {
	if err := checkIntegration("alertmanager", c.Name, c.PerMinute, names); err != nil {
		return err
	}
	if err := c.TLS.check(); err != nil {
		return err
	}
	if _, err := target("url", c.URL, c.URLFile); err != nil {
		return err
	}
	if _, err := either("bearer_token", c.Bearer, c.BearerFile); err != nil {
		return err
	}
	if d := c.ResendInterval; d != 0 && (d < time.Second || d > resendMost) {
		return fmt.Errorf("resend_interval is %s; it must be between 1s and %s", d, resendMost)
	}
	for _, k := range slices.Sorted(maps.Keys(c.Labels)) {
		switch {
		case !labelName.MatchString(k):
			return fmt.Errorf("labels: %q is not a label's name", k)
		case k == "incident" || slices.Contains(route.Names, k):
			return fmt.Errorf("labels: %s says what the alert is about; choose another name", k)
		case c.Labels[k] == "" || c.Labels[k] != oneLine(c.Labels[k], amLabelMax):
			return fmt.Errorf("labels: the value of %s must be one line of at most %d bytes", k, amLabelMax)
		}
	}
	if c.BasicAuth == nil {
		return nil
	}
	if c.Bearer != "" || c.BearerFile != "" {
		return errors.New("basic_auth and bearer_token are both given")
	}
	if c.BasicAuth.Username == "" {
		return errors.New("basic_auth.username is missing")
	}
	_, err := either("basic_auth.password", c.BasicAuth.Password, c.BasicAuth.PasswordFile)
	return err
}

// amAlert is an alert as the API takes it. It is stored, but for the time of its end.
type amAlert struct {
	Labels       map[string]string `json:"labels"` // they are its identity there
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL,omitempty"`
}

// newAMAlert makes the alert of an incident.
func newAMAlert(m *Message, more map[string]string) *amAlert {
	a := &amAlert{Labels: map[string]string{}, Annotations: map[string]string{}, StartsAt: time.UnixMilli(m.Onset).UTC(), GeneratorURL: m.Link}
	put := func(to map[string]string, max int, pairs map[string]string) {
		for k, v := range pairs {
			if v = oneLine(v, max); v != "" {
				to[k] = v
			}
		}
	}
	put(a.Labels, amLabelMax, more)
	put(a.Labels, amLabelMax, m.route())
	a.Labels["incident"] = oneLine(m.Incident, amLabelMax)
	if a.Labels["alertname"] == "" {
		a.Labels["alertname"] = "wrackline"
	}
	put(a.Annotations, amTextMax, map[string]string{
		"summary": m.Title, "description": m.Meaning, "value": m.Value, "where": m.Where, "moved_first": m.First, "changed": strings.Join(m.Changes, "; "), "causes": strings.Join(m.Causes, "; "),
		"next": strings.Join(m.Next, "; "), "incident_url": m.Link, "late": m.Late, "told": m.Told, "users": m.Users, "mostly": m.Mostly, "part_of": m.PartOf,
		"changed_later": strings.Join(m.besides(), "; "),
	})
	if n := len(m.Lines) + m.More; n > 1 {
		a.Annotations["signals"] = alerting.Count(n, "signal")
	}
	return a
}

// renewer is a far end that lets go of what it is not told again.
type renewer interface {
	every() time.Duration
	renew(ctx context.Context, u *url.URL, held []*holding, call caller) outcome // held have an Alert
}

type alertmanager struct{ AlertmanagerConfig }

func (a *alertmanager) sendResolved() bool { return a.SendResolved == nil || *a.SendResolved }

func (a *alertmanager) every() time.Duration { return cmp.Or(a.ResendInterval, resendDefault) }

func (a *alertmanager) url() (*url.URL, error) {
	u, err := target("url", a.URL, a.URLFile)
	if err != nil {
		return nil, err
	}
	if !strings.HasSuffix(u.Path, "/api/v2/alerts") {
		u = u.JoinPath("api/v2/alerts")
	}
	return u, nil
}

// say sends an incident's alert. Its labels stay those of the first time, but for the severity: as that rises the alert of before ends and another begins, so that Alertmanager's routes see it.
func (a *alertmanager) say(ctx context.Context, u *url.URL, m *Message, h *holding, call caller) outcome {
	now := time.Now().UTC()
	alert := newAMAlert(m, a.Labels)
	var list []amAlert
	if h != nil && h.Alert != nil {
		severity := alert.Labels["severity"]
		alert.StartsAt = h.Alert.StartsAt
		alert.Labels = maps.Clone(h.Alert.Labels)
		if alert.Labels["severity"] != severity {
			old := *h.Alert
			old.EndsAt = now
			list = append(list, old)
			alert.Labels["severity"] = severity
		}
	}
	if alert.StartsAt.After(now) { // a sender's clock is ahead
		alert.StartsAt = now
	}
	if alert.EndsAt = now; m.Firing() {
		alert.EndsAt = now.Add(resendEnds * a.every())
	}
	o := a.send(ctx, u, append(list, *alert), call)
	if o.verdict == delivered && h != nil {
		h.Alert = alert
	}
	return o
}

// renew sends what is open, and what ended a while ago, again.
func (a *alertmanager) renew(ctx context.Context, u *url.URL, held []*holding, call caller) outcome {
	now := time.Now().UTC()
	var list []amAlert
	for _, h := range held {
		alert := *h.Alert
		if h.Over == 0 {
			alert.EndsAt = now.Add(resendEnds * a.every())
		}
		list = append(list, alert)
	}
	return a.send(ctx, u, list, call)
}

func (a *alertmanager) send(ctx context.Context, u *url.URL, list []amAlert, call caller) outcome {
	r, err := post(ctx, u, plainJSON(list))
	if err != nil {
		return outcome{verdict: again, why: redact(err, u)}
	}
	token, err := either("bearer_token", a.Bearer, a.BearerFile)
	if err != nil {
		return outcome{verdict: again, why: redact(err, u)}
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if x := a.BasicAuth; x != nil {
		password, err := either("basic_auth.password", x.Password, x.PasswordFile)
		if err != nil {
			return outcome{verdict: again, why: redact(err, u)}
		}
		r.SetBasicAuth(x.Username, password)
	}
	return call(r, func(_ http.Header, body []byte) error {
		if strings.HasPrefix(strings.TrimSpace(string(body)), "<") {
			return errAlertmanagerAnswer
		}
		return nil
	})
}

var errAlertmanagerAnswer = errors.New("the answer is not that of an Alertmanager")
