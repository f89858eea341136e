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
	"strings"
	"time"

	"github.com/wrackline/wrackline/alerting/notify"
	"github.com/wrackline/wrackline/alerting/route"
	"github.com/wrackline/wrackline/baseline/form"
	"github.com/wrackline/wrackline/baseline/near"
	"github.com/wrackline/wrackline/baseline/pack"
	"github.com/wrackline/wrackline/baseline/signal"
	"github.com/wrackline/wrackline/ingest"
	"github.com/wrackline/wrackline/ingest/journal"
)

// configMaxBytes bounds a configuration file before it is read.
const configMaxBytes = 4 << 20

// config is the whole of the configuration file. Every key has a default, so the empty file is valid.
type config struct {
	Ingest    ingestConfig      `yaml:"ingest"`    // how samples are taken in
	Signals   signalsConfig     `yaml:"signals"`   // what is learned, and how much of it
	Packs     packsConfig       `yaml:"packs"`     // which questions are asked
	Track     []trackConfig     `yaml:"track"`     // anything else that is worth a baseline
	Alerting  alertingConfig    `yaml:"alerting"`  // how much is told, and how
	Receivers []notify.Receiver `yaml:"receivers"` // who is told, in Alertmanager's words
	// Route says who is told of what; nil = every receiver of everything.
	Route         *route.Route         `yaml:"route"`
	TimeIntervals []route.TimeInterval `yaml:"time_intervals"` // named times, for routes
	Storage       storageConfig        `yaml:"storage"`        // what is kept, and for how long
	Web           webConfig            `yaml:"web"`            // who may do what
	HA            haConfig             `yaml:"ha,omitempty"`   // the other server of a pair

	seen   fingerprint             // of everything that it was read from, from just before it was read
	place  func(key string) string // where a key stands in the file, as file:line:column; nil = there is none
	unread []string                // keys that could not be read
	says   func(key string) bool   // whether the file gives a key; nil = there is none
	flags  webFlags
	// acceptLoss is the flag --accept-loss: a start goes on although requests between checkpoint and journal are lost.
	acceptLoss bool
	disk       journal.Disk // of the journal; tests have one that fails
}

type ingestConfig struct {
	Sync       string        `yaml:"sync" enum:"1s,always,off"` // 1s, always or off
	JournalMax size          `yaml:"journal_max"`               // bytes of journal kept at most
	BodyMax    size          `yaml:"body_max"`                  // of a compressed request
	DecodedMax size          `yaml:"decoded_max"`               // of a request after decompression
	Tokens     []tokenConfig `yaml:"tokens"`                    // when given, senders must show one of them
}

type tokenConfig struct {
	Token     notify.Secret `yaml:"token,omitempty"`      // exactly one of the two
	TokenFile string        `yaml:"token_file,omitempty"` // read again when it changes
	Sender    string        `yaml:"sender,omitempty"`     // what who shows it is called
	Cluster   string        `yaml:"cluster,omitempty"`    // of all that comes with it; "" = as series or the URL say
}

type signalsConfig struct {
	Timezone   string   `yaml:"timezone"`            // of the shapes of days and weeks, as Europe/Berlin
	Grace      duration `yaml:"grace"`               // how long a minute waits for samples: 5s to 5m
	SeriesMax  int      `yaml:"series_max" min:"1"`  // that signals need; of further ones samples are dropped and counted
	SignalsMax int      `yaml:"signals_max" min:"1"` // that are learned
	// ClusterSeriesMax and ClusterSignalsMax bound each cluster beside that; 0 = only the sum is bounded, and nobody can take all of it from others.
	ClusterSeriesMax  int `yaml:"cluster_series_max" min:"0"`
	ClusterSignalsMax int `yaml:"cluster_signals_max" min:"0"` // as cluster_series_max
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
	Match    string            `yaml:"match"`                          // a glob of signal names
	Where    map[string]string `yaml:"where"`                          // label: regular expression; with severity and enabled only
	Severity string            `yaml:"severity" enum:"page,warn,info"` // page, warn or info; "" = as it is
	Enabled  *bool             `yaml:"enabled"`                        // false = not asked
	Effect   effectConfig      `yaml:"effect"`                         // the smallest change worth a message
	For      duration          `yaml:"for"`                            // how long it must last, in whole minutes up to 2h
}

