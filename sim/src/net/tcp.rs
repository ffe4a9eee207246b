//! TCP connections as pairs of ends.
//!
//! Each end keeps its *incoming* direction: the bytes in flight towards it and those in its socket
//! buffer are one buffer, `stream`, of which the first `arrived` bytes may be read. A sender
//! appends to its peer's `stream`; what travels in events is only a count of bytes. So a message is
//! copied nowhere: output buffer, stream and input buffer are swapped.
//!
//! Modelled: cuts anywhere, order, the receive window, FIN, RST, half-open peers after a power cut,
//! retransmission with exponential back-off and giving up.
//! Not modelled: sequence numbers, selective acknowledgement, congestion control, Nagle and delayed
//! ACK, keep-alive probes, urgent data, loss of window updates and of TLS handshakes. An
//! acknowledgement is free and instant for a sender that is not blocked; one that is blocked by the
//! window learns of room one latency later.

use super::stall::Stall;
use super::{Net, Notice, Route};
use crate::queue::{Event, Queue};
use bytes::BytesMut;
use storytime_machine::{Conn, Duration, Endpoint, Gone, Time, Token};

/// One side of a connection.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) age: u32,
    pub(crate) phase: Phase,
    pub(crate) owner: Owner,
    /// Path of what this end sends.
    pub(crate) path: u32,
    /// Bytes on their way here and unread here.
    pub(crate) stream: BytesMut,
    /// How many of them may be read.
    pub(crate) arrived: usize,
    /// Bytes that did not get through and are being sent again.
    pub(super) held: usize,
    /// Attempts so far, and since when, while `held` or a FIN is stuck.
    pub(super) stall: Option<Stall>,
    /// Nothing may arrive here before what was sent earlier.
    last_arrival: Time,
    fin: Fin,
    /// This end has sent its FIN.
    pub(crate) fin_sent: bool,
    /// This end has more to send than its peer's window holds.
    pub(crate) blocked: bool,
    /// Word of room in this end's window is on its way to the peer.
    window_due: bool,
    /// Waits in its process's queue of inputs.
    pub(crate) queued: bool,
    /// Its linger has begun.
    pub(crate) lingering: bool,
    tls: Tls,
    /// How the peer's packets get here and ours there.
    pub(super) route: Route,
    /// What its peer sent last was lost with the peer: nothing more arrives.
    pub(super) cut_off: bool,
}

/// How far an end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Not, or no longer, there: a packet to it is answered by a reset.
    Free,
    /// Went with its host's power: a packet to it is answered by a reset once the host is back.
    Vanished,
    /// Waits for the handshake's answer.
    AwaitSynAck,
    /// Waits for the handshake's last packet, in this listener's SYN queue.
    AwaitAck(u32),
    /// Waits in this listener's accept queue.
    AwaitAccept(u32),
    /// In a process's hands.
    Open,
}

/// What became of the peer's FIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fin {
    NotSeen,
    /// Behind the bytes of `stream`.
    Arrived,
    Told,
}

/// How far TLS is on one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tls {
    Clear,
    Wanted,
    Up,
}

/// Whose end it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) process: u32,
    pub(crate) conn: Conn,
    /// The connect that made it, on the connecting side.
    pub(crate) connect: Token,
    /// Where the peer is, as this side sees it.
    pub(crate) peer: Endpoint,
}

const NO_CONN: Conn = Conn { slot: u32::MAX, age: 0 };

impl End {
    fn new() -> Self {
        Self {
            age: 0,
            phase: Phase::Free,
            owner: Owner {
                process: u32::MAX,
                conn: NO_CONN,
                connect: Token(0),
                peer: Endpoint::any(0),
            },
            path: u32::MAX,
            stream: BytesMut::new(),
            arrived: 0,
            held: 0,
            stall: None,
            last_arrival: Time::ZERO,
            fin: Fin::NotSeen,
            fin_sent: false,
            blocked: false,
            window_due: false,
            queued: false,
            lingering: false,
            tls: Tls::Clear,
            route: Route::Fixed,
            cut_off: false,
        }
    }

