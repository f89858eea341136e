package pack

import (
	"testing"
)

// No shipped rule asks who scraped a series: names of jobs and addresses differ between installations.
func TestNoRuleMatchesAJob(t *testing.T) {
	packs, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, pack := range packs {
		for _, r := range pack.Rules {
			for _, x := range r.Exprs {
				p, err := Compile(x)
				if err != nil {
					t.Fatal(err)
				}
				for _, l := range p.Leaves {
					seen++
					for _, m := range l.Match {
						if m.Label() == "job" || m.Label() == "instance" {
							t.Errorf("%s matches %s", r.Name, m)
						}
					}
				}
			}
		}
	}
	if seen < 200 {
		t.Errorf("only %d selectors were looked at", seen)
	}
}
