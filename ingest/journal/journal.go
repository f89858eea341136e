// Package journal is an append-only log of accepted requests: the only thing that a crash needs.
//
// A request is written before it is acknowledged, so a killed process loses nothing. What a power cut can take is what
// was not synced: at most the last second by default, nothing with Sync "always". The bytes are drawn in FORMAT.md.
package journal

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

// Options configure a Journal. The zero value is useful.
type Options struct {
	// Sync says when a record is on disk: "always" before Wait returns, "1s" (or "") at most a second after it was
	// written, "off" when the operating system likes.
	Sync         string
	MaxBytes     int64        // all segments together; 0 = 2 GiB
	SegmentBytes int64        // a segment this large is followed by a new one; 0 = 64 MiB, at most MaxBytes / 4
	Logger       *slog.Logger // nil = discard
}

// Record is what is needed to fold a request again.
type Record struct {
	ReceivedMs      int64  // Unix milliseconds
	Sender, Cluster string // at most 65,535 bytes each
	Proto           uint8  // ingest.Proto of the body
	Encoding        uint8  // ingest.Encoding of the body
	Body            []byte // as it came over the wire
}

var (
	// ErrFull is returned by Append when the journal has reached its limit or the disk its end. Nothing was written;
	// Append works again once Drop or somebody else has made room.
	ErrFull = errors.New("journal is full")
	// ErrDamaged is returned by Open when the directory holds what no reader of this version can make sense of.
	ErrDamaged = errors.New("journal is damaged")
	// ErrLocked is returned by Open when another process has the journal open.
	ErrLocked = errors.New("journal is in use by another process")
	// ErrClosed is returned by methods that are called after Close.
	ErrClosed = errors.New("journal is closed")
)

// Stats say how a journal is.
type Stats struct {
	FirstPos, LastPos uint64 // positions kept; LastPos < FirstPos when there are none
	SyncedPos         uint64 // positions up to here are on disk
	Bytes             int64  // of all segments
	Segments          int
	LastSyncMs        int64 // how long the last sync took, milliseconds
	TornBytes         int64 // cut from the tail by Open
	DamagedBytes      int64 // passed over by Open and Replay
	Full              bool  // the last Append failed for want of room
	SyncErr           error // why durability is not claimed any more; nil = it is
}

// Journal is an open journal. Its methods are safe for concurrent use, but for Run, which has one caller.
type Journal struct {
	dir    string
	opts   Options
	logger *slog.Logger
	lock   *os.File

	// Failing disks are tested by replacing these. Set before first use.
	writeAt func(f *os.File, b []byte, off int64) (int, error)
	sync    func(f *os.File) error

	mu       sync.Mutex // guards what follows
	closed   bool
	segments []segment  // ascending; the last one is active
	active   *os.File   // nil = the next Append begins a segment
	salt     uint64     // of the active segment
	next     uint64     // position of the next record
	first    uint64     // lowest position that may be kept
	synced   uint64     // positions up to here are on disk
	unsynced []*os.File // segments that were followed by others and are not synced yet
	syncErr  error      // sticky
	full     bool
	tookMs   int64
	torn     int64
	damaged  int64
	buf      []byte // of the record being written

	syncing chan struct{} // holds one token: whoever has it syncs, and those who wait for it find their records synced
}

// segment is a file of the journal.
type segment struct {
	first uint64 // from its name
	size  int64
}

func (j *Journal) path(first uint64) string {
	return filepath.Join(j.dir, fmt.Sprintf("%020d.seg", first))
}

// Open opens the journal in dir, which is made when it is not there. A torn tail, which a crash leaves, is cut off;
// damage elsewhere is left for Replay to pass over. Only one process can have a journal open.
func Open(dir string, o Options) (*Journal, error) {
	switch o.Sync {
	case "":
		o.Sync = "1s"
	case "1s", "always", "off":
	default:
		return nil, fmt.Errorf("journal sync %q is none of always, 1s and off", o.Sync)
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = 2 << 30
	}
	if o.SegmentBytes <= 0 {
		o.SegmentBytes = 64 << 20
	}
	// Drop leaves the last segment: it must not be what fills the journal.
	o.SegmentBytes = min(o.SegmentBytes, o.MaxBytes/4)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	j := &Journal{
		dir: dir, opts: o, logger: o.Logger, lock: lock,
		writeAt: (*os.File).WriteAt,
		sync:    (*os.File).Sync,
		next:    1, first: 1,
		syncing: make(chan struct{}, 1),
	}
	j.syncing <- struct{}{}
	if err := j.load(); err != nil {
		_ = lock.Close()
		return nil, err
	}
	return j, nil
}

