//! `stats`, `stats settings`, `stats items`, `stats slabs`, `stats reset`.
//!
//! Shown is what this server has: no numbers are made up for parts that it lacks. Its items are one
//! class, number 1.

use super::line::Line;
use super::{Refusal, Session, Then};
use crate::VERSION;
use crate::clock::Epoch;
use crate::shared::Traffic;
use crate::store::Count;
use core::fmt::{Display, Write as _};
use storytime_machine::Tx;

/// `stats [what]`. As in the original, the start of a name does: `stats s` shows the settings.
pub(super) fn stats(session: &mut Session<'_>, line: &Line<'_>) -> Then {
    let tokens = line.tokens();
    let what = tokens.get(1);
    if what.is_empty() {
        general(session);
    } else if b"reset".starts_with(what) {
        session.shared.reset_stats();
        session.reply(false, b"RESET");
        return Then::Done;
    } else if b"settings".starts_with(what) {
        settings(session);
    } else if what == b"items" {
        items(session);
    } else if what == b"slabs" {
        slabs(session);
    } else {
        session.refuse(false, Refusal::UnknownCommand);
        return Then::Done;
    }
    session.tx.put(b"END\r\n");
    Then::Done
}

fn stat(tx: &mut Tx, name: &str, value: impl Display) {
    tx.write_with(|tx| {
        write!(tx, "STAT {name} {value}\r\n").expect("output buffers grow as needed");
    });
}

fn general(session: &mut Session<'_>) {
    let (stats, usage) = (session.shared.stats(), session.shared.usage());
    let traffic = &session.shared.traffic;
    let tx = &mut *session.tx;
    stat(tx, "uptime", Epoch::uptime(session.now));
    stat(tx, "time", session.epoch.date(session.now));
    stat(tx, "version", VERSION);
    stat(tx, "pointer_size", usize::BITS);
    stat(tx, "max_connections", session.config.connections_max);
    stat(tx, "curr_connections", Traffic::get(&traffic.connections));
    stat(tx, "total_connections", Traffic::get(&traffic.connections_total));
    stat(tx, "rejected_connections", Traffic::get(&traffic.connections_rejected));
    for &count in Count::ALL {
        stat(tx, count.name(), stats.get(count));
    }
    stat(tx, "bytes_read", Traffic::get(&traffic.bytes_read));
    stat(tx, "bytes_written", Traffic::get(&traffic.bytes_written));
    stat(tx, "limit_maxbytes", usage.bytes_max);
    stat(tx, "threads", session.config.threads);
    stat(tx, "hash_bytes", usage.index_bytes);
    stat(tx, "bytes", usage.bytes);
    stat(tx, "curr_items", usage.items);
}

fn settings(session: &mut Session<'_>) {
    let (config, verbosity) = (session.config, session.shared.verbosity());
    let on = |on: bool| if on { "on" } else { "off" };
    let yes = |yes: bool| if yes { "yes" } else { "no" };
    let tx = &mut *session.tx;
    stat(tx, "maxbytes", config.memory_bytes_max);
    stat(tx, "maxconns", config.connections_max);
    stat(tx, "tcpport", config.port.to_bind().unwrap_or(0));
    stat(tx, "udpport", 0);
    stat(tx, "inter", config.listen_words.as_deref().unwrap_or("NULL"));
    stat(tx, "verbosity", verbosity);
    stat(tx, "evictions", on(config.evict));
    stat(tx, "domain_socket", config.unix_socket.as_deref().unwrap_or("NULL"));
    stat(tx, "umask", format_args!("{:o}", config.program.unix_mask));
    stat(tx, "num_threads", config.threads);
    stat(tx, "cas_enabled", yes(config.versions));
    stat(tx, "tcp_backlog", config.backlog);
    stat(tx, "binding_protocol", "ascii");
    stat(tx, "item_size_max", config.item_bytes_max);
    stat(tx, "maxconns_fast", "yes");
    stat(tx, "flush_enabled", yes(config.flush_enabled));
    stat(tx, "lru_segmented", "no");
    stat(tx, "client_flags_size", size_of::<u32>());
}

fn items(session: &mut Session<'_>) {
    let (stats, usage) = (session.shared.stats(), session.shared.usage());
    if usage.items == 0 {
        return;
    }
    let tx = &mut *session.tx;
    stat(tx, "items:1:number", usage.items);
    stat(tx, "items:1:mem_requested", usage.bytes);
    stat(tx, "items:1:evicted", stats.get(Count::Evictions));
    stat(tx, "items:1:outofmemory", stats.get(Count::StoreNoMemory));
    stat(tx, "items:1:reclaimed", stats.get(Count::Reclaimed));
    stat(tx, "items:1:expired_unfetched", stats.get(Count::ExpiredUnfetched));
    stat(tx, "items:1:evicted_unfetched", stats.get(Count::EvictedUnfetched));
}

fn slabs(session: &mut Session<'_>) {
    let usage = session.shared.usage();
    stat(session.tx, "active_slabs", 0);
    stat(session.tx, "total_malloced", usage.bytes + usage.reserved_bytes);
}