    /// What is on its way here is lost.
    pub(super) fn lose_incoming(&mut self) {
        self.stream.truncate(self.arrived);
        (self.held, self.stall) = (0, None);
    }

    /// The peer's FIN waits behind the unread bytes.
    #[inline]
    pub(crate) fn fin_arrived(&self) -> bool {
        self.fin == Fin::Arrived
    }

    /// TLS was asked for on this side and is not up: what arrives is clear text, and a breach.
    #[inline]
    pub(crate) fn shakes_hands(&self) -> bool {
        self.tls == Tls::Wanted
    }

    /// The handshake is over.
    pub(crate) fn secured(&mut self) {
        self.tls = Tls::Up;
    }

    /// The process knows of the peer's FIN.
    #[inline]
    pub(crate) fn fin_told(&self) -> bool {
        self.fin == Fin::Told
    }

    pub(crate) fn tell_fin(&mut self) {
        assert!(self.fin == Fin::Arrived && self.arrived == 0, "a FIN comes behind all data");
        self.fin = Fin::Told;
    }

    /// Ready for another connection; keeps small buffers.
    fn renew(&mut self) {
        const KEEP_BYTES: usize = 16 << 10;
        let mut stream = core::mem::take(&mut self.stream);
        if stream.capacity() > KEEP_BYTES {
            stream = BytesMut::new();
        }
        stream.clear();
        *self = Self { age: self.age.wrapping_add(1), stream, ..Self::new() };
    }
}

impl Net {
    /// A fresh pair; the even end connects, the odd end accepts.
    pub(crate) fn new_pair(&mut self) -> u32 {
        let pair = self.free_pairs.pop().unwrap_or_else(|| {
            self.ends.push(End::new());
            self.ends.push(End::new());
            (self.ends.len() / 2 - 1) as u32
        });
        pair * 2
    }

    /// Pairs that at least one side still knows.
    #[cfg(test)]
    pub(crate) fn pairs_in_use(&self) -> usize {
        self.ends.len() / 2 - self.free_pairs.len()
    }

    /// Gives an end up locally. The peer lives on until it learns.
    pub(crate) fn release(&mut self, end: u32, phase: Phase) {
        debug_assert!(matches!(phase, Phase::Free | Phase::Vanished));
        let this = &mut self.ends[end as usize];
        this.phase = phase;
        this.stream.clear();
        (this.arrived, this.held) = (0, 0);
        if this.route != Route::Astray {
            this.stall = None; // Otherwise its peer hears of nothing, and goes on trying.
        }
        let peer = &self.ends[(end ^ 1) as usize];
        if matches!(peer.phase, Phase::Free | Phase::Vanished) {
            self.ends[end as usize].renew();
            self.ends[(end ^ 1) as usize].renew();
            self.free_pairs.push(end / 2);
        }
    }

    /// An end goes with its host's power.
    pub(crate) fn vanish(&mut self, queue: &mut Queue, now: Time, end: u32) {
        self.leave_listener(end);
        self.release(end, Phase::Vanished);
        // A sender that waits for room asks after it, and finds out like one that sends again.
        let peer = &self.ends[(end ^ 1) as usize];
        if peer.blocked && peer.phase == Phase::Open {
            self.stall(queue, now, end, false);
        }
    }

    /// Address of the host at the other end.
    pub(crate) fn peer_host(&self, end: u32) -> u32 {
        self.paths[self.ends[end as usize].path as usize].to
    }

    /// Room in the window of `end`'s peer.
    #[inline]
    pub(crate) fn room(&self, end: u32) -> usize {
        self.tcp.window_bytes.saturating_sub(self.ends[(end ^ 1) as usize].stream.len())
    }

    /// `bytes` were appended to the stream of `end`'s peer at `now`.
    #[inline]
    pub(crate) fn sent(&mut self, queue: &mut Queue, now: Time, end: u32, bytes: usize) {
        let burst = self.tcp.burst_bytes_max;
        let path = self.ends[end as usize].path;
        let mut left = bytes;
        while left > 0 {
            let mut piece = left.min(burst);
            if let Some(at) = self.paths[path as usize].cut(piece) {
                piece = at;
            }
            self.schedule_piece(queue, now, end, piece);
            left -= piece;
        }
    }

