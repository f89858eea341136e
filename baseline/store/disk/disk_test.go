package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestIs: a disk's answer is known when it is wrapped, kept as text at the end of a line, or one of several that were joined; a text that only speaks of one is none.
func TestIs(t *testing.T) {
	full := &os.PathError{Op: "write", Path: "/data/a", Err: syscall.ENOSPC}
	for name, c := range map[string]struct {
		err  error
		want bool
	}{
		"nothing":       {nil, false},
		"wrapped":       {fmt.Errorf("checkpoint: %w", full), true},
		"text alone":    {errors.New("checkpoint: " + full.Error()), true},
		"joined":        {errors.Join(errors.New(full.Error()), errors.New("close: file already closed")), true},
		"quota":         {syscall.EDQUOT, true},
		"another fault": {&os.PathError{Op: "write", Path: "/data/a", Err: syscall.EIO}, false},
		"spoken of":     {errors.New("no space left on device was said before"), false},
	} {
		if got := Full(c.err); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// TestSetAside: a name that is taken is not used again.
func TestSetAside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	seen := map[string]bool{}
	for range 3 {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		name, err := SetAside(path)
		if err != nil || seen[name] {
			t.Fatal(name, err)
		}
		if _, err := os.Stat(name); err != nil {
			t.Error(err)
		}
		seen[name] = true
	}
}
