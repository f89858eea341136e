package main

import (
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/wrackline/wrackline/"

// mayImport says what each room of the house may import of ours. Whoever needs another arrow changes ARCHITECTURE.md too.
var mayImport = map[string][]string{
	"baseline/series":              {},
	"baseline/near":                {},
	"baseline/form":                {"baseline/near"},
	"baseline/codec":               {"baseline/series"},
	"baseline/model/curve":         {},
	"baseline/model/field":         {},
	"baseline/model/habit":         {},
	"baseline/model/trend":         {},
	"baseline/model/extreme":       {},
	"baseline/model/counts":        {},
	"baseline/model/budget":        {},
	"baseline/model/tail":          {},
	"baseline/model/ledger":        {},
	"baseline/model/ring":          {},
	"baseline/model/trial":         {"baseline/model"},
	"baseline/model":               {"baseline/model/counts", "baseline/model/curve", "baseline/model/field", "baseline/model/extreme", "baseline/model/habit", "baseline/model/ledger", "baseline/model/ring", "baseline/model/tail", "baseline/model/trend"},
	"baseline/promql":              {"baseline/series", "baseline/codec"},
	"baseline/promql/oracle":       {"baseline/series", "baseline/promql"},
	"baseline/identity":            {"baseline/series", "baseline/codec", "baseline/promql"},
	"baseline/change":              {"baseline/series", "baseline/codec", "baseline/identity"},
	"baseline/pack":                {"baseline/form", "baseline/near", "baseline/series", "baseline/model", "baseline/promql", "baseline/identity", "baseline/change"},
	"baseline/room":                {},
	"baseline/asked":               {"baseline/codec", "baseline/promql"},
	"baseline/replica":             {"baseline/series", "baseline/codec"},
	"baseline/spelling":            {"baseline/series", "baseline/codec", "baseline/replica"},
	"baseline/tally":               {"baseline/codec", "baseline/pack"},
	"baseline/twin":                {"baseline/series", "baseline/codec", "baseline/identity"},
	"baseline/birth":               {"baseline/codec"},
	"baseline/window":              {"baseline/series", "baseline/codec", "baseline/promql"},
	"baseline/route":               {"baseline/series", "baseline/codec", "baseline/identity"},
	"baseline/sender":              {"baseline/series", "baseline/codec", "baseline/room", "baseline/spelling", "baseline/tally"},
	"baseline/signal":              {"baseline/series", "baseline/codec", "baseline/promql", "baseline/room", "baseline/asked", "baseline/birth", "baseline/replica", "baseline/spelling", "baseline/tally", "baseline/sender", "baseline/twin", "baseline/window", "baseline/identity", "baseline/change", "baseline/pack"},
	"baseline/coverage":            {"baseline/pack"},
	"baseline/sizes":               {"baseline/series", "baseline/codec"},
	"baseline/store/pages":         {},
	"baseline/store/disk":          {},
	"baseline/store/disk/disktest": {},
	"baseline/store/packs":         {"baseline/codec"},
	"baseline/store/rows":          {"baseline/codec", "baseline/model"},
	"baseline/store/tiers":         {"baseline/codec", "baseline/model", "baseline/store/rows"},
	"baseline/store":               {"baseline/codec", "baseline/model", "baseline/store/pages", "baseline/store/disk", "baseline/store/packs", "baseline/store/rows", "baseline/store/tiers"},
	"baseline":                     {"baseline/series", "baseline/codec", "baseline/route", "baseline/room", "baseline/model", "baseline/model/budget", "baseline/model/trial", "baseline/identity", "baseline/change", "baseline/pack", "baseline/signal", "baseline/sizes", "baseline/store"},
	"baseline/packtest":            {"baseline/series", "baseline/model", "baseline/pack", "baseline/signal", "baseline"},
	"baseline/wire":                {"baseline/series"},
	"baseline/scenario":            {"baseline/series", "baseline/wire"},
	"baseline/crowd":               {"baseline/series", "baseline/wire"},
	"baseline/eval":                {"baseline/model", "baseline/model/budget"},
	"ingest/journal":               {"baseline/codec"},
	"ingest/journal/logtest":       {"ingest/journal"},
	"ingest":                       {"baseline/series", "ingest/journal"},
	"ingest/history":               {"baseline/series"},
	"ingest/history/past":          {"baseline/series"},
	"alerting":                     {"baseline/series", "baseline/codec", "baseline/model", "baseline/change", "baseline/pack", "baseline/signal", "baseline", "alerting/act"},
	"alerting/route":               {"baseline/near"},
	"alerting/act":                 {"baseline/form", "baseline/series", "baseline/codec", "alerting/route"},
	"alerting/notify":              {"baseline/near", "baseline/codec", "baseline/model", "baseline/pack", "alerting", "alerting/route"},
	"alerting/peer":                {"alerting/act", "alerting/notify"},
	"ui":                           {"baseline/near", "baseline/series", "baseline/model", "baseline/model/trial", "baseline/identity", "baseline/change", "baseline/pack", "baseline/signal", "baseline/sizes", "baseline/coverage", "baseline", "alerting", "alerting/act", "alerting/route"},
	"ui/uitest":                    {},
	"web":                          {"baseline/form"},
	"query/boards":                 {},
	"query":                        {"baseline/series", "baseline/model", "baseline", "alerting"},
}

// testRooms serve tests alone: no row above lists them, and the doors are open to them.
var testRooms = []string{"baseline/promql/oracle", "ingest/history/past"}

// doors says which packages may import a third-party module outside of tests.
var doors = map[string][]string{
	"github.com/prometheus/prometheus/prompb": {"ingest", "ingest/history"},
	"github.com/golang/snappy":                {"ingest", "ingest/history", "baseline/wire"},
	"github.com/gin-gonic/gin":                {"ui", "cmd/wrackline"},
	"go.etcd.io/bbolt":                        {"baseline/store", "alerting/notify", "cmd/wrackline"},
	"github.com/goccy/go-yaml":                {"baseline/form", "baseline/pack", "alerting/act", "cmd/wrackline"},
	"github.com/prometheus/prometheus/tsdb":   {"query", "ingest/history"}, // chunks and chunkenc alone: how samples are packed, and the words that the engine reads them in
	"github.com/prometheus/prometheus/web":    {},
	"github.com/prometheus/prometheus/promql": {"baseline/promql", "query"}, // all but query its parser alone, see below
	"github.com/chromedp/chromedp":            {"ui/uitest"},
	"github.com/prometheus/exporter-toolkit":  {"web"},
}

// TestImports holds the arrows of ARCHITECTURE.md.
func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-tags", "nomsgpack", "-f", `{{.ImportPath}}:{{join .Imports " "}}`, module+"...").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		pkg, imports, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok {
			continue
		}
		room := strings.TrimPrefix(pkg, module)
		if strings.HasPrefix(room, "cmd/") {
			continue
		}
		allowed, known := mayImport[room]
		if !known {
			t.Errorf("package %s has no row in mayImport: say what it may import, and what it is for in ARCHITECTURE.md", room)
			continue
		}
		for imp := range strings.FieldsSeq(imports) {
			if ours, is := strings.CutPrefix(imp, module); is && !contains(allowed, ours) {
				t.Errorf("%s imports %s", room, ours)
			}
			for door, rooms := range doors {
				if imp != door && !strings.HasPrefix(imp, door+"/") || contains(testRooms, room) {
					continue
				}
				if !contains(rooms, room) {
					t.Errorf("%s imports %s, which belongs to %v", room, imp, rooms)
				}
				if door == "github.com/prometheus/prometheus/promql" && room != "query" && !strings.HasPrefix(imp, door+"/parser") {
					t.Errorf("%s imports %s: the engine answers questions about what is kept, and judges nothing", room, imp)
				}
			}
		}
	}
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}
