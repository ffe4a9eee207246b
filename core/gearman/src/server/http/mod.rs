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
//! | 400, 404, 405, 411, 413, 417, 431, 505 | the request is wrong, and its text says what |
//! | 500 | the job failed, or its worker told an exception, whose text it is |
//! | 503 | the queue is full, or takes nothing now |
//!
//! A job that fails after the beginning of its answer has left breaks the connection, so that no
//! one takes a part for the whole. Who hangs up waits for no job any more.
//!
//! # Where it differs from the original's plugin
//!
//! There, data overwrites the status line, failures are answered by 200, a word of progress ends
//! the answer, and a wrong method closes the connection without one; two requests with one body and
//! no key are one job, which here takes a key. Not here: `TRACE`, and `HEAD` of a job.
//!
//! # Not modelled
//!
//! Bodies in chunks (411), queries, TLS, `OPTIONS`, HTTP/2.
//!
//! | module | holds |
//! |---|---|
//! | `head` | heads of requests |
//! | `reply` | answers |
//! | `metrics` | what Prometheus reads |

mod head;
mod metrics;
mod reply;

pub use head::HEAD_BYTES_MAX;

use super::serve::TURN_TOIL_MAX;
use super::session::End;
use super::{Gearmand, WORK_JOBS};
use crate::engine::{Number, Payload, Peer, Submit, When};
use crate::packet::SHARED_BYTES_MIN;
use bytes::{Buf as _, BytesMut};
use head::{Ask, Head, Refused, Target};
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
    Body(Box<Ask>),
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
        self.note_unread(cx, conn, rx.len());
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
        match &http.awaits {
            Awaited::Request if rx.is_empty() => Step::Waits,
            Awaited::Request if cx.pending(conn) > cx.limits().tx_high => {
                session.paused = true;
                cx.pause(conn, true);
                Step::Waits
            }
            Awaited::Request => match head::read(rx, body_bytes_max) {
                Head::Partial => Step::Waits,
                Head::Refused(refused) => {
                    self.counters.broken_peers += 1;
                    let (_, mut wire) = self.split(cx);
                    wire.http_refuse(Peer(conn.slot), refused, false);
                    Step::Done
                }
                Head::Whole(ask, len) => {
                    rx.advance(len);
                    if ask.expects
                        && rx.len() < ask.body_bytes
                        && let Some(tx) = cx.tx(conn)
                    {
                        tx.put(reply::CONTINUE);
                    }
                    http.awaits = Awaited::Body(ask);
                    Step::Done
                }
            },
            Awaited::Body(ask) if rx.len() < ask.body_bytes => Step::Waits,
            Awaited::Body(_) => {
                let was = core::mem::replace(&mut http.awaits, Awaited::Request);
                let Awaited::Body(ask) = was else { unreachable!("it was looked at") };
                self.http_run(cx, conn, *ask, rx);
                Step::Done
            }
            Awaited::Job(_) => {
                if rx.len() > AHEAD_BYTES_MAX {
                    cx.pause(conn, true);
                }
                Step::Waits
            }
        }
    }

    /// A request is whole; its body is the front of `rx`.
    fn http_run(&mut self, cx: &mut Cx, conn: Conn, ask: Ask, rx: &mut BytesMut) {
        cx.work(super::WORK_PACKETS, 1);
        self.counters.http_requests += 1;
        let from = Peer(conn.slot);
        if self.config.tenants_file.is_some() {
            let known = ask.credential.as_ref().is_some_and(|said| self.log_in(from, said));
            let all = known && self.standing(from).sees_all();
            let refused = match ask.target {
                _ if !known => Some(NOT_KNOWN),
                Target::Metrics if !all => Some(NOT_ALL),
                _ => None,
            };
            if let Some(refused) = refused {
                rx.advance(ask.body_bytes);
                let (_, mut wire) = self.split(cx);
                return wire.http_refuse(from, refused, ask.keep);
            }
        }
        let function = match ask.target {
            Target::Metrics => {
                rx.advance(ask.body_bytes);
                return self.http_metrics(cx, from, ask.head_only, ask.keep);
            }
            Target::Job(function) => function,
        };
        if !self.phase.has_jobs() {
            rx.advance(ask.body_bytes);
            let away = Refused { status: Status::UNAVAILABLE, why: "the other server serves" };
            return self.split(cx).1.http_refuse(from, away, ask.keep);
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
        // Long data is kept together with the buffer that it came in, unless that is much more.
        let roomy = rx.capacity() > 2 * ask.body_bytes;
        let body = rx.split_to(ask.body_bytes).freeze();
        let share = body.len() >= SHARED_BYTES_MIN && !roomy;
        let job = Submit {
            function: &function,
            unique: &ask.unique,
            data: if share { Payload::Shared(&body) } else { Payload::Slice(&body) },
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
