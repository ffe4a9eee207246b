//! One local address in front of many memcached servers, as a sans-IO machine.
//!
//! [`Proxy`] is a [machine](storytime_machine::Machine). Give it a [`Config`]; clients speak the
//! text, meta and binary protocols to it as to a server.
//!
//! ```
//! use storytime_machine::{Process, Rng, Setup};
//! use storytime_mcproxy::{Command, Proxy};
//!
//! let words = ["-p", "11311", "--servers", "cache1:11211,cache2:11211", "--placement", "ketama"];
//! let Ok(Command::Serve(config)) = Command::from_words(&words) else { panic!("a short form") };
//! let setup = Setup { limits: config.limits(), ..Setup::new(Rng::new(2007, 0)) };
//! let process = Process::new(Proxy::new(config).expect("a good config"), setup);
//! # let _ = process;
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`config`] | what a proxy is told; its command line |
//! | [`table`] | from routes by name to plans by prefix |
//! | [`proxy`] | the machine: who connects, what comes in |
//! | `front` | requests off a client's input, as far as routing needs it |
//! | `client` | one client's place in the order of replies |
//! | `routes`, `jobs` | requests under way, failover, several servers at once |
//! | `flights` | equal reads that become one |
//! | `warm`, `all`, `split` | copies between pools; requests for all servers; large values |
//! | `backends` | connections to servers, for each pool and protocol |
//! | `dress` | from a server's reply to what one client awaits |
//! | `setup` | configs come into use while requests are under way |
//! | `stats` | what is counted |
//!
//! # How it works, and what was rejected
//!
//! **Requests are passed on, not translated.** A text client is served over text connections to the
//! servers, a binary one over binary connections. What a server says reaches the client byte for
//! byte, so the proxy is as conformant as the servers behind it. Rejected: one inner protocol for
//! all, as moxi has it; every difference between the protocols would be one to imitate.
//!
//! **Every request that leaves is answered.** `noreply`, the meta `q` and quiet opcodes are for the
//! client's side only. So a reply is always the reply to the oldest request of its connection, and
//! one client's mistake cannot put another's replies out of step. Rejected: passing quiet requests
//! on with a barrier behind; it saves bytes and makes errors anybody's.
//!
//! **Bad requests end here**, in the server's words: a server that would take a data block for
//! commands must never see it.
//!
//! **Keys of a retrieval leave one by one.** They are found in the table of keys under way, where
//! equal reads of all clients meet, and they may go to different servers anyway. Rejected: one
//! request per server and retrieval; it saves a few bytes per key and shares nothing.
//!
//! **Order.** Replies to one client are in the order of its requests. All requests on one key leave
//! on one connection per server and protocol, in the order in which they came in, whoever sent
//! them. Requests for all servers wait for what was asked before them, and what comes after waits.
//!
//! **Bounds.** A client that does not read is not read from; one for which more than 64 MiB have
//! piled up is hung up on. A server that does not answer costs its clients at most the connect and
//! request time-outs of each pool that their route tries.
//!
//! # Where it differs from a server
//!
//! | request | a server | here |
//! |---|---|---|
//! | `stats` | its own | amounts of all servers added up; `stats proxy` is the proxy's own |
//! | `version` | its own | the proxy's |
//! | `flush_all`, `verbosity` | one | all servers, one after the other for this client |
//! | `slabs`, `lru`, `lru_crawler`, `watch`, `cache_memlimit`, `shutdown` | served | `CLIENT_ERROR` |
//! | SASL | served | unknown command |
//! | a read while its server is away | | a miss or an error, as the route says |
//! | a write while its server is away | | `SERVER_ERROR proxy: …`, or status 0x86 |
//! | equal reads at the same time | each reads | one reads; see [`proxy`] |
//!
//! # Not modelled
//!
//! UDP, TLS, authentication, a log of deletes for servers that are away, a cache of its own.

#![forbid(unsafe_code)]

mod all;
mod backends;
mod client;
pub mod config;
mod dress;
mod flights;
mod front;
mod jobs;
pub mod proxy;
mod rate;
mod routes;
mod setup;
mod split;
mod stats;
pub mod table;
mod warm;

pub use config::words::{Command, FileCommand, HELP};
pub use config::{Config, ConfigError, Place};
pub use proxy::Proxy;
pub use setup::Loader;

/// What `version` answers.
pub const VERSION: &str = storytime_memcached::VERSION;
