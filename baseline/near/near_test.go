package near_test

import (
	"strings"
	"testing"

	"github.com/wrackline/wrackline/baseline/near"
)

func TestSuggest(t *testing.T) {
	many := strings.Fields("dns.qps dns.latency_p99 dns.servfail_ratio wl.cpu_cores wl.mem_of_limit wl.restarts node.ready node.pods_full svc.rps svc.error_ratio etcd.db_fill")
	for _, c := range []struct {
		word  string
		known []string
		want  string
	}{
		{"nigth", []string{"day", "night"}, `; did you mean "night"?`},
		{"dns.servfail_ratoi", many, `; did you mean "dns.servfail_ratio"?`},
		{"pagr", []string{"pager", "paged"}, `; did you mean "pager"?`},
		{"ab", []string{"ac", "ad"}, `; did you mean "ac"?`},
		{"elephant", many, ""},
		{"elephant", []string{"cat", "dog"}, "; there are cat, dog"},
		{"x", nil, ""},
		{strings.Repeat("a", 5000), []string{strings.Repeat("a", 4000)}, "; did you mean"},
	} {
		if got := near.Suggest(c.word, c.known); !strings.HasPrefix(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%.20s: %q, want %q", c.word, got, c.want)
		}
	}
}
