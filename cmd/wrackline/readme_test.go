package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestReadmeSaysWhatWasMeasured holds the README's table of faults to the score sheet that TestScenarios holds: when each was noticed, and what moved first.
func TestReadmeSaysWhatWasMeasured(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	golden, err := os.ReadFile("testdata/scenarios.golden")
	if err != nil {
		t.Fatal(err)
	}
	measured := map[string]string{} // by what moved first
	for _, m := range regexp.MustCompile(`(?m)^\w+ +\S+ \S+ yes +(\S+ \w+) right +(\S+?)~`).FindAllStringSubmatch(string(golden), -1) {
		measured[m[2]] = strings.Replace(m[1], ".0 min", " min", 1)
	}
	if len(measured) != 9 {
		t.Fatalf("%d faults in the score sheet: %v", len(measured), measured)
	}
	for _, m := range regexp.MustCompile(`(?m)^\| [^|]+ \| ([0-9.]+ (?:min|h)) \| ([a-z_.]+) \|$`).FindAllStringSubmatch(string(readme), -1) {
		if want, ok := measured[m[2]]; !ok || want != m[1] {
			t.Errorf("%s: the README says %s, measured is %q", m[2], m[1], want)
		}
		delete(measured, m[2])
	}
	for mover := range measured {
		t.Errorf("%s is not in the README's table", mover)
	}
}
