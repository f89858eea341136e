package ingest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/prometheus/prometheus/prompb"

	"github.com/wrackline/wrackline/baseline/series"
)

// TestReasonsNameMetricLabelAndLimit: whoever reads the sender's log knows from one line which series is meant and what would do; and that line is one line, short, with nothing hidden in it.
func TestReasonsNameMetricLabelAndLimit(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	shop := func(name, value string) prompb.TimeSeries {
		return one(lset("__name__", "shop_orders", name, value), now, 1)
	}
	many := lset("__name__", "shop_orders")
	for i := range series.LabelsMax {
		many = append(many, series.Label{Name: fmt.Sprintf("label_%02d", i), Value: "v"})
	}
	for _, c := range []struct {
		what  string
		ts    prompb.TimeSeries
		wants []string
	}{
		{"a long value", shop("path", long(series.LabelValueMax+1)), []string{"metric shop_orders", `label "path"`, "4097", "4096"}},
		{"a long name", shop(long(series.LabelNameMax+1), "v"), []string{"metric shop_orders", "xxx", "257", "256"}},
		{"many labels", one(many, now, 1), []string{"metric shop_orders", "65 labels", "64"}},
		{"a label twice", one(append(lset("__name__", "shop_orders"), lset("path", "a", "path", "b")...), now, 1), []string{"metric shop_orders", `"path"`, "twice"}},
		{"bad UTF-8", shop("path", "\xff\xfe"), []string{"metric shop_orders", `"path"`, "UTF-8"}},
		{"a time ahead", one(lset("__name__", "shop_orders"), now+series.FutureMs+5000, 1), []string{"metric shop_orders", "600 s"}},
		{"hidden text in a name", one(append(lset("__name__", "shop_\x1b[31morders\u202e"), lset("a\u200bb", "1", "a\u200bb", "2")...), now, 1), []string{"shop_ [31morders", `"a b"`}},
		{"a name that is long and twice", one(append(lset("__name__", long(5000)), lset("a", "1", "a", "2")...), now, 1), []string{`label "__name__"`, "4096"}},
	} {
		w := post(handler(&memory{}, Options{}), snap(marshal(t, reqV1(c.ts))))
		var e struct{ Error string }
		if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || w.Code != 400 {
			t.Errorf("%s: %d %s (%v)", c.what, w.Code, w.Body, err)
		}
		for _, want := range c.wants {
			if !strings.Contains(e.Error, want) {
				t.Errorf("%s: %q does not say %q", c.what, e.Error, want)
			}
		}
		if strings.ContainsFunc(e.Error, series.Hidden) || len(e.Error) > reasonMax || !utf8.ValidString(e.Error) {
			t.Errorf("%s: %q", c.what, e.Error)
		}
	}
}
