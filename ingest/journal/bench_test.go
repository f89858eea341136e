package journal

import "testing"

func BenchmarkJournalAppend(b *testing.B) {
	j, err := Open(b.TempDir(), Options{MaxBytes: 1 << 40})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	r := Record{ReceivedMs: 1, Sender: "10.0.0.1", Cluster: "prod", Proto: 1, Encoding: 1, Body: make([]byte, 60_000)}
	b.SetBytes(60_000)
	b.ReportAllocs()
	for b.Loop() {
		pos, err := j.Append(r)
		if err != nil {
			b.Fatal(err)
		}
		if pos%512 == 0 {
			if err := j.Drop(pos); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkJournalReplay reads 500 requests of 60 kB back.
func BenchmarkJournalReplay(b *testing.B) {
	const records, size = 500, 60_000
	j, err := Open(b.TempDir(), Options{Sync: "off"})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	for range records {
		if _, err := j.Append(Record{ReceivedMs: 1, Sender: "10.0.0.1", Cluster: "prod", Proto: 1, Encoding: 1, Body: make([]byte, size)}); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(records * size)
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		if err := j.Replay(0, func(uint64, Record) error { n++; return nil }); err != nil || n != records {
			b.Fatal(n, err)
		}
	}
}
