//! Reading a record.

use super::effect::op;
use super::{Effect, End, HEADER_BYTES, take_bytes, take_varint};
use core::fmt;

/// Bytes that are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Garbled;

impl fmt::Display for Garbled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("these bytes are no record of a database")
    }
}

impl std::error::Error for Garbled {}

/// A record, to look at.
#[derive(Clone, Copy, Debug)]
pub struct RecordView<'a> {
    /// The history that it belongs to.
    pub term: u64,
    /// The master's wall clock when it was made, ms since 1970.
    pub at_ms: u64,
    effects: &'a [u8],
}

impl<'a> RecordView<'a> {
    /// Looks at a record's bytes.
    ///
    /// # Errors
    /// If they are too short to be one.
    pub fn new(bytes: &'a [u8]) -> Result<Self, Garbled> {
        let (header, effects) = bytes.split_at_checked(HEADER_BYTES).ok_or(Garbled)?;
        let word = |at: usize| {
            u64::from_le_bytes(header[at..at + 8].try_into().expect("eight of sixteen bytes"))
        };
        Ok(Self { term: word(0), at_ms: word(8), effects })
    }

    /// Its effects, each with its database.
    pub const fn effects(&self) -> Effects<'a> {
        Effects { rest: self.effects, db: 0, key: &[], table: &[] }
    }
}

/// The effects of a record, in order. Ends behind the first that is garbled.
#[derive(Clone, Debug)]
pub struct Effects<'a> {
    rest: &'a [u8],
    db: u32,
    key: &'a [u8],
    table: &'a [u8],
}

impl<'a> Iterator for Effects<'a> {
    type Item = Result<(u32, Effect<'a>), Garbled>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let next = self.take();
        if next.is_err() {
            self.rest = &[];
        }
        Some(next)
    }
}

impl<'a> Effects<'a> {
    fn take(&mut self) -> Result<(u32, Effect<'a>), Garbled> {
        loop {
            let (&op, rest) = self.rest.split_first().ok_or(Garbled)?;
            self.rest = rest;
            match op {
                op::SELECT => {
                    self.db = u32::try_from(self.number()?).map_err(|_| Garbled)?;
                }
                op::KEY => self.key = self.word()?,
                op::TABLE => self.table = self.word()?,
                op::FLUSH..=op::VERSIONS | op::ORIGIN => return Ok((self.db, self.row(op)?)),
                _ => return Ok((self.db, self.keyed(op)?)),
            }
        }
    }

    fn number(&mut self) -> Result<u64, Garbled> {
        take_varint(&mut self.rest)
    }

    fn word(&mut self) -> Result<&'a [u8], Garbled> {
        take_bytes(&mut self.rest)
    }

    fn keyed(&mut self, op: u8) -> Result<Effect<'a>, Garbled> {
        let key = self.key;
        Ok(match op {
            op::STRING_SET => {
                let expires_ms = self.number()?;
                Effect::StringSet { key, value: self.word()?, expires_ms }
            }
            op::STRING_PATCH => {
                let at = self.number()?;
                Effect::StringPatch { key, at, bytes: self.word()? }
            }
            op::DELETE => Effect::Delete { key },
            op::EXPIRE => Effect::Expire { key, at_ms: self.number()? },
            op::RENAME => Effect::Rename { key, to: self.word()? },
            op::HASH_SET => {
                let field = self.word()?;
                Effect::HashSet { key, field, value: self.word()? }
            }
            op::HASH_DELETE => Effect::HashDelete { key, field: self.word()? },
            op::LIST_PUSH_HEAD => Effect::ListPush { key, end: End::Head, value: self.word()? },
            op::LIST_PUSH_TAIL => Effect::ListPush { key, end: End::Tail, value: self.word()? },
            op::LIST_POP_HEAD => Effect::ListPop { key, end: End::Head },
            op::LIST_POP_TAIL => Effect::ListPop { key, end: End::Tail },
            op::SET_ADD => Effect::SetAdd { key, member: self.word()? },
            op::SET_REMOVE => Effect::SetRemove { key, member: self.word()? },
            op::SORTED_ADD => {
                let member = self.word()?;
                let (bits, rest) = self.rest.split_first_chunk().ok_or(Garbled)?;
                self.rest = rest;
                let score = f64::from_bits(u64::from_le_bytes(*bits));
                if score.is_nan() {
                    return Err(Garbled);
                }
                Effect::SortedAdd { key, member, score }
            }
            op::SORTED_REMOVE => Effect::SortedRemove { key, member: self.word()? },
            _ => return Err(Garbled),
        })
    }

    fn row(&mut self, op: u8) -> Result<Effect<'a>, Garbled> {
        let table = self.table;
        Ok(match op {
            op::FLUSH => Effect::Flush,
            op::ROW_PUT => {
                let (owner, item, version) = (self.number()?, self.number()?, self.number()?);
                Effect::RowPut { table, owner, item, version, value: self.word()? }
            }
            op::ROW_DELETE => {
                Effect::RowDelete { table, owner: self.number()?, item: self.number()? }
            }
            op::ROW_DROP => Effect::RowDrop { table, owner: self.number()? },
            op::ROW_DROP_ALL => Effect::RowDropAll { owner: self.number()? },
            op::ORIGIN => Effect::Origin { server: self.number()?, lsn: self.number()? },
            op::VERSIONS => Effect::Versions { last: self.number()? },
            op::NUMBER => Effect::Number { table, owner: self.number()?, last: self.number()? },
            _ => return Err(Garbled),
        })
    }
}
