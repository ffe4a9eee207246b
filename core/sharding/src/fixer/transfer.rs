//! One message posted or deleted, on both sides.

use super::message::{End, Message};
use super::{Answer, GUESTBOOK, PREPARE, Step, WRITTEN};
use crate::map::UserId;
use crate::outcome::{Error, Outcome};
use crate::request::{Change, Request};
use bytes::Bytes;

/// State, named for what is awaited.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum State {
    WriterNumber,
    ReceiverNumber,
    Prepared,
    Received { prepared: u64 },
    Written,
}

/// A transaction over two shards.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Transfer {
    message: Message,
    state: State,
}

fn number(table: &'static str, user: UserId) -> Step<Message> {
    let table = Bytes::from_static(table.as_bytes());
    Step::Ask(Request::Number { table, user, count: 1 })
}

fn write(user: UserId, changes: Vec<Change>) -> Step<Message> {
    Step::Ask(Request::Write { user, changes, index: None })
}

impl Transfer {
    /// A message to be posted, and its first step.
    pub fn post(writer: UserId, receiver: UserId, text: Bytes) -> (Self, Step<Message>) {
        let message = Message {
            writer: End { user: writer, item: 0 },
            receiver: End { user: receiver, item: 0 },
            text: Some(text),
        };
        (Self { message, state: State::WriterNumber }, number(WRITTEN, writer))
    }

    /// A message to be deleted, and the first step.
    pub fn delete(message: Message) -> (Self, Step<Message>) {
        let message = Message { text: None, ..message };
        let step = write(message.writer.user, vec![message.prepare()]);
        (Self { message, state: State::Prepared }, step)
    }

    /// What somebody prepared, and the first step of bringing it to its end.
    pub fn resume(message: Message, prepared: u64) -> (Self, Step<Message>) {
        let step = write(message.receiver.user, vec![message.receive()]);
        (Self { message, state: State::Received { prepared } }, step)
    }

    /// The next step.
    pub fn answer(&mut self, answer: Answer) -> Step<Message> {
        let answer = match answer {
            Err(why) if !matches!(why, Error::Exists { .. } | Error::Changed { .. }) => {
                return Step::Failed(why);
            }
            other => other,
        };
        match (self.state, answer) {
            (State::WriterNumber, Ok(Outcome::Number(item))) => {
                self.message.writer.item = item;
                self.state = State::ReceiverNumber;
                number(GUESTBOOK, self.message.receiver.user)
            }
            (State::ReceiverNumber, Ok(Outcome::Number(item))) => {
                self.message.receiver.item = item;
                self.state = State::Prepared;
                write(self.message.writer.user, vec![self.message.prepare()])
            }
            (State::Prepared, Ok(Outcome::Written(written))) => {
                let Some(&(_, prepared)) = written.rows.first() else {
                    return Step::Failed(Error::Garbled);
                };
                self.state = State::Received { prepared };
                write(self.message.receiver.user, vec![self.message.receive()])
            }
            // It may have been done already by somebody who found it prepared.
            (State::Received { prepared }, Ok(Outcome::Written(_)) | Err(_)) => {
                self.state = State::Written;
                let done = Change::Delete {
                    table: Bytes::from_static(PREPARE.as_bytes()),
                    item: self.message.writer.item,
                    version: Some(prepared),
                };
                write(self.message.writer.user, vec![self.message.write(), done])
            }
            (State::Written, Ok(Outcome::Written(_)) | Err(_)) => Step::Done(self.message.clone()),
            (_, Err(why)) => Step::Failed(why),
            (_, Ok(_)) => Step::Failed(Error::Garbled),
        }
    }
}
