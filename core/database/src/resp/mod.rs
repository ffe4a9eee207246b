//! The wire: RESP2 and RESP3.
//!
//! Not modelled: streamed strings and aggregates of RESP3, attributes, pushes of keyspace events.

mod decimal;
mod inline;
pub mod out;
pub mod request;

pub use decimal::Decimal;
pub use out::Out;
pub use request::{Args, Parsed, Parser, ProtocolError};

pub mod reply;

pub use reply::{Frame, Garbled, ReplyReader};

use bytes::Bytes;

/// A reply, as clients see it.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// `+OK`.
    Simple(Bytes),
    /// `-ERR …`: code and text in one.
    Error(Bytes),
    /// `:1`.
    Integer(i64),
    /// `$3`.
    Bulk(Bytes),
    /// `$-1`, `*-1` or `_`.
    Nil,
    /// `*2`, and sets, pushes and the like.
    Array(Vec<Self>),
    /// `%1`.
    Map(Vec<(Self, Self)>),
    /// `,1.5`, as text.
    Double(Bytes),
    /// `#t`.
    Boolean(bool),
}
