//! Sockets of the operating system through tokio.

use crate::Host;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use socket2::{Domain, SockAddr, SockRef, Type};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, ErrorKind, IoSlice};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, ready};
use storytime_machine::{Addr, Bytes, Duration, Endpoint, IpAddr, Listen, ResolveError, Token};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket, UnixListener, UnixStream};

/// A peer that is gone is told by an error, not by a signal, which Rust programs ignore anyway.
#[cfg(target_os = "linux")]
const SEND: SendFlags = SendFlags::NOSIGNAL;
#[cfg(not(target_os = "linux"))]
const SEND: SendFlags = SendFlags::empty();

/// A stream socket.
#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    /// Requests and answers are small and wait for each other: never hold back a short segment.
    fn tcp(stream: TcpStream) -> Self {
        // Fails only on a connection that is already reset, which the first read tells.
        let _ = stream.set_nodelay(true);
        Self::Tcp(stream)
    }

    /// Has the close that follows reset the connection. Unix sockets know no reset.
    pub(crate) fn reset_on_close(&self) {
        if let Self::Tcp(stream) = self {
            // Fails only on a connection that is already reset.
            let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
        }
    }

    /// Resets the connection.
    pub(crate) fn abort(self) {
        self.reset_on_close();
    }

    /// Reads once; 0 is the end of the stream.
    #[inline]
    pub(crate) fn poll_receive(
        &self,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let room = into.len();
        self.poll_transfer(cx, Interest::READABLE, room, || {
            Ok(recv(self, &mut *into, RecvFlags::empty())?.1)
        })
    }

    /// Writes once.
    #[inline]
    pub(crate) fn poll_send(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let send = || Ok(send(self, bytes, SEND)?);
        self.poll_transfer(cx, Interest::WRITABLE, bytes.len(), send)
    }

    /// Moves up to `whole` bytes by one system call. Fewer mean that there is no more to be had, or
    /// no more room: the next call waits for the runtime to tell otherwise.
    ///
    /// Not by the runtime's own reads and writes: they count against a task's budget, which the
    /// rounds of a turn bound already, and call through the C library, which looks for cancelled
    /// threads. Together that is 400 instructions for a request and its reply.
    #[inline]
    fn poll_transfer(
        &self,
        cx: &mut Context<'_>,
        interest: Interest,
        whole: usize,
        mut transfer: impl FnMut() -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            let mut short = None;
            let once = || match transfer()? {
                n if 0 < n && n < whole => {
                    short = Some(n);
                    Err(ErrorKind::WouldBlock.into())
                }
                n => Ok(n),
            };
            let done = match self {
                Self::Tcp(stream) => stream.try_io(interest, once),
                Self::Unix(stream) => stream.try_io(interest, once),
            };
            match done {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if let Some(n) = short {
                        return Poll::Ready(Ok(n));
                    }
                    ready!(self.poll_ready(cx, interest))?;
                }
                done => return Poll::Ready(done),
            }
        }
    }

    fn poll_ready(&self, cx: &mut Context<'_>, interest: Interest) -> Poll<io::Result<()>> {
        match (self, interest.is_readable()) {
            (Self::Tcp(stream), true) => stream.poll_read_ready(cx),
            (Self::Tcp(stream), false) => stream.poll_write_ready(cx),
            (Self::Unix(stream), true) => stream.poll_read_ready(cx),
            (Self::Unix(stream), false) => stream.poll_write_ready(cx),
        }
    }
}

impl AsFd for Socket {
    #[inline]
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
        }
    }
}

