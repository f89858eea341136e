package journal

// Opening: the lock, the segments that are there, and the torn tail that a crash leaves.

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Open opens the journal in dir, which is made when it is not there. A torn tail, which a crash leaves, is cut off;
// damage elsewhere is left for Replay to pass over. Only one process can have a journal open.
func Open(dir string, o Options) (*Journal, error) {
	switch o.Sync {
	case "":
		o.Sync = "1s"
	case "1s", "always", "off":
	default:
		return nil, fmt.Errorf("journal sync %q is none of always, 1s and off", o.Sync)
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = 2 << 30
	}
	if o.SegmentBytes <= 0 {
		o.SegmentBytes = 64 << 20
	}
	// Drop leaves the last segment: it must not be what fills the journal.
	o.SegmentBytes = min(o.SegmentBytes, o.MaxBytes/4)
	if o.CompressAfter == 0 {
		o.CompressAfter = 5 * time.Minute
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	takeLock := lockDir
	o.ReadOnly = o.ReadOnly || o.Beside
	if o.Beside {
		takeLock = func(string) (*os.File, error) { return nil, nil }
	} else if o.ReadOnly {
		takeLock = lockToRead
	} else if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	lock, err := takeLock(dir)
	if err != nil {
		return nil, err
	}
	j := &Journal{
		dir: dir, opts: o, logger: o.Logger, lock: lock,
		writeAt: (*os.File).WriteAt,
		sync:    (*os.File).Sync,
		now:     time.Now, frameBytes: frameBytes,
		next: 1, first: 1,
		syncing: make(chan struct{}, 1),
	}
	if o.Disk.WriteAt != nil {
		j.writeAt = o.Disk.WriteAt
	}
	if o.Disk.Sync != nil {
		j.sync = o.Disk.Sync
	}
	j.syncing <- struct{}{}
	if err := j.load(); err != nil {
		_ = lock.Close() // nil = there is none
		return nil, err
	}
	return j, nil
}

const lockName = "lock"

// lockDir takes the directory's lock, which ends with the process.
func lockDir(dir string) (*os.File, error) {
	return lockFile(os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o640))
}

// lockToRead is lockDir for who writes nothing, not even a lock: one that can only be read is one as well. nil means that there is none, so that nobody can have taken it.
func lockToRead(dir string) (*os.File, error) {
	lock, err := lockDir(dir)
	if err != nil && !errors.Is(err, ErrLocked) {
		lock, err = lockFile(os.Open(filepath.Join(dir, lockName)))
	}
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return lock, err
}

// lockFile locks a file that has been opened.
func lockFile(f *os.File, err error) (*os.File, error) {
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w: %s is locked", ErrLocked, f.Name())
		}
		return nil, fmt.Errorf("lock journal %s: %w", f.Name(), err)
	}
	return f, nil
}

// load finds the segments and where the last one ends.
func (j *Journal) load() error {
	rest, err := filepath.Glob(filepath.Join(j.dir, "*.tmp"))
	if err != nil {
		return fmt.Errorf("open journal: %w", err)
	}
	for _, name := range rest {
		if !j.opts.ReadOnly {
			_ = os.Remove(name)
		}
	}
	err = j.list()
	if j.opts.ReadOnly && errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil || len(j.segments) == 0 {
		return err
	}
	j.first = j.segments[0].first
	return j.openLast()
}

// list finds the segments.
func (j *Journal) list() error {
	names, err := os.ReadDir(j.dir)
	if err != nil {
		return fmt.Errorf("open journal: %w", err)
	}
	for _, e := range names {
		name := e.Name()
		digits, ok := strings.CutSuffix(name, ".seg")
		if !ok {
			continue
		}
		first, err := strconv.ParseUint(digits, 10, 64)
		if err != nil || first == 0 || first > math.MaxInt64 || name != filepath.Base(j.path(first)) {
			return fmt.Errorf("%w: %s is no segment's name", ErrDamaged, filepath.Join(j.dir, name))
		}
		info, err := e.Info()
		if err != nil {
			return fmt.Errorf("open journal: %w", err)
		}
		j.segments = append(j.segments, segment{first: first, size: info.Size(), since: info.ModTime()})
	}
	slices.SortFunc(j.segments, func(a, b segment) int {
		if a.first < b.first {
			return -1
		}
		return 1
	})
	for i := range j.segments {
		s := &j.segments[i]
		if s.frames, err = checkVersion(j.path(s.first)); err != nil {
			return err
		}
	}
	return nil
}

// openLast reads the last segment to its end, cuts a torn tail and makes it the active one.
func (j *Journal) openLast() error {
	s := &j.segments[len(j.segments)-1]
	name := j.path(s.first)
	flag := os.O_RDWR
	if j.opts.ReadOnly {
		flag = os.O_RDONLY
	}
	f, err := os.OpenFile(name, flag, 0)
	if err != nil {
		return fmt.Errorf("open journal: %w", err)
	}
	r := newReader(f, s.first, s.size)
	for r.next() {
	}
	if r.frames && r.headerOK && r.err == nil && r.tail() == 0 {
		// The segment behind it is gone. Frames are not appended to.
		j.next = r.last + 1
		j.synced = r.last
		if r.skipped > 0 {
			j.addDamage(r.skipped, name)
		}
		return f.Close()
	}
	j.next = max(s.first, r.last+1)
	j.synced = j.next - 1
	switch {
	case r.err != nil || !r.headerOK || r.budget < 0 || r.frames:
		// It cannot be trusted to take more. Replay gets out of it what there is. Positions that may be in what could
		// not be read are not given again, and so the next segment gets a name of its own.
		if r.frames {
			j.next += (uint64(r.tail()/frameMin) + 1) * frameRecords
		} else {
			j.next += uint64(r.tail()/recordMin) + 1
		}
		j.synced = j.next - 1
		j.logger.Error("journal segment is damaged", "file", name, "err", r.err)
		j.addDamage(r.skipped+r.tail(), name)
		return f.Close()
	case j.opts.ReadOnly:
		s.size = r.end // of what may be a torn tail nothing is wanted
		return f.Close()
	case r.tail() > 0:
		j.logger.Warn("journal tail is torn, cutting it off", "file", name, "bytes", r.tail(), "last", r.last)
		j.torn = r.tail()
		tornBytes.Add(int(r.tail()))
		if err := f.Truncate(r.end); err != nil {
			_ = f.Close()
			return fmt.Errorf("cut torn tail of %s: %w", name, err)
		}
		if err := f.Sync(); err != nil {
			_ = f.Close()
			return fmt.Errorf("cut torn tail of %s: %w", name, err)
		}
		s.size = r.end
	}
	j.active, j.salt = f, r.salt
	return nil
}
