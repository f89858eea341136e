package change

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/wrackline/wrackline/baseline/codec"
	"github.com/wrackline/wrackline/baseline/identity"
	"github.com/wrackline/wrackline/baseline/series"
)

// voice is one series that speaks to a tracker.
type voice struct {
	metric Metric
	word   Word
	says   bool
	pod    uint32
	lastT  int64
	lastV  float64
	v      float64
}

// room is a cluster made of voices that are heard every half minute: a book and a tracker, and no stream.
type room struct {
	t      *testing.T
	tr     *Tracker
	book   *identity.Book
	counts Counts
	at     int64
	names  []string // in order of appearance
	voices map[string]*voice
	told   []string
	last   []Change
}

func newRoom(t *testing.T) *room {
	r := &room{t: t, at: 1_000 * windowMs, voices: map[string]*voice{}}
	r.book = identity.NewBook(nil)
	r.tr = NewTracker(Deps{Cluster: "c", Book: r.book, Words: strings.Clone, Counts: &r.counts})
	r.tr.Asks(func(pod uint32, after int64, alive bool) bool {
		for _, v := range r.voices {
			if v.pod == pod && v.lastT > after {
				return true
			}
		}
		return false
	})
	r.tick()
	return r
}

func (r *room) tick() {
	r.book.Tick(r.at, 1_000*windowMs)
	r.tr.Tick(r.at)
}

// set makes a series, named metric{a="b",…} without quotes, say v from now on.
func (r *room) set(v float64, names ...string) *room {
	for _, n := range names {
		if x := r.voices[n]; x != nil {
			x.v = v
			continue
		}
		metric, rest, _ := strings.Cut(strings.TrimSuffix(n, "}"), "{")
		var l series.Labels
		for kv := range strings.SplitSeq(rest, ",") {
			k, val, _ := strings.Cut(kv, "=")
			l = append(l, series.Label{Name: k, Value: val})
		}
		slices.SortFunc(l, func(a, b series.Label) int { return strings.Compare(a.Name, b.Name) })
		view := &identity.View{Labels: l, Cluster: "c"}
		x := &voice{metric: MetricOf(metric), pod: None, v: v}
		if ns, p := view.PodOf(metric); p != "" {
			x.pod = r.book.Pod(ns, p)
			r.book.Began(x.pod, r.at)
		}
		if x.metric.Watched() {
			x.word, x.says = r.tr.Watch(x.metric, view, x.pod)
		}
		r.book.Learn(identity.FactOf(metric), view, x.pod, uint32(len(r.names)))
		r.names = append(r.names, n)
		r.voices[n] = x
	}
	return r
}

// drop silences series; they end with a stale marker.
func (r *room) drop(names ...string) *room {
	for _, n := range names {
		if x := r.voices[n]; x.says {
			r.tr.Unheard(&x.word, r.at)
		}
		delete(r.voices, n)
		r.names = slices.DeleteFunc(r.names, func(x string) bool { return x == n })
	}
	return r
}

// run lets minutes pass.
func (r *room) run(minutes int) *room {
	for range 2 * minutes {
		r.at += windowMs / 2
		for _, n := range r.names {
			x := r.voices[n]
			if x.says {
				r.tr.Hear(&x.word, x.metric, x.pod, &series.Sample{T: r.at, V: x.v}, x.lastT, x.lastV)
			}
			x.lastT, x.lastV = r.at, x.v
		}
		if r.at%windowMs != 0 {
			continue
		}
		r.book.Settle()
		for _, p := range slices.Clone(r.book.Moved()) {
			for _, x := range r.voices {
				if x.pod == p {
					x.word.Moved(x.metric)
				}
			}
		}
		for _, c := range r.tr.Settle(r.at) {
			r.told = append(r.told, c.Text())
			r.last = append(r.last, c)
		}
		r.tick()
	}
	return r
}

func (r *room) want(what string, texts ...string) {
	r.t.Helper()
	if !slices.Equal(r.told, texts) {
		r.t.Errorf("%s: told %q, want %q", what, r.told, texts)
	}
	r.told = nil
}

