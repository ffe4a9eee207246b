//! memcached as sans-IO machines: server, client, protocol, placement.
//!
//! [`Server`] is a [machine](storytime_machine::Machine): give it the options of a command line and
//! a data set, put it in a [process](storytime_machine::Process), and any driver can run it.
//! [`Client`] is a part for other machines: it keeps connections to many servers and places keys on
//! them as the original libraries do.
//!
//! ```
//! use storytime_machine::{Process, Rng, Setup};
//! use storytime_memcached::{Config, Server};
//!
//! let config = Config::from_words(&["-m", "1024", "-p", "11211"])?;
//! let setup = Setup { limits: config.limits(), ..Setup::new(Rng::new(2007, 0)) };
//! let process = Process::new(Server::alone(config), setup);
//! # let _ = process;
//! # Ok::<(), storytime_memcached::config::UsageError>(())
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`server`] | the machine: connections, limits, counters |
//! | [`text`] | the text protocol, classic and meta, one file per command or small family |
//! | [`binary`] | the binary protocol, one file per command or small family |
//! | [`udp`] | both of them in datagrams |
//! | [`cache`] | items, memory limit, eviction; knows no protocol |
//! | [`shared`] | what several workers of one server share: shards of the store, clock, counters |
//! | [`auth`] | names and passwords |
//! | [`config`] | the command line |
//! | [`clock`] | seconds and expiry times |
//! | [`client`] | connections to many servers, and the placement of keys |
//!
//! # Where it differs from the original
//!
//! Compared with memcached 1.6.45, byte for byte on the same streams. Where the two differ:
//!
//! | request | the original | here |
//! |---|---|---|
//! | `flush_all`, then `flush_all <delay>` before flushed items were met | they can be read again | flushed stays flushed |
//! | over-long key in a retrieval behind other requests in one packet | the replies to those are lost, and a stray line end is sent | every reply is sent |
//! | over-long key in a get of more than 2,048 bytes | only the error is sent | hits so far, then the error in place of `END` |
//! | flags or exptime beyond 32 bits in a storage line | cut to 32 bits and stored | `CLIENT_ERROR bad command line format` |
//! | peer closes its side within a data block | earlier replies in the same packet are lost | they are sent |
//! | line above 2,048 bytes that arrives in one packet | may still be served | always closed, however it was cut |
//! | long line with leading spaces before `get` | `ERROR` once it is whole | closed |
//! | `flush_all <date in the past>` | flushes what was last used before that date | flushes everything |
//! | storage command whose data block is slow to come | its whole length is taken at once | as much as has come |
//! | `gets` | versions count every attempt to store | versions count what was stored |
//! | `add` over an item, whole in one packet, on a full server that may not evict | `SERVER_ERROR out of memory storing object` | `NOT_STORED` |
//! | `delete` with more words behind its key than `0` and `noreply` | deletes the key | `CLIENT_ERROR bad command line format`, as releases up to 1.6.18 |
//! | a lone `-` where a number is to be | 0 | refused |
//! | `me <key> b` | never finds anything | finds the item |
//! | meta command with an over-long opaque token | refused after touching, counting or making the item | refused before anything is done |
//! | `k` of an item that was stored by a key in base64 | in base64, however it is asked for | as in the request |
//! | `t` behind a `T` that lies in the past | a number near 2³² | `t0` |
//! | `mg` and `ma` that make an item | counted as no `cmd_set` | counted as one |
//! | log-in whose line ends with a bare line feed | its length lacks the last digit | its length is read |
//!
//! For operators:
//!
//! | what | the original | here |
//! |---|---|---|
//! | no `-l` | every IPv4 and IPv6 address | every IPv4 address; `-l ::` for both |
//! | host names in `-l` | resolved | numeric addresses, `*` and `localhost` |
//! | `-u` | any user the system knows | those of `/etc/passwd` |
//! | `-d` | forks | starts itself again, and returns when that listens |
//! | `-e` | maps the file, and leaves it | reads and removes it at the start, writes it at a graceful end |
//! | `ssl_*` | OpenSSL | TLS 1.2 with forward secrecy and TLS 1.3; keys in PEM |
//! | `lru_crawler crawl <ids>` | walks the classes named | walks all |
//! | `lru_crawler metadump`, `mgdump` | one at a time, as fast as can be | any number, as their readers read |
//! | `lru_crawler sleep`, `tocrawl` | slow the crawler down | shown; it works in short pieces |
//! | `watch rawcmds` | silent | shows requests |
//! | `watch proxyreqs` and its kin | of the built-in proxy | taken, and silent |
//! | `stats conns` | numbers are file descriptors | numbers count connections, from 1 |
//! | `stats`: response objects, read buffers | its own pools | 0: there are none, nor a limit on them |
//! | `stats`: `hash_power_level` | its table | what that table would have; ours has no such size |
//! | `stats detail` | prefixes without bound | 10,000 prefixes |
//! | `slabs automove freeratio` | of external storage | checked, without effect |
//! | `debugtime` | in debug builds | always there |
//!
//! # Not modelled
//!
//! External storage, the built-in proxy, the debug commands `debugitem` and `misbehave`.

#![forbid(unsafe_code)]

mod admin;
pub mod auth;
pub mod binary;
pub mod cache;
pub mod client;
pub mod clock;
pub mod config;
mod ops;
mod restart;
mod sending;
pub mod server;
mod session;
pub mod shared;
mod speaks;
pub mod text;
pub mod udp;

pub use client::Client;
pub use config::Config;
pub use ops::{Bound, CpuTime, Nowhere, Surroundings};
pub use server::Server;
pub use shared::Shared;

/// What `version` answers: the release of the original whose behaviour is followed, and ours.
pub const VERSION: &str = concat!("1.6.45-storytime-", env!("CARGO_PKG_VERSION"));
