package signal

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/wrackline/wrackline/baseline/asked"
	"github.com/wrackline/wrackline/baseline/codec"
	"github.com/wrackline/wrackline/baseline/identity"
	"github.com/wrackline/wrackline/baseline/series"
)

// ErrState is returned by RestoreState for bytes that AppendState did not make, or that were damaged since.
var ErrState = errors.New("stream state is damaged")

const (
	stateMagic   = "wlst"
	stateVersion = 12 // 11 did not say whose signals and keys are, and since when signals are known; 10 knew of no twins and replicas, 9 had targets of one metric each, no births and not which expression a signal's value is of; 8 did not say when samples of a sender were last used, 7 had no keys; up to 6 the sections of rooms had no versions: 5 had no share of late samples, 4 no end of rollouts, 3 no native histograms, 2 no carrying over of rules, 1 no changes
)

// The state is what package codec writes. Label sets are written where they first occur and referred to by number afterwards. In order:
//
//	"wlst", version, signature of the rules (16 bytes), their metrics, leaves and expressions (carry.go)
//	clocks, counters, replica names
//	senders (package sender)
//	clusters: their windows, the section of their book, the section of their tracker, births (cluster_state.go)
//	signals, what has arrived
//	tracked series with their rings (series_state.go)
//	the section of twins, that of replicas, that of keys (keys_state.go)
//
// With other rules everything is kept that they still need: identities, names, the signals of rules that have an expression in common
// with what they were, and the rings of series in leaves that are still asked. So an unchanged signal loses no window. Leaves that
// are new take a series once it has shown its labels again, with its next sample.

// stateReader reads a state of some version.
type stateReader struct {
	*codec.Reader
	version int
}

// sectioned reports whether the sections of rooms say their version.
func (r *stateReader) sectioned() bool { return r.version >= 7 }

// signature names the rules of a stream: two streams with the same one keep the same series in the same leaves.
func (s *Stream) signature() series.Print {
	if s.signed != nil {
		return *s.signed
	}
	h := sha256.New()
	for _, m := range s.metrics {
		fmt.Fprintf(h, "m%q", m.name)
	}
	for _, l := range s.leaves {
		fmt.Fprintf(h, "l%q", l.spec)
	}
	for _, r := range s.rules {
		fmt.Fprintf(h, "r%q%q", r.Name, r.Exprs)
	}
	p := series.Print(h.Sum(nil)[:16])
	s.signed = &p
	return p
}

// stateCounters lists the counters that are part of the state.
func (st *Stream) stateCounters() []*int64 {
	c := st.changeCounts
	return st.stats.Counters(&c.Told, &c.Held, &c.Over)
}

// AppendState appends the stream's complete state to dst. A stream with the same options that restores it gives the same
// windows from then on, to the bit.
func (s *Stream) AppendState(dst []byte) []byte { return s.appendState(dst, stateVersion) }

// appendState is AppendState as a version of 8 or newer had it.
func (s *Stream) appendState(dst []byte, version int) []byte {
	w := &codec.Writer{B: dst}
	s.write(w, version, nil, func() bool { return true })
	return w.B
}

// write writes the state as it is when write is called, and calls pause between slices of it; it goes no further once that has returned false. f keeps what changes during a pause, nil = nothing does.
func (s *Stream) write(w *codec.Writer, version int, f *freeze, pause func() bool) {
	n, head, forms, last := len(s.hot), codec.ApartLike(s.apart[0]), codec.Apart(), codec.ApartLike(s.apart[1])
	s.appendHead(head, version)
	s.appendForms(forms)
	if version >= 11 {
		s.twins.Append(last)
		s.halves.Append(last)
	}
	s.appendKeys(last)
	s.apart = [2]codec.Size{head.Size(), last.Size()}
	// So far it was what any request may change. The rest waits for a window to close, or is kept by f.
	put := func(x *codec.Writer) bool {
		for pause() {
			if !w.PutSome(x) {
				return true
			}
		}
		return false
	}
	if !pause() {
		return
	}
	w.B = append(w.B, stateMagic...)
	w.Num(version)
	sig := s.signature()
	w.Bytes(sig[:])
	list := s.asks()
	list.Append(w)
	if put(head) && s.appendSignals(w, version, pause) && put(forms) && s.appendSeries(w, version, n, f, pause) {
		put(last)
	}
}

