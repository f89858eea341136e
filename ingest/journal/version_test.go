package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/baseline/codec"
)

// TestNewerVersion: a journal that a newer program wrote is refused in words that say so, whichever segment it is, and stays as it is to the byte; a version that there never was is damage.
func TestNewerVersion(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	j, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := j.Append(Record{ReceivedMs: 1, Sender: "s", Proto: 1, Encoding: 1, Body: []byte("body")}); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(dir, "*.seg"))
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	last := names[len(names)-1]
	good, err := os.ReadFile(last)
	if err != nil {
		t.Fatal(err)
	}
	for v, want := range map[uint32]error{0: ErrDamaged, compressed: ErrVersion, compressed + 1: ErrVersion, 77: ErrVersion} {
		b := bytes.Clone(good)
		binary.LittleEndian.PutUint32(b[8:], v)
		binary.LittleEndian.PutUint32(b[32:], codec.Checksum(b[:32]))
		if err := os.WriteFile(last, b, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(dir, Options{})
		if !errors.Is(err, want) || want == ErrVersion && !strings.Contains(err.Error(), "newer version") {
			t.Errorf("version %d: %v, want %v", v, err, want)
		}
		if after, err := os.ReadFile(last); err != nil || !bytes.Equal(after, b) {
			t.Errorf("version %d: the segment was changed (%v)", v, err)
		}
	}
	if err := os.WriteFile(last, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if j, err = Open(dir, Options{}); err != nil || j.Stats().LastPos != 3 {
		t.Fatalf("with the segment as it was: %v", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}
