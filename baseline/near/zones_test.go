package near_test

import (
	"archive/zip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wrackline/wrackline/baseline/near"
)

// TestZones holds the list of time zones to Go's own: each name is one, and none is missing.
func TestZones(t *testing.T) {
	b, err := os.ReadFile("zones.txt")
	if err != nil {
		t.Fatal(err)
	}
	names := strings.Fields(string(b))
	for _, n := range names {
		if _, err := time.LoadLocation(n); err != nil {
			t.Errorf("%s: %v", n, err)
		}
	}
	z, err := zip.OpenReader(filepath.Join(runtime.GOROOT(), "lib", "time", "zoneinfo.zip"))
	if err != nil {
		t.Skipf("Go's zones are not here: %v", err)
	}
	defer z.Close()
	var want []string
	for _, f := range z.File {
		if !strings.HasSuffix(f.Name, "/") {
			want = append(want, f.Name)
		}
	}
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Errorf("%d zones in zones.txt, %d in Go's", len(names), len(want))
	}
	for word, meant := range map[string]string{"Europe/Berlni": "Europe/Berlin", "berlin": "Europe/Berlin", "europe/berlin": "Europe/Berlin", "America/NewYork": "America/New_York", "Uct": "UCT"} {
		if got := near.Zone(word); got != "; did you mean \""+meant+"\"?" {
			t.Errorf("%s: %s", word, got)
		}
	}
	if got := near.Zone("the office"); !strings.Contains(got, "Europe/Berlin") {
		t.Error(got)
	}
}

func TestDuration(t *testing.T) {
	for text, want := range map[string]string{"90": "90s", "15 days": "15d", "4hours": "4h", "1.5 hr": "1.5h", "90s": "", "soon": "", "": "", "10parsecs": "", strings.Repeat("9", 50): ""} {
		if want != "" {
			want = "; did you mean " + want + "?"
		}
		if got := near.Duration(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
