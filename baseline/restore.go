package baseline

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/wrackline/wrackline/baseline/codec"
	"github.com/wrackline/wrackline/baseline/series"
	"github.com/wrackline/wrackline/baseline/signal"
	"github.com/wrackline/wrackline/baseline/store"
)

// ModelsMax bounds how many models Restore accepts, against a hostile or broken store.
const ModelsMax = 4 << 20

// The sections of the fold's state, besides the models. Up to stream format 7 there was one stream and one view of all clusters.
const (
	sectionRouter  = "router"
	sectionStream  = "stream"   // and "/" and the cluster's number
	sectionView    = "verdicts" // likewise
	groupModels    = "models"   // likewise: the group of a cluster's models
	groupRescued   = "rescued"  // models of clusters that begin anew and have sent nothing yet
	sectionSizes   = "sizes"    // likewise; older programs wrote none
	sectionWaiting = "waiting"  // since when they are waited for; older programs wrote none
)

// ErrSections is returned by Restore when sections are missing that belong together.
var ErrSections = errors.New("sections of the checkpoint are missing")

func sectionOf(kind string, number uint16) string { return fmt.Sprintf("%s/%d", kind, number) }

// Sections yields the fold's state without the models, one section after the other: its name and a function that appends it. Those of a cluster follow each other.
func (e *Engine) Sections(yield func(name string, append func(dst []byte) []byte) bool) {
	e.sections(true, yield)
}

// AtOnce yields the sections that Freeze does not copy.
func (e *Engine) AtOnce(yield func(name string, append func(dst []byte) []byte) bool) {
	e.sections(false, yield)
}

func (e *Engine) sections(all bool, yield func(name string, append func(dst []byte) []byte) bool) {
	if !yield(sectionRouter, e.router.Append) {
		return
	}
	for _, c := range e.clusters {
		if c != nil && (all && (!yield(sectionOf(sectionStream, c.number), c.stream.AppendState) || !yield(sectionOf(sectionView, c.number), c.appendView)) ||
			!yield(sectionOf(sectionSizes, c.number), c.sizes.book.Append)) {
			return
		}
	}
	if len(e.waiting) > 0 {
		yield(sectionWaiting, e.appendWaiting)
	}
}

// appendWaiting appends since when clusters are waited for: version 1; count; name and time of each.
func (e *Engine) appendWaiting(dst []byte) []byte {
	w := codec.Writer{B: dst}
	w.Num(1)
	w.Num(len(e.waiting))
	for _, name := range slices.Sorted(maps.Keys(e.waiting)) {
		w.String(name)
		w.Int(e.waiting[name])
	}
	return w.B
}

// waitFor puts the models of clusters that have no stream aside. section is what appendWaiting wrote, nil when there is none; damaged, they wait from now on.
func (e *Engine) waitFor(pending map[string][]byte, section []byte) {
	e.rescued, e.waiting = map[string][]byte{}, map[string]int64{}
	for id, data := range pending {
		if name := clusterOf(id); name != "" && !e.streams(name) {
			e.rescued[id], e.waiting[name] = data, 0
			delete(pending, id)
		}
	}
	modelsOrphaned.Add(len(pending))
	r := codec.NewReader(section, ErrSections)
	r.Section(1)
	for range r.Count(2) {
		name, since := r.String(), r.Int()
		if _, ok := e.waiting[name]; ok && r.Err() == nil {
			e.waiting[name] = since
		}
	}
}

// Models yields every model's id and bytes, in a stable order. The bytes are borrowed until the next yield.
func (e *Engine) Models(yield func(id string, data []byte) bool) {
	for _, g := range e.Groups() {
		for id, data := range g.Models {
			if !yield(id, data) {
				return
			}
		}
	}
}

// Groups returns the models by cluster, in a stable order. Those of different groups may be ranged over at the same time; the bytes are borrowed until the next yield.
func (e *Engine) Groups() (list []store.Group) {
	for _, c := range e.clusters {
		if c != nil {
			list = append(list, store.Group{Name: sectionOf(groupModels, c.number), Models: c.models})
		}
	}
	if len(e.rescued) > 0 {
		list = append(list, store.Group{Name: groupRescued, Models: inOrder(e.rescued)})
	}
	return list
}

// inOrder yields models by id.
func inOrder(models map[string][]byte) func(yield func(id string, data []byte) bool) {
	return func(yield func(string, []byte) bool) {
		for _, id := range slices.Sorted(maps.Keys(models)) {
			if !yield(id, models[id]) {
				return
			}
		}
	}
}

