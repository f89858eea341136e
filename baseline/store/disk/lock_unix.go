//go:build unix && !solaris && !aix

package disk

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// Lock takes the lock that bbolt takes too, before anything of the file is read.
func Lock(f *os.File, shared bool, timeout time.Duration) error {
	how := syscall.LOCK_EX
	if shared {
		how = syscall.LOCK_SH
	}
	for deadline := time.Now().Add(timeout); ; time.Sleep(20 * time.Millisecond) {
		err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, syscall.EINTR):
		case !errors.Is(err, syscall.EWOULDBLOCK):
			return fmt.Errorf("lock: %w", err)
		case time.Now().After(deadline):
			return ErrLocked
		}
	}
}

// Unlock lets go of a file that is still mapped: closing alone would keep the lock as long as the mapping.
func Unlock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }
