//! What the proxy counts: in all, per route, and per server.

use crate::all::Line;
use crate::front::Tongue;
use crate::proxy::Proxy;
use bytes::Bytes;

/// What happened to the requests of one route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RouteStats {
    pub(crate) reads: u64,
    pub(crate) writes: u64,
    pub(crate) hits: u64,
    pub(crate) misses: u64,
    /// Error replies, the proxy's own included.
    pub(crate) errors: u64,
    /// Requests that no server answered.
    pub(crate) failures: u64,
    pub(crate) failovers: u64,
    /// Requests above the rate.
    pub(crate) limited: u64,
    /// Reads that joined an equal one.
    pub(crate) shared: u64,
    /// Values copied from the warm pool.
    pub(crate) copies: u64,
}

/// What the proxy counts beside its routes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    pub(crate) requests: u64,
    pub(crate) for_all: u64,
    pub(crate) unrouted: u64,
    /// Large values written and read in pieces.
    pub(crate) split_writes: u64,
    pub(crate) split_reads: u64,
    pub(crate) clients_total: u64,
    pub(crate) clients_refused: u64,
    /// Clients hung up on because too much was held for them.
    pub(crate) clients_overrun: u64,
    pub(crate) lookups: u64,
    pub(crate) listeners_failed: u64,
    pub(crate) reloads: u64,
    pub(crate) reloads_refused: u64,
}

impl RouteStats {
    fn each(&self, mut each: impl FnMut(&'static str, u64)) {
        each("reads", self.reads);
        each("writes", self.writes);
        each("hits", self.hits);
        each("misses", self.misses);
        each("errors", self.errors);
        each("failures", self.failures);
        each("failovers", self.failovers);
        each("limited", self.limited);
        each("shared", self.shared);
        each("copies", self.copies);
    }
}

impl Counters {
    fn each(&self, mut each: impl FnMut(&'static str, u64)) {
        each("requests", self.requests);
        each("requests_for_all", self.for_all);
        each("requests_unrouted", self.unrouted);
        each("split_writes", self.split_writes);
        each("split_reads", self.split_reads);
        each("clients_total", self.clients_total);
        each("clients_refused", self.clients_refused);
        each("clients_overrun", self.clients_overrun);
        each("lookups", self.lookups);
        each("listeners_failed", self.listeners_failed);
        each("reloads", self.reloads);
        each("reloads_refused", self.reloads_refused);
    }
}

impl Proxy {
    /// `stats proxy`.
    pub(crate) fn own_stats(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut line = |name: String, value: String| {
            lines.push((Bytes::from(name), Bytes::from(value)));
        };
        line("version".to_owned(), crate::VERSION.to_owned());
        line("config_generation".to_owned(), self.generation().to_string());
        line("clients".to_owned(), self.clients().to_string());
        line("requests_under_way".to_owned(), self.jobs.len().to_string());
        line("keys_under_way".to_owned(), self.flights.len().to_string());
        self.counters.each(|name, value| line(name.to_owned(), value.to_string()));
        for (plan, stats) in self.table.plans.iter().zip(&self.route_stats) {
            let route = &plan.name;
            stats.each(|name, value| line(format!("route:{route}:{name}"), value.to_string()));
        }
        for set in self.backends.in_use() {
            let tongue = if set.tongue == Tongue::Text { "text" } else { "binary" };
            let pool = format!("pool:{}:{tongue}", set.pool_name);
            line(format!("{pool}:connections"), set.conns().to_string());
            for (node, server) in set.servers.iter().enumerate() {
                let at = format!("{pool}:{}", server.name);
                line(format!("{at}:standing"), set.standing(node).to_owned());
                line(format!("{at}:requests"), server.stats.requests.to_string());
                line(format!("{at}:replies"), server.stats.replies.to_string());
                line(format!("{at}:failures"), server.stats.failures.to_string());
                line(format!("{at}:refused"), server.stats.refused.to_string());
            }
        }
        lines
    }

    pub(crate) fn tell_counters(&self, each: &mut dyn FnMut(&'static str, u64)) {
        self.counters.each(&mut *each);
        let mut sum = RouteStats::default();
        for stats in &self.route_stats {
            sum.reads += stats.reads;
            sum.writes += stats.writes;
            sum.hits += stats.hits;
            sum.misses += stats.misses;
            sum.errors += stats.errors;
            sum.failures += stats.failures;
            sum.failovers += stats.failovers;
            sum.limited += stats.limited;
            sum.shared += stats.shared;
            sum.copies += stats.copies;
        }
        sum.each(&mut *each);
        each("clients", u64::from(self.clients()));
        each("requests_under_way", self.jobs.len() as u64);
        each("config_generation", u64::from(self.generation()));
        let sent = self.backends.in_use().flat_map(|set| &set.servers);
        each("sent", sent.map(|server| server.stats.requests).sum());
    }

    /// Memory beyond that of the clients, bytes, roughly.
    pub(crate) fn own_memory(&self) -> u64 {
        const JOB_BYTES: u64 = 512;
        const KEY_BYTES: u64 = 512;
        JOB_BYTES * self.jobs.len() as u64 + KEY_BYTES * self.flights.len() as u64
    }
}
