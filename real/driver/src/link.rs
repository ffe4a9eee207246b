//! The task of one connection.
//!
//! Each round writes what is pending, then reads once; what the machine answers leaves in the next
//! round of the same turn. A read that came up short leaves the socket empty, which the runtime
//! knows: the read after it costs no system call.
//!
//! Not noticed: a reset while the connection is not read and nothing is to be written. It is told
//! when either begins again. An end of TLS without its own farewell is told as a reset, since the
//! stream may have been cut.

use crate::error;
use crate::net::{Socket, Transport};
use crate::worker::{Core, Turn, Worker};
use std::future::Future;
use std::io::IoSlice;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use storytime_machine::{BufMut, BytesMut, Closing, Conn, Gone, View};
use tokio::time::Sleep;
use tracing::debug;

/// Rounds of one connection before the others get their turn: the bound of fairness.
const ROUNDS_PER_TURN_MAX: u32 = 8;
/// Most slices of output in one write.
const SLICES_MAX: usize = 16;
/// Room made for the first read of a connection, bytes.
const READ_BYTES_MIN: usize = 4 << 10;
/// Reads of up to so many bytes go to a buffer that all connections share and are copied: a short
/// copy costs less than making room in a buffer of unknown content.
pub(crate) const INBOX_BYTES: usize = READ_BYTES_MIN;
/// Most room made for one read, bytes; reached by doubling when reads fill the room they have.
const READ_BYTES_MAX: usize = 64 << 10;

/// A connection's task.
pub(crate) struct Link {
    worker: Arc<Worker>,
    wire: Wire,
}

/// The transport's side of a connection.
struct Wire {
    conn: Conn,
    transport: Transport,
    /// Room to make for the next read, bytes.
    room: usize,
    /// Written and not flushed.
    unflushed: bool,
    /// The peer's FIN arrived.
    peer_done: bool,
    our_end: OurEnd,
}

/// How far the end of our side has come.
enum OurEnd {
    Open,
    /// FIN sent.
    Sent,
    /// FIN sent; the peer's is awaited until then.
    AwaitPeer(Pin<Box<Sleep>>),
}

/// What a round came to.
enum Round {
    /// Something moved: look again.
    Moved,
    /// Nothing to do until somebody wakes us.
    Blocked,
    /// The connection ended.
    Ended(Gone),
}

impl Link {
    pub(crate) fn new(worker: Arc<Worker>, conn: Conn, socket: Socket) -> Self {
        let wire = Wire {
            conn,
            transport: Transport::Plain(socket),
            room: READ_BYTES_MIN,
            unflushed: false,
            peer_done: false,
            our_end: OurEnd::Open,
        };
        Self { worker, wire }
    }
}

