//! The contract itself: what a machine is told, and how it ends.

use crate::{Conn, Cx, DiskResult, Endpoint, IpAddr, Token};
use bytes::BytesMut;
use core::fmt;

/// One process of a distributed system, as a state machine: no socket, file, clock, thread, entropy
/// or environment. It is told what happened through these methods and acts through [`Cx`].
///
/// Every method runs to its end without interruption. Methods come in families:
///
/// * **life**: [`start`](Self::start), [`signal`](Self::signal), [`stop`](Self::stop);
/// * **connections**: [`open`](Self::open), [`data`](Self::data), [`eof`](Self::eof),
///   [`drained`](Self::drained), [`secured`](Self::secured), [`gone`](Self::gone),
///   [`failed`](Self::failed);
/// * **completions**: [`timer`](Self::timer), [`disk`](Self::disk), [`resolved`](Self::resolved),
///   [`bound`](Self::bound), [`datagram`](Self::datagram);
/// * **inspection**, which changes nothing: [`invariants`](Self::invariants),
///   [`memory`](Self::memory), [`counters`](Self::counters).
///
/// Order of a connection's events: `open` first, then any of `data`, `drained`, `secured`; `eof` at
/// most once and after all data; `gone` exactly once and last. A connect that does not come up gets
/// `failed` in place of all of these.
///
/// Input from outside must never panic; a panic means a bug in the machine.
pub trait Machine: Send + 'static {
    /// Begin. Memory is empty; the disk holds what survived earlier lives.
    fn start(&mut self, cx: &mut Cx, boot: Boot);

    /// A polite request to end (SIGTERM, SIGINT). A machine may finish work first, and calls
    /// [`Cx::exit`] when it has; the default does so at once.
    fn stop(&mut self, cx: &mut Cx) {
        cx.exit(Exit::Stopped);
    }

    /// The operator wants something other than the end. The default does nothing.
    fn signal(&mut self, cx: &mut Cx, signal: Signal) {
        let _ = (cx, signal);
    }

    /// A connection is up: accepted on a listener, or our connect came through.
    fn open(&mut self, cx: &mut Cx, conn: Conn, how: Open) {
        let _ = (cx, conn, how);
    }

    /// Bytes arrived. `rx` holds everything not yet eaten, in order: take whole frames from the
    /// front, leave the rest. Called again only when more arrives or the connection is resumed, so
    /// eat all that can be eaten. Leaving [`Limits::rx_bytes_max`](crate::Limits) or more is a bug,
    /// because nothing more would ever be read: pause, or close a peer whose frame cannot fit.
    fn data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        let _ = (cx, conn);
        rx.clear();
    }

    /// The peer finished sending (half-close); all of its data has been delivered. The default
    /// closes our side after the pending output.
    fn eof(&mut self, cx: &mut Cx, conn: Conn) {
        cx.close(conn, Close::Flush);
    }

    /// Pending output, having been above [`Limits::tx_high`](crate::Limits), fell to
    /// [`Limits::tx_low`](crate::Limits) or below: time to produce more.
    fn drained(&mut self, cx: &mut Cx, conn: Conn) {
        let _ = (cx, conn);
    }

    /// TLS asked for with [`Cx::start_tls`] is up. Data before this was clear text, data after it
    /// is not.
    fn secured(&mut self, cx: &mut Cx, conn: Conn) {
        let _ = (cx, conn);
    }

    /// The last event of this connection. The slot may be reused right after.
    fn gone(&mut self, cx: &mut Cx, conn: Conn, why: Gone) {
        let _ = (cx, conn, why);
    }

    /// A connect did not come up.
    fn failed(&mut self, cx: &mut Cx, connect: Token, why: Gone) {
        let _ = (cx, connect, why);
    }

    /// A timer set with [`Cx::after`] or [`Cx::at`] came due. Timers due at the same instant fire
    /// in the order in which they were set.
    fn timer(&mut self, cx: &mut Cx, timer: Token) {
        let _ = (cx, timer);
    }

    /// A disk operation completed. See [`disk`](crate::disk) for order and durability.
    fn disk(&mut self, cx: &mut Cx, op: Token, result: DiskResult) {
        let _ = (cx, op, result);
    }

    /// A name look-up completed: at least one address, in order of preference.
    fn resolved(&mut self, cx: &mut Cx, lookup: Token, result: Result<Vec<IpAddr>, ResolveError>) {
        let _ = (cx, lookup, result);
    }

    /// An address asked for with [`Cx::take_address`] is this host's now, or could not be had.
    fn addressed(&mut self, cx: &mut Cx, ip: IpAddr, result: Result<(), AddressError>) {
        let _ = (cx, ip, result);
    }

    /// A listener or datagram socket is ready, at the address it really has (port 0 replaced), or
    /// could not be had. The default ends the process on an error: a server that cannot listen
    /// should say so.
    fn bound(&mut self, cx: &mut Cx, socket: Token, result: Result<Endpoint, BindError>) {
        let _ = socket;
        if result.is_err() {
            cx.exit(Exit::Failed("cannot listen on the address asked for"));
        }
    }

    /// A datagram arrived on a socket opened with [`Cx::bind_datagram`].
    fn datagram(&mut self, cx: &mut Cx, socket: Token, from: crate::Addr, bytes: &[u8]) {
        let _ = (cx, socket, from, bytes);
    }

    /// Asserts what must hold between any two calls. Drivers call it after every step in tests and
    /// simulation.
    fn invariants(&self) {}

    /// Bytes of memory that the machine holds beyond its connections' buffers. The simulator holds
    /// it against the host's memory.
    fn memory(&self) -> u64 {
        0
    }

    /// Names and values of the machine's counters, for metrics and reports.
    fn counters(&self, each: &mut dyn FnMut(&'static str, u64)) {
        let _ = each;
    }
}

