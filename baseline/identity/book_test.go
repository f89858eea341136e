package identity

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/baseline/codec"
	"github.com/wrackline/wrackline/baseline/series"
)

const minute = int64(60_000)

// desk is somebody who reads series to a book, as a stream does, but knows no sample.
type desk struct {
	*Book
	at     int64 // end of the open window
	born   int64
	series int
}

func newDesk() *desk {
	d := &desk{Book: NewBook(nil), at: 100 * minute, born: 100 * minute}
	d.Tick(d.at, d.born)
	return d
}

// pass lets minutes pass and returns whether placed series must be asked about again.
func (d *desk) pass(minutes int) (nodes bool) {
	for range minutes {
		d.at += minute
		d.Tick(d.at, d.born)
		nodes = d.Settle() || nodes
	}
	return nodes
}

// labels reads name=value pairs.
func labels(text string) series.Labels {
	var l series.Labels
	for kv := range strings.FieldsSeq(text) {
		k, v, _ := strings.Cut(kv, "=")
		l = append(l, series.Label{Name: k, Value: v})
	}
	slices.SortFunc(l, func(a, b series.Label) int { return strings.Compare(a.Name, b.Name) })
	return l
}

// read reads a new series to the book and returns its pod and place.
func (d *desk) read(metric, text string) (pod uint32, place series.Labels, hosted bool) {
	v := &View{Labels: labels(text), Cluster: "c"}
	pod = None
	if ns, p := v.PodOf(metric); p != "" {
		pod = d.Pod(ns, p)
		d.Began(pod, d.at)
	}
	f := FactOf(metric)
	place, hosted = d.Place(f, metric, v, pod != None, nil)
	d.Learn(f, v, pod, uint32(d.series))
	d.series++
	return pod, place, hosted
}

// work says what the book makes of a pod.
func (d *desk) work(pod uint32) string {
	w, kind, held := d.Workload(pod, nil)
	if held {
		return kind + " " + w + ", held"
	}
	return kind + " " + w
}

// A pod belongs to what owner data says, to what its name says while there is none, and to nobody while it may yet turn out.
func TestWhosePodItIs(t *testing.T) {
	const cpu = "container_cpu_usage_seconds_total"
	for _, c := range []struct {
		name, pod string
		facts     []string // metric and labels, in the order in which they come
		early     string   // what the book says at once
		late      string   // after three minutes
	}{
		{"its name alone", "cart-5d78c9869d-x7k2p", nil, "deployment cart, held", "deployment cart"},
		{"owner before", "cart-5d78c9869d-x7k2p", []string{
			"kube_replicaset_owner namespace=n replicaset=cart-5d78c9869d owner_kind=Rollout owner_name=cart",
			"kube_pod_owner namespace=n pod=cart-5d78c9869d-x7k2p owner_kind=ReplicaSet owner_name=cart-5d78c9869d"}, "rollout cart", "rollout cart"},
		{"owner behind its pod", "cart-5d78c9869d-x7k2p", []string{
			"kube_pod_owner namespace=n pod=cart-5d78c9869d-x7k2p owner_kind=ReplicaSet owner_name=cart-5d78c9869d",
			"kube_replicaset_owner namespace=n replicaset=cart-5d78c9869d owner_kind=Deployment owner_name=cart-v2"}, "deployment cart-v2", "deployment cart-v2"},
		{"a ReplicaSet of its own", "cart-5d78c9869d-x7k2p", []string{
			"kube_pod_owner namespace=n pod=cart-5d78c9869d-x7k2p owner_kind=ReplicaSet owner_name=cart-5d78c9869d",
			"kube_replicaset_owner namespace=n replicaset=cart-5d78c9869d owner_kind=<none> owner_name=<none>"}, "replicaset cart-5d78c9869d", "replicaset cart-5d78c9869d"},
		{"a Job of a CronJob, by its name", "backup-29540177-kmd5h", []string{
			"kube_pod_owner namespace=n pod=backup-29540177-kmd5h owner_kind=Job owner_name=backup-29540177"}, "cronjob backup", "cronjob backup"},
		{"a static pod", "etcd-cp-1", []string{"kube_pod_owner namespace=n pod=etcd-cp-1 owner_kind=Node owner_name=cp-1"}, "static etcd", "static etcd"},
		{"a static pod, told by its node's name", "etcd-cp-1", []string{"kube_node_info node=cp-1 internal_ip=10.0.0.1"}, "statefulset etcd-cp, held", "static etcd"},
		{"the node of the pod itself", "etcd-cp-1", []string{"kube_pod_info namespace=n pod=etcd-cp-1 node=cp-1"}, "static etcd", "static etcd"},
		{"nobody's", "shell", []string{"kube_pod_owner namespace=n pod=shell owner_kind=<none> owner_name=<none>"}, "pod shell", "pod shell"},
		{"a second owner that does not manage it", "cart-0", []string{
			"kube_pod_owner namespace=n pod=cart-0 owner_kind=StatefulSet owner_name=cart owner_is_controller=true",
			"kube_pod_owner namespace=n pod=cart-0 owner_kind=Lease owner_name=x owner_is_controller=false"}, "statefulset cart", "statefulset cart"},
		{"a pod of a pod", "inner-x7k2p", []string{
			"kube_pod_owner namespace=n pod=inner-x7k2p owner_kind=Pod owner_name=outer-0",
			"kube_pod_owner namespace=n pod=outer-0 owner_kind=StatefulSet owner_name=outer"}, "statefulset outer", "statefulset outer"},
		{"a name that was cut", "platform-observability-telemetry-collector-gateway-eu-5bcf999v9", nil,
			"generated platform-observability-telemetry-collector-gateway-eu, held", "generated platform-observability-telemetry-collector-gateway-eu, held"},
		{"another namespace's owner", "cart-5d78c9869d-x7k2p", []string{
			"kube_replicaset_owner namespace=m replicaset=cart-5d78c9869d owner_kind=Rollout owner_name=cart"}, "deployment cart, held", "deployment cart"},
	} {
		d := newDesk()
		pod, _, _ := d.read(cpu, "namespace=n pod="+c.pod)
		for _, f := range c.facts {
			metric, text, _ := strings.Cut(f, " ")
			d.read(metric, text)
		}
		if got := d.work(pod); got != c.early {
			t.Errorf("%s: at once %q, want %q", c.name, got, c.early)
		}
		d.pass(3)
		if got := d.work(pod); got != c.late {
			t.Errorf("%s: later %q, want %q", c.name, got, c.late)
		}
	}
}

