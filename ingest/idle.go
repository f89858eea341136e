package ingest

import "sync"

// idle keeps decoders that nobody uses. The one that came last goes first: its memory is still in the processor's caches. A sync.Pool would forget them at every collection, and to
// have a megabyte made anew costs as much as decoding into it. The zero value is empty. Safe for concurrent use.
type idle struct {
	mu    sync.Mutex
	list  []*Decoder
	least int // of the list since it was last trimmed: so many were not needed
	uses  int // since then
}

// idleTrim is how many uses it takes for what was not needed meanwhile to go.
const idleTrim = 2048

// get returns a decoder, nil when there is none.
func (p *idle) get() (d *Decoder) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.list); n > 0 {
		d, p.list[n-1], p.list = p.list[n-1], nil, p.list[:n-1]
	}
	p.least = min(p.least, len(p.list))
	return d
}

// put takes a decoder back.
func (p *idle) put(d *Decoder) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list = append(p.list, d)
	if p.uses++; p.uses < idleTrim {
		return
	}
	kept := copy(p.list, p.list[p.least:])
	clear(p.list[kept:])
	p.list, p.least, p.uses = p.list[:kept], kept, 0
}