// models yields the cluster's models.
func (c *cluster) models(yield func(id string, data []byte) bool) {
	var buf []byte
	for b := range c.judged {
		buf = b.model.AppendBinary(buf[:0])
		if !yield(b.signal.ID, buf) {
			return
		}
	}
	inOrder(c.pending)(yield) // rescued ones, whose signals have not come back yet
}

// Restore puts back what Sections and Models gave, into an engine that has applied nothing. Sections of older programs are read. A cluster whose stream is missing, which the store knows to be
// damaged, begins anew but for its models, which wait for their signals, and without the router all do; one whose view is missing shows nothing until its next window.
// Models of signals that the present packs no longer ask are dropped with a count once the next checkpoint is made. The bytes of models must stay as they are until it returns.
func (e *Engine) Restore(pos uint64, sections map[string][]byte, models func(yield func(id string, data []byte) bool)) error {
	pending := map[string][]byte{}
	models(func(id string, data []byte) bool {
		pending[id] = data
		return len(pending) < ModelsMax
	})
	if router, ok := sections[sectionRouter]; ok {
		if err := e.router.Restore(router); err != nil {
			return err
		}
		for i := range e.router.Len() {
			if e.router.Name(uint16(i)) == "" {
				continue
			}
			stream, ok := sections[sectionOf(sectionStream, uint16(i))]
			if !ok {
				continue // it is damaged, or the cluster had only just been named
			}
			if err := e.restoreCluster(uint16(i), stream, sections[sectionOf(sectionView, uint16(i))], pending); err != nil {
				return err
			}
			e.clusters[i].restoreSizes(sections[sectionOf(sectionSizes, uint16(i))])
		}
	} else if stream, ok := sections[sectionStream]; ok {
		if err := e.restoreWhole(stream, sections[sectionView], pending); err != nil {
			return err
		}
	} else if len(pending) == 0 {
		return ErrSections
	}
	e.waitFor(pending, sections[sectionWaiting])
	e.pos = pos
	e.exchange()
	e.Publish()
	return nil
}

// clusterOf returns the cluster in the id of a signal, as it is written there.
func clusterOf(id string) string {
	_, rest, _ := strings.Cut(id, idCluster)
	name, _, _ := strings.Cut(rest, "~")
	return name
}

const idCluster = "~cluster="

// inID is how ids write a cluster's name.
func (c *cluster) inID() string {
	return strings.TrimPrefix(series.Labels{{Name: "cluster", Value: c.name}}.ID(""), idCluster)
}

// streams reports whether there is a cluster of this name, as ids write it.
func (e *Engine) streams(name string) bool {
	return slices.ContainsFunc(e.named(), func(c *cluster) bool { return c.inID() == name })
}

// rescue gives a cluster that begins anew the models that were its own, when its stream or the router was lost with a damaged checkpoint.
func (c *cluster) rescue(from map[string][]byte) {
	name := c.inID()
	delete(c.e.waiting, name)
	for id, data := range from {
		if clusterOf(id) == name {
			c.pending[id] = data
			delete(from, id)
		}
	}
}

// restoreCluster puts one cluster back.
func (e *Engine) restoreCluster(number uint16, stream, view []byte, pending map[string][]byte) error {
	c := e.cluster(number)
	if c == nil {
		return fmt.Errorf("cluster %d: %w", number, ErrSections)
	}
	if err := c.stream.RestoreState(stream); err != nil {
		return fmt.Errorf("restore signals of cluster %s: %w", c.name, err)
	}
	c.pending = pending
	for s := range c.stream.InOrder {
		c.begun(s)
	}
	c.pending = nil
	if view == nil {
		return nil
	}
	now, err := c.restoreView(view)
	e.nowMs = max(e.nowMs, now)
	return err
}

// restoreWhole divides the one stream of an older program among clusters.
func (e *Engine) restoreWhole(stream, view []byte, pending map[string][]byte) error {
	o := e.opts.Stream
	whole, err := signal.NewStream(o, nil)
	if err != nil {
		return err
	}
	if err := whole.RestoreState(stream); err != nil {
		return fmt.Errorf("restore signals: %w", err)
	}
	for _, s := range whole.Homes() {
		e.router.Known(s.Sender, s.Fixed, s.Major, s.Decided, s.Real)
	}
	for _, name := range whole.Clusters() {
		number, ok := e.router.Cluster(name, "")
		if !ok {
			return fmt.Errorf("%d clusters: %w", len(whole.Clusters()), ErrSections)
		}
		if err := e.restoreCluster(number, stream, view, pending); err != nil {
			return err
		}
	}
	return nil
}
