package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wrackline/wrackline/alerting"
)

// webhookPayload is Alertmanager's webhook message, version 4, field for field, so that whatever consumes
// Alertmanager's webhooks consumes ours.
type webhookPayload struct {
	Receiver           string            `json:"receiver"`
	Status             string            `json:"status"`
	Alerts             []webhookAlert    `json:"alerts"`
	NotificationReason string            `json:"notification_reason"` // since Alertmanager 0.32, in its words
	GroupLabels        map[string]string `json:"groupLabels"`
	CommonLabels       map[string]string `json:"commonLabels"`
	CommonAnnotations  map[string]string `json:"commonAnnotations"`
	ExternalURL        string            `json:"externalURL"`
	Version            string            `json:"version"`
	GroupKey           string            `json:"groupKey"`
	TruncatedAlerts    int               `json:"truncatedAlerts"`
}

type webhookAlert struct {
	Status       string            `json:"status"`
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"` // year 1 while firing, as Alertmanager sends it
	GeneratorURL string            `json:"generatorURL"`
	Fingerprint  string            `json:"fingerprint"`
}

// webhookJSON renders m: each member of the incident is an alert, the incident is the group. The labels say what and
// where and do not change with the incident, so that an alert's fingerprint is the same whenever it comes back.
func webhookJSON(m *Message, receiver string, maxAlerts int) []byte {
	p := webhookPayload{
		Receiver: receiver, Status: m.Status(), Version: "4", ExternalURL: m.Base, Alerts: []webhookAlert{},
		GroupLabels: map[string]string{"cluster": m.Cluster},
		GroupKey:    `{}/{incident="` + m.Incident + `"}:{cluster=` + strconv.Quote(m.Cluster) + `}`,
	}
	switch {
	case !m.Firing():
		p.NotificationReason = "all alerts resolved"
	case m.Reason == alerting.Changed:
		p.NotificationReason = "new alerts added"
	case m.Reason == alerting.Repeated:
		p.NotificationReason = "repeat interval elapsed"
	default:
		p.NotificationReason = "first notification"
	}
	for i := range m.Lines {
		p.Alerts = append(p.Alerts, newAlert(&m.Lines[i], m))
	}
	p.CommonLabels = common(p.Alerts, func(a *webhookAlert) map[string]string { return a.Labels })
	p.CommonAnnotations = common(p.Alerts, func(a *webhookAlert) map[string]string { return a.Annotations })
	p.TruncatedAlerts = m.More
	if maxAlerts > 0 && len(p.Alerts) > maxAlerts {
		p.TruncatedAlerts += len(p.Alerts) - maxAlerts
		p.Alerts = p.Alerts[:maxAlerts]
	}
	return plainJSON(p)
}

func newAlert(l *Line, m *Message) webhookAlert {
	a := webhookAlert{Status: "firing", Labels: map[string]string{}, StartsAt: time.UnixMilli(l.Onset).UTC(), GeneratorURL: l.Link}
	for k, v := range l.Labels {
		a.Labels[k] = v
	}
	a.Labels["alertname"] = l.Name
	a.Labels["severity"] = string(l.Severity)
	if end := l.Ended; end != 0 || !m.Firing() {
		if end == 0 {
			end = m.Resolved
		}
		a.Status, a.EndsAt = "resolved", time.UnixMilli(end).UTC()
	}
	a.Annotations = map[string]string{
		"summary": l.Sentence, "value": l.Value, "value_raw": l.Raw, "unit": l.Unit, "normal": l.Band, "state": l.State,
		"incident": m.Incident, "incident_title": m.Title, "moved_first": m.First,
	}
	for k, v := range map[string]string{"description": l.Meaning, "question": l.Question, "worst": l.Worst, "top": l.Top, "incident_url": m.Link,
		"late": m.Late, "changes": strings.Join(m.Changes, "\n"), "users": m.Users, "mostly": m.Mostly, "part_of": m.PartOf, "changed_later": strings.Join(m.besides(), "\n")} {
		if v != "" {
			a.Annotations[k] = v
		}
	}
	if len(m.Next) > 0 && l == &m.Lines[0] || len(m.Lines) == 1 && len(m.Next) > 0 {
		a.Annotations["next"] = strings.Join(m.Next, "\n")
		if len(m.Causes) > 0 {
			a.Annotations["causes"] = strings.Join(m.Causes, "\n")
		}
	}
	if m.Told != "" {
		a.Annotations["told"] = m.Told
	}
	if m.Escalated != "" {
		a.Annotations["escalated"] = "still open " + m.Escalated + " after it was told"
	}
	if m.Holder != nil {
		a.Annotations["held_by"] = m.holder(alerting.Clock)
	}
	if m.Since != nil && m.Firing() {
		a.Annotations["news"] = m.news(alerting.Clock) + " " + m.Value
	}
	if len(m.Kept) > 0 {
		a.Annotations["kept"] = keptText(m)
	}
	if len(m.Ended) > 0 {
		a.Annotations["ended"] = strings.Join(m.Ended, "\n")
	}
	a.Fingerprint = fingerprint(a.Labels)
	return a
}

