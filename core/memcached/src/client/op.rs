//! Requests about one key.

use super::meta::{MetaArithmetic, MetaDelete, MetaGet, MetaSet};
use super::pool::Piece;

/// What is asked about a key.
#[derive(Clone, Debug)]
pub enum Op<'a> {
    /// The value: ends as `Hit` or `Miss`.
    Get,
    /// The value and its version: ends as `Hit` or `Miss`.
    Gets,
    /// The value, whose expiry is set: ends as `Hit` or `Miss`.
    GetAndTouch {
        /// The new expiry.
        exptime: i32,
    },
    /// The same with the version.
    GetsAndTouch {
        /// The new expiry.
        exptime: i32,
    },
    /// A value to store: ends as `Stored`, `NotStored`, `Exists` or `NotFound`.
    Store(Store<'a>),
    /// Ends as `Deleted` or `NotFound`.
    Delete,
    /// A number counted up or down: ends as `Number` or `NotFound`.
    Count(Count),
    /// An expiry to set: ends as `Touched` or `NotFound`.
    Touch {
        /// The new expiry.
        exptime: i32,
    },
    /// `mg`: ends as `Meta`.
    MetaGet(&'a MetaGet),
    /// `ms`: ends as `Meta`.
    MetaSet(&'a MetaSet, Piece<'a>),
    /// `md`: ends as `Meta`.
    MetaDelete(&'a MetaDelete),
    /// `ma`: ends as `Meta`.
    MetaArithmetic(&'a MetaArithmetic),
}

/// Under which condition a value is stored, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Whatever is there.
    Set,
    /// Only where nothing is.
    Add,
    /// Only over something.
    Replace,
    /// Behind what is there; flags and expiry stay.
    Append,
    /// Before what is there; flags and expiry stay.
    Prepend,
    /// Only over this version.
    Cas(u64),
}

/// A value to store.
#[derive(Clone, Debug)]
pub struct Store<'a> {
    /// Under which condition.
    pub verb: Verb,
    /// The value. Shared bytes are sent without a copy when they are long.
    pub value: Piece<'a>,
    /// Kept with it.
    pub flags: u32,
    /// Seconds until it expires, 0 for never, negative for at once; above 30 days a date in seconds
    /// since 1970.
    pub exptime: i32,
}

impl<'a> Store<'a> {
    /// A value without flags and expiry.
    pub fn new(verb: Verb, value: impl Into<Piece<'a>>) -> Self {
        Self { verb, value: value.into(), flags: 0, exptime: 0 }
    }
}

/// A number to count up or down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// How far.
    pub by: u64,
    /// Down instead of up; it stops at 0.
    pub down: bool,
    /// What to store where no number is. The classic text protocol cannot say this; a meta command
    /// is sent in its place.
    pub initial: Option<Initial>,
}

/// A number to begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Initial {
    /// The number stored, and the outcome.
    pub number: u64,
    /// Its expiry, seconds.
    pub exptime: u32,
}

impl Op<'_> {
    /// Whether it changes something and a value is not what it is about: it may be sent without
    /// awaiting a reply, or be held back.
    pub(super) const fn is_write(&self) -> bool {
        match self {
            Self::Store(_)
            | Self::Delete
            | Self::Count(_)
            | Self::Touch { .. }
            | Self::MetaSet(..)
            | Self::MetaDelete(_)
            | Self::MetaArithmetic(_) => true,
            Self::Get
            | Self::Gets
            | Self::GetAndTouch { .. }
            | Self::GetsAndTouch { .. }
            | Self::MetaGet(_) => false,
        }
    }

    /// The value that it carries.
    pub(super) const fn value(&self) -> Option<&Piece<'_>> {
        match self {
            Self::Store(store) => Some(&store.value),
            Self::MetaSet(_, value) => Some(value),
            _ => None,
        }
    }

    pub(super) const fn is_meta(&self) -> bool {
        matches!(
            self,
            Self::MetaGet(_) | Self::MetaSet(..) | Self::MetaDelete(_) | Self::MetaArithmetic(_)
        )
    }
}
