// Package journal is an append-only log of accepted requests: the only thing that a crash needs.
//
// A request is written before it is acknowledged, so a killed process loses nothing. What a power cut can take is what
// was not synced: at most the last second by default, nothing with Sync "always". The bytes are drawn in FORMAT.md.
package journal

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

// Options configure a Journal. The zero value is useful.
type Options struct {
	// Sync says when a record is on disk: "always" before Wait returns, "1s" (or "") at most a second after it was
	// written, "off" when the operating system likes.
	Sync         string
	MaxBytes     int64 // all segments together, but for what is spare; 0 = 2 GiB
	SegmentBytes int64 // a segment this large is followed by a new one; 0 = 64 MiB, at most MaxBytes / 4
	// CompressAfter is for how long a segment that is full waits before Run compresses it: what is dropped sooner costs nothing. Above
	// half of MaxBytes none waits. 0 = 5 minutes, negative = segments are never compressed.
	CompressAfter time.Duration
	Logger        *slog.Logger // nil = discard
	ReadOnly      bool         // nothing is written: what is there can be replayed, a directory that is missing is an empty one, and Append says ErrReadOnly
	// Beside is ReadOnly for who reads while another process has the journal open: it takes no lock. What is dropped before it is reached is ErrGone.
	Beside bool
	Disk   Disk // what is asked of the disk; the zero value asks the operating system, tests ask something that fails
}

// Disk is what a journal asks of the disk. A nil field is the method of os.File of that name.
type Disk struct {
	WriteAt func(f *os.File, b []byte, off int64) (int, error)
	Sync    func(f *os.File) error
}

// Record is what is needed to fold a request again.
type Record struct {
	ReceivedMs      int64  // Unix milliseconds
	Sender, Cluster string // at most 65,535 bytes each
	Proto           uint8  // ingest.Proto of the body
	Encoding        uint8  // ingest.Encoding of the body
	Body            []byte // as it came over the wire, or, once its segment was compressed, the message in it: then Encoding is Plain
}

var (
	// ErrFull is returned by Append when the journal has reached its limit or the disk its end. Nothing was written;
	// Append works again once Drop or somebody else has made room.
	ErrFull = errors.New("journal is full")
	// ErrDamaged is returned by Open when the directory holds what no reader of this version can make sense of.
	ErrDamaged = errors.New("journal is damaged")
	// ErrVersion is returned by Open when a segment was written by a newer version. Nothing has been changed then.
	ErrVersion = errors.New("journal was written by a newer version of wrackline")
	// ErrLocked is returned by Open when another process has the journal open.
	ErrLocked = errors.New("journal is in use by another process")
	// ErrReadOnly is returned by Append and Drop of a journal that was opened with Options.ReadOnly.
	ErrReadOnly = errors.New("journal is open for reading only")
	// ErrGone is returned by Replay of a journal that was opened with Options.Beside for what its owner has dropped meanwhile.
	ErrGone = errors.New("a part of the journal has been dropped while it was read")
	// ErrClosed is returned by methods that are called after Close.
	ErrClosed = errors.New("journal is closed")
)

// Stats say how a journal is.
type Stats struct {
	FirstPos, LastPos uint64 // positions kept; LastPos < FirstPos when there are none
	SyncedPos         uint64 // positions up to here are on disk
	Bytes             int64  // of the segments that a start may need
	SpareBytes        int64  // of those beside, see Spare
	Appended          int64  // bytes of records written since Open, as they came
	Segments          int
	LastSyncMs        int64 // how long the last sync took, milliseconds
	SyncedMs          int64 // when it ended, Unix milliseconds; 0 = there was none
	TornBytes         int64 // cut from the tail by Open
	DamagedBytes      int64 // passed over by Open and Replay
	Compressed        int   // of the segments
	Full              bool  // the last Append failed for want of room
	SyncErr           error // why durability is not claimed any more; nil = it is
	Syncs, SyncFails  int64 // how many syncs held, and how many failed, since Open
	LastSyncErr       error // of the newest that failed, though what it was about may have been written again since; nil = none has
}

