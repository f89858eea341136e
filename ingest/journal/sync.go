package journal

// Durability: who waits for the disk, and who syncs for all that wait.

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Wait returns when the record at pos is as safe as Options.Sync promises: with "always" when it is on disk, where one
// sync serves all who wait; else at once. After a failed sync it returns that error until what the failure may have taken has been written
// again (Run): the record is in the journal, and whether it is on disk is not known yet.
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
		j.syncErr = fmt.Errorf("%w: %w", ErrSync, err)
		j.syncFails++
		j.lastSyncErr = j.syncErr
		j.logger.Error("journal cannot be synced; nothing is acknowledged until what is not proven has been written again", "err", err)
		return j.syncErr
	}
	j.syncs++
	j.synced, j.syncedMs = max(j.synced, to), j.now().UnixMilli()
	return nil
}

// Run syncs once a second until ctx ends, and a last time then; with Sync "off" it does not. Between two syncs it compresses segments
// that are kept, for at most half of the time, and after a sync that failed it writes again what is not proven. It returns the error of the last sync when it ends.
func (j *Journal) Run(ctx context.Context) error {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	defer j.abandon()
	for {
		select {
		case <-t.C:
			j.syncNow()
			j.compress(ctx, runShare)
		case <-ctx.Done():
			j.syncNow()
			return j.Stats().SyncErr
		}
	}
}

// runShare is for how long of a second Run compresses.
const runShare = time.Second / 2

func (j *Journal) syncNow() {
	if j.opts.Sync == "off" {
		return
	}
	<-j.syncing
	defer func() { j.syncing <- struct{}{} }()
	if j.syncTo(j.lastPos()) == nil { // reported by Wait and by Stats
		return
	}
	if err := j.heal(); err != nil && time.Since(j.toldHeal) > time.Minute {
		j.toldHeal = time.Now()
		j.logger.Error("journal cannot be written elsewhere yet", "err", err)
	}
}
