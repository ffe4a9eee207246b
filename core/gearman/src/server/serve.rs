//! What connections send, cut into packets and lines.

use super::out::Fault;
use super::session::End;
use super::{Gearmand, Wire, tokens};
use crate::engine::{Payload, Peer};
use crate::packet::{Bad, HEADER_BYTES, Magic, Parser, SHARED_BYTES_MIN, View};
use crate::text::{Line, line};
use bytes::{Buf as _, BytesMut};
use core::time::Duration;
use storytime_machine::{Close, Conn, Cx};

/// How long a connection that was hung up on may take to take its last output.
pub(super) const LEAVE_WITHIN: Duration = Duration::from_secs(10);

/// How much one connection may ask for before others go first: replies, whoever gets them, and
/// entries of lists that are looked at.
pub(super) const TURN_TOIL_MAX: u64 = 1 << 16;

/// Said to who answers in place of asking.
const NOT_A_REQUEST: Fault<'_> =
    Fault { code: "INVALID_MAGIC", danga: "server_error", text: "Request magic expected" };

/// What became of the front of a connection's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// It was something whole, and carried out.
    Done,
    /// Its rest has not come.
    Partial,
    /// It was nothing, and the connection is being closed.
    HungUp,
}

impl Gearmand {
    /// What is needed to reach connections, beside the engine.
    pub(super) fn split<'a>(
        &'a mut self,
        cx: &'a mut Cx,
    ) -> (&'a mut crate::engine::Engine, Wire<'a>) {
        let wire = Wire {
            cx,
            sessions: &mut self.sessions,
            handles: &self.handles,
            counters: &mut self.counters,
            watchers: &mut self.watchers,
            dialect: self.config.dialect,
            ack_patience: self.config.ack_patience,
            held_bytes_max: self.config.held_bytes_max,
            log: self.log.as_deref_mut(),
        };
        (&mut self.engine, wire)
    }

    /// Serves a connection what it sent.
    pub(super) fn serve(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        let before = rx.len();
        let replies = self.counters.replies;
        self.toil = 0;
        while !rx.is_empty() {
            let Some(session) = self.sessions.get(conn) else { break };
            if session.end != End::None {
                rx.clear();
                break;
            }
            if cx.pending(conn) > cx.limits().tx_high {
                session.paused = true;
                cx.pause(conn, true);
                break;
            }
            if self.toil + (self.counters.replies - replies) > TURN_TOIL_MAX {
                self.end_turn(cx, conn);
                break;
            }
            let (engine, mut wire) = self.split(cx);
            engine.hear(&mut wire, Peer(conn.slot));
            let step = match rx[0] {
                0 => self.packet(cx, conn, rx),
                _ => self.line(cx, conn, rx),
            };
            match step {
                Step::Done => {}
                Step::Partial => break,
                Step::HungUp => rx.clear(),
            }
        }
        self.counters.bytes_read += (before - rx.len()) as u64;
        self.note_unread(cx, conn, rx.len());
    }

    /// Notes how much of what a connection sent waits for its rest. If all peers together send more
    /// unfinished packets than memory is for, who holds most of it is hung up on, and not whoever
    /// came last.
    pub(super) fn note_unread(&mut self, cx: &mut Cx, conn: Conn, unread: usize) {
        if self.sessions.note_unread(conn, unread) <= self.config.held_bytes_max {
            return;
        }
        let fullest = self.sessions.most_unread().expect("somebody sent something");
        self.counters.broken_peers += 1;
        self.hang_up(cx, fullest, Close::Abort);
        self.sessions.note_unread(fullest, 0);
    }

    /// A packet at the front of the input.
    fn packet(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) -> Step {
        let parser = Parser::new(Magic::Request, self.config.packet_bytes_max - HEADER_BYTES);
        match parser.view(rx) {
            Ok(None) => Step::Partial,
            Ok(Some(view)) => {
                cx.work(super::WORK_PACKETS, 1);
                self.counters.packets += 1;
                let len = view.packet_bytes();
                if !view.kind.has_data() || view.data().len() < SHARED_BYTES_MIN {
                    let data = if view.kind.has_data() { view.data() } else { &[] };
                    self.request(cx, Peer(conn.slot), view, Payload::Slice(data));
                    rx.advance(len);
                    return Step::Done;
                }
                // Data is kept together with the buffer that it came in. If that is much more, it
                // is copied.
                let roomy = rx.capacity() > 2 * len;
                let packet = parser.next(rx).expect("it was seen").expect("it is whole");
                let data = packet.data();
                let payload = if roomy { Payload::Slice(&data) } else { Payload::Shared(&data) };
                self.request(cx, Peer(conn.slot), packet.view(), payload);
                Step::Done
            }
            Err(Bad::Magic) if rx.starts_with(&Magic::Response.bytes()[..rx.len().min(4)]) => {
                self.answer(cx, conn, rx)
            }
            Err(bad) => self.broken(cx, conn, bad),
        }
    }

    /// A packet that is marked as an answer: told, and passed over.
    fn answer(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) -> Step {
        let parser = Parser::new(Magic::Response, self.config.packet_bytes_max - HEADER_BYTES);
        match parser.view(rx).map(|view| view.map(|view: View<'_>| view.packet_bytes())) {
            Ok(None) => Step::Partial,
            Ok(Some(len)) => {
                rx.advance(len);
                let (_, mut wire) = self.split(cx);
                wire.error(Peer(conn.slot), NOT_A_REQUEST);
                Step::Done
            }
            Err(bad) => self.broken(cx, conn, bad),
        }
    }

    /// Bytes that are no packet end the connection: nothing says where the next one begins. What
    /// has the length of a packet is told why.
    fn broken(&mut self, cx: &mut Cx, conn: Conn, bad: Bad) -> Step {
        let text = bad.to_string();
        let code = match bad {
            Bad::Magic | Bad::Kind(_) => None,
            Bad::TooLong(_) => Some("ARGUMENT_TOO_LARGE"),
            Bad::Arguments(_) => Some("INVALID_PACKET"),
        };
        if let Some(code) = code {
            let (_, mut wire) = self.split(cx);
            wire.error(Peer(conn.slot), Fault { code, danga: "invalid_args", text: &text });
        }
        cx.reached("gearmand: a peer that broke the protocol was hung up on");
        self.counters.broken_peers += 1;
        self.hang_up(cx, conn, Close::Flush);
        Step::HungUp
    }

    /// A line at the front of the input.
    fn line(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) -> Step {
        match line(rx) {
            Line::Partial => Step::Partial,
            Line::TooLong => {
                self.counters.broken_peers += 1;
                self.hang_up(cx, conn, Close::Flush);
                Step::HungUp
            }
            Line::Whole(len, whole) => {
                cx.work(super::WORK_PACKETS, 1);
                self.counters.text_requests += 1;
                let words = &rx[..len];
                let done = self.text(cx, conn, words);
                rx.advance(whole);
                if done {
                    return Step::Done;
                }
                self.counters.broken_peers += 1;
                self.hang_up(cx, conn, Close::Flush);
                Step::HungUp
            }
        }
    }

    /// Ends a connection. What it ran is for others from now on.
    pub(super) fn hang_up(&mut self, cx: &mut Cx, conn: Conn, how: Close) {
        if self.sessions.get(conn).is_none() {
            return;
        }
        let (_, mut wire) = self.split(cx);
        wire.tell_ack(Peer(conn.slot));
        let Some(session) = self.sessions.get(conn) else { return };
        let before = core::mem::replace(&mut session.end, End::Told);
        if before != End::Told && self.phase.has_jobs() {
            let (engine, mut wire) = self.split(cx);
            engine.gone(&mut wire, Peer(conn.slot));
        }
        cx.close(conn, how);
        if how == Close::Flush {
            cx.after(tokens::leaving(conn), LEAVE_WITHIN);
        }
    }

    /// A connection that was hung up on does not take its last output, or one that came does not
    /// shake hands, or sends no request.
    pub(super) fn lingers(&mut self, cx: &mut Cx, slot: usize) {
        let Some(conn) = self.sessions.at(slot).map(|session| session.conn) else { return };
        if !self.break_handshake(cx, conn) && !self.http_silent(cx, conn) {
            self.counters.lingering_peers += 1;
            cx.close(conn, Close::Abort);
        }
    }

    /// A connection is gone.
    pub(super) fn forget(&mut self, cx: &mut Cx, conn: Conn) {
        cx.cancel(tokens::leaving(conn));
        self.tls_gone(conn);
        let Some(session) = self.sessions.get(conn) else { return };
        let before = core::mem::replace(&mut session.end, End::Told);
        if before != End::Told && self.phase.has_jobs() {
            let (engine, mut wire) = self.split(cx);
            engine.gone(&mut wire, Peer(conn.slot));
        }
        self.watchers.leave(conn);
        self.sessions.remove(conn);
    }

    /// Enough of a connection's output has left.
    pub(super) fn resume(&mut self, cx: &mut Cx, conn: Conn) {
        self.sessions.note_behind(conn, 0);
        if let Some(session) = self.sessions.get(conn)
            && core::mem::take(&mut session.paused)
        {
            cx.pause(conn, false);
        }
    }
}
