//! A value too large to be copied into the output at once: it is kept as it is and sent piece by
//! piece, as its reader takes it.

use super::Session;
use crate::cache::{Key, Pin};
use crate::shared::Shared;

/// A value that is being sent.
#[derive(Debug)]
pub(crate) struct Sending {
    pin: Pin,
    /// The hash of its key, which says whose pin it is.
    hash: u64,
    /// Bytes sent, the line end among them.
    at: usize,
}

impl Sending {
    /// Begins to send a value whose line has been written.
    pub(super) const fn new(pin: Pin, key: Key<'_>) -> Self {
        Self { pin, hash: key.hash, at: 0 }
    }

    /// Sends pieces until the reader falls behind or all is sent. Returns whether all is.
    pub(super) fn run(&mut self, session: &mut Session<'_>) -> bool {
        let len = self.pin.len();
        let shared = session.shared;
        while self.at < len && !session.reader_is_slow() {
            let (pin, at) = (&self.pin, self.at);
            let piece_bytes = session.copy_bytes_max.min(len - at);
            let mut read = 0;
            session.tx.write_with(|tx| {
                tx.reserve(piece_bytes);
                read = shared.shard_of(owner(self.hash)).read(pin, at, piece_bytes, tx);
            });
            assert!((1..=piece_bytes).contains(&read), "a pinned value is there to its end");
            self.at += read;
        }
        self.at == len
    }

    /// Gives the value back.
    pub(super) fn end(self, shared: &Shared) {
        shared.shard_of(owner(self.hash)).unpin(self.pin);
    }
}

/// Stands for the key in the choice of its shard.
const fn owner(hash: u64) -> Key<'static> {
    Key { bytes: b"", hash }
}
