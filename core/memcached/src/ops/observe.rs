//! What front ends tell of what they do, for watchers and for counts per prefix.
//!
//! Every method is a load and a branch while nobody watches and no prefix is counted.

use super::prefixes::Event;
use super::watch::{Encoded, Stamp, Streams};
use crate::cache::{Evicted, Missed, View};
use crate::session::Session;
use core::fmt;
use storytime_machine::Endpoint;

/// How a store ended, in a watcher's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoreStatus {
    NotStored,
    Stored,
    Exists,
    NotFound,
    TooLarge,
    NoMemory,
}

impl StoreStatus {
    const fn as_str(self) -> &'static str {
        match self {
            Self::NotStored => "not_stored",
            Self::Stored => "stored",
            Self::Exists => "exists",
            Self::NotFound => "not_found",
            Self::TooLarge => "too_large",
            Self::NoMemory => "no_memory",
        }
    }
}

impl From<crate::cache::Stored> for StoreStatus {
    fn from(stored: crate::cache::Stored) -> Self {
        use crate::cache::Stored;
        match stored {
            Stored::Stored { .. } => Self::Stored,
            Stored::NotStored => Self::NotStored,
            Stored::Exists => Self::Exists,
            Stored::NotFound => Self::NotFound,
            Stored::TooLarge => Self::TooLarge,
            Stored::NoMemory => Self::NoMemory,
        }
    }
}

/// Why a connection ended, in a watcher's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Close {
    Error,
    Normal,
    IdleTimeout,
    Shutdown,
}

impl Close {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Normal => "normal",
            Self::IdleTimeout => "idle_timeout",
            Self::Shutdown => "shutdown",
        }
    }
}

impl Session<'_> {
    fn stamp(&self) -> Stamp {
        Stamp { micros: self.wall.0 / 1000 }
    }

    fn log(&self, stream: Streams, what: fmt::Arguments<'_>) {
        self.shared.ops.hub.log(stream, self.stamp(), what);
    }

    /// A request as it came in, without its line end.
    #[inline]
    pub(crate) fn observe_request(&self, line: &[u8]) {
        if self.shared.ops.hub.wants(Streams::RAWCMDS) {
            let shown = line.escape_ascii();
            self.log(Streams::RAWCMDS, format_args!("<{} {shown}", self.link.id));
        }
    }

    /// A key was asked for by `get` and its kin: counts per prefix, and tells watchers.
    #[inline]
    pub(crate) fn observe_get(&self, key: &[u8], found: Result<View<'_>, Missed>) {
        self.shared.ops.prefixes.count(key, Event::Get { hit: found.is_ok() });
        self.observe_lookup(key, found);
    }

    /// A key was looked up for whatever reason: tells watchers.
    #[inline]
    pub(crate) fn observe_lookup(&self, key: &[u8], found: Result<View<'_>, Missed>) {
        if self.shared.ops.hub.wants(Streams::FETCHERS) {
            self.log_lookup(key, found);
        }
    }

    #[cold]
    fn log_lookup(&self, key: &[u8], found: Result<View<'_>, Missed>) {
        let (status, class, size) = match found {
            Ok(item) => ("found", item.class(), item.value_len()),
            Err(Missed::Absent) => ("not_found", 0, 0),
            Err(Missed::Flushed) => ("flushed", 0, 0),
            Err(Missed::Expired) => ("expired", 0, 0),
        };
        let (key, cfd) = (Encoded(key), self.link.id);
        self.log(
            Streams::FETCHERS,
            format_args!(
                "type=item_get key={key} status={status} clsid={class} cfd={cfd} size={size}"
            ),
        );
    }

    /// A storage command is about to run on a key: counts per prefix, and tells watchers what is
    /// there. To be called without the lock of the key's shard.
    #[inline]
    pub(crate) fn observe_set(&self, key: &[u8]) {
        self.shared.ops.prefixes.count(key, Event::Set);
        if self.shared.ops.hub.wants(Streams::FETCHERS) {
            let (mut cache, keyed) = self.shared.shard(key);
            let found = cache.find(keyed, self.now);
            self.log_lookup(key, found.map(|item| cache.view(item)));
        }
    }

    /// A storage command ended. `command` is its name: `set`, `cas`, …; `ttl` seconds left to live,
    /// 0 for ever.
    #[inline]
    pub(crate) fn observe_store(
        &self,
        key: &[u8],
        status: StoreStatus,
        command: &str,
        (ttl, class, value_bytes): (u32, u8, u64),
    ) {
        if self.shared.ops.hub.wants(Streams::MUTATIONS) {
            let (key, cfd, status) = (Encoded(key), self.link.id, status.as_str());
            self.log(
                Streams::MUTATIONS,
                format_args!(
                    "type=item_store key={key} status={status} cmd={command} ttl={ttl} \
                     clsid={class} cfd={cfd} size={value_bytes}"
                ),
            );
        }
    }

    /// A key is to be deleted: counts per prefix.
    #[inline]
    pub(crate) fn observe_delete(&self, key: &[u8]) {
        self.shared.ops.prefixes.count(key, Event::Delete);
    }

    /// Whether somebody wants to know of deleted items, so that they must be looked at first.
    #[inline]
    pub(crate) fn watches_deletions(&self) -> bool {
        self.shared.ops.hub.wants(Streams::DELETIONS)
    }

    /// An item was deleted by `command`: `delete` or `md`.
    pub(crate) fn observe_deleted(&self, key: &[u8], command: &str, class: u8, value_bytes: usize) {
        let key = Encoded(key);
        self.log(
            Streams::DELETIONS,
            format_args!("type=deleted key={key} cmd={command} clsid={class} size={value_bytes}"),
        );
    }
}

impl super::Hub {
    /// An item was evicted.
    pub(crate) fn evicted(&self, at: Stamp, evicted: &Evicted) {
        let Evicted { key, fetched, ttl, idle, class, value_bytes, .. } = evicted;
        let (key, fetched) = (Encoded(key), if *fetched { "yes" } else { "no" });
        self.log(
            Streams::EVICTIONS,
            at,
            format_args!(
                "type=eviction key={key} fetch={fetched} ttl={ttl} la={idle} clsid={class} \
                 size={value_bytes}"
            ),
        );
    }

    /// A connection came or went.
    pub(crate) fn connection(&self, at: Stamp, peer: &Endpoint, id: u64, closed: Option<Close>) {
        if !self.wants(Streams::CONNEVENTS) {
            return;
        }
        let (ip, port, transport) = match peer {
            Endpoint::Tcp(addr) => (addr.ip().to_string(), addr.port(), "tcp"),
            Endpoint::Unix(_) => ("unix".to_owned(), 0, "local"),
        };
        let peer = format_args!("rip={ip} rport={port} transport={transport}");
        match closed {
            None => {
                self.log(Streams::CONNEVENTS, at, format_args!("type=conn_new {peer} cfd={id}"));
            }
            Some(why) => {
                let why = why.as_str();
                self.log(
                    Streams::CONNEVENTS,
                    at,
                    format_args!("type=conn_close {peer} reason={why} cfd={id}"),
                );
            }
        }
    }
}
