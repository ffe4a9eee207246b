//! Connections that say nothing: each costs a place that others wait for, whether its request does
//! not come to its end or it never sends another.
//!
//! Who waits for a job may be silent, and so may who waits for us to read.

use super::head::refused;
use super::reply::Status;
use super::{Awaited, Gearmand};
use crate::engine::Peer;
use crate::server::session::End;
use crate::server::tokens;
use core::time::Duration;
use storytime_machine::{Close, Conn, Cx};

/// How long a peer of whom a request, or more of it, is awaited may be silent.
pub(super) const SILENCE_MAX: Duration = Duration::from_secs(60);

impl Gearmand {
    /// Begins to wait for a request or for more of it, if that is awaited.
    pub(in crate::server) fn http_await(&mut self, cx: &mut Cx, conn: Conn) {
        let session = self.sessions.get(conn).filter(|session| session.end == End::None);
        match session.and_then(|session| session.http.as_ref()).map(|http| &http.awaits) {
            None => {}
            Some(Awaited::Job(_)) => cx.cancel(tokens::leaving(conn)),
            Some(Awaited::Request | Awaited::Body(..) | Awaited::Chunks(..)) => {
                cx.after(tokens::leaving(conn), SILENCE_MAX);
            }
        }
    }

    /// A connection's time is over. Whether that is because it was silent.
    pub(in crate::server) fn http_silent(&mut self, cx: &mut Cx, conn: Conn) -> bool {
        let session = self.sessions.get(conn).filter(|session| session.end == End::None);
        let Some(session) = session else { return false };
        let (paused, begun) = (session.paused, session.unread() > 0);
        let Some(http) = &session.http else { return false };
        match http.awaits {
            Awaited::Job(_) => {}
            _ if paused => cx.after(tokens::leaving(conn), SILENCE_MAX),
            Awaited::Request if !begun => {
                self.counters.silent_peers += 1;
                self.hang_up(cx, conn, Close::Flush);
            }
            Awaited::Request | Awaited::Body(..) | Awaited::Chunks(..) => {
                self.counters.silent_peers += 1;
                let why = "the rest of the request did not come";
                let late = refused(Status::TIMEOUT, why);
                self.split(cx).1.http_refuse(Peer(conn.slot), late, false, false);
            }
        }
        true
    }
}