const (
	cartReplicas = "kube_deployment_spec_replicas{namespace=shop,deployment=cart}"
	cartSet      = "kube_replicaset_owner{namespace=shop,replicaset=cart-5d78c9869d,owner_kind=Deployment,owner_name=cart}"
	settings     = "kube_configmap_metadata_resource_version{namespace=shop,configmap=settings}"
	etcdVersion  = "etcd_server_version{job=etcd,instance=10.0.0.1:2381,server_version=3.6.4}"
	cordon       = "kube_node_spec_unschedulable{node=n1}"
)

// What is said anew twice is told; what is said once, is learned, or comes with its metric is not.
func TestTrackerTells(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(r *room)
		want []string
	}{
		{"nothing", func(r *room) { r.run(30) }, nil},
		{"another number of replicas", func(r *room) { r.set(5, cartReplicas).run(2) }, []string{"deployment shop/cart scaled: 3 → 5"}},
		{"there and back between two scrapes", func(r *room) {
			r.set(5, cartReplicas)
			r.at += windowMs / 2
			x := r.voices[cartReplicas]
			r.tr.Hear(&x.word, x.metric, x.pod, &series.Sample{T: r.at, V: 5}, x.lastT, x.lastV)
			r.at += windowMs / 2
			r.set(3, cartReplicas).run(5)
		}, nil},
		{"a ReplicaSet nobody has seen", func(r *room) {
			r.set(1, strings.Replace(cartSet, "5d78c9869d", "84557f7547", 1)).run(3)
		}, []string{"rollout of deployment shop/cart: cart-5d78c9869d → cart-84557f7547"}},
		{"a config map, all the time", func(r *room) {
			for i := range 40 {
				r.set(float64(200+i), settings).run(2)
			}
		}, slices.Repeat([]string{"configmap shop/settings changed"}, 6)},
		{"eleven silent minutes, and another value", func(r *room) {
			n := r.voices[settings]
			delete(r.voices, settings)
			r.names = slices.DeleteFunc(r.names, func(x string) bool { return x == settings })
			r.run(11)
			r.voices[settings], r.names = n, append(r.names, settings)
			r.set(900, settings).run(5)
		}, nil},
		{"a metric that has only just come", func(r *room) {
			r.set(1, "kube_rolebinding_metadata_resource_version{namespace=ci,rolebinding=deployer}").run(5)
		}, nil},
		{"cordoned, and its pod leaves", func(r *room) {
			r.set(1, cordon).run(3)
			r.drop("kube_pod_info{namespace=shop,pod=cart-5d78c9869d-x7k2p,node=n1}").run(8)
		}, []string{"node n1 cordoned", "node n1 drained: 1 → 0 pods"}},
		{"etcd upgraded", func(r *room) {
			r.drop(etcdVersion).set(1, strings.Replace(etcdVersion, "3.6.4", "3.7.0", 1)).run(5)
		}, []string{"etcd: 3.6.4 → 3.7.0"}},
		{"cordoned, and its pod stays", func(r *room) { r.set(1, cordon).run(40) }, []string{"node n1 cordoned"}},
	} {
		r := newRoom(t)
		r.set(3, cartReplicas).set(1, cartSet, etcdVersion).set(100, settings).set(0, cordon)
		r.set(1, "kube_pod_owner{namespace=shop,pod=cart-5d78c9869d-x7k2p,owner_kind=ReplicaSet,owner_name=cart-5d78c9869d}",
			"kube_pod_info{namespace=shop,pod=cart-5d78c9869d-x7k2p,node=n1}")
		r.run(70).want(c.name + ", before")
		if c.name == "cordoned, and its pod leaves" {
			r.drop("kube_pod_owner{namespace=shop,pod=cart-5d78c9869d-x7k2p,owner_kind=ReplicaSet,owner_name=cart-5d78c9869d}")
		}
		c.do(r)
		r.want(c.name, c.want...)
	}
}

// The first hour is how things are.
func TestFirstHourIsLearned(t *testing.T) {
	r := newRoom(t).set(3, cartReplicas).run(30)
	r.set(4, cartReplicas).run(30).want("first hour")
	r.set(5, cartReplicas).run(2).want("afterwards", "deployment shop/cart scaled: 4 → 5")
}

