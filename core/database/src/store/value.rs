//! What a key holds.

use super::{Dict, Sorted, Text};
use bytes::Bytes;
use std::collections::VecDeque;

/// What a key holds.
#[derive(Debug)]
pub enum Value {
    /// Bytes, which may spell a number.
    String(Text),
    /// Fields and values.
    Hash(Dict<Text>),
    /// Elements in order.
    List(VecDeque<Bytes>),
    /// Members.
    Set(Dict<()>),
    /// Members with scores.
    Sorted(Sorted),
}

/// A key's value, end and place in snapshots.
#[derive(Debug)]
pub struct Entry {
    /// What it holds.
    pub value: Value,
    /// When it ends, ms since 1970; 0: never.
    pub expires_ms: u64,
    /// The number of the snapshot that has it already, or that it is too new for.
    pub(super) epoch: u32,
}

impl Value {
    /// The name of its type, as `TYPE` tells it.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::String(_) => "string",
            Self::Hash(_) => "hash",
            Self::List(_) => "list",
            Self::Set(_) => "set",
            Self::Sorted(_) => "zset",
        }
    }

    /// Whether nothing is left of a collection: then there is no key.
    pub fn is_spent(&self) -> bool {
        match self {
            Self::String(_) => false,
            Self::Hash(hash) => hash.is_empty(),
            Self::List(list) => list.is_empty(),
            Self::Set(set) => set.is_empty(),
            Self::Sorted(sorted) => sorted.is_empty(),
        }
    }

    /// How many elements it has.
    pub fn elements(&self) -> usize {
        match self {
            Self::String(_) => 1,
            Self::Hash(hash) => hash.len(),
            Self::List(list) => list.len(),
            Self::Set(set) => set.len(),
            Self::Sorted(sorted) => sorted.len(),
        }
    }
}

impl Entry {
    /// Whether it has ended at an instant (ms since 1970).
    #[inline]
    pub const fn has_ended(&self, now_ms: u64) -> bool {
        self.expires_ms != 0 && self.expires_ms <= now_ms
    }
}
