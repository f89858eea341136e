package main

// What is kept of the past so that a backtest can begin there: requests of the journal that no start needs any more, and now and then a state to go on from.

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline/store"
	"github.com/wrackline/wrackline/ingest/journal"
)

const (
	pastDir     = "past"             // below the data directory
	pastNotes   = "notes.json"       // in it
	anchorEvery = 2 * 24 * time.Hour // between two states to begin with, by the receive clock
	anchorShare = 4                  // of storage.backtest_max: so much of the journal is followed by another one, too
	anchorAgain = 10 * time.Minute   // after one that could not be written
	notesMost   = 200                // of them are kept
)

// anchor is a state that a backtest can begin with: a checkpoint in a file of its own, POSITION-MILLISECONDS.db; or, without a file, to know nothing.
type anchor struct {
	Pos     uint64 // of the newest request that is in it
	AtMs    int64  // receive clock
	bytes   int64
	nothing bool // was known before the first request of all
}

// pastNote is something that happened to what serve told which no request says: from there on a backtest tells what serve told, and of before it tells what serve would have told.
type pastNote struct {
	T    int64  `json:"t"`   // receive clock, Unix ms
	Pos  uint64 `json:"pos"` // of the newest request then
	Text string `json:"text"`
	// Break says that the state of then does not follow from the requests before: no backtest goes over it.
	Break bool `json:"break,omitempty"`
	// Of is a hash of the program and of all files of its configuration, as they were from then on; "" = as before.
	Of string `json:"of,omitempty"`
}

// archive keeps the past of a data directory. A nil one keeps nothing.
type archive struct {
	dir string // of the anchors
	log *slog.Logger

	mu      sync.Mutex
	anchors []anchor // with files, ascending
	notes   []pastNote
	begunMs int64  // when the first request of all came; 0 = not looked up
	pinned  uint64 // + 1: nothing behind that position goes, since a backtest reads it; 0 = nobody reads
	failed  time.Time

	mark   [2]int64 // bytes appended and receive clock when the rate was last looked at; 0 = not yet
	perDay int64    // bytes that a day of requests takes when it is kept, about; 0 = not known
	fast   bool     // a day of them has no room, so that none are kept
}

// What decides whether requests are kept at all.
const (
	rateLeast = 10 * 60_000 // ms of the receive clock that a rate is measured over, at least …
	rateMost  = 3_600_000   // … and about at most
	packed    = 8           // times that compressing makes requests smaller, at least: 8 to 16 were measured
	rateBack  = .8          // of the room must do before they are kept again
)

// pace notes how fast requests come. To keep a past means to compress it, which costs as much as to fold it once more, and a past of less than a day answers nothing: where a day has no room nothing is kept.
func (p *archive) pace(appended, atMs, most int64) {
	if p == nil || atMs == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mark[1] == 0 || appended < p.mark[0] || atMs < p.mark[1] {
		p.mark = [2]int64{appended, atMs}
		return
	}
	span := atMs - p.mark[1]
	if span < rateLeast {
		return
	}
	p.perDay = int64(float64(appended-p.mark[0]) / packed * 86_400_000 / float64(span))
	switch {
	case p.perDay > most:
		p.fast = true
	case float64(p.perDay) < rateBack*float64(most):
		p.fast = false
	}
	if span >= rateMost {
		p.mark = [2]int64{appended, atMs}
	}
}

