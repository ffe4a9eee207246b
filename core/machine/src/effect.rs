//! What a process asks of its driver.

use crate::{Addr, Conn, DiskOp, Endpoint, Exit, IpAddr, Listen, Time, Tls, Token};
use bytes::Bytes;
use core::time::Duration;

/// One request to the driver. Requests come out in the order in which the machine made them; what
/// concerns a connection's bytes, pausing and closing does not come as effects but as
/// [`Drive::next_dirty`](crate::Drive::next_dirty) with a [`View`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Open a listener; answer with `bound`.
    Listen {
        /// Names the listener.
        listener: Token,
        /// Where and how.
        listen: Listen,
    },
    /// Close a listener. Connections in its queue are reset; accepted ones stay.
    Unlisten {
        /// Which.
        listener: Token,
    },
    /// Whether the listener takes connections now: start or stop accepting.
    Accept {
        /// Which.
        listener: Token,
        /// Take them, or leave them in the queue.
        on: bool,
    },
    /// Connect; answer with `connected` or `failed`, within the time-out.
    Connect {
        /// Names the attempt.
        connect: Token,
        /// Where to.
        to: Endpoint,
        /// From now until `failed(TimedOut)`.
        timeout: Duration,
    },
    /// Carry out a disk operation; answer with `disk_done` and the same key.
    Disk {
        /// Echoed in the completion.
        key: OpKey,
        /// What to do.
        op: DiskOp,
    },
    /// Open a datagram socket; answer with `bound`.
    BindDatagram {
        /// Names the socket.
        socket: Token,
        /// Local address.
        at: Addr,
    },
    /// Send a datagram; never answered.
    SendTo {
        /// From which socket.
        socket: Token,
        /// Where to.
        to: Addr,
        /// At most [`DATAGRAM_BYTES_MAX`](crate::DATAGRAM_BYTES_MAX) bytes.
        bytes: Bytes,
    },
    /// Look a name up; answer with `resolved`.
    Resolve {
        /// Names the look-up.
        lookup: Token,
        /// The name.
        name: String,
    },
    /// Make an address this host's; answer with `addressed`.
    TakeAddress {
        /// Which.
        ip: IpAddr,
    },
    /// Give an address up; never answered.
    ReleaseAddress {
        /// Which.
        ip: IpAddr,
    },
    /// Begin a TLS handshake on the connection; all clear-text output has left. Answer with
    /// `secured` or `gone(Misbehaved)`.
    StartTls {
        /// Which connection.
        conn: Conn,
        /// Our side of it.
        tls: Tls,
    },
    /// End the process. Output of this step is offered to the transport first; nothing more comes.
    Exit(Exit),
}

/// Who asked for a disk operation; drivers only echo it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OpKey {
    /// The machine.
    Machine(Token),
    /// The shell, reading ahead for a file on its way to a connection.
    SendFile(Conn),
}

/// What the driver has to know of a connection to move its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// Whether to read from the transport.
    pub read: bool,
    /// Bytes that may be written now.
    pub sendable: usize,
    /// How the connection is to end.
    pub closing: Closing,
}

/// How far a connection's end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// Open.
    No,
    /// Output remains; a FIN follows it.
    FlushThenFin,
    /// All output has left: send FIN, go on reading.
    Fin,
    /// All output has left: send FIN, throw input away, and report `gone(Closed)` when the peer's
    /// FIN arrives or [`Limits::linger`](crate::Limits) has passed.
    FinThenGone,
    /// Reset at once and report `gone(Aborted)`.
    Abort,
}

/// Something that must never happen and that the shell noticed: a bug of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Breach {
    /// Unread input above `rx_bytes_max`.
    UnreadInput {
        /// Whose.
        conn: Conn,
        /// How much.
        bytes: usize,
    },
    /// Pending output above `tx_bytes_max`.
    PendingOutput {
        /// Whose.
        conn: Conn,
        /// How much.
        bytes: usize,
    },
    /// All buffers together above `buffers_bytes_max`.
    Buffers {
        /// How much.
        bytes: usize,
    },
}

/// One thing that an input left to be seen to; see
/// [`Drive::next_output`](crate::Drive::next_output).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Carry this out.
    Effect(Effect),
    /// Look at this connection.
    Dirty(Conn),
    /// The machine has a bug.
    Breach(Breach),
    /// That was all.
    Nothing {
        /// When [`Drive::tick`](crate::Drive::tick) must be called at the latest.
        deadline: Option<Time>,
    },
}
