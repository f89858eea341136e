package main

import (
	"crypto/sha512"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/store"
	"github.com/wrackline/wrackline/baseline/store/disk/disktest"
	"github.com/wrackline/wrackline/baseline/wire"
)

// again ends a life without a word and begins another on the same disk: r.a.reading says of which kind.
func (r *blindRig) again() {
	r.t.Helper()
	r.die()
	r.start(nil)
}

// startWays are starts on a disk that takes no write.
func startWays() []blindCase {
	var fill, free func()
	var mnt string
	return []blindCase{
		{name: "a start on a full disk", told: "wrackline.journal.refuses", culprit: "the disk is full",
			rig: func(t *testing.T) (o rigOptions) {
				o.dir, fill, free = smallDisk(t)
				return o
			},
			blind: func(r *blindRig) {
				checkpointOf(r)
				r.die()
				fill()
				r.start(nil)
				for r.a.intake.failed.Load() == 0 { // what is left of the last page
					r.write()
				}
			},
			well: func(*blindRig) { free() }},
		{name: "a start on a disk that cannot be written", told: "wrackline.start.reading", culprit: "the disk is read-only", hiccup: true, closes: 6 * time.Minute,
			rig: func(t *testing.T) rigOptions {
				mnt, _, _ = smallDisk(t)
				return rigOptions{dir: mnt}
			},
			blind: func(r *blindRig) {
				r.die()
				remount(r.t, mnt, true)
				r.start(nil)
				if err := probe(mnt); err == nil || r.a.reading.Load() == nil {
					r.t.Fatalf("it does not only read: %v", err)
				}
			},
			well: func(r *blindRig) {
				remount(r.t, mnt, false)
				if err := probe(mnt); err != nil {
					r.t.Fatal(err)
				}
				if r.again(); r.a.reading.Load() != nil {
					r.t.Fatal("it still only reads")
				}
			}},
	}
}

// quietStarts look alike and are none.
func quietStarts(t *testing.T) []quietCase {
	small, _, _ := smallDisk(t)
	return []quietCase{{"a start on a disk that is nearly full", rigOptions{dir: small}, func(r *blindRig) {
		checkpointOf(r)
		name := filepath.Join(small, "other.data")
		disktest.Fill(r.t, name)
		if st, err := os.Stat(name); err != nil || os.Truncate(name, st.Size()-4<<20) != nil {
			r.t.Fatal(err)
		}
		if r.again(); r.a.reading.Load() != nil {
			r.t.Error("it only reads")
		}
		r.steps(10*time.Minute, nil)
		checkpointOf(r)
	}}}
}

// onDiskOf is a running program whose disk is a small one, with some requests in its journal.
func onDiskOf(t *testing.T, mnt string) (args []string, requests int) {
	t.Helper()
	args = []string{"serve", "--storage.path", filepath.Join(mnt, "data"), "--web.listen-address", "127.0.0.1:0"}
	p := start(t, args...)
	p.awaitReady()
	for i := range int64(5) {
		p.gauge("something", time.Now().UnixMilli()-60_000+i, 1, func(int64) float64 { return 1 })
	}
	p.settle()
	p.kill()
	return args, 5
}

// reads checks that a process has come up reading and says so everywhere, with the culprit, and returns what the status page shows.
func (p *process) reads(culprit string) {
	p.t.Helper()
	await(p.t, "that it reads", func() bool { _, text := p.try("/-/ready"); return strings.Contains(text, "only reading") })
	if code, text := p.try("/-/ready"); code != http.StatusServiceUnavailable || !strings.Contains(text, culprit) {
		p.t.Errorf("readiness: %d %s", code, text)
	}
	if code, text := p.try("/-/healthy"); code != http.StatusOK {
		p.t.Errorf("health: %d %s", code, text)
	}
	if p.metric("wrackline_judging") != 0 || p.metric("wrackline_ready") != 0 {
		p.t.Error("it says that it judges")
	}
	if text := p.get("/api/v1/status/problems"); !strings.Contains(text, culprit) || strings.Count(text, `"severity"`) != 1 {
		p.t.Errorf("problems: %s", text)
	}
	if text := p.get("/"); !strings.Contains(text, culprit) {
		p.t.Error("the page does not say it")
	}
	if code, text := p.write("", nil); code != http.StatusServiceUnavailable || !strings.Contains(text, culprit) {
		p.t.Errorf("a write: %d %s", code, text)
	}
	if code, text := p.reload(); code != http.StatusServiceUnavailable {
		p.t.Errorf("a reload: %d %s", code, text)
	}
}

