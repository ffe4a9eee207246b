//! Who is connected: what one connection may see of the others.

use crate::clock::Seconds;
use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use storytime_machine::Endpoint;

/// What a connection is doing, in the original's words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stage {
    /// A listener.
    Listening,
    /// Awaits a request.
    #[default]
    Read,
    /// Is being served.
    Parse,
    /// Awaits the rest of a value.
    Value,
    /// Throws away the rest of a value.
    Swallow,
    /// Its peer does not read.
    Write,
    /// Watches, or is shown keys.
    Watch,
}

impl Stage {
    const ALL: [Self; 7] = [
        Self::Listening,
        Self::Read,
        Self::Parse,
        Self::Value,
        Self::Swallow,
        Self::Write,
        Self::Watch,
    ];

    /// Its name in `stats conns`.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Listening => "conn_listening",
            Self::Read => "conn_read",
            Self::Parse => "conn_parse_cmd",
            Self::Value => "conn_nread",
            Self::Swallow => "conn_swallow",
            Self::Write => "conn_mwrite",
            Self::Watch => "conn_watch",
        }
    }
}

/// What the others may see of a connection or listener.
#[derive(Debug)]
pub(crate) struct Card {
    /// The peer; where it listens, for a listener.
    pub(crate) at: Endpoint,
    /// Where it came in; `None` for a listener.
    pub(crate) listener: Option<Endpoint>,
    /// Datagrams.
    pub(crate) udp: bool,
    last_command: AtomicU32,
    stage: AtomicU8,
}

impl Card {
    pub(crate) fn new(at: Endpoint, listener: Option<Endpoint>, udp: bool, now: Seconds) -> Self {
        let stage = if listener.is_none() && !udp { Stage::Listening } else { Stage::Read };
        Self {
            at,
            listener,
            udp,
            last_command: AtomicU32::new(now.0),
            stage: AtomicU8::new(stage as u8),
        }
    }

    /// Second of the server's clock in which it last sent a command.
    pub(crate) fn last_command(&self) -> Seconds {
        Seconds(self.last_command.load(Ordering::Relaxed))
    }

    #[inline]
    pub(crate) fn set_last_command(&self, now: Seconds) {
        self.last_command.store(now.0, Ordering::Relaxed);
    }

    pub(crate) fn stage(&self) -> Stage {
        Stage::ALL[usize::from(self.stage.load(Ordering::Relaxed))]
    }

    #[inline]
    pub(crate) fn set_stage(&self, stage: Stage) {
        self.stage.store(stage as u8, Ordering::Relaxed);
    }
}

/// Every listener and connection of a server, by its number.
#[derive(Debug, Default)]
pub(crate) struct Cards {
    last: AtomicU64,
    all: Mutex<BTreeMap<u64, Arc<Card>>>,
}

impl Cards {
    /// Enters one under a new number, which counts up from 1.
    pub(crate) fn enter(&self, card: Card) -> (u64, Arc<Card>) {
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let card = Arc::new(card);
        super::lock(&self.all).insert(id, Arc::clone(&card));
        (id, card)
    }

    /// Takes one out again.
    pub(crate) fn leave(&self, id: u64) {
        super::lock(&self.all).remove(&id);
    }

    /// All of them, in the order in which they came.
    pub(crate) fn all(&self) -> Vec<(u64, Arc<Card>)> {
        super::lock(&self.all).iter().map(|(&id, card)| (id, Arc::clone(card))).collect()
    }
}
