//! `INFO`.

use super::connection::REDIS_VERSION;
use crate::commands::Outcome;
use crate::config::{Durability, VERSION};
use crate::server::{Call, Database};
use std::fmt::Write as _;
use storytime_machine::{Cx, Machine as _};

/// Writes the lines of a section.
type Section = fn(&Database, &Cx, &mut String);

/// The sections, in order.
const SECTIONS: &[(&str, Section)] = &[
    ("server", server),
    ("clients", clients),
    ("memory", memory),
    ("persistence", persistence),
    ("stats", stats),
    ("replication", replication),
    ("storytime", own),
    ("keyspace", keyspace),
];

pub(super) fn info(database: &mut Database, cx: &mut Cx, call: &mut Call<'_>) -> Outcome {
    let wanted: Vec<String> = call
        .args
        .from(1)
        .iter()
        .map(String::from_utf8_lossy)
        .map(|word| word.to_ascii_lowercase())
        .collect();
    let every = wanted.is_empty()
        || wanted.iter().any(|word| matches!(word.as_str(), "all" | "everything" | "default"));
    let mut text = String::new();
    for (name, write) in SECTIONS {
        if every || wanted.iter().any(|word| word == name) {
            if !text.is_empty() {
                text.push_str("\r\n");
            }
            let (first, rest) = name.split_at(1);
            let _ = write!(text, "# {}{rest}\r\n", first.to_ascii_uppercase());
            write(database, cx, &mut text);
        }
    }
    call.out.verbatim(&text);
    Ok(())
}

fn line(text: &mut String, key: &str, value: impl core::fmt::Display) {
    let _ = write!(text, "{key}:{value}\r\n");
}

fn server(database: &Database, cx: &Cx, text: &mut String) {
    line(text, "redis_version", REDIS_VERSION);
    line(text, "storytime_version", VERSION);
    line(text, "redis_mode", "standalone");
    line(text, "run_id", database.run_id());
    line(text, "tcp_port", database.port());
    line(text, "uptime_in_seconds", database.uptime(cx).as_secs());
    line(text, "server_time_usec", cx.wall_clock().0 / 1000);
}

fn clients(database: &Database, _: &Cx, text: &mut String) {
    line(text, "connected_clients", database.counter("connected_clients"));
    line(text, "maxclients", database.config().clients_max);
    line(text, "blocked_clients", database.counter("running"));
}

fn memory(database: &Database, _: &Cx, text: &mut String) {
    line(text, "used_memory", database.memory());
    line(text, "used_memory_dataset", database.counter("used_memory_dataset"));
    line(text, "maxmemory", database.config().memory_bytes_max);
    line(text, "maxmemory_policy", "noeviction");
}

fn persistence(database: &Database, cx: &Cx, text: &mut String) {
    let config = database.config();
    line(text, "loading", u8::from(database.is_loading()));
    line(text, "aof_enabled", u8::from(config.durability != Durability::Never));
    line(text, "rdb_bgsave_in_progress", u8::from(database.is_checkpointing()));
    line(text, "rdb_last_save_time", database.last_save(cx));
    let (term, last, durable) = database.position();
    line(text, "journal_term", term);
    line(text, "journal_last", last.0);
    line(text, "journal_durable", durable.0);
}

fn stats(database: &Database, _: &Cx, text: &mut String) {
    for name in [
        "total_connections_received",
        "total_commands_processed",
        "total_net_input_bytes",
        "total_net_output_bytes",
        "rejected_connections",
        "expired_keys",
        "keyspace_hits",
        "keyspace_misses",
        "total_error_replies",
    ] {
        line(text, name, database.counter(name));
    }
}

fn replication(database: &Database, cx: &Cx, text: &mut String) {
    database.replication_info(cx, text);
}

/// Every counter, as metrics name it.
fn own(database: &Database, _: &Cx, text: &mut String) {
    database.counters(&mut |name, value| {
        if !text.contains(&format!("\n{name}:")) {
            line(text, name, value);
        }
    });
}

fn keyspace(database: &Database, _: &Cx, text: &mut String) {
    for (number, db) in database.store().dbs() {
        let rows: u64 = db.tables().map(|(_, table)| table.size().rows).sum();
        let (keys, ending) = (db.keys().len(), db.ending());
        line(
            text,
            &format!("db{number}"),
            format_args!("keys={keys},expires={ending},rows={rows}"),
        );
    }
}
