package journal

// What becomes of records whose sync failed. A failed fsync says that something between the newest proven record and the end may not be on disk, and that asking again
// would not tell: the kernel may have marked the pages clean. So what is not proven is written once more, to a segment of its own, and the journal goes on there.

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/VictoriaMetrics/metrics"
)

// ErrSync is returned by Append and Wait while the disk cannot say that it has what was written. Run tries each second to write it elsewhere.
var ErrSync = errors.New("journal cannot be synced")

// heal writes the records that are not proven to be on disk to a new segment, proves that, and lets Append go on behind them. The caller holds the token of j.syncing.
func (j *Journal) heal() (err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed || j.syncErr == nil {
		return nil
	}
	from, to := j.synced+1, j.next-1
	var salt [8]byte
	_, _ = rand.Read(salt[:])
	next := binary.LittleEndian.Uint64(salt[:])
	name := j.path(from)
	f, err := os.OpenFile(name+".tmp", os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o640)
	if err != nil {
		return fmt.Errorf("heal journal: %w", err)
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(name + ".tmp")
			err = fmt.Errorf("heal journal: %w", err)
		}
	}()
	buf := appendHeader(nil, version, from, next)
	size := int64(0)
	flush := func() error {
		_, err := j.writeAt(f, buf, size)
		size += int64(len(buf))
		buf = buf[:0]
		return err
	}
	found := uint64(0)
	if err := j.unproven(from, func(pos uint64, r Record) error {
		buf = appendRecord(buf, next, pos, r)
		found++
		if len(buf) < 1<<20 {
			return nil
		}
		return flush()
	}); err != nil {
		return err
	}
	if err := flush(); err != nil {
		return err
	}
	if err := j.sync(f); err != nil {
		return err
	}
	// Segments that begin behind it hold nothing else, and must not be taken for the end of the journal.
	kept := slices.Clone(j.segments)
	for n := len(kept); n > 0 && kept[n-1].first > from; n-- {
		if err := os.Remove(j.path(kept[n-1].first)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		kept = kept[:n-1]
	}
	if err := os.Rename(name+".tmp", name); err != nil {
		return err
	}
	if err := syncDir(j.dir); err != nil {
		return err
	}
	if n := len(kept); n > 0 && kept[n-1].first == from {
		kept = kept[:n-1]
	}
	for _, old := range append(j.unsynced, j.active) {
		if old != nil {
			_ = old.Close() // its error is the one that we come from
		}
	}
	j.segments, j.unsynced = append(kept, segment{first: from, size: size}), nil
	j.active, j.salt, j.synced, j.syncErr = f, next, to, nil
	if n := len(kept); n > 0 {
		j.segments[n-1].since = j.now()
	}
	if lost := to + 1 - from - found; lost > 0 {
		recordsLost.Add(int(lost))
		j.logger.Error("the disk lost records before they could be written again; they are folded, and gone should the process die before its next checkpoint", "records", lost)
	}
	healed.Inc()
	j.logger.Warn("journal goes on in another segment", "file", name, "records_written_again", found)
	return nil
}

// unproven calls fn with the records from position from on, as far as they can be read. The caller holds j.mu.
func (j *Journal) unproven(from uint64, fn func(pos uint64, r Record) error) error {
	last := from - 1
	for i, s := range j.segments {
		if i+1 < len(j.segments) && j.segments[i+1].first <= from || s.frames {
			continue
		}
		f, err := os.Open(j.path(s.first))
		if err != nil {
			continue // counted as lost by who is missing
		}
		r := newReader(f, s.first, s.size)
		r.after = last
		for r.next() {
			if r.last <= last {
				continue
			}
			last = r.last
			if err := fn(r.last, r.record); err != nil {
				return errors.Join(err, f.Close())
			}
		}
		_ = f.Close() // read only
	}
	return nil
}

var (
	healed      = metrics.NewCounter("wrackline_journal_healed_total")
	recordsLost = metrics.NewCounter("wrackline_journal_records_lost_total")
)
