//! Building a record.

use super::effect::op;
use super::{Effect, End, HEADER_BYTES, put_bytes, put_varint};
use bytes::{BufMut as _, BytesMut};

/// A record being built; its buffer serves the next one, too.
#[derive(Debug, Default)]
pub struct RecordWriter {
    bytes: BytesMut,
    db: u32,
    /// Where the last key or table lies in `bytes`.
    key: (usize, usize),
    table: (usize, usize),
}

impl RecordWriter {
    /// Forgets what was written and begins a record.
    pub fn begin(&mut self, term: u64, at_ms: u64) {
        self.bytes.clear();
        self.bytes.put_u64_le(term);
        self.bytes.put_u64_le(at_ms);
        (self.db, self.key, self.table) = (0, (0, 0), (0, 0));
    }

    /// Whether it has no effects.
    pub fn is_empty(&self) -> bool {
        self.bytes.len() <= HEADER_BYTES
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Appends an effect.
    pub fn push(&mut self, db: u32, effect: &Effect<'_>) {
        assert!(self.bytes.len() >= HEADER_BYTES, "a record is begun before it is written to");
        if db != self.db {
            self.bytes.put_u8(op::SELECT);
            put_varint(&mut self.bytes, u64::from(db));
            self.db = db;
        }
        if let Some(key) = effect.key() {
            Self::name(&mut self.bytes, &mut self.key, op::KEY, key);
        }
        if let Effect::RowPut { table, .. }
        | Effect::RowDelete { table, .. }
        | Effect::RowDrop { table, .. }
        | Effect::Number { table, .. } = *effect
        {
            Self::name(&mut self.bytes, &mut self.table, op::TABLE, table);
        }
        if effect.owner().is_some()
            || matches!(effect, Effect::Flush | Effect::Versions { .. } | Effect::Origin { .. })
        {
            self.row(effect);
        } else {
            self.keyed(effect);
        }
    }

    /// Names the key or table unless it is the last one named.
    fn name(bytes: &mut BytesMut, last: &mut (usize, usize), op: u8, name: &[u8]) {
        if last.0 != 0 && &bytes[last.0..last.1] == name {
            return;
        }
        bytes.put_u8(op);
        put_varint(bytes, name.len() as u64);
        *last = (bytes.len(), bytes.len() + name.len());
        bytes.extend_from_slice(name);
    }

    fn words(&mut self, op: u8, words: &[&[u8]]) {
        self.bytes.put_u8(op);
        for word in words {
            put_bytes(&mut self.bytes, word);
        }
    }

    fn numbers(&mut self, op: u8, numbers: &[u64]) {
        self.bytes.put_u8(op);
        for &number in numbers {
            put_varint(&mut self.bytes, number);
        }
    }

    fn keyed(&mut self, effect: &Effect<'_>) {
        match *effect {
            Effect::StringSet { value, expires_ms, .. } => {
                self.numbers(op::STRING_SET, &[expires_ms]);
                put_bytes(&mut self.bytes, value);
            }
            Effect::StringPatch { at, bytes, .. } => {
                self.numbers(op::STRING_PATCH, &[at]);
                put_bytes(&mut self.bytes, bytes);
            }
            Effect::Delete { .. } => self.bytes.put_u8(op::DELETE),
            Effect::Expire { at_ms, .. } => self.numbers(op::EXPIRE, &[at_ms]),
            Effect::Rename { to, .. } => self.words(op::RENAME, &[to]),
            Effect::HashSet { field, value, .. } => self.words(op::HASH_SET, &[field, value]),
            Effect::HashDelete { field, .. } => self.words(op::HASH_DELETE, &[field]),
            Effect::ListPush { end: End::Head, value, .. } => {
                self.words(op::LIST_PUSH_HEAD, &[value]);
            }
            Effect::ListPush { end: End::Tail, value, .. } => {
                self.words(op::LIST_PUSH_TAIL, &[value]);
            }
            Effect::ListPop { end: End::Head, .. } => self.bytes.put_u8(op::LIST_POP_HEAD),
            Effect::ListPop { end: End::Tail, .. } => self.bytes.put_u8(op::LIST_POP_TAIL),
            Effect::SetAdd { member, .. } => self.words(op::SET_ADD, &[member]),
            Effect::SetRemove { member, .. } => self.words(op::SET_REMOVE, &[member]),
            Effect::SortedAdd { member, score, .. } => {
                self.words(op::SORTED_ADD, &[member]);
                self.bytes.put_u64_le(score.to_bits());
            }
            Effect::SortedRemove { member, .. } => self.words(op::SORTED_REMOVE, &[member]),
            _ => unreachable!("only effects on keys come here"),
        }
    }

    fn row(&mut self, effect: &Effect<'_>) {
        match *effect {
            Effect::Flush => self.bytes.put_u8(op::FLUSH),
            Effect::RowPut { owner, item, version, value, .. } => {
                self.numbers(op::ROW_PUT, &[owner, item, version]);
                put_bytes(&mut self.bytes, value);
            }
            Effect::RowDelete { owner, item, .. } => {
                self.numbers(op::ROW_DELETE, &[owner, item]);
            }
            Effect::RowDrop { owner, .. } => self.numbers(op::ROW_DROP, &[owner]),
            Effect::RowDropAll { owner } => self.numbers(op::ROW_DROP_ALL, &[owner]),
            Effect::Origin { server, lsn } => self.numbers(op::ORIGIN, &[server, lsn]),
            Effect::Versions { last } => self.numbers(op::VERSIONS, &[last]),
            Effect::Number { owner, last, .. } => self.numbers(op::NUMBER, &[owner, last]),
            _ => unreachable!("only effects on rows come here"),
        }
    }
}
