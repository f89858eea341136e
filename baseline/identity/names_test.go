package identity

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

func TestWorkloadOfName(t *testing.T) {
	for _, c := range []struct {
		pod, base, kind string
		sure            bool
	}{
		{"coredns-5d78c9869d-x7k2p", "coredns", Deployment, true},
		{"a-b-c-8546bd7ffc-rfqzb", "a-b-c", Deployment, true},
		{"web-8448574976-tkhjf", "web", Deployment, true},
		{"web-6665b87-tkhjf", "web", Deployment, true},                // one hash in 500 is shorter than 8
		{"tls-feed-tkhjf", "tls-feed", Generated, true},               // a word, though its letters are those of a hash
		{"backup-29540177-kmd5h", "backup", CronJob, true},            // due at minute 29540177
		{"backup-19540177-kmd5h", "backup-19540177", Generated, true}, // 2007: no job of today
		{"node-exporter-8c4kx", "node-exporter", Generated, true},
		{"kafka-0", "kafka", StatefulSet, true},
		{"my-release-postgresql-12", "my-release-postgresql", StatefulSet, true},
		{"etcd", "etcd", BarePod, true},
		{"debug-shell", "debug-shell", BarePod, true},
		{"x-", "x-", BarePod, true},
		{"-0", "-0", BarePod, true},
		{"", "", BarePod, true},
		{"platform-observability-telemetry-collector-gateway-eu-5bcf999v9", "platform-observability-telemetry-collector-gateway-eu", Generated, false},
	} {
		if base, kind, sure := WorkloadOf(c.pod); base != c.base || kind != c.kind || sure != c.sure {
			t.Errorf("WorkloadOf(%q) = %q, %q, %v; want %q, %q, %v", c.pod, base, kind, sure, c.base, c.kind, c.sure)
		}
	}
}

func templateHash(h uint32) string {
	b := []byte(strconv.FormatUint(uint64(h), 10))
	for i := range b {
		b[i] = alphabet[int(b[i]-'0'+48)%len(alphabet)]
	}
	return string(b)
}

// baseNames makes names of the kind that people give workloads.
func baseName(r *rand.Rand) string {
	words := []string{"api", "web", "gateway", "db", "cache", "queue", "worker", "auth", "user", "order", "payment", "search", "index", "sync", "agent",
		"proxy", "controller", "operator", "exporter", "metrics", "prometheus", "grafana", "loki", "tempo", "kube", "cert", "manager", "webhook", "ingress",
		"nginx", "envoy", "istio", "postgres", "mysql", "redis", "kafka", "zookeeper", "etcd", "node", "daemon", "v2", "v1", "prod", "eu", "us", "east",
		"1", "blue", "green", "feed", "cafe", "beef", "dns", "external", "internal", "frontend", "backend", "mail", "sms", "push", "ml", "train", "s3"}
	n := 1 + r.IntN(4)
	var parts []string
	for range n {
		parts = append(parts, words[r.IntN(len(words))])
	}
	name := strings.Join(parts, "-")
	if name[len(name)-1] >= '0' && name[len(name)-1] <= '9' && r.IntN(3) > 0 {
		name += "-svc"
	}
	return name
}

// TestGeneratedNamesFoldIntoTheirWorkloads names pods as Kubernetes does and asks for the workload.
func TestGeneratedNamesFoldIntoTheirWorkloads(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 3))
	right, all := map[string]int{}, map[string]int{}
	const n = 60_000
	for i := range n {
		base := baseName(r)
		var pod, kind string
		switch i % 5 {
		case 0, 1:
			kind = Deployment
			pod = base + "-" + templateHash(r.Uint32()) + "-" + randomSuffix(r)
		case 2:
			kind = Generated
			pod = base + "-" + randomSuffix(r)
		case 3:
			kind = StatefulSet
			pod = fmt.Sprintf("%s-%d", base, r.IntN(40))
		case 4:
			kind = CronJob
			pod = fmt.Sprintf("%s-%d-%s", base, 28_000_000+r.IntN(4_000_000), randomSuffix(r))
		}
		got, gotKind, sure := WorkloadOf(pod)
		all[kind]++
		if got == base && gotKind == kind && sure {
			right[kind]++
		}
	}
	total := 0
	for k, x := range all {
		t.Logf("%s: %.3f %% of %d", k, 100*float64(right[k])/float64(x), x)
		total += right[k]
	}
	if share := float64(total) / n; share < 0.997 {
		t.Errorf("seed %d: %.3f %% of names fold into their workload, want 99.7 %%", seed, share*100)
	}
}

const alphabet = "bcdfghjklmnpqrstvwxz2456789"

func randomSuffix(r *rand.Rand) string {
	b := make([]byte, 5)
	for i := range b {
		b[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(b)
}
