//! Keeps the list of moves and hands them out to movers.
//!
//! The list itself is the table of moves in the directory: a coordinator that starts reads it from
//! there. Who works on what is memory, and is told anew by the movers themselves. Two coordinators
//! do no harm: movers overtake each other, and the rows stay right.

use super::list::{Delays, List};
use super::options::CoordinatorOptions;
use super::record::{MOVE_TABLE, MoveRow, Stage};
use super::request::{self, Answer, Batch, Request, Target, Trouble};
use super::wire::{Line, take_line};
use crate::home::{PLACE_TABLE, Place};
use crate::map::{ShardId, UserId};
use bytes::{Bytes, BytesMut};
use core::time::Duration;
use std::collections::BTreeMap;
use storytime_database::Reply;
use storytime_database::client::{Client, ServerId};
use storytime_machine::{
    Boot, Close, Conn, Cx, Endpoint, Gone, Listen, Machine, Open, Time, Token,
};

/// Owners read at a time when the list is read.
const SCAN_OWNERS_MAX: u32 = 1_000;
/// How often movers and leases are looked at.
const TICK: Duration = Duration::from_millis(200);
const LISTENER: Token = Token(0);
const TICKER: Token = Token(0);
const CLIENT_BASE: Token = Token(1 << 32);

/// A question to the directory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ask {
    /// The list above some owner.
    Scan,
    /// Where the user is who is to be moved.
    Place { conn: Conn, user: UserId, to: ShardId, schema: u32 },
    /// The move is written.
    Order { conn: Conn, user: UserId },
    /// The move that is to be called off.
    Move { conn: Conn, user: UserId },
    /// Calling it off is written.
    Undo { conn: Conn, user: UserId },
}

/// Where the reading of the list is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Scan {
    Rests { until: Time },
    Asked { after: Option<u64> },
}

/// What a coordinator counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CoordinatorCounters {
    /// Moves written into the directory.
    pub ordered: u64,
    /// Orders and calls that could not be.
    pub refused: u64,
    /// Moves handed out, again too.
    pub handed_out: u64,
    /// Moves that a mover said were over.
    pub ended: u64,
    /// Moves that a mover gave back.
    pub given_back: u64,
    /// Connections hung up on for what they said.
    pub hung_up: u64,
    /// Longest time that a user was read-only, as movers saw it, ms.
    pub read_only_ms_max: u64,
}

/// The machine.
#[derive(Debug)]
pub struct Coordinator {
    options: CoordinatorOptions,
    directory: Client,
    server: ServerId,
    list: List,
    scan: Scan,
    asks: BTreeMap<u64, Ask>,
    next_tag: u64,
    counters: CoordinatorCounters,
}

impl Coordinator {
    /// A coordinator that has not started.
    pub fn new(options: CoordinatorOptions) -> Self {
        let mut directory = Client::new(options.client.clone(), CLIENT_BASE);
        let server = directory.database(&options.directory.at, options.directory.select);
        Self {
            list: List::new(options.delays),
            options,
            directory,
            server,
            scan: Scan::Rests { until: Time::ZERO },
            asks: BTreeMap::new(),
            next_tag: 0,
            counters: CoordinatorCounters::default(),
        }
    }

    /// What happened so far.
    pub const fn totals(&self) -> &CoordinatorCounters {
        &self.counters
    }

    /// Moves that are not over.
    pub fn moves(&self) -> usize {
        self.list.len()
    }

    /// How long it waits for what.
    pub const fn delays(&self) -> &Delays {
        &self.options.delays
    }

    fn ask(&mut self, cx: &mut Cx, request: &Request, ask: Ask) -> bool {
        let words: Vec<&[u8]> = request.words.iter().map(|word| &word[..]).collect();
        let tag = self.next_tag;
        if self.directory.ask(cx, self.server, &words, tag).is_err() {
            return false;
        }
        self.next_tag += 1;
        self.asks.insert(tag, ask);
        true
    }

    fn read_list(&mut self, cx: &mut Cx, after: Option<u64>) {
        let after_word = after.map_or_else(|| "-".to_owned(), |owner| owner.to_string());
        let words = ["ROW.OWNERS", MOVE_TABLE, &after_word, &SCAN_OWNERS_MAX.to_string()];
        let words = words.map(|word| Bytes::copy_from_slice(word.as_bytes())).to_vec();
        let request = Request { target: Target::Directory, words };
        self.scan = if self.ask(cx, &request, Ask::Scan) {
            Scan::Asked { after }
        } else {
            Scan::Rests { until: cx.now() + self.options.rescan }
        };
    }

