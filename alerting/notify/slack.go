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
	slackNewMax    = 3 // members that a second message lists
	slackTitleMax  = 280
	slackFieldMax  = 300
	slackMemberMax = 320

	slackSectionMax = 3000 // of one section, as documented
)

type slackText struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	Verbatim bool   `json:"verbatim,omitempty"` // no links, channels or mentions are made of plain words
}

// slackButton is a link that looks like a button.
type slackButton struct {
	Type     string    `json:"type"`
	Text     slackText `json:"text"`
	URL      string    `json:"url"`
	ActionID string    `json:"action_id"`
}

type slackBlock struct {
	Type      string       `json:"type"`
	Text      *slackText   `json:"text,omitempty"`
	Fields    []slackText  `json:"fields,omitempty"`
	Elements  []slackText  `json:"elements,omitempty"`
	Accessory *slackButton `json:"accessory,omitempty"`
}

type slackPayload struct {
	Channel     string       `json:"channel,omitempty"`
	Thread      string       `json:"thread_ts,omitempty"` // of a bot: the message that it answers to
	Broadcast   bool         `json:"reply_broadcast,omitempty"`
	TS          string       `json:"ts,omitempty"` // of a bot: the message that it changes
	Text        string       `json:"text"`
	UnfurlLinks bool         `json:"unfurl_links"`
	UnfurlMedia bool         `json:"unfurl_media"`
	Blocks      []slackBlock `json:"blocks,omitempty"`
}

func mrkdwn(s string) slackText { return slackText{Type: "mrkdwn", Text: s, Verbatim: true} }

// slackEscape makes s harmless in mrkdwn: the three characters that Slack reads as markup are escaped, which disarms
// <!channel>, <@U…> and <http…|…>; a word joiner in @here, :// and :smile: keeps plain text from becoming a mention, a link or
// a picture; what would make letters bold, struck or slanted is a sign that looks like it; backticks cannot begin a code span, and nothing begins a quotation.
func slackEscape(s string, max int) string {
	s = slackReplacer.Replace(oneLine(s, max))
	for range 2 { // two that share a colon are found one after the other
		s = slackSmile.ReplaceAllString(s, ":\u2060$1")
	}
	if strings.HasPrefix(s, "&gt;") {
		s = "\u2060" + s
	}
	return slantless(s)
}

// slantless replaces underscores that stand at the edge of a word; those within are letters to Slack, too, and part of names that people copy.
func slantless(s string) string {
	if !strings.Contains(s, "_") {
		return s
	}
	word := func(i int) bool {
		return i >= 0 && i < len(s) && (s[i] == '_' || s[i] >= '0' && s[i] <= '9' || s[i]|0x20 >= 'a' && s[i]|0x20 <= 'z')
	}
	edge := func(from, step int) bool { // nothing but underscores up to the edge
		for from += step; word(from); from += step {
			if s[from] != '_' {
				return false
			}
		}
		return true
	}
	var b strings.Builder
	for i := range len(s) {
		if s[i] == '_' && (edge(i, -1) || edge(i, 1)) {
			b.WriteString("ˍ")
		} else {
			b.WriteByte(s[i])
		}
	}
	return b.String()
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
	slackSmile        = regexp.MustCompile(`:([a-zA-Z0-9_+'-]+:)`)
)

var slackReplacer = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "@", "@\u2060", "://", ":\u2060//", "`", "'", "*", "∗", "~", "∼")

// slackURL makes a link that cannot leave its brackets.
func slackURL(u string) string {
	return strings.NewReplacer("<", "%3C", ">", "%3E", "|", "%7C", " ", "%20").Replace(u)
}

// slackTime writes a time in the reader's zone, with its date when it is not of about the time now; what cannot, shows it in UTC.
func slackTime(t, now int64) string {
	form := "{time}"
	if d := now - t; d < 0 || d >= 12*3_600_000 {
		form = "{date_short_pretty} {time}"
	}
	return "<!date^" + strconv.FormatInt(t/1000, 10) + "^" + form + "|" + stamp(t, now) + " UTC>"
}