    #[inline]
    fn schedule_piece(&mut self, queue: &mut Queue, now: Time, end: u32, bytes: usize) {
        let path = &mut self.paths[self.ends[end as usize].path as usize];
        let arrival = path.stream(now, bytes);
        let peer = &mut self.ends[(end ^ 1) as usize];
        peer.last_arrival = peer.last_arrival.max(arrival);
        let event = Event::Deliver { end: end ^ 1, age: peer.age, bytes: bytes as u32 };
        queue.push(peer.last_arrival, event);
    }

    /// Sends a FIN behind everything sent.
    pub(crate) fn send_fin(&mut self, queue: &mut Queue, now: Time, end: u32) {
        debug_assert!(!self.ends[end as usize].fin_sent, "one FIN to a direction");
        self.ends[end as usize].fin_sent = true;
        let arrival = self.control_arrival(now, end);
        let age = self.ends[end as usize].age;
        queue.push(arrival, Event::Fin { end: end ^ 1, age });
    }

    /// Resets the peer.
    pub(crate) fn send_rst(&mut self, queue: &mut Queue, now: Time, end: u32) {
        let arrival = self.control_arrival(now, end);
        let age = self.ends[end as usize].age;
        queue.push(arrival, Event::Rst { end: end ^ 1, age });
    }

    /// When a packet without data, sent behind all data, arrives at the peer of `end`.
    fn control_arrival(&mut self, now: Time, end: u32) -> Time {
        let path = &mut self.paths[self.ends[end as usize].path as usize];
        let arrival = path.packet(now);
        let peer = &mut self.ends[(end ^ 1) as usize];
        peer.last_arrival = peer.last_arrival.max(arrival);
        peer.last_arrival
    }

    /// Bytes come to `end`.
    #[inline]
    pub(super) fn deliver(
        &mut self,
        queue: &mut Queue,
        now: Time,
        end: u32,
        bytes: usize,
    ) -> Notice {
        let through = self.arrives(end ^ 1);
        let this = &mut self.ends[end as usize];
        if is_left(this.route, end) {
            this.held += bytes;
            self.strays(queue, now, end, false);
            return Notice::Nothing;
        }
        if this.cut_off {
            return Notice::Nothing;
        }
        if through && this.stall.is_none() {
            match this.phase {
                Phase::Open => {
                    this.arrived += bytes;
                    debug_assert!(this.arrived <= this.stream.len());
                    if this.route == Route::Astray {
                        self.sent_from_afar(queue, now, end);
                    }
                    return Notice::Readable(end);
                }
                Phase::Free | Phase::Vanished if this.route == Route::Astray => {
                    this.stream.clear();
                    self.sent_from_afar(queue, now, end);
                    return Notice::Nothing;
                }
                Phase::AwaitAccept(_) | Phase::AwaitSynAck => {
                    this.arrived += bytes;
                    return Notice::Nothing;
                }
                Phase::AwaitAck(_) => {
                    this.arrived += bytes;
                    return self.promote(end);
                }
                Phase::Free | Phase::Vanished => {
                    self.answer_with_rst(queue, now, end);
                    return Notice::Nothing;
                }
            }
        }
        this.held += bytes;
        self.stall(queue, now, end, false);
        Notice::Nothing
    }

    pub(super) fn fin_arrives(&mut self, queue: &mut Queue, now: Time, end: u32) -> Notice {
        let through = self.arrives(end ^ 1);
        let this = &mut self.ends[end as usize];
        if is_left(this.route, end) {
            self.strays(queue, now, end, true);
            return Notice::Nothing;
        }
        if this.cut_off {
            return Notice::Nothing;
        }
        if !through || this.stall.is_some() {
            self.stall(queue, now, end, true);
            return Notice::Nothing;
        }
        if this.route == Route::Astray {
            self.sent_from_afar(queue, now, end);
        }
        let this = &mut self.ends[end as usize];
        match this.phase {
            Phase::Free | Phase::Vanished if this.route == Route::Astray => Notice::Nothing,
            Phase::Free | Phase::Vanished => {
                self.answer_with_rst(queue, now, end);
                Notice::Nothing
            }
            phase => {
                this.fin = Fin::Arrived;
                if phase == Phase::Open { Notice::Readable(end) } else { Notice::Nothing }
            }
        }
    }

