package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/alerting/act"
	"github.com/wrackline/wrackline/alerting/notify"
	"github.com/wrackline/wrackline/alerting/peer"
	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/ui"
)

// haConfig names the other server of a pair; docs/scale.md says how a pair works. The zero value is a server by itself.
type haConfig struct {
	Peer      string        `yaml:"peer,omitempty"`       // URL of the other server; "" = there is none
	Token     notify.Secret `yaml:"token,omitempty"`      // that both show each other; exactly one of the two
	TokenFile string        `yaml:"token_file,omitempty"` // read before each request
	Wait      duration      `yaml:"wait,omitempty"`       // how long the second waits for the first; 0 = a minute
}

const (
	haWaitLeast = 5 * time.Second
	haWaitMost  = 10 * time.Minute
)

// check returns what is wrong with it, by key.
func (c *haConfig) check() error {
	if c.Peer == "" {
		if *c != (haConfig{}) {
			return keyError("ha.peer", "it is missing: want the URL of the other server of the pair")
		}
		return nil
	}
	if err := peer.CheckURL(c.Peer); err != nil {
		return keyError("ha.peer", "%w", err)
	}
	if c.Token != "" && c.TokenFile != "" || c.Token == "" && c.TokenFile == "" {
		return keyError("ha.token_file", "want exactly one of token and token_file: what one server of a pair tells the other decides who is told, so not everybody may say it")
	}
	if _, err := c.token(); err != nil {
		return keyError(map[bool]string{true: "ha.token", false: "ha.token_file"}[c.Token != ""], "%w", err)
	}
	if w := time.Duration(c.Wait); w != 0 && (w < haWaitLeast || w > haWaitMost) {
		return keyError("ha.wait", "it is %s; it must be between %s and %s", w, haWaitLeast, haWaitMost)
	}
	return nil
}

// token returns the token. No error quotes it.
func (c *haConfig) token() (string, error) {
	text := string(c.Token)
	if c.TokenFile != "" {
		b, err := os.ReadFile(c.TokenFile)
		if err != nil {
			return "", err
		}
		text = string(b)
	}
	text = strings.TrimSpace(text)
	return text, peer.CheckToken(text)
}

// setPeer makes what stands for the other server of a pair, before the outbox is opened. A life that only reads has none: it tells nothing.
func (a *app) setPeer(c *haConfig) {
	if c.Peer == "" || a.reading.Load() != nil {
		return
	}
	a.peer = peer.New(peer.Options{URL: c.Peer, Token: c.token, Wait: time.Duration(c.Wait), Log: a.log, Self: a.report, Answer: a.answerPeer,
		Learn: func(list []notify.Word) error { return a.outbox.Load().Learn(list) }, Acts: a.saidActs, Take: a.takeAct})
}

// introduce tells the other server who this one is: by what the store knows, which a replaced one does not have.
func (a *app) introduce() error {
	if a.peer == nil {
		return nil
	}
	id, born, err := a.outbox.Load().Self(a.store.Stats().HistoryFromMs)
	if err == nil {
		a.peer.Introduce(id, born)
	}
	return err
}

// answerPeer answers whether something was said. While it starts, or ends, this server says nothing: then nobody waits for it.
func (a *app) answerPeer(q *notify.Question) (notify.Answer, error) {
	x, err := a.outbox.Load().Answer(q)
	if !a.ready.Load() && x.State == notify.MustWait {
		x.State = notify.MaySpeak
	}
	return x, err
}

// judged returns up to when a cluster has been judged, event time, Unix ms.
func (a *app) judged(cluster string) int64 {
	if a.engine == nil {
		return 0
	}
	st := a.engine.Stats()
	for i := range st.Clusters {
		if st.Clusters[i].Name == cluster {
			return st.Clusters[i].ClosedEnd
		}
	}
	return 0
}

// report says how this server is.
func (a *app) report() peer.Report {
	r := peer.Report{Version: buildVersion(), Ready: a.ready.Load(), Judged: map[string]int64{}, Rules: rulesSum(a.cfg.Load())}
	if a.manager == nil { // it opens
		return r
	}
	st := a.engine.Stats()
	for i := range st.Clusters {
		r.Judged[st.Clusters[i].Name] = st.Clusters[i].ClosedEnd
	}
	r.Open = len(a.manager.Snapshot().Open)
	r.Acts = peer.SumActs(a.saidActs())
	return r
}

// rulesSum is a hash of what decides what is told to whom: of the configuration all but where this server is and what it may hold.
func rulesSum(c *config) string {
	x := *c
	x.Ingest, x.Storage, x.Web, x.HA = ingestConfig{}, storageConfig{}, webConfig{}, haConfig{}
	x.Alerting.ExternalURL, x.Alerting.Heartbeat, x.Packs.Files = "", heartbeatConfig{}, nil
	b, err := yaml.Marshal(x)
	if err != nil {
		return "" // as if they were alike
	}
	return fmt.Sprintf("%x", sha256.Sum256(b))[:16]
}

// saidActs lists what people have said, the oldest first, as far as the other server needs it.
func (a *app) saidActs() (list []peer.SaidAct) {
	now := a.clock.Now().UnixMilli()
	for _, x := range slices.Backward(a.acts.View().All()) {
		if !peer.Shared(x, now) {
			continue
		}
		s := peer.SaidAct{Act: x}
		if x.Kind == act.Ack {
			if inc, ok := a.manager.Incident(x.Incident); ok {
				about := notify.AboutOf(inc)
				s.About = &about
			}
		}
		list = append(list, s)
	}
	return list
}

