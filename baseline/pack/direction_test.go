package pack

import (
	"testing"

	"github.com/wrackline/wrackline/baseline/model"
)

func TestDirectionOf(t *testing.T) {
	for name, want := range map[string]model.Direction{
		"http_request_duration_seconds":               model.Up,
		"http_requests_total":                         model.Both,
		"node_memory_MemAvailable_bytes":              model.Down,
		"container_memory_working_set_bytes":          model.Up,
		"node_filesystem_avail_bytes":                 model.Down,
		"kube_pod_status_ready":                       model.Down,
		"kube_pod_status_unschedulable":               model.Up,
		"coredns_cache_hits_total":                    model.Down,
		"myapp_orders_failed_total":                   model.Up,
		"checkout_p99_ms":                             model.Up,
		"p5":                                          model.Both,
		"orders:rate5m":                               model.Both,
		"jvm_gc_pauseSeconds":                         model.Both,
		"queueLag":                                    model.Up,
		"up":                                          model.Down,
		"process_open_fds":                            model.Both,
		"temperature_celsius":                         model.Both,
		"disk_used_ratio":                             model.Up,
		"upstream_requests":                           model.Both,
		"kube_deployment_status_replicas_unavailable": model.Up,
		"": model.Both,
	} {
		if got := DirectionOf(name); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}
