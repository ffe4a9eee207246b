//! What each program counts: kinds of work that `[costs]` may price, and what can be measured.

use crate::metric::{Kind, MetricDef};
use storytime_database as database;
use storytime_gearman as gearman;
use storytime_machine::Work;
use storytime_mcproxy as mcproxy;
use storytime_memcached as memcached;

pub(super) const RECORD_METRICS: &[MetricDef] = &[
    MetricDef { name: "steps", kind: Kind::Count, label: "steps announced" },
    MetricDef { name: "acknowledged", kind: Kind::Count, label: "flushes acknowledged" },
];

pub(super) const VERIFY_METRICS: &[MetricDef] = &[
    MetricDef { name: "acknowledged", kind: Kind::Count, label: "acknowledged" },
    MetricDef { name: "surviving", kind: Kind::Count, label: "surviving" },
    MetricDef { name: "lost", kind: Kind::Count, label: "lost" },
    MetricDef { name: "torn", kind: Kind::Count, label: "torn" },
    MetricDef { name: "corrupt", kind: Kind::Count, label: "corrupt" },
    MetricDef { name: "invented", kind: Kind::Count, label: "invented" },
    MetricDef { name: "verdict", kind: Kind::Word, label: "verdict" },
];

pub(super) const MEMCACHED_WORKS: &[Work] = &[
    memcached::server::WORK_REQUESTS,
    memcached::server::WORK_LOOKUPS,
    memcached::server::WORK_BYTES,
];

/// Counters of a memcached that both its machine and its `stats` tell; and what its slab classes
/// hold at the end of a simulated run.
pub(super) const MEMCACHED_METRICS: &[MetricDef] = &[
    MetricDef { name: "hit_ratio", kind: Kind::Shares, label: "hit ratio" },
    MetricDef { name: "cmd_get", kind: Kind::Series, label: "keys asked for" },
    MetricDef { name: "cmd_set", kind: Kind::Series, label: "values stored" },
    MetricDef { name: "cmd_touch", kind: Kind::Series, label: "keys touched" },
    MetricDef { name: "get_hits", kind: Kind::Series, label: "gets that hit" },
    MetricDef { name: "get_misses", kind: Kind::Series, label: "gets that missed" },
    MetricDef { name: "get_expired", kind: Kind::Series, label: "gets of expired items" },
    MetricDef { name: "delete_hits", kind: Kind::Series, label: "deletes that hit" },
    MetricDef { name: "delete_misses", kind: Kind::Series, label: "deletes that missed" },
    MetricDef { name: "incr_hits", kind: Kind::Series, label: "increments that hit" },
    MetricDef { name: "incr_misses", kind: Kind::Series, label: "increments that missed" },
    MetricDef { name: "decr_hits", kind: Kind::Series, label: "decrements that hit" },
    MetricDef { name: "decr_misses", kind: Kind::Series, label: "decrements that missed" },
    MetricDef { name: "cas_hits", kind: Kind::Series, label: "cas that stored" },
    MetricDef { name: "cas_badval", kind: Kind::Series, label: "cas that came too late" },
    MetricDef { name: "cas_misses", kind: Kind::Series, label: "cas that missed" },
    MetricDef { name: "store_too_large", kind: Kind::Series, label: "values too large" },
    MetricDef { name: "store_no_memory", kind: Kind::Series, label: "stores without memory" },
    MetricDef { name: "total_items", kind: Kind::Series, label: "items stored" },
    MetricDef { name: "evictions", kind: Kind::Series, label: "evictions" },
    MetricDef { name: "evicted_unfetched", kind: Kind::Series, label: "evictions of unread items" },
    MetricDef { name: "reclaimed", kind: Kind::Series, label: "expired items reused" },
    MetricDef { name: "bytes_read", kind: Kind::Series, label: "bytes received" },
    MetricDef { name: "bytes_written", kind: Kind::Series, label: "bytes sent" },
    MetricDef { name: "total_connections", kind: Kind::Series, label: "connections opened" },
    MetricDef { name: "rejected_connections", kind: Kind::Series, label: "connections refused" },
    MetricDef { name: "curr_connections", kind: Kind::Level, label: "connections" },
    MetricDef { name: "curr_items", kind: Kind::Level, label: "items" },
    MetricDef { name: "class_chunk", kind: Kind::Curve("class"), label: "size of a chunk, bytes" },
    MetricDef { name: "class_items", kind: Kind::Curve("class"), label: "items" },
    MetricDef { name: "class_pages", kind: Kind::Curve("class"), label: "pages" },
    MetricDef { name: "class_evictions", kind: Kind::Curve("class"), label: "evictions" },
    MetricDef { name: "bytes", kind: Kind::Bytes, label: "memory of items" },
    MetricDef { name: "limit_maxbytes", kind: Kind::Bytes, label: "memory limit" },
];

