//go:build !unix || solaris || aix

package disk

import (
	"os"
	"time"
)

// Lock leaves locking to bbolt, which does it a moment later.
func Lock(*os.File, bool, time.Duration) error { return nil }

// Unlock does nothing: closing lets go.
func Unlock(*os.File) error { return nil }