/// Which life of which host begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Boot {
    /// The host's number; 0 on the real runtime.
    pub host: u32,
    /// Which of the processes that share a port this is, from 0.
    pub worker: u32,
    /// How many times this process was started before. Higher after every exit, kill and power cut
    /// in the simulator; always 0 on the real runtime, which cannot know.
    pub incarnation: u32,
}

/// What an operator may want of a running process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signal {
    /// Read options or secrets again (SIGHUP).
    Reload,
    /// What the program documents for it, such as leaving its memory to a successor (SIGUSR1).
    User1,
}

impl Signal {
    /// Its name in logs and traces.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reload => "SIGHUP",
            Self::User1 => "SIGUSR1",
        }
    }
}

/// How a connection came to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Open {
    /// Taken from a listener's queue.
    Accepted {
        /// The token given to [`Cx::listen`].
        listener: Token,
        /// Who connected.
        peer: Endpoint,
    },
    /// Our own connect came through.
    Connected {
        /// The token given to [`Cx::connect`].
        connect: Token,
    },
}

/// How a machine closes a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Close {
    /// Half-close: send the pending output, then FIN; go on reading.
    Write,
    /// Send the pending output, then FIN; further input is thrown away. `gone(Closed)` follows when
    /// the peer has closed too, or [`Limits::linger`](crate::Limits) after the FIN, whichever is
    /// first. A peer that takes no output can put that off for ever: set a timer, and abort.
    Flush,
    /// Drop pending output and reset at once. `gone(Aborted)` follows.
    Abort,
}

/// Why a connection ended, or did not come up.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Gone {
    /// Both sides finished in order.
    Closed,
    /// We aborted it.
    Aborted,
    /// The peer reset it, or its host came back without knowing of it.
    Reset,
    /// No answer: a connect ran out of time, or sent data was never acknowledged.
    TimedOut,
    /// Nobody listens there.
    Refused,
    /// No way to that address.
    Unreachable,
    /// This host is out of sockets, ports or memory.
    NoResources,
    /// The peer broke the rules below the machine's protocol: clear text behind a TLS start, or a
    /// failed TLS handshake.
    Misbehaved,
    /// A file given to [`Tx::push_file`](crate::Tx::push_file) could not be read to its stated end.
    FileFailed,
}