// slackForm is how much of a message is said.
type slackForm int

const (
	slackWebhook slackForm = iota // all the first time, what is new afterwards
	slackFull                     // all, with buttons
	slackShort                    // what is new, for who has the rest before his eyes
)

// slackJSON renders m for a webhook.
func slackJSON(m *Message, channel string) []byte {
	p := slackMessage(m, slackWebhook)
	p.Channel = channel
	return plainJSON(p)
}

// slackMessage renders m, with fewer members the longer they are, so that it always fits.
func slackMessage(m *Message, form slackForm) *slackPayload {
	for _, lines := range []int{slackLinesMax, 5, 3, 1, 0} {
		w := &slackWriter{m: m, form: form, lines: lines}
		if w.render(); len(plainJSON(&w.p)) <= slackBytesMax || lines == 0 {
			return &w.p
		}
	}
	return nil // not reached: the loop ends with its last turn
}

// slackWriter writes one message.
type slackWriter struct {
	m     *Message
	form  slackForm
	lines int // members that are listed at most
	p     slackPayload
}

// section adds one, unless it is empty.
func (w *slackWriter) section(s string) {
	if s != "" {
		t := mrkdwn(s)
		w.p.Blocks = append(w.p.Blocks, slackBlock{Type: "section", Text: &t})
	}
}

// list adds a section with a head and lines, as many as one may hold; more are there beside them.
func (w *slackWriter) list(head string, lines []string, more int, what string) {
	text := head
	for i, l := range lines {
		if len(text)+len(l) > slackSectionMax-100 {
			more += len(lines) - i
			break
		}
		text += "\n• " + l
	}
	if more > 0 {
		text += "\n… and " + alerting.Count(more, what)
	}
	w.section(strings.TrimPrefix(text, "\n"))
}

func (w *slackWriter) time(t int64) string { return slackTime(t, w.m.T) }

// button adds a link to the newest section, for who shows buttons.
func (w *slackWriter) button(text, url, id string) {
	if n := len(w.p.Blocks); w.form == slackFull && url != "" && n > 0 {
		w.p.Blocks[n-1].Accessory = &slackButton{"button", slackText{Type: "plain_text", Text: text}, url, id}
	}
}

func (w *slackWriter) render() {
	m := w.m
	icon := map[pack.Severity]string{pack.Page: "🔴", pack.Warn: "🟡"}[m.Severity]
	switch {
	case m.Reason == alerting.Digest:
		icon = "🗒️"
	case !m.Firing() && m.Reason != alerting.Summary:
		icon = "🟢"
	case icon == "":
		icon = "🔵"
	}
	status := m.status()
	if w.form == slackFull && m.Since != nil && m.Firing() { // it says how things stand; the thread says what has changed
		status = ""
	}
	if status != "" {
		status += ": "
	}
	title := slackEscape(m.Title, slackTitleMax)
	headline := "*" + title + "*"
	if m.Link != "" {
		headline = "*<" + slackURL(m.Link) + "|" + title + ">*"
	}
	w.p.Text = icon + " " + status + title
	holder := ""
	if m.Holder != nil {
		holder = "\n" + slackEscape(m.Holder.Text, slackFieldMax) + " since " + w.time(m.Holder.T)
	}
	w.section(icon + " " + status + headline + holder)
	if m.ofIncident() {
		w.button("Open", m.Link, "incident")
	}
	short := m.Since != nil && (w.form == slackShort || w.form == slackWebhook && m.Firing())
	switch {
	case m.Reason == alerting.Summary:
		w.ended()
	case m.Reason == alerting.Digest:
		w.digest()
	case short && m.Firing():
		w.news()
	case short:
		w.section("Was open since " + w.time(m.Onset) + ". " + slackEscape(m.Value, slackFieldMax))
	default:
		w.whole()
	}
}

