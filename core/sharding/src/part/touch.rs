//! What caches are told before and after a write: revision numbers, and rows.

use super::Sharding;
use super::job::JobId;
use super::wire::number;
use crate::map::{ShardId, UserId};
use crate::options::{Care, Revisions, RowMode};
use crate::outcome::Row;
use bytes::{BufMut as _, Bytes, BytesMut};
use storytime_machine::Cx;
use storytime_memcached::client::{Op, Outcome as Cached, Store, Value, Verb};

/// Flags of a row or revision number.
pub(super) const CONTENT: u32 = 0;
/// Flags of one writer's mark: its value is that writer's alone.
const MARK: u32 = 1;
/// Flags of a mark that nobody takes away.
const COMMON_MARK: u32 = 2;
/// How often a row that others keep replacing is tried to be replaced.
const TRIES_MAX: u32 = 4;

/// Where a revision number is kept.
pub(super) fn revision_key(table: &[u8], user: UserId) -> Vec<u8> {
    [b"rev:", table, format!(":{user}").as_bytes()].concat()
}

/// Where a row is kept.
pub(super) fn row_key(table: &[u8], user: UserId, item: u64) -> Vec<u8> {
    [b"row:", table, format!(":{user}:{item}").as_bytes()].concat()
}

/// A row as it is kept: shard, version, value. Versions are the database's own, and those of two
/// shards say nothing of each other: a row that moved has often a lower one than before.
pub(super) fn row_value(shard: ShardId, version: u64, value: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(4 + 8 + value.len());
    bytes.put_u32(shard.0);
    bytes.put_u64(version);
    bytes.put_slice(value);
    bytes.freeze()
}

/// A row that was kept; its value is copied out of the connection's buffer.
pub(super) fn cached_row(item: u64, data: &Bytes) -> Option<Row> {
    let (_, value) = data.split_first_chunk::<4>()?;
    let (version, value) = value.split_first_chunk()?;
    let version = u64::from_be_bytes(*version);
    Some(Row { item, version, value: Bytes::copy_from_slice(value) })
}

/// The shard that a kept row is from.
fn cached_shard(data: &[u8]) -> Option<ShardId> {
    data.first_chunk().map(|shard| ShardId(u32::from_be_bytes(*shard)))
}

/// A number that nobody had before.
pub(super) fn fresh_number(cx: &mut Cx) -> Bytes {
    Bytes::from(format!("{:016x}", cx.rng().u64()))
}

/// Something cached that a write makes wrong.
#[derive(Debug)]
pub(super) struct Touch {
    key: Vec<u8>,
    what: What,
    /// This write's own mark.
    mark: Bytes,
    state: State,
    tries: u32,
    /// Whether the cache was told in the end.
    pub(super) told: bool,
}

#[derive(Debug)]
enum What {
    Revision,
    /// What the row is after the write: `None` if there is none, or nobody knows.
    Row {
        now: Option<(ShardId, u64, Bytes)>,
    },
}

/// What is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    /// The outcome of a `set`.
    Set,
    /// The outcome of a `delete`.
    Deleted,
    /// What is there, to be marked.
    ToMark,
    /// The outcome of putting the mark.
    Marked,
    /// What is there, to be taken out of its mark.
    ToUnmark,
    /// The outcome of putting content in the mark's place.
    Unmarked,
    /// What is there, to be replaced by a newer row.
    ToReplace,
    /// The outcome of replacing.
    Replaced,
}

impl Touch {
    fn new(cx: &mut Cx, key: Vec<u8>, what: What) -> Self {
        let mark = fresh_number(cx);
        Self { key, what, mark, state: State::Idle, tries: 0, told: true }
    }

    /// Of a table and user.
    pub(super) fn revision(cx: &mut Cx, table: &[u8], user: UserId) -> Self {
        Self::new(cx, revision_key(table, user), What::Revision)
    }

    /// Of a row.
    pub(super) fn row(cx: &mut Cx, table: &[u8], user: UserId, item: u64) -> Self {
        Self::new(cx, row_key(table, user, item), What::Row { now: None })
    }

    /// Says what the row is after the write.
    pub(super) fn becomes(&mut self, shard: ShardId, version: u64, value: Bytes) {
        if let What::Row { now } = &mut self.what {
            *now = Some((shard, version, value));
        }
    }

    /// What is put in the place of a mark or an older row, if anything is.
    fn content(&self, cx: &mut Cx) -> Option<Bytes> {
        match &self.what {
            What::Revision => Some(fresh_number(cx)),
            What::Row { now } => {
                now.as_ref().map(|(shard, version, value)| row_value(*shard, *version, value))
            }
        }
    }