// goesOn checks that a process that only read takes requests by itself, and has lost none.
func (p *process) goesOn(requests int) {
	p.t.Helper()
	p.awaitReady()
	p.gauge("something", time.Now().UnixMilli(), 1, func(int64) float64 { return 1 })
	p.settle()
	if n := p.metric("wrackline_journal_position"); int(n) != requests+1 {
		p.t.Errorf("%v requests in the journal, want %d", n, requests+1)
	}
	if log := p.log(); !strings.Contains(log, fmt.Sprintf(`msg="journal folded" requests=%d`, requests)) {
		p.t.Errorf("not all that was taken is there: %s", log)
	}
	if text := p.get("/api/v1/status/problems"); strings.Contains(text, "disk") {
		p.t.Errorf("problems afterwards: %s", text)
	}
	p.stop()
}

// TestStartOnAReadOnlyMountReads: a data directory whose mount is for reading is shown and not changed, and the process goes on by itself once it can be written.
func TestStartOnAReadOnlyMountReads(t *testing.T) {
	t.Parallel()
	mnt, _, _ := smallDisk(t)
	args, n := onDiskOf(t, mnt)
	remount(t, mnt, true)
	p := start(t, args...)
	p.reads("the disk is read-only")
	if code, _, errs := run(t, args...); code != exitFailure || !strings.Contains(errs, "Another wrackline serves") || strings.Contains(errs, "mount it for writing") {
		t.Errorf("a second one: code %d: %s", code, errs)
	}
	remount(t, mnt, false)
	p.goesOn(n)
}

// TestStartOnAFullDiskWorks: where a start needs no room, all but taking requests works on a full disk, and that goes on by itself too.
func TestStartOnAFullDiskWorks(t *testing.T) {
	t.Parallel()
	mnt, _, free := smallDisk(t)
	args, n := onDiskOf(t, mnt)
	disktest.Fill(t, filepath.Join(mnt, "other.data"))
	p := start(t, args...)
	p.awaitReady()
	var msg []byte // larger than what is left of pages here and there
	for i := range 100 {
		l := wire.AppendLabel(wire.AppendLabel(nil, "__name__", "something"), "pad", fmt.Sprintf("%02d %x", i, sha512.Sum512([]byte{byte(i)})))
		msg = wire.AppendSeries(msg, l, []series.Sample{{T: time.Now().UnixMilli(), V: 1}})
	}
	code, text := p.write("", wire.AppendBody(nil, msg))
	if code != http.StatusServiceUnavailable || !strings.Contains(text, "no space") {
		t.Errorf("a write: %d %s", code, text)
	}
	const refused = "But the newest request was refused: journal: journal is full"
	if text := p.get("/-/ready"); !strings.Contains(text, refused) {
		t.Errorf("readiness: %s", text)
	}
	free()
	p.goesOn(n)
}

// TestStartOnAFullDiskReads: where a start needs room that is not there, as for a file that is gone, it reads what there is, and makes what it needs when there is room.
func TestStartOnAFullDiskReads(t *testing.T) {
	t.Parallel()
	mnt, _, free := smallDisk(t)
	args, n := onDiskOf(t, mnt)
	if err := os.Remove(filepath.Join(mnt, "data", store.TwinName)); err != nil {
		t.Fatal(err)
	}
	disktest.Fill(t, filepath.Join(mnt, "other.data"))
	p := start(t, args...)
	p.reads("the disk is full")
	p.stop() // in good order, though it could write nothing
	p = start(t, args...)
	p.reads("the disk is full")
	free()
	p.goesOn(n)
}

// TestOnlyTheDiskIsWaitedFor: what does not pass by itself ends a start.
func TestOnlyTheDiskIsWaitedFor(t *testing.T) {
	for _, err := range []error{os.ErrPermission, store.ErrInUse, store.ErrVersion, os.ErrNotExist} {
		if a, got := openReading(defaultConfig(), t.TempDir(), slog.New(slog.DiscardHandler), err); a != nil || got != err {
			t.Errorf("%v: %v", err, got)
		}
	}
}

// TestProbesComeSeldomWhereStartsFail: a disk that takes the probe and not the start is not folded for all the time.
func TestProbesComeSeldomWhereStartsFail(t *testing.T) {
	if a, b, c := probeEvery(0), probeEvery(3), probeEvery(1000); a != probeFirst || b != 8*probeFirst || c != probeMost {
		t.Errorf("%s, %s, %s", a, b, c)
	}
}
