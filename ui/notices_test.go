package ui

import (
	"math"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/baseline/model/trial"
)

func TestNoticeFacts(t *testing.T) {
	nan := math.NaN()
	got := noticeFacts([]trial.Notice{{WithinMs: 15 * 60_000, Up: 96, Down: 90}, {WithinMs: 3_600_000, Up: nan, Down: nan}, {WithinMs: 86_400_000, Up: nan, Down: 30}}, 300, "/s")
	var lines []string
	for _, f := range got {
		lines = append(lines, f.Name+": "+f.Value)
	}
	want := "Notices within 15 min: +96 /s (+32 %) or -90 /s (-30 %)\nNotices within 1 h: nothing\nNotices within 1 d: -30 /s (-10 %)"
	if s := strings.Join(lines, "\n"); s != want {
		t.Errorf("got\n%s\nwant\n%s", s, want)
	}
	if got := noticeFacts([]trial.Notice{{WithinMs: 60_000, Up: .02, Down: nan}}, .05, "ratio"); !strings.Contains(got[0].Value, "+2 ") || strings.Contains(got[0].Value, "(") {
		t.Errorf("a share: %q", got[0].Value)
	}
}
