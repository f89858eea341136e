package signal

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
				p, err := compileExpr(x)
				if err != nil {
					t.Fatal(err)
				}
				for _, l := range p.leaves {
					seen++
					for _, m := range l.match {
						if m.label() == "job" || m.label() == "instance" {
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
