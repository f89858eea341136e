package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/alerting/act"
	"github.com/wrackline/wrackline/baseline"
	"github.com/wrackline/wrackline/baseline/near"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/ingest"
	"github.com/wrackline/wrackline/ingest/journal"
)

// protoSaid is the Proto of a record of the journal, and of a recording, that holds what somebody said, as act.Entry.Encode writes it, in place of a request. Package ingest has no such number, so
// an older program skips it, and says so.
const protoSaid = 200

// saying is what somebody says on its way through the line.
type saying struct {
	entry  *act.Entry
	answer chan error // has room for one
}

// say makes what somebody wants to say an act. It returns once that is in the journal, as safe as ingest.sync asks, and in the fold: so neither a kill nor a second fold loses it, or does it twice.
func (a *app) say(ctx context.Context, d *act.Draft) (*act.Act, error) {
	if err := a.working(); err != nil {
		return nil, err
	}
	x, err := a.draft(d)
	if err != nil {
		return nil, err
	}
	if x.Kind == act.Ack {
		if _, ok := a.manager.Incident(x.Incident); !ok {
			return nil, errNoIncident
		}
	}
	if err := a.put(ctx, &act.Entry{Act: x}); err != nil {
		return nil, err
	}
	a.log.Info("said", "act", x.ID, "kind", string(x.Kind), "who", x.Who, "why", x.Why, "what", x.Words(), "until", untilWord(x.Until))
	a.share()
	return x, nil
}

// share lets the other server of a pair, where there is one, know that something was said.
func (a *app) share() {
	if a.peer != nil {
		a.peer.Poke()
	}
}

// draft makes an act of what somebody wants to say, as far as the configuration lets it: the receivers that it names must be there, and somebody must be told.
func (a *app) draft(d *act.Draft) (*act.Act, error) {
	x, err := d.Act(a.clock.Now().UnixMilli())
	if err != nil || x.NotFor == "" {
		return x, err
	}
	var names []string
	for i := range a.cfg.Load().Receivers {
		names = append(names, a.cfg.Load().Receivers[i].Name)
	}
	for _, r := range []struct{ field, name string }{{"not_for", x.NotFor}, {"to", x.To}} {
		if r.name != "" && !slices.Contains(names, r.name) {
			return nil, &act.Error{Field: r.field, Msg: fmt.Sprintf("there is no receiver %q%s", series.Clean(r.name, 200), near.Suggest(r.name, names))}
		}
	}
	if len(names) == 1 {
		return nil, &act.Error{Field: "not_for", Msg: x.NotFor + " is the only receiver: nobody would be told. A silence or a lesson with bounds says that nobody need be"}
	}
	return x, nil
}

// unsay takes an act back, as say says it.
func (a *app) unsay(ctx context.Context, speaker *speaker, id, who, why string) (*act.Act, error) {
	if err := a.working(); err != nil {
		return nil, err
	}
	if err := speaker.mayUndo(a, id); err != nil {
		return nil, err
	}
	who = cmp.Or(speaker.name, who)
	by, err := (&act.Draft{Kind: act.Ack, Incident: "-", Who: who, Why: why}).Act(a.clock.Now().UnixMilli()) // the same bounds
	if err != nil {
		return nil, err
	}
	if err := a.put(ctx, &act.Entry{Undo: id, By: &act.Undo{Who: by.Who, Why: by.Why, T: by.T}}); err != nil {
		return nil, err
	}
	x := a.acts.View().Find(id)
	a.log.Info("undone", "act", id, "kind", string(x.Kind), "who", by.Who, "why", by.Why, "what", x.Words())
	a.share()
	return x, nil
}

// put appends an entry to the journal and to the line, and waits for the fold's answer.
func (a *app) put(ctx context.Context, e *act.Entry) error {
	body, err := e.Encode()
	if err != nil {
		return err
	}
	raw := &ingest.Raw{Proto: protoSaid, Encoding: journal.Plain, Body: body, ReceivedMs: a.clock.Now().UnixMilli()}
	x := waiting{bytes: int64(len(body)), weight: lineLeast, done: func() {}, said: &saying{e, make(chan error, 1)}}
	if err := a.line.enter(ctx, x.weight); err != nil {
		return fmt.Errorf("the line of requests is full: %w", errNotReady)
	}
	if err := a.line.put(a.journal, raw, x); err != nil {
		a.line.room.Release(x.weight)
		return fmt.Errorf("it is not safe: %w: %w", err, errNotReady)
	}
	ctx = context.WithoutCancel(ctx) // it is said by now: the answer tells how it went
	if err := a.journal.Wait(ctx, a.line.last.Load()); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return <-x.said.answer
}

// apply folds what somebody said. It belongs to the fold.
func (a *app) apply(e *act.Entry) error {
	err := applyAct(a.acts, a.engine, e)
	if err == nil && e.Act != nil && e.Act.Kind == act.Level {
		a.engine.Publish()
	}
	return err
}

// applyAct folds an entry. What it refuses it refuses in every replay, since it asks nothing but what the log has made.
func applyAct(book *act.Book, engine *baseline.Engine, e *act.Entry) error {
	if e.Act != nil && e.Act.Kind == act.Level && !book.Known(e.Act.ID) {
		if err := engine.Accept(e.Act.Signal); err != nil {
			return err
		}
	}
	return book.Apply(e)
}

var errNoIncident = errors.New("there is no incident with this id")

// refusalOf returns the status and the words for what was not said.
func refusalOf(err error) (code int, text string) {
	var bad *act.Error
	switch {
	case errors.As(err, &bad):
		return http.StatusBadRequest, err.Error()
	case errors.Is(err, errNoIncident), errors.Is(err, baseline.ErrNoSignal), errors.Is(err, act.ErrNone):
		return http.StatusNotFound, err.Error()
	case errors.Is(err, baseline.ErrNoLevel), errors.Is(err, act.ErrLevel), errors.Is(err, act.ErrFull):
		return http.StatusConflict, err.Error()
	case errors.Is(err, errNotReady):
		return http.StatusServiceUnavailable, err.Error()
	}
	return http.StatusInternalServerError, "it is not known to be safe: " + err.Error()
}

// foresee says what an act would have done to what was told.
func (a *app) foresee(who *speaker, x *act.Act) (alerting.Foresight, error) {
	t, err := act.Try(x)
	if err != nil {
		return alerting.Foresight{}, err
	}
	return alerting.Foresee(who.incidents(a.manager.Snapshot()), a.acts.View(), t), nil
}

// untilWord is the end of an act as the log shows it.
func untilWord(ms int64) string {
	if ms == 0 {
		return "it is undone"
	}
	return time.UnixMilli(ms).UTC().Format(time.RFC3339)
}
