//! Mails as events, what is left of them, and what is known of all of them.
//!
//! Every event has a number of its own, and a mailbox is the set of its events: in which order they
//! came says nothing. A mail lies where the move with the highest number put it. It is gone if a
//! delete has seen all of its moves; a move that the delete has not seen means that somebody else
//! wanted the mail, and in doubt it is kept.

use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What is done to a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// It comes.
    Delivered,
    /// It is put into another folder, which has the event's number.
    Moved,
    /// It is thrown away by somebody who has seen these moves of it.
    Deleted(BTreeSet<u64>),
}

/// Something that is done to a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailEvent {
    /// Which nothing else has.
    pub number: u64,
    /// The mail, by the number of its delivery.
    pub mail: u64,
    /// What is done.
    pub what: What,
}

impl fmt::Display for MailEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Delivered => write!(f, "{} delivered", self.mail),
            What::Moved => write!(f, "{} moved", self.mail),
            What::Deleted(seen) => {
                write!(f, "{} deleted", self.mail)?;
                seen.iter().try_for_each(|number| write!(f, " {number}"))
            }
        }
    }
}

impl MailEvent {
    /// Reads what [`Display`](fmt::Display) wrote.
    pub fn parse(number: u64, text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let mail = words.next()?.parse().ok()?;
        let what = match words.next()? {
            "delivered" => What::Delivered,
            "moved" => What::Moved,
            "deleted" => {
                let seen: Result<_, _> = words.map(str::parse).collect();
                What::Deleted(seen.ok()?)
            }
            _ => return None,
        };
        Some(Self { number, mail, what })
    }
}

/// The mails of a mailbox, and the folder of each: 0 is where they come in.
pub type Mails = BTreeMap<u64, u64>;

/// Rows of a mailbox in one database, by their numbers.
pub type Rows = BTreeMap<u64, Bytes>;

/// Mails that are rows of their own: the value is the folder.
pub fn mails_of_rows(rows: &Rows) -> Mails {
    let folder = |value: &Bytes| std::str::from_utf8(value).ok()?.parse().ok();
    rows.iter().filter_map(|(mail, value)| Some((*mail, folder(value)?))).collect()
}

/// What events leave, in whatever order they came.
pub fn mails_of_events(rows: &Rows) -> Mails {
    let text = |value: &Bytes| String::from_utf8(value.to_vec()).ok();
    let events = rows.iter().filter_map(|(number, value)| MailEvent::parse(*number, &text(value)?));
    let mut known: BTreeMap<u64, (BTreeSet<u64>, Vec<BTreeSet<u64>>)> = BTreeMap::new();
    for event in events {
        let (moves, deletes) = known.entry(event.mail).or_default();
        match event.what {
            What::Delivered => {}
            What::Moved => drop(moves.insert(event.number)),
            What::Deleted(seen) => deletes.push(seen),
        }
    }
    let is_there = |(moves, deletes): &(BTreeSet<u64>, Vec<BTreeSet<u64>>)| {
        !deletes.iter().any(|seen| moves.is_subset(seen))
    };
    let there = known.into_iter().filter(|(_, known)| is_there(known));
    there.map(|(mail, (moves, _))| (mail, moves.last().copied().unwrap_or(0))).collect()
}

/// What is known of one mail.
#[derive(Debug, Default)]
struct Known {
    delivered: bool,
    moves_begun: BTreeSet<u64>,
    moves: BTreeSet<u64>,
    /// What those have seen who threw it away, and whether that was acknowledged.
    deletes: Vec<(u64, BTreeSet<u64>, bool)>,
}

impl Known {
    /// Whether it has to be there.
    fn must_stay(&self) -> bool {
        self.delivered && self.deletes.iter().all(|(_, seen, _)| !self.moves.is_subset(seen))
    }

    /// Whether it has to be gone.
    fn must_go(&self) -> bool {
        self.deletes.iter().any(|(_, seen, sure)| *sure && self.moves_begun.is_subset(seen))
    }
}

/// What is known of all mails.
#[derive(Debug, Default)]
pub struct Ledger {
    next: u64,
    /// By mailbox, then by mail.
    mailboxes: BTreeMap<u64, BTreeMap<u64, Known>>,
    /// By mailbox.
    acknowledged: BTreeMap<u64, BTreeSet<u64>>,
    /// Mails that nobody threw away: mailbox and mail.
    live: Vec<(u64, u64)>,
}

/// What a comparison of all databases of a mailbox found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Mails that are known.
    pub compared: u64,
    /// Mails that are not the same everywhere.
    pub diverged: u64,
    /// Mails that have to be there and are not everywhere.
    pub dropped: u64,
    /// Mails that have to be gone and are somewhere.
    pub undead: u64,
    /// Mails that are there because somebody moved what another one threw away.
    pub kept_in_doubt: u64,
}