// effectConfig is the smallest change worth a message; what is not given stays as the pack has it.
type effectConfig struct {
	Abs    *float64 `yaml:"abs"`    // in the signal's unit
	Rel    *float64 `yaml:"rel"`    // as a share of what is expected: 0.5 is half
	Events *float64 `yaml:"events"` // how many events must be behind it
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
	Name  string   `yaml:"name"`                                                 // of the signal, as shop.orders; "" = made of the metric's
	Match string   `yaml:"match"`                                                // a PromQL selector
	Func  string   `yaml:"func" enum:"rate,increase,changes,value"`              // rate or value
	Agg   string   `yaml:"agg" enum:"sum,avg,min,max,count,stddev,stdvar,group"` // sum, avg, min, max, count
	By    []string `yaml:"by"`                                                   // labels that tell the entities apart; default: cluster, namespace, workload
	Unit  string   `yaml:"unit"`                                                 // as s, B, /s; "" = none
	Bad   string   `yaml:"bad" enum:"up,down,both"`                              // up, down, both
}

type alertingConfig struct {
	ExternalURL         string `yaml:"external_url"`                             // where people reach the pages: for links in messages; pages answer to its name
	NotificationsPerDay int    `yaml:"notifications_per_day" min:"1" max:"1000"` // of severity warn; pages and closing words are apart
	PagesPerDay         int    `yaml:"pages_per_day" min:"1" max:"1000"`         // of severity page, apart: a guard against a runaway
	// FalseAlarmsPerWeek is how many alarms chance may raise in a week, of all signals together; 0 = any number.
	FalseAlarmsPerWeek float64 `yaml:"false_alarms_per_week" min:"0" max:"1000000"`
	// Heartbeat is called for as long as judging goes on.
	Heartbeat heartbeatConfig `yaml:"heartbeat"`
	// Digest is when each receiver is told what the contract did not send, unless it says otherwise itself; its time zone is signals.timezone where none is given.
	Digest notify.DigestConfig `yaml:"digest"`
	// Outlet says how receivers are reached: which addresses are allowed, and whether through a proxy.
	Outlet notify.Outlet `yaml:"outlet"`
}

type storageConfig struct {
	CheckpointInterval duration  `yaml:"checkpoint_interval"` // 0 = by what a start would have to fold again, see app.due
	Retention          duration  `yaml:"retention"`           // how long charts, and what has no data any more, are kept: 2d or more
	MaxSize            size      `yaml:"max_size"`            // of each of two files; charts of the past give way beyond it, never what was learned
	BacktestMax        sizeOrOff `yaml:"backtest_max"`        // bytes of requests and states that are kept for backtests, or off
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
	data, err := readBounded(file)
	if err != nil {
		return c, err
	}
	data, err = expandEnv(file, data)
	if err != nil {
		return c, err
	}
	f, fault := form.Parse(data)
	if fault != nil {
		return c, fmt.Errorf("%s:%w", file, fault)
	}
	var list []error
	for _, fault := range f.Decode(&c, form.Words{Instead: instead}) {
		list = append(list, fmt.Errorf("%s:%w", file, fault))
		c.unread = append(c.unread, fault.Path)
	}
	c.standsIn(file, f)
	return c, errors.Join(append(list, c.placed(c.validate()))...)
}

// readBounded reads a file that is no larger than configMaxBytes.
func readBounded(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, configMaxBytes+1))
	if err != nil {
		return nil, err
	}
	if len(data) > configMaxBytes {
		return nil, fmt.Errorf("%s is larger than %s", file, size(configMaxBytes))
	}
	return data, nil
}

// standsIn notes which file the configuration is of: paths of packs are relative to it, and errors say where in it.
func (c *config) standsIn(file string, f *form.File) {
	c.place = func(key string) string {
		line, column := f.Place(key)
		return fmt.Sprintf("%s:%d:%d", file, line, column)
	}
	c.says = f.Has
	dir := filepath.Dir(file)
	for i, p := range c.Packs.Files {
		if !filepath.IsAbs(p) {
			c.Packs.Files[i] = filepath.Join(dir, p)
		}
	}
}

