package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline/pack"
)

// What one Slack message may take. The documented limits are larger; an undocumented one of about 13,200 characters
// in all has been reported (slackapi/bolt-js#2509), so we stay well below.
const (
	slackBytesMax  = 8000
	slackLinesMax  = 8
	slackTitleMax  = 280
	slackFieldMax  = 300
	slackMemberMax = 320
)

type slackText struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	Verbatim bool   `json:"verbatim,omitempty"` // no links, channels or mentions are made of plain words
}

type slackBlock struct {
	Type     string      `json:"type"`
	Text     *slackText  `json:"text,omitempty"`
	Fields   []slackText `json:"fields,omitempty"`
	Elements []slackText `json:"elements,omitempty"`
}

type slackPayload struct {
	Channel     string       `json:"channel,omitempty"`
	Text        string       `json:"text"`
	UnfurlLinks bool         `json:"unfurl_links"`
	UnfurlMedia bool         `json:"unfurl_media"`
	Blocks      []slackBlock `json:"blocks"`
}

func mrkdwn(s string) slackText { return slackText{Type: "mrkdwn", Text: s, Verbatim: true} }

// slackEscape makes s harmless in mrkdwn: the three characters that Slack reads as markup are escaped, which disarms
// <!channel>, <@U…> and <http…|…>; a word joiner in @here, :// and the like keeps plain text from becoming a mention
// or a link; backticks cannot end a code span.
func slackEscape(s string, max int) string {
	s = oneLine(s, max)
	return slackReplacer.Replace(s)
}

// slackCode makes s harmless inside a code span. Slack makes no links there, and what people copy from it into a shell must
// hold no invisible character, so only the three words that call everybody get one. A backtick would end the span, and any
// replacement that means something to a shell would end its quotes: a letter that looks like one means nothing to either.
func slackCode(s string, max int) string {
	return slackCall.ReplaceAllString(slackCodeReplacer.Replace(oneLine(s, max)), "@\u2060$1")
}

var (
	slackCodeReplacer = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "`", "ˋ")
	slackCall         = regexp.MustCompile(`(?i)@(here|channel|everyone)`)
)

var slackReplacer = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "@", "@\u2060", "://", ":\u2060//", "`", "'")

// slackURL makes a link that cannot leave its brackets.
func slackURL(u string) string {
	return strings.NewReplacer("<", "%3C", ">", "%3E", "|", "%7C", " ", "%20").Replace(u)
}

// slackJSON renders m, with fewer members the longer they are, so that it always fits.
func slackJSON(m *Message, channel string) []byte {
	for _, lines := range []int{slackLinesMax, 5, 3, 1, 0} {
		if b := slackRender(m, channel, lines); len(b) <= slackBytesMax || lines == 0 {
			return b
		}
	}
	return nil // not reached: the loop ends with its last turn
}

