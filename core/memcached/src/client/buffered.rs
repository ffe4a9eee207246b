//! Writes that are held back and leave together, as libmemcached's `BUFFER_REQUESTS`.
//!
//! A server's writes leave once there are enough of them, when anything else is asked of that
//! server, or when the owner says so. What is held when the client dies was never sent:
//! [`Client::held`] says how much that is.

use super::Client;
use super::outcome::{NotAccepted, Outcome};
use super::pool::{Failure, Piece, Refusal, Request, Shape};
use bytes::{Buf as _, BytesMut};
use std::collections::VecDeque;
use storytime_machine::Cx;

/// When held writes leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferOptions {
    /// Once so many bytes are held for a server.
    pub bytes_max: usize,
    /// Once so many requests are held for a server.
    pub requests_max: usize,
}

impl Default for BufferOptions {
    fn default() -> Self {
        Self { bytes_max: 64 << 10, requests_max: 256 }
    }
}

/// Requests and bytes that were accepted and have not left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Requests.
    pub requests: usize,
    /// Their bytes.
    pub bytes: usize,
}

/// One server's held writes.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    bytes: BytesMut,
    requests: VecDeque<HeldRequest>,
}

#[derive(Clone, Copy, Debug)]
struct HeldRequest {
    shape: Shape,
    lane: u64,
    tag: u64,
    bytes: usize,
}

impl Buffer {
    fn is_full(&self, limits: &BufferOptions) -> bool {
        self.requests.len() >= limits.requests_max || self.bytes.len() >= limits.bytes_max
    }
}

impl Client {
    /// What is held back now, for all servers.
    pub fn held(&self) -> Held {
        let add = |sum: Held, buffer: &Buffer| Held {
            requests: sum.requests + buffer.requests.len(),
            bytes: sum.bytes + buffer.bytes.len(),
        };
        self.buffers.iter().fold(Held::default(), add)
    }

    /// Sends all writes that are held back.
    ///
    /// # Errors
    /// If a server takes no more at the moment; its writes stay held.
    pub fn flush_held(&mut self, cx: &mut Cx) -> Result<(), NotAccepted> {
        let mut ended = Ok(());
        for server in 0..self.route.len() {
            if self.flush_server(cx, server).is_err() {
                ended = Err(NotAccepted::Busy);
            }
        }
        ended
    }

    /// Holds a write back, and sends the server's writes once there are enough.
    pub(super) fn hold(
        &mut self,
        cx: &mut Cx,
        server: usize,
        request: &Request<'_>,
    ) -> Result<(), Refusal> {
        let limits = self.options.buffer.expect("only a client that holds back comes here");
        let id = self.route[server].index();
        if self.buffers.len() <= id {
            self.buffers.resize_with(id + 1, Buffer::default);
        }
        if self.buffers[id].is_full(&limits) {
            self.flush_server(cx, server)?;
        }
        let buffer = &mut self.buffers[id];
        let bytes = request.pieces.iter().map(Piece::len).sum();
        let Request { shape, lane, tag, .. } = *request;
        request.pieces.iter().for_each(|p| buffer.bytes.extend_from_slice(p.as_slice()));
        buffer.requests.push_back(HeldRequest { shape, lane, tag, bytes });
        if buffer.is_full(&limits) {
            // A server that takes no more now gets them with its next request.
            let _busy = self.flush_server(cx, server);
        }
        Ok(())
    }

    /// Sends a server's held writes, in order.
    pub(super) fn flush_server(&mut self, cx: &mut Cx, server: usize) -> Result<(), Refusal> {
        let id = self.route[server];
        while let Some(buffer) = self.buffers.get_mut(id.index())
            && let Some(&held) = buffer.requests.front()
        {
            let HeldRequest { shape, lane, tag, bytes } = held;
            let pieces = [Piece::Copy(&buffer.bytes[..bytes])];
            let sent = self.pool.send(cx, id, &Request { shape, pieces: &pieces, lane, tag });
            if sent == Err(Refusal::Busy) {
                return sent;
            }
            buffer.requests.pop_front();
            buffer.bytes.advance(bytes);
            match (sent, shape) {
                (Ok(()), _) => {}
                (Err(_), Shape::Quiet) => self.counters.lost_quietly += 1,
                (Err(_), _) => {
                    let asked = self.asked.remove(tag as u32);
                    let outcome = self.when_down(&asked);
                    self.settle(cx, asked.whose, outcome);
                }
            }
        }
        Ok(())
    }

    /// Sends what is held for servers about to be left; what they do not take has failed.
    pub(super) fn empty_buffers(&mut self, cx: &mut Cx) {
        let _busy = self.flush_held(cx);
        for id in 0..self.buffers.len() {
            self.buffers[id].bytes.clear();
            while let Some(held) = self.buffers[id].requests.pop_front() {
                if held.shape == Shape::Quiet {
                    self.counters.lost_quietly += 1;
                } else {
                    let asked = self.asked.remove(held.tag as u32);
                    self.settle(cx, asked.whose, Outcome::Failed(Failure::Down));
                }
            }
        }
    }
}
