package baseline

import "github.com/wrackline/wrackline/baseline/codec"

// AppendViewBefore writes a view as the version before did.
func (e *Engine) AppendViewBefore() []byte {
	return e.appendView(viewCoder{codec.Writing([]byte(viewMagic2)), true})
}

// Strict is how strictly the shadow judges.
func (s *Shadow) Strict() float64 { return s.params.Strict }
