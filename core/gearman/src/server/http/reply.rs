//! Answers: what the engine says of a job, and what is wrong with a request.

use super::head::Refused;
use super::silence::SILENCE_MAX;
use super::{Awaited, Doing};
use crate::engine::{Number, Payload, Peer, Refusal, Reply, Work};
use crate::packet::SHARED_BYTES_MIN;
use crate::server::serve::LEAVE_WITHIN;
use crate::server::session::End;
use crate::server::{Wire, tokens};
use bytes::{BufMut as _, Bytes, BytesMut};
use core::fmt::{self, Write as _};
use storytime_machine::{Close, Tx};

/// A status, and its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Status(pub(super) u16, &'static str);

impl Status {
    pub(super) const OK: Self = Self(200, "OK");
    pub(super) const ACCEPTED: Self = Self(202, "Accepted");
    pub(super) const BAD_REQUEST: Self = Self(400, "Bad Request");
    pub(super) const UNAUTHORIZED: Self = Self(401, "Unauthorized");
    pub(super) const FORBIDDEN: Self = Self(403, "Forbidden");
    pub(super) const NOT_FOUND: Self = Self(404, "Not Found");
    pub(super) const NO_METHOD: Self = Self(405, "Method Not Allowed");
    pub(super) const TIMEOUT: Self = Self(408, "Request Timeout");
    pub(super) const LENGTH_REQUIRED: Self = Self(411, "Length Required");
    pub(super) const TOO_LARGE: Self = Self(413, "Content Too Large");
    pub(super) const EXPECTATION: Self = Self(417, "Expectation Failed");
    pub(super) const HEAD_TOO_LARGE: Self = Self(431, "Request Header Fields Too Large");
    pub(super) const FAILED: Self = Self(500, "Internal Server Error");
    pub(super) const NOT_IMPLEMENTED: Self = Self(501, "Not Implemented");
    pub(super) const UNAVAILABLE: Self = Self(503, "Service Unavailable");
    pub(super) const VERSION: Self = Self(505, "HTTP Version Not Supported");
}

/// Told to who may send a body.
pub(super) const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
const TEXT: &str = "text/plain; charset=utf-8";
const DATA: &str = "application/octet-stream";
/// How long who finds the queue full is asked to wait, seconds.
const RETRY_SECONDS: u32 = 1;

/// The head of an answer.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    pub(super) status: Status,
    pub(super) kind: &'a str,
    /// How long the body is; none if it comes in pieces.
    pub(super) length: Option<usize>,
    /// The job's handle, and what the worker said.
    pub(super) job: Option<(&'a [u8], &'static str)>,
    pub(super) keep: bool,
    pub(super) chunks: bool,
}

impl Answer<'_> {
    /// Writes the head.
    pub(super) fn put(&self, tx: &mut Tx) {
        tx.write_with(|out| self.write(out).expect("memory grows as needed"));
    }

    fn write(&self, out: &mut BytesMut) -> fmt::Result {
        let Status(code, words) = self.status;
        write!(out, "HTTP/1.1 {code} {words}\r\nContent-Type: {}\r\n", self.kind)?;
        match self.length {
            Some(length) => write!(out, "Content-Length: {length}\r\n")?,
            None if self.chunks => out.put_slice(b"Transfer-Encoding: chunked\r\n"),
            None => {}
        }
        if let Some((handle, said)) = self.job {
            out.put_slice(b"X-Gearman-Job-Handle: ");
            out.put_slice(handle);
            write!(out, "\r\nX-Gearman-Command: {said}\r\n")?;
        }
        if self.status == Status::NO_METHOD {
            out.put_slice(b"Allow: GET, HEAD, POST, PUT\r\n");
        }
        if self.status == Status::UNAUTHORIZED {
            out.put_slice(b"WWW-Authenticate: Bearer\r\n");
        }
        if self.status == Status::UNAVAILABLE {
            write!(out, "Retry-After: {RETRY_SECONDS}\r\n")?;
        }
        if !self.keep {
            out.put_slice(b"Connection: close\r\n");
        }
        out.put_slice(b"\r\n");
        Ok(())
    }
}

/// Puts data behind an answer.
fn put_data(tx: &mut Tx, data: Payload<'_>) {
    match data {
        Payload::Shared(data) if data.len() >= SHARED_BYTES_MIN => tx.push(Bytes::clone(data)),
        data => tx.put(&data),
    }
}

