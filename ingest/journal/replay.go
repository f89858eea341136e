package journal

// Reading back, and dropping what nobody needs again.

import (
	"errors"
	"fmt"
	"os"
	"slices"
)

// Replay calls fn with every record whose position is above after, in order, and stops at fn's first error. It reads
// what was written before it was called; Append, Run and Drop may go on meanwhile; what is dropped before it is
// reached is not returned. Damaged bytes are passed over, counted and logged: what is returned is what was written, or it is missing.
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
	f, size, err := openSegment(name, s.size)
	if errors.Is(err, os.ErrNotExist) && j.opts.Beside {
		return fmt.Errorf("%w: %s", ErrGone, name)
	}
	if errors.Is(err, os.ErrNotExist) && !j.has(s.first) {
		return nil // dropped meanwhile
	}
	if err != nil {
		j.logger.Error("journal segment cannot be opened, passing over it", "file", name, "err", err)
		j.addDamage(s.size, name)
		return nil
	}
	defer func() { _ = f.Close() }()
	r := newReader(f, s.first, size)
	r.after = *last
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

// openSegment opens a segment of size bytes. It may have been compressed meanwhile, and is smaller then; one of records may have grown, and what was
// written later is not read.
func openSegment(name string, size int64) (*os.File, int64, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	var h [headerSize]byte
	if _, err := f.ReadAt(h[:], 0); err == nil {
		if v, ok := headerVersion(h[:]); ok && v == compressed {
			info, err := f.Stat()
			if err != nil {
				_ = f.Close()
				return nil, 0, err
			}
			size = info.Size()
		}
	}
	return f, size, nil
}

// has reports whether the segment that begins at first is still there.
func (j *Journal) has(first uint64) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.find(first) != nil
}

// find returns the segment that begins at first, nil when it was dropped. The caller holds j.mu.
func (j *Journal) find(first uint64) *segment {
	for i := range j.segments {
		if j.segments[i].first == first {
			return &j.segments[i]
		}
	}
	return nil
}

// Drop removes the segments that hold only positions up to upTo. The last segment always stays: it knows the position.
func (j *Journal) Drop(upTo uint64) error { return j.Spare(upTo, upTo) }

// Spare says that no start needs positions up to upTo, and removes the segments that hold only positions up to drop, which is at most upTo. What lies between is spare: it takes nothing of MaxBytes, and goes by itself
// when the disk has no room for a record, so a Replay may miss it. The last segment always stays.
func (j *Journal) Spare(upTo, drop uint64) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return ErrClosed
	}
	if j.opts.ReadOnly {
		return ErrReadOnly
	}
	j.spare = max(j.spare, upTo)
	return j.drop(min(drop, upTo))
}

// drop is Drop for who holds j.mu.
func (j *Journal) drop(upTo uint64) error {
	for len(j.segments) > 1 && j.segments[1].first <= upTo+1 {
		if err := os.Remove(j.path(j.segments[0].first)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("drop journal segment: %w", err)
		}
		j.segments = slices.Delete(j.segments, 0, 1)
		j.first = j.segments[0].first
	}
	return nil
}

// BytesBehind returns what the segments take that hold a position above pos.
func (j *Journal) BytesBehind(pos uint64) (n int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.behind(pos)
}

// behind is BytesBehind for who holds j.mu.
func (j *Journal) behind(pos uint64) (n int64) {
	for i, s := range j.segments {
		if i+1 == len(j.segments) || j.segments[i+1].first > pos+1 {
			n += s.size
		}
	}
	return n
}