// Whoever has asked is told when an answer becomes another, and only then.
func TestMovedSaysWhoseAnswerChanged(t *testing.T) {
	d := newDesk()
	pod, _, _ := d.read("container_cpu_usage_seconds_total", "namespace=n pod=cart-5d78c9869d-x7k2p")
	other, _, _ := d.read("container_cpu_usage_seconds_total", "namespace=n pod=web-0")
	d.Moved()
	for _, c := range []struct {
		what, fact string
		want       []uint32
	}{
		{"an owner that says what the name said, but for sure", "kube_pod_owner namespace=n pod=cart-5d78c9869d-x7k2p owner_kind=ReplicaSet owner_name=cart-5d78c9869d", []uint32{pod}},
		{"the same again", "kube_pod_owner namespace=n pod=cart-5d78c9869d-x7k2p owner_kind=ReplicaSet owner_name=cart-5d78c9869d", nil},
		{"its ReplicaSet is somebody else's", "kube_replicaset_owner namespace=n replicaset=cart-5d78c9869d owner_kind=Rollout owner_name=cart", []uint32{pod}},
		{"the node of the other", "kube_pod_info namespace=n pod=web-0 node=n1", []uint32{other}},
		{"the node again", "kube_pod_info namespace=n pod=web-0 node=n1", nil},
	} {
		metric, text, _ := strings.Cut(c.fact, " ")
		d.read(metric, text)
		if got := slices.Compact(slices.Clone(d.Moved())); !slices.Equal(got, c.want) {
			t.Errorf("%s: moved %v, want %v", c.what, got, c.want)
		}
	}
	d.pass(3) // the other has waited for an owner for long enough
	if got := slices.Clone(d.Moved()); !slices.Equal(got, []uint32{other}) {
		t.Errorf("let go: %v, want %v", got, other)
	}
	if d.pass(3); len(d.Moved()) > 0 {
		t.Error("moved without a reason")
	}
}

