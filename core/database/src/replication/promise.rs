//! Semi-synchronous writes and `WAIT`: what replicas have confirmed, and who waits for it.

use super::follower::Stand;
use super::{Host, Replication, ReplicationEvent, Role, Timer, Verdict};
use core::time::Duration;
use std::collections::VecDeque;
use storytime_journal::Lsn;
use storytime_machine::{Conn, Cx, Time};

/// Most clients that wait at once.
pub(super) const WAITS_MAX: usize = 10_000;
/// Writes within this time share a deadline.
const DEADLINE_GRAIN: Duration = Duration::from_millis(1);

/// Writes that wait for replicas.
#[derive(Debug, Default)]
pub(super) struct Promises {
    /// Writes up to these and when they have waited long enough, both ascending.
    deadlines: VecDeque<(Lsn, Time)>,
    /// Writes up to this one are on enough replicas.
    replicated: Lsn,
    /// Writes up to this one have waited long enough.
    given_up: Lsn,
}

impl Promises {
    /// A write is in the log.
    pub(super) fn made(&mut self, lsn: Lsn, deadline: Time) {
        if let Some((last, at)) = self.deadlines.back_mut()
            && deadline < *at + DEADLINE_GRAIN
        {
            *last = lsn;
            return;
        }
        self.deadlines.push_back((lsn, deadline));
    }

    fn next_deadline(&mut self) -> Option<Time> {
        while self.deadlines.front().is_some_and(|(lsn, _)| *lsn <= self.replicated) {
            self.deadlines.pop_front();
        }
        self.deadlines.front().map(|(_, at)| *at)
    }

    /// Gives up what has waited long enough.
    fn expire(&mut self, now: Time) -> bool {
        let before = self.given_up;
        while let Some(&(lsn, at)) = self.deadlines.front()
            && at <= now
        {
            if lsn > self.replicated {
                self.given_up = self.given_up.max(lsn);
            }
            self.deadlines.pop_front();
        }
        self.given_up > before
    }
}

/// A client that waits for replicas.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wait {
    conn: Conn,
    lsn: Lsn,
    replicas: u32,
    /// None: for ever.
    deadline: Option<Time>,
}

impl Replication {
    /// What may be said of a write. Once it is told that a write is not replicated, it must not be
    /// asked about again.
    pub fn verdict(&self, host: &dyn Host, lsn: Lsn) -> Verdict {
        if lsn > host.log().durable {
            return Verdict::Await;
        }
        if self.options.replicas_to_write == 0 || lsn <= self.promises.replicated {
            return Verdict::Acknowledged;
        }
        if lsn <= self.promises.given_up || self.is_replica() {
            return Verdict::NotReplicated;
        }
        Verdict::Await
    }

    /// The error for a write that is [`Verdict::NotReplicated`], behind `-`.
    pub fn not_replicated(&mut self, lsn: Lsn) -> String {
        self.counters.not_replicated += 1;
        format!(
            "NOTDURABLE the write is in this server's log at record {}, and {} of {} replicas \
             confirmed it within {} ms: a failover may keep it or lose it",
            lsn.0,
            self.replicas_with(lsn),
            self.options.replicas_to_write,
            self.options.write_timeout.as_millis(),
        )
    }

    /// Whether a verdict may have changed since the last call.
    pub fn take_progress(&mut self) -> bool {
        core::mem::take(&mut self.progress)
    }

    /// Replicas that are connected, hold all content, and were heard lately.
    pub(super) fn replicas_there(&self, now: Time) -> u32 {
        let lag_max = self.options.replicas_lag_max;
        let there = self.followers.iter().filter(|f| {
            f.mutual.is_none() && f.stand == Stand::Streaming && now.since(f.heard) <= lag_max
        });
        there.count() as u32
    }

    /// Replicas that have a record durable.
    pub(super) fn replicas_with(&self, lsn: Lsn) -> u32 {
        self.followers.iter().filter(|f| f.stand == Stand::Streaming && f.acked >= lsn).count()
            as u32
    }

    /// Looks who need not wait any longer.
    pub(super) fn weigh(&mut self, cx: &mut Cx, host: &dyn Host) {
        let wanted = self.options.replicas_to_write as usize;
        if wanted > 0 && matches!(self.role, Role::Master { .. }) {
            let mut best = [Lsn(0); super::REPLICAS_MAX];
            for (slot, follower) in best.iter_mut().zip(&self.followers) {
                *slot = follower.acked;
            }
            best.sort_unstable_by(|a, b| b.cmp(a));
            // Enough replicas have everything up to the last of the best.
            let common = best.get(wanted - 1).copied().unwrap_or_default();
            if common > self.promises.replicated {
                self.promises.replicated = common;
                self.progress = true;
            }
        }
        self.progress |= self.promises.expire(cx.now());
        let mut waits = core::mem::take(&mut self.waits);
        waits.retain(|wait| {
            let with = self.replicas_with(wait.lsn);
            let over = with >= wait.replicas || wait.deadline.is_some_and(|at| at <= cx.now());
            if over {
                let over = ReplicationEvent::WaitOver { conn: wait.conn, replicas: with };
                self.events.push_back(over);
            }
            !over
        });
        self.waits = waits;
        // Whatever is durable here alone may be acknowledged without replicas.
        self.progress |= host.log().durable > Lsn(0);
        self.set_due(cx);
    }

    /// The role ends: no replica will confirm to this server what it wrote as a master. Whoever
    /// waits learns how many have done so.
    pub(super) fn end_waits(&mut self, cx: &mut Cx) {
        for wait in core::mem::take(&mut self.waits) {
            let replicas = self.replicas_with(wait.lsn);
            self.events.push_back(ReplicationEvent::WaitOver { conn: wait.conn, replicas });
        }
        self.set_due(cx);
    }

    fn set_due(&mut self, cx: &mut Cx) {
        let waits = self.waits.iter().filter_map(|wait| wait.deadline);
        let due = waits.chain(self.promises.next_deadline()).min();
        match due {
            Some(at) => cx.at(self.token(Timer::Due), at),
            None => cx.cancel(self.token(Timer::Due)),
        }
    }

    /// `WAIT`: false if too many wait already.
    pub(super) fn wait(
        &mut self,
        cx: &mut Cx,
        host: &dyn Host,
        conn: Conn,
        lsn: Lsn,
        replicas: u32,
        timeout_ms: u64,
    ) -> bool {
        if self.waits.len() >= WAITS_MAX {
            return false;
        }
        let deadline = (timeout_ms > 0).then(|| cx.now() + Duration::from_millis(timeout_ms));
        self.waits.push(Wait { conn, lsn, replicas, deadline });
        self.weigh(cx, host);
        true
    }

    /// A client that may be waiting is gone.
    pub fn on_client_gone(&mut self, conn: Conn) {
        self.waits.retain(|wait| wait.conn != conn);
    }

    /// A new role, or a new life: nothing was promised of the records up to this one.
    pub(super) fn promise_from(&mut self, last: Lsn) {
        self.promises = Promises { given_up: last, ..Promises::default() };
        self.progress = true;
    }
}
