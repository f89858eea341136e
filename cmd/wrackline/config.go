package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/wrackline/wrackline/alerting/notify"
	"github.com/wrackline/wrackline/alerting/route"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/signal"
	"github.com/wrackline/wrackline/ingest"
	"github.com/wrackline/wrackline/ingest/journal"
)

// configMaxBytes bounds a configuration file before it is read.
const configMaxBytes = 4 << 20

// config is the whole of the configuration file. Every key has a default, so the empty file is valid.
type config struct {
	Ingest    ingestConfig      `yaml:"ingest"`
	Signals   signalsConfig     `yaml:"signals"`
	Packs     packsConfig       `yaml:"packs"`
	Track     []trackConfig     `yaml:"track"`
	Alerting  alertingConfig    `yaml:"alerting"`
	Receivers []notify.Receiver `yaml:"receivers"`
	// Route says who is told of what; nil = every receiver of everything.
	Route         *route.Route         `yaml:"route"`
	TimeIntervals []route.TimeInterval `yaml:"time_intervals"`
	Storage       storageConfig        `yaml:"storage"`
	Web           webConfig            `yaml:"web"`

	seen  fingerprint              // of everything that it was read from, from just before it was read
	place func(path string) string // where a YAML path stands in the file, as file:line:column; nil = there is none
	// acceptLoss is the flag --accept-loss: a start goes on although requests between checkpoint and journal are lost.
	acceptLoss bool
	disk       journal.Disk // of the journal; tests have one that fails
}

type ingestConfig struct {
	Sync       string        `yaml:"sync"`        // 1s, always or off
	JournalMax size          `yaml:"journal_max"` // bytes of journal kept at most
	BodyMax    size          `yaml:"body_max"`    // of a compressed request
	DecodedMax size          `yaml:"decoded_max"` // of a request after decompression
	Tokens     []tokenConfig `yaml:"tokens"`      // when given, senders must show one of them
}

// webConfig says who is let in where people and administrators knock; see package web.
type webConfig struct {
	Hosts          []string      `yaml:"hosts"`            // names that pages and API answer to, beside those that are ours anyway
	TrustedProxies []string      `yaml:"trusted_proxies"`  // addresses and CIDRs whose X-Forwarded-For and X-Forwarded-Host are believed; none by default
	AdminToken     notify.Secret `yaml:"admin_token"`      // of who may reload, accept, forget and profile from another machine; "" = nobody
	AdminTokenFile string        `yaml:"admin_token_file"` // the same, read again when it changes; not together with admin_token

	// Where a browser reaches the user's own Prometheus and Grafana: pages of signals lead to their queries there. "" = no links.
	PrometheusURL     string `yaml:"prometheus_url"`
	GrafanaURL        string `yaml:"grafana_url"`
	GrafanaDatasource string `yaml:"grafana_datasource"` // the uid of its data source; "" = the default one
}

type tokenConfig struct {
	Token     string `yaml:"token"`
	TokenFile string `yaml:"token_file"`
	Sender    string `yaml:"sender"`
	Cluster   string `yaml:"cluster"`
}

type signalsConfig struct {
	Timezone   string   `yaml:"timezone"`
	Grace      duration `yaml:"grace"`
	SeriesMax  int      `yaml:"series_max"`
	SignalsMax int      `yaml:"signals_max"`
	// ClusterSeriesMax and ClusterSignalsMax bound each cluster beside that; 0 = only the sum is bounded, and nobody can take all of it from others.
	ClusterSeriesMax  int `yaml:"cluster_series_max"`
	ClusterSignalsMax int `yaml:"cluster_signals_max"`
	// DefaultCluster names the cluster of senders whose series carry no cluster label.
	DefaultCluster string `yaml:"default_cluster"`
	// ReplicaLabels name the labels by which replicas of an HA pair differ; empty = they are found out.
	ReplicaLabels []string `yaml:"replica_labels"`
}

type packsConfig struct {
	Files   []string `yaml:"files"`   // further packs
	Disable []string `yaml:"disable"` // signal names or globs
	// Overrides change rules of packs; they apply in order.
	Overrides []overrideConfig `yaml:"overrides"`
}