impl Ledger {
    /// One of the mails that nobody threw away: mailbox and mail. `draw` is given how many.
    pub fn draw(&self, draw: impl FnOnce(usize) -> usize) -> Option<(u64, u64)> {
        (!self.live.is_empty()).then(|| self.live[draw(self.live.len())])
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn known(&mut self, mailbox: u64, mail: u64) -> &mut Known {
        self.mailboxes.entry(mailbox).or_default().entry(mail).or_default()
    }

    /// A new mail for a mailbox.
    pub fn deliver(&mut self, mailbox: u64) -> MailEvent {
        let number = self.number();
        self.known(mailbox, number);
        MailEvent { number, mail: number, what: What::Delivered }
    }

    /// A mail is moved.
    pub fn relocate(&mut self, mailbox: u64, mail: u64) -> MailEvent {
        let number = self.number();
        self.known(mailbox, mail).moves_begun.insert(number);
        MailEvent { number, mail, what: What::Moved }
    }

    /// A mail is thrown away by somebody who sees what was acknowledged.
    pub fn delete(&mut self, mailbox: u64, mail: u64) -> MailEvent {
        let number = self.number();
        self.live.retain(|live| *live != (mailbox, mail));
        let known = self.known(mailbox, mail);
        let seen = known.moves.clone();
        known.deletes.push((number, seen.clone(), false));
        MailEvent { number, mail, what: What::Deleted(seen) }
    }

    /// A job server says that it has an event.
    pub fn acknowledge(&mut self, mailbox: u64, event: &MailEvent) {
        self.acknowledged.entry(mailbox).or_default().insert(event.number);
        let known = self.known(mailbox, event.mail);
        match event.what {
            What::Delivered => {
                known.delivered = true;
                self.live.push((mailbox, event.mail));
            }
            What::Moved => drop(known.moves.insert(event.number)),
            What::Deleted(_) => {
                let delete = known.deletes.iter_mut().find(|(number, ..)| *number == event.number);
                delete.expect("it was begun").2 = true;
            }
        }
    }

    /// Acknowledged events that lack among these.
    pub fn missing(&self, mailbox: u64, rows: &Rows) -> u64 {
        let acknowledged = self.acknowledged.get(&mailbox).into_iter().flatten();
        acknowledged.filter(|number| !rows.contains_key(number)).count() as u64
    }

    /// Compares what all databases of a mailbox have, with each other and with what is known.
    pub fn compare(&self, mailbox: u64, copies: &[Mails]) -> Found {
        let mut found = Found::default();
        for (mail, known) in self.mailboxes.get(&mailbox).into_iter().flatten() {
            let first = copies.first().and_then(|mails| mails.get(mail));
            let everywhere = copies.iter().all(|mails| mails.contains_key(mail));
            let somewhere = copies.iter().any(|mails| mails.contains_key(mail));
            let same = copies.iter().all(|mails| mails.get(mail) == first);
            let in_doubt = known.must_stay() && !known.deletes.is_empty();
            found.compared += 1;
            found.diverged += u64::from(!same);
            found.dropped += u64::from(known.must_stay() && !everywhere);
            found.undead += u64::from(known.must_go() && somewhere);
            found.kept_in_doubt += u64::from(in_doubt && everywhere);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(events: &[(u64, &'static str)]) -> Rows {
        events.iter().map(|(number, text)| (*number, Bytes::from_static(text.as_bytes()))).collect()
    }

    #[test]
    fn events_are_read_as_they_were_written() {
        for what in [What::Delivered, What::Moved, What::Deleted([3, 9].into())] {
            let event = MailEvent { number: 10, mail: 2, what };
            assert_eq!(MailEvent::parse(10, &event.to_string()), Some(event));
        }
        assert_eq!(MailEvent::parse(1, "1 eaten"), None);
        assert_eq!(MailEvent::parse(1, ""), None);
    }

    #[test]
    fn a_mail_goes_only_with_a_delete_that_has_seen_all_of_its_moves() {
        let seen = rows(&[(1, "1 delivered"), (2, "1 moved"), (3, "1 deleted 2")]);
        assert_eq!(mails_of_events(&seen), Mails::new());
        let unseen = rows(&[(1, "1 delivered"), (2, "1 moved"), (3, "1 deleted")]);
        assert_eq!(mails_of_events(&unseen), Mails::from([(1, 2)]), "in doubt it is kept");
        let moved_twice = rows(&[(1, "1 delivered"), (2, "1 moved"), (4, "1 moved")]);
        assert_eq!(mails_of_events(&moved_twice), Mails::from([(1, 4)]));
    }

    #[test]
    fn what_is_lost_or_undead_or_not_alike_is_found() {
        let mut ledger = Ledger::default();
        let (kept, gone) = (ledger.deliver(7), ledger.deliver(7));
        ledger.acknowledge(7, &kept);
        ledger.acknowledge(7, &gone);
        let delete = ledger.delete(7, gone.mail);
        ledger.acknowledge(7, &delete);
        let there = Mails::from([(kept.mail, 0)]);
        let right = ledger.compare(7, &[there.clone(), there.clone()]);
        assert_eq!(right, Found { compared: 2, ..Found::default() });
        let lost = ledger.compare(7, &[there.clone(), Mails::new()]);
        assert_eq!((lost.dropped, lost.diverged), (1, 1));
        let both = Mails::from([(kept.mail, 0), (gone.mail, 0)]);
        assert_eq!(ledger.compare(7, &[both.clone(), both]).undead, 1);
        assert_eq!(ledger.missing(7, &rows(&[(1, "1 delivered")])), 2);
    }
}
