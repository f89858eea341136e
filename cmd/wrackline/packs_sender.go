package main

import (
	"fmt"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/wrackline/wrackline/baseline/pack"
)

// senders are the forms of packs remote-write-config. Each writes what its sender reads, from its first line on.
var senders = []struct {
	name  string
	write func(w io.Writer, s *senderConfig)
}{
	{"prometheus", writePrometheus}, {"operator", writeOperator}, {"kube-prometheus-stack", writeStackValues}, {"vmagent", writeVMAgent},
	{"alloy", writeAlloy}, {"otel", writeOTel}, {"gmp", writeGMP},
}

func senderNames() (out []string) {
	for _, s := range senders {
		out = append(out, s.name)
	}
	return out
}

// senderConfig is what a sender is told.
type senderConfig struct {
	url    string
	token  bool // one of ingest.tokens is asked for
	groups []pack.KeepGroup
	total  int      // metrics
	left   []string // metrics that are not among them, and who needs them
}

// leftOut writes what is not in the list, as comments.
func (s *senderConfig) leftOut(w io.Writer, comment string) {
	for _, x := range s.left {
		fmt.Fprintf(w, "%s Not in it: %s\n", comment, x)
	}
}

func remoteWriteConfig(e env, cfg *config, packs []*pack.Pack, target, name string) error {
	u, err := url.Parse(target)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return usagef("url %q: want http://HOST:PORT/api/v1/write", target)
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/api/v1/write"
	}
	i := slices.Index(senderNames(), name)
	if i < 0 {
		return usagef("for %q: want one of %s", name, strings.Join(senderNames(), ", "))
	}
	keep, left, err := pack.SendList(packs)
	if err != nil {
		return err
	}
	s := senderConfig{url: u.String(), token: len(cfg.Ingest.Tokens) > 0, groups: pack.KeepGroups(packs, keep), total: len(keep)}
	for _, x := range left {
		s.left = append(s.left, fmt.Sprintf("%s (needed before %s)", x.Metric, x.Before))
	}
	senders[i].write(e.stdout, &s)
	return nil
}

// wrapped cuts a list into lines of at most so many characters.
func wrapped(names []string, sep string, width int) (lines []string) {
	line := ""
	for i, n := range names {
		if i < len(names)-1 {
			n += sep
		}
		if line != "" && len(line)+len(n) > width {
			lines, line = append(lines, line), ""
		}
		line += n
	}
	return append(lines, line)
}

// expressions returns names as regular expressions that match them alone.
func expressions(names []string) (out []string) {
	for _, n := range names {
		out = append(out, regexp.QuoteMeta(n))
	}
	return out
}

// lineWidth is how long the lines of a keep-list are.
const lineWidth = 110

