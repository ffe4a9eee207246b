//! What the front ends of a connection work with while it is being served.

use crate::clock::{Epoch, Seconds};
use crate::config::Config;
use crate::ops::Card;
use crate::shared::Shared;
use std::sync::Arc;
use storytime_machine::{Endpoint, Tx, WallTime};

/// What one call of a protocol's `serve` works with.
pub(crate) struct Session<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) config: &'a Config,
    pub(crate) tx: &'a mut Tx,
    pub(crate) epoch: Epoch,
    pub(crate) now: Seconds,
    /// For the lines of watchers.
    pub(crate) wall: WallTime,
    /// Pending output above which nothing more is parsed.
    pub(crate) tx_high: usize,
    /// Values above this many bytes are sent by and by, from a pin, and not copied at once.
    pub(crate) copy_bytes_max: usize,
    /// `-R`: requests after which others get their turn.
    pub(crate) requests_max: u64,
    pub(crate) tally: Tally,
    /// The connection.
    pub(crate) link: &'a mut Link,
}

/// What a server knows of one connection, whatever it speaks.
#[derive(Debug)]
pub(crate) struct Link {
    /// Number in logs and `stats conns`, unique within the server.
    pub(crate) id: u64,
    pub(crate) peer: Endpoint,
    /// Which of [`Config::listeners`] it came in by.
    pub(crate) listener: usize,
    /// Whether it may do more than log in.
    pub(crate) authenticated: bool,
    /// Whether a log-in was begun and awaits its message.
    pub(crate) challenged: bool,
    /// It said good-bye: its end is no error.
    pub(crate) quit: bool,
    /// What others may see of it.
    pub(crate) card: Arc<Card>,
}

impl Link {
    /// A connection that came in by a listener.
    pub(crate) const fn new(id: u64, peer: Endpoint, listener: usize, card: Arc<Card>) -> Self {
        Self { id, peer, listener, authenticated: false, challenged: false, quit: false, card }
    }
}

/// Work done in one call, for the account of CPU time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) requests: u64,
    pub(crate) lookups: u64,
}

/// Why `serve` stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// What is left is no whole frame.
    AwaitInput,
    /// The peer does not read its replies: go on when it does.
    SlowReader,
    /// It waits for something of the server's own: go on at the next tick.
    AwaitTick,
    /// It had its turn, and there is more: go on when the others had theirs.
    Yield,
    /// The connection is to be closed behind the pending replies.
    HangUp,
    /// The whole server is to end: `shutdown`; gracefully if so.
    Shutdown {
        /// `shutdown graceful`: as SIGUSR1 does.
        graceful: bool,
    },
}

impl Session<'_> {
    /// Whether others are to be served before more is parsed.
    pub(crate) const fn had_its_turn(&self) -> bool {
        self.tally.requests >= self.requests_max
    }

    pub(crate) fn reader_is_slow(&self) -> bool {
        self.tx.pending() > self.tx_high
    }
}
