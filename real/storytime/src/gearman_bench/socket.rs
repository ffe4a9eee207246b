//! Nonblocking sockets under one epoll, with whole packets in and any bytes out.

use super::stream::{Greeting, Stream};
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
use std::time::Duration;
use storytime_gearman::packet::HEADER_BYTES;

/// Events taken at a time.
const EVENTS_MAX: usize = 256;
/// Most bytes read at a time; longer packets are an error.
const READ_BYTES_MAX: usize = 256 << 10;

/// A packet from the server, in the read buffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet<'a> {
    /// Its number in the protocol.
    pub(super) kind: u32,
    /// Its arguments with what is between them.
    pub(super) body: &'a [u8],
}

/// One connection.
#[derive(Debug)]
struct Socket {
    stream: Stream,
    /// The beginning of a packet that has not come whole.
    rest: Vec<u8>,
    /// Bytes to be written, from `written` on.
    out: Vec<u8>,
    written: usize,
    /// Whether epoll tells when there is room for output.
    blocked: bool,
}

/// All connections to a server.
pub(super) struct Sockets {
    poll: rustix::fd::OwnedFd,
    all: Vec<Socket>,
    events: Vec<epoll::Event>,
    buffer: Vec<u8>,
}

/// A connection by its index, with something to be read.
pub(super) type Ready = Vec<usize>;

impl Sockets {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            poll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            all: Vec::new(),
            events: Vec::with_capacity(EVENTS_MAX),
            buffer: vec![0; READ_BYTES_MAX],
        })
    }

    /// Connects; returns the connection's index.
    pub(super) fn connect(&mut self, to: SocketAddr, greeting: &Greeting) -> io::Result<usize> {
        let stream = Stream::connect(to, greeting)?;
        let index = self.all.len();
        let data = epoll::EventData::new_u64(index as u64);
        epoll::add(&self.poll, stream.socket(), data, epoll::EventFlags::IN)?;
        let (rest, out) = (Vec::new(), Vec::new());
        self.all.push(Socket { stream, rest, out, written: 0, blocked: false });
        Ok(index)
    }

    /// Output of a connection, to append to; [`Self::flush`] sends it.
    pub(super) fn out(&mut self, index: usize) -> &mut Vec<u8> {
        &mut self.all[index].out
    }

    /// Writes what the transport takes; the rest goes when it has room.
    pub(super) fn flush(&mut self, index: usize) -> io::Result<()> {
        let socket = &mut self.all[index];
        while socket.written < socket.out.len() {
            match socket.stream.write(&socket.out[socket.written..]) {
                Ok(n) => socket.written += n,
                Err(why) if why.kind() == ErrorKind::WouldBlock => break,
                Err(why) => return Err(why),
            }
        }
        match socket.stream.flush() {
            Err(why) if why.kind() != ErrorKind::WouldBlock => return Err(why),
            _ => {}
        }
        let unwritten = socket.written < socket.out.len();
        let blocked = unwritten || socket.stream.holds_output();
        if !unwritten {
            socket.out.clear();
            socket.written = 0;
        }
        if blocked != socket.blocked {
            socket.blocked = blocked;
            let mut flags = epoll::EventFlags::IN;
            flags.set(epoll::EventFlags::OUT, blocked);
            let data = epoll::EventData::new_u64(index as u64);
            epoll::modify(&self.poll, socket.stream.socket(), data, flags)?;
        }
        Ok(())
    }

    /// Waits for connections with input, which `ready` is filled with, and writes what can be
    /// written. Whether anything happened in time.
    pub(super) fn wait(&mut self, patience: Duration, ready: &mut Ready) -> io::Result<bool> {
        let nanos = patience.subsec_nanos().into();
        let patience = Timespec { tv_sec: patience.as_secs() as i64, tv_nsec: nanos };
        self.events.clear();
        ready.clear();
        let taken = epoll::wait(&self.poll, spare_capacity(&mut self.events), Some(&patience))?;
        for at in 0..self.events.len() {
            let (index, flags) = (self.events[at].data.u64() as usize, self.events[at].flags);
            if flags.contains(epoll::EventFlags::OUT) {
                self.flush(index)?;
            }
            if flags.intersects(!epoll::EventFlags::OUT) {
                ready.push(index);
            }
        }
        Ok(taken > 0)
    }

    /// Reads what epoll told of and gives each whole packet to `each`, which may append to the
    /// connection's output.
    pub(super) fn read(
        &mut self,
        index: usize,
        mut each: impl FnMut(Packet<'_>, &mut Vec<u8>) -> io::Result<()>,
    ) -> io::Result<()> {
        while self.read_once(index, &mut each)? && self.all[index].stream.reads_ahead() {}
        Ok(())
    }

    /// Whether anything was there.
    fn read_once(
        &mut self,
        index: usize,
        each: &mut impl FnMut(Packet<'_>, &mut Vec<u8>) -> io::Result<()>,
    ) -> io::Result<bool> {
        let socket = &mut self.all[index];
        let old = socket.rest.len();
        self.buffer[..old].copy_from_slice(&socket.rest);
        let read = match socket.stream.read(&mut self.buffer[old..]) {
            Ok(0) if old == self.buffer.len() => return Err(wrong("a packet is too long")),
            Ok(0) => return Err(wrong("the server hung up")),
            Ok(n) => n,
            Err(why) if why.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(why) => return Err(why),
        };
        let mut bytes = &self.buffer[..old + read];
        while let Some((packet, behind)) = first(bytes)? {
            each(packet, &mut socket.out)?;
            bytes = behind;
        }
        socket.rest.clear();
        socket.rest.extend_from_slice(bytes);
        Ok(true)
    }
}

/// Something that must not happen.
pub(super) fn wrong(what: &str) -> io::Error {
    io::Error::other(what.to_owned())
}

/// Cuts the first packet off, if it is there whole.
fn first(bytes: &[u8]) -> io::Result<Option<(Packet<'_>, &[u8])>> {
    let Some((header, behind)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
        return Ok(None);
    };
    let word = |at: usize| {
        u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
    };
    if header[..4] != *b"\0RES" {
        return Err(wrong("the server says what no job server says"));
    }
    match behind.split_at_checked(word(8) as usize) {
        Some((body, behind)) => Ok(Some((Packet { kind: word(4), body }, behind))),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_cut_where_they_end() {
        let bytes = b"\0RES\0\0\0\x08\0\0\0\x03H:1\0RES\0\0\0\x06\0\0\0\0\0RES";
        let (created, bytes) = first(bytes).expect("a packet").expect("whole");
        assert_eq!((created.kind, created.body), (8, &b"H:1"[..]));
        let (noop, bytes) = first(bytes).expect("a packet").expect("whole");
        assert_eq!((noop.kind, noop.body), (6, &b""[..]));
        assert!(first(bytes).expect("a beginning").is_none());
        assert!(first(b"HTTP/1.1 400 Bad").is_err());
    }
}
