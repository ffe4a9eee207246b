//! Looks through one user's messages, and mends what is only on one side.

use super::message::{End, Message, is_deleted};
use super::{Answer, GUESTBOOK, PREPARE, Step, Transfer, WRITTEN};
use crate::map::UserId;
use crate::outcome::{Error, Outcome, Row};
use crate::request::{Query, Request};
use bytes::Bytes;
use std::collections::VecDeque;

/// Rows looked at in one go.
const PAGE_ROWS_MAX: u32 = 100;

/// What a check found and did.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Found {
    /// Messages looked at.
    pub messages: u64,
    /// Prepared messages brought to their end.
    pub finished: u64,
    /// Rows created, because only the other side had them.
    pub completed: u64,
    /// Rows deleted, because the other side was.
    pub deleted: u64,
    /// Rows that are no messages.
    pub garbled: u64,
}

/// The tables, in the order in which they are looked through.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Table {
    Prepare,
    Guestbook,
    Written,
}

/// State, named for what is awaited.
#[derive(Clone, PartialEq, Debug)]
enum State {
    Page,
    /// The end of a prepared message.
    Finished(Transfer),
    /// Whether somebody has prepared something about it.
    Prepared(Message, Row),
    /// The other side's row.
    Other(Message, Row),
    Mended,
}

/// A check of one user.
#[derive(Clone, PartialEq, Debug)]
pub struct Check {
    user: UserId,
    table: Table,
    page: VecDeque<Row>,
    state: State,
    found: Found,
}

impl Table {
    const fn name(self) -> &'static str {
        match self {
            Self::Prepare => PREPARE,
            Self::Guestbook => GUESTBOOK,
            Self::Written => WRITTEN,
        }
    }
}

fn rows(table: &'static str, user: UserId, item: u64) -> Step<Found> {
    let table = Bytes::from_static(table.as_bytes());
    Step::Ask(Request::Rows { table, user, items: vec![item] })
}

impl Check {
    /// A check, and its first step.
    pub fn new(user: UserId) -> (Self, Step<Found>) {
        let mut check = Self {
            user,
            table: Table::Prepare,
            page: VecDeque::new(),
            state: State::Page,
            found: Found::default(),
        };
        let step = check.page_from(0);
        (check, step)
    }

    fn page_from(&mut self, min: u64) -> Step<Found> {
        self.state = State::Page;
        let query = Query { min, max: u64::MAX, newest_first: false, limit: PAGE_ROWS_MAX };
        let table = Bytes::from_static(self.table.name().as_bytes());
        Step::Ask(Request::Select { table, user: self.user, query })
    }

    /// The next step.
    pub fn answer(&mut self, answer: Answer) -> Step<Found> {
        match core::mem::replace(&mut self.state, State::Page) {
            State::Page => match answer {
                Ok(Outcome::Rows(rows)) if rows.is_empty() => self.next_table(),
                Ok(Outcome::Rows(rows)) => {
                    self.page = rows.into();
                    self.next_row(None)
                }
                other => failed(other),
            },
            State::Finished(mut transfer) => {
                let step = transfer.answer(answer);
                self.on_transfer(transfer, step)
            }
            State::Prepared(message, row) => match answer {
                // Somebody is at it.
                Ok(Outcome::Rows(rows)) if !rows.is_empty() => self.next_row(Some(row.item)),
                Ok(Outcome::Rows(_)) => {
                    let (table, end) = self.other(&message);
                    self.state = State::Other(message, row);
                    rows_of(table, end)
                }
                other => failed(other),
            },
            State::Other(message, row) => match answer {
                Ok(Outcome::Rows(rows)) => self.compare(&message, &row, rows.first()),
                other => failed(other),
            },
            State::Mended => match answer {
                Ok(Outcome::Written(_)) | Err(Error::Exists { .. } | Error::Changed { .. }) => {
                    self.next_row(None)
                }
                other => failed(other),
            },
        }
    }

    /// Where a message lies beside the table that is looked through.
    const fn other(&self, message: &Message) -> (&'static str, End) {
        match self.table {
            Table::Guestbook => (WRITTEN, message.writer),
            Table::Prepare | Table::Written => (GUESTBOOK, message.receiver),
        }
    }

    fn next_table(&mut self) -> Step<Found> {
        self.table = match self.table {
            Table::Prepare => Table::Guestbook,
            Table::Guestbook => Table::Written,
            Table::Written => return Step::Done(self.found),
        };
        self.page_from(0)
    }

    /// The next row; behind the page's last, the next page.
    fn next_row(&mut self, done: Option<u64>) -> Step<Found> {
        let mut last = done;
        if done.is_none() && self.page.is_empty() {
            return self.next_table();
        }
        while let Some(row) = self.page.pop_front() {
            last = Some(row.item);
            let end = End { user: self.user, item: row.item };
            let message = match self.table {
                _ if is_deleted(&row.value) => continue,
                Table::Prepare => Message::of_prepared(end, &row.value),
                Table::Guestbook => Message::of_received(end, &row.value),
                Table::Written => Message::of_written(end, &row.value),
            };
            let Some(message) = message else {
                self.found.garbled += 1;
                continue;
            };
            self.found.messages += 1;
            if self.table == Table::Prepare {
                let (transfer, step) = Transfer::resume(message, row.version);
                return self.on_transfer(transfer, step);
            }
            let (writer, item) = (message.writer.user, message.writer.item);
            self.state = State::Prepared(message, row);
            return rows(PREPARE, writer, item);
        }
        match last {
            Some(item) if item < u64::MAX => self.page_from(item + 1),
            _ => self.next_table(),
        }
    }

    fn on_transfer(&mut self, transfer: Transfer, step: Step<Message>) -> Step<Found> {
        match step {
            Step::Ask(request) => {
                self.state = State::Finished(transfer);
                Step::Ask(request)
            }
            Step::Failed(why) => Step::Failed(why),
            Step::Done(message) => {
                self.found.finished += 1;
                self.next_row(Some(message.writer.item))
            }
        }
    }

    /// Both sides are known, and nobody is at work on them.
    fn compare(&mut self, message: &Message, row: &Row, other: Option<&Row>) -> Step<Found> {
        let (mend, user) = match (self.table, other) {
            (_, Some(other)) if !is_deleted(&other.value) => {
                return self.next_row(Some(row.item));
            }
            (table, None) => {
                self.found.completed += 1;
                if table == Table::Guestbook {
                    (message.write(), message.writer.user)
                } else {
                    (message.receive(), message.receiver.user)
                }
            }
            (table, Some(_)) => {
                self.found.deleted += 1;
                let gone = Message { text: None, ..message.clone() };
                let change = if table == Table::Guestbook { gone.receive() } else { gone.write() };
                (change, self.user)
            }
        };
        self.page.push_front(Row { value: Bytes::from_static(b"deleted"), ..row.clone() });
        self.state = State::Mended;
        Step::Ask(Request::Write { user, changes: vec![mend], index: None })
    }
}

fn rows_of(table: &'static str, end: End) -> Step<Found> {
    rows(table, end.user, end.item)
}

fn failed(answer: Answer) -> Step<Found> {
    Step::Failed(answer.err().unwrap_or(Error::Garbled))
}