    fn say(cx: &mut Cx, conn: Conn, line: Line) {
        if let Some(tx) = cx.tx(conn) {
            tx.put(line.to_string().as_bytes());
        }
    }

    fn refuse(&mut self, cx: &mut Cx, conn: Conn, user: UserId) {
        self.counters.refused += 1;
        Self::say(cx, conn, Line::Refused(user));
    }

    fn hear_line(&mut self, cx: &mut Cx, conn: Conn, line: Line) -> bool {
        let now = cx.now();
        match line {
            Line::Ready(slots) => self.list.ready(now, conn, slots),
            Line::Working(user) => {
                self.list.working(now, conn, user);
            }
            Line::Ended(user, word, ms) => {
                self.counters.read_only_ms_max = self.counters.read_only_ms_max.max(ms);
                let before = self.list.len();
                self.list.ended(now, conn, user, word);
                if self.list.len() < before {
                    self.counters.ended += 1;
                } else {
                    self.counters.given_back += 1;
                }
            }
            Line::Add(user, to, schema) => {
                let request = request::get(Target::Directory, PLACE_TABLE, user);
                if self.list.len() >= self.options.moves_max
                    || !self.ask(cx, &request, Ask::Place { conn, user, to, schema })
                {
                    self.refuse(cx, conn, user);
                }
            }
            Line::Cancel(user) => {
                let request = request::get(Target::Directory, MOVE_TABLE, user);
                if !self.ask(cx, &request, Ask::Move { conn, user }) {
                    self.refuse(cx, conn, user);
                }
            }
            Line::Status => {
                let waiting = self.list.waiting() as u64;
                let working = self.list.len() as u64 - waiting;
                Self::say(cx, conn, Line::Moves(waiting, working, self.counters.ended));
            }
            _ => return false,
        }
        true
    }

    fn hear_directory(&mut self, cx: &mut Cx, ask: Ask, answer: Answer) {
        match ask {
            Ask::Scan => self.hear_scan(cx, answer),
            Ask::Place { conn, user, to, schema } => {
                if !self.order(cx, conn, user, to, schema, answer) {
                    self.refuse(cx, conn, user);
                }
            }
            Ask::Move { conn, user } => {
                if !self.undo(cx, conn, user, answer) {
                    self.refuse(cx, conn, user);
                }
            }
            Ask::Order { conn, user } => match request::reply(answer) {
                Ok(_) => {
                    self.counters.ordered += 1;
                    self.list.add(cx.now(), user);
                    Self::say(cx, conn, Line::Queued(user));
                }
                Err(why) => self.failed(cx, conn, user, why),
            },
            Ask::Undo { conn, user } => match request::reply(answer) {
                Ok(_) => {
                    self.list.add(cx.now(), user);
                    self.list.hurry(cx.now(), user);
                    Self::say(cx, conn, Line::Cancelled(user));
                }
                Err(why) => self.failed(cx, conn, user, why),
            },
        }
    }

    fn failed(&mut self, cx: &mut Cx, conn: Conn, user: UserId, why: Trouble) {
        if why == Trouble::Unknown {
            Self::say(cx, conn, Line::Unknown(user));
        } else {
            self.refuse(cx, conn, user);
        }
    }

    /// Writes a move, if the user is somewhere else and is not being moved.
    fn order(
        &mut self,
        cx: &mut Cx,
        conn: Conn,
        user: UserId,
        to: ShardId,
        schema: u32,
        answer: Answer,
    ) -> bool {
        let row = request::reply(answer).and_then(request::row);
        let (version, place) = match (row, self.options.unsharded) {
            (Ok(Some((version, value))), _) => match Place::parse(&value) {
                Ok(place) => (version, place),
                Err(_) => return false,
            },
            (Ok(None), Some(master)) => (0, Place::new(master)),
            _ => return false,
        };
        if place.shard == to {
            return false;
        }
        let row = MoveRow { stage: Stage::Copying, from: place.shard, to, schema, holder: 0 };
        let mut batch = Batch::new(Target::Directory, user)
            .check(MOVE_TABLE, 0)
            .check(PLACE_TABLE, version)
            .put_row(MOVE_TABLE, row);
        if version == 0 {
            batch = batch.put_row(PLACE_TABLE, place);
        }
        self.ask(cx, &batch.build(), Ask::Order { conn, user })
    }

