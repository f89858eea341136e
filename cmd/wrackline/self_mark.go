package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// What the watch over Wrackline itself remembers beyond the process: what it has told, so that one which crashes again and again does not tell the same at each start and still says the closing
// word; and how lives ended. It is a file of a fixed size that is written in place, which works on a full disk. It is best effort: on a disk that takes no write at all a new life tells once more,
// two minutes after its start at the earliest and with the ids of the first time, by which receivers of webhooks know a repetition.

const (
	markFile  = "self.json"
	markBytes = 32 << 10
	markTold  = 16        // causes that are remembered, the newest
	deathsMax = 8         // lives that ended without a word, the newest
	deathsFor = time.Hour // for how long they count
	deathsBad = 3         // so many of them within that are a crash loop
)

// mark is what the file holds.
type mark struct {
	Version int        `json:"version"`
	AliveMs int64      `json:"alive_ms"` // when it was written, Unix milliseconds
	Clean   bool       `json:"clean"`    // the process ended in good order
	Deaths  []int64    `json:"deaths_ms"`
	Taken   uint64     `json:"taken"` // position of the newest request that was in the journal
	Told    []toldMark `json:"told"`

	file    *os.File
	written bool // the file took the mark of this life
}

// toldMark is something that has been told and lasts.
type toldMark struct {
	Cause    string     `json:"cause"`
	Incident string     `json:"incident"`
	Seq      uint32     `json:"seq"`
	Edition  uint32     `json:"edition"`
	SinceMs  int64      `json:"since_ms"`
	Page     bool       `json:"page"`
	Title    string     `json:"title"`
	Lines    []lineMark `json:"lines"`
	To       []string   `json:"to"` // integrations
}

type lineMark struct {
	Kind    string `json:"kind"`
	Subject string `json:"subject"`
	Text    string `json:"text"`
	SinceMs int64  `json:"since_ms"`
}

// readMark returns what the process before left. Whatever cannot be read is as if it were not there.
func readMark(dir string, nowMs int64) (m mark) {
	f, err := os.OpenFile(filepath.Join(dir, markFile), os.O_RDWR|os.O_CREATE, 0o600)
	writable := err == nil
	if !writable {
		if f, err = os.Open(filepath.Join(dir, markFile)); err != nil {
			return mark{}
		}
		defer f.Close()
	}
	b := make([]byte, markBytes)
	n, _ := f.ReadAt(b, 0)
	if json.Unmarshal(bytes.TrimRight(b[:n], " \n\x00"), &m) != nil || m.Version != 1 {
		m = mark{}
	}
	if writable {
		m.file = f
	}
	if m.AliveMs != 0 && !m.Clean {
		m.Deaths = append(m.Deaths, m.AliveMs)
	}
	m.Deaths = slices.DeleteFunc(m.Deaths, func(ms int64) bool { return ms > nowMs || ms < nowMs-deathsFor.Milliseconds() })
	m.Deaths = m.Deaths[max(0, len(m.Deaths)-deathsMax):]
	m.Told = m.Told[:min(len(m.Told), markTold)]
	m.Clean = false
	return m
}

// markEvery is how often the mark is written at least: also to see whether the disk takes it.
const markEvery = time.Minute - selfEvery/2

// saveSometimes is save once in a while. It returns what the last time said.
func (s *self) saveSometimes() error {
	if now := s.mono(); s.saved == 0 || now-s.saved >= markEvery || s.savedAs != nil {
		s.saved, s.savedAs = max(now, 1), s.save()
	}
	return s.savedAs
}

// save writes the mark. Its error is what the disk says.
func (s *self) save() error {
	s.mu.Lock()
	m := s.mark
	s.mark.Taken = max(s.mark.Taken, s.a.line.last.Load())
	m.Taken = s.mark.Taken
	m.Version, m.AliveMs, m.Told = 1, s.a.now().UnixMilli(), s.told()
	s.mu.Unlock()
	if m.file == nil {
		f, err := os.OpenFile(filepath.Join(s.a.dir, markFile), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return err
		}
		m.file = f
		s.mu.Lock()
		s.mark.file = f
		s.mu.Unlock()
	}
	b, err := json.Marshal(&m)
	if err != nil {
		return err
	}
	if len(b) > markBytes {
		m.Told = m.Told[max(0, len(m.Told)-2):] // texts of this length are nobody's
		if b, err = json.Marshal(&m); err != nil || len(b) > markBytes {
			return nil
		}
	}
	b = append(b, bytes.Repeat([]byte(" "), markBytes-len(b))...)
	if _, err = m.file.WriteAt(b, 0); err == nil {
		err = m.file.Sync()
	}
	s.mu.Lock()
	s.mark.written = err == nil
	s.mu.Unlock()
	return err
}

// told returns what is to be remembered. The caller holds mu.
func (s *self) told() (list []toldMark) {
	for _, g := range s.groups {
		if !g.open {
			continue
		}
		to := s.a.herald.Load().Told(g.cause)
		if len(to) == 0 {
			continue
		}
		t := toldMark{Cause: g.cause, Incident: g.notice.Incident, Seq: g.notice.Seq, Edition: g.notice.Edition, SinceMs: g.notice.SinceMs, Page: g.page, Title: cut(g.notice.Title), To: to[:min(len(to), 64)]}
		for _, l := range g.notice.Lines[:min(len(g.notice.Lines), 4)] {
			t.Lines = append(t.Lines, lineMark{l.Name, l.Subject, cut(l.Text), l.SinceMs})
		}
		list = append(list, t)
	}
	slices.SortFunc(list, func(a, b toldMark) int { return int(b.SinceMs-a.SinceMs) / 1000 })
	return list[:min(len(list), markTold)]
}

func cut(s string) string { return s[:min(len(s), 300)] }

// inherit takes over what the life before in this process has told, which its disk may not have taken.
func (s *self) inherit(before *self) {
	before.mu.Lock()
	told := before.told()
	before.mu.Unlock()
	s.mu.Lock()
	s.handed = &told
	s.mu.Unlock()
}

// end says that this life ended in good order.
func (s *self) end() {
	s.mu.Lock()
	s.mark.Clean = true
	f := s.mark.file
	s.mu.Unlock()
	if f == nil {
		return
	}
	if err := s.save(); err != nil {
		s.a.log.Debug("the mark of a good end was not written", "err", err)
	}
	s.mu.Lock()
	s.mark.file = nil
	s.mu.Unlock()
	if err := f.Close(); err != nil {
		s.a.log.Debug("close the mark", "err", err)
	}
}
