//! The masters of each mailbox, read and compared: to mend them, or to say what they have.

use super::mail::{Rows, mails_of_events, mails_of_rows};
use super::{Job, MailStore, Writes, is_written};
use crate::models::app::{Came, Hands, Step, lock};
use bytes::Bytes;
use std::time::Duration;
use storytime_database::Reply;

/// How long a master that did not answer is left alone.
const AGAIN_PAUSE: Duration = Duration::from_millis(200);
/// How often in a row it is asked in vain.
const TRIES_MAX: u32 = 100;

/// What rows are read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Every master is to have all rows.
    Mend,
    /// What they have is compared.
    Compare,
}

/// The masters of one mailbox.
#[derive(Debug)]
pub struct Round {
    purpose: Purpose,
    mailbox: u64,
    /// What the first masters have.
    rows: Vec<Rows>,
    /// The master that is being mended, if all are read.
    mending: Option<usize>,
    /// How often in a row nobody answered.
    tries: u32,
}

impl MailStore {
    /// Begins with the first mailbox, on the first host.
    pub(super) fn first_round(&self, hands: &mut Hands<'_>, purpose: Purpose) -> Step<Job> {
        if hands.part() > 0 {
            return Step::Done;
        }
        self.round(hands, purpose, 1)
    }

    /// The table of rows.
    pub(super) const fn table(&self) -> &'static [u8] {
        match self.numbers.writes {
            Writes::Events => b"events",
            Writes::InPlace => b"mails",
        }
    }

    fn round(&self, hands: &mut Hands<'_>, purpose: Purpose, mailbox: u64) -> Step<Job> {
        if mailbox > self.numbers.mailboxes {
            return Step::Done;
        }
        let round = Round { purpose, mailbox, rows: Vec::new(), mending: None, tries: 0 };
        self.ask(hands, round)
    }

    /// Asks the next master: for its rows, or to take what it lacks.
    fn ask(&self, hands: &mut Hands<'_>, mut round: Round) -> Step<Job> {
        let (mailbox, table) = (round.mailbox.to_string(), self.table());
        let mailbox = mailbox.as_bytes();
        let Some(copy) = round.mending else {
            let host = self.master(round.mailbox, round.rows.len());
            hands.dbd(host, &[b"ROW.RANGE", table, mailbox, b"-", b"+"]);
            return Step::Await(Job::AwaitRows(round));
        };
        let Some(has) = round.rows.get(copy) else {
            return self.round(hands, round.purpose, round.mailbox + 1);
        };
        let others = round.rows.iter().flatten();
        let lacks: Rows = others
            .filter(|(number, _)| !has.contains_key(number))
            .map(|(number, value)| (*number, value.clone()))
            .collect();
        if lacks.is_empty() {
            round.mending = Some(copy + 1);
            return self.ask(hands, round);
        }
        let items: Vec<(String, &Bytes)> =
            lacks.iter().map(|(number, value)| (number.to_string(), value)).collect();
        let mut words = vec![&b"ROW.BATCH"[..], mailbox];
        for (item, value) in &items {
            words.extend([&b"PUT"[..], table, item.as_bytes(), &value[..]]);
        }
        hands.dbd(self.master(round.mailbox, copy), &words);
        hands.count("mended", items.len() as u64);
        Step::Await(Job::AwaitRows(round))
    }

    /// A master has answered, or a pause is over.
    pub(super) fn rows(&self, hands: &mut Hands<'_>, mut round: Round, came: Came) -> Step<Job> {
        let outcome = match came {
            Came::Woke => return self.ask(hands, round),
            Came::Dbd(outcome) => outcome,
            came => unreachable!("rows come from databases, and not {came:?}"),
        };
        if !is_written(&outcome) {
            round.tries += 1;
            if round.tries > TRIES_MAX {
                return Step::Failed;
            }
            hands.pause(AGAIN_PAUSE);
            return Step::Await(Job::AwaitRows(round));
        }
        round.tries = 0;
        if let Some(copy) = &mut round.mending {
            *copy += 1;
            return self.ask(hands, round);
        }
        let Ok(Reply::Array(rows)) = outcome else { return Step::Failed };
        round.rows.push(rows.iter().filter_map(row).collect());
        if round.rows.len() < self.numbers.copies {
            return self.ask(hands, round);
        }
        match round.purpose {
            Purpose::Mend => {
                round.mending = Some(0);
                self.ask(hands, round)
            }
            Purpose::Compare => {
                self.compare(hands, &round);
                self.round(hands, round.purpose, round.mailbox + 1)
            }
        }
    }

    fn compare(&self, hands: &mut Hands<'_>, round: &Round) {
        let (found, missing) = {
            let ledger = lock(&self.ledger);
            let mails = match self.numbers.writes {
                Writes::Events => mails_of_events,
                Writes::InPlace => mails_of_rows,
            };
            let copies: Vec<_> = round.rows.iter().map(mails).collect();
            let missing = match self.numbers.writes {
                Writes::Events => {
                    round.rows.iter().map(|rows| ledger.missing(round.mailbox, rows)).sum()
                }
                Writes::InPlace => 0,
            };
            (ledger.compare(round.mailbox, &copies), missing)
        };
        hands.count("compared", found.compared);
        hands.count("missing", missing);
        hands.count("dropped", found.dropped);
        hands.count("undead", found.undead);
        hands.count("diverged", found.diverged);
        hands.count("kept_in_doubt", found.kept_in_doubt);
    }
}

/// A row of a range: number and value.
fn row(reply: &Reply) -> Option<(u64, Bytes)> {
    let Reply::Array(parts) = reply else { return None };
    let [Reply::Integer(number), _, Reply::Bulk(value)] = &parts[..] else { return None };
    Some((u64::try_from(*number).ok()?, value.clone()))
}
