//! The binary protocol.

use crate::session::{Session, Stop};
use bytes::BytesMut;

/// What a connection awaits.
#[derive(Debug, Default)]
pub(crate) enum State {
    /// A header.
    #[default]
    AwaitHeader,
}

/// First byte of a request.
pub const REQUEST_MAGIC: u8 = 0x80;

/// Eats requests off the front of `rx` and answers them.
pub(crate) fn serve(state: &mut State, session: &mut Session<'_>, rx: &mut BytesMut) -> Stop {
    let _ = (state, session, rx);
    todo!()
}

impl State {
    /// Gives back what the connection had set aside: drafts and pins.
    pub(crate) fn abandon(self, shared: &crate::Shared) {
        let _ = shared;
    }
}