// takeAct says here what somebody said to the other server: with its id, so that an undo finds it on both.
func (a *app) takeAct(ctx context.Context, s *peer.SaidAct, wait bool) error {
	if err := a.working(); err != nil {
		return peer.ErrLater
	}
	x := *s.Act
	undone := x.Undone
	x.Undone = nil
	if a.acts.View().Find(x.ID) == nil {
		if x.Kind == act.Ack {
			id := a.sameIncident(x.Incident, s.About)
			if id == "" && wait {
				return peer.ErrLater
			}
			x.Incident = cmp.Or(id, x.Incident)
		}
		err := a.put(ctx, &act.Entry{Act: &x})
		if wait && (errors.Is(err, baseline.ErrNoSignal) || errors.Is(err, baseline.ErrNoLevel)) || errors.Is(err, errNotReady) {
			return peer.ErrLater
		}
		if err != nil {
			return err
		}
		a.log.Info("said to the other server of the pair", "act", x.ID, "kind", string(x.Kind), "who", x.Who, "what", x.Words())
	}
	if now := a.acts.View().Find(x.ID); undone != nil && now != nil && now.Undone == nil {
		return a.put(ctx, &act.Entry{Undo: x.ID, By: undone})
	}
	return nil
}

// sameIncident returns the id that an incident of the other server has here; "" when it is not known here.
func (a *app) sameIncident(id string, about *notify.About) string {
	if _, ok := a.manager.Incident(id); ok || about == nil {
		return id
	}
	s := a.manager.Snapshot()
	for _, list := range [][]*alerting.Incident{s.Open, s.Closed} {
		for _, inc := range list {
			if notify.SameIncident(about, inc) {
				return inc.ID
			}
		}
	}
	return ""
}

const (
	peerAfter  = 15 * time.Second // without a word the other server is a problem
	peerBehind = 5 * time.Minute  // it has judged that much less, or more, than this one
)

// ofPeer judges how the other server of a pair is.
func (s *self) ofPeer(f *facts) (list []condition) {
	st := f.peer
	if st == nil {
		return nil
	}
	where := s.a.cfg.Load().HA.Peer
	if !st.Up {
		if time.Since(st.Since) < peerAfter {
			return nil
		}
		return []condition{{kind: "peer.away", blind: true, text: fmt.Sprintf("The other server of the pair, %s, is not reached for %s: %s.", where, alerting.Span(time.Since(st.Since).Milliseconds()), st.Why),
			fix:     "See whether it runs, whether ha.peer leads to it, and whether both have the same token.",
			meaning: "This server judges and tells by itself. If the other one runs and is only cut off, what begins meanwhile is told by both."}}
	}
	if st.Other.Rules != rulesSum(s.a.cfg.Load()) && st.Other.Version == buildVersion() {
		list = append(list, condition{kind: "peer.differs", text: "The two servers of the pair have different configurations: other receivers, routes, packs, limits or time zones.", fix: "Give both the same file, but for ha, external_url, storage, ingest and web.",
			meaning: "Who is told of what may depend on which of them tells it."})
	}
	if cluster, by := s.a.apartBy(st); by >= peerBehind.Milliseconds() {
		list = append(list, condition{kind: "peer.behind", subject: cluster, text: fmt.Sprintf("The other server of the pair has judged cluster %s for %s less than this one.", cluster, alerting.Span(by)), fix: "See whether every Prometheus sends to it, and its own status page.",
			meaning: "Until it has caught up this one tells what is new there a minute later than it could, or the other one late."})
	}
	return list
}

// apartBy returns the cluster in which the other server is furthest behind, and by how much event time, ms; less than 0 = it is ahead in all.
func (a *app) apartBy(st *peer.Status) (cluster string, by int64) {
	own := a.engine.Stats()
	by = -1
	for i := range own.Clusters {
		c := &own.Clusters[i]
		if d := c.ClosedEnd - st.Other.Judged[c.Name]; c.ClosedEnd > 0 && d > by {
			cluster, by = c.Name, d
			if st.Other.Judged[c.Name] == 0 {
				by = max(a.clock.Now().UnixMilli()-a.started.UnixMilli(), 0) // it knows nothing of it
			}
		}
	}
	return cluster, by
}

// peerMetrics writes how the other server is.
func (a *app) peerMetrics(gauge func(name string, v float64)) {
	if a.peer == nil {
		return
	}
	st := a.peer.State()
	gauge("wrackline_peer_up", boolean(st.Up))
	gauge("wrackline_peer_first", boolean(st.First))
	gauge("wrackline_peer_words_waiting", float64(st.Waiting))
	if _, by := a.apartBy(&st); st.Met && by >= 0 {
		gauge("wrackline_peer_behind_seconds", float64(by)/1000)
	}
}

// peerStatus is the same for the status page; nil when there is no other server.
func (a *app) peerStatus() *ui.Peer {
	if a.peer == nil {
		return nil
	}
	st := a.peer.State()
	x := &ui.Peer{URL: a.cfg.Load().HA.Peer, Up: st.Up, Met: st.Met, First: st.First, Reached: st.Reached, Since: st.Since, Why: st.Why, TookMs: float64(st.Took.Microseconds()) / 1000, Waiting: st.Waiting,
		Version: st.Other.Version, Ready: st.Other.Ready, Open: st.Other.Open, BornMs: st.Other.Born, WaitMs: cmp.Or(time.Duration(a.cfg.Load().HA.Wait), time.Minute).Milliseconds()}
	x.BehindCluster, x.BehindMs = a.apartBy(&st)
	return x
}
