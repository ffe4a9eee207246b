//! How requests end.

use super::large::PIECES_MAX;
use super::meta::MetaReply;
use super::pool::Failure;
use super::read_through::FillId;
use bytes::Bytes;
use core::fmt;

/// The end of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// As given with the request.
    pub tag: u64,
    /// What became of it.
    pub outcome: Outcome,
}

/// A value that was found.
///
/// Its bytes are part of what was read from the connection: cheap to hold for a while, but a cache
/// of them should copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// The bytes.
    pub data: Bytes,
    /// As stored with it; the caller's serialiser knows what they mean.
    pub flags: u32,
    /// Its version, if that was asked for, else 0.
    pub cas: u64,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The value.
    Hit(Value),
    /// No value.
    Miss,
    /// Stored.
    Stored,
    /// Not stored: the key was there, or was not, or the server is down and that counts as such.
    NotStored,
    /// Not stored: the value has another version by now.
    Exists,
    /// Deleted.
    Deleted,
    /// Its expiry was set.
    Touched,
    /// Nothing to act on, or the server is down and that counts as such.
    NotFound,
    /// The number after counting.
    Number(u64),
    /// Done.
    Done,
    /// What a meta command was answered.
    Meta(MetaReply),
    /// Lines as they came, without the last (`END`): statistics, versions.
    Text(Bytes),
    /// One outcome per key, in the order of the keys.
    Many(Vec<Self>),
    /// One outcome per server, in the order of the list.
    Servers(Vec<Self>),
    /// Nobody has the value: the owner is asked for it. The request ends later, once
    /// [`Client::fill`](super::Client::fill) was told what to store.
    Fill(FillId),
    /// The server answered with this error line.
    Refused(Bytes),
    /// It is not known what became of it.
    Failed(Failure),
    /// It was begun, and a later step of it was not accepted.
    NotAccepted(NotAccepted),
}

impl Outcome {
    /// The value of a hit.
    pub fn value(self) -> Option<Value> {
        match self {
            Self::Hit(value) => Some(value),
            _ => None,
        }
    }
}

/// Why a request was not accepted: the caller's to handle. Nothing was sent, no event follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAccepted {
    /// The key is empty, longer than 250 bytes with its prefix, or has a space or a control
    /// character in it.
    BadKey,
    /// The value is larger than the options allow.
    ValueTooLarge,
    /// There are no servers.
    NoServers,
    /// Too many requests or bytes wait for that server.
    Busy,
    /// It asks for something and does not wait for it.
    NeedsReply,
    /// The protocol in use has no such request.
    NotInProtocol,
    /// Too many read-through fills, delayed fetches or updates are under way.
    TooManyJobs,
}

impl fmt::Display for NotAccepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadKey => "a key has 1 to 250 bytes without spaces and control characters",
            Self::ValueTooLarge => {
                return write!(
                    f,
                    "the value is larger than value_bytes_max, or than {PIECES_MAX} pieces"
                );
            }
            Self::NoServers => "there are no servers",
            Self::Busy => "too many requests wait for that server",
            Self::NeedsReply => "it asks for something, so its reply must be awaited",
            Self::NotInProtocol => "the protocol in use has no such request",
            Self::TooManyJobs => "too many fills, fetches or updates are under way",
        })
    }
}

impl std::error::Error for NotAccepted {}
