package journal

// The log's door, as narrow as it can be, and the log that keeps a journal a partition.

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Log keeps accepted requests in partitions. A partition is a cluster, or a hash of clusters; its name is a few bytes of text. Each has
// positions of its own: they begin at 1 and rise by one with each record. Package logtest holds what an implementation must do.
// Methods are safe for concurrent use.
type Log interface {
	// Append writes a record behind the last one of its partition and returns its position. The order of the calls is the order of the
	// log. An error says that the record is not in the log and never will be; one that wraps ErrFull, that it may be later.
	Append(partition string, r Record) (pos uint64, err error)
	// Wait returns nil once the record at pos may be acknowledged: it is as durable as the log promises.
	Wait(ctx context.Context, partition string, pos uint64) error
	// Read calls fn with the records of a partition from position from on, in order, up to the last one that was appended before the
	// call, and returns fn's first error. Records that were dropped are passed over. What fn is given is borrowed for the call. The body may be
	// packed otherwise than it was (see Plain), the message in it is the same.
	Read(partition string, from uint64, fn func(pos uint64, r Record) error) error
	// Drop says that no one will read the partition up to and with upTo again. Records up to there may go, at once or later; positions
	// are never given again.
	Drop(partition string, upTo uint64) error
	// Close makes durable what is not yet. Methods that are called later return ErrClosed.
	Close() error
}

const (
	partitionsMax = 1024 // of a LocalLog
	partitionName = 200  // bytes of a directory's name
)

// LocalLog is a Log on this machine: a directory with a Journal for each partition.
type LocalLog struct {
	dir  string
	opts Options

	mu       sync.Mutex
	closed   bool
	journals map[string]*Journal
}

var _ Log = (*LocalLog)(nil)

// OpenLog returns the log in dir. Its partitions are opened with o when they are first used; o.MaxBytes is for each of them.
func OpenLog(dir string, o Options) *LocalLog {
	return &LocalLog{dir: dir, opts: o, journals: map[string]*Journal{}}
}

// of returns a partition's journal.
func (l *LocalLog) of(partition string) (*Journal, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, ErrClosed
	}
	if j := l.journals[partition]; j != nil {
		return j, nil
	}
	name := "p-" + url.QueryEscape(partition) // one name for one partition, and none that means something to a file system
	if len(name) > partitionName || len(l.journals) >= partitionsMax {
		return nil, fmt.Errorf("partition %.50q: its name is too long, or there are %d already", partition, partitionsMax)
	}
	if err := os.MkdirAll(l.dir, 0o750); err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	j, err := Open(filepath.Join(l.dir, name), l.opts)
	if err != nil {
		return nil, err
	}
	l.journals[partition] = j
	return j, nil
}

// Append implements Log.
func (l *LocalLog) Append(partition string, r Record) (uint64, error) {
	j, err := l.of(partition)
	if err != nil {
		return 0, err
	}
	return j.Append(r)
}

// Wait implements Log: see Journal.Wait.
func (l *LocalLog) Wait(ctx context.Context, partition string, pos uint64) error {
	j, err := l.of(partition)
	if err != nil {
		return err
	}
	return j.Wait(ctx, pos)
}

// Read implements Log. Damage is passed over as Journal.Replay does.
func (l *LocalLog) Read(partition string, from uint64, fn func(uint64, Record) error) error {
	j, err := l.of(partition)
	if err != nil {
		return err
	}
	return j.Replay(max(from, 1)-1, fn)
}

// Drop implements Log. Whole segments go, and the last one stays.
func (l *LocalLog) Drop(partition string, upTo uint64) error {
	j, err := l.of(partition)
	if err != nil {
		return err
	}
	return j.Drop(upTo)
}

// Run does for all partitions what Journal.Run does for one. It has one caller.
func (l *LocalLog) Run(ctx context.Context) error {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-ctx.Done():
		}
		var err error
		all := l.open()
		for _, j := range all {
			j.syncNow()
			j.compress(ctx, runShare/time.Duration(len(all)))
			err = errors.Join(err, j.Stats().SyncErr)
		}
		if ctx.Err() != nil {
			for _, j := range all {
				j.abandon()
			}
			return err
		}
	}
}

// open returns the journals that are open.
func (l *LocalLog) open() (all []*Journal) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, j := range l.journals {
		all = append(all, j)
	}
	return all
}

// Close implements Log. Closing twice is fine.
func (l *LocalLog) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	var err error
	for _, j := range l.journals {
		err = errors.Join(err, j.Close())
	}
	return err
}
