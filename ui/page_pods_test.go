package ui

import (
	"net/http"
	"strings"
	"testing"
)

func TestAPodSaysWhyItCountsWhereItDoes(t *testing.T) {
	h := New(newFake(), Options{})
	const pod = "coredns-5d78c9869d-x7k2p"
	at := "/pods?cluster=prod-eu&amp;namespace=kube-system&amp;pod=" + pod
	for _, page := range []string{servfailPath, dnsPath} {
		if got := body(t, h, page, http.StatusOK); page == servfailPath && !strings.Contains(got, at) {
			t.Errorf("%s has no link to %s", page, at)
		}
	}
	got := body(t, h, strings.ReplaceAll(at, "&amp;", "&"), http.StatusOK)
	for _, want := range []string{`value="` + pod + `"`, "<b>coredns</b>", "template hash", "certain", "ReplicaSet coredns-5d78c9869d", "worker-1", "41", "this page as JSON", "workload%3Dcoredns"} {
		if !strings.Contains(got, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if got := body(t, h, "/pods?pod=nobody", http.StatusOK); !strings.Contains(got, "No pod of this name") {
		t.Error("the page does not say that there is no such pod")
	}
	if got := body(t, h, "/pods", http.StatusOK); strings.Contains(got, "No pod of this name") {
		t.Error("the empty form says that there is no such pod")
	}
	var out struct {
		Data struct {
			Pods []struct {
				Workload, Why string
				Type          string `json:"workload_type"`
				Sure          bool
			}
		}
	}
	decode(t, h, "/api/v1/pods?pod="+pod, http.StatusOK, &out)
	if len(out.Data.Pods) != 1 || out.Data.Pods[0].Workload != "coredns" || out.Data.Pods[0].Type != "deployment" || !out.Data.Pods[0].Sure {
		t.Errorf("%+v", out)
	}
	body(t, h, "/api/v1/pods", http.StatusBadRequest)
	body(t, h, "/api/v1/pods?pod=nobody", http.StatusNotFound)
}
