// Package disk is what the store asks of an operating system beside bbolt: a lock of its own, how much room there is, files put aside, what an error of a disk says.
package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ErrLocked is returned by Lock when another process, or another descriptor of this one, has the file.
var ErrLocked = errors.New("the file is locked")

// SyncDir makes what was created, renamed and removed in a directory survive the machine.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Is reports whether err is one of what a disk answers. bbolt keeps the text alone of some errors, and errors that were joined have a line each.
func Is(err error, answers ...syscall.Errno) bool {
	if err == nil {
		return false
	}
	lines := strings.Split(err.Error(), "\n")
	return slices.ContainsFunc(answers, func(no syscall.Errno) bool {
		return errors.Is(err, no) || slices.ContainsFunc(lines, func(line string) bool { return strings.HasSuffix(line, ": "+no.Error()) })
	})
}

// Full reports whether err says that there is no room left.
func Full(err error) bool { return Is(err, syscall.ENOSPC, syscall.EDQUOT) }

// SetAside renames a damaged file to path.damaged-<Unix seconds>, or a name like it that nothing has, and returns that.
func SetAside(path string) (string, error) {
	base := path + ".damaged-" + strconv.FormatInt(time.Now().Unix(), 10)
	for i := range 100 {
		name := base
		if i > 0 {
			name += "-" + strconv.Itoa(i)
		}
		if _, err := os.Lstat(name); err == nil {
			continue
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		return name, os.Rename(path, name)
	}
	return "", fmt.Errorf("every name like %s is taken", base)
}

// InPlace returns ErrLocked unless f is still what lies at path: whoever had the lock before may have put another file there.
func InPlace(f *os.File, path string) error {
	own, err := f.Stat()
	now, lost := os.Stat(path)
	if err == nil && lost == nil && !os.SameFile(own, now) {
		return ErrLocked
	}
	return errors.Join(err, lost)
}
