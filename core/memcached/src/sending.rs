//! A value too large to be copied into the output at once: it is kept as it is and sent piece by
//! piece, as its reader takes it.

use crate::cache::{Key, Pin};
use crate::session::Session;
use crate::shared::Shared;

/// What a pin has behind its value: the text protocol's line end, bytes.
const LINE_END_BYTES: usize = 2;

/// A value that is being sent.
#[derive(Debug)]
pub(crate) struct Sending {
    pin: Pin,
    /// The hash of its key, which says whose pin it is.
    hash: u64,
    /// Bytes sent.
    at: usize,
    /// Bytes to send.
    len: usize,
}

impl Sending {
    /// A value with the line end behind it.
    pub(crate) fn with_line_end(pin: Pin, key: Key<'_>) -> Self {
        let len = pin.len();
        Self { pin, hash: key.hash, at: 0, len }
    }

    /// A value alone.
    pub(crate) fn bare(pin: Pin, key: Key<'_>) -> Self {
        let len = pin.len() - LINE_END_BYTES;
        Self { pin, hash: key.hash, at: 0, len }
    }

    /// Sends pieces until the reader falls behind or all is sent. Returns whether all is.
    pub(crate) fn run(&mut self, session: &mut Session<'_>) -> bool {
        let (shared, len) = (session.shared, self.len);
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
    pub(crate) fn end(self, shared: &Shared) {
        shared.shard_of(owner(self.hash)).unpin(self.pin);
    }
}

/// Stands for the key in the choice of its shard.
const fn owner(hash: u64) -> Key<'static> {
    Key { bytes: b"", hash }
}