// appendHead writes clocks, counters, names, senders and clusters.
func (s *Stream) appendHead(w *codec.Writer, version int) {
	w.Int(s.nowMs)
	w.Int(s.eventMs)
	w.Num(len(s.counters))
	for _, c := range s.counters {
		w.Int(*c)
	}
	s.names.Append(w)
	s.senders.Append(w, version)
	w.Num(len(s.clusters))
	for _, c := range s.clusters {
		c.append(w, version)
	}
}

func (s *Stream) appendSignals(w *codec.Writer, version int, pause func() bool) bool {
	w.Num(len(s.signalAt))
	n := 0
	for sig := range s.InOrder {
		if n++; n%sliceSignals == 0 && !pause() {
			return false
		}
		m := &s.marks[sig.Index]
		w.Word(sig.Rule.Name)
		w.Num(int(m.cluster))
		w.Labels(sig.Entity)
		w.Num(int(m.members))
		w.Int(m.at)
		if version >= 10 {
			w.Num(int(m.form))
		}
		if version >= 12 {
			w.Num(int(m.sender))
			w.Int(m.born)
		}
	}
	return true
}

// appendForms writes what answers rules, and what has arrived.
func (s *Stream) appendForms(w *codec.Writer) {
	for _, c := range s.clusters {
		for i := range c.rules {
			w.Int(int64(c.rules[i].form))
			w.Num(c.rules[i].series)
		}
		for _, t := range c.arrived {
			w.Int(t)
		}
		for _, t := range c.asked {
			w.Int(t)
		}
	}
}

// RestoreState makes the stream what it was when AppendState made b, also when its rules have changed since (see above). Whatever
// the stream held before is dropped. It returns ErrState, and leaves the stream as it was, when b is not the work of AppendState.
func (s *Stream) RestoreState(b []byte) error {
	if len(b) < len(stateMagic) || string(b[:len(stateMagic)]) != stateMagic {
		return ErrState
	}
	fresh := &Stream{opts: s.opts, closed: s.closed, rules: s.rules, measures: s.measures, leaves: s.leaves, metrics: s.metrics, byName: s.byName, signed: s.signed, input: s.input}
	fresh.clear()
	r := &stateReader{Reader: codec.NewReader(b[len(stateMagic):], ErrState)}
	if r.version = r.Num(math.MaxInt32); r.Err() == nil && (r.version < 1 || r.version > stateVersion) {
		return fmt.Errorf("%w: version %d is not known, this program writes %d", ErrState, r.version, stateVersion)
	}
	fresh.restore(r)
	if r.Err() != nil {
		return r.Err()
	}
	input := fresh.input
	*s = *fresh
	s.input = input
	s.limits.Stay(s.Holds())
	s.bind()
	if s.opts.Cluster != "" {
		s.alone()
	}
	for i, c := range s.counters {
		s.published[i] = *c // they were counted in the life before
	}
	return nil
}

