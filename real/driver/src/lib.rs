//! Runs sans-IO machines on real sockets, files and clocks, over tokio; and, built with
//! `--cfg madsim`, on madsim, as a second opinion on the tasks below.
//!
//! [`run`] is a server: several processes on one port, with signals and metrics. [`spawn`] is one
//! process on a thread of this program, with a [`Handle`] to steer and inspect it. [`prepare`]
//! gives the process as a future, for other arrangements. All three are given a [`Host`].
//!
//! # Shape
//!
//! A process runs on one thread with a current-thread runtime. Its tasks share a `Worker`, whose
//! lock is taken for one *turn* at a time: read the clock once, feed inputs, carry out what the
//! process asks for, wake the connections that it touched.
//!
//! | module | holds |
//! |---|---|
//! | `worker` | what tasks share; turns; effects; the life of a process |
//! | `link` | the task of one connection: rounds of write and read, ends, lingering, TLS |
//! | `listen`, `connect` | how connections come to be; accepting only while there is a free slot |
//! | `alarm`, `bell` | the one timer |
//! | `datagram`, `resolve` | datagram sockets, name look-up |
//! | `address` | addresses that move, by a command of the operator's |
//! | `disk` | the executor, ordered per file; files of the system, or memory under madsim |
//! | `net` | sockets of tokio or of madsim with one face |
//! | `process`, `thread`, `service`, `metrics` | what users of this crate see |
//! | `listening` | servers as child processes, for tests and benches |
//!
//! What a message costs beside its read, its write and its share of the wait for events: no lock
//! that anybody contends for, no allocation, no copy between socket and process, one reading of the
//! clock, and a timer is armed only if it has to ring earlier than before.
//!
//! # Rejected
//!
//! * One loop over all connections in place of a task for each: the runtime's queue is that loop,
//!   and TLS, connects and accepts fit into it as they are.
//! * `Rc` and a local task set in place of the lock: madsim has none, and an uncontended lock is
//!   lost in the noise of a system call.
//! * `SO_REUSEPORT` to spread connections over workers: a connection would wait in the queue of a
//!   busy worker, or of one without a free slot, while others are idle.
//! * The runtime's timers for the machine's: they round up to a millisecond, and one that is set
//!   makes every wait dearer.
//! * Copying input through a buffer of the driver: it is read where the machine eats it.
//!
//! # Not done
//!
//! io_uring, `sendfile`, busy polling, pinning threads to cores, keep-alive probes (a peer that
//! vanishes is noticed by unacknowledged output, after the system's own time), Windows.

#![deny(unsafe_code)] // one call in `bell` has no safe form

mod address;
mod alarm;
mod bell;
mod clock;
mod connect;
mod datagram;
mod disk;
mod error;
mod host;
mod link;
mod listen;
#[cfg(not(madsim))]
mod listening;
#[cfg(not(madsim))]
mod metrics;
mod net;
mod process;
mod resolve;
#[cfg(not(madsim))]
mod service;
#[cfg(not(madsim))]
mod thread;
mod worker;

pub use clock::Clock;
#[cfg(madsim)]
pub use disk::MemoryDisk;
pub use host::Host;
#[cfg(not(madsim))]
pub use listening::{Listening, Running, nobodys_address};
#[cfg(not(madsim))]
pub use net::ServerTls;
pub use net::TlsConfigs;
pub use process::{Control, Ending, prepare};
#[cfg(not(madsim))]
pub use service::{Options, run};
#[cfg(not(madsim))]
pub use thread::{Handle, spawn};
