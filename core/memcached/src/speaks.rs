//! What a connection speaks.

use crate::config::Protocol;
use crate::ops::Stage;
use crate::session::{Session, Stop};
use crate::shared::Shared;
use crate::{binary, text};
use bytes::BytesMut;

/// What a connection speaks.
#[derive(Debug)]
pub(crate) enum Speaks {
    /// Not known before its first byte.
    AwaitFirstByte,
    /// Text.
    Text(text::State),
    /// Binary.
    Binary(binary::State),
}

impl Speaks {
    /// What a connection to a listener of some protocol speaks.
    pub(crate) fn of(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Auto => Self::AwaitFirstByte,
            Protocol::Ascii => Self::Text(text::State::default()),
            Protocol::Binary => Self::Binary(binary::State::default()),
        }
    }

    /// Gives back what the connection had set aside.
    pub(crate) fn abandon(self, shared: &Shared) {
        match self {
            Self::AwaitFirstByte => {}
            Self::Text(state) => state.abandon(shared),
            Self::Binary(state) => state.abandon(shared),
        }
    }

    /// What the others may see of it after a piece of service.
    pub(crate) const fn stage(&self, stop: Stop) -> Stage {
        match (stop, self) {
            (Stop::SlowReader, _) => Stage::Write,
            (Stop::AwaitTick, _) => Stage::Watch,
            (
                _,
                Self::Text(text::State::AwaitWhole { .. } | text::State::AwaitValue(_))
                | Self::Binary(binary::State::AwaitValue(_)),
            ) => Stage::Value,
            (
                _,
                Self::Text(text::State::Swallow { .. })
                | Self::Binary(binary::State::Swallow { .. }),
            ) => Stage::Swallow,
            _ => Stage::Read,
        }
    }

    /// Eats what it can.
    pub(crate) fn serve(&mut self, session: &mut Session<'_>, rx: &mut BytesMut) -> Stop {
        if let Self::AwaitFirstByte = self {
            *self = match rx.first() {
                None => return Stop::AwaitInput,
                Some(&binary::REQUEST_MAGIC) => Self::Binary(binary::State::default()),
                Some(_) => Self::Text(text::State::default()),
            };
        }
        match self {
            Self::AwaitFirstByte => unreachable!("decided above"),
            Self::Text(state) => text::serve(state, session, rx),
            Self::Binary(state) => binary::serve(state, session, rx),
        }
    }
}
