package ui

import (
	"strings"
	"testing"
)

// The self-test refuses what is no number of signals, and answers with an empty report while there is nothing.
func TestSelfTestAPI(t *testing.T) {
	h := New(&fake{}, Options{})
	for path, want := range map[string]int{"/api/v1/selftest?signals=many": 400, "/api/v1/selftest?signals=5001": 400, "/api/v1/selftest": 200} {
		if r := get(t, h, path); r.Code != want || want == 200 && !strings.Contains(r.Body.String(), `"of":0`) {
			t.Errorf("%s: %d %s", path, r.Code, r.Body)
		}
	}
}