pub(super) const MCPROXY_WORKS: &[Work] =
    &[mcproxy::proxy::WORK_REQUESTS, mcproxy::proxy::WORK_SENT, mcproxy::proxy::WORK_BYTES];

/// Counters of a proxy that both its machine and its `stats proxy` tell, those of its routes and
/// servers added up.
pub(super) const MCPROXY_METRICS: &[MetricDef] = &[
    MetricDef { name: "requests", kind: Kind::Series, label: "requests of clients" },
    MetricDef { name: "reads", kind: Kind::Series, label: "keys asked for" },
    MetricDef { name: "writes", kind: Kind::Series, label: "writes" },
    MetricDef { name: "hits", kind: Kind::Series, label: "reads that hit" },
    MetricDef { name: "misses", kind: Kind::Series, label: "reads that missed" },
    MetricDef { name: "shared", kind: Kind::Series, label: "reads that joined an equal one" },
    MetricDef { name: "sent", kind: Kind::Series, label: "requests sent to servers" },
    MetricDef { name: "copies", kind: Kind::Series, label: "values copied between pools" },
    MetricDef { name: "failovers", kind: Kind::Series, label: "requests tried elsewhere" },
    MetricDef { name: "limited", kind: Kind::Series, label: "requests above the rate" },
    MetricDef { name: "errors", kind: Kind::Series, label: "error replies" },
    MetricDef { name: "failures", kind: Kind::Series, label: "requests without an answer" },
    MetricDef { name: "split_writes", kind: Kind::Series, label: "values written in pieces" },
    MetricDef { name: "split_reads", kind: Kind::Series, label: "values read in pieces" },
    MetricDef { name: "clients_total", kind: Kind::Series, label: "clients connected" },
    MetricDef { name: "clients_refused", kind: Kind::Series, label: "clients refused" },
    MetricDef { name: "clients_overrun", kind: Kind::Series, label: "clients hung up on" },
    MetricDef { name: "reloads", kind: Kind::Series, label: "configs taken" },
    MetricDef { name: "clients", kind: Kind::Level, label: "clients" },
    MetricDef { name: "requests_under_way", kind: Kind::Level, label: "requests under way" },
];

pub(super) const DBD_WORKS: &[Work] = &[
    database::server::WORK_REQUESTS,
    database::server::WORK_READS,
    database::server::WORK_WRITES,
    database::server::WORK_CONNECTIONS,
];

/// Counters of a database that both its machine and its `INFO` tell.
pub(super) const DBD_METRICS: &[MetricDef] = &[
    MetricDef { name: "total_commands_processed", kind: Kind::Series, label: "requests" },
    MetricDef { name: "rows_read", kind: Kind::Series, label: "rows and keys read" },
    MetricDef { name: "rows_written", kind: Kind::Series, label: "rows and keys written" },
    MetricDef { name: "records", kind: Kind::Series, label: "records journalled" },
    MetricDef { name: "transactions", kind: Kind::Series, label: "transactions" },
    MetricDef { name: "page_reads", kind: Kind::Series, label: "pages read" },
    MetricDef { name: "page_writes", kind: Kind::Series, label: "pages written" },
    MetricDef { name: "pages_altered", kind: Kind::Series, label: "pages laid out anew" },
    MetricDef { name: "records_waiting", kind: Kind::Level, label: "records not applied" },
    MetricDef { name: "keyspace_hits", kind: Kind::Series, label: "keys found" },
    MetricDef { name: "keyspace_misses", kind: Kind::Series, label: "keys not found" },
    MetricDef { name: "expired_keys", kind: Kind::Series, label: "keys that ended" },
    MetricDef { name: "total_error_replies", kind: Kind::Series, label: "error replies" },
    MetricDef { name: "busy_replies", kind: Kind::Series, label: "requests refused as too many" },
    MetricDef {
        name: "total_connections_received",
        kind: Kind::Series,
        label: "connections opened",
    },
    MetricDef { name: "rejected_connections", kind: Kind::Series, label: "connections refused" },
    MetricDef { name: "overrun_clients", kind: Kind::Series, label: "clients hung up on" },
    MetricDef { name: "total_net_input_bytes", kind: Kind::Series, label: "bytes received" },
    MetricDef { name: "total_net_output_bytes", kind: Kind::Series, label: "bytes sent" },
    MetricDef { name: "connected_clients", kind: Kind::Level, label: "connections" },
    MetricDef { name: "running", kind: Kind::Level, label: "requests under way" },
    MetricDef { name: "requests_waiting", kind: Kind::Level, label: "requests not begun" },
    MetricDef { name: "keys", kind: Kind::Level, label: "keys" },
    MetricDef { name: "rows", kind: Kind::Level, label: "rows" },
    MetricDef { name: "used_memory_dataset", kind: Kind::Bytes, label: "memory of content" },
    MetricDef { name: "recovered_cut_bytes", kind: Kind::Series, label: "torn bytes cut" },
    MetricDef { name: "pair_active", kind: Kind::Level, label: "halves that are active" },
    MetricDef { name: "pair_equal", kind: Kind::Level, label: "pairs with two equal disks" },
    MetricDef { name: "pair_resyncs", kind: Kind::Series, label: "resyncs of the other half" },
    MetricDef { name: "pair_blocks_sent", kind: Kind::Series, label: "blocks sent in resyncs" },
    MetricDef { name: "pair_splits", kind: Kind::Series, label: "split brains met" },
];

