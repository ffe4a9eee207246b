//! Benches of the hot paths and comparisons with peers.
//!
//! What is shared by the benches in `benches/`, the programs in `src/bin/` and the test that counts
//! allocations. `README.md` has the figures and says how to get them again.
//!
//! | module | holds |
//! |---|---|
//! | [`echo`] | the echo machine and the callers that keep it busy |
//! | [`echo_world`] | both in a simulated world |
//! | [`echo_turmoil`] | the same work on turmoil; on madsim it is a package of its own, `madsim-echo/` |
//! | [`cache`] | a memcached server driven by hand, without sockets or world |
//! | [`append_log`] | a log on the simulated disk |
//! | [`epoll_echo`] | an echo server that does nothing but epoll, read and write |
//! | [`socket_load`] | load on loopback sockets: closed and open loop, round trips |
//! | [`memcached_load`] | requests for memcached and their replies |
//! | [`journal_writers`] | writers that wait for a journal's disk |
//! | [`cpu`] | cores to run on, CPU time of a process |
//! | [`turns`] | how many turns each side of a comparison has, and how long |
//! | [`spread`] | minimum, median and maximum of a few runs |
//!
//! What is not measured: TLS, unix sockets, datagrams.

#![forbid(unsafe_code)]

pub mod append_log;
pub mod cache;
pub mod cpu;
pub mod echo;
pub mod echo_turmoil;
pub mod echo_world;
pub mod epoll_echo;
pub mod journal_writers;
pub mod memcached_load;
pub mod socket_load;
pub mod spread;
pub mod turns;
