package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/wrackline/wrackline/baseline/store"
	"github.com/wrackline/wrackline/baseline/store/disk/disktest"
)

// A directory on a file system that is mounted for reading, and that holds nothing to be read, is an error that says what to do.
func TestNothingOnAReadOnlyMountIsAnErrorWithTheWayOut(t *testing.T) {
	t.Parallel()
	mnt, _, _ := smallDisk(t)
	remount(t, mnt, true)
	path := filepath.Join(mnt, "new")
	code, _, errs := run(t, "serve", "--storage.path", path, "--web.listen-address", "127.0.0.1:0")
	if code != exitFailure || !strings.Contains(errs, "read-only file system") || !strings.Contains(errs, "mount it for writing") || !strings.Contains(errs, path) {
		t.Errorf("code %d: %s", code, errs)
	}
	remount(t, mnt, false)
	disktest.Fill(t, filepath.Join(mnt, "other.data"))
	code, _, errs = run(t, "serve", "--storage.path", path, "--web.listen-address", "127.0.0.1:0")
	if code != exitFailure || !strings.Contains(errs, "no room") || !strings.Contains(errs, path) {
		t.Errorf("on a full disk: code %d: %s", code, errs)
	}
}

func TestWayOut(t *testing.T) {
	for err, want := range map[error]string{
		&os.PathError{Op: "open", Path: "/d/wrackline.db", Err: syscall.EROFS}:                      "mount it for writing",
		fmt.Errorf("open store: %w", errors.New("open /d/wrackline.db: read-only file system")):     "mount it for writing",
		&os.PathError{Op: "open", Path: "/d/journal/lock", Err: syscall.EACCES}:                     "chown -R",
		fmt.Errorf("open journal: %w", &os.PathError{Op: "mkdir", Path: "/d", Err: syscall.ENOSPC}): "no room",
		store.ErrInUse: "Another wrackline",
	} {
		if got := wayOut(err, "/d"); !errors.Is(got, err) || !strings.Contains(got.Error(), want) || !strings.Contains(got.Error(), "/d") {
			t.Errorf("%v: %v", err, got)
		}
	}
	other := errors.New("something else")
	if got := wayOut(other, "/d"); got != other || wayOut(nil, "/d") != nil {
		t.Errorf("%v became %v", other, got)
	}
}
