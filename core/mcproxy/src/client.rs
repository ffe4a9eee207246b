//! One client: what it said last, and the replies that it awaits, in order.
//!
//! A client that reads slowly is not read from: requests are taken only while what it has not taken
//! yet is below the high mark. What it asked for before that may still come, so the number of
//! requests under way is a window that grows while replies are small and shrinks as they grow.

use crate::dress::Answer;
use crate::front::binary::{Binary, REQUEST};
use crate::front::{Action, Bounds, ForAll, Text};
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use storytime_machine::{Conn, Cx};

/// Requests under way at first, if so many of the largest values may be held.
const WINDOW_FIRST: usize = 32;
/// Most requests under way of one client.
const WINDOW_MAX: usize = 1024;
/// What the replies of one window may come to, bytes, as far as the last replies tell.
const WINDOW_BYTES: usize = 8 << 20;
/// Replies that wait for an earlier one or for the client, bytes, above which it is hung up on.
pub(crate) const HELD_BYTES_MAX: usize = 64 << 20;

const END: Bytes = Bytes::from_static(b"END\r\n");

/// The language of a client, as its first byte tells.
#[derive(Debug)]
enum Speech {
    Unknown,
    Text(Text),
    Binary(Binary),
}

/// A place in the order of replies.
#[derive(Debug)]
enum Place {
    /// The answer is on its way.
    Awaited,
    Ready(Answer),
    /// The end of a retrieval: `END`, or the error of one of its keys.
    End,
}

/// Why nothing more is taken from a client for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Requests are taken.
    Open,
    /// A request for all servers waits until every earlier reply has left.
    Deferred,
    /// Nothing is taken before this answer: a request for all servers, or a large value.
    AwaitAnswer { seq: u64 },
    /// It is to be closed behind the replies due.
    Leaving,
}

/// A client's connection.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) conn: Conn,
    speech: Speech,
    places: VecDeque<Place>,
    /// Number of the first place.
    first: u64,
    /// Bytes in places that are ready.
    held: usize,
    /// The error that takes the place of a retrieval's end.
    spoilt: Option<Answer>,
    stage: Stage,
    deferred: Option<ForAll>,
    /// It has closed its side.
    ended: bool,
    paused: bool,
    window: usize,
    /// Replies since the window last grew.
    replies: usize,
}

/// What became of a client when its replies were handed on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// It waits, or may go on.
    Nothing,
    /// All replies have left and it is to be closed.
    Close,
    /// Too much is held for it.
    Overrun,
}

impl Client {
    /// A client of a proxy that takes values up to so many bytes.
    pub(crate) fn new(conn: Conn, value_bytes_max: usize) -> Self {
        let window = (HELD_BYTES_MAX / value_bytes_max.max(1)).clamp(1, WINDOW_FIRST);
        Self {
            conn,
            speech: Speech::Unknown,
            places: VecDeque::new(),
            first: 0,
            held: 0,
            spoilt: None,
            stage: Stage::Open,
            deferred: None,
            ended: false,
            paused: false,
            window,
            replies: 0,
        }
    }

    /// Whether another request is taken from it now.
    pub(crate) fn may_ask(&self, cx: &Cx) -> bool {
        let unread = self.held + cx.pending(self.conn);
        self.stage == Stage::Open
            && self.places.len() < self.window
            && unread <= cx.limits().tx_high
    }

    /// Eats one request.
    pub(crate) fn step(
        &mut self,
        rx: &mut BytesMut,
        scratch: &mut BytesMut,
        bounds: &Bounds,
    ) -> Action {
        if let Speech::Unknown = self.speech {
            let Some(&first) = rx.first() else { return Action::Await };
            self.speech = if first == REQUEST {
                Speech::Binary(Binary::AwaitPacket)
            } else {
                Speech::Text(Text::default())
            };
        }
        match &mut self.speech {
            Speech::Text(text) => text.step(rx, scratch, bounds),
            Speech::Binary(binary) => binary.step(rx, bounds),
            Speech::Unknown => unreachable!("it was told by the first byte"),
        }
    }

    /// A place for an answer that is on its way.
    pub(crate) fn await_answer(&mut self) -> u64 {
        self.places.push_back(Place::Awaited);
        self.first + self.places.len() as u64 - 1
    }

    /// An answer that is there already.
    pub(crate) fn answer(&mut self, answer: Answer) {
        self.held += answer.len();
        self.places.push_back(Place::Ready(answer));
    }

    /// The end of a retrieval.
    pub(crate) fn end_retrieval(&mut self) {
        self.places.push_back(Place::End);
    }

