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