type overrideConfig struct {
	Match    string            `yaml:"match"` // a glob of signal names
	Where    map[string]string `yaml:"where"` // label: regular expression; with severity and enabled only
	Severity string            `yaml:"severity"`
	Enabled  *bool             `yaml:"enabled"`
	Effect   struct {
		Abs    *float64 `yaml:"abs"`
		Rel    *float64 `yaml:"rel"`
		Events *float64 `yaml:"events"`
	} `yaml:"effect"`
	For duration `yaml:"for"`
}

// overrides returns the overrides in the engine's words.
func (c *config) overrides() ([]pack.Override, error) {
	out := make([]pack.Override, len(c.Packs.Overrides))
	for i, o := range c.Packs.Overrides {
		d := time.Duration(o.For)
		if d%time.Minute != 0 || d > 2*time.Hour {
			return nil, overrideError(&pack.OverrideError{Index: i, Field: "for", Msg: "want whole minutes up to 2h"})
		}
		out[i] = pack.Override{Match: o.Match, Where: o.Where, Severity: pack.Severity(o.Severity), Enabled: o.Enabled,
			EffectAbs: o.Effect.Abs, EffectRel: o.Effect.Rel, EffectEvents: o.Effect.Events, Persist: int(d / time.Minute)}
	}
	return out, nil
}

// overrideError says where in the file the override stands.
func overrideError(err *pack.OverrideError) error {
	at := fmt.Sprintf("packs.overrides[%d]", err.Index)
	if err.Field != "" {
		at += "." + err.Field
	}
	return keyError(at, "%s", err.Msg)
}

type trackConfig struct {
	Name  string   `yaml:"name"`
	Match string   `yaml:"match"` // a PromQL selector
	Func  string   `yaml:"func"`  // rate or value
	Agg   string   `yaml:"agg"`   // sum, avg, min, max, count
	By    []string `yaml:"by"`
	Unit  string   `yaml:"unit"`
	Bad   string   `yaml:"bad"` // up, down, both
}

type alertingConfig struct {
	ExternalURL         string `yaml:"external_url"`
	NotificationsPerDay int    `yaml:"notifications_per_day"` // of severity warn; pages and closing words are apart
	PagesPerDay         int    `yaml:"pages_per_day"`         // of severity page, apart: a guard against a runaway
	// FalseAlarmsPerWeek is how many alarms chance may raise in a week, of all signals together; 0 = any number.
	FalseAlarmsPerWeek float64 `yaml:"false_alarms_per_week"`
	// Heartbeat is called for as long as judging goes on.
	Heartbeat heartbeatConfig `yaml:"heartbeat"`
	// Digest is when each receiver is told what the contract did not send, unless it says otherwise itself; its time zone is signals.timezone where none is given.
	Digest notify.DigestConfig `yaml:"digest"`
	// Outlet says how receivers are reached: which addresses are allowed, and whether through a proxy.
	Outlet notify.Outlet `yaml:"outlet"`
}

type storageConfig struct {
	CheckpointInterval duration  `yaml:"checkpoint_interval"` // 0 = by what a start would have to fold again, see app.due
	Retention          duration  `yaml:"retention"`
	MaxSize            size      `yaml:"max_size"`
	BacktestMax        sizeOrOff `yaml:"backtest_max"` // bytes of requests and states that are kept for backtests; 0 = off
}

// budgetMost is the largest budget of false alarms a week that makes sense.
const budgetMost = 1_000_000

func defaultConfig() config {
	return config{
		Ingest:   ingestConfig{Sync: "1s", JournalMax: 2 << 30, BodyMax: 8 << 20, DecodedMax: 32 << 20},
		Signals:  signalsConfig{Timezone: "UTC", Grace: duration(90 * time.Second), SeriesMax: 1_000_000, SignalsMax: 200_000, DefaultCluster: "default"},
		Alerting: alertingConfig{NotificationsPerDay: 3, PagesPerDay: 20, FalseAlarmsPerWeek: 1},
		Storage:  storageConfig{Retention: duration(15 * 24 * time.Hour), MaxSize: 16 << 30, BacktestMax: 1 << 30},
	}
}

