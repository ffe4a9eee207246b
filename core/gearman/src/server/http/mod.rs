//! HTTP in front of the job server: `POST /function` runs a job and answers with its result.
//!
//! | request | meaning |
//! |---|---|
//! | `POST /f`, `PUT /f`, `GET /f` | a job of the function `f` with the body as its data |
//! | `X-Gearman-Unique: KEY` | its unique key; `-` for the data itself |
//! | `X-Gearman-Background: true` | it is accepted, and nobody waits for it |
//! | `X-Gearman-Priority: high`, `low` | its place in the queue |
//! | `GET /metrics`, `HEAD /metrics` | counters, as Prometheus reads them |
//!
//! | answer | when |
//! |---|---|
//! | 200 | the result; in chunks if the worker sent data before it |
//! | 202 | a background job was accepted |
//! | 401, 403 | there are tenants, and this is none of them, or not the operator |
//! | 400, 404, 405, 408, 411, 413, 417, 431, 501, 505 | the request is wrong, and its text says what |
//! | 500 | the job failed, or its worker told an exception, whose text it is |
//! | 503 | the queue is full, or takes nothing now |
//!
//! A job that fails after the beginning of its answer has left breaks the connection, so that no
//! one takes a part for the whole. Who hangs up waits for no job any more.
//!
//! A peer of whom a request is awaited, or the rest of one, may be silent for a minute. Then it is
//! hung up on, with 408 if it had begun.
//!
//! Bodies come with their `Content-Length`, or in chunks. Where two readers could see two ends of a
//! request (both of these, two lengths, a line that ends with a bare LF), it is refused and the
//! connection ends, so that nothing behind it is taken for a request of its own.
//!
//! # Where it differs from the original's plugin
//!
//! There, data overwrites the status line, failures are answered by 200, a word of progress ends
//! the answer, and a wrong method closes the connection without one; two requests with one body and
//! no key are one job, which here takes a key. Not here: `TRACE`, and `HEAD` of a job.
//!
//! # Not modelled
//!
//! Codings of bodies other than chunks (501), trailers (they are ignored), queries, `OPTIONS`,
//! HTTP/2.
//!
//! | module | holds |
//! |---|---|
//! | `head` | heads of requests |
//! | `chunks` | bodies that come in chunks |
//! | `reply` | answers |
//! | `silence` | peers that say nothing |
//! | `metrics` | what Prometheus reads |

mod chunks;
mod head;
mod metrics;
mod reply;
mod silence;

pub use head::HEAD_BYTES_MAX;

use super::serve::TURN_TOIL_MAX;
use super::session::End;
use super::{Gearmand, WORK_JOBS};
use crate::engine::{Number, Payload, Peer, Submit, When};
use crate::packet::SHARED_BYTES_MIN;
use bytes::{Buf as _, Bytes, BytesMut};
use chunks::{Chunks, Progress};
use head::{Ask, Body, Head, Refused, Target};
use reply::Status;
use storytime_machine::{Close, Conn, Cx};

/// Said to who is none of the tenants.
const NOT_KNOWN: Refused =
    Refused { status: Status::UNAUTHORIZED, why: "say who you are: Bearer NAME:SECRET" };
/// Said to a tenant that asks for everybody's counters.
const NOT_ALL: Refused =
    Refused { status: Status::FORBIDDEN, why: "counters are for who operates the server" };
/// Input that may wait behind a request before the connection is not read from, bytes.
const AHEAD_BYTES_MAX: usize = 64 << 10;

/// What is special about an HTTP connection.
#[derive(Debug)]
pub(super) struct Http {
    awaits: Awaited,
    /// The server is to end: this request is its last.
    last: bool,
}

/// What is awaited.
#[derive(Debug)]
enum Awaited {
    Request,
    Body(Box<Ask>, usize),
    Chunks(Box<Ask>, Box<Chunks>),
    Job(Doing),
}

/// A request whose job is under way.
#[derive(Clone, Copy, Debug)]
struct Doing {
    /// Its job, once that is known.
    number: Option<Number>,
    background: bool,
    /// The connection stays for another request.
    keep: bool,
    chunks: bool,
    /// The beginning of the answer has left.
    streaming: bool,
}

/// What became of the front of a connection's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Done,
    /// Its rest has not come, or something else is awaited.
    Waits,
}

