//! A connection's transport: a socket, or TLS over it from some point on.

use super::{Socket, poll_read_buf};
use crate::Host;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use storytime_machine::{BufMut, Tls};
use tokio::io::AsyncWrite;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

/// Gives the rules for one handshake of the server's side, so that they can change while it runs.
pub trait ServerTls: Send + Sync {
    /// The rules; `certificate` says whether the peer must show a certificate, where the machine
    /// wants it otherwise than configured. `None` resets the connection.
    fn config(&self, certificate: Option<bool>) -> Option<Arc<ServerConfig>>;
}

impl ServerTls for ServerConfig {
    /// Always the same. What it asks of peers cannot be changed.
    fn config(&self, certificate: Option<bool>) -> Option<Arc<ServerConfig>> {
        certificate.is_none().then(|| Arc::new(self.clone()))
    }
}

/// What a host brings to a TLS handshake.
#[derive(Clone, Default)]
pub struct TlsConfigs {
    /// Its certificate and key, for the server's side.
    pub server: Option<Arc<dyn ServerTls>>,
    /// Its trusted roots, for the client's side.
    pub client: Option<Arc<ClientConfig>>,
}

impl fmt::Debug for TlsConfigs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (server, client) = (self.server.is_some(), self.client.is_some());
        f.debug_struct("TlsConfigs").field("server", &server).field("client", &client).finish()
    }
}

impl TlsConfigs {
    fn server(&self, tls: &Tls) -> Option<Arc<ServerConfig>> {
        let certificate = match tls {
            Tls::ServerAsking { certificate } => Some(*certificate),
            Tls::Server | Tls::Client { .. } => None,
        };
        self.server.as_ref()?.config(certificate)
    }
}

type Handshake = Pin<Box<dyn Future<Output = io::Result<TlsStream<Socket>>> + Send>>;

/// What carries a connection's bytes.
pub(crate) enum Transport {
    Plain(Socket),
    Handshake(Handshake),
    Secured(Box<TlsStream<Socket>>),
    Closed,
}

/// What is left of a transport whose task has ended.
fn closed<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::ErrorKind::NotConnected.into()))
}

impl Transport {
    #[inline]
    pub(crate) fn poll_read<B: BufMut>(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut B,
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(socket) => poll_read_buf(socket, cx, into),
            Self::Secured(stream) => poll_read_buf(&mut **stream, cx, into),
            Self::Handshake(_) | Self::Closed => closed(),
        }
    }

    /// As [`poll_read`](Self::poll_read), into memory that has content.
    #[inline]
    pub(crate) fn poll_read_slice(
        &mut self,
        cx: &mut Context<'_>,
        mut into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(socket) => socket.poll_receive(cx, into),
            _ => self.poll_read(cx, &mut into),
        }
    }

    #[inline]
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(socket) => socket.poll_send(cx, bytes),
            Self::Secured(stream) => Pin::new(&mut **stream).poll_write(cx, bytes),
            Self::Handshake(_) | Self::Closed => closed(),
        }
    }

    pub(crate) fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(socket) => Pin::new(socket).poll_write_vectored(cx, slices),
            Self::Secured(stream) => Pin::new(&mut **stream).poll_write_vectored(cx, slices),
            Self::Handshake(_) | Self::Closed => closed(),
        }
    }

    #[inline]
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(_) => Poll::Ready(Ok(())),
            Self::Secured(stream) => Pin::new(&mut **stream).poll_flush(cx),
            Self::Handshake(_) | Self::Closed => closed(),
        }
    }

    /// Ends our side: a FIN, behind TLS's own end where there is TLS.
    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Self::Secured(stream) => Pin::new(&mut **stream).poll_shutdown(cx),
            Self::Handshake(_) | Self::Closed => closed(),
        }
    }

    /// Closes with a reset.
    pub(crate) fn abort(&mut self) {
        match std::mem::replace(self, Self::Closed) {
            Self::Plain(socket) => socket.abort(),
            Self::Secured(stream) => stream.get_ref().0.reset_on_close(),
            // The socket is inside the handshake: it closes without a reset.
            Self::Handshake(_) | Self::Closed => {}
        }
    }

    /// Begins a handshake; `false` if the host has nothing to bring to it.
    pub(crate) fn start_tls(&mut self, host: &Host, tls: Tls) -> bool {
        let Some(configs) = &host.tls else { return false };
        let handshake: Option<Box<dyn FnOnce(Socket) -> Handshake>> = match tls {
            Tls::Server | Tls::ServerAsking { .. } => configs.server(&tls).map(|config| {
                let start = |socket| -> Handshake {
                    let accept = TlsAcceptor::from(config).accept(socket);
                    Box::pin(async { Ok(TlsStream::Server(accept.await?)) })
                };
                Box::new(start) as _
            }),
            Tls::Client { name } => match (configs.client.clone(), ServerName::try_from(name)) {
                (Some(config), Ok(name)) => Some(Box::new(|socket| -> Handshake {
                    let connect = TlsConnector::from(config).connect(name, socket);
                    Box::pin(async { Ok(TlsStream::Client(connect.await?)) })
                })),
                _ => None,
            },
        };
        let Some(start) = handshake else { return false };
        match std::mem::replace(self, Self::Closed) {
            Self::Plain(socket) => *self = Self::Handshake(start(socket)),
            other => *self = other,
        }
        true
    }

    #[inline]
    pub(crate) const fn is_handshaking(&self) -> bool {
        matches!(self, Self::Handshake(_))
    }

    pub(crate) fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self::Handshake(handshake) = self else { return Poll::Ready(Ok(())) };
        handshake.as_mut().poll(cx).map_ok(|stream| *self = Self::Secured(Box::new(stream)))
    }
}