    /// A packet came for an end that is not there.
    pub(super) fn answer_with_rst(&mut self, queue: &mut Queue, now: Time, end: u32) {
        self.ends[end as usize].stream.clear();
        if !matches!(self.ends[(end ^ 1) as usize].phase, Phase::Free | Phase::Vanished) {
            self.send_rst(queue, now, end);
        }
    }

    pub(super) fn rst_arrives(&mut self, _queue: &mut Queue, _now: Time, end: u32) -> Notice {
        if !self.arrives(end ^ 1) || is_left(self.ends[end as usize].route, end) {
            return Notice::Nothing; // A reset is never sent again.
        }
        match self.ends[end as usize].phase {
            Phase::Free | Phase::Vanished => Notice::Nothing,
            Phase::AwaitSynAck => self.connect_over(end, Gone::Refused),
            Phase::AwaitAck(_) | Phase::AwaitAccept(_) => {
                self.leave_listener(end);
                self.release(end, Phase::Free);
                Notice::Nothing
            }
            Phase::Open => Notice::Gone(end, Gone::Reset),
        }
    }

    pub(super) fn linger_over(&self, end: u32) -> Notice {
        let this = &self.ends[end as usize];
        if this.phase == Phase::Open && this.fin_sent {
            Notice::Gone(end, Gone::Closed)
        } else {
            Notice::Nothing
        }
    }

    /// Moves what has arrived into the process's buffer and returns how much that was.
    #[inline]
    pub(crate) fn read(
        &mut self,
        queue: &mut Queue,
        now: Time,
        end: u32,
        rx: &mut BytesMut,
    ) -> usize {
        let this = &mut self.ends[end as usize];
        let bytes = this.arrived;
        if bytes == this.stream.len() && rx.is_empty() {
            rx.clear();
            core::mem::swap(rx, &mut this.stream);
        } else {
            rx.extend_from_slice(&this.stream[..bytes]);
            bytes::Buf::advance(&mut this.stream, bytes);
        }
        this.arrived = 0;
        if self.ends[(end ^ 1) as usize].blocked {
            self.announce_window(queue, now, end);
        }
        bytes
    }

    fn announce_window(&mut self, queue: &mut Queue, now: Time, end: u32) {
        let path = self.ends[end as usize].path;
        let arrival = self.paths[path as usize].packet(now);
        let peer = &mut self.ends[(end ^ 1) as usize];
        if !peer.window_due {
            peer.window_due = true;
            queue.push(arrival, Event::Window { end: end ^ 1, age: peer.age });
        }
    }

    /// A window update has come.
    pub(super) fn window_came(&mut self, end: u32) -> Notice {
        let this = &mut self.ends[end as usize];
        if is_left(this.route, end) {
            return Notice::Nothing;
        }
        (this.blocked, this.window_due) = (false, false);
        Notice::Writable(end)
    }

    /// Starts the linger of a flushed end.
    pub(crate) fn linger(&mut self, queue: &mut Queue, now: Time, end: u32, linger: Duration) {
        queue.push(now + linger, Event::Linger { end, age: self.ends[end as usize].age });
    }

    /// Once both ends want TLS: it is up two round trips later, for both.
    pub(crate) fn want_tls(&mut self, queue: &mut Queue, now: Time, end: u32) {
        self.ends[end as usize].tls = Tls::Wanted;
        if self.ends[(end ^ 1) as usize].tls != Tls::Wanted {
            return;
        }
        let mut at = now;
        for side in [end, end ^ 1, end, end ^ 1] {
            at = self.control_arrival(at, side);
        }
        for side in [end, end ^ 1] {
            queue.push(at, Event::Secured { end: side, age: self.ends[side as usize].age });
        }
    }
}

/// Whether an end is an accepting one whose address has moved to another host since: nothing comes
/// to it any more.
pub(super) const fn is_left(route: Route, end: u32) -> bool {
    matches!(route, Route::Astray) && end % 2 == 1
}