impl Wire<'_> {
    /// Answers a request that is not carried out. The connection ends, unless it is known where
    /// the next request begins.
    pub(super) fn http_refuse(&mut self, to: Peer, refused: Refused, head_only: bool, keep: bool) {
        self.counters.errors += 1;
        let text = format!("{}\n", refused.why);
        let body = (!head_only).then_some(&*text);
        self.http_text(to, refused.status, TEXT, body, text.len(), keep);
    }

    /// Answers in text, or with the head alone of such an answer.
    pub(super) fn http_text(
        &mut self,
        to: Peer,
        status: Status,
        kind: &str,
        text: Option<&str>,
        length: usize,
        keep: bool,
    ) {
        let answer = Answer { status, kind, length: Some(length), job: None, keep, chunks: false };
        if let Some(tx) = self.tx(to) {
            answer.put(tx);
            tx.put(text.unwrap_or_default().as_bytes());
        }
        self.http_finish(to, keep);
    }

    /// What the engine says to an HTTP connection. False if it is none.
    pub(in crate::server) fn http_reply(&mut self, to: Peer, reply: &Reply<'_>) -> bool {
        let session = self.sessions.at(to.0 as usize);
        let Some(http) = session.and_then(|session| session.http.as_mut()) else { return false };
        // Nothing is awaited when a job ends twice, or late.
        let Awaited::Job(doing) = &mut http.awaits else { return true };
        match *reply {
            Reply::Created { number, .. } => {
                doing.number = Some(number);
                let doing = *doing;
                if doing.background {
                    self.http_whole(to, doing, Status::ACCEPTED, "JOB_CREATED", (&[]).into());
                }
            }
            Reply::Error(refusal) => {
                let keep = doing.keep;
                self.counters.refusals += 1;
                let status = match refusal {
                    Refusal::UniqueTooLong | Refusal::FunctionTooLong | Refusal::Calendar => {
                        Status::BAD_REQUEST
                    }
                    Refusal::TooManyFunctions
                    | Refusal::TooManyAbilities
                    | Refusal::QuotaUsedUp
                    | Refusal::QueueFull
                    | Refusal::QueueBusy(_)
                    | Refusal::TooManyCalendars => Status::UNAVAILABLE,
                };
                let text = format!("{refusal}\n");
                self.http_text(to, status, TEXT, Some(&text), text.len(), keep);
            }
            Reply::Work(number, work) if doing.number == Some(number) => {
                let doing = *doing;
                self.http_work(to, doing, work);
            }
            Reply::Work(..) | Reply::Noop | Reply::NoJob | Reply::Assign(_) => {}
        }
        true
    }

    fn http_work(&mut self, to: Peer, doing: Doing, work: Work<'_>) {
        match work {
            // Nothing in an answer could say so.
            Work::Status { .. } | Work::Warning(_) => {}
            Work::Data(data) if data.is_empty() => {}
            Work::Data(data) => self.http_piece(to, doing, data),
            Work::Complete(data) => {
                self.counters.completes_told += 1;
                if !doing.streaming {
                    return self.http_whole(to, doing, Status::OK, "WORK_COMPLETE", data);
                }
                if !data.is_empty() {
                    self.http_piece(to, doing, data);
                }
                if doing.chunks
                    && let Some(tx) = self.tx(to)
                {
                    tx.put(b"0\r\n\r\n");
                }
                self.http_finish(to, doing.keep && doing.chunks);
            }
            Work::Fail => {
                self.counters.fails_told += 1;
                self.http_failed(to, doing, "WORK_FAIL", b"the job failed\n".into());
            }
            Work::Exception(data) => {
                self.counters.exceptions_told += 1;
                self.http_failed(to, doing, "WORK_EXCEPTION", data);
            }
        }
    }

    /// A whole answer.
    fn http_whole(
        &mut self,
        to: Peer,
        doing: Doing,
        status: Status,
        said: &'static str,
        data: Payload<'_>,
    ) {
        let handle = doing.number.map(|number| self.handles.write(number));
        let job = handle.as_ref().map(|handle| (handle.as_bytes(), said));
        let answer = Answer {
            status,
            kind: if said == "WORK_FAIL" { TEXT } else { DATA },
            length: Some(data.len()),
            job,
            keep: doing.keep,
            chunks: false,
        };
        if let Some(tx) = self.tx(to) {
            answer.put(tx);
            put_data(tx, data);
        }
        self.http_finish(to, doing.keep);
    }

    /// A piece of an answer: the first one begins it.
    fn http_piece(&mut self, to: Peer, doing: Doing, data: Payload<'_>) {
        let handle = self.handles.write(doing.number.unwrap_or(Number(0)));
        let answer = Answer {
            status: Status::OK,
            kind: DATA,
            length: None,
            job: Some((handle.as_bytes(), "WORK_DATA")),
            keep: doing.keep && doing.chunks,
            chunks: doing.chunks,
        };
        let Some(tx) = self.tx(to) else { return };
        if !doing.streaming {
            answer.put(tx);
        }
        if doing.chunks {
            tx.write_with(|out| {
                write!(out, "{:x}\r\n", data.len()).expect("memory grows as needed");
            });
        }
        put_data(tx, data);
        if doing.chunks {
            tx.put(b"\r\n");
        }
        if let Some(session) = self.sessions.at(to.0 as usize)
            && let Some(http) = &mut session.http
            && let Awaited::Job(doing) = &mut http.awaits
        {
            doing.streaming = true;
        }
    }

    /// A job failed. Once its answer has begun, only the connection's breaking can say so.
    fn http_failed(&mut self, to: Peer, doing: Doing, said: &'static str, data: Payload<'_>) {
        if !doing.streaming {
            return self.http_whole(to, doing, Status::FAILED, said, data);
        }
        if let Some(session) = self.sessions.at(to.0 as usize) {
            session.end = End::Closed;
            self.cx.close(session.conn, Close::Abort);
        }
    }

    /// An answer is whole: the next request may come, or the connection ends.
    fn http_finish(&mut self, to: Peer, keep: bool) {
        let Some(session) = self.sessions.at(to.0 as usize) else { return };
        let conn = session.conn;
        let Some(http) = &mut session.http else { return };
        http.awaits = Awaited::Request;
        if keep && !http.last {
            self.cx.after(tokens::leaving(conn), SILENCE_MAX);
            if !session.paused {
                // What came meanwhile is told again.
                let came = session.unread() > 0;
                self.cx.pause(conn, came);
                self.cx.pause(conn, false);
            }
        } else if session.end == End::None {
            // The engine hears of it when the connection is gone.
            session.end = End::Closed;
            self.cx.close(conn, Close::Flush);
            self.cx.after(tokens::leaving(conn), LEAVE_WITHIN);
        }
    }
}