// loadConfig reads and checks a configuration file. An empty path gives the defaults.
func loadConfig(file string) (config, error) {
	c, err := readConfig(file)
	if err != nil || file == "" {
		return c, err
	}
	seen := fingerprintOf(file, &c) // what it names is known only now, so it is read once more
	c, err = readConfig(file)
	c.seen = seen
	return c, err
}

func readConfig(file string) (config, error) {
	c := defaultConfig()
	if file == "" {
		return c, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return c, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, configMaxBytes+1))
	if err != nil {
		return c, err
	}
	if len(data) > configMaxBytes {
		return c, fmt.Errorf("%s is larger than %s", file, size(configMaxBytes))
	}
	if data, err = expandEnv(data); err != nil {
		return c, fmt.Errorf("%s:%w", file, err)
	}
	// A file of comments, or a section without a key, means the defaults; to the decoder it is null, which would empty them.
	var sections map[string]any
	if err := yaml.Unmarshal(data, &sections); err != nil {
		return c, yamlError(file, data, err)
	}
	if len(sections) > 0 {
		if err := decodeStrictly(data, &c); err != nil {
			return c, errors.Join(append(yamlErrors(file, data), c.checkLeniently(file, data, sections))...)
		}
		c.fill(sections)
	}
	c.standsIn(file, data)
	return c, c.placed(c.validate())
}

// fill gives the defaults to sections without a key.
func (c *config) fill(sections map[string]any) {
	d := defaultConfig()
	for name, v := range sections {
		if v != nil {
			continue
		}
		switch name {
		case "ingest":
			c.Ingest = d.Ingest
		case "signals":
			c.Signals = d.Signals
		case "alerting":
			c.Alerting = d.Alerting
		case "storage":
			c.Storage = d.Storage
		case "web":
			c.Web = d.Web
		}
	}
}

// standsIn notes which file the configuration is of: paths of packs are relative to it, and errors say where in it.
func (c *config) standsIn(file string, data []byte) {
	c.place = func(path string) string { return placeInFile(file, data, path) }
	dir := filepath.Dir(file)
	for i, p := range c.Packs.Files {
		if !filepath.IsAbs(p) {
			c.Packs.Files[i] = filepath.Join(dir, p)
		}
	}
}

var envRef = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// expandEnv replaces ${NAME} by the environment's value. A name that is not set, or a value that would change the
// structure of the file, is an error rather than a surprise; it begins with line and column.
func expandEnv(data []byte) ([]byte, error) {
	var out []byte
	done := 0
	for _, at := range envRef.FindAllSubmatchIndex(data, -1) {
		name := string(data[at[2]:at[3]])
		v, ok := os.LookupEnv(name)
		line, column := 1+bytes.Count(data[:at[0]], []byte("\n")), at[0]-bytes.LastIndexByte(data[:at[0]], '\n')
		switch {
		case !ok:
			return nil, fmt.Errorf("%d:%d: environment variable %s is not set", line, column, name)
		case strings.ContainsAny(v, "\n\r"):
			return nil, fmt.Errorf("%d:%d: environment variable %s holds a line break; put the value in a file and use the *_file key", line, column, name)
		}
		out = append(append(out, data[done:at[0]]...), v...)
		done = at[1]
	}
	return append(out, data[done:]...), nil
}

// rule returns the track rule in the engine's words.
func (t *trackConfig) rule() pack.TrackRule {
	return pack.TrackRule{Name: t.Name, Match: t.Match, Func: t.Func, Agg: t.Agg, By: t.By, Unit: t.Unit, Bad: t.Bad}
}

func (c *config) trackRules() []pack.TrackRule {
	out := make([]pack.TrackRule, len(c.Track))
	for i := range c.Track {
		out[i] = c.Track[i].rule()
	}
	return out
}

// streamOptions returns what the configuration asks of the stream.
func (c *config) streamOptions(packs []*pack.Pack) signal.StreamOptions {
	return signal.StreamOptions{Packs: packs, MaxSeries: c.Signals.SeriesMax, MaxSignals: c.Signals.SignalsMax, ClusterSeries: c.Signals.ClusterSeriesMax, ClusterSignals: c.Signals.ClusterSignalsMax,
		GraceMs: time.Duration(c.Signals.Grace).Milliseconds(), RetireMs: time.Duration(c.Storage.Retention).Milliseconds(),
		DefaultCluster: c.Signals.DefaultCluster, ReplicaLabels: c.Signals.ReplicaLabels}
}