// lockDir takes the directory's lock, which ends with the process.
func lockDir(dir string) (*os.File, error) {
	name := filepath.Join(dir, "lock")
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w: %s is locked", ErrLocked, name)
		}
		return nil, fmt.Errorf("lock journal %s: %w", name, err)
	}
	return f, nil
}

// load finds the segments and where the last one ends.
func (j *Journal) load() error {
	names, err := os.ReadDir(j.dir)
	if err != nil {
		return fmt.Errorf("open journal: %w", err)
	}
	for _, e := range names {
		name := e.Name()
		if strings.HasSuffix(name, ".tmp") {
			_ = os.Remove(filepath.Join(j.dir, name))
			continue
		}
		digits, ok := strings.CutSuffix(name, ".seg")
		if !ok {
			continue
		}
		first, err := strconv.ParseUint(digits, 10, 64)
		if err != nil || first == 0 || first > math.MaxInt64 || name != filepath.Base(j.path(first)) {
			return fmt.Errorf("%w: %s is no segment's name", ErrDamaged, filepath.Join(j.dir, name))
		}
		info, err := e.Info()
		if err != nil {
			return fmt.Errorf("open journal: %w", err)
		}
		j.segments = append(j.segments, segment{first, info.Size()})
	}
	slices.SortFunc(j.segments, func(a, b segment) int {
		if a.first < b.first {
			return -1
		}
		return 1
	})
	if len(j.segments) == 0 {
		return nil
	}
	for _, s := range j.segments {
		if err := checkVersion(j.path(s.first)); err != nil {
			return err
		}
	}
	j.first = j.segments[0].first
	return j.openLast()
}

// openLast reads the last segment to its end, cuts a torn tail and makes it the active one.
func (j *Journal) openLast() error {
	s := &j.segments[len(j.segments)-1]
	name := j.path(s.first)
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("open journal: %w", err)
	}
	r := newReader(f, s.first, s.size)
	for r.next() {
	}
	j.next = max(s.first, r.last+1)
	j.synced = j.next - 1
	switch {
	case r.err != nil || !r.headerOK || r.budget < 0:
		// It cannot be trusted to take more. Replay gets out of it what there is. Positions that may be in what could
		// not be read are not given again, and so the next segment gets a name of its own.
		j.next += uint64(r.tail()/recordMin) + 1
		j.synced = j.next - 1
		j.logger.Error("journal segment is damaged", "file", name, "err", r.err)
		j.addDamage(r.skipped+r.tail(), name)
		return f.Close()
	case r.tail() > 0:
		j.logger.Warn("journal tail is torn, cutting it off", "file", name, "bytes", r.tail(), "last", r.last)
		j.torn = r.tail()
		tornBytes.Add(int(r.tail()))
		if err := f.Truncate(r.end); err != nil {
			_ = f.Close()
			return fmt.Errorf("cut torn tail of %s: %w", name, err)
		}
		if err := f.Sync(); err != nil {
			_ = f.Close()
			return fmt.Errorf("cut torn tail of %s: %w", name, err)
		}
		s.size = r.end
	}
	j.active, j.salt = f, r.salt
	return nil
}

// Append writes r and returns its position. When it returns without an error, r survives the process, and after Wait
// it survives the machine, as far as Options.Sync says. A write that fails is undone; nothing of it is ever replayed.
func (j *Journal) Append(r Record) (pos uint64, err error) {
	size := int64(recordHead + payloadHead + len(r.Sender) + len(r.Cluster) + len(r.Body))
	if len(r.Sender) > math.MaxUint16 || len(r.Cluster) > math.MaxUint16 || size-recordHead > payloadMax {
		return 0, fmt.Errorf("record of %d bytes is too large for the journal", size)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return 0, ErrClosed
	}
	if j.bytes()+size > j.opts.MaxBytes {
		j.full = true
		appendsFull.Inc()
		return 0, fmt.Errorf("%w: %d bytes of %d", ErrFull, j.bytes(), j.opts.MaxBytes)
	}
	if j.active == nil || j.current().size >= j.opts.SegmentBytes {
		if err := j.rotate(); err != nil {
			return 0, j.noRoom(err)
		}
	}
	s := j.current()
	j.buf = appendRecord(j.buf[:0], j.salt, j.next, r)
	if n, err := j.writeAt(j.active, j.buf, s.size); err != nil {
		j.undo(s.size, n)
		return 0, j.noRoom(fmt.Errorf("write journal: %w", err))
	}
	if cap(j.buf) > 1<<20 {
		j.buf = nil
	}
	s.size += size
	pos = j.next
	j.next++
	j.full = false
	recordsTotal.Inc()
	bytesTotal.Add(int(size))
	return pos, nil
}