var envRef = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// expandEnv replaces ${NAME} by the environment's value. A name that is not set, or a value that would change the
// structure of the file, is an error rather than a surprise; it says where.
func expandEnv(file string, data []byte) ([]byte, error) {
	var out []byte
	var list []error
	done := 0
	for _, at := range envRef.FindAllSubmatchIndex(data, -1) {
		name := string(data[at[2]:at[3]])
		v, ok := os.LookupEnv(name)
		where := fmt.Sprintf("%s:%d:%d", file, 1+bytes.Count(data[:at[0]], []byte("\n")), at[0]-bytes.LastIndexByte(data[:at[0]], '\n'))
		switch {
		case !ok:
			list = append(list, fmt.Errorf("%s: environment variable %s is not set%s", where, name, near.Meant(name, environment())))
		case strings.ContainsAny(v, "\n\r"):
			list = append(list, fmt.Errorf("%s: environment variable %s holds a line break; put the value in a file and use the *_file key", where, name))
		}
		out = append(append(out, data[done:at[0]]...), v...)
		done = at[1]
	}
	return append(out, data[done:]...), errors.Join(list...)
}

// environment lists the names of the environment that are like ours; none of others' is shown.
func environment() (names []string) {
	for _, e := range os.Environ() {
		if name, _, _ := strings.Cut(e, "="); strings.HasPrefix(name, "WRACKLINE") {
			names = append(names, name)
		}
	}
	return names
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
	text := string(t.Token)
	if t.TokenFile != "" {
		b, err := os.ReadFile(t.TokenFile)
		if err != nil {
			return "", keyError(key+".token_file", "%w", err)
		}
		text = strings.TrimSpace(string(b))
	}
	if len(text) < 8 {
		return "", keyError(key, "the token is shorter than 8 characters; \"openssl rand -hex 16\" gives one that nobody guesses")
	}
	return text, nil
}

// allPacks returns the embedded packs and those of the configuration, as their files have them, and what is wrong with the latter.
func (c *config) allPacks() ([]*pack.Pack, error) {
	packs, err := pack.Embedded()
	if err != nil {
		return nil, err
	}
	var list []error
	for i, file := range c.Packs.Files {
		data, err := readBounded(file)
		if err != nil {
			list = append(list, keyError(fmt.Sprintf("packs.files[%d]", i), "%w%s", err, nearFile(file)))
			continue
		}
		p, err := pack.Load(data, file)
		if err == nil {
			err = checkSummaries(p)
		}
		if err != nil {
			list = append(list, err)
			continue
		}
		packs = append(packs, p)
	}
	return packs, errors.Join(list...)
}

// nearFile names a file beside one that is not there, which was probably meant.
func nearFile(file string) string {
	var names []string
	list, _ := os.ReadDir(filepath.Dir(file))
	for _, e := range list[:min(len(list), 1000)] {
		names = append(names, e.Name())
	}
	if s := near.Meant(filepath.Base(file), names); s != "" {
		return s
	}
	return "; paths are relative to the configuration file"
}

// packs returns all packs and the track rules as one more, without the disabled rules, and with what the configuration overrides.
func (c *config) packs() ([]*pack.Pack, error) {
	packs, err := c.makePacks()
	return packs, c.placed(err)
}

func (c *config) makePacks() ([]*pack.Pack, error) {
	packs, err := c.allPacks()
	list := each(err)
	if len(list) > 0 && packs == nil {
		return nil, err
	}
	if len(c.Track) > 0 {
		if track, err := pack.Track(c.trackRules()); err != nil {
			list = append(list, c.trackErrors()...)
		} else {
			packs = append(packs, track)
		}
	}
	in := map[string]string{}
	var names []string
	for _, p := range packs {
		for _, r := range p.Rules {
			if other, twice := in[r.Name]; twice {
				list = append(list, keyError("packs.files", "signal %s is in pack %s and again in pack %s; a signal has one rule (packs.overrides changes it)", r.Name, other, p.Name))
				continue
			}
			in[r.Name] = p.Name
			names = append(names, r.Name)
		}
	}
	matched := make([]bool, len(c.Packs.Disable))
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
		if _, err := path.Match(c.Packs.Disable[i], "x"); !ok && err == nil {
			list = append(list, keyError(fmt.Sprintf("packs.disable[%d]", i), "no signal matches %q%s; wrackline packs list names them", c.Packs.Disable[i], pack.SuggestSignal(c.Packs.Disable[i], names)))
		}
	}
	overrides, err := c.overrides()
	list = append(list, each(err)...)
	if err == nil {
		for _, err := range each(pack.ApplyOverrides(packs, overrides)) {
			if oe, ok := errors.AsType[*pack.OverrideError](err); ok {
				err = overrideError(oe)
			}
			list = append(list, err)
		}
	}
	if len(list) > 0 {
		return nil, errors.Join(list...)
	}
	return packs, nil
}