// rulesOf returns a look-up of all rules by name.
func rulesOf(packs []*pack.Pack) func(name string) *pack.Rule {
	rules := map[string]*pack.Rule{}
	for _, p := range packs {
		for _, r := range p.Rules {
			rules[r.Name] = r
		}
	}
	return func(name string) *pack.Rule { return rules[name] }
}

func (c *config) limits() ingest.Limits {
	return ingest.Limits{BodyMax: int64(c.Ingest.BodyMax), DecodedMax: int64(c.Ingest.DecodedMax)}
}

// told returns what the configuration says of who is told, and how.
func (c *config) told() notify.Options {
	digest := c.Alerting.Digest
	digest.Timezone = cmp.Or(digest.Timezone, c.Signals.Timezone)
	return notify.Options{Receivers: c.Receivers, Route: c.Route, TimeIntervals: c.TimeIntervals, Digest: digest, ExternalURL: c.Alerting.ExternalURL,
		ProxyFromEnvironment: c.Alerting.Outlet.ProxyFromEnvironment, UserAgent: "Wrackline/" + buildVersion(), Guard: c.guard()}
}

// guard returns which addresses receivers may have. The configuration has been validated.
func (c *config) guard() notify.Guard {
	g, err := c.Alerting.Outlet.Guard()
	if err != nil {
		panic("config: guard of a configuration that was not validated: " + err.Error())
	}
	return g
}

// tokens returns the senders' tokens, reading their files. No error contains a token.
func (c *config) tokens() ([]ingest.Token, error) {
	var out []ingest.Token
	var bad []error
	for i := range c.Ingest.Tokens {
		t := &c.Ingest.Tokens[i]
		text, err := t.read(fmt.Sprintf("ingest.tokens[%d]", i))
		bad = append(bad, err)
		out = append(out, ingest.Token{Token: text, Sender: t.Sender, Cluster: t.Cluster})
	}
	return out, errors.Join(bad...)
}

// read returns the token; key is where it stands.
func (t *tokenConfig) read(key string) (string, error) {
	if (t.Token == "") == (t.TokenFile == "") {
		return "", keyError(key, "want exactly one of token and token_file")
	}
	text := t.Token
	if t.TokenFile != "" {
		b, err := os.ReadFile(t.TokenFile)
		if err != nil {
			return "", keyError(key+".token_file", "%w", err)
		}
		text = strings.TrimSpace(string(b))
	}
	if len(text) < 8 {
		return "", keyError(key, "the token is shorter than 8 characters")
	}
	return text, nil
}

// allPacks returns the embedded packs and those of the configuration, as their files have them.
func (c *config) allPacks() ([]*pack.Pack, error) {
	packs, err := pack.Embedded()
	if err != nil {
		return nil, err
	}
	for i, file := range c.Packs.Files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, keyError(fmt.Sprintf("packs.files[%d]", i), "%w", err)
		}
		p, err := pack.Load(data, file)
		if err != nil {
			return nil, err
		}
		if err := checkSummaries(p); err != nil {
			return nil, err
		}
		packs = append(packs, p)
	}
	return packs, nil
}

// packs returns all packs and the track rules as one more, without the disabled rules, and with what the configuration overrides.
func (c *config) packs() ([]*pack.Pack, error) {
	packs, err := c.makePacks()
	return packs, c.placed(err)
}

