//! A promoted replica tells its former master that it is master no more.
//!
//! The connection is kept, and made again when it ends: an old master that comes back is told
//! before long, and takes no writes from then on. Until then it does; only semi-synchronous writes
//! close that window.

use super::wire::term_in;
use super::{Replication, Role, Term, Timer};
use crate::Reply;
use crate::client::put_request;
use crate::resp::Frame;
use bytes::BytesMut;
use core::time::Duration;
use storytime_machine::{Conn, Cx};

/// How often a former master that is away is tried.
const RETRY: Duration = Duration::from_secs(1);
/// Longest answer, bytes.
const ANSWER_BYTES_MAX: usize = 4 << 10;

impl Replication {
    /// Tells this server, whose replica we were, from now on.
    pub(super) fn tell_former(&mut self, cx: &mut Cx, name: String, port: u16) {
        let dial = self.new_dial(name, port, Timer::Former, ANSWER_BYTES_MAX, cx.now());
        self.former.insert(dial).rest(cx, Duration::ZERO);
    }

    /// Says it again: the server may have been started anew, and forgotten.
    pub(super) fn beat_former(&mut self, cx: &mut Cx) {
        let term = self.term().0.to_string();
        let Some(former) = &self.former else { return };
        if former.is_silent(cx.now()) {
            return self.lose_former(cx);
        }
        if let Some(tx) = former.conn().and_then(|conn| cx.tx(conn)) {
            tx.write_with(|into| put_request(&[b"REPL.TERM", term.as_bytes()], into));
        }
    }

    pub(super) fn hear_former(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        let now = cx.now();
        while let Some(former) = self.former.as_mut().filter(|f| f.conn() == Some(conn)) {
            former.heard = now;
            match former.reader.next(rx) {
                Ok(None) => return,
                Ok(Some(Frame::Reply(Reply::Simple(_)))) => {}
                Ok(Some(Frame::Reply(Reply::Error(text)))) => {
                    let newer = text.strip_prefix(b"STALE ").and_then(term_in);
                    match newer {
                        // It was promoted again while we did not look.
                        Some(term) => self.heard_of(cx, term),
                        None if text.starts_with(b"LOADING") => return self.lose_former(cx),
                        None => {}
                    }
                }
                Ok(Some(_)) | Err(_) => return self.lose_former(cx),
            }
        }
        rx.clear();
    }

    pub(super) fn lose_former(&mut self, cx: &mut Cx) {
        if let Some(former) = &mut self.former {
            former.rest(cx, RETRY);
        }
    }

    /// Nobody is told any more.
    pub(super) fn leave_former(&mut self, cx: &mut Cx) {
        if let Some(mut former) = self.former.take() {
            former.leave(cx);
        }
    }

    /// `REPL.TERM`: somebody is master of this term. The answer is what is said in reply.
    pub(super) fn told_of_term(&mut self, cx: &mut Cx, term: Term) -> Result<(), String> {
        let own = match self.role {
            Role::Master { term, .. } => term,
            Role::Replica(_) => return Ok(()),
        };
        if term < own {
            return Err(format!("STALE {}", own.0));
        }
        self.heard_of(cx, term);
        Ok(())
    }
}
