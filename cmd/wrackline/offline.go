package main

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/alerting/act"
	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/scenario"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/store"
)

// offline is the engine and its incidents without store, journal and receivers, for replay and eval.
type offline struct {
	engine  *baseline.Engine
	manager *alerting.Manager
	acts    *act.Book
	told    []alerting.Notification
	watch   func(baseline.Batch) // sees every closed window; nil = nobody
}

func newOffline(cfg config, watch func(baseline.Batch)) (*offline, error) {
	return newSalted(cfg, series.Salt{}, watch)
}

// newSalted is newOffline for batches whose keys were made with a salt.
func newSalted(cfg config, salt series.Salt, watch func(baseline.Batch)) (*offline, error) {
	packs, err := cfg.packs()
	if err != nil {
		return nil, err
	}
	loc, err := time.LoadLocation(cfg.Signals.Timezone)
	if err != nil {
		return nil, err
	}
	o := &offline{watch: watch, acts: &act.Book{}}
	o.manager = alerting.NewManager(alerting.Options{Acts: o.acts, NotificationsPerDay: cfg.Alerting.NotificationsPerDay, PagesPerDay: cfg.Alerting.PagesPerDay, Rule: rulesOf(packs),
		Emit: func(n alerting.Notification) { o.told = append(o.told, n) }})
	stream := cfg.streamOptions(packs)
	stream.Salt = salt
	o.engine, err = baseline.New(baseline.Options{FalseAlarmsPerWeek: cfg.Alerting.FalseAlarmsPerWeek, Stream: stream, Location: loc, Sink: o})
	return o, err
}

// restore goes on from a checkpoint.
func (o *offline) restore(c store.Loaded) error {
	if err := o.engine.Restore(c.Pos, c.Sections, c.Models); err != nil {
		return err
	}
	if err := o.acts.RestoreState(c.Sections[sectionActs]); err != nil {
		return err
	}
	return o.manager.RestoreState(c.Sections[sectionAlerting])
}

// teach lets the lessons of a file hold from the beginning on.
func (o *offline) teach(name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	list, err := act.ReadLessons(text, "backtest", 0)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return errNoLessons
	}
	for _, x := range list {
		if err := o.acts.Apply(&act.Entry{Act: x}); err != nil {
			return err
		}
	}
	return nil
}

// Observe implements baseline.Sink.
func (o *offline) Observe(b baseline.Batch) {
	if o.watch != nil {
		o.watch(b)
	}
	o.manager.Observe(b)
}

// alarms returns every member of every incident as an alarm, for scoring.
func (o *offline) alarms() []scenario.Alarm {
	var out []scenario.Alarm
	for _, inc := range o.manager.Incidents() {
		for i := range inc.Members {
			m := &inc.Members[i]
			dir := "up"
			if outsideLow(m) {
				dir = "down"
			}
			out = append(out, scenario.Alarm{Signal: m.Name, Entity: m.Entity, ID: m.SignalID, Start: m.Opened, End: m.Ended,
				Dir: dir, Notified: inc.Told > 0, Incident: inc.ID})
		}
	}
	return out
}

// namedChange is what an incident said of the change that caused a fault.
type namedChange struct {
	ID    string `json:"id"`     // of the fault
	Want  string `json:"change"` // kind and object
	Place int    `json:"place"`  // among the changes of the incident, from 1; 0 = not named
	Said  string `json:"said,omitempty"`
}

// namedChanges looks up, for every fault that somebody's change caused, where the incidents that began with it name that change.
func (o *offline) namedChanges(truth []scenario.Truth) []namedChange {
	var out []namedChange
	for _, t := range truth {
		if t.Change == "" {
			continue
		}
		n := namedChange{ID: t.ID, Want: t.Change}
		for _, inc := range o.manager.Incidents() {
			if inc.Opened < t.Start || inc.Opened > t.End {
				continue
			}
			for k := range inc.Changes {
				c := &inc.Changes[k]
				near := c.T >= t.Start-2*60_000 && c.T <= t.Start+15*60_000 // a node is drained before it is upgraded
				if string(c.Kind)+" "+c.Object == t.Change && near && (n.Place == 0 || k+1 < n.Place) {
					n.Place, n.Said = k+1, c.Text()+", "+alerting.When(c.T, inc.Onset)
				}
			}
		}
		out = append(out, n)
	}
	return out
}

// outsideLow reports whether the alarm of m was about a value below its band, or one on its way down.
func outsideLow(m *alerting.Member) bool {
	if m.SlopePerDay != 0 {
		return m.SlopePerDay < 0
	}
	return m.Worst < m.WorstBand.Lower
}

// incidentLine is one incident as replay and the API of scripts show it.
type incidentLine struct {
	ID         string   `json:"id"`
	Title      string   `json:"title"`
	Severity   string   `json:"severity"`
	Cluster    string   `json:"cluster"`
	Onset      int64    `json:"onset"`
	Opened     int64    `json:"opened"`
	Resolved   int64    `json:"resolved,omitempty"`
	FirstMover string   `json:"first_mover"`
	Members    []string `json:"members"`
	Changes    []string `json:"changes,omitempty"` // what changed just before, closest first
	Told       int      `json:"told"`
}

func writeIncidents(w io.Writer, m *alerting.Manager) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	s := m.Snapshot()
	all := append([]*alerting.Incident(nil), s.Open...)
	all = append(all, s.Closed...)
	for _, i := range all {
		l := incidentLine{ID: i.ID, Title: i.Title, Severity: string(i.Severity), Cluster: i.Cluster, Onset: i.Onset, Opened: i.Opened,
			Resolved: i.Resolved, FirstMover: i.FirstMover().SignalID, Told: i.Told}
		for k := range i.Members {
			l.Members = append(l.Members, i.Members[k].SignalID)
		}
		for k := range i.Changes {
			l.Changes = append(l.Changes, i.Changes[k].Text()+", "+alerting.When(i.Changes[k].T, i.Onset))
		}
		if err := e.Encode(l); err != nil {
			return err
		}
	}
	return nil
}

// dirOf returns the directory of a file name, for temporary files beside it.
func dirOf(name string) string { return filepath.Dir(name) }