    /// An answer came.
    pub(crate) fn fill(&mut self, seq: u64, answer: Answer) {
        let at = seq.checked_sub(self.first).and_then(|at| usize::try_from(at).ok());
        let at = at.filter(|&at| at < self.places.len());
        let at = at.expect("a place is kept until its answer has left");
        assert!(matches!(self.places[at], Place::Awaited), "a request is answered once");
        self.held += answer.len();
        self.fit_window(answer.len());
        self.places[at] = Place::Ready(answer);
        if self.stage == (Stage::AwaitAnswer { seq }) {
            self.stage = if self.ended { Stage::Leaving } else { Stage::Open };
        }
    }

    fn fit_window(&mut self, bytes: usize) {
        let fitting = (WINDOW_BYTES / bytes.max(1)).clamp(1, WINDOW_MAX);
        self.replies += 1;
        if fitting < self.window {
            (self.window, self.replies) = (fitting, 0);
        } else if self.replies >= self.window {
            (self.window, self.replies) = ((self.window * 2).min(fitting), 0);
        }
    }

    /// A request for all servers: it leaves when every earlier one was answered, and nothing is
    /// taken before it is answered, so that it stands between what was before and what comes after.
    pub(crate) fn defer(&mut self, all: ForAll) {
        assert_eq!(self.stage, Stage::Open, "nothing is taken while one waits");
        self.deferred = Some(all);
        self.stage = Stage::Deferred;
    }

    /// The request for all servers whose time has come.
    pub(crate) fn take_deferred(&mut self) -> Option<ForAll> {
        if self.stage != Stage::Deferred || !self.places.is_empty() {
            return None;
        }
        self.deferred.take()
    }

    /// Takes nothing more before the answer with this number.
    pub(crate) fn wait_for(&mut self, seq: u64) {
        assert!(!matches!(self.stage, Stage::AwaitAnswer { .. }), "one is waited for at a time");
        if self.stage != Stage::Leaving {
            self.stage = Stage::AwaitAnswer { seq };
        }
    }

    /// Nothing more is taken; it is closed behind the replies due.
    pub(crate) const fn leave(&mut self) {
        self.stage = Stage::Leaving;
    }

    /// The client has closed its side. What it asked for is still done.
    pub(crate) fn end(&mut self) {
        self.ended = true;
        if self.stage == Stage::Open {
            self.stage = Stage::Leaving;
        }
    }

    /// Hands on what is ready, in order, as far as the client takes it.
    pub(crate) fn flush(&mut self, cx: &mut Cx) -> Next {
        let high = cx.limits().tx_high;
        while let Some(place) = self.places.front_mut() {
            if cx.pending(self.conn) > high {
                break;
            }
            let answer = match place {
                Place::Awaited => break,
                Place::Ready(answer) => {
                    let answer = core::mem::take(answer);
                    self.held -= answer.len();
                    if answer.spoils_end {
                        self.spoilt.get_or_insert(answer);
                        Answer::default()
                    } else {
                        answer
                    }
                }
                Place::End => self.spoilt.take().unwrap_or_else(|| Answer::of(END)),
            };
            self.places.pop_front();
            self.first += 1;
            put(cx, self.conn, answer);
        }
        if self.places.is_empty() && self.stage == Stage::Leaving {
            return Next::Close;
        }
        if self.held > HELD_BYTES_MAX { Next::Overrun } else { Next::Nothing }
    }

    /// Stops or goes on reading from it. Whoever leaves input unread must call this before
    /// anything changes, so that the input is told again when it may be read.
    pub(crate) fn pace(&mut self, cx: &mut Cx) {
        let pause = !self.may_ask(cx);
        if pause != self.paused {
            self.paused = pause;
            cx.pause(self.conn, pause);
        }
    }

    /// Bytes held for it beyond its connection's buffers.
    pub(crate) fn memory(&self) -> u64 {
        (self.held + self.places.capacity() * size_of::<Place>()) as u64
    }

    pub(crate) fn invariants(&self) {
        let bytes = |place: &Place| match place {
            Place::Ready(answer) => answer.len(),
            _ => 0,
        };
        assert_eq!(self.held, self.places.iter().map(bytes).sum::<usize>(), "held bytes add up");
        assert_eq!(
            self.deferred.is_some(),
            self.stage == Stage::Deferred,
            "a request for all servers is kept while it waits"
        );
    }
}

fn put(cx: &mut Cx, conn: Conn, answer: Answer) {
    let Some(tx) = cx.tx(conn) else { return };
    if let Some(head) = &answer.head {
        tx.put(head);
    }
    tx.push(answer.reply.first);
    answer.reply.rest.into_iter().for_each(|bytes| tx.push(bytes));
}
