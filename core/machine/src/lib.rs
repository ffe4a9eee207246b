//! The contract between state machines and the drivers that run them.
//!
//! A *machine* is one process of a distributed system without any input or output of its own: it is
//! told what happened through [`Machine`] and acts through [`Cx`]. A *driver* (the simulator, or
//! the tokio runtime) moves bytes and completions through [`Drive`]. Neither knows the other's
//! kind, so the same machine runs unchanged in both.
//!
//! Start with [`Machine`], then [`Cx`]; a driver's author reads [`Drive`] and [`Effect`].
//!
//! | module | holds |
//! |---|---|
//! | [`machine`] | the contract: what a machine is told |
//! | [`cx`] | what a machine can do |
//! | [`tx`] | the output of a connection |
//! | [`drive`], [`process`] | the shell that every driver shares |
//! | [`effect`] | what a process asks of its driver |
//! | [`disk`] | disk operations, order, durability |
//! | [`limits`] | byte caps, water marks, listeners, kinds of work |
//! | [`time`], [`addr`], [`token`], [`rng`], [`hash`], [`buggify`] | the small vocabulary |
//! | [`usage`] | what is wrong with a command line |
//!
//! # What each driver does for each effect
//!
//! | effect | simulator | tokio | madsim |
//! |---|---|---|---|
//! | listen, slots, backlog | SYN and accept queues of the modelled kernel | `listen(2)`; accepts only while slots are free | accepts only while slots are free; no backlog: a connect comes up when it is accepted |
//! | connect, time-out | SYN with retries over the modelled path | `connect(2)` under a timer | `connect` under a timer |
//! | output | bytes cut at arbitrary places, window, bandwidth | `writev(2)` | write and flush |
//! | pause | the receive window fills | the socket is not read | the socket is not read; madsim has no window |
//! | close: write, flush, abort | FIN; FIN and linger; RST | `shutdown(2)`; and linger; `SO_LINGER` 0 | a FIN frame of our own; and linger; a reset frame |
//! | file to connection | read-ahead through the modelled disk | read-ahead through the disk executor | the same, over memory |
//! | TLS | a handshake of two round trips, bytes not transformed | rustls | `Misbehaved` at once |
//! | name look-up | the world's table, with latency and outages | hosts given, then the system's resolver | the hosts given |
//! | take and release an address | the host that others send packets for it to, 20 ms later | a command of the operator's, or `Denied` | `Denied` |
//! | unix sockets | as TCP on the host itself | unix sockets | `bound(Denied)`, `failed(Unreachable)` |
//! | datagrams | loss, duplication, reordering | UDP | UDP |
//! | disk | the modelled disk, with its profile of lies | `pread`, `pwrite`, `fsync` on a bounded executor | memory |
//! | work | service time on the host's cores | a counter | a counter |
//! | exit | the host's process ends; its sockets close | the driver returns | the driver returns |
//!
//! # Not modelled
//!
//! Threads inside a machine, signals other than stop, reload and user-defined, shared memory,
//! multicast, urgent data, socket options beyond those named.

#![forbid(unsafe_code)]

pub mod addr;
pub mod buggify;
pub mod cx;
pub mod disk;
pub mod drive;
pub mod effect;
pub mod hash;
pub mod limits;
pub mod machine;
mod pass;
pub mod process;
pub mod rng;
mod slot;
pub mod time;
mod timers;
pub mod token;
pub mod tx;
pub mod usage;

pub use addr::{ANY, Addr, Endpoint, IpAddr, Ipv4Addr, Ipv6Addr};
pub use bytes::{Buf, BufMut, Bytes, BytesMut};
pub use core::time::Duration;
pub use cx::{Cx, DatagramTooLong};
pub use disk::{DiskError, DiskOk, DiskOp, DiskResult, IO_BYTES_MAX};
pub use drive::Drive;
pub use effect::{Breach, Closing, Effect, OpKey, Output, View};
pub use limits::{
    Costs, DATAGRAM_BYTES_MAX, FILE_CHUNK_BYTES, Limits, Listen, PUSH_COPY_BYTES_MAX, Slots, Tls,
    WORK_KINDS_MAX, Work,
};
pub use machine::{
    AddressError, BindError, Boot, Close, Exit, Gone, Machine, Open, ResolveError, Signal,
};
pub use process::{Process, Setup};
pub use rng::{Ratio, Rng};
pub use time::{Now, Time, WallTime, nanos};
pub use token::{Conn, FileId, Token};
pub use tx::Tx;
pub use usage::UsageError;
