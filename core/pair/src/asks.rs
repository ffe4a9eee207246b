//! A half's questions to the witness.

use crate::wire::{Answer, Ask, Want, next_frame};
use bytes::BytesMut;
use core::time::Duration;
use std::collections::VecDeque;
use storytime_machine::{Close, Conn, Cx, Endpoint, Time, Token};

/// Most questions without an answer.
const UNANSWERED_MAX: usize = 16;

/// A question that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) seq: u64,
    pub(crate) at: Time,
    pub(crate) want: Want,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Idle,
    AwaitConnect,
    Open { conn: Conn },
}

/// The connection to the witness.
#[derive(Debug)]
pub(crate) struct Asks {
    witness: Endpoint,
    connect: Token,
    link: Link,
    seq: u64,
    sent: VecDeque<Sent>,
    /// Connections that were hung up and are not gone yet.
    closing: Vec<Conn>,
    /// Number of the last question that counted the other half as equal.
    last_both: u64,
}

impl Asks {
    pub(crate) const fn new(witness: Endpoint, connect: Token) -> Self {
        let sent = VecDeque::new();
        Self { witness, connect, link: Link::Idle, seq: 0, sent, closing: Vec::new(), last_both: 0 }
    }

    pub(crate) fn is_conn(&self, conn: Conn) -> bool {
        self.link == Link::Open { conn } || self.closing.contains(&conn)
    }

    /// Sends a question; without a connection, begins one. The numbers are filled in here.
    pub(crate) fn ask(&mut self, cx: &mut Cx, mut ask: Ask) {
        let now = cx.now();
        let conn = match self.link {
            Link::AwaitConnect => return,
            Link::Idle => {
                self.link = Link::AwaitConnect;
                return cx.connect(self.connect, self.witness.clone(), ask.lease);
            }
            Link::Open { conn } => conn,
        };
        if self.sent.front().is_some_and(|sent| now.since(sent.at) > ask.lease) {
            return self.reset(cx);
        }
        if self.sent.len() == UNANSWERED_MAX {
            return;
        }
        self.seq += 1;
        ask.seq = self.seq;
        if ask.want == Want::KeepBoth {
            self.last_both = self.seq;
        }
        self.sent.push_back(Sent { seq: self.seq, at: now, want: ask.want });
        if let Some(tx) = cx.tx(conn) {
            let mut bytes = BytesMut::new();
            ask.put(&mut bytes);
            tx.put(&bytes);
        }
    }

    /// Whether an answer was asked for after the other half last counted as equal.
    pub(crate) const fn is_after_both(&self, sent: Sent) -> bool {
        sent.seq > self.last_both
    }

    /// Hangs up; answers that are under way will not be heard.
    pub(crate) fn reset(&mut self, cx: &mut Cx) {
        if let Link::Open { conn } = self.link {
            cx.close(conn, Close::Abort);
            self.closing.push(conn);
        }
        if self.link != Link::AwaitConnect {
            self.link = Link::Idle;
        }
        self.sent.clear();
    }

    pub(crate) fn opened(&mut self, conn: Conn) {
        self.link = Link::Open { conn };
    }

    /// The connect did not come up.
    pub(crate) fn failed(&mut self) {
        self.link = Link::Idle;
    }

    pub(crate) fn gone(&mut self, conn: Conn) {
        if self.link == (Link::Open { conn }) {
            self.link = Link::Idle;
            self.sent.clear();
        }
        self.closing.retain(|closing| *closing != conn);
    }

    /// The next answer, with its question.
    pub(crate) fn next_answer(&mut self, cx: &mut Cx, rx: &mut BytesMut) -> Option<(Answer, Sent)> {
        loop {
            let answer = match next_frame(rx) {
                Ok(None) => return None,
                Ok(Some(frame)) => Answer::parse(frame),
                Err(bad) => Err(bad),
            };
            let Ok(answer) = answer else {
                rx.clear();
                self.reset(cx);
                return None;
            };
            // Questions are answered in order, some not at all.
            while let Some(&sent) = self.sent.front()
                && sent.seq <= answer.seq
            {
                self.sent.pop_front();
                if sent.seq == answer.seq {
                    return Some((answer, sent));
                }
            }
        }
    }
}

/// How long a connect may take.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
