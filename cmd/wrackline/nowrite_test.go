package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wrackline/wrackline/baseline/store"
)

// A data directory that was mounted for reading, or has become so, is an error that says so and what to do, changes nothing, and can be looked at; mounted for writing again, a start goes on from it.
func TestReadOnlyMountIsAnErrorWithTheWayOut(t *testing.T) {
	t.Parallel()
	mnt := t.TempDir()
	if err := syscall.Mount("tmpfs", mnt, "tmpfs", 0, "size=64m"); err != nil {
		t.Skipf("a file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(mnt, syscall.MNT_DETACH) })
	dir := filepath.Join(mnt, "data")
	serve := []string{"serve", "--storage.path", dir, "--web.listen-address", "127.0.0.1:0"}
	p := start(t, serve...)
	p.awaitReady()
	for i := range int64(5) {
		p.gauge("something", time.Now().UnixMilli()-60_000+i, 1, func(int64) float64 { return 1 })
	}
	p.settle()
	p.kill()
	if err := syscall.Mount("tmpfs", mnt, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, "size=64m"); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, filepath.Join(mnt, "new")} {
		code, _, errs := run(t, "serve", "--storage.path", path, "--web.listen-address", "127.0.0.1:0")
		if code != exitFailure || !strings.Contains(errs, "read-only file system") || !strings.Contains(errs, "mount it for writing") || !strings.Contains(errs, path) {
			t.Errorf("a start in %s: code %d: %s", path, code, errs)
		}
	}
	if code, out, errs := run(t, "inspect", "verify", "--storage.path", dir); code != exitOK {
		t.Errorf("verify of what can only be read: code %d: %s%s", code, out, errs)
	}
	if err := syscall.Mount("tmpfs", mnt, "tmpfs", syscall.MS_REMOUNT, "size=64m"); err != nil {
		t.Fatal(err)
	}
	p = start(t, serve...)
	p.awaitReady()
	if log := p.log(); !strings.Contains(log, `msg="journal folded" requests=5`) {
		t.Errorf("not all that was taken is there: %s", log)
	}
	p.stop()
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
