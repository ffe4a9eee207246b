//! Models: what drives the components, and what stands behind them.
//!
//! Machines like the components, so that they run in the simulator and on real sockets alike. Their
//! numbers all come from the scenario file.
//!
//! | module | holds |
//! |---|---|
//! | [`kinds`] | the kinds of loads and models, and what the rest of the crate knows of them |
//! | [`app`] | application servers: the skeleton of the caching workloads |
//! | [`workloads`] | what their jobs do, one file each |
//! | [`sharded`] | application servers of a site whose users are spread over shards |
//! | [`moves`] | application servers whose users are moved from shard to shard |
//! | [`guestbook`] | application servers whose messages are stored twice |
//! | [`watch`] | servers that watch the health of caches |
//! | [`web_pages`] | web servers that read rows through a cache |
//! | [`slab_table`] | slab classes from their options, and what they waste |
//! | [`slow_reader`] | one large value, read slowly while it is overwritten |
//! | [`database`] | a database with a stated number of slots and a stated service time |
//! | [`keys`] | which key is asked for next |
//! | [`series`] | counts in buckets of time |
//! | [`visits`] | which user asks for what next |
//! | [`pages`], [`http`] | asking web servers for pages, and the bytes of it |
//! | [`query`] | the bytes between the two models |
//! | [`results`] | what they measured |

pub mod app;
pub mod database;
mod db_link;
pub mod guestbook;
pub mod http;
pub mod keys;
pub mod kinds;
pub mod moves;
pub mod pages;
pub mod query;
pub mod results;
pub mod series;
pub mod sharded;
pub mod slab_table;
pub mod slow_reader;
pub mod visits;
pub mod watch;
pub mod web_pages;
pub mod workloads;

pub use kinds::{Boxed, Measures};
pub use results::Results;

/// Most different keys of a load.
pub const KEYS_MAX: u64 = 10_000_000;
/// Most users of a closed loop.
pub const USERS_MAX: u64 = 1_000_000;
/// Most pages under way at once on one host.
pub const PAGES_MAX: u64 = 1_000_000;

// Keys, users and pages are numbered in 32 bits.
const _: () = assert!(KEYS_MAX <= u32::MAX as u64);
const _: () = assert!(USERS_MAX <= u32::MAX as u64);
const _: () = assert!(PAGES_MAX <= u32::MAX as u64);
