//! Where a machine listens, connects and sends.

use bytes::Bytes;
use core::fmt;
use core::net::SocketAddr;
pub use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An internet address with a port: the same bits on the wire, in the simulator and for the kernel.
pub type Addr = SocketAddr;

/// The wildcard address: "every address of this host".
pub const ANY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// One end of a stream connection, or the place of a listener.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// TCP. A listener on [`ANY`] takes every address of its host; port 0 asks for a free one.
    Tcp(Addr),
    /// A unix-domain stream socket. The path is relative to the host in the simulator. The peer of
    /// an accepted unix connection has an empty path.
    Unix(Bytes),
}

impl Endpoint {
    /// TCP on every address of this host.
    pub const fn any(port: u16) -> Self {
        Self::Tcp(Addr::new(ANY, port))
    }

    /// TCP at `ip:port`.
    pub fn tcp(ip: impl Into<IpAddr>, port: u16) -> Self {
        Self::Tcp(Addr::new(ip.into(), port))
    }

    /// A unix-domain socket at `path`.
    pub fn unix(path: impl AsRef<[u8]>) -> Self {
        Self::Unix(Bytes::copy_from_slice(path.as_ref()))
    }

    /// The port, for TCP.
    pub const fn port(&self) -> Option<u16> {
        match self {
            Self::Tcp(addr) => Some(addr.port()),
            Self::Unix(_) => None,
        }
    }
}

impl From<Addr> for Endpoint {
    fn from(addr: Addr) -> Self {
        Self::Tcp(addr)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(addr) => write!(f, "{addr}"),
            Self::Unix(path) => write!(f, "unix:{}", path.escape_ascii()),
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