// common returns the pairs that all alerts share.
func common(alerts []webhookAlert, of func(*webhookAlert) map[string]string) map[string]string {
	out := map[string]string{}
	if len(alerts) == 0 {
		return out
	}
	for k, v := range of(&alerts[0]) {
		if !slices.ContainsFunc(alerts[1:], func(a webhookAlert) bool { return of(&a)[k] != v }) {
			out[k] = v
		}
	}
	return out
}

// fingerprint is Prometheus' of a label set: 64-bit FNV-1a over names and values in order of names, each followed by
// the byte 255, which UTF-8 never contains.
func fingerprint(labels map[string]string) string {
	names := make([]string, 0, len(labels))
	for n := range labels {
		names = append(names, n)
	}
	slices.Sort(names)
	h := fnv.New64a()
	for _, n := range names {
		h.Write([]byte(n))
		h.Write([]byte{255})
		h.Write([]byte(labels[n]))
		h.Write([]byte{255})
	}
	return fmt.Sprintf("%016x", h.Sum64())
}

type webhook struct {
	WebhookConfig
	receiver string
}

func (w *webhook) url() (*url.URL, error) { return target("url", w.URL, w.URLFile) }

func (w *webhook) say(ctx context.Context, u *url.URL, m *Message, _ *holding, call caller) outcome {
	r, err := w.request(ctx, u, m, time.Now())
	if err != nil {
		return outcome{verdict: again, why: redact(err, u)}
	}
	return call(r, anyAnswer)
}

// anyAnswer takes whatever stands in an answer that is a yes.
func anyAnswer(http.Header, []byte) error { return nil }

func (w *webhook) request(ctx context.Context, u *url.URL, m *Message, now time.Time) (*http.Request, error) {
	body := webhookJSON(m, w.receiver, w.MaxAlerts)
	r, err := post(ctx, u, body)
	if err != nil {
		return nil, err
	}
	keys, err := signingKeys(w.WebhookConfig)
	if err != nil {
		return nil, err
	}
	stamp := strconv.FormatInt(now.Unix(), 10)
	r.Header.Set("webhook-id", m.ID)
	r.Header.Set("webhook-timestamp", stamp)
	if len(keys) > 0 {
		r.Header.Set("webhook-signature", sign(keys, m.ID, stamp, body))
	}
	token, err := either("bearer_token", w.Bearer, w.BearerFile)
	if err != nil {
		return nil, err
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return r, nil
}

var errSigningKey = errors.New("secret must be whsec_ and the base64 of 24 bytes or more")

// signingKeys returns the keys of Standard Webhooks that the configuration names.
func signingKeys(c WebhookConfig) ([][]byte, error) {
	text, err := either("secret", c.Secret, c.SecretFile)
	if err != nil {
		return nil, err
	}
	var keys [][]byte
	for _, f := range strings.Fields(text) {
		b64, ok := strings.CutPrefix(f, "whsec_")
		key, err := base64.StdEncoding.DecodeString(b64)
		if !ok || err != nil || len(key) < 24 {
			return nil, errSigningKey
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// sign returns the webhook-signature header: one v1 signature for each key.
func sign(keys [][]byte, id, stamp string, body []byte) string {
	var b strings.Builder
	for i, k := range keys {
		h := hmac.New(sha256.New, k)
		h.Write([]byte(id + "." + stamp + "."))
		h.Write(body)
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString("v1," + base64.StdEncoding.EncodeToString(h.Sum(nil)))
	}
	return b.String()
}

func post(ctx context.Context, u *url.URL, body []byte) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	return r, nil
}
