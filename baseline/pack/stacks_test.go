package pack

import (
	"slices"
	"testing"
)

// Every metric that is asked for has a program that exports it, and every program is one.
func TestStacksKnowEveryMetric(t *testing.T) {
	packs, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	stacks, err := Stacks()
	if err != nil {
		t.Fatal(err)
	}
	f, _ := readStacks()
	var names []string
	for _, s := range f.Software {
		names = append(names, s.Name)
	}
	keep := KeepList(packs)
	for _, m := range keep {
		if SoftwareOf(m) == nil {
			t.Errorf("nobody exports %s: add a line to stacks.yaml", m)
		}
	}
	for _, s := range stacks {
		for _, x := range s.Scrapes {
			if !slices.Contains(names, x) {
				t.Errorf("%s scrapes %q, which is no software", s.Name, x)
			}
		}
		for _, m := range s.Passes {
			if _, ok := slices.BinarySearch(keep, m); !ok {
				t.Errorf("%s lets %s pass, and nobody asks for it any more", s.Name, m)
			}
		}
	}
	if len(stacks) < 7 {
		t.Errorf("only %d set-ups", len(stacks))
	}
}

// A keep-list leaves out what is replaced, unless somebody has nothing else to ask for.
func TestSendList(t *testing.T) {
	packs, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	const old = "apiserver_request_duration_seconds_bucket"
	keep, left, err := SendList(packs)
	if err != nil || len(left) != 2 || slices.Contains(keep, old) || !slices.Contains(keep, "apiserver_request_sli_duration_seconds_bucket") || len(keep) != len(KeepList(packs))-2 {
		t.Errorf("%v: %d of %d metrics, without %v", err, len(keep), len(KeepList(packs)), left)
	}
	own, err := Load([]byte("pack: {name: p, version: 1}\ngroups: [{name: g, rules: [{signal: p.slow, expr: 'histogram_quantile(0.5, sum by (cluster, le) (rate("+old+"[5m])))'}]}]\n"), "p.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if keep, left, _ = SendList(append(packs, own)); !slices.Contains(keep, old) || len(left) != 0 {
		t.Errorf("a rule that asks for nothing else: without %v", left)
	}
}

// A counter whose name ends like a part of a histogram is no histogram.
func TestKeepListInventsNoNames(t *testing.T) {
	packs, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	keep := KeepList(packs)
	for name, want := range map[string]bool{
		"apiserver_admission_webhook_rejection_count": true, "apiserver_admission_webhook_rejection": false,
		"coredns_proxy_request_duration_seconds": true, "coredns_proxy_request_duration_seconds_count": true, "etcd_version_info": false, "etcd_server_version": true,
	} {
		if slices.Contains(keep, name) != want {
			t.Errorf("%s: kept %v", name, !want)
		}
	}
}
