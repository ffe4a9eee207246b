//! Messages and the rows that they are.

use super::{GUESTBOOK, PREPARE, WRITTEN};
use crate::map::UserId;
use crate::request::Change;
use bytes::{BufMut, Bytes, BytesMut};

/// What a deleted row says.
const DELETED: &[u8] = b"deleted";

/// One end of a message.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct End {
    /// Whose.
    pub user: UserId,
    /// Its number there.
    pub item: u64,
}

/// A message.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Message {
    /// Where it was written.
    pub writer: End,
    /// Where it was received.
    pub receiver: End,
    /// What it says; `None` if it is deleted.
    pub text: Option<Bytes>,
}

fn row(words: &str, end: End, text: Option<&Bytes>) -> Bytes {
    let mut value = BytesMut::new();
    value.put_slice(format!("{words}={}/{}", end.user, end.item).as_bytes());
    if let Some(text) = text {
        value.put_u8(b' ');
        value.put_slice(text);
    }
    value.freeze()
}

/// Reads `WORDS=USER/ITEM TEXT`.
fn parse(value: &Bytes, words: &str) -> Option<(End, Option<Bytes>)> {
    let rest = value.strip_prefix(words.as_bytes())?.strip_prefix(b"=")?;
    let space = rest.iter().position(|&byte| byte == b' ');
    let (head, text) = match space {
        Some(at) => (&rest[..at], Some(value.slice_ref(&rest[at + 1..]))),
        None => (rest, None),
    };
    let (user, item) = core::str::from_utf8(head).ok()?.split_once('/')?;
    let end = End { user: UserId(user.parse().ok()?), item: item.parse().ok()? };
    Some((end, text))
}

/// Whether a row is one of a deleted message.
pub(super) fn is_deleted(value: &Bytes) -> bool {
    &value[..] == DELETED
}

impl Message {
    /// What `guestbook` says.
    pub fn received(&self) -> Bytes {
        match &self.text {
            Some(_) => row("from", self.writer, self.text.as_ref()),
            None => Bytes::from_static(DELETED),
        }
    }

    /// What `written` says.
    pub fn written(&self) -> Bytes {
        match &self.text {
            Some(_) => row("to", self.receiver, self.text.as_ref()),
            None => Bytes::from_static(DELETED),
        }
    }

    /// What `prepare` says.
    pub fn prepared(&self) -> Bytes {
        let words = if self.text.is_some() { "post to" } else { "delete to" };
        row(words, self.receiver, self.text.as_ref())
    }

    /// From a row of `guestbook`.
    pub fn of_received(receiver: End, value: &Bytes) -> Option<Self> {
        let (writer, text) = parse(value, "from")?;
        text.is_some().then_some(Self { writer, receiver, text })
    }

    /// From a row of `written`.
    pub fn of_written(writer: End, value: &Bytes) -> Option<Self> {
        let (receiver, text) = parse(value, "to")?;
        text.is_some().then_some(Self { writer, receiver, text })
    }

    /// From a row of `prepare`.
    pub fn of_prepared(writer: End, value: &Bytes) -> Option<Self> {
        let (receiver, text) = match parse(value, "post to") {
            Some((receiver, Some(text))) => (receiver, Some(text)),
            Some((_, None)) => return None,
            None => (parse(value, "delete to")?.0, None),
        };
        Some(Self { writer, receiver, text })
    }

    /// The change of `guestbook`.
    pub(super) fn receive(&self) -> Change {
        self.change(GUESTBOOK, self.receiver.item, self.received())
    }

    /// The change of `written`.
    pub(super) fn write(&self) -> Change {
        self.change(WRITTEN, self.writer.item, self.written())
    }

    /// Messages are put where nothing is; deletions whatever is there.
    fn change(&self, table: &'static str, item: u64, value: Bytes) -> Change {
        let table = Bytes::from_static(table.as_bytes());
        if self.text.is_some() {
            Change::Create { table, item: Some(item), value }
        } else {
            Change::Update { table, item, version: None, value }
        }
    }

    /// The change that prepares it.
    pub(super) fn prepare(&self) -> Change {
        let table = Bytes::from_static(PREPARE.as_bytes());
        let (item, value) = (self.writer.item, self.prepared());
        if self.text.is_some() {
            Change::Create { table, item: Some(item), value }
        } else {
            Change::Update { table, item, version: None, value }
        }
    }
}