// tooFast says why nothing is kept though it might be; "" when that is not so.
func (p *archive) tooFast(most size) string {
	if p == nil {
		return ""
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.fast {
		return ""
	}
	return fmt.Sprintf("Requests come so fast that storage.backtest_max (%s) holds less than a day of them, about %s, and a shorter past answers nothing: none are kept. Raise it to keep some.", most, alerting.Quantity(float64(p.perDay), "B"))
}

// openPast reads what is there of a data directory.
func openPast(dir string, log *slog.Logger) *archive {
	p := &archive{dir: filepath.Join(dir, pastDir), log: log}
	names, err := os.ReadDir(p.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		log.Warn("what is kept for backtests cannot be read", "path", p.dir, "err", err)
	}
	for _, e := range names {
		if a, ok := anchorOf(e.Name()); ok {
			if info, err := e.Info(); err == nil {
				a.bytes = info.Size()
			}
			p.anchors = append(p.anchors, a)
		}
	}
	slices.SortFunc(p.anchors, func(a, b anchor) int { return cmp.Compare(a.Pos, b.Pos) })
	if b, err := os.ReadFile(filepath.Join(p.dir, pastNotes)); err == nil {
		if err := json.Unmarshal(b, &p.notes); err != nil { // without them nothing says where it may begin
			log.Warn("notes beside what is kept for backtests are damaged: nothing of it is used", "err", err)
			p.anchors, p.notes = nil, []pastNote{{Pos: ^uint64(0) >> 1, Break: true}}
		}
	}
	return p
}

func anchorOf(name string) (a anchor, ok bool) {
	text, ok := strings.CutSuffix(name, ".db")
	pos, ms, dash := strings.Cut(text, "-")
	if !ok || !dash {
		return a, false
	}
	var err, errMs error
	a.Pos, err = strconv.ParseUint(pos, 10, 63)
	a.AtMs, errMs = strconv.ParseInt(ms, 10, 64)
	return a, err == nil && errMs == nil
}

func (p *archive) file(a anchor) string {
	return filepath.Join(p.dir, fmt.Sprintf("%020d-%d.db", a.Pos, a.AtMs))
}

// begins returns what a backtest may begin with, the oldest first. The caller holds p.mu.
func (p *archive) begins(j *journal.Journal) (list []anchor) {
	st, least := j.Stats(), uint64(0)
	whole := st.FirstPos == 1
	for _, n := range p.notes {
		if n.Break {
			least, whole = max(least, n.Pos), false
		}
	}
	if whole && st.LastPos > 0 {
		if p.begunMs == 0 {
			_ = j.Replay(0, func(_ uint64, r journal.Record) error { p.begunMs = r.ReceivedMs; return errStop })
		}
		list = append(list, anchor{AtMs: p.begunMs, nothing: true})
	}
	for _, a := range p.anchors {
		if a.Pos >= least && a.Pos+1 >= st.FirstPos {
			list = append(list, a)
		}
	}
	return list
}

var errStop = errors.New("that is enough")

// Begins is begins for anybody, with the notes.
func (p *archive) Begins(j *journal.Journal) ([]anchor, []pastNote) {
	if p == nil {
		return nil, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.begins(j), slices.Clone(p.notes)
}

// pin keeps everything behind a position until it is called with unpinned.
func (p *archive) pin(pos uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pinned = pos + 1
}

func (p *archive) unpin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pinned = 0
}

// keep lets go of what is older than keepMs or beyond most bytes, and returns up to where the journal may be dropped when no start needs more than what is behind safe.
func (p *archive) keep(j *journal.Journal, safe uint64, nowMs, keepMs, most int64) (drop uint64) {
	if p == nil {
		return safe
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.begins(j)
	at := 0
	for at+1 < len(list) && nowMs-list[at+1].AtMs >= keepMs {
		at++
	}
	for at < len(list) && (p.fast || j.BytesBehind(list[at].Pos)-j.Stats().Bytes+size64(list[at:]) > most) {
		at++
	}
	drop = safe
	if at < len(list) {
		drop = min(drop, list[at].Pos)
	}
	if p.pinned > 0 {
		drop = min(drop, p.pinned-1)
	}
	p.anchors = slices.DeleteFunc(p.anchors, func(a anchor) bool {
		if a.Pos >= drop && (at < len(list) || p.pinned > 0) {
			return false
		}
		return p.remove(a)
	})
	return drop
}

func size64(list []anchor) (n int64) {
	for _, a := range list {
		n += a.bytes
	}
	return n
}

func (p *archive) remove(a anchor) bool {
	err := os.Remove(p.file(a))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		p.log.Warn("what was kept for backtests cannot be removed", "err", err)
		return false
	}
	return true
}

// due reports whether another state to begin with is wanted.
func (p *archive) due(j *journal.Journal, nowMs, most int64) bool {
	if p == nil || most == 0 {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fast || time.Since(p.failed) < anchorAgain {
		return false
	}
	list := p.begins(j)
	if len(list) == 0 {
		return j.Stats().LastPos > 0
	}
	newest := list[len(list)-1]
	return nowMs-newest.AtMs >= anchorEvery.Milliseconds() || j.BytesBehind(newest.Pos) >= max(most/anchorShare, 64<<20)
}

// add writes a state to begin with. It is whole under its name, or is not there.
func (p *archive) add(c store.Checkpoint, atMs int64) error {
	err := p.write(c, anchor{Pos: c.Pos, AtMs: atMs})
	if err != nil {
		anchorsFailed.Inc()
		p.mu.Lock()
		p.failed = time.Now()
		p.mu.Unlock()
		return fmt.Errorf("keep a state for backtests: %w", err)
	}
	return nil
}

func (p *archive) write(c store.Checkpoint, a anchor) (err error) {
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return err
	}
	tmp := filepath.Join(p.dir, "new.tmp")
	for _, name := range []string{tmp, store.TwinName} {
		_ = os.Remove(name)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp)
		}
	}()
	s, err := store.Open(tmp, store.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	if err := errors.Join(s.Save(c), s.Close()); err != nil {
		return err
	}
	info, err := os.Stat(tmp)
	if err != nil {
		return err
	}
	if err := os.Rename(tmp, p.file(a)); err != nil {
		return err
	}
	a.bytes = info.Size()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.anchors = append(slices.DeleteFunc(p.anchors, func(b anchor) bool { return b.Pos == a.Pos && b.AtMs == a.AtMs }), a)
	return nil
}

