package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestCoverageCommand asks a server as the command does, and mistakes are told before anybody is asked.
func TestCoverageCommand(t *testing.T) {
	var asked []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.RequestURI())
		if r.URL.Query().Get("output") == "json" {
			_, _ = w.Write([]byte(`{"status":"success","data":{"clusters":[]}}`))
			return
		}
		_, _ = w.Write([]byte("as it is\n"))
	}))
	defer srv.Close()
	run := func(args ...string) (int, string, string) {
		var out, errs bytes.Buffer
		code := mainCode(t.Context(), env{stdout: &out, stderr: &errs}, append([]string{"coverage", "--server", srv.URL}, args...))
		return code, out.String(), errs.String()
	}
	if code, out, errs := run("--cluster", "a b"); code != exitOK || out != "as it is\n" || asked[0] != "/api/v1/coverage?cluster=a+b&output=table" {
		t.Errorf("%d, %q, %q, asked %v", code, out, errs, asked)
	}
	if code, out, _ := run("--output", "json"); code != exitOK || out != "{\"clusters\":[]}\n" {
		t.Errorf("%d, %q", code, out)
	}
	before := len(asked)
	for _, args := range [][]string{{"--output", "csv"}, {"--nonsense"}, {"--server", "nowhere"}} {
		if code, _, errs := run(args...); code != exitUsage || errs == "" || strings.Contains(errs, "panic") {
			t.Errorf("%v: %d, %q", args, code, errs)
		}
	}
	if len(asked) != before {
		t.Errorf("asked in vain: %v", asked[before:])
	}
}
