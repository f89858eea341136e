package journal

// Reading back, and dropping what nobody needs again.

import (
	"errors"
	"fmt"
	"os"
	"slices"
)

// Replay calls fn with every record whose position is above after, in order, and stops at fn's first error. It reads
// what was written before it was called; Append may go on meanwhile, Drop must not. Damaged bytes are passed over,
// counted and logged: what is returned is what was written, or it is missing.
func (j *Journal) Replay(after uint64, fn func(pos uint64, r Record) error) error {
	j.mu.Lock()
	if j.closed {
		j.mu.Unlock()
		return ErrClosed
	}
	segments := slices.Clone(j.segments)
	j.mu.Unlock()
	last := after
	for i, s := range segments {
		if i+1 < len(segments) && segments[i+1].first <= after+1 {
			continue
		}
		if err := j.replaySegment(s, &last, fn); err != nil {
			return err
		}
	}
	return nil
}

func (j *Journal) replaySegment(s segment, last *uint64, fn func(uint64, Record) error) error {
	name := j.path(s.first)
	f, err := os.Open(name)
	if err != nil {
		j.logger.Error("journal segment cannot be opened, passing over it", "file", name, "err", err)
		j.addDamage(s.size, name)
		return nil
	}
	defer func() { _ = f.Close() }()
	r := newReader(f, s.first, s.size)
	for r.next() {
		if r.last <= *last {
			continue
		}
		*last = r.last
		if err := fn(r.last, r.record); err != nil {
			return err
		}
	}
	if r.err != nil {
		j.logger.Error("journal segment cannot be read to its end", "file", name, "offset", r.end, "err", r.err)
	}
	if n := r.skipped + r.tail(); n > 0 {
		j.addDamage(n, name)
	}
	return nil
}

// Drop removes the segments that hold only positions up to upTo. The last segment always stays: it knows the position.
func (j *Journal) Drop(upTo uint64) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return ErrClosed
	}
	for len(j.segments) > 1 && j.segments[1].first <= upTo+1 {
		if err := os.Remove(j.path(j.segments[0].first)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("drop journal segment: %w", err)
		}
		j.segments = slices.Delete(j.segments, 0, 1)
		j.first = j.segments[0].first
	}
	return nil
}
