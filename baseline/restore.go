package baseline

import "fmt"

// ModelsMax bounds how many models Restore accepts, against a hostile or broken store.
const ModelsMax = 4 << 20

// AppendStream appends the fold's state without the models, for a checkpoint.
func (e *Engine) AppendStream(dst []byte) []byte { return e.stream.AppendState(dst) }

// Models yields every model's id and bytes, in a stable order. The bytes are borrowed until the next yield.
func (e *Engine) Models(yield func(id string, data []byte) bool) {
	var buf []byte
	for b := range e.judged {
		buf = b.model.AppendBinary(buf[:0])
		if !yield(b.signal.ID, buf) {
			return
		}
	}
}

// Restore puts back what AppendStream and Models gave, into an engine that has applied nothing.
// Models of signals that the present packs no longer ask are dropped with a count once the next checkpoint is made.
func (e *Engine) Restore(pos uint64, stream []byte, models func(yield func(id string, data []byte) bool)) error {
	if err := e.stream.RestoreState(stream); err != nil {
		return fmt.Errorf("restore signals: %w", err)
	}
	n := 0
	models(func(id string, data []byte) bool {
		e.pending[id] = append([]byte(nil), data...)
		n++
		return n < ModelsMax
	})
	for s := range e.stream.InOrder {
		e.begun(s)
	}
	modelsOrphaned.Add(len(e.pending))
	e.pending = map[string][]byte{}
	e.pos = pos
	e.Publish()
	return nil
}
