// Package disk is what the store asks of an operating system beside bbolt: a lock of its own, and how much room there is.
package disk

import (
	"errors"
	"os"
	"strings"
	"syscall"
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

// Full reports whether err says that there is no room left. bbolt keeps the text alone of some errors.
func Full(err error) bool {
	for _, no := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT} {
		if err != nil && (errors.Is(err, no) || strings.HasSuffix(err.Error(), ": "+no.Error())) {
			return true
		}
	}
	return false
}
