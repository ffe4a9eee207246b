//! What a worker does between requests: background work, connections that wait or are idle.

use super::{Connection, IDLE_TICK, IDLE_TIMER, Server, TICK, TICK_TIMER, stamp};
use crate::ops::{Again, Close as Why, Stage};
use crate::shared::Traffic;
use bytes::BytesMut;
use core::time::Duration;
use storytime_machine::{Close, Cx, Slots, Token};

/// Time between two pieces of background work while there is more of it.
const BUSY_TICK: Duration = Duration::from_millis(10);
/// Longest time between two pieces of background work while things become quiet.
const QUIET_TICK: Duration = Duration::from_secs(1);
/// Pieces of background work after the last traffic.
const QUIET_TICKS_MAX: u32 = 64;

impl Server {
    /// Serves the connections that waited for a tick.
    pub(super) fn serve_waiting(&mut self, cx: &mut Cx) {
        for conn in core::mem::take(&mut self.waiting) {
            if self.serve(cx, conn, &mut BytesMut::new()) {
                // What it sent meanwhile lies in its buffer and is given to `data` again.
                cx.pause(conn, true);
                cx.pause(conn, false);
            }
        }
    }

    /// There is traffic: background work follows.
    #[inline]
    pub(super) fn stir(&mut self, cx: &mut Cx) {
        self.shared.stir();
        let at = cx.now() + TICK;
        if self.tick.is_none_or(|due| due > at) {
            self.tick = Some(at);
            cx.at(TICK_TIMER, at);
        }
    }

    pub(super) fn work_behind(&mut self, cx: &mut Cx) {
        self.tick = None;
        let now = self.shared.seconds(cx.now());
        let pause = match self.shared.work_behind(now, stamp(cx)) {
            Again::Busy => BUSY_TICK,
            Again::Soon => {
                self.quiet = 0;
                TICK
            }
            // Items go on growing old: it looks less and less often, until there is traffic.
            Again::Idle(_) if self.quiet < QUIET_TICKS_MAX => {
                self.quiet += 1;
                QUIET_TICK.min(TICK * (1 << self.quiet.min(4)))
            }
            Again::Idle(Some(then)) => Duration::from_secs(then.0.saturating_sub(now.0).into()),
            Again::Idle(None) => return,
        };
        let next = cx.now() + pause.max(BUSY_TICK);
        self.tick = Some(next);
        cx.at(TICK_TIMER, next);
    }

    /// Closes the connections that were idle for too long, and looks again when the next may be.
    pub(super) fn close_idle(&mut self, cx: &mut Cx) {
        let Some(limit) = self.config.idle_timeout else { return };
        let limit = u32::try_from(limit.as_secs()).unwrap_or(u32::MAX);
        let now = self.shared.seconds(cx.now());
        let (mut idle, mut oldest) = (Vec::new(), now);
        for (conn, link) in self.conns.iter().flatten().filter_map(Connection::served) {
            if link.card.stage() != Stage::Read {
                continue;
            }
            let last = link.card.last_command();
            if now.0.saturating_sub(last.0) > limit {
                idle.push(conn);
            } else {
                oldest = oldest.min(last);
            }
        }
        for conn in idle {
            Traffic::add(&self.shared.ops.counters.idle_kicks, 1);
            cx.reached("memcached: idle connection closed");
            self.leave(cx, conn, Why::IdleTimeout);
            cx.close(conn, Close::Flush);
        }
        if self.open > 0 {
            let left = (oldest.0 + limit).saturating_sub(now.0) + 1;
            cx.after(IDLE_TIMER, Duration::from_secs(left.into()).max(IDLE_TICK));
        }
    }

    /// Without `maxconns_fast`: as many connections as this worker's share, and the rest wait.
    pub(super) fn share_slots(&mut self, cx: &mut Cx) {
        if self.config.turn_away {
            return;
        }
        let (limit, workers) = (self.config.connections_max, self.config.threads);
        let share = limit / workers + u32::from(self.worker < limit % workers);
        let left = share.saturating_sub(u32::try_from(self.open).unwrap_or(u32::MAX));
        if left == 0 {
            Traffic::add(&self.shared.ops.counters.listen_disabled, 1);
        }
        for token in 0..self.listeners.len() {
            let open = self.conns.iter().flatten().filter_map(Connection::served);
            let own = open.filter(|(_, link)| link.listener == token).count();
            let own = u32::try_from(own).unwrap_or(u32::MAX);
            cx.set_slots(Token(token as u64), Slots::AtMost(own + left));
        }
    }
}
