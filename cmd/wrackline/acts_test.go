package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/wrackline/wrackline/baseline/crowd"
	"github.com/wrackline/wrackline/baseline/scenario"
	"github.com/wrackline/wrackline/baseline/store"
)

// TestActsAreInBothGenerations forgets a cluster, of which the journal says nothing: whichever file is lost then, it stays forgotten.
func TestActsAreInBothGenerations(t *testing.T) {
	cfg, err := loadConfig(file(t, "w.yml", ""))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	a, err := openApp(cfg, dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	a.stopOutbox = func() {}
	a.ready.Store(true)
	w, err := crowd.New(crowd.Config{Clusters: 2, Series: 2_000, Signals: 200})
	if err != nil {
		t.Fatal(err)
	}
	var q crowd.Request
	for at := int64(scenario.Epoch); at < scenario.Epoch+5*60_000; at += 30_000 {
		for r := range w.Requests() {
			w.Fill(&q, r, at, at+5)
			a.engine.Apply(&q.Batch, 0)
		}
	}
	for range 2 {
		if err := a.checkpoint(); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(a.engine.Stats().Clusters); n != 2 {
		t.Fatalf("%d clusters", n)
	}
	gone := a.engine.Stats().Clusters[0].Name
	if err := a.forget(gone); err != nil {
		t.Fatal(err)
	}
	a.journal.Close()
	a.store.Close()
	for _, lost := range []string{"wrackline.db", store.TwinName} {
		at := t.TempDir()
		if err := os.CopyFS(at, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(at, lost)); err != nil {
			t.Fatal(err)
		}
		b, err := openApp(cfg, at, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if st := b.engine.Stats().Clusters; len(st) != 1 || st[0].Name == gone {
			t.Errorf("without %s there are %+v", lost, st)
		}
		b.journal.Close()
		b.store.Close()
	}
}
