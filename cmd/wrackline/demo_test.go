package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/ui/uitest"
)

// TestDemoFindsTheFoundingStory is the README's first promise, seen as its reader sees it: the demo learns, a CoreDNS replica gets no
// queries, an incident opens whose first mover is a DNS signal, the message is on the receivers page, and it ends with a
// closing word. While the incident is open a browser walks through the pages.
//
// WRACKLINE_SHOTS names a directory for pictures of every page; make screenshot puts one of them into the README.
func TestDemoFindsTheFoundingStory(t *testing.T) {
	if testing.Short() {
		t.Skip("takes two minutes")
	}
	t.Parallel()
	p := start(t, "demo", "--storage.path", filepath.Join(t.TempDir(), "demo"), "--web.listen-address", "127.0.0.1:0",
		"--history", demoTestHistory(), "--speed", "20", "--fault", "coredns_blackhole@30s+25m")
	var list struct {
		Data struct {
			Incidents []apiIncident `json:"incidents"`
		} `json:"data"`
	}
	var id string
	await(t, "an open incident", func() bool {
		p.json("/api/v1/incidents?state=open", &list)
		for _, i := range list.Data.Incidents {
			if strings.HasPrefix(i.FirstMover, "dns.") {
				id = i.ID
			}
		}
		return id != ""
	})
	await(t, "its message on the receivers page", func() bool { return strings.Contains(p.get("/receivers"), "/incidents/"+id) })

	shots := os.Getenv("WRACKLINE_SHOTS")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	switch err := uitest.Walk(ctx, p.url, shots); {
	case errors.Is(err, uitest.ErrNoBrowser):
		t.Log("no browser walk: chromium is not installed (apt-get install chromium)")
	case err != nil:
		t.Errorf("browser walk: %v", err)
	case shots != "":
		if err := uitest.Screenshot(ctx, p.url+"/incidents/"+id, filepath.Join(shots, "incident.png"), uitest.View{Width: 1280, Height: 1000}); err != nil {
			t.Error(err)
		}
	}

	await(t, "the incident is resolved", func() bool {
		p.json("/api/v1/incidents", &list)
		for _, i := range list.Data.Incidents {
			if i.ID == id && i.Resolved != 0 {
				return true
			}
		}
		return false
	})
	await(t, "the closing word", func() bool { return strings.Contains(strings.ToLower(p.get("/receivers")), "resolved") })
	p.stop()
}

// demoTestHistory is what a demo of the tests learns: enough for every band to be narrow, less under the race detector.
func demoTestHistory() string {
	if underRace {
		return "30h"
	}
	return "96h"
}
