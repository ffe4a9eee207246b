//! What happened, in numbers.

use super::Database;

/// What happened since the start.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) connections: u64,
    pub(super) total_connections: u64,
    pub(super) rejected_connections: u64,
    pub(super) requests: u64,
    pub(super) reads: u64,
    pub(super) writes: u64,
    pub(super) hits: u64,
    pub(super) misses: u64,
    pub(super) expired_keys: u64,
    pub(super) error_replies: u64,
    pub(super) busy_replies: u64,
    pub(super) bytes_read: u64,
    pub(super) bytes_written: u64,
    pub(super) transactions: u64,
    /// Requests whose reply waits.
    pub(super) running: u64,
    /// The most at once.
    pub(super) running_peak: u64,
    /// Peers that did not read, and were hung up on.
    pub(super) overrun_clients: u64,
    /// Records made.
    pub(super) records: u64,
    /// Bytes of a torn tail that recovery cut.
    pub(super) recovered_cut_bytes: u64,
}

impl Database {
    pub(super) fn each_counter(&self, each: &mut dyn FnMut(&'static str, u64)) {
        let counters = &self.counters;
        let (keys, rows) = self.engine.store.dbs().fold((0, 0), |(keys, rows), (_, db)| {
            let more: u64 = db.tables().map(|(_, table)| table.size().rows).sum();
            (keys + db.keys().len() as u64, rows + more)
        });
        let pages = self.engine.pages.as_ref();
        let paging = pages.map(|pages| pages.counters()).unwrap_or_default();
        let under_way = pages.map_or(0, |pages| pages.under_way());
        for (name, value) in [
            ("page_hits", paging.hits),
            ("page_reads", paging.reads),
            ("page_writes", paging.writes),
            ("page_failures", paging.failures),
            ("pages_altered", paging.altered),
            ("pages_under_way", under_way),
            ("records_waiting", self.engine.applying.len() as u64),
            ("total_connections_received", counters.total_connections),
            ("rejected_connections", counters.rejected_connections),
            ("connected_clients", counters.connections),
            ("total_commands_processed", counters.requests),
            ("rows_read", counters.reads),
            ("rows_written", counters.writes),
            ("keyspace_hits", counters.hits),
            ("keyspace_misses", counters.misses),
            ("expired_keys", counters.expired_keys),
            ("total_error_replies", counters.error_replies),
            ("busy_replies", counters.busy_replies),
            ("total_net_input_bytes", counters.bytes_read),
            ("total_net_output_bytes", counters.bytes_written),
            ("transactions", counters.transactions),
            ("running", counters.running),
            ("running_peak", counters.running_peak),
            ("requests_waiting", self.turns.waiting()),
            ("overrun_clients", counters.overrun_clients),
            ("records", counters.records),
            ("checkpoints", self.engine.checkpointing.count()),
            ("recovered_cut_bytes", counters.recovered_cut_bytes),
            ("keys", keys),
            ("rows", rows),
            ("used_memory_dataset", self.engine.store.bytes()),
        ] {
            each(name, value);
        }
    }
}