    /// Whether what is cached is newer than what was written, or the same.
    fn is_overtaken(&self, cached: &Value) -> bool {
        match &self.what {
            What::Revision => false,
            What::Row { now: None } => false,
            What::Row { now: Some((_, version, _)) } => {
                let newer = |row: Row| row.version >= *version;
                !self.is_elsewhere(cached) && cached_row(0, &cached.data).is_some_and(newer)
            }
        }
    }

    /// Whether what is cached is a row of another shard: nobody can say which of the two is newer.
    fn is_elsewhere(&self, cached: &Value) -> bool {
        let What::Row { now: Some((shard, ..)) } = &self.what else { return false };
        cached.flags == CONTENT && cached_shard(&cached.data) != Some(*shard)
    }
}

impl Sharding {
    /// Begins to tell the cache before the write; says whether an outcome is awaited.
    pub(super) fn touch_before(
        &mut self,
        cx: &mut Cx,
        id: JobId,
        part: u16,
        touch: &mut Touch,
    ) -> bool {
        match &touch.what {
            What::Revision => match self.list_revisions() {
                Some(Revisions::Before) => {
                    let number = fresh_number(cx);
                    self.touch_set(cx, id, part, touch, number, CONTENT, 0);
                    true
                }
                Some(Revisions::Guarded) => self.touch_gets(cx, id, part, touch, State::ToMark),
                Some(Revisions::Off | Revisions::Seconds | Revisions::Unique) | None => false,
            },
            What::Row { .. } => match self.row_mode() {
                Some((_, Care::Guarded)) => self.touch_gets(cx, id, part, touch, State::ToMark),
                Some((_, Care::Plain | Care::Safe)) | None => false,
            },
        }
    }

    /// Begins to tell the cache after the write; says whether an outcome is awaited.
    pub(super) fn touch_after(
        &mut self,
        cx: &mut Cx,
        id: JobId,
        part: u16,
        touch: &mut Touch,
    ) -> bool {
        let now = match &touch.what {
            What::Revision => return self.revision_after(cx, id, part, touch),
            What::Row { now } => now.clone(),
        };
        match (self.row_mode(), now) {
            (None, _) => return false,
            (Some((RowMode::ReadUpdateInsert, Care::Plain)), Some((shard, version, value))) => {
                let value = row_value(shard, version, &value);
                self.touch_set(cx, id, part, touch, value, CONTENT, 0);
            }
            (Some((_, Care::Plain)), _) => {
                touch.state = State::Deleted;
                self.ask_cache(cx, id, part, &touch.key, &Op::Delete);
            }
            (Some((RowMode::ReadUpdateInsert, Care::Safe)), Some(_)) => {
                self.touch_gets(cx, id, part, touch, State::ToReplace);
            }
            (Some((RowMode::ReadUpdateInsert, Care::Guarded)), Some(_)) => {
                self.touch_gets(cx, id, part, touch, State::ToUnmark);
            }
            (Some((_, Care::Safe | Care::Guarded)), _) => self.touch_common(cx, id, part, touch),
        }
        true
    }

    fn revision_after(&mut self, cx: &mut Cx, id: JobId, part: u16, touch: &mut Touch) -> bool {
        let revision = match self.list_revisions() {
            None | Some(Revisions::Off | Revisions::Before) => return false,
            Some(Revisions::Guarded) => {
                return self.touch_gets(cx, id, part, touch, State::ToUnmark);
            }
            Some(Revisions::Seconds) => number(cx.wall_clock().as_secs()),
            Some(Revisions::Unique) => fresh_number(cx),
        };
        self.touch_set(cx, id, part, touch, revision, CONTENT, 0);
        true
    }

    #[expect(clippy::too_many_arguments, reason = "one cache request with all it says")]
    fn touch_set(
        &mut self,
        cx: &mut Cx,
        id: JobId,
        part: u16,
        touch: &mut Touch,
        value: Bytes,
        flags: u32,
        exptime: i32,
    ) {
        touch.state = State::Set;
        let store = Store { flags, exptime, ..Store::new(Verb::Set, value) };
        self.ask_cache(cx, id, part, &touch.key, &Op::Store(store));
    }

    /// Puts a mark that stays until it expires.
    fn touch_common(&mut self, cx: &mut Cx, id: JobId, part: u16, touch: &mut Touch) {
        let mark = touch.mark.clone();
        let hold_s = self.hold_s();
        self.touch_set(cx, id, part, touch, mark, COMMON_MARK, hold_s);
    }

