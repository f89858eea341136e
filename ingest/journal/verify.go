package journal

// Looking at a journal that nobody has open, without changing it.

import (
	"fmt"
	"os"
	"path/filepath"
)

// Check is what Verify found in a segment.
type Check struct {
	Name        string // of the file
	First, Last uint64 // positions of its first and last record; Last < First when it has none
	Records     int
	Damaged     int64 // bytes that no record accounts for: requests that are missing, or a torn tail in the last segment
}

// Verify reads every record in dir, which no process may have open, and proves it. It changes nothing. Errors: ErrLocked, ErrDamaged for another version, and those of reading.
func Verify(dir string) (list []Check, err error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("verify journal: %w", err)
	}
	lock, err := lockToRead(dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = lock.Close() }() // nil = there is none
	j := &Journal{dir: dir}
	if err := j.list(); err != nil {
		return nil, err
	}
	last := uint64(0)
	for _, s := range j.segments {
		f, err := os.Open(j.path(s.first))
		if err != nil {
			return list, fmt.Errorf("verify journal: %w", err)
		}
		c := Check{Name: filepath.Base(j.path(s.first)), First: s.first, Last: s.first - 1}
		r := newReader(f, s.first, s.size)
		for r.next() {
			if r.last > last { // a healed segment repeats the end of the one before
				c.Records++
				c.Last = r.last
			}
			last = max(last, r.last)
		}
		c.Damaged = r.skipped + r.tail()
		err = r.err
		_ = f.Close() // read only
		if err != nil {
			return list, fmt.Errorf("verify journal %s: %w", c.Name, err)
		}
		list = append(list, c)
	}
	return list, nil
}