// keepRules writes rules that mark what each pack needs and keep what is marked, one pack after the other, so that each can be read and taken out. quote gives
// a key the spelling of the sender's form.
func keepRules(w io.Writer, s *senderConfig, indent string, key func(string) string) {
	for _, g := range s.groups {
		fmt.Fprintf(w, "%s# %s: %s\n", indent, g.Name, g.Title)
		fmt.Fprintf(w, "%s- %s: [__name__]\n%s  regex: \"\\\n", indent, key("source_labels"), indent)
		for _, line := range wrapped(expressions(g.Metrics), "|", lineWidth) {
			fmt.Fprintf(w, "%s    %s\\\n", indent, strings.ReplaceAll(line, `\`, `\\`)) // within quotes
		}
		fmt.Fprintf(w, "%s    \"\n%s  %s: __tmp_wrackline\n%s  replacement: keep\n", indent, indent, key("target_label"), indent)
	}
	fmt.Fprintf(w, "%s# all else is not sent\n%s- %s: [__tmp_wrackline]\n%s  regex: keep\n%s  action: keep\n", indent, indent, key("source_labels"), indent, indent)
	fmt.Fprintf(w, "%s- regex: __tmp_wrackline\n%s  action: labeldrop\n", indent, indent)
}

// camel writes a key as custom resources do: source_labels is sourceLabels.
func camel(key string) string {
	parts := strings.Split(key, "_")
	for i := 1; i < len(parts); i++ {
		parts[i] = strings.ToUpper(parts[i][:1]) + parts[i][1:]
	}
	return strings.Join(parts, "")
}

func same(key string) string { return key }

// queueOf are the settings of a Prometheus' queue: what is sent at a time, how many requests are under way, and that it waits when it is told to.
var queueOf = []struct{ key, value, why string }{
	{"capacity", "10000", "samples a shard may hold while a request of it is under way"},
	{"max_shards", "10", "more requests at a time make each smaller, and nothing faster"},
	{"max_samples_per_send", "2000", ""},
	{"batch_send_deadline", "5s", "as late as this is told, at most"},
	{"min_backoff", "1s", ""},
	{"max_backoff", "30s", "Wrackline starts anew within this"},
	{"retry_on_http_429", "true", "none is lost when it asks for patience"},
}

// queue writes queueOf.
func queue(w io.Writer, indent string, key func(string) string) {
	fmt.Fprintf(w, "%s%s:\n", indent, key("queue_config"))
	for _, q := range queueOf {
		k := key(q.key)
		if k == "retryOnHttp429" {
			k = "retryOnRateLimit"
		}
		why := ""
		if q.why != "" {
			why = "   # " + q.why
		}
		fmt.Fprintf(w, "%s  %s: %s%s\n", indent, k, q.value, why)
	}
}

func writePrometheus(w io.Writer, s *senderConfig) {
	fmt.Fprintf(w, "# Add to prometheus.yml and reload Prometheus. It needs no rights: Wrackline never queries anything.\n")
	fmt.Fprintf(w, "# Print it again when packs or track rules change: the lists in it name the %d metrics that they need.\n", s.total)
	s.leftOut(w, "#")
	prometheusBlock(w, s)
}

func prometheusBlock(w io.Writer, s *senderConfig) {
	fmt.Fprintf(w, "remote_write:\n  - name: wrackline\n    url: %s\n", s.url)
	if s.token {
		fmt.Fprintf(w, "    authorization:\n      credentials_file: /etc/prometheus/wrackline-token   # one of ingest.tokens\n")
	}
	fmt.Fprintf(w, "    send_native_histograms: true   # off by default, and then signals whose metrics are native histograms stay empty; Prometheus before 2.40 knows no such line\n")
	queue(w, "    ", same)
	fmt.Fprintf(w, "    write_relabel_configs:\n")
	keepRules(w, s, "      ", same)
}

// operatorItem writes an item of remoteWrite of a Prometheus object.
func operatorItem(w io.Writer, s *senderConfig, indent string) {
	fmt.Fprintf(w, "%s- name: wrackline\n%s  url: %s\n", indent, indent, s.url)
	if s.token {
		fmt.Fprintf(w, "%s  authorization:\n%s    credentials: {name: wrackline-token, key: token}   # a Secret in the namespace of Prometheus with one of ingest.tokens\n", indent, indent)
	}
	fmt.Fprintf(w, "%s  sendNativeHistograms: true   # operators before 0.64 know no such line\n", indent)
	queue(w, indent+"  ", camel)
	fmt.Fprintf(w, "%s  writeRelabelConfigs:\n", indent)
	keepRules(w, s, indent+"    ", camel)
}

func writeOperator(w io.Writer, s *senderConfig) {
	fmt.Fprintf(w, "# Into the spec of your Prometheus object (kubectl get prometheus -A): kubectl -n NAMESPACE edit prometheus NAME. Wrackline never queries anything.\n")
	fmt.Fprintf(w, "# Print it again when packs or track rules change: the lists in it name the %d metrics that they need.\n", s.total)
	s.leftOut(w, "#")
	fmt.Fprintf(w, "apiVersion: monitoring.coreos.com/v1\nkind: Prometheus\nspec:\n  remoteWrite:\n")
	operatorItem(w, s, "    ")
}

func writeStackValues(w io.Writer, s *senderConfig) {
	fmt.Fprintf(w, "# Values of the chart: helm upgrade RELEASE prometheus-community/kube-prometheus-stack --reuse-values -f THIS. Wrackline never queries anything.\n")
	fmt.Fprintf(w, "# Print it again when packs or track rules change: the lists in it name the %d metrics that they need.\n", s.total)
	s.leftOut(w, "#")
	fmt.Fprintf(w, "prometheus:\n  prometheusSpec:\n    remoteWrite:\n")
	operatorItem(w, s, "      ")
}

func writeVMAgent(w io.Writer, s *senderConfig) {
	token := ""
	if s.token {
		token = "\n#     -remoteWrite.bearerTokenFile=/etc/vmagent/wrackline-token"
	}
	fmt.Fprintf(w, `# Save this as wrackline.yml and start vmagent with it (for a VMAgent object: spec.remoteWrite[].urlRelabelConfig, a key of a ConfigMap):
#     -remoteWrite.url=%s%s
#     -remoteWrite.urlRelabelConfig=wrackline.yml
#     -remoteWrite.queues=4                  requests at a time; more make each smaller
#     -remoteWrite.flushInterval=5s          as late as this is told, at most
#     -remoteWrite.maxDiskUsagePerURL=1GiB   what may wait on disk while Wrackline is away
# These flags are lists: where others are there, each has one entry for each -remoteWrite.url, in their order.
# Print it again when packs or track rules change: it names the %d metrics that they need.
`, s.url, token, s.total)
	s.leftOut(w, "#")
	fmt.Fprintf(w, "- action: keep_metrics\n  regex:\n")
	for _, g := range s.groups {
		fmt.Fprintf(w, "  # %s: %s\n", g.Name, g.Title)
		for _, m := range expressions(g.Metrics) {
			fmt.Fprintf(w, "  - '%s'\n", m)
		}
	}
}

func writeAlloy(w io.Writer, s *senderConfig) {
	fmt.Fprintf(w, "// Add to the configuration of Alloy, and prometheus.remote_write.wrackline.receiver to forward_to of what scrapes. Wrackline never queries anything.\n")
	fmt.Fprintf(w, "// Print it again when packs or track rules change: it names the %d metrics that they need. Alloy before 1.3 spells string.join as join.\n", s.total)
	s.leftOut(w, "//")
	fmt.Fprintf(w, "prometheus.remote_write \"wrackline\" {\n  endpoint {\n    name = \"wrackline\"\n    url  = %q\n", s.url)
	if s.token {
		fmt.Fprintf(w, "\n    authorization {\n      type             = \"Bearer\"\n      credentials_file = \"/etc/alloy/wrackline-token\" // one of ingest.tokens\n    }\n")
	}
	fmt.Fprintf(w, "\n    send_native_histograms = true\n\n    queue_config {\n")
	for _, q := range queueOf {
		v := q.value
		if strings.HasSuffix(v, "s") {
			v = fmt.Sprintf("%q", v)
		}
		fmt.Fprintf(w, "      %-20s = %s", q.key, v)
		if q.why != "" {
			fmt.Fprintf(w, " // %s", q.why)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "    }\n\n    write_relabel_config {\n      source_labels = [\"__name__\"]\n      action        = \"keep\"\n      regex         = string.join([\n")
	for _, g := range s.groups {
		fmt.Fprintf(w, "        // %s: %s\n", g.Name, g.Title)
		for _, m := range expressions(g.Metrics) {
			fmt.Fprintf(w, "        %q,\n", m)
		}
	}
	fmt.Fprintf(w, "      ], \"|\")\n    }\n  }\n}\n")
}

func writeOTel(w io.Writer, s *senderConfig) {
	fmt.Fprintf(w, "# Add to the configuration of the OpenTelemetry Collector (the contrib distribution): a pipeline that ends here needs a receiver, prometheus mostly.\n")
	fmt.Fprintf(w, "# A histogram is one metric there, so its name stands for its buckets, sum and count. Print it again when packs or track rules change.\n")
	s.leftOut(w, "#")
	fmt.Fprintf(w, "processors:\n  filter/wrackline:\n    metrics:\n      include:\n        match_type: strict\n        metric_names:\n")
	seen := map[string]bool{}
	for _, g := range s.groups {
		fmt.Fprintf(w, "        # %s: %s\n", g.Name, g.Title)
		for _, m := range g.Metrics {
			if m = otelName(m); !seen[m] {
				seen[m] = true
				fmt.Fprintf(w, "        - '%s'\n", m)
			}
		}
	}
	fmt.Fprintf(w, "exporters:\n  prometheusremotewrite/wrackline:\n    endpoint: %s\n", s.url)
	if s.token {
		fmt.Fprintf(w, "    headers:\n      Authorization: \"Bearer ${env:WRACKLINE_TOKEN}\"   # one of ingest.tokens\n")
	}
	fmt.Fprintf(w, `    resource_to_telemetry_conversion:
      enabled: false   # job and instance are made of service.name and service.instance.id anyway
    remote_write_queue:
      enabled: true
      queue_size: 10000   # requests that may wait
      num_consumers: 5    # requests at a time
    retry_on_failure:
      enabled: true
      initial_interval: 1s
      max_interval: 30s       # Wrackline starts anew within this
      max_elapsed_time: 10m
service:
  pipelines:
    metrics/wrackline:
      receivers: [prometheus]
      processors: [filter/wrackline]
      exporters: [prometheusremotewrite/wrackline]
`)
}

// otelName is what the Collector calls a metric: a histogram is one.
func otelName(metric string) string {
	for _, suffix := range []string{"_bucket", "_count", "_sum"} {
		base, ok := strings.CutSuffix(metric, suffix)
		if ok && (suffix == "_bucket" || slices.ContainsFunc([]string{"_seconds", "_milliseconds", "_ms", "_bytes"}, func(u string) bool { return strings.HasSuffix(base, u) })) {
			return base
		}
	}
	return metric
}

func writeGMP(w io.Writer, s *senderConfig) {
	fmt.Fprintf(w, "# Google's managed collection (PodMonitoring, ClusterPodMonitoring) sends to Google alone. What sends here too is its self-deployed collection: this is for the\n")
	fmt.Fprintf(w, "# prometheus.yml of a Prometheus that runs its image, or any other. With managed collection run a second, small Prometheus or Alloy beside it.\n")
	fmt.Fprintf(w, "# Print it again when packs or track rules change: the lists in it name the %d metrics that they need.\n", s.total)
	s.leftOut(w, "#")
	prometheusBlock(w, s)
}