// undo removes what a failed write left behind. A segment where that fails too is not written to again.
func (j *Journal) undo(size int64, written int) {
	appendsFailed.Inc()
	if err := j.active.Truncate(size); err != nil {
		j.logger.Error("journal segment cannot be cut back, beginning another", "file", j.active.Name(), "err", err)
		j.retire()
		j.current().size = size + int64(written)
	}
}

// noRoom marks errors of a full disk as ErrFull.
func (j *Journal) noRoom(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		j.full = true
		appendsFull.Inc()
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}

func (j *Journal) current() *segment { return &j.segments[len(j.segments)-1] }

func (j *Journal) bytes() int64 {
	var n int64
	for _, s := range j.segments {
		n += s.size
	}
	return n
}

// retire gives the active segment to the next sync.
func (j *Journal) retire() {
	if j.active == nil {
		return
	}
	if j.opts.Sync == "off" {
		_ = j.active.Close()
	} else {
		j.unsynced = append(j.unsynced, j.active)
	}
	j.active = nil
}

// rotate begins a segment. Its header and its name are on disk before a record is.
func (j *Journal) rotate() (err error) {
	var salt [8]byte
	_, _ = rand.Read(salt[:])
	h := appendHeader(nil, j.next, binary.LittleEndian.Uint64(salt[:]))
	name := j.path(j.next)
	f, err := os.OpenFile(name+".tmp", os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o640)
	if err != nil {
		return fmt.Errorf("begin journal segment: %w", err)
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(name + ".tmp")
			err = fmt.Errorf("begin journal segment: %w", err)
		}
	}()
	if _, err = j.writeAt(f, h, 0); err != nil {
		return err
	}
	if j.opts.Sync != "off" {
		if err = j.sync(f); err != nil {
			return err
		}
	}
	if err = os.Rename(name+".tmp", name); err != nil {
		return err
	}
	if j.opts.Sync != "off" {
		if err := syncDir(j.dir); err != nil {
			j.logger.Warn("journal directory cannot be synced", "err", err)
		}
	}
	j.retire()
	// A segment of the same name holds no record: it was begun and nothing was written to it.
	if n := len(j.segments); n > 0 && j.current().first == j.next {
		j.segments = j.segments[:n-1]
	}
	j.segments = append(j.segments, segment{j.next, int64(len(h))})
	j.active, j.salt = f, binary.LittleEndian.Uint64(salt[:])
	return nil
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = f.Sync()
	return errors.Join(err, f.Close())
}

// SkipTo makes the next record's position pos+1, when it would be lower. It is for a journal that was lost or emptied
// while what was made of it was kept, so that positions never repeat.
func (j *Journal) SkipTo(pos uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed || pos < j.next || pos >= math.MaxInt64 {
		return
	}
	if len(j.segments) == 0 {
		j.first = pos + 1
	}
	j.next = pos + 1
	j.synced = max(j.synced, pos)
	j.retire() // a segment's name says where it begins
}

// Wait returns when the record at pos is as safe as Options.Sync promises: with "always" when it is on disk, where one
// sync serves all who wait; else at once. After a failed sync it returns that error for ever, since what the failure
// took cannot be known.
func (j *Journal) Wait(ctx context.Context, pos uint64) error {
	j.mu.Lock()
	err, done := j.syncErr, j.opts.Sync != "always" || j.synced >= pos
	j.mu.Unlock()
	if err != nil {
		return err
	}
	if done {
		return nil
	}
	select {
	case <-j.syncing:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { j.syncing <- struct{}{} }()
	return j.syncTo(pos)
}

// syncTo syncs whatever was written when pos is not synced yet. The caller holds the token of j.syncing.
func (j *Journal) syncTo(pos uint64) error {
	j.mu.Lock()
	if j.syncErr != nil || j.synced >= pos {
		defer j.mu.Unlock()
		return j.syncErr
	}
	if j.closed {
		j.mu.Unlock()
		return ErrClosed
	}
	to := j.next - 1
	retired := j.unsynced
	j.unsynced = nil
	active := j.active
	j.mu.Unlock()

	begin := time.Now()
	var err error
	for _, f := range retired {
		err = errors.Join(err, j.sync(f), f.Close())
	}
	if active != nil {
		// Only Close closes the active segment, and it holds the token while it does.
		err = errors.Join(err, j.sync(active))
	}
	took := time.Since(begin)
	syncSeconds.Update(took.Seconds())

	j.mu.Lock()
	defer j.mu.Unlock()
	j.tookMs = took.Milliseconds()
	if err != nil {
		syncsFailed.Inc()
		j.syncErr = fmt.Errorf("sync journal: %w", err)
		j.logger.Error("journal cannot be synced; durability is not claimed until restart", "err", err)
		return j.syncErr
	}
	j.synced = max(j.synced, to)
	return nil
}

// Run syncs once a second until ctx ends, and a last time then. With Sync "off" it only waits. It returns the error of
// the first failed sync, if any, when it ends.
func (j *Journal) Run(ctx context.Context) error {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for done := false; !done; {
		select {
		case <-t.C:
		case <-ctx.Done():
			done = true
		}
		if j.opts.Sync == "off" {
			continue
		}
		<-j.syncing
		_ = j.syncTo(j.lastPos()) // sticky: reported by Wait, by Stats and at the end
		j.syncing <- struct{}{}
	}
	return j.Stats().SyncErr
}

func (j *Journal) lastPos() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.next - 1
}