/// Why a name has no address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ResolveError {
    /// The name does not exist.
    NotFound,
    /// The name service did not answer.
    Unavailable,
}

/// Why an address cannot be taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AddressError {
    /// The operating system refuses, or this driver has no way to move addresses.
    Denied,
}

/// Why a socket could not be bound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BindError {
    /// Another socket has the address.
    InUse,
    /// Not an address of this host.
    NotHere,
    /// The operating system refuses, or this driver has no such socket.
    Denied,
}

/// How a process ends of its own will.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// Asked to stop, or the work is done: exit status 0.
    Stopped,
    /// Cannot go on (a failed sync, no address to listen on): exit status 1 and the reason logged.
    Failed(&'static str),
}

impl Gone {
    /// A few words for messages and traces.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Aborted => "aborted by us",
            Self::Reset => "reset by peer",
            Self::TimedOut => "timed out",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::NoResources => "out of resources",
            Self::Misbehaved => "peer broke the rules",
            Self::FileFailed => "file could not be read",
        }
    }
}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

macro_rules! forward_to_inner {
    () => {
        fn start(&mut self, cx: &mut Cx, boot: Boot) {
            (**self).start(cx, boot);
        }
        fn stop(&mut self, cx: &mut Cx) {
            (**self).stop(cx);
        }
        fn signal(&mut self, cx: &mut Cx, signal: Signal) {
            (**self).signal(cx, signal);
        }
        fn open(&mut self, cx: &mut Cx, conn: Conn, how: Open) {
            (**self).open(cx, conn, how);
        }
        fn data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
            (**self).data(cx, conn, rx);
        }
        fn eof(&mut self, cx: &mut Cx, conn: Conn) {
            (**self).eof(cx, conn);
        }
        fn drained(&mut self, cx: &mut Cx, conn: Conn) {
            (**self).drained(cx, conn);
        }
        fn secured(&mut self, cx: &mut Cx, conn: Conn) {
            (**self).secured(cx, conn);
        }
        fn gone(&mut self, cx: &mut Cx, conn: Conn, why: Gone) {
            (**self).gone(cx, conn, why);
        }
        fn failed(&mut self, cx: &mut Cx, connect: Token, why: Gone) {
            (**self).failed(cx, connect, why);
        }
        fn timer(&mut self, cx: &mut Cx, timer: Token) {
            (**self).timer(cx, timer);
        }
        fn disk(&mut self, cx: &mut Cx, op: Token, result: DiskResult) {
            (**self).disk(cx, op, result);
        }
        fn resolved(
            &mut self,
            cx: &mut Cx,
            lookup: Token,
            result: Result<Vec<IpAddr>, ResolveError>,
        ) {
            (**self).resolved(cx, lookup, result);
        }
        fn addressed(&mut self, cx: &mut Cx, ip: IpAddr, result: Result<(), AddressError>) {
            (**self).addressed(cx, ip, result);
        }
        fn bound(&mut self, cx: &mut Cx, socket: Token, result: Result<Endpoint, BindError>) {
            (**self).bound(cx, socket, result);
        }
        fn datagram(&mut self, cx: &mut Cx, socket: Token, from: crate::Addr, bytes: &[u8]) {
            (**self).datagram(cx, socket, from, bytes);
        }
        fn invariants(&self) {
            (**self).invariants();
        }
        fn memory(&self) -> u64 {
            (**self).memory()
        }
        fn counters(&self, each: &mut dyn FnMut(&'static str, u64)) {
            (**self).counters(each);
        }
    };
}

impl<M: Machine + ?Sized> Machine for Box<M> {
    forward_to_inner!();
}
