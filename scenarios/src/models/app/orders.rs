//! The link to who hands out moves: orders out, in lines of text, and what is said to them.
//!
//! Not here: what a move is. Nothing rests on these lines but when a move begins; an order that was
//! sent and not answered may have been taken or not.

use bytes::BytesMut;
use std::collections::VecDeque;
use std::time::Duration;
use storytime_machine::{Close, Conn, Cx, Endpoint, Open, Token};
use storytime_sharding::UserId;
use storytime_sharding::mover::wire::{Line, take_line};

/// Names the connect and the timers: beside those of the machine.
const CONNECT: Token = Token(20);
const RETRY: Token = Token(20);
const DEADLINE: Token = Token(21);

/// Pause between a lost connection and the next attempt.
const RETRY_AFTER: Duration = Duration::from_millis(100);
/// How often orders without an answer are looked for.
const LOOK: Duration = Duration::from_millis(100);

/// An order under way.
#[derive(Clone, Copy, Debug)]
struct Asked {
    tag: u64,
    /// About whom it is; nobody: how many moves there are.
    user: Option<UserId>,
    /// Looks that it has still to live through.
    looks_left: u32,
}

/// The link.
#[derive(Debug)]
pub(super) struct Orders {
    at: Endpoint,
    looks_max: u32,
    conn: Option<Conn>,
    asked: VecDeque<Asked>,
    ended: VecDeque<(u64, Option<Line>)>,
}

/// About whom a line is, of those that go or come here.
const fn user_of(line: Line) -> Option<UserId> {
    match line {
        Line::Add(user, ..)
        | Line::Cancel(user)
        | Line::Queued(user)
        | Line::Cancelled(user)
        | Line::Refused(user)
        | Line::Unknown(user) => Some(user),
        _ => None,
    }
}

impl Orders {
    pub(super) fn new(at: Endpoint, timeout: Duration) -> Self {
        let looks = timeout.as_millis().div_ceil(LOOK.as_millis());
        let looks_max = u32::try_from(looks).unwrap_or(u32::MAX).saturating_add(1);
        Self { at, looks_max, conn: None, asked: VecDeque::new(), ended: VecDeque::new() }
    }

    pub(super) fn connect(&self, cx: &mut Cx) {
        cx.connect(CONNECT, self.at.clone(), RETRY_AFTER * 10);
        cx.after(DEADLINE, LOOK);
    }

    /// Says a line; its answer, or that there is none, comes under the tag.
    pub(super) fn say(&mut self, cx: &mut Cx, line: Line, tag: u64) {
        match self.conn.and_then(|conn| cx.tx(conn)) {
            None => self.ended.push_back((tag, None)),
            Some(tx) => {
                tx.put(line.to_string().as_bytes());
                let asked = Asked { tag, user: user_of(line), looks_left: self.looks_max };
                self.asked.push_back(asked);
            }
        }
    }

    pub(super) fn next_end(&mut self) -> Option<(u64, Option<Line>)> {
        self.ended.pop_front()
    }

    pub(super) fn on_open(&mut self, conn: Conn, how: &Open) -> bool {
        let ours = *how == Open::Connected { connect: CONNECT };
        if ours {
            self.conn = Some(conn);
        }
        ours
    }

    pub(super) fn on_data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) -> bool {
        if self.conn != Some(conn) {
            return false;
        }
        loop {
            match take_line(rx) {
                Ok(None) => return true,
                Ok(Some(line)) => self.heard(line),
                Err(_) => {
                    rx.clear();
                    cx.close(conn, Close::Abort);
                    return true;
                }
            }
        }
    }

    /// Answers about one user come in the order in which they were asked for.
    fn heard(&mut self, line: Line) {
        let user = user_of(line);
        if let Some(at) = self.asked.iter().position(|asked| asked.user == user)
            && let Some(asked) = self.asked.remove(at)
        {
            self.ended.push_back((asked.tag, Some(line)));
        }
    }

    pub(super) fn on_gone(&mut self, cx: &mut Cx, conn: Conn) -> bool {
        let ours = self.conn == Some(conn);
        if ours {
            self.conn = None;
            self.ended.extend(self.asked.drain(..).map(|asked| (asked.tag, None)));
            cx.after(RETRY, RETRY_AFTER);
        }
        ours
    }

    pub(super) fn on_failed(&self, cx: &mut Cx, connect: Token) -> bool {
        if connect == CONNECT {
            cx.after(RETRY, RETRY_AFTER);
        }
        connect == CONNECT
    }

    pub(super) fn on_timer(&mut self, cx: &mut Cx, timer: Token) -> bool {
        match timer {
            RETRY => cx.connect(CONNECT, self.at.clone(), RETRY_AFTER * 10),
            DEADLINE => {
                self.asked.iter_mut().for_each(|asked| asked.looks_left -= 1);
                // The oldest have the fewest left.
                while self.asked.front().is_some_and(|asked| asked.looks_left == 0) {
                    let late = self.asked.pop_front();
                    self.ended.extend(late.map(|asked| (asked.tag, None)));
                }
                cx.after(DEADLINE, LOOK);
            }
            _ => return false,
        }
        true
    }
}
