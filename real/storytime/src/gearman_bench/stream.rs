//! How connections begin, and their bytes, encrypted or not.

use super::packets::put;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;
use storytime_gearman::packet::{HEADER_BYTES, Kind};
use storytime_gearman::tenants::Credential;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, StreamOwned};

/// How long a server may take over a handshake.
const PATIENCE: Duration = Duration::from_secs(30);
/// What the server answers to who says whose it is.
const OPTION: &[u8] = b"tenant";

/// How connections begin.
#[derive(Clone, Debug, Default)]
pub(super) struct Greeting {
    /// How they are encrypted, if they are.
    pub(super) tls: Option<Tls>,
    /// As whose all is done, on a server that is shared.
    pub(super) tenant: Option<Credential>,
}

/// How connections are encrypted: with what, and whose certificate is wanted.
#[derive(Clone, Debug)]
pub(super) struct Tls {
    pub(super) config: Arc<ClientConfig>,
    pub(super) name: ServerName<'static>,
}

/// A nonblocking connection.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    Secured(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Stream {
    /// Connects, shakes hands, and says whose it is.
    pub(super) fn connect(to: SocketAddr, greeting: &Greeting) -> io::Result<Self> {
        let mut socket = TcpStream::connect(to)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let mut stream = match &greeting.tls {
            None => Self::Plain(socket),
            Some(Tls { config, name }) => {
                let session = ClientConnection::new(Arc::clone(config), name.clone());
                let mut session = session.map_err(io::Error::other)?;
                while session.is_handshaking() {
                    session.complete_io(&mut socket)?;
                }
                Self::Secured(Box::new(StreamOwned::new(session, socket)))
            }
        };
        if let Some(tenant) = &greeting.tenant {
            stream.log_in(tenant)?;
        }
        stream.socket().set_nonblocking(true)?;
        Ok(stream)
    }

    /// Says whose the connection is, and waits to be told that it is so.
    fn log_in(&mut self, tenant: &Credential) -> io::Result<()> {
        let mut packet = Vec::new();
        put(&mut packet, Kind::OptionReq, &[tenant.option().as_bytes()]);
        self.write_all(&packet)?;
        self.flush()?;
        let mut header = [0; HEADER_BYTES];
        self.read_exact(&mut header)?;
        if header[4..8] != (Kind::OptionRes as u32).to_be_bytes() {
            let name = tenant.name();
            return Err(io::Error::other(format!("GEARMAN_TENANT: no tenant {name}, or not so")));
        }
        // What it says is what was asked for.
        self.read_exact(&mut [0; OPTION.len()])
    }

    pub(super) fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Secured(stream) => stream.get_ref(),
        }
    }

    /// Whether there may be input of which epoll knows nothing: it left the socket already.
    pub(super) const fn reads_ahead(&self) -> bool {
        matches!(self, Self::Secured(_))
    }

    /// Whether what was written has not left.
    pub(super) fn holds_output(&self) -> bool {
        matches!(self, Self::Secured(stream) if stream.conn.wants_write())
    }
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(into),
            Self::Secured(stream) => stream.read(into),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Secured(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Secured(stream) => stream.flush(),
        }
    }
}