// A rollout has an end, and one that gets nowhere is late; both are told of the workload.
func TestRolloutIsFollowed(t *testing.T) {
	slot := func(s string) string { return "kube_deployment_" + s + "{namespace=shop,deployment=cart}" }
	r := newRoom(t).set(3, cartReplicas).set(1, cartSet)
	state := func(updated, available, generation float64) *room {
		return r.set(updated, slot("status_replicas_updated")).set(available, slot("status_replicas_available")).set(3, slot("status_replicas")).
			set(generation, slot("metadata_generation"), slot("status_observed_generation"))
	}
	state(3, 3, 1).run(70).want("before")
	set2 := strings.Replace(cartSet, "5d78c9869d", "84557f7547", 1)
	r.set(1, set2)
	state(1, 3, 2).run(3)
	state(3, 3, 2).run(4).want("through", "rollout of deployment shop/cart: cart-5d78c9869d → cart-84557f7547", "rollout of deployment shop/cart has ended after 3 min")
	r.set(1, strings.Replace(cartSet, "5d78c9869d", "665f8b7c9d", 1))
	state(1, 2, 3).run(20)
	if len(r.told) != 2 || !strings.HasPrefix(r.told[1], "rollout of deployment shop/cart is late: after ") {
		t.Errorf("stuck: told %q", r.told)
	}
	late := 0.0
	r.tr.Rollouts(r.at, func(v RolloutView) { late = v.LateS })
	if late < 300 {
		t.Errorf("late by %v s", late)
	}
}

// There are more objects than are watched, with long names: the rest is counted.
func TestObjectsAreBounded(t *testing.T) {
	r := newRoom(t)
	r.counts.Objects = ObjectsMax - 10
	for i := range 50 {
		r.set(1, fmt.Sprintf("kube_configmap_metadata_resource_version{namespace=x,configmap=%d%s}", i, strings.Repeat("n", 3000)))
	}
	if len(r.tr.objects) != 10 || r.counts.Over != 40 {
		t.Errorf("%d objects, %d refused", len(r.tr.objects), r.counts.Over)
	}
	for _, o := range r.tr.objects {
		if len(o.name) > changeTextMax {
			t.Errorf("a name of %d bytes", len(o.name))
		}
	}
	r.at += forgetMs + windowMs
	r.tick()
	if to := r.tr.Sweep(); len(to) != 10 || len(r.tr.objects) != 0 || r.counts.Objects != ObjectsMax-10-10+10 {
		t.Errorf("a day later: %d objects, %d in all", len(r.tr.objects), r.counts.Objects)
	}
}

// A tracker that is written and read goes on as if nothing had been, and refuses what it cannot have written.
func TestTrackerStateIsWhole(t *testing.T) {
	r := newRoom(t).set(3, cartReplicas).set(1, cartSet).set(100, settings).set(0, cordon).run(70)
	r.set(5, cartReplicas).run(1)
	var w codec.Writer
	r.tr.Append(&w)
	fault := errors.New("fault")
	var counts Counts
	again := NewTracker(Deps{Cluster: "c", Book: r.book, Words: strings.Clone, Counts: &counts})
	rd := codec.NewReader(w.B, fault)
	again.Restore(rd)
	again.Tick(r.at)
	if rd.Err() != nil || rd.Left() > 0 || counts.Objects != r.counts.Objects {
		t.Fatalf("%v, %d bytes left, %d objects of %d", rd.Err(), rd.Left(), counts.Objects, r.counts.Objects)
	}
	var b codec.Writer
	if again.Append(&b); string(b.B) != string(w.B) {
		t.Error("another state after reading")
	}
	for n := range len(w.B) {
		rd := codec.NewReader(w.B[:n], fault)
		if NewTracker(Deps{Cluster: "c", Book: r.book, Words: strings.Clone, Counts: &Counts{}}).Restore(rd); rd.Err() == nil {
			t.Fatalf("%d of %d bytes were taken for a tracker", n, len(w.B))
		}
	}
	for _, x := range r.voices {
		if !x.says {
			continue
		}
		var w codec.Writer
		x.word.Append(&w)
		rd := codec.NewReader(w.B, fault)
		if got := again.RestoreWord(rd, x.metric, x.pod); rd.Err() != nil || got != x.word {
			t.Errorf("%+v read as %+v: %v", x.word, got, rd.Err())
		}
	}
}
