//! One message on its way to both sides, or off them.

use super::Method;
use bytes::Bytes;
use storytime_sharding::fixer::{Answer, End, GUESTBOOK, Message, Step, Transfer, WRITTEN};
use storytime_sharding::{Change, Outcome, Request, UserId};

/// What is to be done next.
#[derive(Debug)]
pub enum Carried {
    /// This.
    Ask(Request),
    /// Nothing: it is done.
    Done(Message),
    /// It stopped here.
    Failed,
}

/// What the plain way awaits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaits {
    WriterNumber,
    ReceiverNumber,
    Received,
    Written,
}

/// A message on its way.
#[derive(Debug)]
pub enum Carry {
    /// With an announcement.
    Prepared {
        /// The transaction.
        transfer: Transfer,
        /// Whether the message is being deleted.
        deletes: bool,
    },
    /// One write after the other.
    Plain(Plain),
}

/// A message on the plain way.
#[derive(Debug)]
pub struct Plain {
    message: Message,
    awaits: Awaits,
}

fn number(table: &'static str, user: UserId) -> Request {
    Request::Number { table: Bytes::from_static(table.as_bytes()), user, count: 1 }
}

fn first<T>(step: Step<T>) -> Request {
    match step {
        Step::Ask(request) => request,
        Step::Done(_) | Step::Failed(_) => unreachable!("a message's way begins with a request"),
    }
}

impl Carry {
    /// A new message, and the first request.
    pub fn post(method: Method, writer: UserId, receiver: UserId, text: Bytes) -> (Self, Request) {
        if method == Method::Prepared {
            let (transfer, step) = Transfer::post(writer, receiver, text);
            return (Self::Prepared { transfer, deletes: false }, first(step));
        }
        let end = |user| End { user, item: 0 };
        let message = Message { writer: end(writer), receiver: end(receiver), text: Some(text) };
        (Self::Plain(Plain { message, awaits: Awaits::WriterNumber }), number(WRITTEN, writer))
    }

    /// A message to be deleted, and the first request.
    pub fn delete(method: Method, message: Message) -> (Self, Request) {
        if method == Method::Prepared {
            let (transfer, step) = Transfer::delete(message);
            return (Self::Prepared { transfer, deletes: true }, first(step));
        }
        let plain = Plain { message: Message { text: None, ..message }, awaits: Awaits::Received };
        let request = plain.receive();
        (Self::Plain(plain), request)
    }

    /// How many requests a post takes.
    pub const fn steps_max(method: Method) -> u32 {
        match method {
            Method::Prepared => 5,
            Method::TwoWrites => 4,
        }
    }

    /// How many requests it takes.
    pub const fn steps(&self) -> u32 {
        match self {
            Self::Prepared { deletes: false, .. } => Self::steps_max(Method::Prepared),
            Self::Prepared { deletes: true, .. } => 3,
            Self::Plain(plain) if plain.message.text.is_some() => {
                Self::steps_max(Method::TwoWrites)
            }
            Self::Plain(_) => 2,
        }
    }

    /// What comes next.
    pub fn answer(&mut self, answer: Answer) -> Carried {
        match self {
            Self::Prepared { transfer, .. } => match transfer.answer(answer) {
                Step::Ask(request) => Carried::Ask(request),
                Step::Done(message) => Carried::Done(message),
                Step::Failed(_) => Carried::Failed,
            },
            Self::Plain(plain) => plain.answer(answer),
        }
    }
}

impl Plain {
    fn change(&self, table: &'static str, item: u64, value: Bytes) -> Change {
        let table = Bytes::from_static(table.as_bytes());
        if self.message.text.is_some() {
            Change::Create { table, item: Some(item), value }
        } else {
            Change::Update { table, item, version: None, value }
        }
    }

    fn receive(&self) -> Request {
        let end = self.message.receiver;
        let change = self.change(GUESTBOOK, end.item, self.message.received());
        Request::Write { user: end.user, changes: vec![change], index: None }
    }

    fn write(&self) -> Request {
        let end = self.message.writer;
        let change = self.change(WRITTEN, end.item, self.message.written());
        Request::Write { user: end.user, changes: vec![change], index: None }
    }

    fn answer(&mut self, answer: Answer) -> Carried {
        match (self.awaits, answer) {
            (Awaits::WriterNumber, Ok(Outcome::Number(item))) => {
                self.message.writer.item = item;
                self.awaits = Awaits::ReceiverNumber;
                Carried::Ask(number(GUESTBOOK, self.message.receiver.user))
            }
            (Awaits::ReceiverNumber, Ok(Outcome::Number(item))) => {
                self.message.receiver.item = item;
                self.awaits = Awaits::Received;
                Carried::Ask(self.receive())
            }
            (Awaits::Received, Ok(Outcome::Written(_))) => {
                self.awaits = Awaits::Written;
                Carried::Ask(self.write())
            }
            (Awaits::Written, Ok(Outcome::Written(_))) => Carried::Done(self.message.clone()),
            _ => Carried::Failed,
        }
    }
}
