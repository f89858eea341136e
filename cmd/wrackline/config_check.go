package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path"
	"slices"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/wrackline/wrackline/alerting/notify"
)

// each returns the errors that err joins, err alone when it joins none, and nothing for nil.
func each(err error) (list []error) {
	if err == nil {
		return nil
	}
	if x, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range x.Unwrap() {
			list = append(list, each(e)...)
		}
		return list
	}
	return []error{err}
}

// validate returns every value that does not do, as configErrors that are joined.
func (c *config) validate() error {
	var list []error
	bad := func(err error) { list = append(list, err) }
	c.validateLimits(bad)
	c.validateAlerting(bad)
	c.validateWho(bad)
	return errors.Join(list...)
}

func (c *config) validateLimits(bad func(error)) {
	switch c.Ingest.Sync {
	case "1s", "always", "off":
	default:
		bad(keyError("ingest.sync", "%q is not 1s, always or off", c.Ingest.Sync))
	}
	if _, err := time.LoadLocation(c.Signals.Timezone); err != nil {
		bad(keyError("signals.timezone", "%w", err))
	}
	for _, x := range []struct {
		key        string
		value, min int
	}{
		{"signals.series_max", c.Signals.SeriesMax, 1}, {"signals.signals_max", c.Signals.SignalsMax, 1},
		{"signals.cluster_series_max", c.Signals.ClusterSeriesMax, 0}, {"signals.cluster_signals_max", c.Signals.ClusterSignalsMax, 0},
	} {
		if x.value < x.min {
			bad(keyError(x.key, "it is %d; it must be at least 1%s", x.value, map[int]string{0: ", or 0 for none"}[x.min]))
		}
	}
	if g := time.Duration(c.Signals.Grace); g < 5*time.Second || g > 5*time.Minute {
		bad(keyError("signals.grace", "it is %s; it must be between 5s and 5m", g))
	}
	if i := c.Storage.CheckpointInterval; i != 0 && i < duration(time.Second) {
		bad(keyError("storage.checkpoint_interval", "it must be at least 1s, or 0: whenever a start would have 15 s to fold again, and each 5 minutes"))
	}
	if c.Storage.MaxSize < 64<<20 {
		bad(keyError("storage.max_size", "it is %s; it must be at least 64MiB: charts of the past give way beyond it", c.Storage.MaxSize))
	}
	if c.Ingest.JournalMax < 16<<20 {
		bad(keyError("ingest.journal_max", "it is %s; it must be at least 16MiB: requests are answered 503 beyond it", c.Ingest.JournalMax))
	}
	if c.Storage.Retention < duration(48*time.Hour) {
		bad(keyError("storage.retention", "it must be at least 2d"))
	}
	if c.Signals.DefaultCluster == "" {
		bad(keyError("signals.default_cluster", "it must not be empty"))
	}
	for i, l := range c.Signals.ReplicaLabels {
		if key := fmt.Sprintf("signals.replica_labels[%d]", i); l == "" {
			bad(keyError(key, "it is empty; name a label that Prometheus sets in external_labels"))
		} else if slices.Contains([]string{"__name__", "job", "instance"}, l) {
			bad(keyError(key, "%s tells targets apart, not replicas: without it their series would be one", l))
		}
	}
}

func (c *config) validateAlerting(bad func(error)) {
	if x := c.Alerting.FalseAlarmsPerWeek; !(x >= 0 && x <= budgetMost) {
		bad(keyError("alerting.false_alarms_per_week", "it is %g; it must be between 0 (any number) and %d", x, budgetMost))
	}
	if n := c.Alerting.NotificationsPerDay; n < 1 || n > 1000 {
		bad(keyError("alerting.notifications_per_day", "it is %d; it must be between 1 and 1000 (configure no receiver to be told nothing)", n))
	}
	if n := c.Alerting.PagesPerDay; n < 1 || n > 1000 {
		bad(keyError("alerting.pages_per_day", "it is %d; it must be between 1 and 1000", n))
	}
	if _, err := c.Alerting.Outlet.Guard(); err != nil {
		bad(keyError("alerting.outlet", "%w", err))
	}
	bad(c.Alerting.Heartbeat.check())
	if err := c.Alerting.Digest.Check(); err != nil {
		bad(keyError("alerting.digest", "%w", err))
	}
	_, routes := notify.NewTree(c.Route, c.TimeIntervals, c.Receivers)
	for _, err := range append(each(notify.CheckReceivers(c.Receivers)), each(routes)...) {
		if fe, ok := errors.AsType[*notify.FieldError](err); ok {
			bad(keyError(fe.Path, "%w", fe.Err))
		} else {
			bad(keyError("receivers", "%w", err))
		}
	}
	for _, x := range []struct{ key, url string }{{"alerting.external_url", c.Alerting.ExternalURL}, {"web.prometheus_url", c.Web.PrometheusURL}, {"web.grafana_url", c.Web.GrafanaURL}} {
		if x.url == "" {
			continue
		}
		if p, err := url.Parse(x.url); err != nil || p.Host == "" || (p.Scheme != "http" && p.Scheme != "https") {
			bad(keyError(x.key, "%q is not an http or https URL", x.url))
		} else if x.key != "alerting.external_url" && (p.User != nil || p.RawQuery != "" || p.Fragment != "") {
			bad(keyError(x.key, "want an address alone, without a password, a query and a fragment: every page shows it"))
		}
	}
}

