package store

// What makes a file small again. bbolt gives no page back: the file stays as large as it ever was.

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"

	"github.com/wrackline/wrackline/baseline/store/disk"
)

const (
	slimMin   = 8 << 20    // bytes: a smaller file is left as it is
	slimSpare = 16 << 20   // bytes of disk that a compaction leaves free
	slimName  = ".compact" // suffix of the copy under way
	growBytes = 1 << 20    // by how much a file grows at a time; bbolt's 16 MiB are half of a small store
	slimShare = 15         // tenths of what is in use: a file beyond it is compacted at a start
)

// Compact copies the store at src, which nobody may have open for writing, to the new file dst without its free pages, and
// verifies the copy. It fails when dst exists.
func Compact(src, dst string) (err error) {
	if _, err := os.Lstat(dst); err == nil {
		return fmt.Errorf("compact to %s: %w", dst, fs.ErrExist)
	}
	if _, err := os.Stat(src); err != nil {
		return fmt.Errorf("compact: %w", err)
	}
	from, err := Open(src, Options{ReadOnly: true})
	if err != nil {
		return fmt.Errorf("compact: %w", err)
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	return from.copyTo(dst)
}

// CompactInPlace compacts the store at path, which nobody may have open, whatever there is to gain, and returns its size before and after.
// Until the copy is written and verified the file stays as it is; a crash leaves one of the two.
func CompactInPlace(path string, log *slog.Logger) (before, after int64, err error) {
	if _, err := os.Stat(path); err != nil {
		return 0, 0, fmt.Errorf("compact: %w", err)
	}
	s, err := open(path, Options{Logger: log}.filled())
	if err != nil {
		return 0, 0, fmt.Errorf("compact: %w", err)
	}
	before = s.fileSize()
	err = s.slim()
	return before, s.fileSize(), errors.Join(err, s.Close())
}

// copyTo writes what the store holds to the new file dst and verifies that.
func (s *Store) copyTo(dst string) error {
	to, err := bolt.Open(dst, 0o600, &bolt.Options{FreelistType: bolt.FreelistMapType, Timeout: timeoutDefault})
	if err != nil {
		return fmt.Errorf("compact to %s: %w", dst, err)
	}
	to.AllocSize = growBytes
	err = s.guard(func() error { return bolt.Compact(to, s.db, batchMax) })
	if err = errors.Join(err, to.Close()); err != nil {
		return fmt.Errorf("compact %s: %w", s.path, errors.Join(err, os.Remove(dst)))
	}
	copied, err := Open(dst, Options{ReadOnly: true})
	if err != nil {
		return fmt.Errorf("compact: the copy: %w", err)
	}
	report, err := copied.Verify(context.Background())
	if err == nil && !report.OK() {
		err = fmt.Errorf("%w: the copy: %s", ErrDamaged, report.Problems[0])
	}
	return errors.Join(err, copied.Close())
}

func (s *Store) fileSize() int64 {
	if fi, err := os.Stat(s.path); err == nil {
		return fi.Size()
	}
	return 0
}

// slimmable reports whether the file, just opened, is so much larger than what is in use that copying it is worth it.
func (s *Store) slimmable() bool {
	size := s.fileSize()
	if size < slimMin || size <= s.used/10*slimShare {
		return false
	}
	free, known := disk.Free(filepath.Dir(s.path))
	if !known || free < s.used+s.used/10+slimSpare {
		s.log.Info("store is not compacted: there is not enough disk beside it, or nobody knows", "path", s.path, "bytes", size, "in_use", s.used, "disk_free", free)
		return false
	}
	return true
}

// slim puts a compacted copy into the place of the file. The store still has the old one, which nobody else can find any more: it must be closed.
func (s *Store) slim() error {
	beside := s.path + slimName
	if err := os.Remove(beside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err := s.copyTo(beside)
	if err == nil {
		err = os.Rename(beside, s.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(beside))
	}
	return disk.SyncDir(filepath.Dir(s.path))
}

// slimmed returns s, or the store at the same path after it was compacted. A compaction that fails is no reason not to start.
func (s *Store) slimmed() (*Store, error) {
	// Of a start that was killed meanwhile. This one has the lock.
	if err := os.Remove(s.path + slimName); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.log.Warn("a half-made copy of the store cannot be removed", "path", s.path+slimName, "err", err)
	}
	if !s.slimmable() {
		return s, nil
	}
	before := s.fileSize()
	if err := s.slim(); err != nil {
		s.log.Warn("store is not compacted", "path", s.path, "err", err)
		if now, statErr := os.Stat(s.path); statErr == nil {
			if own, ownErr := s.file.Stat(); ownErr == nil && os.SameFile(now, own) {
				return s, nil
			}
		}
	}
	if err := s.abandon(); err != nil {
		return nil, err
	}
	next, err := open(s.path, s.opts)
	if err == nil {
		next.log.Info("store compacted", "path", next.path, "bytes_before", before, "bytes", next.fileSize())
	}
	return next, err
}