func slackRender(m *Message, channel string, lines int) []byte {
	icon := map[pack.Severity]string{pack.Page: "🔴", pack.Warn: "🟡"}[m.Severity]
	if icon == "" {
		icon = "🔵"
	}
	if !m.Firing() && m.Reason != alerting.Summary {
		icon = "🟢"
	}
	status := m.status()
	if status != "" {
		status += ": "
	}
	title := slackEscape(m.Title, slackTitleMax)
	headline := "*" + title + "*"
	if m.Link != "" {
		headline = "*<" + slackURL(m.Link) + "|" + title + ">*"
	}
	p := slackPayload{Channel: channel, Text: icon + " " + status + title}
	section := func(s string) {
		t := mrkdwn(s)
		p.Blocks = append(p.Blocks, slackBlock{Type: "section", Text: &t})
	}
	section(icon + " " + status + headline)
	if m.Reason == alerting.Summary {
		section(slackEnded(m, lines))
		p.Blocks = append(p.Blocks, slackBlock{Type: "context", Elements: []slackText{mrkdwn("Wrackline · " + m.since() + " · none of them was announced here, so no closing word follows")}})
		return plainJSON(p)
	}
	fields := []slackText{
		mrkdwn("*Where*\n" + slackEscape(m.Where, slackFieldMax)),
		mrkdwn("*Since*\n" + m.since()),
		mrkdwn("*Value*\n" + slackEscape(m.Value, slackFieldMax)),
		mrkdwn("*Moved first*\n" + slackEscape(m.First, slackFieldMax)),
	}
	p.Blocks = append(p.Blocks, slackBlock{Type: "section", Fields: fields})
	if len(m.Lines) > 1 && lines > 0 {
		var b strings.Builder
		b.WriteString("*What moved, first on top*")
		for i := range m.Lines {
			if i == lines {
				break
			}
			l := &m.Lines[i]
			b.WriteString("\n• " + stamp(l.Onset, m.T) + " " + slackEscape(l.text(), slackMemberMax))
			if l.Where != "" && l.Where != m.Where {
				b.WriteString(" — " + slackEscape(l.Where, 120))
			}
			if l.Ended != 0 && m.Firing() {
				b.WriteString(" _(over)_")
			}
		}
		if more := len(m.Lines) - min(lines, len(m.Lines)) + m.More; more > 0 {
			b.WriteString("\n… and " + alerting.Count(more, "more signal"))
		}
		section(b.String())
	}
	if len(m.Changes) > 0 && m.Firing() && lines > 0 {
		var b strings.Builder
		b.WriteString("*Changed just before*")
		for _, s := range m.Changes {
			b.WriteString("\n• " + slackEscape(s, changeMax))
		}
		section(b.String())
	}
	if m.Meaning != "" && m.Firing() && lines > 0 {
		text := slackEscape(m.Meaning, wordsMax)
		if len(m.Causes) > 0 {
			text += "\n*Likely causes*"
			for _, s := range m.Causes {
				text += "\n• " + slackEscape(s, stepMax)
			}
		}
		section(text)
	}
	if len(m.Next) > 0 && m.Firing() && lines > 0 {
		var b strings.Builder
		b.WriteString("*Look next*")
		for _, s := range m.Next {
			b.WriteString("\n• `" + slackCode(s, stepMax) + "`")
		}
		section(b.String())
	}
	foot := "Wrackline · incident " + slackEscape(m.Incident, 40) + " · severity " + slackEscape(string(m.Severity), 20)
	for _, n := range m.Notes {
		foot += " · " + slackEscape(n, 160)
	}
	p.Blocks = append(p.Blocks, slackBlock{Type: "context", Elements: []slackText{mrkdwn(foot)}})
	return plainJSON(p)
}

// slackEnded lists what a summary speaks of.
func slackEnded(m *Message, lines int) string {
	var b strings.Builder
	shown := m.Ended[:min(lines, len(m.Ended))]
	for _, s := range shown {
		b.WriteString("• " + slackEscape(s, changeMax) + "\n")
	}
	if more := m.More + len(m.Ended) - len(shown); more > 0 {
		b.WriteString("… and " + strconv.Itoa(more) + " more\n")
	}
	if m.Link != "" {
		b.WriteString("<" + slackURL(m.Link) + "|All of them>")
	}
	return b.String()
}

// stamp is a time of day, with its date when that is not the message's.
func stamp(t, now int64) string {
	if t/86_400_000 == now/86_400_000 {
		return time.UnixMilli(t).UTC().Format("15:04")
	}
	return time.UnixMilli(t).UTC().Format("2006-01-02 15:04")
}

// plainJSON leaves < > & as they are: the payload is not put into a page, and escapes would eat the space.
func plainJSON(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("notify: " + err.Error()) // only strings, numbers and lists of them
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

type slack struct{ SlackConfig }

func (s *slack) url() (*url.URL, error) { return target("api_url", s.APIURL, s.APIURLFile) }

func (s *slack) request(ctx context.Context, u *url.URL, m *Message, _ time.Time) (*http.Request, error) {
	return post(ctx, u, slackJSON(m, s.Channel))
}

var errSlackAnswer = errors.New("the answer is not that of a Slack webhook")

// accepted takes what Slack and those who speak its format answer: "ok", JSON that does not say no, nothing. A page for people comes from a proxy, or from a login.
func (s *slack) accepted(h http.Header, body []byte) error {
	var said struct {
		OK      *bool  `json:"ok"`
		Success *bool  `json:"success"`
		Result  string `json:"result"`
	}
	text := strings.TrimSpace(string(body))
	switch {
	case strings.HasPrefix(text, "<"), strings.HasPrefix(h.Get("Content-Type"), "text/html") && text != "" && text != "ok":
		return errSlackAnswer
	case json.Unmarshal(body, &said) != nil:
		return nil
	case said.OK != nil && !*said.OK, said.Success != nil && !*said.Success, said.Result == "error":
		return errSlackAnswer
	}
	return nil
}