    /// Calls a move off, if it is not too late.
    fn undo(&mut self, cx: &mut Cx, conn: Conn, user: UserId, answer: Answer) -> bool {
        let row = request::reply(answer).and_then(request::row);
        let Ok(Some((version, value))) = row else { return false };
        let Ok(row) = MoveRow::parse(&value) else { return false };
        if row.stage != Stage::Copying {
            return false;
        }
        let batch = Batch::new(Target::Directory, user)
            .check(MOVE_TABLE, version)
            .put_row(MOVE_TABLE, MoveRow { stage: Stage::Undoing, ..row });
        self.ask(cx, &batch.build(), Ask::Undo { conn, user })
    }

    fn hear_scan(&mut self, cx: &mut Cx, answer: Answer) {
        let now = cx.now();
        let Ok(Reply::Array(owners)) = request::reply(answer) else {
            self.scan = Scan::Rests { until: now + self.options.delays.retry };
            return;
        };
        let mut last = None;
        for owner in owners.iter().filter_map(|owner| request::unsigned(owner).ok()) {
            last = Some(owner);
            if self.list.len() < self.options.moves_max {
                self.list.add(now, UserId(owner));
            }
        }
        match last {
            Some(owner) => self.read_list(cx, Some(owner)),
            None => self.scan = Scan::Rests { until: now + self.options.rescan },
        }
    }

    /// Takes what the directory said, and hands out what can be handed out.
    fn settle(&mut self, cx: &mut Cx) {
        while let Some(event) = self.directory.next_event() {
            let Some(ask) = self.asks.remove(&event.tag) else { continue };
            let answer = event.outcome.map_or(Answer::Unknown, Answer::Reply);
            self.hear_directory(cx, ask, answer);
        }
        while let Some((conn, user, errand)) = self.list.hand_out(cx.now()) {
            self.counters.handed_out += 1;
            Self::say(cx, conn, Line::hand_out(user, errand));
        }
    }
}

impl Machine for Coordinator {
    fn start(&mut self, cx: &mut Cx, _boot: Boot) {
        cx.listen(LISTENER, Listen::at(Endpoint::any(self.options.port)));
        cx.after(TICKER, TICK);
        self.read_list(cx, None);
    }

    fn open(&mut self, cx: &mut Cx, conn: Conn, how: Open) {
        self.directory.on_open(cx, conn, &how);
        self.settle(cx);
    }

    fn data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        if !self.directory.on_data(cx, conn, rx) {
            loop {
                match take_line(rx) {
                    Ok(None) => break,
                    Ok(Some(line)) if self.hear_line(cx, conn, line) => {}
                    _ => {
                        self.counters.hung_up += 1;
                        rx.clear();
                        cx.close(conn, Close::Abort);
                        break;
                    }
                }
            }
        }
        self.settle(cx);
    }

    fn eof(&mut self, cx: &mut Cx, conn: Conn) {
        if !self.directory.on_eof(cx, conn) {
            cx.close(conn, Close::Flush);
        }
        self.settle(cx);
    }

    fn gone(&mut self, cx: &mut Cx, conn: Conn, why: Gone) {
        if !self.directory.on_gone(cx, conn, why) {
            self.list.gone(cx.now(), conn);
        }
        self.settle(cx);
    }

    fn failed(&mut self, cx: &mut Cx, connect: Token, why: Gone) {
        self.directory.on_failed(cx, connect, why);
        self.settle(cx);
    }

    fn timer(&mut self, cx: &mut Cx, timer: Token) {
        if !self.directory.on_timer(cx, timer) {
            self.list.expire(cx.now());
            if let Scan::Rests { until } = self.scan
                && until <= cx.now()
            {
                self.read_list(cx, None);
            }
            cx.after(TICKER, TICK);
        }
        self.settle(cx);
    }

    fn invariants(&self) {
        self.directory.invariants();
        self.list.invariants();
        let scanning = self.asks.values().filter(|ask| **ask == Ask::Scan).count();
        assert_eq!(scanning == 1, matches!(self.scan, Scan::Asked { .. }), "one scan at a time");
    }

    fn memory(&self) -> u64 {
        self.list.memory()
    }

    fn counters(&self, each: &mut dyn FnMut(&'static str, u64)) {
        each("moves", self.list.len() as u64);
        each("moves_waiting", self.list.waiting() as u64);
        each("movers", self.list.workers() as u64);
        each("moves_ordered", self.counters.ordered);
        each("moves_refused", self.counters.refused);
        each("moves_handed_out", self.counters.handed_out);
        each("moves_ended", self.counters.ended);
        each("moves_given_back", self.counters.given_back);
        each("hung_up", self.counters.hung_up);
        each("read_only_ms_max", self.counters.read_only_ms_max);
    }
}
