package pack

import (
	"testing"
)

func TestTrackRule(t *testing.T) {
	r, err := TrackRule{Match: `x_total{job="a"}`, By: []string{"cluster", "job"}, Unit: "/s", Bad: "up"}.Rule()
	if err != nil {
		t.Fatal(err)
	}
	if r.Name != "track.x_total" || r.Exprs[0] != `sum by (cluster, job) (rate(x_total{job="a"}[1m]))` || r.Params.Bad.String() != "up" {
		t.Errorf("%+v", r)
	}
	if r, err = (TrackRule{Match: `{"http.requests"}`, Name: "http.requests", By: []string{"cluster", "k8s.pod.name", "größe"}}).Rule(); err != nil || r.Exprs[0] != `sum by (cluster, "k8s.pod.name", "größe") ({"http.requests"})` {
		t.Errorf("labels as OpenTelemetry names them: %v, %v", r, err)
	}
	for _, bad := range []TrackRule{{}, {Match: "x_total", Func: "deriv"}, {Match: "x_total", Agg: "topk"}, {Match: "x_total", Bad: "left"}, {Match: "x_total{"},
		{Match: "x_total", By: []string{"a) (y"}}, {Match: "x_total", Name: "No Name"}, {Match: "x_total", By: []string{"pod"}}} {
		if _, err := bad.Rule(); err == nil {
			t.Errorf("%+v gives a rule", bad)
		}
	}
}
