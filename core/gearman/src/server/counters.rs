//! What happened, in numbers.

use super::Gearmand;
use super::results::Results;

/// What happened since the start.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) total_connections: u64,
    pub(super) packets: u64,
    pub(super) text_requests: u64,
    pub(super) http_requests: u64,
    /// Credentials that were nobody's.
    pub(super) strangers: u64,
    pub(super) bytes_read: u64,
    /// Jobs that clients submitted, also those that met another one.
    pub(super) submits: u64,
    pub(super) refusals: u64,
    pub(super) assigned: u64,
    pub(super) no_jobs: u64,
    pub(super) noops: u64,
    /// Ends that listeners were told.
    pub(super) completes_told: u64,
    pub(super) fails_told: u64,
    pub(super) exceptions_told: u64,
    /// What connections were told: for one packet that may be many.
    pub(super) replies: u64,
    /// Times that a connection had asked for so much that others went first.
    pub(super) turns_ended: u64,
    /// Errors that connections were sent.
    pub(super) errors: u64,
    /// Peers that did not read, and were hung up on.
    pub(super) overrun_peers: u64,
    /// Peers that broke the protocol, and were hung up on.
    pub(super) broken_peers: u64,
    /// Peers that were hung up on and did not go.
    pub(super) lingering_peers: u64,
    /// Peers of whom a request was awaited over HTTP that said nothing, and were hung up on.
    pub(super) silent_peers: u64,
    /// Handshakes that failed, or were given up.
    pub(super) broken_handshakes: u64,
    /// Files that were read again, at SIGHUP.
    pub(super) reloads: u64,
    /// Files that were wrong then: the old ones stayed.
    pub(super) reloads_refused: u64,
    /// Peers that were hung up on since they are no tenants any more.
    pub(super) evicted_peers: u64,
}

impl Gearmand {
    pub(super) fn each_counter(&self, each: &mut dyn FnMut(&'static str, u64)) {
        let counters = &self.counters;
        for (name, value) in [
            ("total_connections", counters.total_connections),
            ("connections", self.sessions.open() as u64),
            ("packets", counters.packets),
            ("text_requests", counters.text_requests),
            ("strangers", counters.strangers),
            ("http_requests", counters.http_requests),
            ("bytes_read", counters.bytes_read),
            ("submits", counters.submits),
            ("refusals", counters.refusals),
            ("assigned", counters.assigned),
            ("no_jobs", counters.no_jobs),
            ("noops", counters.noops),
            ("completes_told", counters.completes_told),
            ("fails_told", counters.fails_told),
            ("exceptions_told", counters.exceptions_told),
            ("replies", counters.replies),
            ("turns_ended", counters.turns_ended),
            ("errors", counters.errors),
            ("overrun_peers", counters.overrun_peers),
            ("broken_peers", counters.broken_peers),
            ("lingering_peers", counters.lingering_peers),
            ("silent_peers", counters.silent_peers),
            ("broken_handshakes", counters.broken_handshakes),
            ("reloads", counters.reloads),
            ("reloads_refused", counters.reloads_refused),
            ("evicted_peers", counters.evicted_peers),
            ("turned_away", self.standby.turned_away),
            ("watchers", self.watchers.len() as u64),
            ("watchers_lost_lines", self.watchers.lost()),
            ("jobs", u64::from(self.engine.jobs())),
            ("jobs_memory", self.engine.jobs_memory()),
            ("jobs_memory_max", self.config.jobs_bytes_max),
            ("listeners", u64::from(self.engine.listeners())),
            ("replies_held", self.engine.held() as u64),
            ("engine_memory", self.engine.memory()),
        ] {
            each(name, value);
        }
        Results::each_counter(self.results.as_deref(), each);
        if let Some(log) = &self.log {
            log.counters(each);
        }
    }
}