impl Future for Link {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { worker, wire } = &mut *self;
        let mut turn = worker.turn();
        let seat = turn.seat(wire.conn);
        if seat.waker.as_ref().is_none_or(|waker| !waker.will_wake(cx.waker())) {
            seat.waker = Some(cx.waker().clone());
        }
        for _ in 0..ROUNDS_PER_TURN_MAX {
            match wire.round(&mut turn, cx) {
                Round::Moved => {}
                Round::Blocked => return Poll::Pending,
                Round::Ended(why) => {
                    wire.end(&mut turn, why);
                    return Poll::Ready(());
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Wire {
    fn end(&mut self, turn: &mut Turn<'_>, why: Gone) {
        debug!(conn = ?self.conn, %why, "connection ended");
        self.transport = Transport::Closed;
        turn.seat(self.conn).waker = None;
        turn.links -= 1;
        let now = turn.now;
        turn.drive.gone(now, self.conn, why);
        turn.settle(None);
        if turn.links == 0 && turn.life.exit.is_some() {
            turn.life.wake();
        }
    }

    fn round(&mut self, turn: &mut Turn<'_>, cx: &mut Context<'_>) -> Round {
        if turn.life.exit.is_some() {
            return self.last_offer(turn, cx);
        }
        let Some(view) = turn.drive.view(self.conn) else { return Round::Ended(Gone::Closed) };
        let seat = turn.seat(self.conn);
        if view.closing == Closing::Abort || seat.breached {
            self.transport.abort();
            return Round::Ended(Gone::Aborted);
        }
        if let Some(tls) = seat.tls.take()
            && !self.transport.start_tls(&turn.worker.host, tls)
        {
            self.transport.abort();
            return Round::Ended(Gone::Misbehaved);
        }
        if self.transport.is_handshaking() {
            return self.handshake(turn, cx, view);
        }
        match self.converse(turn, cx, view) {
            Ok(true) => Round::Moved,
            Ok(false) => Round::Blocked,
            Err(why) => Round::Ended(why),
        }
    }

    /// The process has ended: one more offer of what is pending, whatever becomes of it.
    fn last_offer(&mut self, turn: &mut Turn<'_>, cx: &mut Context<'_>) -> Round {
        if !self.transport.is_handshaking() {
            while let Ok(true) = self.write(turn, cx) {}
            let _ = self.transport.poll_flush(cx);
        }
        Round::Ended(Gone::Closed)
    }

    fn handshake(&mut self, turn: &mut Turn<'_>, cx: &mut Context<'_>, view: View) -> Round {
        if view.closing == Closing::FinThenGone {
            return Round::Ended(Gone::Closed);
        }
        match self.transport.poll_handshake(cx) {
            Poll::Pending => Round::Blocked,
            Poll::Ready(Ok(())) => {
                let now = turn.now;
                turn.drive.secured(now, self.conn);
                turn.settle(Some(self.conn));
                Round::Moved
            }
            Poll::Ready(Err(failure)) => {
                debug!(conn = ?self.conn, %failure, "TLS handshake failed");
                Round::Ended(Gone::Misbehaved)
            }
        }
    }

    /// Writes, ends our side, reads. Whether to look again at once.
    fn converse(
        &mut self,
        turn: &mut Turn<'_>,
        cx: &mut Context<'_>,
        mut view: View,
    ) -> Result<bool, Gone> {
        if view.sendable > 0 && self.write(turn, cx)? {
            let Some(after) = turn.drive.view(self.conn) else { return Err(Gone::Closed) };
            // More output, from more slices or from `drained`, or a change of what is to be done.
            if after.sendable > 0
                || after.closing == Closing::Abort
                || turn.seat(self.conn).is_urgent()
            {
                return Ok(true);
            }
            view = after;
        }
        if self.unflushed {
            match self.transport.poll_flush(cx) {
                Poll::Ready(Ok(())) => self.unflushed = false,
                Poll::Ready(Err(failure)) => return Err(error::gone(&failure)),
                Poll::Pending => {}
            }
        }
        if matches!(view.closing, Closing::Fin | Closing::FinThenGone) && !self.unflushed {
            self.finish(turn, cx, view.closing)?;
        }
        if view.read && !self.peer_done { self.read(turn, cx) } else { Ok(false) }
    }

    /// Offers pending output once. Whether the transport took any.
    fn write(&mut self, turn: &mut Turn<'_>, cx: &mut Context<'_>) -> Result<bool, Gone> {
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let taken = match turn.drive.slices(self.conn, &mut slices) {
            // The rest is a file that has yet to be read.
            0 => return Ok(false),
            1 => self.transport.poll_write(cx, &slices[0]),
            n => self.transport.poll_write_vectored(cx, &slices[..n]),
        };
        let n = match taken {
            Poll::Pending => return Ok(false),
            Poll::Ready(Ok(0)) => return Err(Gone::Reset),
            Poll::Ready(Ok(n)) => n,
            Poll::Ready(Err(failure)) => return Err(error::gone(&failure)),
        };
        self.unflushed = true;
        turn.stats.bytes_out += n as u64;
        let now = turn.now;
        turn.drive.sent(now, self.conn, n);
        turn.settle(Some(self.conn));
        Ok(true)
    }

    /// All output has left: sends our FIN, and waits for the peer's where that is asked for.
    fn finish(
        &mut self,
        turn: &mut Turn<'_>,
        cx: &mut Context<'_>,
        closing: Closing,
    ) -> Result<(), Gone> {
        if matches!(self.our_end, OurEnd::Open) {
            // An error means that the peer has reset the connection: the read below tells.
            if self.transport.poll_shutdown(cx).is_pending() {
                return Ok(());
            }
            self.our_end = OurEnd::Sent;
        }
        if self.peer_done {
            return Err(Gone::Closed);
        }
        if closing == Closing::FinThenGone && matches!(self.our_end, OurEnd::Sent) {
            let linger = turn.worker.host.limits.linger;
            self.our_end = OurEnd::AwaitPeer(Box::pin(tokio::time::sleep(linger)));
        }
        if let OurEnd::AwaitPeer(sleep) = &mut self.our_end
            && sleep.as_mut().poll(cx).is_ready()
        {
            return Err(Gone::Closed);
        }
        Ok(())
    }

    /// Reads once. Whether anything came.
    fn read(&mut self, turn: &mut Turn<'_>, cx: &mut Context<'_>) -> Result<bool, Gone> {
        if turn.disk.is_full() {
            turn.hold(self.conn);
            return Ok(false);
        }
        let limit = turn.worker.host.limits.rx_bytes_max;
        let Core { drive, spare, inbox, .. } = &mut **turn;
        let Some(rx) = drive.rx(self.conn) else { return Ok(false) };
        // Input that is thrown away may have left its last piece at the limit.
        let room = self.room.min(limit.saturating_sub(rx.len())).max(1);
        let taken = match inbox.get_mut(..room) {
            Some(inbox) => self.transport.poll_read_slice(cx, inbox).map_ok(|n| {
                borrow(rx, spare);
                if n > rx.capacity() - rx.len() {
                    rx.reserve(INBOX_BYTES);
                }
                rx.extend_from_slice(&inbox[..n]);
                n
            }),
            None => {
                borrow(rx, spare);
                rx.reserve(room);
                let taken = self.transport.poll_read(cx, &mut rx.limit(room));
                if taken.is_pending() {
                    give_back(rx, spare);
                }
                taken
            }
        };
        let n = match taken {
            Poll::Pending => return Ok(false),
            Poll::Ready(Ok(n)) => n,
            Poll::Ready(Err(failure)) => return Err(error::gone(&failure)),
        };
        let now = turn.now;
        if n == 0 {
            self.peer_done = true;
            turn.drive.eof(now, self.conn);
        } else {
            if n == self.room {
                self.room = (self.room * 2).min(READ_BYTES_MAX);
            }
            turn.stats.bytes_in += n as u64;
            let Core { drive, spare, .. } = &mut **turn;
            drive.received(now, self.conn);
            if let Some(rx) = drive.rx(self.conn) {
                give_back(rx, spare);
            }
        }
        turn.settle(Some(self.conn));
        Ok(true)
    }
}

/// Takes over the buffer that is to spare, unless there is input already.
#[inline]
fn borrow(rx: &mut BytesMut, spare: &mut BytesMut) {
    if rx.is_empty() {
        core::mem::swap(rx, spare);
    }
}

/// Hands a buffer over for the next read, unless it holds something: a connection that is idle
/// holds none.
#[inline]
fn give_back(rx: &mut BytesMut, spare: &mut BytesMut) {
    if rx.is_empty() {
        *spare = core::mem::take(rx);
    }
}
