// The status as JSON, in parts that can be asked for one by one.

package ui

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/wrackline/wrackline/alerting"
	"github.com/wrackline/wrackline/baseline"
)

type object = map[string]any

// objects makes one of each element of a list; an empty list stays a list.
func objects[T any](list []T, of func(*T) object) []object {
	out := make([]object, len(list))
	for i := range list {
		out[i] = of(&list[i])
	}
	return out
}

const configPart = "config" // left out of the whole: it is long, and the same all the time

// statusParts are the parts in the order in which they are named to people.
var statusParts = [...]struct {
	name string
	of   func(*server, *Status) any
}{
	{"build", (*server).apiBuild},
	{"senders", (*server).apiSenders},
	{"pairs", (*server).apiPairs},
	{"clusters", (*server).apiClusters},
	{"limits", (*server).apiLimits},
	{"counters", (*server).apiCounters},
	{"journal", (*server).apiJournal},
	{"store", (*server).apiStore},
	{"receivers", (*server).apiReceivers},
	{"heartbeat", (*server).apiHeartbeat},
	{"peer", (*server).apiPeer},
	{"problems", (*server).apiProblems},
	{"noise", (*server).apiNoise},
	{configPart, (*server).apiConfig},
}

// apiStatus answers with everything, or with the one part that the address names.
func (s *server) apiStatus(c *gin.Context) {
	st := s.about()
	asked := c.Param("part")
	all := object{}
	var names []string
	for _, p := range statusParts {
		switch {
		case p.name == asked:
			s.apiOK(c, p.of(s, &st))
			return
		case asked == "" && p.name != configPart:
			all[p.name] = p.of(s, &st)
		}
		names = append(names, p.name)
	}
	if asked != "" {
		last := len(names) - 1
		s.apiFail(c, http.StatusNotFound, "there is no such part of the status; there are "+strings.Join(names[:last], ", ")+" and "+names[last])
		return
	}
	s.apiOK(c, all)
}

func (s *server) apiBuild(st *Status) any {
	ready, doing := s.src.Ready()
	return object{"version": st.Version, "go": st.Go, "platform": st.Platform, "started": st.StartedMs, "now": s.now(st), "received": st.ReceiveMs, "ready": ready, "doing": doing, "demo": st.Demo != nil}
}

func (*server) apiSenders(st *Status) any {
	return objects(st.Senders, func(x *Sender) object {
		return object{"name": x.Name, "cluster": x.Cluster, "replica": x.Replica, "samples": x.Samples, "accepted": x.Accepted, "duplicates": x.Duplicates, "late": x.Late,
			"rejected": x.Rejected, "first": x.FirstMs, "last": x.LastMs, "newest_sample": x.LastT, "used_ratio": num(x.Used), "series": x.Series, "series_unneeded": x.Unneeded, "signals": x.Signals, "yielded": x.Yielded}
	})
}

func (*server) apiPairs(st *Status) any {
	return objects(st.Pairs, func(x *Pair) object { return object{"cluster": x.Cluster, "label": x.Label, "values": x.Values} })
}

func (*server) apiClusters(st *Status) any {
	return objects(st.Clusters, func(x *Cluster) object {
		return object{"name": x.Name, "series": x.Series, "tracked": x.Tracked, "signals": x.Signals, "workloads": x.Workloads, "newest_sample": x.LastT, "closed_end": x.ClosedEnd,
			"windows_closed": x.WindowsClosed, "owners": x.Owners}
	})
}

func (*server) apiLimits(st *Status) any {
	return objects(st.Limits, func(x *Limit) object {
		return object{"name": x.Name, "used": num(x.Used), "max": num(x.Max), "unit": x.Unit, "meaning": x.Meaning}
	})
}

func (*server) apiCounters(st *Status) any {
	return objects(st.Counters, func(x *Counter) object {
		return object{"name": x.Name, "value": x.Value, "unit": x.Unit, "meaning": x.Meaning, "loss": x.Loss}
	})
}

