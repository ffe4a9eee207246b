//! One change of the content.

/// Which end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The left one.
    Head,
    /// The right one.
    Tail,
}

/// One change of the content of one database.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "the fields are what they are called")]
pub enum Effect<'a> {
    /// The key holds this string from now on, until this instant (ms since 1970; 0: for ever).
    StringSet { key: &'a [u8], value: &'a [u8], expires_ms: u64 },
    /// The string is overwritten from this offset on, zeros in between where it is shorter.
    StringPatch { key: &'a [u8], at: u64, bytes: &'a [u8] },
    /// The key is gone.
    Delete { key: &'a [u8] },
    /// The key ends at this instant (ms since 1970; 0: never).
    Expire { key: &'a [u8], at_ms: u64 },
    /// What this key holds, with its end, is under another name, whatever that held.
    Rename { key: &'a [u8], to: &'a [u8] },
    /// A field of a hash has this value.
    HashSet { key: &'a [u8], field: &'a [u8], value: &'a [u8] },
    /// A field of a hash is gone, and with the last field the hash.
    HashDelete { key: &'a [u8], field: &'a [u8] },
    /// A list is longer by one.
    ListPush { key: &'a [u8], end: End, value: &'a [u8] },
    /// A list is shorter by one; without elements there is no list.
    ListPop { key: &'a [u8], end: End },
    /// A set has this member.
    SetAdd { key: &'a [u8], member: &'a [u8] },
    /// A set does not have this member; without members there is no set.
    SetRemove { key: &'a [u8], member: &'a [u8] },
    /// A sorted set has this member with this score.
    SortedAdd { key: &'a [u8], member: &'a [u8], score: f64 },
    /// A sorted set does not have this member.
    SortedRemove { key: &'a [u8], member: &'a [u8] },
    /// The database is empty, rows and number spaces included.
    Flush,
    /// A row has this version and value.
    RowPut { table: &'a [u8], owner: u64, item: u64, version: u64, value: &'a [u8] },
    /// A row is gone.
    RowDelete { table: &'a [u8], owner: u64, item: u64 },
    /// All rows of an owner in a table are gone.
    RowDrop { table: &'a [u8], owner: u64 },
    /// All rows of an owner are gone.
    RowDropAll { owner: u64 },
    /// Versions of rows up to this one are used up.
    Versions { last: u64 },
    /// Nothing changes: the record came from this one of another server's log.
    Origin { server: u64, lsn: u64 },
    /// Numbers up to this one of an owner's number space are used up.
    Number { table: &'a [u8], owner: u64, last: u64 },
}

impl<'a> Effect<'a> {
    /// The key that it changes; none for rows and for what changes everything.
    pub const fn key(&self) -> Option<&'a [u8]> {
        match *self {
            Self::StringSet { key, .. }
            | Self::StringPatch { key, .. }
            | Self::Delete { key }
            | Self::Expire { key, .. }
            | Self::Rename { key, .. }
            | Self::HashSet { key, .. }
            | Self::HashDelete { key, .. }
            | Self::ListPush { key, .. }
            | Self::ListPop { key, .. }
            | Self::SetAdd { key, .. }
            | Self::SetRemove { key, .. }
            | Self::SortedAdd { key, .. }
            | Self::SortedRemove { key, .. } => Some(key),
            _ => None,
        }
    }

    /// The owner whose rows or numbers it changes.
    pub const fn owner(&self) -> Option<u64> {
        match *self {
            Self::RowPut { owner, .. }
            | Self::RowDelete { owner, .. }
            | Self::RowDrop { owner, .. }
            | Self::RowDropAll { owner }
            | Self::Number { owner, .. } => Some(owner),
            _ => None,
        }
    }
}

/// Operation bytes; never reused for something else.
pub(super) mod op {
    pub(crate) const SELECT: u8 = 1;
    pub(crate) const KEY: u8 = 2;
    pub(crate) const STRING_SET: u8 = 3;
    pub(crate) const STRING_PATCH: u8 = 4;
    pub(crate) const DELETE: u8 = 5;
    pub(crate) const EXPIRE: u8 = 6;
    pub(crate) const RENAME: u8 = 7;
    pub(crate) const HASH_SET: u8 = 8;
    pub(crate) const HASH_DELETE: u8 = 9;
    pub(crate) const LIST_PUSH_HEAD: u8 = 10;
    pub(crate) const LIST_PUSH_TAIL: u8 = 11;
    pub(crate) const LIST_POP_HEAD: u8 = 12;
    pub(crate) const LIST_POP_TAIL: u8 = 13;
    pub(crate) const SET_ADD: u8 = 14;
    pub(crate) const SET_REMOVE: u8 = 15;
    pub(crate) const SORTED_ADD: u8 = 16;
    pub(crate) const SORTED_REMOVE: u8 = 17;
    pub(crate) const FLUSH: u8 = 18;
    pub(crate) const ROW_PUT: u8 = 19;
    pub(crate) const ROW_DELETE: u8 = 20;
    pub(crate) const ROW_DROP: u8 = 21;
    pub(crate) const ROW_DROP_ALL: u8 = 22;
    pub(crate) const NUMBER: u8 = 23;
    pub(crate) const VERSIONS: u8 = 24;
    pub(crate) const TABLE: u8 = 25;
    pub(crate) const ORIGIN: u8 = 26;
}