// whole says everything.
func (w *slackWriter) whole() {
	m := w.m
	first := slackEscape(m.First, slackFieldMax)
	if m.FirstAt != nil {
		first = slackEscape(m.FirstAt.Text, slackFieldMax) + " at " + w.time(m.FirstAt.T)
	}
	since := w.time(m.Onset) + ", for " + alerting.Span(m.T-m.Onset)
	if !m.Firing() {
		since = w.time(m.Onset) + " to " + w.time(m.Resolved) + ", " + alerting.Span(m.Resolved-m.Onset)
	}
	w.p.Blocks = append(w.p.Blocks, slackBlock{Type: "section", Fields: []slackText{
		mrkdwn("*Where*\n" + slackEscape(m.Where, slackFieldMax)),
		mrkdwn("*Since*\n" + since),
		mrkdwn("*Value*\n" + slackEscape(m.Value, slackFieldMax)),
		mrkdwn("*Moved first*\n" + first),
	}})
	w.around()
	if len(m.Lines) > 1 && w.lines > 0 {
		w.members("*What moved, first on top*", func(*Line) bool { return true })
		w.button("Chart", m.Lines[0].Link, "signal")
	}
	if m.Firing() && w.lines > 0 {
		w.changes(0)
		w.beside()
		w.meaning()
		w.next()
	}
	foot := "Wrackline · incident " + slackEscape(m.Incident, 40) + " · severity " + slackEscape(string(m.Severity), 20)
	for _, n := range m.Notes {
		foot += " · " + slackEscape(n, 160)
	}
	w.p.Blocks = append(w.p.Blocks, slackBlock{Type: "context", Elements: []slackText{mrkdwn(foot)}})
}

// around says what users feel, where most of it is, and what it is part of.
func (w *slackWriter) around() {
	m := w.m
	var lines []string
	if m.Users != "" {
		lines = append(lines, "*Users* "+slackEscape(m.Users, slackFieldMax))
	}
	if m.Mostly != "" {
		lines = append(lines, "*Most of it* "+slackEscape(m.Mostly, slackFieldMax))
	}
	if m.PartOf != "" {
		id := slackEscape(m.PartOf, 40)
		if m.Base != "" {
			id = "<" + slackURL(m.Base+"/incidents/"+m.PartOf) + "|" + id + ">"
		}
		lines = append(lines, "*Part of* incident "+id+", which explains it")
	}
	w.section(strings.Join(lines, "\n"))
}

// beside lists what changed later.
func (w *slackWriter) beside() {
	var list []string
	for _, c := range w.m.Beside {
		list = append(list, w.time(c.T)+", "+slackEscape(c.Text, changeMax))
	}
	if len(list) > 0 {
		w.list("*Changed later, and explains only what joined then*", list, 0, "")
	}
}

// news says what is new since the last word.
func (w *slackWriter) news() {
	m := w.m
	w.section(slackNews(m.news(func(int64) string { return slackMark }), w.time(m.Since.T)) + " " + slackEscape(m.Value, slackFieldMax))
	w.around()
	w.lines = min(w.lines, slackNewMax)
	if m.Since.Signals > 0 && w.lines > 0 {
		w.members("*New*", func(l *Line) bool { return l.Opened > m.Since.T })
	}
	if w.lines > 0 {
		w.changes(m.Since.T)
	}
	w.p.Blocks = append(w.p.Blocks, slackBlock{Type: "context", Elements: []slackText{mrkdwn("Wrackline · incident " + slackEscape(m.Incident, 40) + " · " + slackEscape(m.Where, slackFieldMax))}})
}

// slackMark stands for a time until the text around it has been made harmless.
const slackMark = "\uFFFC"

func slackNews(text, time string) string {
	return strings.ReplaceAll(slackEscape(text, slackFieldMax), slackMark, time)
}

