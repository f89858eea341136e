// The book of acts: a fold over the log.

package act

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/wrackline/wrackline/baseline/codec"
)

const (
	actsMax  = 2_000 // acts kept, those that are over among them: the oldest of those leave
	forceMax = 200   // acts that mute at a time: each alarm that would be told asks each of them
	bodyMax  = 256 << 10
)

var (
	// ErrState is returned by RestoreState for bytes that AppendState cannot have written, and by Decode for what Encode cannot have.
	ErrState = errors.New("acts are damaged, or of a newer program")
	// ErrNone is returned by Apply for the undo of an act that there is not.
	ErrNone = errors.New("there is no act with this id, or it is over")
	// ErrFull is returned by Apply when there is no room for one more.
	ErrFull = fmt.Errorf("there are %d silences, maintenance windows and lessons already: undo some, or make fewer with matchers that are wider", forceMax)
	// ErrLevel is returned by Apply for the undo of a level.
	ErrLevel = errors.New("a level that was adopted cannot be taken back by a word: what was normal before stays known for four weeks, and a return to it is no news")
)

// Entry is a record of the log: an act that is said, or one that is taken back.
type Entry struct {
	Act  *Act   `json:"act,omitempty"`
	Undo string `json:"undo,omitempty"` // id of an act …
	By   *Undo  `json:"by,omitempty"`   // … and who takes it back
}

// Encode returns an entry's bytes in the log: JSON.
func (e *Entry) Encode() ([]byte, error) { return json.Marshal(e) }

// Decode reads what Encode wrote. It fails with ErrState.
func Decode(b []byte) (*Entry, error) {
	var e Entry
	if len(b) > bodyMax || json.Unmarshal(b, &e) != nil || (e.Act == nil) == (e.Undo == "") || (e.By == nil) != (e.Undo == "") {
		return nil, ErrState
	}
	return &e, nil
}

// Book folds entries. Apply, AppendState and RestoreState belong to one goroutine, that of the fold, as do Muted and Any; View may be called from any. The zero value is empty and useful.
type Book struct {
	acts   []*held // in the order of the log
	force  []*held // of these, the ones that mute and are not over as far as the log has got
	newest int64   // when the last one was said
	view   atomic.Pointer[View]
}

// View is an immutable picture of a Book.
type View struct {
	acts    []*Act
	detours []*held // those that say who is not told, the oldest first
}

// Apply folds an entry. One that it knows already changes nothing. On an error nothing has changed either, in every replay alike.
func (b *Book) Apply(e *Entry) error {
	if e.Act == nil {
		return b.undo(e)
	}
	if b.find(e.Act.ID) >= 0 {
		return nil
	}
	h, err := hold(e.Act)
	if err != nil {
		return err
	}
	b.expire(e.Act.T)
	if h.Kind.Mutes() && len(b.force) >= forceMax {
		return ErrFull
	}
	if len(b.acts) >= actsMax {
		i := slices.IndexFunc(b.acts, func(x *held) bool { return !slices.Contains(b.force, x) })
		b.acts = slices.Delete(b.acts, i, i+1)
	}
	b.acts = append(b.acts, h)
	if h.Kind.Mutes() {
		b.force = append(b.force, h)
	}
	b.publish()
	return nil
}

func (b *Book) undo(e *Entry) error {
	i := b.find(e.Undo)
	switch {
	case i < 0 || b.acts[i].Undone == nil && b.acts[i].Until != 0 && e.By.T >= b.acts[i].Until:
		return ErrNone
	case b.acts[i].Kind == Level:
		return ErrLevel
	case b.acts[i].Undone != nil: // a replay, or two at once
		return nil
	}
	next := *b.acts[i]
	undone := *next.Act
	undone.Undone = e.By
	next.Act = &undone
	b.force = slices.DeleteFunc(b.force, func(x *held) bool { return x == b.acts[i] })
	b.acts[i] = &next
	b.publish()
	return nil
}

// Known reports whether the log has said an act before.
func (b *Book) Known(id string) bool { return b.find(id) >= 0 }

func (b *Book) find(id string) int {
	return slices.IndexFunc(b.acts, func(x *held) bool { return x.ID == id })
}

// expire takes what was over at t, receive clock, from those that mute. Until a day later it is asked all the same: event time may lag.
func (b *Book) expire(t int64) {
	b.newest = max(b.newest, t)
	b.force = slices.DeleteFunc(b.force, func(x *held) bool { return x.Over(b.newest - dayMs) })
}