func (*server) apiJournal(st *Status) any {
	x := &st.Journal
	return object{"first_pos": x.FirstPos, "last_pos": x.LastPos, "synced_pos": x.SyncedPos, "bytes": x.Bytes, "bytes_max": x.MaxBytes, "segments": x.Segments, "sync": x.Sync, "last_sync": x.LastSyncMs, "error": x.Err}
}

func (*server) apiStore(st *Status) any {
	x := &st.Store
	return object{"path": x.Path, "bytes": x.Bytes, "checkpoint": x.CheckpointMs, "checkpoint_took_ms": x.TookMs, "models": x.Models, "history_days": num(x.HistoryDays), "error": x.Err, "quarantined": x.Quarantined, "left_out": len(x.LeftOut)}
}

func (*server) apiReceivers(st *Status) any {
	return object{"receivers": objects(st.Receivers, func(x *Receiver) object {
		return object{"receiver": x.Name, "kind": x.Kind, "host": x.Host, "queued": x.Queued, "oldest": unixMs(x.Oldest), "sent": x.Sent, "failed": x.Failed, "dead": x.Dead, "coalesced": x.Coalesced,
			"last_success": unixMs(x.LastSuccess), "last_error": x.LastError, "last_error_at": unixMs(x.LastErrorAt), "next_attempt": unixMs(x.NextAttempt), "disabled": x.Disabled, "owed": x.Owed}
	}), "dead_letters": objects(st.DeadLetters, func(x *DeadLetter) object {
		return object{"at": x.AtMs, "receiver": x.Receiver, "id": x.ID, "incident": x.Incident, "title": x.Title, "why": x.Why}
	})}
}

// apiHeartbeat is null when nobody waits for one.
func (*server) apiHeartbeat(st *Status) any {
	x := st.Heartbeat
	if x == nil {
		return nil
	}
	return object{"host": x.Host, "every_ms": x.EveryMs, "taken": x.Taken, "last_taken": unixMs(x.Last), "last_attempt": unixMs(x.Tried), "failed_since": x.Fails, "answer": x.Answer, "held": x.Held}
}

// apiPeer is null when there is no other server.
func (*server) apiPeer(st *Status) any {
	x := st.Peer
	if x == nil {
		return nil
	}
	return object{"url": x.URL, "up": x.Up, "known": x.Met, "first": x.First, "last_reached": unixMs(x.Reached), "away_since": unixMs(x.Since), "why": x.Why, "took_ms": num(x.TookMs), "wait_ms": x.WaitMs,
		"words_waiting": x.Waiting, "version": x.Version, "ready": x.Ready, "open_incidents": x.Open, "learns_since": x.BornMs, "behind_cluster": x.BehindCluster, "behind_ms": x.BehindMs}
}

func (*server) apiProblems(st *Status) any {
	return objects(st.Problems, func(x *Problem) object {
		return object{"severity": x.Severity, "text": x.Text, "fix": x.Fix}
	})
}

// apiNoise is the contract: what was said and what may be, the false alarms that chance gives and those that are allowed.
func (s *server) apiNoise(st *Status) any {
	n := noiseOf(st, s.now(st))
	budget := objects(st.Budget, func(b *baseline.BudgetView) object {
		x := object{"kind": b.Kind, "signals": b.Signals, "allowed_false_alarms_per_week": num(b.Asked), "strictness": num(b.Strict)}
		if b.Known {
			x["expected_false_alarms_per_week"] = num(b.Expected)
		}
		return x
	})
	days := objects(st.Days, func(x *alerting.DayTally) object {
		return object{"day": x.Day, "sent": x.Sent, "pages": x.Pages, "resolved": x.Resolved, "withheld": x.Withheld}
	})
	return object{"budget": budget, "notifications_per_day": st.NotificationsPerDay, "pages_per_day": st.PagesPerDay, "realised_per_day": num(n.Rate), "observed_days": num(n.Observed), "days": days}
}

func (*server) apiConfig(st *Status) any { return object{"yaml": st.Config} }
