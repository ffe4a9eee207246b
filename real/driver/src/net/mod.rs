//! Sockets of the runtime at hand: all that differs between tokio and madsim, with one face.

#[cfg(madsim)]
mod madsim;
#[cfg(not(madsim))]
mod tls;
#[cfg(not(madsim))]
mod tokio;

#[cfg(madsim)]
pub use self::madsim::TlsConfigs;
#[cfg(madsim)]
pub(crate) use self::madsim::{
    Datagrams, Doors, Listener, Socket, Transport, connect, listen, resolve,
};
#[cfg(not(madsim))]
pub(crate) use self::tls::Transport;
#[cfg(not(madsim))]
pub use self::tls::{ServerTls, TlsConfigs};
#[cfg(not(madsim))]
pub(crate) use self::tokio::{Datagrams, Doors, Listener, Socket, connect, listen, resolve};

use ::tokio::io::{AsyncRead, AsyncReadExt};
use std::future::Future;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll};
use storytime_machine::BufMut;

/// Reads once into the spare room of `into`; 0 is the end of the stream.
fn poll_read_buf<S, B>(
    stream: &mut S,
    cx: &mut Context<'_>,
    into: &mut B,
) -> Poll<io::Result<usize>>
where
    S: AsyncRead + Unpin,
    B: BufMut,
{
    pin!(stream.read_buf(into)).poll(cx)
}
