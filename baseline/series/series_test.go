package series

import (
	"errors"
	"math"
	"strings"
	"testing"
)

// TestCanonicalSortsAndDropsEmptyValues holds what the whole engine relies on: sorted, unique, no empty values.
func TestCanonicalSortsAndDropsEmptyValues(t *testing.T) {
	got, err := Canonical(Labels{{"pod", "a-0"}, {"__name__", "up"}, {"empty", ""}, {"job", "x"}})
	if err != nil || got.String() != `up{job="x",pod="a-0"}` {
		t.Errorf("Canonical = %s, %v", got, err)
	}
	if got.Get("pod") != "a-0" || got.Get("empty") != "" || got.Get("none") != "" {
		t.Errorf("Get: %q %q %q", got.Get("pod"), got.Get("empty"), got.Get("none"))
	}
}

// TestCanonicalRefusesWhatNoSenderMaySend lists the faults of a client.
func TestCanonicalRefusesWhatNoSenderMaySend(t *testing.T) {
	name := Label{NameLabel, "up"}
	many := Labels{name}
	for i := range LabelsMax {
		many = append(many, Label{"l" + strings.Repeat("x", i), "v"})
	}
	for _, c := range []struct {
		what string
		l    Labels
		want error
	}{
		{"no labels", nil, ErrNoName},
		{"no name", Labels{{"job", "x"}}, ErrNoName},
		{"empty name", Labels{{NameLabel, ""}}, ErrNoName},
		{"a label without a name", Labels{name, {"", "x"}}, ErrEmptyLabelName},
		{"a label twice, apart", Labels{{"job", "x"}, name, {"job", "y"}}, ErrDuplicateLabel},
		{"a label twice, together", Labels{name, {"job", "x"}, {"job", "x"}}, ErrDuplicateLabel},
		{"a label twice, once empty", Labels{name, {"job", ""}, {"job", "x"}}, ErrDuplicateLabel},
		{"bad UTF-8 in a value", Labels{name, {"job", "\xff"}}, ErrInvalidUTF8},
		{"bad UTF-8 in a name", Labels{name, {"j\xff", "x"}}, ErrInvalidUTF8},
		{"a long name", Labels{name, {strings.Repeat("n", LabelNameMax+1), "x"}}, ErrLabelLimit},
		{"a long value", Labels{name, {"job", strings.Repeat("v", LabelValueMax+1)}}, ErrLabelLimit},
		{"too many labels", many, ErrLabelLimit},
	} {
		if got, err := Canonical(append(Labels(nil), c.l...)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, %v; want %v", c.what, got, err, c.want)
		}
	}
}

// TestStaleIsOneNaNAmongMany holds that only the stale marker ends a series.
func TestStaleIsOneNaNAmongMany(t *testing.T) {
	if !IsStale(StaleNaN) || IsStale(math.NaN()) || IsStale(0) || IsStale(math.Inf(1)) {
		t.Error("IsStale confuses the stale marker with other values")
	}
}

// TestStringEscapes holds that a label value cannot end its quotes.
func TestStringEscapes(t *testing.T) {
	if got, want := (Labels{{NameLabel, "m"}, {"a", "x\"y\\z\n"}}).String(), `m{a="x\"y\\z\n"}`; got != want {
		t.Errorf("String = %s, want %s", got, want)
	}
}

// An id has a bound, is still of its labels alone, and is not cut within an escape.
func TestLongIDs(t *testing.T) {
	seen := map[string]bool{}
	for n := range 200 {
		for _, fill := range []string{"n", "ü", "\x00"} {
			for _, last := range []string{"a", "b"} {
				l := Labels{{"cluster", "eu"}, {"namespace", strings.Repeat(fill, 900+n) + last}, {"workload", "w"}}
				id := l.ID("wl.cpu_cores")
				if len(id) > IDMax || seen[id] || id != l.ID("wl.cpu_cores") || !strings.HasPrefix(id, "wl.cpu_cores~cluster=eu~namespace=") {
					t.Fatalf("%d × %q: id of %d bytes, taken before: %v: %s", 900+n, fill, len(id), seen[id], id)
				}
				seen[id] = true
				head, _, cut := strings.Cut(id, idCut)
				if !cut {
					continue
				}
				for i := range head {
					if head[i] == '!' && i+2 >= len(head) {
						t.Fatalf("cut within an escape: …%s", id[len(id)-60:])
					}
				}
			}
		}
	}
}
