//! One replica, as its master sees it.

use crate::resp::ReplyReader;
use bytes::Bytes;
use storytime_journal::Lsn;
use storytime_machine::{Conn, Time};

/// Longest request of a replica, bytes.
const REQUEST_BYTES_MAX: usize = 4 << 10;

/// How a replica stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stand {
    /// The record before the next is being read: its digest must be this one.
    AwaitProof(u64),
    /// It gets content as soon as a snapshot can be had.
    AwaitSnapshot,
    /// It gets the content as of this record.
    Seeding(Lsn),
    /// It has all of the content as of this record, which is not durable here yet.
    AwaitDurable(Lsn),
    /// It gets records.
    Streaming,
}

#[derive(Debug)]
pub(super) struct Follower {
    pub(super) conn: Conn,
    /// Address without port, for reports.
    pub(super) ip: String,
    /// The port that it listens on.
    pub(super) port: u16,
    pub(super) stand: Stand,
    /// The next record that it gets.
    pub(super) next: Lsn,
    /// The last record that it has durable.
    pub(super) acked: Lsn,
    pub(super) heard: Time,
    /// While it is seeded: when it was last seen to take output.
    pub(super) moved: Time,
    /// Its unsent output at the last heartbeat.
    pub(super) unsent_bytes: usize,
    /// It gets no content before this, and how often that was put off.
    pub(super) rests_until: Time,
    pub(super) overruns: u32,
    pub(super) reader: ReplyReader,
    /// It is another master, gets what was written here alone, and is told how much of its own
    /// records was known here at the time.
    pub(super) mutual: Option<Lsn>,
}

impl Follower {
    pub(super) fn new(conn: Conn, ip: String, port: u16, next: Lsn, now: Time) -> Self {
        let reader = ReplyReader::new(REQUEST_BYTES_MAX);
        let stand = Stand::AwaitSnapshot;
        Self {
            conn,
            ip,
            port,
            stand,
            next,
            acked: Lsn(0),
            heard: now,
            moved: now,
            unsent_bytes: 0,
            rests_until: now,
            overruns: 0,
            reader,
            mutual: None,
        }
    }

    /// Notes how much of its output is unsent: less than before means that it takes what it gets.
    pub(super) fn note_unsent(&mut self, unsent_bytes: usize, now: Time) {
        if unsent_bytes < self.unsent_bytes {
            self.moved = now;
        }
        self.unsent_bytes = unsent_bytes;
    }

    pub(super) const fn is_being_seeded(&self) -> bool {
        matches!(self.stand, Stand::Seeding(_))
    }

    /// As Redis calls it.
    pub(super) const fn state(&self) -> &'static str {
        match self.stand {
            Stand::AwaitProof(_) | Stand::AwaitSnapshot => "wait_bgsave",
            Stand::Seeding(_) | Stand::AwaitDurable(_) => "send_bulk",
            Stand::Streaming => "online",
        }
    }
}

/// What a replica says of itself when it comes.
#[derive(Clone, Debug)]
pub(super) struct Comer {
    pub(super) port: u16,
    pub(super) position: super::Position,
    pub(super) how: super::wire::How,
}

impl Comer {
    /// Reads the words behind `REPL.FOLLOW`.
    pub(super) fn from_words(words: &[Bytes]) -> Option<Self> {
        use super::wire::{How, VERSION, lsn_of, number_of, term_in};
        let [version, port, term, lsn, digest, how] = words else { return None };
        if number_of(version)? != VERSION {
            return None;
        }
        let position =
            super::Position { term: term_in(term)?, lsn: lsn_of(lsn)?, digest: number_of(digest)? };
        let port = u16::try_from(number_of(port)?).ok()?;
        Some(Self { port, position, how: How::from_word(how)? })
    }
}