impl AsyncRead for Socket {
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Socket {
    #[inline]
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_send(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// Listening sockets by the listener that asked for them. The workers of one port share the socket
/// itself, and with it one listen queue, from which whoever is free takes the next connection.
///
/// Rejected: `SO_REUSEPORT`, which gives each worker a queue of its own: a connection hashed to a
/// busy worker, or to one without a free slot, would wait there while others are idle.
#[derive(Debug, Default)]
pub(crate) struct Doors(Mutex<BTreeMap<(Token, Endpoint), Weak<Door>>>);

/// One bound socket; closed, and a unix socket's file removed, when its last worker lets go.
#[derive(Debug)]
struct Door {
    socket: socket2::Socket,
    at: Endpoint,
    file: Option<PathBuf>,
}

impl Drop for Door {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            // Somebody may have removed it already.
            let _ = std::fs::remove_file(file);
        }
    }
}

impl Doors {
    fn open(&self, host: &Host, token: Token, listen: &Listen) -> io::Result<Arc<Door>> {
        let mut doors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (token, listen.at.clone());
        if let Some(door) = doors.get(&key).and_then(Weak::upgrade) {
            return Ok(door);
        }
        let door = Arc::new(Door::bind(host, listen)?);
        doors.retain(|_, door| door.strong_count() > 0);
        doors.insert(key, Arc::downgrade(&door));
        Ok(door)
    }
}

impl Door {
    fn bind(host: &Host, listen: &Listen) -> io::Result<Self> {
        let backlog = i32::try_from(listen.backlog).unwrap_or(i32::MAX);
        match &listen.at {
            Endpoint::Tcp(addr) => {
                let addr = host.place(*addr);
                let socket = socket2::Socket::new(Domain::for_address(addr), Type::STREAM, None)?;
                // A restarted server must not wait for the last connections of its predecessor.
                socket.set_reuse_address(true)?;
                socket.bind(&addr.into())?;
                socket.listen(backlog)?;
                socket.set_nonblocking(true)?;
                let at =
                    socket.local_addr()?.as_socket().map_or_else(|| listen.at.clone(), Into::into);
                Ok(Self { socket, at, file: None })
            }
            Endpoint::Unix(path) => {
                let file = unix_path(host, path);
                remove_stale(&file)?;
                let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
                socket.bind(&SockAddr::unix(&file)?)?;
                socket.listen(backlog)?;
                socket.set_nonblocking(true)?;
                Ok(Self { socket, at: listen.at.clone(), file: Some(file) })
            }
        }
    }
}

/// Relative paths lie in the data directory, so that each host of a computer has its own.
fn unix_path(host: &Host, path: &[u8]) -> PathBuf {
    host.data_dir.join(OsStr::from_bytes(path))
}

/// Removes the socket file that a killed server left behind: a socket at which nobody listens.
fn remove_stale(file: &Path) -> io::Result<()> {
    let Ok(found) = std::fs::symlink_metadata(file) else { return Ok(()) };
    if found.file_type().is_socket()
        && let Err(error) = std::os::unix::net::UnixStream::connect(file)
        && error.kind() == ErrorKind::ConnectionRefused
    {
        return std::fs::remove_file(file);
    }
    Err(ErrorKind::AddrInUse.into())
}

/// A listening socket in this worker's hands.
pub(crate) struct Listener {
    queue: Queue,
    door: Arc<Door>,
}

enum Queue {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    /// The address it really has.
    pub(crate) fn at(&self) -> &Endpoint {
        &self.door.at
    }

    /// The next connection of the queue. May be dropped without losing one.
    pub(crate) async fn accept(&self) -> io::Result<(Socket, Endpoint)> {
        match &self.queue {
            Queue::Tcp(queue) => {
                let (stream, peer) = queue.accept().await?;
                Ok((Socket::tcp(stream), peer.into()))
            }
            Queue::Unix(queue) => {
                let (stream, _) = queue.accept().await?;
                Ok((Socket::Unix(stream), Endpoint::Unix(Bytes::new())))
            }
        }
    }
}

/// Opens a listener, or joins the one that a sibling opened.
pub(crate) async fn listen(
    host: &Host,
    doors: &Doors,
    token: Token,
    listen: &Listen,
) -> io::Result<Listener> {
    let door = doors.open(host, token, listen)?;
    let socket = door.socket.try_clone()?;
    let queue = match door.at {
        Endpoint::Tcp(_) => Queue::Tcp(TcpListener::from_std(socket.into())?),
        Endpoint::Unix(_) => Queue::Unix(UnixListener::from_std(socket.into())?),
    };
    Ok(Listener { queue, door })
}

/// Connects, from the host's own address.
pub(crate) async fn connect(host: &Host, to: &Endpoint) -> io::Result<Socket> {
    match to {
        Endpoint::Unix(path) => Ok(Socket::Unix(UnixStream::connect(unix_path(host, path)).await?)),
        Endpoint::Tcp(addr) => {
            let addr = host.place(*addr);
            let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
            if let Some(ip) = host.ip
                && ip.is_ipv4() == addr.is_ipv4()
            {
                socket.bind(Addr::new(ip, 0))?;
            }
            Ok(Socket::tcp(socket.connect(addr).await?))
        }
    }
}

/// Asks the system's resolver.
pub(crate) async fn resolve(name: &str) -> Result<Vec<IpAddr>, ResolveError> {
    match tokio::net::lookup_host((name, 0)).await {
        Ok(found) => Ok(found.map(|addr| addr.ip()).collect()),
        // The resolver's codes reach us as text alone: a name service that does not answer is the
        // one kind that says so.
        Err(error) if error.to_string().contains("Temporary failure") => {
            Err(ResolveError::Unavailable)
        }
        Err(_) => Err(ResolveError::NotFound),
    }
}

/// A datagram socket.
#[derive(Debug)]
pub(crate) struct Datagrams(UdpSocket);

impl Datagrams {
    /// Opens one and tells the address it really has.
    pub(crate) async fn bind(at: Addr) -> io::Result<(Self, Addr)> {
        let socket = UdpSocket::bind(at).await?;
        let at = socket.local_addr()?;
        Ok((Self(socket), at))
    }

    pub(crate) async fn receive(&self, into: &mut [u8]) -> io::Result<(usize, Addr)> {
        self.0.recv_from(into).await
    }

    /// Whether the socket took it.
    pub(crate) fn send(this: &Arc<Self>, to: Addr, bytes: Bytes) -> bool {
        let to = match to.ip() {
            // Where no address stands for the wildcard, it means this computer.
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Addr::new(Ipv4Addr::LOCALHOST.into(), to.port()),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Addr::new(Ipv6Addr::LOCALHOST.into(), to.port()),
            _ => to,
        };
        // Not through the runtime: it knows only after its first wait that a new socket can send.
        SockRef::from(&this.0).send_to(&bytes, &to.into()).is_ok()
    }
}
