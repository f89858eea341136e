//go:build unix

package store

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// cpu returns the processor time of this process: wall time says little on a shared machine with a slow disk.
func cpu() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// benchModels are 10,000 models of 900 bytes.
func benchModels(rng *rand.Rand) []pair {
	var list []pair
	for i := range 10_000 {
		list = append(list, pair{fmt.Sprintf("resources.memory_working_set~cluster=prod~namespace=ns%d~workload=w%d", i%50, i), randomBytes(rng, 900)})
	}
	return list
}

// BenchmarkCheckpoint saves 10,000 models of 900 bytes, all of them changed, and a section of 4 MB, half of it changed.
func BenchmarkCheckpoint(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	s := mustOpen(b, filepath.Join(b.TempDir(), "a.db"), Options{})
	list := benchModels(rng)
	stream := randomBytes(rng, 4<<20)
	n := uint64(0)
	start := cpu()
	for b.Loop() {
		n++
		for i := range list {
			list[i].data[n%900]++
		}
		for i := 0; i < len(stream)/2; i += 4096 {
			stream[i]++
		}
		if err := s.Save(Checkpoint{Pos: n, Sections: map[string][]byte{"stream": stream}, Models: models(list)}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(cpu()-start)/float64(b.N)/float64(len(list)), "cpu-ns/model")
	st := s.Stats()
	b.ReportMetric(float64(st.FileBytes)/1e6, "file-MB")
	b.ReportMetric(float64(st.ModelBytes+st.SectionBytes)/1e6, "live-MB")
}

// BenchmarkCheckpoint56k is a checkpoint of 56,000 models of 1,024 bytes and sections of 61 MB, as serve makes it: frozen, then saved. Of the
// models all have changed since the last, or each tenth by chance, or a tenth that lies together; the sections have changed with all of them,
// otherwise a tenth of their records.
func BenchmarkCheckpoint56k(b *testing.B) {
	const n = 56_000
	for _, c := range []struct {
		name    string
		changed func(i int) bool
		cut     int
	}{
		{"all", func(int) bool { return true }, 1},
		{"scattered10", func(i int) bool { return i*7919%10 == 0 }, 10},
		{"together10", func(i int) bool { return i < n/10 }, 10},
	} {
		b.Run(c.name, func(b *testing.B) {
			rng := rand.New(rand.NewPCG(1, 1))
			dir, err := os.MkdirTemp("/dev/shm", "bench56k") // the disk's speed is not the question
			if err != nil {
				b.Fatal(err)
			}
			defer os.RemoveAll(dir)
			s := mustOpen(b, dir+"/a.db", Options{})
			list := make([]pair, n)
			for i := range list {
				list[i] = pair{fmt.Sprintf("resources.memory_working_set~cluster=prod~namespace=ns%d~workload=w%d", i%50, i), randomBytes(rng, 1024)}
			}
			stream, verdicts := randomBytes(rng, 48<<20), randomBytes(rng, 13<<20)
			pos := uint64(0)
			save := func() {
				pos++
				for i := range list {
					if c.changed(i) {
						list[i].data[pos%1024]++
					}
				}
				for _, data := range [][]byte{stream, verdicts} {
					for i := 0; i < len(data)/c.cut; i += 4096 {
						data[i]++
					}
				}
				k := Checkpoint{Pos: pos, Sections: map[string][]byte{"stream": stream, "verdicts": verdicts}, Models: models(list)}
				frozenNow(&k)
				if err := s.Save(k); err != nil {
					b.Fatal(err)
				}
			}
			save()
			save()
			b.ReportAllocs()
			written, start := bytesWritten.Get(), cpu()
			for b.Loop() {
				save()
			}
			b.ReportMetric(float64(cpu()-start)/float64(b.N)/n, "cpu-ns/model")
			b.ReportMetric(float64(bytesWritten.Get()-written)/float64(b.N)/1e6, "MB-written/op")
			st := s.Stats()
			b.ReportMetric(float64(st.FileBytes)/float64(st.ModelBytes+st.SectionBytes), "file/live")
			s.Close()
		})
	}
}

// BenchmarkLoad reads back what BenchmarkCheckpoint saves.
func BenchmarkLoad(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	s := mustOpen(b, filepath.Join(b.TempDir(), "a.db"), Options{})
	list := benchModels(rng)
	if err := s.Save(Checkpoint{Pos: 1, Sections: map[string][]byte{"stream": randomBytes(rng, 4<<20)}, Models: models(list)}); err != nil {
		b.Fatal(err)
	}
	start := cpu()
	for b.Loop() {
		l, ok, err := s.Load()
		if err != nil || !ok {
			b.Fatal(ok, err)
		}
		n := 0
		for range l.Models {
			n++
		}
		if n != len(list) {
			b.Fatalf("%d models of %d", n, len(list))
		}
	}
	b.ReportMetric(float64(cpu()-start)/float64(b.N)/float64(len(list)), "cpu-ns/model")
}

// recorderPoints makes points of 1,100 signals for one minute after the other, from a table so that making them costs little.
type recorderPoints struct {
	ids   []string
	table [1440][]Point // by minute, then signal, as the fold meets them
}

func newRecorderPoints(n int) *recorderPoints {
	rng := rand.New(rand.NewPCG(3, 4))
	p := &recorderPoints{}
	for i := range n {
		p.ids = append(p.ids, fmt.Sprintf("rule.%d~cluster=prod~namespace=ns%d~workload=w%d", i%40, i%50, i))
		w := walker{rng: rng, level: 1 + float64(i), kind: i % 4} // a quarter of them are usually zero
		for m := range p.table {
			p.table[m] = append(p.table[m], w.point(epoch+int64(m)*60_000))
		}
	}
	return p
}

func (p *recorderPoints) add(r *Recorder, minute int64) {
	row := p.table[minute%1440]
	for i, id := range p.ids {
		row[i].T = epoch + minute*60_000
		r.Add(uint32(i), id, row[i])
	}
}

// BenchmarkRecorderAdd adds the points of 1,100 signals as history is read: fast, without checkpoints in between.
func BenchmarkRecorderAdd(b *testing.B) {
	p := newRecorderPoints(1100)
	s := mustOpen(b, filepath.Join(b.TempDir(), "a.db"), Options{})
	p.add(s.rec, 0)
	minute, n := int64(1), 0
	b.ReportAllocs()
	start := cpu()
	for b.Loop() {
		if n == len(p.ids) {
			n = 0
			minute++
		}
		q := &p.table[minute%1440][n]
		q.T = epoch + minute*60_000
		s.rec.Add(uint32(n), p.ids[n], *q)
		n++
	}
	b.ReportMetric(float64(cpu()-start)/float64(b.N), "cpu-ns/op")
}

// BenchmarkTwoWeeks feeds two weeks of 1,100 signals with a checkpoint every 6 hours of them, then lives on for two hours with one
// a minute. It reports all CPU by Add, what the file takes, and what a minute's save writes.
func BenchmarkTwoWeeks(b *testing.B) {
	p := newRecorderPoints(1100)
	for b.Loop() {
		s := mustOpen(b, filepath.Join(b.TempDir(), "a.db"), Options{})
		start, wall := cpu(), time.Now()
		minute := int64(0)
		for ; minute < 15*1440; minute++ {
			p.add(s.rec, minute)
			if minute%360 == 0 {
				if err := s.Save(Checkpoint{Pos: 1}); err != nil {
					b.Fatal(err)
				}
			}
		}
		if err := s.Save(Checkpoint{Pos: 1}); err != nil {
			b.Fatal(err)
		}
		adds := float64(minute) * float64(len(p.ids))
		b.ReportMetric(float64(cpu()-start)/adds, "cpu-ns/add")
		b.ReportMetric(time.Since(wall).Seconds(), "s-wall")
		st := s.Stats()
		b.ReportMetric(float64(st.FileBytes)/1e6, "file-MB")
		b.ReportMetric(float64(st.HistoryBytes)/1e6, "history-MB")
		written := bytesWritten.Get()
		start = cpu()
		for m := range int64(120) {
			p.add(s.rec, minute+m)
			if err := s.Save(Checkpoint{Pos: uint64(m)}); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(bytesWritten.Get()-written)/120e3, "kB-written/minute")
		b.ReportMetric(float64(cpu()-start)/120e6, "cpu-ms/minute")
		st = s.Stats()
		b.ReportMetric(float64(st.FileBytes)/1e6, "file-MB-later")
		var mem runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&mem)
		b.ReportMetric(float64(mem.HeapAlloc)/1e6, "heap-MB")
		s.Close()
	}
}