// A series belongs to the node that its labels name, to the one that has its address, to its pod's; and an instance waits two minutes for a node to show itself.
func TestNodeOfASeries(t *testing.T) {
	d := newDesk()
	_, load, hosted := d.read("node_load1", "instance=10.0.0.1:9100")
	if n, held := d.Node(None, load); n != "" || !held || !hosted {
		t.Errorf("at once: %q, held %v, hosted %v", n, held, hosted)
	}
	d.read("kube_node_info", "node=n1 internal_ip=10.0.0.1")
	if !d.pass(1) {
		t.Error("nobody was told that nodes are known")
	}
	if n, held := d.Node(None, load); n != "n1" || held {
		t.Errorf("with its address: %q, held %v", n, held)
	}
	_, named, _ := d.read("x", "node=n7 instance=10.0.0.1:1")
	if n, _ := d.Node(None, named); n != "n7" {
		t.Errorf("its own label: %q", n)
	}
	pod, place, _ := d.read("app_total", "namespace=n pod=web-0 instance=10.9.9.9:80")
	d.read("kube_pod_info", "namespace=n pod=web-0 node=n2")
	if n, _ := d.Node(pod, place); n != "n2" {
		t.Errorf("its pod's: %q", n)
	}
	_, lone, _ := d.read("node_load1", "instance=db.example:9100")
	if n, held := d.Node(None, lone); n != "" || !held {
		t.Errorf("an unknown instance at once: %q %v", n, held)
	}
	if !d.pass(3) {
		t.Error("nobody was told that the instance has waited for long enough")
	}
	if n, held := d.Node(None, lone); n != "db.example" || held {
		t.Errorf("an unknown instance later: %q %v", n, held)
	}
	d.read("node_uname_info", "instance=db.example:9100 nodename=db-1")
	if n, _ := d.Node(None, lone); n != "db-1" || d.NodeNamed("db.example") != "db-1" || d.NodeNamed("elsewhere") != "elsewhere" {
		t.Errorf("an instance that names itself: %q", n)
	}
}

// Objects of kube-state-metrics belong to their workload; its own pod label does not count.
func TestWorkloadOfAnObject(t *testing.T) {
	d := newDesk()
	d.read("kube_replicaset_owner", "namespace=n replicaset=web-abc owner_kind=Deployment owner_name=web")
	for _, c := range []struct{ metric, labels, want string }{
		{"kube_deployment_spec_replicas", "namespace=n deployment=cart pod=ksm-0", "deployment cart"},
		{"kube_job_status_failed", "namespace=n job_name=backup-29540177", "cronjob backup"},
		{"kube_replicaset_spec_replicas", "namespace=n replicaset=web-abc", "deployment web"},
		{"kube_replicaset_spec_replicas", "namespace=n replicaset=cart-5d78c9869d", "deployment cart"},
		{"kube_pod_status_phase", "namespace=ksm pod=ksm-0 exported_namespace=n exported_pod=db-0", "statefulset db, held"},
	} {
		pod, place, _ := d.read(c.metric, c.labels)
		work, kind, held := d.Workload(pod, place)
		got := kind + " " + work
		if held {
			got += ", held"
		}
		if got != c.want {
			t.Errorf("%s{%s}: %q, want %q", c.metric, c.labels, got, c.want)
		}
	}
}

// What nobody speaks of any more is forgotten, the rest keeps its order.
func TestSweepForgets(t *testing.T) {
	d := newDesk()
	for i := range 6 {
		d.read("kube_pod_owner", fmt.Sprintf("namespace=n pod=job-%d-x7k2p owner_kind=Job owner_name=job-%d", i, i)) // series 0, 2, 4 …
		d.read("kube_job_owner", fmt.Sprintf("namespace=n job_name=job-%d owner_kind=CronJob owner_name=job", i))    // 1, 3, 5 …
	}
	d.read("kube_node_info", "node=n1 internal_ip=10.0.0.1") // 12
	d.read("node_load1", "instance=10.0.0.9:9100")           // 13
	to := make([]uint32, d.series)
	kept := uint32(0)
	for i := range to {
		if to[i] = None; i%4 < 2 && i < 12 { // pods 0, 2 and 4 stay
			to[i] = kept
			kept++
		}
	}
	pods := d.Sweep(to, func(p uint32) bool { return p%2 == 0 }, func(func(string)) {})
	if !slices.Equal(pods, []uint32{0, None, 1, None, 2, None}) {
		t.Errorf("pods renumbered %v", pods)
	}
	if got := d.Sizes(); got != (Sizes{Pods: 3, Workloads: got.Workloads, Jobs: 3}) {
		t.Errorf("%+v", got)
	}
	if got := d.work(d.Pod("n", "job-4-x7k2p")); got != "cronjob job" {
		t.Errorf("one that stayed: %q", got)
	}
	if d.Sweep(slices.Repeat([]uint32{0}, d.series), func(uint32) bool { return true }, func(func(string)) {}) != nil {
		t.Error("numbers were given anew though nothing went")
	}
}

