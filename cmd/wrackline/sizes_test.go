package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestSizesCommand asks a server as the command does, and mistakes are told before anybody is asked.
func TestSizesCommand(t *testing.T) {
	var asked []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.RequestURI())
		switch {
		case r.URL.Query().Get("namespace") == "bad":
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"status":"error","errorType":"bad_data","error":"no such thing"}`))
		case r.URL.Query().Get("output") == "json":
			_, _ = w.Write([]byte(`{"status":"success","data":{"total":1}}`))
		default:
			_, _ = w.Write([]byte("as it is\n"))
		}
	}))
	defer srv.Close()
	run := func(args ...string) (int, string, string) {
		var out, errs bytes.Buffer
		code := mainCode(t.Context(), env{stdout: &out, stderr: &errs}, append([]string{"sizes", "--server", srv.URL}, args...))
		return code, out.String(), errs.String()
	}
	if code, out, errs := run(); code != exitOK || out != "as it is\n" || asked[0] != "/api/v1/sizes?output=table" {
		t.Errorf("%d, %q, %q, asked %v", code, out, errs, asked)
	}
	if code, out, _ := run("--namespace", "shop", "--sort", "risk", "--output", "json"); code != exitOK || out != "{\"total\":1}\n" || asked[1] != "/api/v1/sizes?namespace=shop&output=json&sort=risk" {
		t.Errorf("%d, %q, asked %v", code, out, asked)
	}
	if code, out, errs := run("--namespace", "bad"); code != exitFailure || out != "" || !strings.Contains(errs, "no such thing") {
		t.Errorf("%d, %q, %q", code, out, errs)
	}
	before := len(asked)
	for _, args := range [][]string{{"--output", "xml"}, {"--sort", "size"}, {"--nonsense"}} {
		if code, _, errs := run(args...); code != exitUsage || errs == "" {
			t.Errorf("%v: %d, %q", args, code, errs)
		}
	}
	if len(asked) != before {
		t.Errorf("asked in vain: %v", asked[before:])
	}
}
