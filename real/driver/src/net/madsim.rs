//! Sockets of madsim.
//!
//! Its streams know neither half-close nor reset: a dropped one ends in order for both directions.
//! So bytes travel in frames, of which two mean FIN and reset, and the driver's ways through an end
//! are the same as on tokio. Both ends of a stream are this driver.
//!
//! A connect goes through where a listener has closed and a connection of it is still open, and
//! only then ends. So it counts as up once the other side has accepted it, and as refused if it
//! ends before.
//!
//! Not there: unix sockets, TLS, backlogs, windows.

use super::poll_read_buf;
use crate::Host;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use storytime_machine::{
    Addr, BufMut, Bytes, DATAGRAM_BYTES_MAX, Endpoint, IpAddr, Listen, ResolveError, Tls, Token,
};
use tokio::io::AsyncWrite;
use tokio::net::{TcpListener, TcpStream, UdpSocket};

/// There is nothing to bring to a handshake that does not exist.
#[derive(Clone, Copy, Debug, Default)]
pub struct TlsConfigs {}

/// Listening sockets are never shared: a madsim node runs one process.
#[derive(Debug, Default)]
pub(crate) struct Doors {}

/// Length of a frame's head: the number of bytes that follow it.
const HEAD_BYTES: usize = 4;
/// A head that means FIN.
const FIN: u32 = 0;
/// A head that means reset.
const RESET: u32 = u32::MAX;
/// The first head of the accepting side: somebody is there.
const ACCEPTED: u32 = u32::MAX - 1;

/// A stream of frames.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
    /// As much of the next head as arrived.
    head: [u8; HEAD_BYTES],
    head_len: usize,
    /// Bytes left of the frame that is being read.
    left: usize,
}

impl Socket {
    const fn new(stream: TcpStream) -> Self {
        Self { stream, head: [0; HEAD_BYTES], head_len: 0, left: 0 }
    }

    /// Resets the connection.
    pub(crate) fn abort(mut self) {
        let mut cx = Context::from_waker(Waker::noop());
        // Fails, or is not sent, only where the peer is gone already.
        let _ = self.put(&mut cx, &RESET.to_be_bytes());
        let _ = Pin::new(&mut self.stream).poll_flush(&mut cx);
    }

    /// Writes all of `bytes`: these streams take everything.
    fn put(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<()>> {
        let n = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        assert_eq!(n, bytes.len(), "madsim's streams take everything");
        Poll::Ready(Ok(()))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let len = u32::try_from(bytes.len()).expect("output is bounded far below this");
        ready!(self.put(cx, &len.to_be_bytes()))?;
        ready!(self.put(cx, bytes))?;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.put(cx, &FIN.to_be_bytes()))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// The next head; `None` at the end of the stream.
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<u32>>> {
        while self.head_len < HEAD_BYTES {
            let mut rest = &mut self.head[self.head_len..];
            match ready!(poll_read_buf(&mut self.stream, cx, &mut rest))? {
                0 => return Poll::Ready(Ok(None)),
                n => self.head_len += n,
            }
        }
        self.head_len = 0;
        Poll::Ready(Ok(Some(u32::from_be_bytes(self.head))))
    }

    /// Waits until the other side has accepted.
    async fn connected(mut self) -> io::Result<Self> {
        match poll_fn(|cx| self.poll_head(cx)).await? {
            Some(ACCEPTED) => Ok(self),
            _ => Err(ErrorKind::ConnectionRefused.into()),
        }
    }

    /// Tells the other side that it is accepted.
    fn accept(&mut self) {
        let mut cx = Context::from_waker(Waker::noop());
        // A peer that has given up is found gone by the first read.
        let _ = self.put(&mut cx, &ACCEPTED.to_be_bytes());
        let _ = Pin::new(&mut self.stream).poll_flush(&mut cx);
    }

    fn poll_read<B: BufMut>(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut B,
    ) -> Poll<io::Result<usize>> {
        while self.left == 0 {
            match ready!(self.poll_head(cx))? {
                // The peer's FIN, or its process ended and its sockets with it.
                Some(FIN) | None => return Poll::Ready(Ok(0)),
                Some(RESET) => return Poll::Ready(Err(ErrorKind::ConnectionReset.into())),
                Some(len) => self.left = len as usize,
            }
        }
        let n = ready!(poll_read_buf(&mut self.stream, cx, &mut into.limit(self.left)))?;
        self.left -= n;
        Poll::Ready(Ok(n))
    }
}

/// What carries a connection's bytes.
pub(crate) enum Transport {
    Plain(Socket),
    Closed,
}

impl Transport {
    fn socket(&mut self) -> io::Result<&mut Socket> {
        match self {
            Self::Plain(socket) => Ok(socket),
            Self::Closed => Err(ErrorKind::NotConnected.into()),
        }
    }

