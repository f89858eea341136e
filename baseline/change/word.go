package change

import (
	"strings"

	"github.com/wrackline/wrackline/baseline/identity"
)

// Word is what a series says of an object. It belongs to the series and is the tracker's to read and write.
type Word struct {
	object uint32 // in Tracker.objects; None = its pod's workload is not known yet
	sub    string // container, and what of it
	fact   string // what its labels say
}

// Watch returns what a new series of a watched metric says of its object; ok is false when it says nothing. pod is the pod that the series is about, None for none. It is
// called before the book learns from the series.
func (tk *Tracker) Watch(m Metric, v *identity.View, pod uint32) (w Word, ok bool) {
	k, kind, w, ok := tk.read(m, v)
	switch {
	case !ok:
		return w, false
	case m.OfPod():
		if pod == None {
			return w, false
		}
	default:
		if k.name == "" {
			return w, false
		}
		if w.object = tk.object(k, kind, m.family); w.object == None {
			return w, false
		}
	}
	w.sub, w.fact = tk.words(w.sub), tk.words(w.fact)
	return w, true
}

// read takes from the labels of a series which object it speaks of, of which kind that is, and what it says; ok is false when that is nothing.
func (tk *Tracker) read(m Metric, v *identity.View) (k objectKey, kind string, w Word, ok bool) {
	w.object = None
	get := func(label string) string {
		x := v.Get(label)
		if x == "<none>" {
			return ""
		}
		return cutText(x)
	}
	k = objectKey{what: m.what, ns: get(identity.LabelNamespace)}
	switch m.what {
	case watchSet:
		set := v.Get("replicaset")
		k.name, kind = get("owner_name"), strings.ToLower(get("owner_kind"))
		k.sub = kind
		if !tk.book.KnowsSet(v.Get(identity.LabelNamespace), set) {
			w.fact = cutText(set)
		}
	case watchImage:
		w.sub = get(identity.LabelContainer)
		if w.fact = get("image"); w.fact == "" {
			w.fact = get("image_spec")
		}
		if w.fact == "" {
			return
		}
	case watchRevision:
		k.name, kind, w.fact = get("statefulset"), identity.StatefulSet, get("revision")
		if w.fact == "" {
			return
		}
	case watchReplicas:
		if k.name, kind = get("deployment"), identity.Deployment; k.name == "" {
			k.name, kind = get("statefulset"), identity.StatefulSet
		}
		k.sub = kind
	case watchProgress:
		if k, w.fact, ok = progressOf(m.name, get); !ok {
			return
		}
		kind = k.sub
	case watchHPA:
		k.name, kind = get("horizontalpodautoscaler"), "hpa"
		k.sub = strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(m.name, "kube_horizontalpodautoscaler_"), "spec_"), "status_"), "_replicas")
	case watchLimits:
		which := "limit "
		if strings.HasSuffix(m.name, "_requests") {
			which = "request "
		}
		w.sub = get(identity.LabelContainer) + "\x00" + which + get("resource")
	case watchCordon:
		k.ns, k.name = "", get(identity.LabelNode)
	case watchBoot:
		k.ns = ""
		if k.name = get(identity.LabelNode); k.name == "" {
			k.name = cutText(identity.HostOf(v.Labels.Get("instance")))
		}
	case watchNode:
		k.ns, k.name = "", get(identity.LabelNode)
		w.fact = nodeFact(v)
	case watchBuild:
		k.ns, k.name = "", cutText(v.Labels.Get("job"))
		kind = strings.TrimSuffix(strings.TrimSuffix(m.name, "_build_info"), "_server_version")
		k.sub = kind
		for _, label := range []string{"git_version", "server_version", "version", "release", "binary", "build"} {
			if w.fact = get(label); w.fact != "" {
				break
			}
		}
		if w.fact == "" {
			return
		}
		if k.name == "" {
			k.name = kind
		}
	case watchVersion:
		kind, _ = versioned(m.name)
		k.name, k.sub = get(kind), kind
	case watchRestart, watchOOM:
		w.sub = get(identity.LabelContainer)
		if m.what == watchOOM && v.Labels.Get("reason") != "OOMKilled" {
			return
		}
	}
	return k, kind, w, true
}

// ofPod returns the object that a series of a pod speaks of, None while the pod's workload is not known.
func (tk *Tracker) ofPod(m Metric, pod uint32, w *Word) uint32 {
	p := tk.book.View(pod)
	if p.Held {
		return None
	}
	what := m.what
	if what == watchOOM {
		what = watchRestart
	}
	w.object = tk.object(objectKey{what: what, ns: p.Namespace, name: cutText(p.Workload), sub: w.sub}, p.Kind, m.family)
	return w.object
}

// Moved makes a word look for its object anew, since the workload of the series' pod is another.
func (w *Word) Moved(m Metric) {
	if m.OfPod() {
		w.object = None
	}
}

// Renumber gives a word the present number of its object after a Sweep.
func (w *Word) Renumber(to []uint32) {
	if w.object != None {
		w.object = to[w.object]
	}
}