    fn hold_s(&self) -> i32 {
        self.caching().map_or(0, |cache| cache.hold_s)
    }

    fn touch_gets(
        &mut self,
        cx: &mut Cx,
        id: JobId,
        part: u16,
        touch: &mut Touch,
        state: State,
    ) -> bool {
        touch.state = state;
        self.ask_cache(cx, id, part, &touch.key, &Op::Gets);
        true
    }

    /// Puts something where something of a known version, or nothing, was.
    fn touch_put(
        &mut self,
        cx: &mut Cx,
        ask: (JobId, u16),
        touch: &mut Touch,
        store: Store<'_>,
        state: State,
    ) -> bool {
        touch.state = state;
        self.ask_cache(cx, ask.0, ask.1, &touch.key, &Op::Store(store));
        true
    }

    /// Memcached answered; says whether another outcome is awaited.
    pub(super) fn touched(
        &mut self,
        cx: &mut Cx,
        id: JobId,
        part: u16,
        touch: &mut Touch,
        outcome: Cached,
    ) -> bool {
        match (core::mem::replace(&mut touch.state, State::Idle), outcome) {
            (State::Marked | State::Unmarked | State::Replaced | State::Set, Cached::Stored) => {
                false
            }
            (State::Deleted, Cached::Deleted | Cached::NotFound) => false,
            (State::ToMark, Cached::Miss) => {
                let exptime = self.hold_s();
                let mark = Store::new(Verb::Add, touch.mark.clone());
                let mark = Store { flags: MARK, exptime, ..mark };
                self.touch_put(cx, (id, part), touch, mark, State::Marked)
            }
            (State::ToMark, Cached::Hit(value)) if value.flags == CONTENT => {
                let exptime = self.hold_s();
                let mark = Store::new(Verb::Cas(value.cas), touch.mark.clone());
                let mark = Store { flags: MARK, exptime, ..mark };
                self.touch_put(cx, (id, part), touch, mark, State::Marked)
            }
            (State::ToUnmark, Cached::Miss) => false,
            (State::ToUnmark | State::ToReplace, Cached::Hit(value))
                if touch.is_elsewhere(&value) =>
            {
                self.touch_common(cx, id, part, touch);
                true
            }
            (State::ToUnmark, Cached::Hit(value)) => self.unmark(cx, id, part, touch, &value),
            (State::ToReplace, Cached::Miss) => self.replace(cx, id, part, touch, Verb::Add),
            (State::ToReplace, Cached::Hit(value)) => {
                if value.flags != CONTENT || touch.is_overtaken(&value) {
                    return false;
                }
                self.replace(cx, id, part, touch, Verb::Cas(value.cas))
            }
            (State::Replaced, Cached::NotStored | Cached::Exists | Cached::NotFound)
                if touch.tries < TRIES_MAX =>
            {
                touch.tries += 1;
                self.touch_gets(cx, id, part, touch, State::ToReplace)
            }
            (State::Set | State::Deleted | State::Idle, _) => {
                touch.told = false;
                false
            }
            // Somebody else writes, or has just written: nobody's content is put there.
            _ => {
                self.touch_common(cx, id, part, touch);
                true
            }
        }
    }

    fn unmark(
        &mut self,
        cx: &mut Cx,
        id: JobId,
        part: u16,
        touch: &mut Touch,
        value: &Value,
    ) -> bool {
        let mine = value.flags == MARK && value.data == touch.mark;
        // Content in the place of the mark: it was evicted or has expired.
        let lost = value.flags == CONTENT && !touch.is_overtaken(value);
        if mine || lost {
            return self.replace_to(cx, id, part, touch, Verb::Cas(value.cas), State::Unmarked);
        }
        false
    }

    fn replace(
        &mut self,
        cx: &mut Cx,
        id: JobId,
        part: u16,
        touch: &mut Touch,
        verb: Verb,
    ) -> bool {
        self.replace_to(cx, id, part, touch, verb, State::Replaced)
    }

    fn replace_to(
        &mut self,
        cx: &mut Cx,
        id: JobId,
        part: u16,
        touch: &mut Touch,
        verb: Verb,
        state: State,
    ) -> bool {
        let Some(content) = touch.content(cx) else { return false };
        let store = Store { flags: CONTENT, ..Store::new(verb, content) };
        self.touch_put(cx, (id, part), touch, store, state)
    }
}
