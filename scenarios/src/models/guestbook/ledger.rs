//! What users were told about messages, and how that compares with what is there.

use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use storytime_sharding::fixer::{End, Message};

/// What all hosts know together.
#[derive(Debug, Default)]
pub struct Ledger {
    texts: u64,
    /// Messages that were told to be there, and that nobody has begun to delete.
    there: Vec<Message>,
    /// Messages that were told to be deleted.
    deleted: Vec<Message>,
}

/// All rows of one table, by whose and which.
pub type Table = BTreeMap<End, Bytes>;

/// Both sides, as they are.
#[derive(Clone, Debug, Default)]
pub struct Sides {
    /// What users received.
    pub received: Table,
    /// What users wrote.
    pub written: Table,
    /// What is announced.
    pub announced: u64,
}

/// What a comparison found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Messages that are on both sides.
    pub messages: u64,
    /// Rows whose other side is not there, is deleted, or says something else.
    pub one_sided: u64,
    /// Messages that were told to be there, and are not on both sides.
    pub lost: u64,
    /// Messages that were told to be deleted, and are on some side.
    pub undead: u64,
    /// Texts that are there twice on one side.
    pub doubled: u64,
}

impl Ledger {
    /// A text that no message has.
    pub fn fresh_text(&mut self) -> Bytes {
        self.texts += 1;
        Bytes::from(format!("message {}", self.texts))
    }

    /// How many messages may be deleted.
    pub const fn there(&self) -> usize {
        self.there.len()
    }

    /// Takes one of them: it is going to be deleted.
    pub fn take(&mut self, index: usize) -> Message {
        self.there.swap_remove(index)
    }

    /// Somebody was told that a message is there, or deleted.
    pub fn told(&mut self, message: Message) {
        if message.text.is_some() {
            self.there.push(message);
        } else {
            self.deleted.push(message);
        }
    }

    /// Compares.
    pub fn check(&self, sides: &Sides) -> Findings {
        let received =
            |end: &End| sides.received.get(end).and_then(|value| Message::of_received(*end, value));
        let written =
            |end: &End| sides.written.get(end).and_then(|value| Message::of_written(*end, value));
        let mut found = Findings::default();
        for message in sides.received.keys().filter_map(received) {
            let whole = written(&message.writer).as_ref() == Some(&message);
            found.messages += u64::from(whole);
            found.one_sided += u64::from(!whole);
        }
        for message in sides.written.keys().filter_map(written) {
            found.one_sided += u64::from(received(&message.receiver).as_ref() != Some(&message));
        }
        for message in &self.there {
            let both = received(&message.receiver).as_ref() == Some(message)
                && written(&message.writer).as_ref() == Some(message);
            found.lost += u64::from(!both);
        }
        for message in &self.deleted {
            let any = received(&message.receiver).is_some() || written(&message.writer).is_some();
            found.undead += u64::from(any);
        }
        let texts = |all: Vec<Message>| -> u64 {
            let texts: BTreeSet<_> = all.iter().map(|message| message.text.clone()).collect();
            (all.len() - texts.len()) as u64
        };
        found.doubled = texts(sides.received.keys().filter_map(received).collect())
            + texts(sides.written.keys().filter_map(written).collect());
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use storytime_sharding::UserId;

    fn message(text: &'static str) -> Message {
        let end = |user, item| End { user: UserId(user), item };
        Message { writer: end(1, 5), receiver: end(2, 9), text: Some(Bytes::from(text)) }
    }

    #[test]
    fn a_message_on_both_sides_is_whole_and_one_on_one_side_is_lost() {
        let (mut ledger, message) = (Ledger::default(), message("hello"));
        ledger.told(message.clone());
        let mut sides = Sides::default();
        assert_eq!(ledger.check(&sides).lost, 1);
        sides.received.insert(message.receiver, message.received());
        let found = ledger.check(&sides);
        assert_eq!((found.one_sided, found.lost), (1, 1));
        sides.written.insert(message.writer, message.written());
        let found = ledger.check(&sides);
        assert_eq!(found, Findings { messages: 1, ..Findings::default() });
    }

    #[test]
    fn a_deleted_message_that_is_there_is_undead() {
        let (mut ledger, message) = (Ledger::default(), message("hello"));
        let deleted = Message { text: None, ..message.clone() };
        ledger.told(deleted.clone());
        let mut sides = Sides::default();
        sides.received.insert(message.receiver, deleted.received());
        assert_eq!(ledger.check(&sides), Findings::default());
        sides.written.insert(message.writer, message.written());
        let found = ledger.check(&sides);
        assert_eq!((found.one_sided, found.undead), (1, 1));
    }
}