// A book that is written and read says the same, and refuses what it cannot have written.
func TestBookStateIsWhole(t *testing.T) {
	d := newDesk()
	d.read("kube_pod_owner", "namespace=n pod=cart-5d78c9869d-x7k2p owner_kind=ReplicaSet owner_name=cart-5d78c9869d")
	d.read("kube_replicaset_owner", "namespace=n replicaset=cart-5d78c9869d owner_kind=Rollout owner_name=cart")
	d.read("kube_node_info", "node=n1 internal_ip=10.0.0.1")
	_, lone, _ := d.read("node_load1", "instance=db:9100")
	held, _, _ := d.read("x_total", "namespace=n pod=new-0")
	d.pass(1)
	d.Node(None, lone)
	d.Moved()
	var w codec.Writer
	d.Append(&w)
	fault := errors.New("fault")
	again := &desk{Book: NewBook(nil), at: d.at, born: d.born, series: d.series}
	r := codec.NewReader(w.B, fault)
	again.Tick(d.at, d.born)
	if again.Restore(r); r.Err() != nil || r.Left() > 0 {
		t.Fatalf("%v, %d bytes left", r.Err(), r.Left())
	}
	var b codec.Writer
	if again.Append(&b); string(b.B) != string(w.B) {
		t.Error("another state after reading")
	}
	for range 4 {
		if x, y := d.pass(1), again.pass(1); x != y || !slices.Equal(d.Moved(), again.Moved()) || d.work(held) != again.work(held) {
			t.Fatal("it goes on otherwise")
		}
	}
	for n := range len(w.B) {
		r := codec.NewReader(w.B[:n], fault)
		if NewBook(nil).Restore(r); r.Err() == nil {
			t.Fatalf("%d of %d bytes were taken for a book", n, len(w.B))
		}
	}
	bad := slices.Clone(w.B)
	bad[0] = stateVersion + 1
	r = codec.NewReader(bad, fault)
	if NewBook(nil).Restore(r); !errors.Is(r.Err(), fault) {
		t.Error("a newer version was read")
	}
}

func TestNetworkOfPods(t *testing.T) {
	d := newDesk()
	pod := func(name string) uint32 { return d.Pod("shop", name) }
	read := func(name, more string) uint32 {
		i, _, _ := d.read("kube_pod_info", "namespace=shop pod="+name+" "+more)
		return i
	}
	named := read("a-x2k4q", "host_network=true host_ip=10.0.0.1 pod_ip=10.0.0.1")
	before := read("b-x2k4q", "host_ip=10.0.0.1 pod_ip=10.0.0.1")
	own := read("c-x2k4q", "host_network=false host_ip=10.0.0.1 pod_ip=10.4.0.1")
	agent, said := pod("kube-proxy-x2k4q"), read("aws-node-x2k4q", "host_network=false")
	shows, inner := pod("d-x2k4q"), pod("e-x2k4q")
	d.OnInterface(shows, "cali12345")
	d.OnInterface(inner, "docker0")
	d.OnInterface(inner, "eth0")
	d.OnInterface(own, "cali12345")
	static, _, _ := d.read("kube_pod_owner", "namespace=kube-system pod=etcd-n1 owner_kind=Node owner_name=n1")
	check := func(b *Book) {
		t.Helper()
		for i, want := range map[uint32]bool{named: true, before: true, own: false, agent: true, said: false, shows: true, inner: false, static: true, None: false} {
			if got := b.InNodesNetwork(i); got != want {
				t.Errorf("pod %d: in its node's network: %v", i, got)
			}
		}
	}
	check(d.Book)
	w := &codec.Writer{}
	d.Append(w)
	b := NewBook(nil)
	if r := codec.NewReader(w.B, errors.New("damaged")); true {
		if b.Restore(r); r.Err() != nil || r.Left() > 0 {
			t.Fatal(r.Err(), r.Left())
		}
	}
	check(b)
	later := read("kube-proxy-x2k4q", "host_network=false")
	if later != agent || d.InNodesNetwork(agent) {
		t.Error("what kube-state-metrics says counts more than a name")
	}
}
