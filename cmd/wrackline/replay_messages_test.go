package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// testMessagesOf holds that the messages of a recording are those that its incidents count, in order, with times, in both forms.
func testMessagesOf(t *testing.T, rec, incidents string) {
	want, opened := 0, map[string]int64{}
	for line := range strings.Lines(incidents) {
		var inc incidentLine
		if err := json.Unmarshal([]byte(line), &inc); err != nil {
			t.Fatal(err)
		}
		want += inc.Told
		opened[inc.ID] = inc.Opened
	}
	code, out, errs := run(t, "replay", "--verdicts", "messages", rec)
	if code != exitOK {
		t.Fatalf("code %d: %s", code, errs)
	}
	var titles []string
	var last int64
	seen := map[string]bool{}
	for line := range strings.Lines(out) {
		var m struct {
			T                       int64
			Incident, Reason, Title string
		}
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		if m.T < last || m.T < opened[m.Incident] || opened[m.Incident] == 0 {
			t.Errorf("%q at %d: after one at %d; its incident opened at %d", m.Title, m.T, last, opened[m.Incident])
		}
		if first := m.Reason == "first"; first == seen[m.Incident] {
			t.Errorf("%q says %s, its incident was announced before: %v", m.Title, m.Reason, seen[m.Incident])
		}
		seen[m.Incident], last = true, m.T
		titles = append(titles, m.Title)
	}
	if len(titles) != want || want == 0 {
		t.Errorf("%d messages, the incidents count %d", len(titles), want)
	}
	code, text, errs := run(t, "replay", "--messages", rec)
	if code != exitOK {
		t.Fatalf("code %d: %s", code, errs)
	}
	for _, title := range titles {
		i := strings.Index(text, ": "+title+"\n")
		if i < 0 {
			t.Fatalf("the text lacks %q from here:\n%s", title, text)
		}
		text = text[i:]
	}
}

// TestMessagesFlag holds what the flag refuses, with a word of what it wants.
func TestMessagesFlag(t *testing.T) {
	csv := file(t, "x.csv", "timestamp,value\n0,1\n60,2\n")
	rec := filepath.Join(t.TempDir(), "x.rec")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--messages", csv}, "want recordings"},
		{[]string{"--verdicts", "messages", csv}, "want recordings"},
		{[]string{"--messages", "--verdicts", "all", rec}, "takes one of them"},
	} {
		if code, out, errs := run(t, append([]string{"replay"}, c.args...)...); code != exitUsage || !strings.Contains(errs, c.want) || out != "" {
			t.Errorf("%v: code %d, %q, %s", c.args, code, out, errs)
		}
	}
}
