package journal

// Compressing what is kept. A segment that is full never changes, so it can be written anew as frames, in the background, and put into the
// place of the old one by one rename. Until then the old one is all there is, and an interrupted one is a file that the next Open removes.

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"
)

// compression is a segment that is being compressed, frame by frame.
type compression struct {
	from     segment
	src, dst *os.File
	reader   *reader
	packer   *packer
	salt     uint64
	size     int64 // written
	buf      []byte
}

// tightAge is how long a segment waits when there is little room left. What failed is tried again, and not in a circle.
const tightAge = 10 * time.Second

// errKeep is why a segment stays as it is: there is nothing to gain, or it is damaged and may be readable another day.
var errKeep = errors.New("segment is left as it is")

// compress works for at most share, in steps of one frame, and goes on where it stopped the last time. Only Run and tests call it, one at a time.
func (j *Journal) compress(ctx context.Context, share time.Duration) {
	for begin := j.now(); ctx.Err() == nil && j.now().Sub(begin) < share; {
		if j.compressing == nil {
			s, ok := j.nextToCompress()
			if !ok {
				return
			}
			c, err := j.beginCompression(s)
			if err != nil {
				j.giveUp(s, err)
				continue
			}
			j.compressing = c
		}
		c := j.compressing
		done, err := j.step(c)
		if err == nil && done {
			err = j.replace(c)
		}
		if err != nil || done {
			j.abandon()
		}
		if err != nil {
			j.giveUp(c.from, err)
		}
	}
}

// nextToCompress returns the oldest segment that is full, synced, and old enough, much less when there is little room left.
func (j *Journal) nextToCompress() (segment, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed || j.syncErr != nil || j.opts.CompressAfter < 0 {
		return segment{}, false
	}
	tight := j.behind(0) > j.opts.MaxBytes/2
	for i := range len(j.segments) - 1 {
		s := j.segments[i]
		age := j.now().Sub(s.since)
		switch {
		case s.frames || s.left:
		case j.opts.Sync != "off" && j.segments[i+1].first-1 > j.synced:
		case age >= j.opts.CompressAfter, tight && age >= tightAge:
			return s, true
		}
	}
	return segment{}, false
}

func (j *Journal) beginCompression(s segment) (c *compression, err error) {
	c = &compression{from: s}
	defer func() {
		if err != nil {
			c.close(j)
		}
	}()
	if c.src, err = os.Open(j.path(s.first)); err != nil {
		return nil, err
	}
	if c.reader = newReader(c.src, s.first, s.size); !c.reader.headerOK || c.reader.frames {
		return nil, fmt.Errorf("%w: its header is damaged", errKeep)
	}
	if c.packer, err = newPacker(j.frameBytes); err != nil {
		return nil, err
	}
	var salt [8]byte
	_, _ = rand.Read(salt[:])
	c.salt = binary.LittleEndian.Uint64(salt[:])
	if c.dst, err = os.OpenFile(j.path(s.first)+".tmp", os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o640); err != nil {
		return nil, err
	}
	return c, j.write(c, appendHeader(nil, compressed, s.first, c.salt))
}

// write appends to the new file.
func (j *Journal) write(c *compression, b []byte) error {
	n, err := j.writeAt(c.dst, b, c.size)
	c.size += int64(n)
	return err
}

// step writes the next frame. It returns true when that was the last one.
func (j *Journal) step(c *compression) (done bool, err error) {
	r := c.reader
	for !c.packer.full() {
		last := r.last
		if !r.next() {
			done = true
			break
		}
		if r.last != last+1 && last >= c.from.first {
			return false, fmt.Errorf("%w: position %d after %d", errKeep, r.last, last)
		}
		if err := c.packer.add(r.last, r.record); err != nil {
			return false, err
		}
	}
	if done && (r.err != nil || r.skipped > 0 || r.tail() > 0) {
		return false, fmt.Errorf("%w: it is damaged", errKeep)
	}
	if c.packer.records > 0 {
		if c.buf, err = c.packer.appendFrame(c.buf[:0], c.salt); err != nil {
			return false, err
		}
		if err := j.write(c, c.buf); err != nil {
			return false, err
		}
	}
	if done && c.size > c.from.size/8*7 {
		return false, fmt.Errorf("%w: nothing is gained", errKeep)
	}
	return done, nil
}

// replace puts the new file into the place of the old one, when that was not dropped meanwhile. The new one is on disk before, whatever
// Options.Sync says: what the old one held may have been on disk for long.
func (j *Journal) replace(c *compression) error {
	if err := j.sync(c.dst); err != nil {
		return err
	}
	j.mu.Lock()
	s := j.find(c.from.first)
	if s == nil {
		j.mu.Unlock()
		return nil
	}
	// Drop must not come between: it would remove the old one, and this bring it back.
	name := j.path(s.first)
	if err := os.Rename(name+".tmp", name); err != nil {
		j.mu.Unlock()
		return err
	}
	s.size, s.frames = c.size, true
	j.mu.Unlock()
	compressedSegments.Inc()
	compressedFrom.Add(int(c.from.size))
	compressedTo.Add(int(c.size))
	if err := syncDir(j.dir); err != nil {
		j.logger.Warn("journal directory cannot be synced", "err", err)
	}
	return nil
}

// giveUp notes that s was not compressed. When the disk failed it is tried again later.
func (j *Journal) giveUp(s segment, err error) {
	if !j.has(s.first) {
		return // dropped meanwhile
	}
	keep := errors.Is(err, errKeep) || errors.Is(err, errUnfit)
	if !keep {
		compressionsFailed.Inc()
		j.logger.Warn("journal segment cannot be compressed", "file", j.path(s.first), "err", err)
	} else {
		j.logger.Debug("journal segment is not compressed", "file", j.path(s.first), "err", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if s := j.find(s.first); s != nil {
		s.left = keep
		s.since = j.now()
	}
}

// abandon forgets the compression that is under way.
func (j *Journal) abandon() {
	if j.compressing != nil {
		j.compressing.close(j)
		j.compressing = nil
	}
}

func (c *compression) close(j *Journal) {
	if c.src != nil {
		_ = c.src.Close()
	}
	if c.dst != nil {
		_ = c.dst.Close()
		_ = os.Remove(j.path(c.from.first) + ".tmp") // not there any more when it took the old one's place
	}
}