func (b *Book) publish() {
	v := &View{}
	for i := len(b.acts) - 1; i >= 0; i-- {
		v.acts = append(v.acts, b.acts[i].Act)
	}
	for _, h := range b.force {
		if h.NotFor != "" {
			v.detours = append(v.detours, h)
		}
	}
	b.view.Store(v)
}

// Any reports whether anything mutes.
func (b *Book) Any() bool { return b != nil && len(b.force) > 0 }

// Muted returns the act that keeps an alarm from being told at t, event time, nil when none does. Of several that do it is the one that does so for longest; ties go to the oldest.
func (b *Book) Muted(s *Subject, t int64) (by *Act) {
	for _, h := range b.force {
		if !h.at(t) || !h.about(s) || !h.covers(s) {
			continue
		}
		if by == nil || by.Until != 0 && (h.Until == 0 || h.Until > by.Until) {
			by = h.Act
		}
	}
	return by
}

// View returns the present picture, never nil.
func (b *Book) View() *View {
	if b != nil {
		if v := b.view.Load(); v != nil {
			return v
		}
	}
	return &View{}
}

// Only returns what keep says of the picture.
func (v *View) Only(keep func(*Act) bool) *View {
	out := &View{}
	for _, a := range v.acts {
		if keep(a) {
			out.acts = append(out.acts, a)
		}
	}
	for _, h := range v.detours {
		if keep(h.Act) {
			out.detours = append(out.detours, h)
		}
	}
	return out
}

// All lists all acts, the newest first.
func (v *View) All() []*Act { return v.acts }

// Find returns an act by its id, nil when there is none.
func (v *View) Find(id string) *Act {
	for _, a := range v.acts {
		if a.ID == id {
			return a
		}
	}
	return nil
}

// Holder returns the newest ack of an incident that was not taken back, nil when nobody has it.
func (v *View) Holder(incident string) *Act {
	for _, a := range v.acts {
		if a.Kind == Ack && a.Incident == incident && a.Undone == nil {
			return a
		}
	}
	return nil
}

// Detours lists the acts that say at t, event time, who is not told of an incident, the oldest first. label is asked for Names of the alarm that its title speaks of.
func (v *View) Detours(label func(name string) string, t int64) (list []*Act) {
	for _, h := range v.detours {
		if h.at(t) && h.about(&Subject{Label: label}) {
			list = append(list, h.Act)
		}
	}
	return list
}

// Lessons lists the lessons that hold at t, the oldest first.
func (v *View) Lessons(t int64) (list []*Act) {
	for _, a := range v.acts {
		if a.Lasting() && !a.Over(t) {
			list = append(list, a)
		}
	}
	slices.Reverse(list)
	return list
}

// AppendState appends the complete state to dst: a version, and the acts as JSON.
func (b *Book) AppendState(dst []byte) []byte {
	list := make([]*Act, len(b.acts))
	for i, h := range b.acts {
		list[i] = h.Act
	}
	text, err := json.Marshal(list)
	if err != nil {
		panic("act: " + err.Error()) // numbers are finite and everything else is plain
	}
	w := codec.Writer{B: dst}
	w.Num(1)
	w.String(string(text))
	return w.B
}

// RestoreState replaces the state by one that AppendState wrote; nil is an empty one, as older programs have it. On error (ErrState) the Book is unchanged.
func (b *Book) RestoreState(data []byte) error {
	var acts []*Act
	if data != nil {
		r := codec.NewReader(data, ErrState)
		r.Section(1)
		text := []byte(r.String())
		if r.Left() > 0 {
			r.Fail()
		}
		if r.Err() != nil {
			return r.Err()
		}
		if json.Unmarshal(text, &acts) != nil || len(acts) > actsMax {
			return ErrState
		}
	}
	var next Book
	for _, a := range acts {
		if a == nil {
			return ErrState
		}
		h, err := hold(a)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrState, err)
		}
		next.acts = append(next.acts, h)
		if h.Kind.Mutes() && h.Undone == nil {
			next.force = append(next.force, h)
		}
		next.expire(a.T)
	}
	b.acts, b.force, b.newest = next.acts, next.force, next.newest
	b.publish()
	return nil
}
