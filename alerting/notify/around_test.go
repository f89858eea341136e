package notify

import (
	"strings"
	"testing"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline/series"
)

// Every kind of message says of what an incident is part, where most of it is and what changed later; label values cannot break out of it.
func TestMessagesSayWhatIsAround(t *testing.T) {
	n := dnsIncident()
	before := string(slackJSON(NewMessage(n, "https://w.example"), ""))
	inc := *n.Incident
	inc.PartOf, inc.Common = "inc_abc", alerting.Common{Label: series.Label{Name: "node", Value: "w3<!channel>*b*"}, N: 38, Of: 41}
	inc.Beside = inc.Changes[:min(1, len(inc.Changes))]
	n.Incident = &inc
	m := NewMessage(n, "https://w.example")
	slack := string(slackJSON(m, ""))
	for _, want := range []string{"*Most of it* 38 of 41 on node w3&lt;!channel&gt;∗b∗", "*Part of* incident <https://w.example/incidents/inc_abc|"} {
		if !strings.Contains(slack, want) || strings.Contains(before, want) {
			t.Errorf("slack does not say %q: %s", want, slack)
		}
	}
	if len(inc.Beside) > 0 && !strings.Contains(slack, "Changed later") {
		t.Error("slack says nothing of what changed later")
	}
	hook := string(webhookJSON(m, "r", 0))
	for _, want := range []string{`"mostly":"38 of 41 on node w3`, `"part_of":"inc_abc"`} {
		if !strings.Contains(hook, want) {
			t.Errorf("the webhook does not say %q", want)
		}
	}
	if a := newAMAlert(m, nil); a.Annotations["part_of"] != "inc_abc" || !strings.HasPrefix(a.Annotations["mostly"], "38 of 41") {
		t.Errorf("%+v", a.Annotations)
	}
}