// Journal is an open journal. Its methods are safe for concurrent use, but for Run, which has one caller.
type Journal struct {
	dir    string
	opts   Options
	logger *slog.Logger
	lock   *os.File // nil where it is only read, and nobody ever locked it

	// Failing disks, clocks and small frames are tested by replacing these. Set before first use.
	writeAt func(f *os.File, b []byte, off int64) (int, error)
	sync    func(f *os.File) error
	now     func() time.Time

	frameBytes int // of the bodies in a frame

	mu          sync.Mutex // guards what follows
	closed      bool
	segments    []segment  // ascending; the last one is active
	active      *os.File   // nil = the next Append begins a segment
	salt        uint64     // of the active segment
	next        uint64     // position of the next record
	first       uint64     // lowest position that may be kept
	appended    int64      // bytes of records since Open
	spare       uint64     // positions up to here are kept for who looks back alone
	synced      uint64     // positions up to here are on disk
	unsynced    []*os.File // segments that were followed by others and are not synced yet
	syncs       int64
	syncFails   int64
	lastSyncErr error // of the newest sync that failed
	syncErr     error // of the last sync, until heal has written again what it may have taken
	full        bool
	tookMs      int64
	syncedMs    int64
	torn        int64
	damaged     int64
	buf         []byte // of the record being written

	compressing *compression // of Run, nil = none
	toldHeal    time.Time    // of Run: when it last said that heal failed

	syncing chan struct{} // holds one token: whoever has it syncs, and those who wait for it find their records synced
}

// segment is a file of the journal.
type segment struct {
	first  uint64 // from its name
	size   int64
	frames bool      // it is compressed
	since  time.Time // when the last record was written, or compressing it was last given up
	left   bool      // it cannot be compressed
}

func (j *Journal) path(first uint64) string {
	return filepath.Join(j.dir, fmt.Sprintf("%020d.seg", first))
}

// Stats returns how the journal is.
func (j *Journal) Stats() Stats {
	j.mu.Lock()
	defer j.mu.Unlock()
	n := 0
	for i := range j.segments {
		if j.segments[i].frames {
			n++
		}
	}
	return Stats{
		Compressed: n,
		FirstPos:   j.first, LastPos: j.next - 1, SyncedPos: j.synced,
		Bytes: j.bytes(), SpareBytes: j.behind(0) - j.bytes(), Appended: j.appended, Segments: len(j.segments), LastSyncMs: j.tookMs, SyncedMs: j.syncedMs,
		TornBytes: j.torn, DamagedBytes: j.damaged, Full: j.full, SyncErr: j.syncErr,
		Syncs: j.syncs, SyncFails: j.syncFails, LastSyncErr: j.lastSyncErr,
	}
}

func (j *Journal) current() *segment { return &j.segments[len(j.segments)-1] }

// bytes is what counts against MaxBytes. The caller holds j.mu.
func (j *Journal) bytes() int64 { return j.behind(j.spare) }

func (j *Journal) lastPos() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.next - 1
}

func (j *Journal) addDamage(n int64, name string) {
	damagedBytes.Add(int(n))
	j.logger.Error("journal is damaged, requests are missing", "file", name, "bytes", n)
	j.mu.Lock()
	j.damaged += n
	j.mu.Unlock()
}

// Close syncs, unless Sync is "off", and gives the directory free. Closing twice is fine.
func (j *Journal) Close() error {
	<-j.syncing
	defer func() { j.syncing <- struct{}{} }()
	var err error
	if j.opts.Sync != "off" {
		err = j.syncTo(j.lastPos())
		if errors.Is(err, ErrClosed) {
			err = nil
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return nil
	}
	j.closed = true
	if j.active != nil {
		err = errors.Join(err, j.active.Close())
		j.active = nil
	}
	for _, f := range j.unsynced {
		_ = f.Close()
	}
	j.unsynced = nil
	if j.lock != nil {
		err = errors.Join(err, j.lock.Close())
	}
	return err
}

var (
	recordsTotal       = metrics.NewCounter("wrackline_journal_records_total")
	bytesTotal         = metrics.NewCounter("wrackline_journal_bytes_total")
	appendsFull        = metrics.NewCounter("wrackline_journal_appends_full_total")
	appendsFailed      = metrics.NewCounter("wrackline_journal_appends_failed_total")
	syncsFailed        = metrics.NewCounter("wrackline_journal_syncs_failed_total")
	tornBytes          = metrics.NewCounter("wrackline_journal_torn_bytes_total")
	damagedBytes       = metrics.NewCounter("wrackline_journal_damaged_bytes_total")
	compressedSegments = metrics.NewCounter("wrackline_journal_segments_compressed_total")
	compressedFrom     = metrics.NewCounter("wrackline_journal_compressed_bytes_before_total")
	compressedTo       = metrics.NewCounter("wrackline_journal_compressed_bytes_after_total")
	compressionsFailed = metrics.NewCounter("wrackline_journal_compressions_failed_total")
	syncSeconds        = metrics.NewHistogram("wrackline_journal_sync_seconds")
)