// validateWho checks who may send and ask, and what is asked.
func (c *config) validateWho(bad func(error)) {
	_, err := c.tokens()
	bad(err)
	_, err = c.gate([2]string{})
	bad(err)
	for i, g := range c.Packs.Disable {
		if _, err := path.Match(g, "x"); err != nil {
			bad(keyError(fmt.Sprintf("packs.disable[%d]", i), "%q is not a glob: %w", g, err))
		}
	}
	names := map[string]bool{}
	for i := range c.Track {
		t := &c.Track[i]
		if names[t.Name] {
			bad(keyError(fmt.Sprintf("track[%d].name", i), "the name %q is used twice", t.Name))
		}
		names[t.Name] = true
		if _, err := t.rule().Rule(); err != nil {
			bad(keyError(fmt.Sprintf("track[%d]", i), "%w", err))
		}
	}
}

// decodeStrictly decodes a file; what it does not know is an error.
func decodeStrictly(data []byte, c *config) error {
	err := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict(), yaml.DisallowUnknownField()).Decode(c)
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// errorsMax is how many errors of the decoder are looked for.
const errorsMax = 20

// yamlErrors returns what the decoder says of a file. It stops at the first error, so lines with a key that it does not know are taken away, with what belongs to them, and it is asked again.
func yamlErrors(file string, data []byte) (list []error) {
	data = slices.Clone(data)
	for range errorsMax {
		c := defaultConfig()
		err := decodeStrictly(data, &c)
		if err == nil {
			break
		}
		var ye yaml.Error
		if at := 0; errors.As(err, &ye) && ye.GetToken() != nil && ye.GetToken().Position != nil {
			at = ye.GetToken().Position.Line
			if _, unknown := ye.(*yaml.UnknownFieldError); unknown || len(list) == 0 {
				list = append(list, yamlError(file, data, err))
			}
			if _, unknown := ye.(*yaml.UnknownFieldError); unknown && blank(data, at) {
				continue
			}
		} else if len(list) == 0 {
			list = append(list, yamlError(file, data, err))
		}
		break
	}
	return list
}

// blank makes a line of a file, counted from 1, and those below it that are indented further, a comment, and reports whether there was one to make.
func blank(data []byte, line int) bool {
	at, indent := 0, -1
	for n := 1; at < len(data); n++ {
		end := at + bytes.IndexByte(data[at:], '\n') + 1
		if end == at {
			end = len(data)
		}
		text := bytes.TrimLeft(data[at:end], " ")
		switch own := end - at - len(text); {
		case n == line:
			if rest := bytes.TrimLeft(text, "-"); len(rest) < len(text) { // the first key of an element: the others stay
				rest = bytes.TrimLeft(rest, " ")
				own += len(text) - len(rest)
				at, text = at+own, rest
			}
			if len(text) == 0 || bytes.IndexByte([]byte("#{[\n"), text[0]) >= 0 { // what else an element has would go with it
				return false
			}
			indent, data[at] = own, '#'
		case indent >= 0 && own > indent && len(bytes.TrimSpace(text)) > 0:
			data[at] = '#'
		case indent >= 0 && len(bytes.TrimSpace(text)) > 0:
			return true
		}
		at = end
	}
	return indent >= 0
}

// checkLeniently checks the values of a file that has keys which nobody knows; of one that cannot be decoded at all it says nothing.
func (c *config) checkLeniently(file string, data []byte, sections map[string]any) error {
	*c = defaultConfig()
	if err := yaml.Unmarshal(data, c); err != nil {
		return nil
	}
	c.fill(sections)
	c.standsIn(file, data)
	return c.placed(c.validate())
}