    pub(crate) fn poll_read<B: BufMut>(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut B,
    ) -> Poll<io::Result<usize>> {
        self.socket()?.poll_read(cx, into)
    }

    /// As [`poll_read`](Self::poll_read), into memory that has content.
    pub(crate) fn poll_read_slice(
        &mut self,
        cx: &mut Context<'_>,
        mut into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_read(cx, &mut into)
    }

    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.socket()?.poll_write(cx, bytes)
    }

    /// Writes the first slice: these streams gather anyway.
    pub(crate) fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.socket()?.poll_write(cx, &slices[0])
    }

    /// Bytes leave only here.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket()?.stream).poll_flush(cx)
    }

    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket()?.poll_shutdown(cx)
    }

    /// Closes with a reset.
    pub(crate) fn abort(&mut self) {
        if let Self::Plain(socket) = std::mem::replace(self, Self::Closed) {
            socket.abort();
        }
    }

    /// There is no TLS here.
    pub(crate) fn start_tls(&mut self, _: &Host, _: Tls) -> bool {
        false
    }

    pub(crate) const fn is_handshaking(&self) -> bool {
        false
    }

    pub(crate) fn poll_handshake(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Err(ErrorKind::Unsupported.into()))
    }
}

/// A listening socket.
pub(crate) struct Listener {
    queue: TcpListener,
    at: Endpoint,
}

impl Listener {
    /// The address it really has.
    pub(crate) const fn at(&self) -> &Endpoint {
        &self.at
    }

    /// The next connection.
    pub(crate) async fn accept(&self) -> io::Result<(Socket, Endpoint)> {
        let (stream, peer) = self.queue.accept().await?;
        let mut socket = Socket::new(stream);
        socket.accept();
        Ok((socket, peer.into()))
    }
}

/// Opens a listener.
pub(crate) async fn listen(
    host: &Host,
    _: &Doors,
    _: Token,
    listen: &Listen,
) -> io::Result<Listener> {
    let Endpoint::Tcp(addr) = listen.at else { return Err(ErrorKind::Unsupported.into()) };
    let queue = TcpListener::bind(host.place(addr)).await?;
    let at = queue.local_addr()?.into();
    Ok(Listener { queue, at })
}

/// Connects.
pub(crate) async fn connect(host: &Host, to: &Endpoint) -> io::Result<Socket> {
    let Endpoint::Tcp(addr) = to else { return Err(ErrorKind::Unsupported.into()) };
    Socket::new(TcpStream::connect(host.place(*addr)).await?).connected().await
}

/// Nobody is asked: only the hosts given resolve.
pub(crate) async fn resolve(_: &str) -> Result<Vec<IpAddr>, ResolveError> {
    Err(ResolveError::NotFound)
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
        assert!(bytes.len() <= DATAGRAM_BYTES_MAX, "the shell refuses longer ones");
        let this = Arc::clone(this);
        tokio::spawn(async move {
            // A datagram that could not be sent is a lost one.
            let _ = this.0.send_to(to, &bytes).await;
        });
        true
    }
}