// note remembers what no request says.
func (p *archive) note(n pastNote) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if n.Break {
		for _, a := range p.anchors {
			p.remove(a)
		}
		p.anchors = nil
	}
	p.notes = append(p.notes, n)
	if more := len(p.notes) - notesMost; more > 0 {
		kept := slices.DeleteFunc(slices.Clone(p.notes[:more]), func(n pastNote) bool { return !n.Break })
		p.notes = append(kept[max(0, len(kept)-1):], p.notes[more:]...) // the last one that breaks
	}
	if err := writeNotes(p.dir, p.notes); err != nil {
		p.log.Warn("what a backtest should say cannot be kept", "note", n.Text, "err", err)
	}
}

func writeNotes(dir string, notes []pastNote) error {
	b, err := json.Marshal(notes)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	tmp := filepath.Join(dir, pastNotes+".tmp")
	if err := os.WriteFile(tmp, b, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, filepath.Join(dir, pastNotes))
}

// giveWay lets go of everything, since the disk is full.
func (p *archive) giveWay() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.anchors = slices.DeleteFunc(p.anchors, p.remove)
}

// notePast notes what no request says of what is told from now on.
func (a *app) notePast(text string, breaks bool) {
	a.past.note(pastNote{T: a.clock.Now().UnixMilli(), Pos: a.engine.Pos(), Text: text, Break: breaks})
}

// noteConfig notes that another program or configuration judges from now on, if that is so.
func (a *app) noteConfig(text string) {
	if a.past == nil {
		return
	}
	sum := sha256.Sum256(append(a.cfg.Load().seen[:], buildVersion()...))
	of := hex.EncodeToString(sum[:8])
	a.past.mu.Lock()
	before := ""
	for _, n := range a.past.notes {
		before = cmp.Or(n.Of, before)
	}
	a.past.mu.Unlock()
	if before == of {
		return
	}
	if before == "" { // of the first one there is nothing to say
		text = ""
	}
	a.past.note(pastNote{T: a.clock.Now().UnixMilli(), Pos: a.engine.Pos(), Text: text, Of: of})
}

// spare drops what nobody needs of the journal any more.
func (a *app) spare() error {
	cfg, safe := a.cfg.Load(), a.store.SafePos()
	a.past.pace(a.journal.Stats().Appended, a.engine.AtMs(), int64(cfg.Storage.BacktestMax))
	drop := a.past.keep(a.journal, safe, a.clock.Now().UnixMilli(), time.Duration(cfg.Storage.Retention).Milliseconds(), int64(cfg.Storage.BacktestMax))
	return a.journal.Spare(safe, drop)
}

// keepState writes a state for backtests to begin with when one is due. It is called by whoever makes checkpoints, between them.
func (a *app) keepState(frozen func() store.Checkpoint) {
	if !a.past.due(a.journal, a.clock.Now().UnixMilli(), int64(a.cfg.Load().Storage.BacktestMax)) {
		return
	}
	a.checkpointMu.Lock()
	defer a.checkpointMu.Unlock()
	at := a.clock.Now().UnixMilli()
	if err := a.past.add(frozen(), at); err != nil {
		a.log.Warn("no state was kept for backtests to begin with", "err", err)
	}
}

// pastBreak is note with Break for a data directory that nobody has open.
func pastBreak(dir string, t int64, pos uint64, text string) error {
	dir = filepath.Join(dir, pastDir)
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return writeNotes(dir, []pastNote{{T: t, Pos: pos, Text: text, Break: true}})
}

// reach says in words how far back a backtest can go, and why not further.
func reach(list []anchor, notes []pastNote, most size, retention time.Duration) string {
	if len(list) == 0 {
		if most == 0 {
			return "Nothing of the past is kept: storage.backtest_max is off."
		}
		return "There is nothing to begin with yet: it is kept from the next checkpoint on, within minutes."
	}
	from := alerting.Clock(list[0].AtMs)
	switch {
	case list[0].nothing:
		return "It can go back to " + from + ", the first request of all."
	case slices.ContainsFunc(notes, func(n pastNote) bool {
		return n.Break && n.Pos <= list[0].Pos && n.T >= list[0].AtMs-anchorEvery.Milliseconds()
	}):
		last := notes[0]
		for _, n := range notes {
			if n.Break {
				last = n
			}
		}
		return "It can go back to " + from + ": " + last.Text + ", at " + alerting.Clock(last.T) + ", and what was learned since does not follow from requests before that."
	}
	return fmt.Sprintf("It can go back to %s: requests are kept for %s (storage.retention) and up to %s (storage.backtest_max).", from, days(retention), most)
}

var anchorsFailed = metrics.NewCounter("wrackline_backtest_states_failed_total")