// Replay calls fn with every record whose position is above after, in order, and stops at fn's first error. It reads
// what was written before it was called; Append may go on meanwhile, Drop must not. Damaged bytes are passed over,
// counted and logged: what is returned is what was written, or it is missing.
func (j *Journal) Replay(after uint64, fn func(pos uint64, r Record) error) error {
	j.mu.Lock()
	if j.closed {
		j.mu.Unlock()
		return ErrClosed
	}
	segments := slices.Clone(j.segments)
	j.mu.Unlock()
	last := after
	for i, s := range segments {
		if i+1 < len(segments) && segments[i+1].first <= after+1 {
			continue
		}
		if err := j.replaySegment(s, &last, fn); err != nil {
			return err
		}
	}
	return nil
}

func (j *Journal) replaySegment(s segment, last *uint64, fn func(uint64, Record) error) error {
	name := j.path(s.first)
	f, err := os.Open(name)
	if err != nil {
		j.logger.Error("journal segment cannot be opened, passing over it", "file", name, "err", err)
		j.addDamage(s.size, name)
		return nil
	}
	defer func() { _ = f.Close() }()
	r := newReader(f, s.first, s.size)
	for r.next() {
		if r.last <= *last {
			continue
		}
		*last = r.last
		if err := fn(r.last, r.record); err != nil {
			return err
		}
	}
	if r.err != nil {
		j.logger.Error("journal segment cannot be read to its end", "file", name, "offset", r.end, "err", r.err)
	}
	if n := r.skipped + r.tail(); n > 0 {
		j.addDamage(n, name)
	}
	return nil
}

func (j *Journal) addDamage(n int64, name string) {
	damagedBytes.Add(int(n))
	j.logger.Error("journal is damaged, requests are missing", "file", name, "bytes", n)
	j.mu.Lock()
	j.damaged += n
	j.mu.Unlock()
}

// Drop removes the segments that hold only positions up to upTo. The last segment always stays: it knows the position.
func (j *Journal) Drop(upTo uint64) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return ErrClosed
	}
	for len(j.segments) > 1 && j.segments[1].first <= upTo+1 {
		if err := os.Remove(j.path(j.segments[0].first)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("drop journal segment: %w", err)
		}
		j.segments = slices.Delete(j.segments, 0, 1)
		j.first = j.segments[0].first
	}
	return nil
}

// Stats returns how the journal is.
func (j *Journal) Stats() Stats {
	j.mu.Lock()
	defer j.mu.Unlock()
	return Stats{
		FirstPos: j.first, LastPos: j.next - 1, SyncedPos: j.synced,
		Bytes: j.bytes(), Segments: len(j.segments), LastSyncMs: j.tookMs,
		TornBytes: j.torn, DamagedBytes: j.damaged, Full: j.full, SyncErr: j.syncErr,
	}
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
	return errors.Join(err, j.lock.Close())
}

var (
	recordsTotal  = metrics.NewCounter("wrackline_journal_records_total")
	bytesTotal    = metrics.NewCounter("wrackline_journal_bytes_total")
	appendsFull   = metrics.NewCounter("wrackline_journal_appends_full_total")
	appendsFailed = metrics.NewCounter("wrackline_journal_appends_failed_total")
	syncsFailed   = metrics.NewCounter("wrackline_journal_syncs_failed_total")
	tornBytes     = metrics.NewCounter("wrackline_journal_torn_bytes_total")
	damagedBytes  = metrics.NewCounter("wrackline_journal_damaged_bytes_total")
	syncSeconds   = metrics.NewHistogram("wrackline_journal_sync_seconds")
)
