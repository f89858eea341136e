package baseline

import (
	"iter"
	"slices"

	"github.com/wrackline/wrackline/baseline/codec"
)

// State returns the sections of the fold's state.
func State(e *Engine) map[string][]byte {
	m := map[string][]byte{}
	for name, write := range e.Sections {
		m[name] = write(nil)
	}
	return m
}

// AppendStream appends the sections of the router and of streams, one after the other.
func (e *Engine) AppendStream(dst []byte) []byte {
	dst = e.router.Append(dst)
	for _, c := range e.named() {
		dst = c.stream.AppendState(dst)
	}
	return dst
}

// AppendView appends the views of all clusters.
func (e *Engine) AppendView(dst []byte) []byte {
	for _, c := range e.named() {
		dst = c.appendView(dst)
	}
	return dst
}

// RestoreView reads a view into every cluster, one that is made for it when there is none.
func (e *Engine) RestoreView(b []byte) error {
	if len(e.named()) == 0 {
		n, _ := e.router.Cluster("default", "")
		e.cluster(n)
	}
	for _, c := range e.named() {
		if _, err := c.restoreView(b); err != nil {
			return err
		}
	}
	e.Publish()
	return nil
}

// AppendViewBefore writes the view of the only cluster as the version before the one before did.
func (e *Engine) AppendViewBefore() []byte {
	c := e.named()[0]
	x := viewCoder{codec.Writing([]byte(viewMagic + "2")), 2}
	one, n := 1, int64(0)
	x.I64(&e.nowMs)
	x.Num(&one)
	x.Str(&c.name)
	x.I64(&c.first)
	for b := range c.judged {
		if b.v.Signal != nil {
			n++
		}
	}
	x.I64(&n)
	for b := range c.judged {
		if b.v.Signal != nil {
			x.Str(&b.signal.ID)
			x.verdict(&b.lastVerdict)
		}
	}
	x.I64(&c.changeSeq)
	x.changes(&c.changes)
	return x.Bytes()
}

// AppendViewBeforePace writes the view of the only cluster as the version did that did not know how late windows close.
func (e *Engine) AppendViewBeforePace() []byte {
	return e.named()[0].appendViewAs(nil, 4)
}

// Strict is how strictly the shadow judges.
func (s *Shadow) Strict() float64 { return s.params.Strict }

// Kept returns models whose bytes are not borrowed, as a store has them.
func Kept(models iter.Seq2[string, []byte]) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for id, data := range models {
			if !yield(id, slices.Clone(data)) {
				return
			}
		}
	}
}
