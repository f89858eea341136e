package ingest

// Messages that ask for far more than they hold, and those that end too early.

import (
	"bytes"
	"net/http/httptest"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestEveryTruncationIs400 cuts a real body, and a real message, at every byte.
func TestEveryTruncationIs400(t *testing.T) {
	for _, c := range []struct {
		typ string
		raw []byte
	}{{typeV1, marshal(t, kubernetesV1(6))}, {typeV2, marshal(t, kubernetesV2(6))}} {
		m := &memory{}
		h := handler(m, Options{})
		for name, whole := range map[string][]byte{"snappy": snap(c.raw), "zstd": zst(c.raw)} {
			for n := range whole {
				if w := post(h, whole[:n], "Content-Type", c.typ, "Content-Encoding", name); w.Code != 400 {
					t.Fatalf("%s %s cut at %d of %d: %d", c.typ, name, n, len(whole), w.Code)
				}
			}
		}
		for n := 1; n < len(c.raw); n++ {
			m.names = nil
			w := post(h, snap(c.raw[:n]), "Content-Type", c.typ)
			got := written(w.Header())
			// A message that ends between two fields is one that holds less; all others are refused.
			if w.Code != 204 && w.Code != 400 || w.Code == 204 && c.typ == typeV2 && got[0] != len(m.names) {
				t.Fatalf("%s message cut at %d of %d: %d, written %v", c.typ, n, len(c.raw), w.Code, got)
			}
			if w.Code == 204 && !boundary(c.raw, n) {
				t.Fatalf("%s message cut within a field at %d was taken", c.typ, n)
			}
		}
	}
}

// boundary reports whether a top-level field ends at n.
func boundary(b []byte, n int) bool {
	i := 0
	for i < n {
		i = readField(b, i).hi
	}
	return i == n
}

// bomb is a message that asks for far more memory than it has bytes.
type bomb struct {
	name, typ string
	raw       []byte
}

func bombs() []bomb {
	const size = 2 << 20
	rep := func(b ...byte) []byte { return bytes.Repeat(b, size/len(b)) }
	wrap := func(tag byte, inner []byte) []byte {
		out := []byte{tag}
		n := len(inner)
		for ; n >= 0x80; n >>= 7 {
			out = append(out, byte(n)|0x80)
		}
		return append(append(out, byte(n)), inner...)
	}
	label := []byte{0x0a, 0x06, 0x0a, 0x01, 'a', 0x12, 0x01, 'b'}
	sample := []byte{0x12, 0x00}
	good := append([]byte{0x12, 7, 0x10}, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20)
	return []bomb{
		{"empty series", typeV1, rep(0x0a, 0)},
		{"empty series 2.0", typeV2, rep(0x2a, 0)},
		{"empty symbols", typeV2, rep(0x22, 0)},
		{"empty metadata", typeV1, rep(0x1a, 0)},
		{"series of empty labels", typeV1, wrap(0x0a, append(rep(0x0a, 0), good...))},
		{"series of empty samples", typeV1, wrap(0x0a, append(bytes.Clone(label), rep(sample...)...))},
		{"series of small samples", typeV1, wrap(0x0a, append(bytes.Clone(label), rep(good...)...))},
		{"series of empty histograms", typeV1, wrap(0x0a, append(bytes.Clone(label), rep(0x22, 0)...))},
		{"series of small histograms", typeV1, wrap(0x0a, append(bytes.Clone(label), rep(0x22, 7, 0x78, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20)...))},
		{"series of empty exemplars", typeV1, wrap(0x0a, append(bytes.Clone(label), rep(0x1a, 0)...))},
		{"series of empty exemplars 2.0", typeV2, append([]byte{0x22, 0}, wrap(0x2a, rep(0x22, 0))...)},
		{"series of references", typeV2, append([]byte{0x22, 0}, wrap(0x2a, wrap(0x0a, rep(0)))...)},
		{"series of unpacked references", typeV2, append([]byte{0x22, 0}, wrap(0x2a, rep(0x08, 0))...)},
		{"histogram of empty spans", typeV1, wrap(0x0a, append(bytes.Clone(label), wrap(0x22, rep(0x5a, 0))...))},
		{"histogram of deltas", typeV1, wrap(0x0a, append(bytes.Clone(label), wrap(0x22, wrap(0x62, rep(0)))...))},
		{"unknown fields", typeV1, rep(0x78, 0)},
	}
}

// cpuTime returns what this process has used.
func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestBombs: each is answered 400 at once, for little memory. prompb takes a gigabyte and seconds for some of them.
func TestBombs(t *testing.T) {
	for _, c := range bombs() {
		for _, e := range []Encoding{Snappy, Zstd} {
			body := compress(e, c.raw)
			// CPU time, the best of three: other work on the machine is none of the decoder's.
			var w *httptest.ResponseRecorder
			took, alloc := time.Hour, uint64(0)
			for range 3 {
				h := handler(&memory{}, Options{})
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				begin := cpuTime(t)
				w = post(h, body, "Content-Type", c.typ, "Content-Encoding", e.String())
				took = min(took, cpuTime(t)-begin)
				runtime.ReadMemStats(&after)
				// The decompressed message, the structures, what growing left behind, and what pools and recorder take at first.
				alloc = max(alloc, after.TotalAlloc-before.TotalAlloc)
			}
			if w.Code != 400 && c.name != "empty metadata" || took > 100*time.Millisecond && !raceEnabled || alloc > 10*uint64(len(c.raw)) {
				t.Errorf("%s, %s (%d bytes on the wire): %d %s in %v with %.1f MB allocated for a message of %.1f MB",
					c.name, e, len(body), w.Code, w.Body, took, float64(alloc)/1e6, float64(len(c.raw))/1e6)
			}
			t.Logf("%s, %s: %d B wire, %v, %.2f × the message allocated, %d", c.name, e, len(body), took, float64(alloc)/float64(len(c.raw)), w.Code)
		}
	}
}

// TestLyingHeaders: what a header announces is not believed beyond what the body can hold.
func TestLyingHeaders(t *testing.T) {
	for name, body := range map[string][]byte{
		"snappy": append([]byte{0x80, 0x80, 0x80, 0x10}, make([]byte, 30)...),              // 32 MiB
		"zstd":   {0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0x00, 0x00, 0x00, 0x02, 0x01, 0x00, 0x00}, // 32 MiB in one segment
		"zstd64": {0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x00, 0x00},
	} {
		var before, after runtime.MemStats
		h := handler(&memory{}, Options{})
		runtime.ReadMemStats(&before)
		w := post(h, body, "Content-Encoding", strings.TrimSuffix(name, "64"))
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; w.Code != 400 || n > 2<<20 {
			t.Errorf("%s: %d %s, %d bytes allocated", name, w.Code, w.Body, n)
		}
	}
}
