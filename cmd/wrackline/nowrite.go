package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/wrackline/wrackline/baseline/store"
	"github.com/wrackline/wrackline/baseline/store/disk"
	"github.com/wrackline/wrackline/ingest/journal"
)

// wayOut adds to why a data directory could not be opened, when that is because it may not be written, what can be done. Nothing has been changed then, and nothing is lost: senders keep what they have meanwhile.
func wayOut(err error, dir string) error {
	const look = "What it holds can be looked at meanwhile: wrackline inspect verify --storage.path %[2]s"
	switch {
	case err == nil:
		return nil
	case disk.Is(err, syscall.EROFS):
		return fmt.Errorf("%w\nThe file system of %[2]s is read-only: Wrackline cannot take anything in there, and has changed nothing. Was it mounted so (readOnly: true of a volume, ro in fstab), mount it for writing;"+
			" did it become so, the disk has failed: dmesg says why. Or move %[2]s to another disk and name that by --storage.path. "+look, err, dir)
	case disk.Is(err, syscall.EACCES, syscall.EPERM):
		return fmt.Errorf("%w\nThe user that runs Wrackline (uid %[3]d, gid %[4]d) may not write there; nothing was changed. Give it the directory: chown -R %[3]d:%[4]d %[2]s; in Kubernetes fsGroup of the pod's securityContext. "+look, err, dir, os.Getuid(), os.Getgid())
	case disk.Full(err):
		return fmt.Errorf("%w\nThere is no room in %[2]s to begin: free some, or name another directory by --storage.path. Files whose name ends in .damaged-… may be moved away", err, dir)
	case errors.Is(err, store.ErrInUse), errors.Is(err, journal.ErrLocked):
		return fmt.Errorf("%w\nAnother wrackline serves %[2]s. Stop it, or name another directory by --storage.path", err, dir)
	}
	return err
}