pub(super) const MOVER_METRICS: &[MetricDef] = &[
    MetricDef { name: "users_moved", kind: Kind::Series, label: "users moved" },
    MetricDef { name: "moves_finished", kind: Kind::Series, label: "moves finished" },
    MetricDef { name: "moves_overtaken", kind: Kind::Series, label: "moves that others took over" },
    MetricDef { name: "moves_later", kind: Kind::Series, label: "moves given back for later" },
    MetricDef { name: "contradictions", kind: Kind::Series, label: "moves that make no sense" },
    MetricDef { name: "rows_copied", kind: Kind::Series, label: "rows copied" },
    MetricDef { name: "rows_dropped", kind: Kind::Series, label: "rows dropped" },
    MetricDef { name: "jobs_under_way", kind: Kind::Level, label: "moves under way" },
    MetricDef { name: "read_only_ns_max", kind: Kind::Level, label: "longest read-only time, ns" },
];

pub(super) const COORDINATOR_METRICS: &[MetricDef] = &[
    MetricDef { name: "moves_ordered", kind: Kind::Series, label: "moves ordered" },
    MetricDef { name: "moves_refused", kind: Kind::Series, label: "orders refused" },
    MetricDef { name: "moves_handed_out", kind: Kind::Series, label: "moves handed out" },
    MetricDef { name: "moves_ended", kind: Kind::Series, label: "moves ended" },
    MetricDef { name: "moves_given_back", kind: Kind::Series, label: "moves given back" },
    MetricDef { name: "moves", kind: Kind::Level, label: "moves not ended" },
    MetricDef { name: "movers", kind: Kind::Level, label: "movers" },
    MetricDef { name: "read_only_ms_max", kind: Kind::Level, label: "longest read-only time, ms" },
];

pub(super) const GEARMAND_WORKS: &[Work] =
    &[gearman::server::WORK_PACKETS, gearman::server::WORK_JOBS];

/// Counters of a job server that both its machine and its `counters` tell.
pub(super) const GEARMAND_METRICS: &[MetricDef] = &[
    MetricDef { name: "packets", kind: Kind::Series, label: "packets" },
    MetricDef { name: "submits", kind: Kind::Series, label: "jobs submitted" },
    MetricDef { name: "refusals", kind: Kind::Series, label: "jobs refused" },
    MetricDef { name: "assigned", kind: Kind::Series, label: "jobs handed out" },
    MetricDef { name: "no_jobs", kind: Kind::Series, label: "workers that asked for nothing" },
    MetricDef { name: "noops", kind: Kind::Series, label: "workers woken" },
    MetricDef { name: "completes_told", kind: Kind::Series, label: "results told" },
    MetricDef { name: "fails_told", kind: Kind::Series, label: "failures told" },
    MetricDef { name: "errors", kind: Kind::Series, label: "errors told" },
    MetricDef { name: "result_cache_hits", kind: Kind::Series, label: "results found" },
    MetricDef { name: "result_cache_misses", kind: Kind::Series, label: "results not found" },
    MetricDef { name: "overrun_peers", kind: Kind::Series, label: "slow peers hung up on" },
    MetricDef { name: "result_cache_hits", kind: Kind::Series, label: "results in the cache" },
    MetricDef { name: "result_cache_misses", kind: Kind::Series, label: "results not found there" },
    MetricDef { name: "result_cache_stores", kind: Kind::Series, label: "results put into it" },
    MetricDef { name: "http_requests", kind: Kind::Series, label: "requests over HTTP" },
    MetricDef { name: "total_connections", kind: Kind::Series, label: "connections opened" },
    MetricDef { name: "connections", kind: Kind::Level, label: "connections" },
    MetricDef { name: "turned_away", kind: Kind::Series, label: "peers told to ask the other" },
    MetricDef { name: "pair_active", kind: Kind::Level, label: "job servers that serve" },
    MetricDef { name: "pair_equal", kind: Kind::Level, label: "relays with two equal disks" },
    MetricDef { name: "pair_splits", kind: Kind::Series, label: "split brains met" },
    MetricDef { name: "jobs", kind: Kind::Level, label: "jobs" },
    MetricDef { name: "listeners", kind: Kind::Level, label: "clients that wait" },
    MetricDef { name: "engine_memory", kind: Kind::Bytes, label: "memory of jobs" },
];
