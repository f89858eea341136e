package ui

import (
	"net/http"
	"os"
	"testing"
	"time"
)

// TestServeByHand serves the fake cluster for a person who works on the pages:
//
//	WRACKLINE_UI=127.0.0.1:9098 go test -tags nomsgpack -run TestServeByHand -timeout 0 ./ui
func TestServeByHand(t *testing.T) {
	addr := os.Getenv("WRACKLINE_UI")
	if addr == "" {
		t.Skip("WRACKLINE_UI names no address to serve on")
	}
	srv := &http.Server{Addr: addr, Handler: New(newFake(), Options{Version: "dev", Demo: true}), ReadHeaderTimeout: 5 * time.Second}
	t.Fatal(srv.ListenAndServe())
}