// BenchmarkRange15d reads one signal of 1,100 over fifteen days, from a file whose pages are in memory.
func BenchmarkRange15d(b *testing.B) {
	p := newRecorderPoints(1100)
	s := mustOpen(b, filepath.Join(b.TempDir(), "a.db"), Options{})
	minute := int64(0)
	for ; minute < 15*1440; minute++ {
		p.add(s.rec, minute)
	}
	if err := s.Save(Checkpoint{Pos: 1}); err != nil {
		b.Fatal(err)
	}
	now := epoch + minute*60_000
	for _, c := range []struct {
		name string
		from int64
	}{{"15d", now - 15*86400e3}, {"48h", now - 47*3600e3}, {"6h", now - 6*3600e3}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			i, n := 0, 0
			for b.Loop() {
				pts, _, err := s.rec.Range(p.ids[i%len(p.ids)], c.from, now, 800)
				if err != nil {
					b.Fatal(err)
				}
				n = len(pts)
				i++
			}
			b.ReportMetric(float64(n), "points")
		})
	}
}

// BenchmarkLargeCluster lives for two hours with 80,000 signals and a checkpoint of history a minute. It reports what a minute costs
// and the longest time that collecting for a save, and so an Add, has waited.
func BenchmarkLargeCluster(b *testing.B) {
	const signals = 80_000
	rng := rand.New(rand.NewPCG(3, 4))
	ids := make([]string, signals)
	walkers := make([]walker, signals)
	for i := range ids {
		ids[i] = fmt.Sprintf("rule.%d~cluster=prod~namespace=ns%d~workload=w%d", i%40, i%50, i)
		walkers[i] = walker{rng: rng, level: 1 + float64(i), kind: i % 4}
	}
	for b.Loop() {
		path := filepath.Join(b.TempDir(), "a.db")
		s := mustOpen(b, path, Options{})
		written := bytesWritten.Get()
		var save time.Duration
		for m := range int64(120) {
			for i, id := range ids {
				s.rec.Add(uint32(i), id, walkers[i].point(epoch+m*60_000))
			}
			start := cpu()
			if err := s.Save(Checkpoint{Pos: uint64(m)}); err != nil {
				b.Fatal(err)
			}
			save += cpu() - start
		}
		b.ReportMetric(float64(save.Milliseconds())/120, "cpu-ms/save")
		b.ReportMetric(float64(bytesWritten.Get()-written)/120e6, "MB-written/minute")
		b.ReportMetric(float64(s.Stats().FileBytes)/1e6, "file-MB")
		start := time.Now()
		s.rec.settle(s.rec.collect(), false)
		b.ReportMetric(float64(time.Since(start).Microseconds())/1000, "ms-collect")
		var mem runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&mem)
		b.ReportMetric(float64(mem.HeapAlloc)/signals, "heap-B/signal")
		s.Close()
		start = time.Now()
		s = mustOpen(b, path, Options{})
		b.ReportMetric(float64(time.Since(start).Milliseconds()), "ms-open")
		s.Close()
	}
}
