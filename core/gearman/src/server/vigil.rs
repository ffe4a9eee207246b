//! Watching workers that are at work for long.
//!
//! A worker whose host lost its power says nothing any more, and the server has nothing to say to
//! one that works: its job would be running for ever. So who has had the same job since the last
//! look gets a `NOOP`, which every worker passes over. If nobody is there, the system finds out
//! that it is not acknowledged, or its host that it knows of no such connection.

use super::{Gearmand, tokens};
use crate::engine::{Out as _, Reply};
use core::time::Duration;
use storytime_machine::Cx;

/// From look to look.
const LOOK_EVERY: Duration = Duration::from_secs(10);

impl Gearmand {
    /// Looks again after a while, as long as there is anybody.
    #[inline]
    pub(super) fn keep_vigil(&mut self, cx: &mut Cx) {
        if !self.vigil && self.sessions.open() > 0 {
            self.vigil = true;
            cx.after(tokens::VIGIL, LOOK_EVERY);
        }
    }

    /// Looks at every worker.
    pub(super) fn look_around(&mut self, cx: &mut Cx) {
        self.vigil = false;
        for place in 0..self.sessions.places() {
            let Some(session) = self.sessions.at(place) else { continue };
            let (conn, peer) = (session.conn, session.peer());
            let job = self.engine.jobs_of(peer).next().map(|job| job.number);
            let before = core::mem::replace(&mut session.job_seen, job);
            // Who has not read the last one yet needs no other.
            if job.is_some() && job == before && cx.pending(conn) == 0 {
                let (_, mut wire) = self.split(cx);
                wire.send(peer, Reply::Noop);
            }
        }
    }
}
