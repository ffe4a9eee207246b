//! A promoted replica tells its former master that it is master no more.
//!
//! The connection is kept, and made again when it ends: an old master that comes back is told
//! before long, and takes no writes from then on. Until then it does; only semi-synchronous writes
//! close that window.

use super::wire::term_in;
use super::{Replication, Role, Term, Timer};
use crate::Reply;
use crate::client::put_request;
use crate::resp::{Frame, ReplyReader};
use bytes::BytesMut;
use core::time::Duration;
use storytime_machine::{Close, Conn, Cx, Endpoint, IpAddr, Time};

/// How often a former master that is away is tried.
const RETRY: Duration = Duration::from_secs(1);
/// Longest answer, bytes.
const ANSWER_BYTES_MAX: usize = 4 << 10;

/// How the connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    /// It is tried again when the timer says so.
    Resting,
    /// Its name is being looked up.
    Resolving,
    /// A connect is under way.
    Connecting,
    /// It was told, and may have answered.
    Up(Conn),
}

/// The server that we were a replica of.
#[derive(Debug)]
pub(super) struct Former {
    name: String,
    port: u16,
    link: Link,
    reader: ReplyReader,
    heard: Time,
}

impl Former {
    pub(super) fn new(name: String, port: u16, now: Time) -> Self {
        let reader = ReplyReader::new(ANSWER_BYTES_MAX);
        Self { name, port, link: Link::Resting, reader, heard: now }
    }
}

impl Replication {
    pub(super) fn is_former(&self, conn: Conn) -> bool {
        self.former.as_ref().is_some_and(|former| former.link == Link::Up(conn))
    }

    pub(super) fn try_former(&mut self, cx: &mut Cx) {
        let token = self.token(Timer::Former);
        let timeout = self.options.timeout;
        let Some(former) = self.former.as_mut().filter(|f| f.link == Link::Resting) else {
            return;
        };
        match former.name.parse::<IpAddr>() {
            Ok(ip) => {
                former.link = Link::Connecting;
                cx.connect(token, Endpoint::tcp(ip, former.port), timeout);
            }
            Err(_) => {
                former.link = Link::Resolving;
                cx.resolve(token, former.name.clone());
            }
        }
    }

    pub(super) fn resolved_former(&mut self, cx: &mut Cx, ip: Option<IpAddr>) {
        let token = self.token(Timer::Former);
        let timeout = self.options.timeout;
        let Some(former) = self.former.as_mut().filter(|f| f.link == Link::Resolving) else {
            return;
        };
        match ip {
            Some(ip) => {
                former.link = Link::Connecting;
                cx.connect(token, Endpoint::tcp(ip, former.port), timeout);
            }
            None => self.lose_former(cx),
        }
    }

    pub(super) fn connected_former(&mut self, cx: &mut Cx, conn: Conn) {
        let now = cx.now();
        let password = self.options.master_password.clone();
        let Some(former) = self.former.as_mut().filter(|f| f.link == Link::Connecting) else {
            return cx.close(conn, Close::Abort);
        };
        former.link = Link::Up(conn);
        former.heard = now;
        former.reader = ReplyReader::new(ANSWER_BYTES_MAX);
        let tx = cx.tx(conn).expect("a connection that just came up is open");
        if let Some(password) = password {
            tx.write_with(|into| put_request(&[b"AUTH", &password], into));
        }
        self.beat_former(cx);
    }

    /// Says it again: the server may have been started anew, and forgotten.
    pub(super) fn beat_former(&mut self, cx: &mut Cx) {
        let (now, silent) = (cx.now(), self.options.timeout);
        let term = self.term().0.to_string();
        let Some(former) = &self.former else { return };
        let Link::Up(conn) = former.link else { return };
        if former.heard + silent <= now {
            return self.lose_former(cx);
        }
        if let Some(tx) = cx.tx(conn) {
            tx.write_with(|into| put_request(&[b"REPL.TERM", term.as_bytes()], into));
        }
    }

    pub(super) fn hear_former(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        let now = cx.now();
        while self.is_former(conn) {
            let Some(former) = &mut self.former else { return };
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
        let token = self.token(Timer::Former);
        let Some(former) = &mut self.former else { return };
        if let Link::Up(conn) = former.link {
            cx.close(conn, Close::Abort);
        }
        former.link = Link::Resting;
        cx.after(token, RETRY);
    }

    /// Nobody is told any more.
    pub(super) fn leave_former(&mut self, cx: &mut Cx) {
        if let Some(Former { link: Link::Up(conn), .. }) = self.former.take() {
            cx.close(conn, Close::Abort);
        }
        cx.cancel(self.token(Timer::Former));
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
