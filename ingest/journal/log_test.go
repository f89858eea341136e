package journal_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/wrackline/wrackline/ingest/journal"
	"github.com/wrackline/wrackline/ingest/journal/logtest"
)

// TestLocalLog: with segments of a few records, so that all of it happens across several of them.
func TestLocalLog(t *testing.T) {
	logtest.Run(t, logtest.Maker{
		Open: func(_ *testing.T, dir string) journal.Log {
			return journal.OpenLog(dir, journal.Options{Sync: "1s", SegmentBytes: 700})
		},
		CutTail: func(t *testing.T, dir, partition string) {
			names, _ := filepath.Glob(filepath.Join(dir, "p-"+partition, "*.seg"))
			last := slices.Max(names)
			info, err := os.Stat(last)
			if err == nil {
				err = os.Truncate(last, info.Size()-3)
			}
			if err != nil {
				t.Fatal(err)
			}
		},
	})
}

// TestLocalLogRuns: Run ends with its context, having synced.
func TestLocalLogRuns(t *testing.T) {
	l := journal.OpenLog(t.TempDir(), journal.Options{})
	if _, err := l.Append("a", journal.Record{}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := l.Run(ctx); err != nil {
		t.Errorf("Run = %v", err)
	}
	if err := l.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
}
