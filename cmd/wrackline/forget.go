package main

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/wrackline/wrackline/baseline/series"
)

const forgetHelp = `Tells a running Wrackline to drop a cluster that is no more, with all that was learned of it: signals, baselines, changes and what it takes of
limits. Open incidents of it end as gone, and whoever was told of them hears so.

  wrackline forget cluster staging
  wrackline forget --server https://wrackline.example cluster pr-17 pr-18

By itself a cluster is forgotten when none of its signals has had a value for storage.retention. Charts of the past and incidents that are over stay for
their time. A cluster whose sender still sends begins anew with its next request. There is no way back; the answer comes once it is on disk.
`

func runForget(ctx context.Context, e env, args []string) error {
	fs := newFlags(e, "forget")
	t := addTeller(fs)
	if err := parse(e, fs, args); err != nil {
		return err
	}
	if fs.NArg() < 2 || fs.Arg(0) != "cluster" {
		return usagef("want: cluster, and its name as the status page shows it")
	}
	return t.tell(ctx, e, "/-/forget?cluster=", fs.Args()[1:])
}

// forget drops a cluster, and returns once that is on disk.
func (a *app) forget(cluster string) error {
	if err := a.working(); err != nil {
		return err
	}
	a.checkpointMu.Lock()
	defer a.checkpointMu.Unlock()
	a.fold.Lock()
	if !a.engine.Forget(cluster) {
		a.fold.Unlock()
		return errNoCluster
	}
	a.manager.Forget(cluster)
	c := a.freeze()
	a.fold.Unlock()
	a.log.Info("cluster forgotten", "cluster", cluster)
	a.notePast("cluster "+series.Clean(cluster, 80)+" was forgotten", false)
	return a.saveBoth(c)
}

// serveForget answers POST /-/forget?cluster=NAME.
func (a *app) serveForget(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("cluster")
	if name == "" {
		http.Error(w, "name a cluster: ?cluster=NAME", http.StatusBadRequest)
		return
	}
	err := a.forget(name)
	switch {
	case err == nil:
		io.WriteString(w, "Forgotten. It begins anew if anybody still sends it.\n")
	case errors.Is(err, errNoCluster):
		http.Error(w, err.Error(), http.StatusNotFound)
	case errors.Is(err, errNotReady):
		unavailable(w, err)
	default:
		http.Error(w, "forgotten, but not on disk yet: "+err.Error(), http.StatusInternalServerError)
	}
}

var errNoCluster = errors.New("there is no cluster of that name")
