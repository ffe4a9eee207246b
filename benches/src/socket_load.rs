//! Load on loopback sockets: connections that each have a batch of messages under way.
//!
//! One thread with epoll, so that the load costs little beside the server. A batch is written as
//! one piece and the next one follows when all of it has come back.

use crate::epoll_echo::{EVENTS_MAX, READ_BYTES_MAX};
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// What load there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Connections.
    pub conns: usize,
    /// Messages under way on each.
    pub batch: usize,
    /// Size of a message, bytes.
    pub message_bytes: usize,
}

/// Nothing coming back for this long means that the server is stuck.
const PATIENCE: Timespec = Timespec { tv_sec: 5, tv_nsec: 0 };

/// Open connections to an echo.
#[derive(Debug)]
pub struct Load {
    shape: Shape,
    poll: rustix::fd::OwnedFd,
    conns: Vec<Caller>,
    batch: Vec<u8>,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Caller {
    socket: TcpStream,
    /// Bytes of the batch that have come back.
    back: usize,
}

impl Load {
    /// Connects and sends the first batches.
    ///
    /// # Errors
    /// If nobody listens there, or the operating system refuses sockets.
    pub fn start(to: SocketAddr, shape: Shape) -> io::Result<Self> {
        assert!(shape.conns > 0 && shape.batch > 0 && shape.message_bytes > 0, "no load at all");
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let batch = vec![b'm'; shape.batch * shape.message_bytes];
        let mut conns = Vec::with_capacity(shape.conns);
        for index in 0..shape.conns {
            let mut socket = TcpStream::connect(to)?;
            socket.set_nodelay(true)?;
            let data = epoll::EventData::new_u64(index as u64);
            epoll::add(&poll, &socket, data, epoll::EventFlags::IN)?;
            socket.write_all(&batch)?;
            socket.set_nonblocking(true)?;
            conns.push(Caller { socket, back: 0 });
        }
        Ok(Self { shape, poll, conns, batch, buffer: vec![0; READ_BYTES_MAX] })
    }

    /// Keeps the load up for a while and returns how many messages came back in whole batches.
    ///
    /// # Errors
    /// If a connection breaks or the server is silent for five seconds.
    pub fn run(&mut self, length: Duration) -> io::Result<u64> {
        let end = Instant::now() + length;
        let mut events = Vec::with_capacity(EVENTS_MAX);
        let mut batches = 0;
        while Instant::now() < end {
            events.clear();
            if epoll::wait(&self.poll, spare_capacity(&mut events), Some(&PATIENCE))? == 0 {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "the echo is silent"));
            }
            for event in &events {
                batches += u64::from(self.take_in(event.data.u64() as usize)?);
            }
        }
        Ok(batches * self.shape.batch as u64)
    }

    /// Reads what came back; whether that completed a batch.
    fn take_in(&mut self, index: usize) -> io::Result<bool> {
        let caller = &mut self.conns[index];
        let read = caller.socket.read(&mut self.buffer)?;
        if read == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the echo hung up"));
        }
        caller.back += read;
        assert!(caller.back <= self.batch.len(), "an echo says no more than it heard");
        if caller.back < self.batch.len() {
            return Ok(false);
        }
        caller.back = 0;
        caller.socket.write_all(&self.batch)?;
        Ok(true)
    }
}
