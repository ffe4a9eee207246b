//! TLS: handshakes that are under way.
//!
//! A connection is encrypted from its first byte or not at all; what it sends is served when its
//! handshake is over. Until then it costs a place and processor time and has not said who it is, so
//! both its time and the number of such connections are bounded. Certificates are the driver's.

use super::{Gearmand, tokens};
use core::time::Duration;
use std::collections::VecDeque;
use storytime_machine::{Close, Conn, Cx, Tls};

/// How long a handshake may take.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// Most handshakes that are under way at once; the oldest makes room for one more.
pub(super) const HANDSHAKES_MAX: usize = 256;

/// Connections whose handshake is under way, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Handshakes {
    queue: VecDeque<Conn>,
}

impl Handshakes {
    pub(super) fn invariants(&self) {
        assert!(self.queue.len() <= HANDSHAKES_MAX, "handshakes are bounded");
    }
}

impl Gearmand {
    /// A connection came: its handshake begins.
    pub(super) fn begin_tls(&mut self, cx: &mut Cx, conn: Conn) {
        if self.handshakes.queue.len() == HANDSHAKES_MAX
            && let Some(oldest) = self.handshakes.queue.front().copied()
        {
            // A peer that means it is done within a few round trips.
            self.break_handshake(cx, oldest);
        }
        if let Some(session) = self.sessions.get(conn) {
            session.handshakes = true;
        }
        self.handshakes.queue.push_back(conn);
        cx.start_tls(conn, Tls::Server);
        cx.after(tokens::leaving(conn), HANDSHAKE_WITHIN);
    }

    /// The handshake is over: the connection is served.
    pub(super) fn is_secured(&mut self, cx: &mut Cx, conn: Conn) {
        self.end_handshake(conn);
        cx.cancel(tokens::leaving(conn));
        self.http_await(cx, conn);
    }

    /// A handshake takes too long, or there are too many. Whether this was one.
    pub(super) fn break_handshake(&mut self, cx: &mut Cx, conn: Conn) -> bool {
        let under_way = self.end_handshake(conn);
        if under_way {
            self.counters.broken_handshakes += 1;
            cx.reached("gearmand: a handshake was given up");
            self.hang_up(cx, conn, Close::Abort);
        }
        under_way
    }

    /// A connection is gone, perhaps because its handshake failed.
    pub(super) fn tls_gone(&mut self, conn: Conn) {
        if self.end_handshake(conn) {
            self.counters.broken_handshakes += 1;
        }
    }

    /// Whether one was under way.
    fn end_handshake(&mut self, conn: Conn) -> bool {
        let session = self.sessions.get(conn);
        let under_way = session.is_some_and(|session| core::mem::take(&mut session.handshakes));
        if under_way {
            self.handshakes.queue.retain(|other| *other != conn);
        }
        under_way
    }
}
