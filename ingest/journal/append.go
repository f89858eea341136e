package journal

// Writing: records, and the segments that they go to.

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"syscall"
)

// Append writes r and returns its position. When it returns without an error, r survives the process, and after Wait
// it survives the machine, as far as Options.Sync says. A write that fails is undone; nothing of it is ever replayed.
func (j *Journal) Append(r Record) (pos uint64, err error) {
	size := int64(recordHead + payloadHead + len(r.Sender) + len(r.Cluster) + len(r.Body))
	if len(r.Sender) > math.MaxUint16 || len(r.Cluster) > math.MaxUint16 || size-recordHead > payloadMax {
		return 0, fmt.Errorf("record of %d bytes is too large for the journal", size)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return 0, ErrClosed
	}
	if j.opts.ReadOnly {
		return 0, ErrReadOnly
	}
	if j.syncErr != nil {
		return 0, j.syncErr
	}
	if j.bytes()+size > j.opts.MaxBytes {
		j.full = true
		appendsFull.Inc()
		return 0, fmt.Errorf("%w: %d bytes of %d", ErrFull, j.bytes(), j.opts.MaxBytes)
	}
	err = j.put(r)
	if err != nil && outOfRoom(err) && len(j.segments) > 1 && j.segments[0].first <= j.spare && j.drop(j.spare) == nil {
		err = j.put(r) // what nobody needs has given way
	}
	if err != nil {
		return 0, j.noRoom(err)
	}
	s := j.current()
	if cap(j.buf) > 1<<20 {
		j.buf = nil
	}
	s.size += size
	pos = j.next
	j.next++
	j.full = false
	recordsTotal.Inc()
	bytesTotal.Add(int(size))
	j.appended += size
	return pos, nil
}

// put writes r behind what is there, into a new segment when it is time for one.
func (j *Journal) put(r Record) error {
	if j.active == nil || j.current().size >= j.opts.SegmentBytes {
		if err := j.rotate(); err != nil {
			return err
		}
	}
	s := j.current()
	j.buf = appendRecord(j.buf[:0], j.salt, j.next, r)
	if n, err := j.writeAt(j.active, j.buf, s.size); err != nil {
		j.undo(s.size, n)
		return fmt.Errorf("write journal: %w", err)
	}
	return nil
}

// outOfRoom reports whether err is that of a full disk.
func outOfRoom(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// undo removes what a failed write left behind. A segment where that fails too is not written to again.
func (j *Journal) undo(size int64, written int) {
	appendsFailed.Inc()
	if err := j.active.Truncate(size); err != nil {
		j.logger.Error("journal segment cannot be cut back, beginning another", "file", j.active.Name(), "err", err)
		j.retire()
		j.current().size = size + int64(written)
	}
}

// noRoom marks errors of a full disk as ErrFull.
func (j *Journal) noRoom(err error) error {
	if outOfRoom(err) {
		j.full = true
		appendsFull.Inc()
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}

// rotate begins a segment. Its header and its name are on disk before a record is.
func (j *Journal) rotate() (err error) {
	var salt [8]byte
	_, _ = rand.Read(salt[:])
	h := appendHeader(nil, version, j.next, binary.LittleEndian.Uint64(salt[:]))
	name := j.path(j.next)
	f, err := os.OpenFile(name+".tmp", os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o640)
	if err != nil {
		return fmt.Errorf("begin journal segment: %w", err)
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(name + ".tmp")
			err = fmt.Errorf("begin journal segment: %w", err)
		}
	}()
	if _, err = j.writeAt(f, h, 0); err != nil {
		return err
	}
	if j.opts.Sync != "off" {
		if err = j.sync(f); err != nil {
			return err
		}
	}
	if err = os.Rename(name+".tmp", name); err != nil {
		return err
	}
	if j.opts.Sync != "off" {
		if err := syncDir(j.dir); err != nil {
			j.logger.Warn("journal directory cannot be synced", "err", err)
		}
	}
	j.retire()
	// A segment of the same name holds no record: it was begun and nothing was written to it.
	if n := len(j.segments); n > 0 && j.current().first == j.next {
		j.segments = j.segments[:n-1]
	}
	if n := len(j.segments); n > 0 {
		j.current().since = j.now()
	}
	j.segments = append(j.segments, segment{first: j.next, size: int64(len(h))})
	j.active, j.salt = f, binary.LittleEndian.Uint64(salt[:])
	return nil
}

// retire gives the active segment to the next sync.
func (j *Journal) retire() {
	if j.active == nil {
		return
	}
	if j.opts.Sync == "off" {
		_ = j.active.Close()
	} else {
		j.unsynced = append(j.unsynced, j.active)
	}
	j.active = nil
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = f.Sync()
	return errors.Join(err, f.Close())
}

// SkipTo makes the next record's position pos+1, when it would be lower. It is for a journal that was lost or emptied
// while what was made of it was kept, so that positions never repeat.
func (j *Journal) SkipTo(pos uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed || pos < j.next || pos >= math.MaxInt64 {
		return
	}
	if len(j.segments) == 0 {
		j.first = pos + 1
	}
	j.next = pos + 1
	j.synced = max(j.synced, pos)
	j.retire() // a segment's name says where it begins
}
