package baseline

// AppendViewBefore writes a view as the version before did.
func (e *Engine) AppendViewBefore() []byte {
	return e.appendView(&viewCodec{b: []byte(viewMagic2), write: true, before: true})
}

// Strict is how strictly the shadow judges.
func (s *Shadow) Strict() float64 { return s.params.Strict }