func (s *Stream) restore(r *stateReader) {
	same := r.Print() == s.signature()
	list := s.asks()
	was := list.Read(r.Reader)
	if r.Err() != nil || same && !was.All(&list) {
		r.Fail()
		return
	}
	was.Same = same && r.version >= 8
	s.nowMs, s.eventMs = r.Time(), r.Time()
	for i := range r.Count(1) {
		if v := r.Int(); i < len(s.counters) {
			*s.counters[i] = v
		}
	}
	s.names.Restore(r.Reader)
	s.senders.Restore(r.Reader, r.version)
	for range r.Count(20) {
		if len(s.clusters) >= ClustersMax {
			r.Fail()
			return
		}
		s.restoreCluster(r)
		if r.Err() != nil {
			return
		}
	}
	s.restoreSignals(r, was)
	if r.Err() != nil {
		return
	}
	for _, c := range s.clusters {
		for _, i := range was.Rules {
			form, n := r.Int(), r.Num(math.MaxInt32)
			if i == none {
				continue
			}
			c.rules[i].form, c.rules[i].series = int(form), n
			if form < -1 || form >= int64(len(s.rules[i].forms)) {
				if was.Same {
					r.Fail()
					return
				}
				c.rules[i].form = -1 // decided anew when the next window closes
			}
		}
		for _, i := range was.Metrics {
			if t := r.Time(); i != none {
				c.arrived[i] = t
			}
		}
		for _, i := range was.Leaves {
			if t := r.Time(); i != none {
				c.asked[i] = t
			}
		}
		for _, leaves := range was.Fresh {
			for _, i := range leaves {
				c.asked[i] = c.open
			}
		}
	}
	to := s.restoreSeries(r, was)
	if r.version >= 11 && r.Err() == nil {
		s.twins.Restore(r.Reader, to)
		s.halves.Restore(r.Reader, to)
	}
	if r.version >= 8 && r.Err() == nil {
		s.restoreKeys(r, to, was)
	}
	if r.Err() == nil && (r.Left() > 0 || !s.renumber(to)) {
		r.Fail()
	}
	if r.Err() != nil {
		return
	}
	if !was.Same {
		s.recount()
	}
	s.relist()
	s.weigh()
}

// restoreSignals puts back the signals whose rules still ask the same of the same kind of entity. The others are dropped: they
// would be absent for ever, or their baseline would be of something else.
func (s *Stream) restoreSignals(r *stateReader, was *asked.Book) {
	rules := map[string]uint32{}
	for i, x := range s.rules {
		rules[x.Name] = uint32(i)
	}
	for range r.Count(5) {
		name, ci, entity := r.Word(), r.Num(math.MaxUint16), r.Labels(labelsMost)
		members, at, form := r.Num(math.MaxInt32), r.Time(), math.MaxUint8 // not known: any may answer
		if r.version >= 10 {
			form = r.Num(math.MaxUint8)
		}
		from, born := noSender, int64(0)
		if r.version >= 12 {
			from, born = r.Num(noSender), r.Time()
		}
		if r.Err() != nil || from != noSender && from >= len(s.senders.List) || ci >= len(s.clusters) || entity.Get(identity.LabelCluster) != s.clusters[ci].name {
			r.Fail()
			return
		}
		ri, ok := rules[name]
		if !ok || !was.Keeps(ri) || !s.rules[ri].about(entity) {
			continue
		}
		asked := s.rules[ri].Of(entity)
		if asked == nil {
			continue
		}
		c := s.clusters[ci]
		id := MakeID(name, entity)
		if s.signalAt[id] != nil {
			r.Fail()
			return
		}
		sig := s.addSignal(&Signal{ID: id, Rule: asked, Entity: entity}, ri, uint16(ci))
		m := &s.marks[sig.Index]
		m.members, m.at, m.form, m.sender, m.born = int32(members), at, uint8(form), uint16(from), born
		c.order = append(c.order, sig.Index)
		c.fresh++
		c.rules[ri].signals[c.table.Intern(entity)] = sig.Index
	}
}

// about reports whether a form of the rule can be about an entity.
func (r *ruleForms) about(entity series.Labels) bool {
	for i := range r.forms {
		ok := true
		for _, l := range entity {
			ok = ok && slices.Contains(r.forms[i].plan.Labels, l.Name)
		}
		if ok {
			return true
		}
	}
	return false
}
