package identity

// Sweep forgets what nobody speaks of any more. to gives the series their new numbers, None those that are forgotten; hasSeries reports whether a pod still has one; used
// calls mark for the host of every series that is placed by one. It returns the new numbers of pods, None for the forgotten; nil when all stay as they are.
func (b *Book) Sweep(to []uint32, hasSeries func(pod uint32) bool, used func(mark func(instance string))) (pods []uint32) {
	gone := func(source uint32) bool { return source == None || to[source] == None }
	for _, m := range [...]map[key]owner{b.sets, b.jobs} {
		for k, o := range m {
			if gone(o.source) {
				delete(m, k)
			} else {
				o.source = to[o.source]
				m[k] = o
			}
		}
	}
	for k, n := range b.nodes {
		if gone(n.source) {
			delete(b.nodes, k)
			if b.ips[n.ip] == k {
				delete(b.ips, n.ip)
			}
		} else {
			n.source = to[n.source]
			b.nodes[k] = n
		}
	}
	pods = b.sweepPods(hasSeries)
	b.sweepKins()
	for k, w := range b.workloads {
		if w.pods == 0 && w.lastT <= b.open-workloadKeepMs {
			delete(b.workloads, k)
		}
	}
	for _, h := range b.hosts {
		h.used = false
	}
	used(func(instance string) {
		if h := b.hosts[instance]; h != nil {
			h.used = true
		}
	})
	for k, h := range b.hosts {
		if !h.used {
			delete(b.hosts, k)
		}
	}
	return pods
}

func (b *Book) sweepPods(hasSeries func(uint32) bool) []uint32 {
	to := make([]uint32, len(b.pods))
	kept := b.pods[:0]
	for i, p := range b.pods {
		w := b.workload(p.ns, p.work, p.kind)
		if !hasSeries(uint32(i)) {
			to[i] = None
			w.pods--
			delete(b.podAt, p.key)
			continue
		}
		w.lastT = b.open
		to[i] = uint32(len(kept))
		b.podAt[p.key] = to[i]
		kept = append(kept, p)
	}
	if len(kept) == len(b.pods) {
		return nil
	}
	clear(b.pods[len(kept):])
	b.pods = kept
	held := b.held[:0]
	for _, i := range b.held {
		if to[i] != None {
			held = append(held, to[i])
		}
	}
	b.held = held
	b.listKids()
	return to
}

// Reword takes the words of another holder for those that are kept, so that the old one can go.
func (b *Book) Reword(words func(string) string) {
	b.words = words
	for i := range b.pods {
		p := &b.pods[i]
		delete(b.podAt, p.key)
		p.key = key{words(p.ns), words(p.name)}
		b.podAt[p.key] = uint32(i)
	}
}