// members lists those that are of interest.
func (w *slackWriter) members(head string, of func(*Line) bool) {
	m := w.m
	var list []string
	more := m.More
	for i := range m.Lines {
		l := &m.Lines[i]
		if !of(l) {
			continue
		}
		if len(list) == w.lines {
			more++
			continue
		}
		s := w.time(l.Onset) + " " + slackEscape(l.text(), slackMemberMax)
		if l.Where != "" && l.Where != m.Where {
			s += " — " + slackEscape(l.Where, 120)
		}
		if l.Ended != 0 && m.Firing() {
			s += " _(over)_"
		}
		list = append(list, s)
	}
	w.list(head, list, more, "more signal")
}

// changes lists what changed after a time; Unix milliseconds.
func (w *slackWriter) changes(after int64) {
	var list []string
	for _, c := range w.m.ChangeAt {
		if c.T <= after {
			continue
		}
		list = append(list, w.time(c.T)+", "+slackEscape(c.Text, changeMax))
	}
	if len(w.m.ChangeAt) == 0 && after == 0 { // by an older program
		for _, s := range w.m.Changes {
			list = append(list, slackEscape(s, changeMax))
		}
	}
	if len(list) > 0 {
		w.list("*Changed just before*", list, 0, "")
	}
}

func (w *slackWriter) meaning() {
	m := w.m
	if m.Meaning == "" {
		return
	}
	text := slackEscape(m.Meaning, wordsMax)
	var list []string
	for _, s := range m.Causes {
		list = append(list, slackEscape(s, stepMax))
	}
	if len(list) > 0 {
		text += "\n*Likely causes*"
	}
	w.list(text, list, 0, "")
}

func (w *slackWriter) next() {
	var list []string
	for _, s := range w.m.Next {
		if words, prose := strings.CutPrefix(s, "# "); prose { // for people, and no command
			list = append(list, slackEscape(words, stepMax))
			continue
		}
		list = append(list, "`"+slackCode(s, stepMax)+"`")
	}
	if len(list) > 0 {
		w.list("*Look next*", list, 0, "")
	}
}

// ended lists what a summary speaks of.
func (w *slackWriter) ended() {
	m := w.m
	var list []string
	for _, s := range m.Ended[:min(w.lines, len(m.Ended))] {
		list = append(list, slackEscape(s, changeMax))
	}
	w.list("", list, m.More+len(m.Ended)-len(list), "more incident")
	if m.Link != "" {
		w.section("<" + slackURL(m.Link) + "|All of them>")
	}
	w.p.Blocks = append(w.p.Blocks, slackBlock{Type: "context", Elements: []slackText{mrkdwn("Wrackline · " + w.time(m.Onset) + " to " + w.time(m.Resolved) + " · none of them was announced here, so no closing word follows")}})
}

// digest lists what was not sent.
func (w *slackWriter) digest() {
	m := w.m
	var list []string
	for _, k := range m.Kept[:min(len(m.Kept), digestMost*w.lines/slackLinesMax)] {
		list = append(list, w.kept(&k))
	}
	w.list("", list, m.More+len(m.Kept)-len(list), "more incident")
	foot := "Wrackline · since " + w.time(m.Onset) + " · " + slackEscape(m.Meaning, wordsMax)
	w.p.Blocks = append(w.p.Blocks, slackBlock{Type: "context", Elements: []slackText{mrkdwn(foot)}})
}

// kept is one line of a digest.
func (w *slackWriter) kept(k *KeptLine) string {
	text := slackEscape(k.Text, slackMemberMax)
	if k.Link != "" {
		text = "<" + slackURL(k.Link) + "|" + text + ">"
	}
	s := w.time(k.Onset) + " " + text
	if k.Where != "" {
		s += " — " + slackEscape(k.Where, 120)
	}
	return s + k.end()
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

func (s *slack) say(ctx context.Context, u *url.URL, m *Message, _ *holding, call caller) outcome {
	r, err := post(ctx, u, slackJSON(m, s.Channel))
	if err != nil {
		return outcome{verdict: again, why: redact(err, u)}
	}
	return call(r, s.accepted)
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
