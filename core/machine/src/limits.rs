//! Bounds and options that a process is given, and the kinds of work it counts.

use core::time::Duration;

/// Most kinds of work that one process may count.
pub const WORK_KINDS_MAX: usize = 32;
/// Largest datagram payload, bytes: what IPv4 and UDP leave of 65,535.
pub const DATAGRAM_BYTES_MAX: usize = 65_507;
/// Outputs of this many bytes or fewer are copied into the tail even when pushed: cheaper than an
/// iovec of their own.
pub const PUSH_COPY_BYTES_MAX: usize = 512;
/// How much of a file is read ahead for [`Tx::push_file`](crate::Tx::push_file), bytes.
pub const FILE_CHUNK_BYTES: usize = 64 << 10;
/// Longest file range that one [`Tx::push_file`](crate::Tx::push_file) takes, bytes.
pub const FILE_RANGE_BYTES_MAX: u64 = 1 << 48;

/// Byte caps and water marks of one process.
///
/// Drivers read from a connection only while its unread input is below `rx_bytes_max`. Passing
/// `tx_bytes_max` or `buffers_bytes_max` is a bug of the machine (it ignored
/// [`Tx::pending`](crate::Tx::pending)): the simulator fails the run, the real driver aborts the
/// connection and logs an error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Most unread input of one connection, bytes.
    pub rx_bytes_max: usize,
    /// A connection whose pending output passes this is slow: `drained` will be called.
    pub tx_high: usize,
    /// Pending output at which `drained` is called.
    pub tx_low: usize,
    /// Most pending output of one connection, bytes.
    pub tx_bytes_max: usize,
    /// Most input and output buffered by all connections together, bytes.
    pub buffers_bytes_max: usize,
    /// Most connections at once. At the cap nothing is accepted and connects fail with
    /// `NoResources`.
    pub conns_max: usize,
    /// How long a flushed connection waits for the peer's close, from when its output has left.
    pub linger: Duration,
}

impl Limits {
    /// Asserts the relations between the limits.
    ///
    /// # Panics
    /// If the marks are out of order.
    pub const fn assert_valid(&self) {
        assert!(self.tx_low < self.tx_high, "the low mark lies below the high mark");
        assert!(self.tx_high <= self.tx_bytes_max, "the high mark lies below the cap");
        assert!(self.rx_bytes_max > 0 && self.conns_max > 0, "nothing could ever arrive");
        assert!(self.tx_bytes_max <= self.buffers_bytes_max, "one connection fits the whole");
    }
}

impl Default for Limits {
    fn default() -> Self {
        const DEFAULT: Limits = Limits {
            rx_bytes_max: 2 << 20,
            tx_high: 256 << 10,
            tx_low: 64 << 10,
            tx_bytes_max: 64 << 20,
            buffers_bytes_max: 1 << 30,
            conns_max: 1 << 20,
            linger: Duration::from_secs(2),
        };
        const { DEFAULT.assert_valid() };
        DEFAULT
    }
}

/// A kind of CPU work that a machine counts with [`Cx::work`](crate::Cx::work). On the real runtime
/// it is a counter; in the simulator units are turned into service time by the host's cost table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Work {
    /// Index into the cost table, below [`WORK_KINDS_MAX`]; unique within a machine.
    pub index: u8,
    /// Name in cost tables and metrics.
    pub name: &'static str,
}

/// Service time of each kind of work, picoseconds per unit. Picoseconds, because a byte copied
/// costs well under a nanosecond.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Costs(pub [u64; WORK_KINDS_MAX]);

/// How listeners take connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Slots {
    /// As they come.
    Unlimited,
    /// At most so many open at once on this listener; further ones wait in the listen queue, whose
    /// kernel completes handshakes and takes data on its own. 0 takes none.
    AtMost(u32),
}

/// A listener to open.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listen {
    /// Where.
    pub at: crate::Endpoint,
    /// Most finished handshakes waiting to be accepted (the kernel's queue).
    pub backlog: u32,
    /// How many connections the machine takes at once.
    pub slots: Slots,
}

impl Listen {
    /// Default length of the queue of finished handshakes, as memcached's `-b`.
    pub const BACKLOG: u32 = 1024;

    /// Listens at `at` with the default backlog and no limit on slots.
    pub fn at(at: impl Into<crate::Endpoint>) -> Self {
        Self { at: at.into(), backlog: Self::BACKLOG, slots: Slots::Unlimited }
    }
}

/// Which side of a TLS handshake we are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Tls {
    /// Present the certificate that the driver was given.
    Server,
    /// The same, but ask the peer for a certificate, or do not, whatever the driver was told.
    ServerAsking {
        /// Whether the peer must show a certificate that the driver trusts.
        certificate: bool,
    },
    /// Verify the peer against this name and the driver's trusted roots.
    Client {
        /// Expected name of the server.
        name: String,
    },
}