func (c *config) makePacks() ([]*pack.Pack, error) {
	packs, err := c.allPacks()
	if err != nil {
		return nil, err
	}
	if len(c.Track) > 0 {
		track, err := pack.Track(c.trackRules())
		if err != nil {
			return nil, err
		}
		packs = append(packs, track)
	}
	matched := make([]bool, len(c.Packs.Disable))
	in := map[string]string{}
	for _, p := range packs {
		for _, r := range p.Rules {
			if other, twice := in[r.Name]; twice {
				return nil, keyError("packs.files", "signal %s is in pack %s and again in pack %s; a signal has one rule (packs.overrides changes it)", r.Name, other, p.Name)
			}
			in[r.Name] = p.Name
		}
	}
	for _, p := range packs {
		p.Tests = nil // they belong to packs test
		kept := p.Rules[:0:0]
		for _, r := range p.Rules {
			off := false
			for i, g := range c.Packs.Disable {
				if ok, _ := path.Match(g, r.Name); ok {
					off, matched[i] = true, true
				}
			}
			if !off {
				kept = append(kept, r)
			}
		}
		p.Rules = kept
	}
	for i, ok := range matched {
		if !ok {
			return nil, keyError(fmt.Sprintf("packs.disable[%d]", i), "no signal matches %q; wrackline packs list names them", c.Packs.Disable[i])
		}
	}
	overrides, err := c.overrides()
	if err != nil {
		return nil, err
	}
	if err := pack.ApplyOverrides(packs, overrides); err != nil {
		if oe, ok := errors.AsType[*pack.OverrideError](err); ok {
			return nil, overrideError(oe)
		}
		return nil, err
	}
	return packs, nil
}

// duration is a time.Duration that also reads days: 15d.
type duration time.Duration

// MarshalYAML writes d as a person would: 90s, 5m, 36h or 15d.
func (d duration) MarshalYAML() (any, error) {
	t := time.Duration(d)
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if t >= u.unit && t%u.unit == 0 {
			return strconv.FormatInt(int64(t/u.unit), 10) + u.name, nil
		}
	}
	return t.String(), nil
}

// UnmarshalYAML reads 90s, 5m, 36h or 15d.
func (d *duration) UnmarshalYAML(unmarshal func(any) error) error {
	const want = "%q is not a duration such as 90s, 5m, 36h or 15d"
	s, err := readScalar(unmarshal)
	if err != nil {
		return err
	}
	if days, ok := strings.CutSuffix(s.text, "d"); ok {
		n, err := strconv.ParseFloat(days, 64)
		if err != nil || !(n >= 0 && n <= 10_000) {
			return s.bad(want)
		}
		*d = duration(n * 24 * float64(time.Hour))
		return nil
	}
	v, err := time.ParseDuration(s.text)
	if err != nil || v < 0 {
		return s.bad(want)
	}
	*d = duration(v)
	return nil
}

// size is a number of bytes that reads 8MiB, 2GiB, 512KiB or a plain number.
type size int64

// MarshalYAML writes z with its unit.
func (z size) MarshalYAML() (any, error) { return z.String(), nil }

// UnmarshalYAML reads a number of bytes with an optional unit.
func (z *size) UnmarshalYAML(unmarshal func(any) error) error {
	s, err := readScalar(unmarshal)
	if err != nil {
		return err
	}
	num, unit := s.text, int64(1)
	for _, u := range []struct {
		suffix string
		bytes  int64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"B", 1}} {
		if n, ok := strings.CutSuffix(s.text, u.suffix); ok {
			num, unit = strings.TrimSpace(n), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(num, 10, 64)
	if err != nil || n <= 0 || n > (1<<50)/unit {
		return s.bad("%q is not a size such as 512KiB, 8MiB or 2GiB")
	}
	*z = size(n * unit)
	return nil
}

// sizeOrOff is a size that may be 0, which reads off.
type sizeOrOff int64

// MarshalYAML writes z with its unit, or off.
func (z sizeOrOff) MarshalYAML() (any, error) {
	if z == 0 {
		return "off", nil
	}
	return size(z).String(), nil
}

// UnmarshalYAML reads a size, or off.
func (z *sizeOrOff) UnmarshalYAML(unmarshal func(any) error) error {
	if s, err := readScalar(unmarshal); err == nil && s.text == "off" {
		*z = 0
		return nil
	}
	return (*size)(z).UnmarshalYAML(unmarshal)
}

// String writes the size with the largest unit that divides it.
func (z size) String() string {
	for _, u := range []struct {
		suffix string
		bytes  int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if int64(z) >= u.bytes && int64(z)%u.bytes == 0 {
			return fmt.Sprintf("%d%s", int64(z)/u.bytes, u.suffix)
		}
	}
	return fmt.Sprintf("%dB", int64(z))
}
