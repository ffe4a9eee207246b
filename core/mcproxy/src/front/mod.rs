//! What clients say: off the front of a connection's input, only as far as routing needs it.
//!
//! A parser eats one request at a time and returns an [`Action`]. Requests leave as they came, with
//! three changes that keep many clients' requests in step on one connection to a server: every
//! request that leaves is answered (`noreply` and the meta `q` are blanked out in place, quiet
//! binary opcodes become loud ones), the opaque of a binary request is the proxy's own, and keys of
//! a retrieval leave one by one. [`Dress`] says how the reply becomes what this client awaits.
//! Whatever a server might take for something else than the proxy does is refused here, in the
//! server's own words.

pub(crate) mod binary;
pub(crate) mod meta;
mod text;

pub(crate) use storytime_memcached::cache::KEY_BYTES_MAX;
pub(crate) use text::{Text, delete as delete_text};

use bytes::Bytes;
use storytime_memcached::client::pool::Shape;

/// The language of a connection, to a client or to a server.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Tongue {
    /// Classic and meta commands.
    Text,
    /// Packets.
    Binary,
}

/// What a request does to its key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Effect {
    /// Nothing: may be shared with others who ask the same, and asked again elsewhere.
    Read,
    /// The same, however often it is done: may be done again elsewhere.
    Repeatable,
    /// More, when done again.
    Once,
}

/// What a client gets when a server cannot be asked and the route says that this is a miss.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Miss {
    /// A miss would be a lie: an error it is.
    Never,
    /// `END`.
    End,
    /// `EN`.
    Meta,
    /// "Not found", with the key in place of words or not.
    Packet {
        /// Whether replies of this opcode carry the key.
        keyed: bool,
    },
}

/// A request for the server of a key.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) tongue: Tongue,
    pub(crate) effect: Effect,
    pub(crate) miss: Miss,
    /// What decides about the server.
    pub(crate) key: Bytes,
    /// As it leaves.
    pub(crate) wire: Bytes,
    pub(crate) shape: Shape,
    /// The length of the value that it stores, bytes; 0 if it stores none.
    pub(crate) value_bytes: usize,
}

/// How a server's reply becomes a client's.
#[derive(Clone, Debug)]
pub(crate) enum Dress {
    /// As it came.
    Plain,
    /// Nothing.
    Silent,
    /// One key of a retrieval: the value without `END`.
    Value,
    /// This, whatever came.
    Instead(&'static [u8]),
    /// A meta reply to a request with `q`: nominal ones are hidden.
    Quiet {
        /// Whether the request was `mg`, for which only a miss is nominal.
        get: bool,
    },
    /// A packet with the client's own opcode and opaque.
    Packet {
        opcode: u8,
        opaque: [u8; 4],
        /// The status that a quiet opcode hides.
        hides: Option<u16>,
    },
    /// A fixed packet, whatever came.
    PacketInstead { opcode: u8, opaque: [u8; 4], status: u16 },
}

/// A request for all servers.
#[derive(Clone, Debug)]
pub(crate) struct ForAll {
    pub(crate) what: What,
    pub(crate) tongue: Tongue,
    pub(crate) wire: Bytes,
    pub(crate) shape: Shape,
    pub(crate) dress: Dress,
}

/// What a request for all servers is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum What {
    /// All must do it.
    Flush,
    /// All must do it.
    Verbosity,
    /// Counters are added up.
    Stats,
}

/// What a parser found.
#[derive(Debug)]
pub(crate) enum Action {
    /// A part of a request.
    Await,
    /// Something was eaten that calls for nothing.
    Ate,
    /// A reply that needs no server.
    Reply(Bytes),
    /// A request.
    Ask(Request, Dress),
    /// The end of a retrieval of several keys.
    End,
    /// The same, with an error in its place.
    EndWith(Bytes),
    /// A request for all servers.
    AskAll(ForAll),
    /// A question about the proxy itself; the dress of a binary one.
    OwnStats(Dress),
    /// The client is to be hung up on, behind the replies due.
    HangUp,
    /// The same, with one more reply.
    Farewell(Bytes),
}

/// Bounds that the parsers keep.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Longest value that is taken in.
    pub(crate) value_bytes_max: usize,
    /// What `version` answers.
    pub(crate) version: &'static str,
}
