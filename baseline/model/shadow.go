package model

// What trials (package trial) need of a model: a copy that may be fed what the model itself expects.

// Shadow returns a copy of m as it would be without an alarm; ok is false while m has not seen its first windows. m is not changed.
func (m *Model) Shadow(p *Params) (s Model, ok bool) {
	s = *m
	if s.state.Alarm() {
		s.end(p)
	}
	s.mute, s.spanH = 0, 0
	return s, m.flags&flagWarm != 0
}

// Newest returns when the newest window ended, Unix ms.
func (m *Model) Newest() int64 { return m.last }

// Draw returns what m expects of the window that ends at the given moment, and the value that lies z times its usual scatter from that.
func (m *Model) Draw(p *Params, at Moment, z float64) (expected, v float64) {
	var q prediction
	m.predict(p, at, &q)
	v = q.band.Expected
	if m.sigma > 2*minSig && m.p0 < .5 {
		v = m.x(q.yhat + q.sig*z)
	}
	return q.band.Expected, clamp(v, p.Min, p.Max)
}

// Moves reports whether windows of m hardly ever repeat a value, so that one that stands still is trouble.
func (m *Model) Moves() bool { return m.same <= .2 && m.p0 <= .01 }

// Sane returns p, or what can be trusted of it.
func (p *Params) Sane() Params {
	if p.sane() {
		return *p
	}
	return p.repaired()
}
