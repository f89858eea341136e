package main

import "strings"

// about is what the text format says of a metric.
type about struct{ kind, help string }

// abouts says of each metric at /metrics what it is. A metric that lacks a line fails a test.
var abouts = func() map[string]about {
	out := map[string]about{}
	for line := range strings.Lines(aboutText) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		kind, help, _ := strings.Cut(rest, " ")
		if name != "" {
			out[name] = about{kind, help}
		}
	}
	return out
}()

// aboutText has one metric a line: name, type, help.
const aboutText = `
go_gc_cpu_seconds_total counter Processor time of the garbage collector.
go_gc_duration_seconds summary Pauses of the garbage collector.
go_gc_mark_assist_cpu_seconds_total counter Processor time that allocations spent helping the garbage collector.
go_gc_pauses_seconds histogram Pauses for the garbage collector.
go_gomaxprocs gauge Processors that Go uses.
go_goroutines gauge Goroutines.
go_info gauge Version of Go.
go_info_ext gauge Compiler, architecture and system.
go_memlimit_bytes gauge Memory limit of the runtime (GOMEMLIMIT).
go_memstats_alloc_bytes gauge Bytes of objects on the heap.
go_memstats_alloc_bytes_total counter Bytes of objects ever allocated.
go_memstats_buck_hash_sys_bytes gauge Bytes of tables of profiles.
go_memstats_frees_total counter Objects freed.
go_memstats_gc_cpu_fraction gauge Share of processor time spent in garbage collection since the start.
go_memstats_gc_sys_bytes gauge Bytes of the garbage collector's own.
go_memstats_heap_alloc_bytes gauge Bytes of objects on the heap.
go_memstats_heap_idle_bytes gauge Bytes of spans of the heap without objects.
go_memstats_heap_inuse_bytes gauge Bytes of spans of the heap with objects.
go_memstats_heap_objects gauge Objects on the heap.
go_memstats_heap_released_bytes gauge Bytes of the heap given back to the system.
go_memstats_heap_sys_bytes gauge Bytes of the heap taken from the system.
go_memstats_last_gc_time_seconds gauge End of the last garbage collection, Unix time.
go_memstats_lookups_total counter Pointers looked up by the runtime.
go_memstats_mallocs_total counter Objects allocated.
go_memstats_mcache_inuse_bytes gauge Bytes of mcache in use.
go_memstats_mcache_sys_bytes gauge Bytes of mcache taken from the system.
go_memstats_mspan_inuse_bytes gauge Bytes of mspan in use.
go_memstats_mspan_sys_bytes gauge Bytes of mspan taken from the system.
go_memstats_next_gc_bytes gauge Size of the heap at which the next garbage collection begins.
go_memstats_other_sys_bytes gauge Other bytes taken from the system.
go_memstats_stack_inuse_bytes gauge Bytes of stacks in use.
go_memstats_stack_sys_bytes gauge Bytes of stacks taken from the system.
go_memstats_sys_bytes gauge Bytes taken from the system.
go_mutex_wait_seconds_total counter Time that goroutines waited for locks.
go_scavenge_cpu_seconds_total counter Processor time spent giving memory back to the system.
go_sched_latencies_seconds histogram How long goroutines waited for a processor.
go_threads gauge Threads of the system that Go made.
process_cpu_seconds_system_total counter Processor time spent in the system.
process_cpu_seconds_total counter Processor time.
process_cpu_seconds_user_total counter Processor time spent in the program.
process_io_read_bytes_total counter Bytes read by system calls.
process_io_read_syscalls_total counter System calls that read.
process_io_storage_read_bytes_total counter Bytes read from disks.
process_io_storage_written_bytes_total counter Bytes written to disks.
process_io_write_syscalls_total counter System calls that write.
process_io_written_bytes_total counter Bytes written by system calls.
process_major_pagefaults_total counter Page faults that read a disk.
process_max_fds gauge Most file descriptors that may be open.
process_minor_pagefaults_total counter Page faults that read no disk.
process_num_threads gauge Threads.
process_open_fds gauge File descriptors that are open.
process_resident_memory_anon_bytes gauge Resident memory that no file backs.
process_resident_memory_bytes gauge Resident memory.
process_resident_memory_file_bytes gauge Resident memory that files back.
process_resident_memory_peak_bytes gauge Most resident memory there was.
process_resident_memory_shared_bytes gauge Resident memory that is shared.
process_start_time_seconds gauge When the process started, Unix time.
process_virtual_memory_bytes gauge Virtual memory.
process_virtual_memory_peak_bytes gauge Most virtual memory there was.
wrackline_alerting_alarms_refused_total counter Alarms that found no room among open incidents.
wrackline_alerting_incidents_opened_total counter Incidents opened.
wrackline_alerting_notifications_emitted_total counter Notifications given to the outbox, by reason.
wrackline_alerting_notifications_withheld_total counter Notifications held back by the noise contract.
wrackline_backtest_states_failed_total counter States for backtests to begin with that could not be written.
wrackline_baseline_budget_expected_false_alarms_per_week gauge Alarms that chance is expected to raise in a week, by kind of signal.
wrackline_baseline_budget_strictness gauge How much more evidence than its rule asks a signal needs, by kind of signal.
wrackline_baseline_changes_total counter Changes of clusters seen.
wrackline_baseline_clusters_forgotten_total counter Clusters forgotten.
wrackline_baseline_models_orphaned_total counter Models of a checkpoint that no rule asks for any more.
wrackline_baseline_models_rescued_forgotten_total counter Models of a damaged checkpoint whose cluster or signal did not come back for storage.retention.
wrackline_baseline_models_refused_total counter Models of a checkpoint that could not be read.
wrackline_baseline_silent_verdicts_total counter Verdicts of signals that have no value although others of the same thing have.
wrackline_baseline_verdicts_total counter Verdicts: one for each signal and minute.
wrackline_baseline_windows_closed_total counter Windows (minutes of sample time) closed, of all clusters.
wrackline_build_info gauge Version of Wrackline and of Go, 1.
wrackline_checkpoint_duration_seconds summary How long it took to write a checkpoint.
wrackline_checkpoint_failing gauge 1 while the last checkpoint failed.
wrackline_checkpoint_fold_held_seconds summary For how long the fold stood still to copy a slice of a checkpoint.
wrackline_checkpoint_timestamp_seconds gauge When the state of the newest checkpoint was taken, Unix time.
wrackline_checkpoints_failed_total counter Checkpoints that failed.
wrackline_clock_corrections_total counter Times that the receive clock was set, after a jump or against senders.
wrackline_clock_jumps_total counter Jumps of the machine's clock that were seen.
wrackline_clock_offset_seconds gauge By how much the machine's clock is ahead of the receive clock; 0 = they are the same.
wrackline_clock_senders gauge Senders whose samples say what time it is.
wrackline_clock_senders_agreeing gauge Those of them that agree with the receive clock.
wrackline_cluster_closed_window_timestamp_seconds gauge End of the newest window that was judged, by cluster, Unix time.
wrackline_cluster_newest_sample_timestamp_seconds gauge Newest sample, by cluster, Unix time.
wrackline_condition_seconds gauge For how long each condition of Wrackline itself has lasted; blind says whether receivers hear of it.
wrackline_config_last_reload_success_timestamp_seconds gauge When the configuration in force was read, Unix time.
wrackline_config_last_reload_successful gauge 1 when the configuration in force is the one in the file, as far as it was tried.
wrackline_fold_position gauge Position in the journal of the newest request that was folded.
wrackline_heartbeat_attempts_failed_total counter Heartbeats that did not arrive.
wrackline_heartbeat_last_success_timestamp_seconds gauge When a heartbeat arrived last, Unix time; 0 = none has.
wrackline_heartbeats_held_total counter Heartbeats that were not sent because judging did not go on.
wrackline_heartbeats_sent_total counter Heartbeats that arrived.
wrackline_incidents_open gauge Incidents that are open, by severity.
wrackline_ingest_bodies_aborted_total counter Requests whose sender went away before their body had come.
wrackline_ingest_bodies_slow_total counter Requests whose body came too slowly and was given up.
wrackline_ingest_decode_panics_total counter Requests at which the decoder failed; each is a fault of Wrackline's.
wrackline_ingest_decoded_bytes_total counter Bytes of requests after decompression.
wrackline_ingest_exemplars_total counter Valid exemplars received; they are not kept.
wrackline_ingest_histograms_total counter Native histograms written.
wrackline_ingest_metadata_total counter Metadata entries received; they are not kept.
wrackline_ingest_request_seconds histogram How long remote-write requests took.
wrackline_ingest_requests_gone_total counter Requests of which nobody waited for the answer.
wrackline_ingest_requests_refused_total counter Remote-write requests refused, by reason.
wrackline_ingest_requests_total counter Remote-write requests, by answer and protocol.
wrackline_ingest_samples_rejected_total counter Samples refused, by who refused them.
wrackline_ingest_samples_total counter Samples written.
wrackline_ingest_series_rejected_total counter Series of requests refused for a fault of their own.
wrackline_ingest_symbols0_nonempty_total counter Requests of protocol 2.0 whose first symbol is not empty, against the standard.
wrackline_ingest_wire_bytes_total counter Bytes of requests as sent.
wrackline_journal_appends_failed_total counter Requests that the disk did not take.
wrackline_journal_appends_full_total counter Requests that the journal had no room for.
wrackline_journal_bytes gauge Size of what a start may need of the journal.
wrackline_journal_bytes_total counter Bytes written to the journal.
wrackline_journal_compressed_bytes_after_total counter Bytes of segments after they were compressed.
wrackline_journal_compressed_bytes_before_total counter Bytes of segments before they were compressed.
wrackline_journal_compressions_failed_total counter Segments that could not be compressed and stayed as they were.
wrackline_journal_damaged_bytes_total counter Bytes of the journal passed over because they are damaged.
wrackline_journal_healed_total counter How often the journal went on in a new segment after an error of the disk.
wrackline_journal_position gauge Position of the newest request in the journal.
wrackline_journal_records_lost_total counter Requests that were acknowledged and could not be written again after an error of the disk.
wrackline_journal_records_total counter Requests written to the journal.
wrackline_journal_records_undecodable_total counter Requests of the journal that could not be decoded at a start and were passed over.
wrackline_journal_segments gauge Segments of the journal.
wrackline_journal_segments_compressed gauge Segments of the journal that are compressed.
wrackline_journal_segments_compressed_total counter Segments compressed.
wrackline_journal_spare_bytes gauge Size of what is kept of the journal for backtests alone, see storage.backtest_max.
wrackline_journal_sync_seconds histogram How long an fsync of the journal took.
wrackline_journal_synced_position gauge Position of the newest request that is safe from a loss of power.
wrackline_journal_syncs_failed_total counter Fsyncs of the journal that failed.
wrackline_journal_torn_bytes_total counter Bytes cut from the journal's end at a start: a request that was not acknowledged.
wrackline_judging gauge 1 while judging goes on.
wrackline_line_full_total counter Requests answered 503 because the line before the fold was full.
wrackline_line_requests gauge Requests that wait for the fold.
wrackline_notify_messages_coalesced_total counter Messages that a newer one of the same incident took the place of, by integration.
wrackline_notify_messages_dead_total counter Messages given up, by integration.
wrackline_notify_messages_failed_attempts_total counter Attempts to send that failed, by integration.
wrackline_notify_messages_self_failed_attempts_total counter Attempts to tell a receiver of Wrackline itself that failed.
wrackline_notify_messages_self_refused_total counter Messages about Wrackline itself that a receiver refused for good.
wrackline_notify_messages_self_sent_total counter Messages about Wrackline itself that receivers have taken.
wrackline_notify_messages_sent_total counter Messages that arrived, by integration.
wrackline_notify_notifications_lost_total counter Notifications lost because neither disk nor memory had room.
wrackline_notify_notifications_repeated_total counter Notifications that a replay made again and that were known.
wrackline_notify_self_notices_lost_total counter Notices of Wrackline about itself for which there was no room.
wrackline_query_crowded_total counter Queries that found no time beside others.
wrackline_query_failures_total counter Requests to the query API that were answered with an error.
wrackline_query_requests_total counter Requests to the query API.
wrackline_query_signals_left_out_total counter Signals beyond the 20,000 of one scrape of /metrics/signals.
wrackline_peer_acts_taken_total counter Acts that were said to the other server of a pair and are said here, too.
wrackline_peer_behind_seconds gauge By how much event time the other server of a pair has judged less, in the cluster in which that is most.
wrackline_peer_calls_failed_total counter Calls that did not reach the other server of a pair.
wrackline_peer_first gauge Whether this server is the one of a pair that tells at once.
wrackline_peer_messages_spared_total counter Messages that were not sent since the other server of a pair had told them.
wrackline_peer_questions_total counter Questions to the other server of a pair before a message, by its answer; nobody = it was not reached.
wrackline_peer_up gauge Whether the other server of a pair was reached the last time.
wrackline_peer_words_waiting gauge Words that the other server of a pair has not been told yet.
wrackline_ready gauge 1 when requests are taken.
wrackline_route_samples_over_clusters_total counter Samples of new clusters beyond the limit of clusters.
wrackline_route_senders_forgotten_total counter Senders forgotten to make room for others, or after storage.retention.
wrackline_series gauge Series known, as senders spell them, needed or not.
wrackline_series_max gauge Most series that signals may need (signals.series_max).
wrackline_series_tracked gauge Series that a signal needs.
wrackline_series_unneeded_max gauge Most series that may be known and that no signal needs.
wrackline_shown_position gauge Position in the journal up to which pages show what was folded.
wrackline_signal_changes_held_total counter Changes not told: part of a rollout that was, or of an object that changes all the time.
wrackline_signal_changes_total counter Changes found in series.
wrackline_signal_clusters_turned_back_total counter Clusters of which a time that never was has been undone.
wrackline_signal_histograms_total counter Native histograms folded.
wrackline_signal_histograms_unused_total counter Native histograms that no signal needs, or that are gauges or too large.
wrackline_signal_objects_over_total counter Series of objects beyond those that are watched for changes.
wrackline_signal_resets_total counter Counters that began anew, seen and bridged.
wrackline_signal_samples_duplicate_total counter Samples sent again, equal in time and value.
wrackline_signal_samples_future_total counter Samples ahead of this machine's clock; refused.
wrackline_signal_samples_ignored_total counter Samples of series that no signal needs.
wrackline_signal_samples_late_total counter Samples of windows that had closed; not judged.
wrackline_signal_samples_needed_total counter Samples of series that a signal needs.
wrackline_signal_samples_out_of_order_total counter Samples older than the newest of their series; not learned.
wrackline_signal_samples_over_series_total counter Samples of new series beyond a limit of series; refused.
wrackline_signal_samples_refused_total counter Samples refused: of bad series, or beyond a limit.
wrackline_signal_samples_replica_total counter Samples of the other replica of an HA pair; dropped.
wrackline_signal_samples_stale_total counter Stale markers: the series ended.
wrackline_signal_samples_total counter Samples folded.
wrackline_signal_samples_unusable_total counter Samples that are no number; dropped.
wrackline_signal_series_bad_total counter Samples of series whose labels are not valid; refused.
wrackline_signal_series_evicted_total counter Series forgotten after an hour of silence.
wrackline_signal_series_yielded_total counter Series given up by senders with more than their share of a limit, for those with less.
wrackline_signal_signals_retired_total counter Signals dropped with their baselines after storage.retention without a value.
wrackline_signal_takeovers_total counter Series, or sets of buckets, that went over to the other replica.
wrackline_signal_values_conflicting_total counter Values of signals not given: two series matched where one may.
wrackline_signal_values_disabled_total counter Values of signals not given: packs.overrides switches them off.
wrackline_signal_values_few_events_total counter Values of signals not given: too few events were behind them.
wrackline_signal_values_incomplete_total counter Values of signals not given: too many of their series were missing.
wrackline_signal_values_over_signals_total counter Values of new signals beyond a limit of signals; not learned.
wrackline_signal_values_undefined_total counter Values of signals not given: they are no number.
wrackline_signals gauge Signals known.
wrackline_signals_max gauge Most signals that may be known (signals.signals_max).
wrackline_sizes_over_total counter Answers about containers and pods of which sizes had no room to learn.
wrackline_sizes_refused_total counter Sections of sizes in checkpoints that could not be read: what containers use is learned anew.
wrackline_store_checkpoint_duration_seconds histogram How long a checkpoint's transaction took.
wrackline_store_checkpoints_failed_total counter Checkpoints that the store did not take.
wrackline_store_checkpoints_saved_total counter Checkpoints written.
wrackline_store_generations_refused_total counter Checkpoints that could not be read; the one before was.
wrackline_store_history_damaged_records_total counter Records of chart history passed over because they are damaged.
wrackline_store_history_flushes_total counter How often chart history was written.
wrackline_store_history_lost_points_total counter Points of chart history lost for want of room.
wrackline_store_history_undone_signals_total counter Signals whose charts lost a future that was none, when a clock was set back.
wrackline_store_meta_fallbacks_total counter How often the newer of the store's two heads was damaged and the older was used.
wrackline_store_quarantined_files_total counter Damaged stores set aside.
wrackline_store_record_bytes_written_total counter Bytes of records written to the store.
wrackline_store_records_left_out_total counter Models and sections that no record takes, left out of checkpoints.
wrackline_store_records_unchanged_total counter Records of checkpoints that were as they had been and not written.
wrackline_store_records_written_total counter Records written to the store.
wrackline_store_recovered_panics_total counter Faults of the store's library that were caught.
wrackline_store_rooms_made_total counter How often chart history gave way to make room for a checkpoint.
wrackline_ui_api_answers_total counter Answers of the JSON API.
wrackline_ui_pages_failed_total counter Pages that could not be made; the log says why.
wrackline_ui_pages_total counter Pages made.
wrackline_web_requests_refused_total counter Requests refused before any page or door, by what they lack: a host of ours, an origin of ours, the right to administrate, the right token.
`
