//! An echo server that does nothing but epoll, read and write: what an echo costs at the least.
//!
//! One thread, level-triggered, one buffer. Not handled: a peer that does not read (its connection
//! is closed when the socket's buffer is full), errors of one connection (it is closed).

use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

/// Events taken at a time.
pub(crate) const EVENTS_MAX: usize = 256;
/// Most bytes read at a time: as many as the tokio driver reads.
pub(crate) const READ_BYTES_MAX: usize = 64 << 10;
/// Tells the listener from connections, which are known by their index.
const LISTENER: u64 = u64::MAX;

/// Serves for ever at a free loopback port, which `announce` hears of.
///
/// # Errors
/// If the operating system refuses a listener or epoll.
pub fn serve(announce: impl FnOnce(SocketAddr)) -> io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    listener.set_nonblocking(true)?;
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let listener_data = epoll::EventData::new_u64(LISTENER);
    epoll::add(&poll, &listener, listener_data, epoll::EventFlags::IN)?;
    announce(listener.local_addr()?);
    let mut conns: Vec<Option<TcpStream>> = Vec::new();
    let mut free = Vec::new();
    let mut buffer = vec![0; READ_BYTES_MAX];
    let mut events = Vec::with_capacity(EVENTS_MAX);
    loop {
        events.clear();
        epoll::wait(&poll, spare_capacity(&mut events), None)?;
        for event in &events {
            let data = event.data.u64();
            if data == LISTENER {
                let (conn, _) = listener.accept()?;
                conn.set_nodelay(true)?;
                conn.set_nonblocking(true)?;
                let index = free.pop().unwrap_or(conns.len());
                let data = epoll::EventData::new_u64(index as u64);
                epoll::add(&poll, &conn, data, epoll::EventFlags::IN)?;
                if index == conns.len() {
                    conns.push(None);
                }
                conns[index] = Some(conn);
            } else {
                let index = data as usize;
                let alive = conns[index].as_mut().is_some_and(|conn| echo(conn, &mut buffer));
                if !alive && conns[index].take().is_some() {
                    free.push(index); // Closing the socket takes it out of epoll.
                }
            }
        }
    }
}

/// One read, one write. Whether the connection lives on.
fn echo(conn: &mut TcpStream, buffer: &mut [u8]) -> bool {
    match conn.read(buffer) {
        Ok(0) => false,
        Ok(n) => conn.write_all(&buffer[..n]).is_ok(),
        Err(error) => error.kind() == io::ErrorKind::WouldBlock,
    }
}