impl Http {
    pub(super) const fn new() -> Self {
        Self { awaits: Awaited::Request, last: false }
    }

    /// Bytes of a body that are held elsewhere than in the connection's input.
    fn held(&self) -> usize {
        match &self.awaits {
            Awaited::Chunks(_, chunks) => chunks.held(),
            Awaited::Request | Awaited::Body(..) | Awaited::Job(_) => 0,
        }
    }
}

impl Gearmand {
    /// Bytes came. False if the connection is none of HTTP.
    pub(super) fn http_data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) -> bool {
        if self.sessions.get(conn).is_none_or(|session| session.http.is_none()) {
            return false;
        }
        let before = rx.len();
        let replies = self.counters.replies;
        self.toil = 0;
        while self.http_step(cx, conn, rx) == Step::Done {
            if self.toil + (self.counters.replies - replies) > TURN_TOIL_MAX {
                self.end_turn(cx, conn);
                break;
            }
        }
        self.counters.bytes_read += (before - rx.len()) as u64;
        let http = self.sessions.get(conn).and_then(|session| session.http.as_ref());
        let held = http.map_or(0, |http| http.held());
        self.note_unread(cx, conn, rx.len() + held);
        self.http_await(cx, conn);
        true
    }

    fn http_step(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) -> Step {
        let body_bytes_max = self.config.http_body_bytes_max();
        let Some(session) = self.sessions.get(conn).filter(|session| session.end == End::None)
        else {
            rx.clear();
            return Step::Waits;
        };
        let http = session.http.as_mut().expect("it is a connection of HTTP");
        match &mut http.awaits {
            Awaited::Request if rx.is_empty() => Step::Waits,
            Awaited::Request if cx.pending(conn) > cx.limits().tx_high => {
                session.paused = true;
                cx.pause(conn, true);
                Step::Waits
            }
            Awaited::Request => match head::read(rx, body_bytes_max) {
                Head::Partial => Step::Waits,
                Head::Refused(refused) => {
                    let head_only = rx.starts_with(b"HEAD ");
                    self.http_broken(cx, conn, refused, head_only)
                }
                Head::Whole(ask, len) => {
                    rx.advance(len);
                    let here = rx.len();
                    http.awaits = match ask.body {
                        Body::Length(bytes) => Awaited::Body(ask, bytes),
                        Body::Chunks => Awaited::Chunks(ask, Box::default()),
                    };
                    self.http_expects(cx, conn, here);
                    Step::Done
                }
            },
            Awaited::Body(_, bytes) if rx.len() < *bytes => Step::Waits,
            Awaited::Body(_, bytes) => {
                // Long data is kept together with the buffer that it came in, unless that is
                // much more.
                let roomy = rx.capacity() > 2 * *bytes;
                let body = rx.split_to(*bytes).freeze();
                self.http_whole_request(cx, conn, body, roomy)
            }
            Awaited::Chunks(ask, chunks) => match chunks.take(rx, body_bytes_max) {
                Ok(Progress::Partial) => Step::Waits,
                Ok(Progress::Whole(body)) => {
                    let roomy = body.capacity() > 2 * body.len();
                    self.http_whole_request(cx, conn, body.freeze(), roomy)
                }
                Err(refused) => {
                    let head_only = ask.head_only;
                    self.http_broken(cx, conn, refused, head_only)
                }
            },
            Awaited::Job(_) => {
                if rx.len() > AHEAD_BYTES_MAX {
                    cx.pause(conn, true);
                }
                Step::Waits
            }
        }
    }

    /// A request is wrong, and nobody knows where the next one begins.
    fn http_broken(&mut self, cx: &mut Cx, conn: Conn, refused: Refused, head_only: bool) -> Step {
        self.counters.broken_peers += 1;
        let (_, mut wire) = self.split(cx);
        wire.http_refuse(Peer(conn.slot), refused, head_only, false);
        Step::Done
    }

    /// A head came, and so many bytes behind it: who waits to be told so is told to go on. A body
    /// that is not here yet is not waited for if it comes from nobody who is known.
    fn http_expects(&mut self, cx: &mut Cx, conn: Conn, here: usize) {
        let http = self.sessions.get(conn).and_then(|session| session.http.as_ref());
        let (ask, waits) = match http.map(|http| &http.awaits) {
            Some(Awaited::Body(ask, bytes)) if here < *bytes => (ask, true),
            Some(Awaited::Chunks(ask, _)) => (ask, here == 0),
            _ => return,
        };
        let (expects, head_only) = (ask.expects, ask.head_only);
        let (credential, all) = (ask.credential.clone(), ask.target == Target::Metrics);
        let from = Peer(conn.slot);
        if let Some(refused) = self.http_stranger(from, credential.as_deref(), all) {
            let (_, mut wire) = self.split(cx);
            wire.http_refuse(from, refused, head_only, false);
        } else if expects
            && waits
            && let Some(tx) = cx.tx(conn)
        {
            tx.put(reply::CONTINUE);
        }
    }

    /// Why somebody may not ask this, if so: what concerns all, or a job of its own.
    fn http_stranger(&mut self, from: Peer, said: Option<&[u8]>, all: bool) -> Option<Refused> {
        self.config.tenants_file.as_ref()?;
        if !said.is_some_and(|said| self.log_in(from, said)) {
            return Some(NOT_KNOWN);
        }
        (all && !self.standing(from).sees_all()).then_some(NOT_ALL)
    }

    /// The body of the request that is awaited is whole.
    fn http_whole_request(&mut self, cx: &mut Cx, conn: Conn, body: Bytes, roomy: bool) -> Step {
        let http = self.sessions.get(conn).and_then(|session| session.http.as_mut());
        let http = http.expect("it sent a request");
        match core::mem::replace(&mut http.awaits, Awaited::Request) {
            Awaited::Body(ask, _) | Awaited::Chunks(ask, _) => {
                self.http_run(cx, conn, *ask, &body, roomy);
            }
            Awaited::Request | Awaited::Job(_) => unreachable!("a body was awaited"),
        }
        Step::Done
    }

    /// A request is whole. What holds its body may be much longer: then that is not kept.
    fn http_run(&mut self, cx: &mut Cx, conn: Conn, ask: Ask, body: &Bytes, roomy: bool) {
        cx.work(super::WORK_PACKETS, 1);
        self.counters.http_requests += 1;
        let from = Peer(conn.slot);
        let all = ask.target == Target::Metrics;
        if let Some(refused) = self.http_stranger(from, ask.credential.as_deref(), all) {
            let (_, mut wire) = self.split(cx);
            return wire.http_refuse(from, refused, ask.head_only, ask.keep);
        }
        let function = match ask.target {
            Target::Metrics => {
                return self.http_metrics(cx, from, ask.head_only, ask.keep);
            }
            Target::Job(function) => function,
        };
        if !self.phase.has_jobs() {
            let away = Refused { status: Status::UNAVAILABLE, why: "the other server serves" };
            return self.split(cx).1.http_refuse(from, away, ask.head_only, ask.keep);
        }
        let function = self.inward(from, &function);
        // Not before: the engine of a server that stands by knows of nobody.
        self.engine.option_exceptions(from);
        let doing = Doing {
            number: None,
            background: ask.background,
            keep: ask.keep,
            chunks: ask.chunks,
            streaming: false,
        };
        if let Some(http) = self.sessions.get(conn).and_then(|session| session.http.as_mut()) {
            http.awaits = Awaited::Job(doing);
        }
        let share = body.len() >= SHARED_BYTES_MIN && !roomy;
        let job = Submit {
            function: &function,
            unique: &ask.unique,
            data: if share { Payload::Shared(body) } else { Payload::Slice(body) },
            reducer: None,
            priority: ask.priority,
            background: ask.background,
            when: When::Now,
        };
        cx.work(WORK_JOBS, 1);
        self.counters.submits += 1;
        self.submit_job(cx, from, &job);
    }

    /// The server is to end: who waits for nothing is hung up on, others when they were answered.
    pub(super) fn http_drain(&mut self, cx: &mut Cx) {
        for place in 0..self.sessions.places() {
            let Some(session) = self.sessions.at(place) else { continue };
            let conn = session.conn;
            let Some(http) = &mut session.http else { continue };
            http.last = true;
            if matches!(http.awaits, Awaited::Request) {
                self.hang_up(cx, conn, Close::Flush);
            }
        }
    }
}
