package main

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/wrackline/wrackline/alerting/notify"
	"github.com/wrackline/wrackline/baseline/near"
	"github.com/wrackline/wrackline/baseline/pack"
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
	if _, err := time.LoadLocation(c.Signals.Timezone); err != nil {
		bad(keyError("signals.timezone", "%q is not a time zone%s", c.Signals.Timezone, near.Zone(c.Signals.Timezone)))
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
	if _, err := c.Alerting.Outlet.Guard(); err != nil {
		key := "alerting.outlet"
		if fe, ok := errors.AsType[*notify.FieldError](err); ok {
			key, err = key+"."+fe.Path, fe.Err
		}
		bad(keyError(key, "%w", err))
	}
	bad(c.Alerting.Heartbeat.check())
	bad(c.HA.check())
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
			bad(keyError(x.key, "%q is not an http or https URL; did you mean %q?", x.url, "https://"+strings.TrimLeft(x.url[strings.LastIndex(x.url, "://")+1:], ":/")))
		} else if x.key != "alerting.external_url" && (p.User != nil || p.RawQuery != "" || p.Fragment != "") {
			bad(keyError(x.key, "want an address alone, without a password, a query and a fragment: every page shows it"))
		}
	}
}

// validateWho checks who may send and ask, and what is asked.
func (c *config) validateWho(bad func(error)) {
	_, err := c.tokens()
	bad(err)
	_, err = c.gate([2]string{}, nil)
	bad(err)
	for i, g := range c.Packs.Disable {
		if _, err := path.Match(g, "x"); err != nil {
			bad(keyError(fmt.Sprintf("packs.disable[%d]", i), "%q is not a glob, such as wl.* or dns.qps: %w", g, err))
		}
	}
	names := map[string]bool{}
	for i := range c.Track {
		t := &c.Track[i]
		if t.Name != "" && names[t.Name] {
			bad(keyError(fmt.Sprintf("track[%d].name", i), "the name %q is used twice; give each its own", t.Name))
		}
		names[t.Name] = true
	}
	bad(errors.Join(c.trackErrors()...))
}

// trackErrors returns what is wrong with track rules.
func (c *config) trackErrors() (list []error) {
	for i := range c.Track {
		_, err := c.Track[i].rule().Rule()
		if te, ok := errors.AsType[*pack.TrackError](err); ok {
			list = append(list, keyError(strings.TrimSuffix(fmt.Sprintf("track[%d].%s", i, te.Field), "."), "%w", te.Err))
		} else if err != nil {
			list = append(list, keyError(fmt.Sprintf("track[%d]", i), "%w", err))
		}
	}
	return list
}
