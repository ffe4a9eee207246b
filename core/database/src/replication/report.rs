//! INFO, ROLE, DB.LAG.

use super::dial::Link;
use super::upstream::{Stage, Upstream};
use super::wire::put;
use super::{Content, Host, Replication, Role};
use bytes::BytesMut;
use core::fmt::Write as _;
use core::time::Duration;
use storytime_machine::Time;

impl Replication {
    /// The lines of INFO's section on replication, without its head.
    pub fn info(&self, host: &dyn Host, now: Time, out: &mut String) {
        let log = host.log();
        let mut line = |text: core::fmt::Arguments<'_>| {
            writeln!(out, "{text}\r").expect("strings grow as needed");
        };
        match &self.role {
            Role::Master { .. } => line(format_args!("role:master")),
            Role::Replica(upstream) => self.info_replica(upstream, host, now, &mut line),
        }
        line(format_args!("connected_slaves:{}", self.followers.len()));
        if self.options.replicas_to_write > 0 {
            line(format_args!("min_slaves_good_slaves:{}", self.replicas_there(now)));
        }
        for (n, follower) in self.followers.iter().enumerate() {
            line(format_args!(
                "slave{n}:ip={},port={},state={},offset={},lag={}",
                follower.ip,
                follower.port,
                follower.state(),
                follower.acked.0,
                now.since(follower.heard).as_secs(),
            ));
        }
        line(format_args!("master_replid:{:040x}", self.history.term().0));
        line(format_args!("master_repl_offset:{}", log.durable.0));
        line(format_args!("term:{}", self.term()));
        line(format_args!("journal_first_record:{}", log.oldest.0));
        line(format_args!("journal_last_record:{}", log.last.0));
        line(format_args!("repl_tail_bytes:{}", self.tail.bytes()));
        line(format_args!("fenced:{}", u8::from(self.fenced.is_some())));
        line(format_args!("repl_records_shipped:{}", self.counters.records_shipped));
        line(format_args!("repl_records_taken:{}", self.counters.records_taken));
        line(format_args!("repl_journal_reads:{}", self.counters.journal_reads));
        line(format_args!("repl_seeded:{}", self.counters.seeded));
        line(format_args!("repl_seeds_overrun:{}", self.counters.seeds_overrun));
        line(format_args!("repl_diverged:{}", self.counters.diverged));
        if let Some(mutual) = &self.mutual {
            line(format_args!("mm_collisions:{}", mutual.collisions));
            line(format_args!("mm_other_record:{}", self.history.foreign().0.0));
            if let Some(refused) = &mutual.refused {
                line(format_args!("mm_refused:{refused}"));
            }
        }
        line(format_args!("repl_not_replicated:{}", self.counters.not_replicated));
    }

    fn info_replica(
        &self,
        upstream: &Upstream,
        host: &dyn Host,
        now: Time,
        line: &mut impl FnMut(core::fmt::Arguments<'_>),
    ) {
        let log = host.log();
        let up = upstream.stage() == Some(Stage::Streaming);
        let syncing = !matches!(self.content, Content::Whole);
        line(format_args!("role:slave"));
        line(format_args!("master_host:{}", upstream.dial.name));
        line(format_args!("master_port:{}", upstream.dial.port));
        line(format_args!("master_link_status:{}", if up { "up" } else { "down" }));
        let silent = now.since(upstream.dial.heard).as_secs();
        line(format_args!("master_last_io_seconds_ago:{silent}"));
        line(format_args!("master_sync_in_progress:{}", u8::from(syncing)));
        line(format_args!("slave_read_repl_offset:{}", log.last.0));
        line(format_args!("slave_repl_offset:{}", log.durable.0));
        line(format_args!("slave_read_only:1"));
        let (lag, records) = self.lag(host, now);
        match lag {
            Some(lag) => line(format_args!("slave_lag_ms:{}", lag.as_millis())),
            None => line(format_args!("slave_lag_ms:-1")),
        }
        line(format_args!("slave_lag_records:{records}"));
        if let Some(refused) = &upstream.refused {
            line(format_args!("master_refuses:{refused}"));
        }
    }

    /// How far behind its master it is: in time, if that is known, and in records.
    pub fn lag(&self, host: &dyn Host, now: Time) -> (Option<Duration>, u64) {
        match &self.role {
            Role::Master { .. } => (Some(Duration::ZERO), 0),
            Role::Replica(upstream) => {
                let behind = upstream.known.0.saturating_sub(host.log().applied.0);
                (upstream.lag.behind(now, self.options.heartbeat), behind)
            }
        }
    }

    /// `DB.LAG`: milliseconds (-1: not known yet) and records.
    pub(super) fn put_lag(&self, host: &dyn Host, now: Time, out: &mut BytesMut) {
        let (lag, records) = self.lag(host, now);
        let ms = lag.map_or(-1, |lag| i64::try_from(lag.as_millis()).unwrap_or(i64::MAX));
        put(out, format_args!("*2\r\n:{ms}\r\n:{records}\r\n"));
    }

    /// `ROLE`.
    pub(super) fn put_role(&self, host: &dyn Host, out: &mut BytesMut) {
        let log = host.log();
        let upstream = match &self.role {
            Role::Master { .. } => {
                let count = self.followers.len();
                let offset = log.durable.0;
                put(out, format_args!("*3\r\n$6\r\nmaster\r\n:{offset}\r\n*{count}\r\n"));
                for follower in &self.followers {
                    out.extend_from_slice(b"*3\r\n");
                    put_text(out, &follower.ip);
                    put_text(out, &follower.port.to_string());
                    put_text(out, &follower.acked.0.to_string());
                }
                return;
            }
            Role::Replica(upstream) => upstream,
        };
        let state = match (upstream.dial.link, upstream.stage()) {
            (Link::Resting | Link::Resolving(_), _) => "connect",
            (_, Some(Stage::Seeding(_))) => "sync",
            (_, Some(Stage::Streaming)) => "connected",
            _ => "connecting",
        };
        out.extend_from_slice(b"*5\r\n");
        put_text(out, "slave");
        put_text(out, &upstream.dial.name);
        put(out, format_args!(":{}\r\n", upstream.dial.port));
        put_text(out, state);
        put(out, format_args!(":{}\r\n", log.durable.0));
    }
}

fn put_text(out: &mut BytesMut, text: &str) {
    put(out, format_args!("${}\r\n{text}\r\n", text.len()));
}
