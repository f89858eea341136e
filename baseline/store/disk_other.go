//go:build !(linux || darwin || freebsd)

package store

// diskFree is not known here.
func diskFree(string) (int64, bool) { return 0, false }
