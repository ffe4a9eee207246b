//! `stats`: the figures of the whole server, in the original's order.

use super::{Each, get};
use crate::VERSION;
use crate::cache::{Count, Counts, Usage};
use crate::clock::Epoch;
use crate::session::Session;
use core::sync::atomic::Ordering;

/// Of the process and its connections, up to the commands.
const COMMANDS: &[Count] = &[
    Count::CmdGet,
    Count::CmdSet,
    Count::CmdFlush,
    Count::CmdTouch,
    Count::CmdMeta,
    Count::GetHits,
    Count::GetMisses,
    Count::GetExpired,
    Count::GetFlushed,
    Count::DeleteMisses,
    Count::DeleteHits,
    Count::IncrMisses,
    Count::IncrHits,
    Count::DecrMisses,
    Count::DecrHits,
    Count::CasMisses,
    Count::CasHits,
    Count::CasBadval,
    Count::TouchHits,
    Count::TouchMisses,
    Count::StoreTooLarge,
    Count::StoreNoMemory,
    Count::AuthCmds,
    Count::AuthErrors,
];

pub(super) fn give(session: &Session<'_>, each: Each<'_>) {
    let (counts, usage) = session.shared.totals();
    process(session, each);
    for &count in COMMANDS {
        each(count.name(), format_args!("{}", counts.get(count)));
    }
    traffic(session, &usage, each);
    background(session, (&counts, &usage), each);
    watching(session, each);
    data(session, (&counts, &usage), each);
}

fn process(session: &Session<'_>, each: Each<'_>) {
    let (shared, config) = (session.shared, session.config);
    let around = shared.ops.surroundings();
    let cpu = around.cpu_time();
    each("pid", format_args!("{}", around.pid()));
    each("uptime", format_args!("{}", Epoch::uptime(session.now)));
    each("time", format_args!("{}", session.epoch.date(session.now)));
    each("version", format_args!("{VERSION}"));
    each("libevent", format_args!("{}", around.driver()));
    each("pointer_size", format_args!("{}", usize::BITS));
    for (name, used) in [("rusage_user", cpu.user), ("rusage_system", cpu.system)] {
        each(name, format_args!("{}.{:06}", used.as_secs(), used.subsec_micros()));
    }
    let open = get(&shared.traffic.connections);
    each("max_connections", format_args!("{}", config.connections_max));
    each("curr_connections", format_args!("{open}"));
    each("total_connections", format_args!("{}", get(&shared.traffic.connections_total)));
    if config.turn_away {
        let rejected = get(&shared.traffic.connections_rejected);
        each("rejected_connections", format_args!("{rejected}"));
    }
    each("connection_structures", format_args!("{open}"));
    for name in [
        "response_obj_oom",
        "response_obj_count",
        "response_obj_bytes",
        "read_buf_count",
        "read_buf_bytes",
        "read_buf_bytes_free",
        "read_buf_oom",
        "reserved_fds",
    ] {
        each(name, format_args!("0"));
    }
}

fn traffic(session: &Session<'_>, usage: &Usage, each: Each<'_>) {
    let (shared, config) = (session.shared, session.config);
    if config.idle_timeout.is_some() {
        each("idle_kicks", format_args!("{}", get(&shared.ops.counters.idle_kicks)));
    }
    let accepting =
        config.turn_away || get(&shared.traffic.connections) < u64::from(config.connections_max);
    let limit = shared.ops.tuning().memory_bytes_max;
    for (name, value) in [
        ("bytes_read", get(&shared.traffic.bytes_read)),
        ("bytes_written", get(&shared.traffic.bytes_written)),
        ("limit_maxbytes", limit),
        ("accepting_conns", u64::from(accepting)),
        ("listen_disabled_num", get(&shared.ops.counters.listen_disabled)),
        ("time_in_listen_disabled_us", 0),
        ("threads", u64::from(config.threads)),
        ("conn_yields", get(&shared.ops.counters.yields)),
        ("hash_power_level", shared.ops.index_power.load(Ordering::Relaxed).into()),
        ("hash_bytes", usage.index_bytes),
        ("hash_is_expanding", u64::from(usage.index_growing)),
    ] {
        each(name, format_args!("{value}"));
    }
}

fn background(session: &Session<'_>, (counts, usage): (&Counts, &Usage), each: Each<'_>) {
    let (shared, config) = (session.shared, session.config);
    if config.reassign {
        for count in [
            Count::SlabReassignRescues,
            Count::SlabReassignChunkRescues,
            Count::SlabReassignInlineReclaim,
            Count::SlabReassignBusyItems,
            Count::SlabReassignBusyDeletes,
        ] {
            each(count.name(), format_args!("{}", counts.get(count)));
        }
        each("slab_reassign_busy_nomem", format_args!("0"));
        each("slab_reassign_last_busy_status", format_args!("none"));
        each("slab_reassign_running", format_args!("{}", u8::from(usage.moving)));
        each("slabs_moved", format_args!("{}", counts.get(Count::SlabsMoved)));
    }
    if shared.ops.tuning().crawler.enabled {
        each("lru_crawler_running", format_args!("{}", u8::from(shared.ops.crawl.is_running())));
        each("lru_crawler_starts", format_args!("{}", shared.ops.crawl.starts()));
    }
    if config.maintainer {
        let juggles = get(&shared.ops.counters.juggles);
        each("lru_maintainer_juggles", format_args!("{juggles}"));
    }
    each("malloc_fails", format_args!("0"));
}

fn watching(session: &Session<'_>, each: Each<'_>) {
    let shared = session.shared;
    let watched = shared.ops.hub.counts();
    for (name, value) in [
        ("log_worker_dropped", 0),
        ("log_worker_written", watched.written),
        ("log_watcher_skipped", watched.skipped),
        ("log_watcher_sent", watched.sent),
        ("log_watchers", watched.watchers),
    ] {
        each(name, format_args!("{value}"));
    }
    if let Some(tls) = &session.config.tls {
        let counters = &shared.ops.counters;
        if tls.session_cache {
            each("ssl_new_sessions", format_args!("{}", shared.ops.surroundings().tls_sessions()));
        }
        each("ssl_handshake_errors", format_args!("{}", get(&counters.tls_failures)));
        each("ssl_proto_errors", format_args!("0"));
        let since = u64::from(session.now.0).saturating_sub(get(&counters.certificates_read));
        each("time_since_server_cert_refresh", format_args!("{since}"));
    }
    each("unexpected_napi_ids", format_args!("0"));
    each("round_robin_fallback", format_args!("0"));
}

fn data(session: &Session<'_>, (counts, usage): (&Counts, &Usage), each: Each<'_>) {
    each("bytes", format_args!("{}", usage.bytes));
    each("curr_items", format_args!("{}", usage.items));
    each("total_items", format_args!("{}", counts.get(Count::TotalItems)));
    each("slab_global_page_pool", format_args!("{}", usage.free_pages));
    let mut give = |count: Count| each(count.name(), format_args!("{}", counts.get(count)));
    give(Count::ExpiredUnfetched);
    give(Count::EvictedUnfetched);
    if session.config.maintainer {
        give(Count::EvictedActive);
    }
    for count in [
        Count::Evictions,
        Count::Reclaimed,
        Count::CrawlerReclaimed,
        Count::CrawlerItemsChecked,
        Count::LrutailReflocked,
    ] {
        give(count);
    }
    if session.config.maintainer {
        for count in
            [Count::MovesToCold, Count::MovesToWarm, Count::MovesWithinLru, Count::DirectReclaims]
        {
            give(count);
        }
        each("lru_bumps_dropped", format_args!("0"));
    }
}
