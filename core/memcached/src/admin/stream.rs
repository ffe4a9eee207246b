//! Output that goes on: `watch`, `lru_crawler metadump` and `mgdump`.

use crate::session::Session;
use bytes::BytesMut;

/// A connection that shows something that goes on.
#[derive(Debug)]
pub(crate) struct Stream {}

/// What one step of a stream did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Streamed {
    /// The peer must read first.
    SlowReader,
    /// Nothing to show now: again at the next tick.
    AwaitTick,
    /// Over; the connection takes commands again.
    End,
    /// Over, and so is the connection.
    HangUp,
}

impl Stream {
    /// Shows what there is to show. `rx` is what the peer sent meanwhile.
    pub(crate) fn run(&mut self, session: &mut Session<'_>, rx: &mut BytesMut) -> Streamed {
        let _ = (session, rx);
        todo!()
    }

    /// The connection is gone.
    pub(crate) fn abandon(self, shared: &crate::Shared) {
        let _ = shared;
    }
}
