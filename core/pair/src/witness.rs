//! Who decides between two halves: connections and disk around the `Court`.
//!
//! Whoever connects is believed to be a half: its port belongs on a private network.

use crate::WitnessConfig;
use crate::cell::{Cell, CellEvent};
use crate::court::{Court, Decision, Record};
use crate::wire::{Answer, Ask, Ruling, next_frame};
use bytes::BytesMut;
use std::collections::VecDeque;
use storytime_machine::{
    Boot, Close, Conn, Cx, DiskResult, Exit, Gone, Listen, Machine, Open, Slots, Token,
};

/// Questions that wait while the record is written; more are forgotten, and asked again.
const QUESTIONS_MAX: usize = 64;
/// Connections taken at once: two halves, and what is left of their earlier lives. Of a host that
/// lost its power nobody hears that its connections are gone: so the last place is kept free by
/// hanging up on whoever was silent for longest.
pub const WITNESS_CONNS_MAX: u32 = 16;
const LISTENER: Token = Token(0);
const CELL: Token = Token(1);

/// Grants the lease of a pair to one half at a time.
#[derive(Debug)]
pub struct Witness {
    config: WitnessConfig,
    cell: Cell,
    /// Opens when the record has been read.
    court: Option<Court>,
    /// Connections, who was heard last at the end.
    conns: Vec<Conn>,
    /// The record under way to the disk.
    writing: Option<Record>,
    questions: VecDeque<(Conn, Ask)>,
    granted: u64,
    denied: u64,
    recorded: u64,
}

impl Witness {
    /// A witness that has not started.
    pub fn new(config: WitnessConfig) -> Self {
        let cell = Cell::new(config.dir.clone(), CELL);
        let questions = VecDeque::with_capacity(QUESTIONS_MAX);
        let conns = Vec::with_capacity(WITNESS_CONNS_MAX as usize);
        let (court, writing) = (None, None);
        Self { config, cell, court, conns, writing, questions, granted: 0, denied: 0, recorded: 0 }
    }

    fn opened(&mut self, cx: &mut Cx, content: Option<bytes::Bytes>) {
        let record = match content.map(Record::of_bytes) {
            None => None,
            Some(Some(record)) => Some(record),
            Some(None) => return cx.exit(Exit::Failed("the record is of another version")),
        };
        self.court = Some(Court::new(record, cx.now()));
        let listen = Listen {
            slots: Slots::AtMost(WITNESS_CONNS_MAX),
            ..Listen::at(self.config.listen.clone())
        };
        cx.listen(LISTENER, listen);
    }

    /// Decides about questions in the order in which they came, until one needs the disk.
    fn answer(&mut self, cx: &mut Cx) {
        let Some(court) = &mut self.court else { return };
        while self.writing.is_none()
            && let Some((conn, ask)) = self.questions.front()
        {
            match court.decide(cx.now(), ask) {
                Decision::Write(record) => {
                    self.writing = Some(record);
                    self.cell.write(cx, record.to_bytes());
                }
                Decision::Say(answer) => {
                    match answer.ruling {
                        Ruling::Granted { .. } => self.granted += 1,
                        Ruling::Denied(_) => self.denied += 1,
                    }
                    say(cx, *conn, answer);
                    self.questions.pop_front();
                }
            }
        }
    }
}

fn say(cx: &mut Cx, conn: Conn, answer: Answer) {
    if let Some(tx) = cx.tx(conn) {
        let mut bytes = BytesMut::new();
        answer.put(&mut bytes);
        tx.put(&bytes);
    }
}

impl Machine for Witness {
    fn start(&mut self, cx: &mut Cx, _boot: Boot) {
        self.cell.open(cx);
    }

    fn open(&mut self, cx: &mut Cx, conn: Conn, _how: Open) {
        self.conns.push(conn);
        if self.conns.len() == WITNESS_CONNS_MAX as usize {
            cx.close(self.conns.remove(0), Close::Abort);
        }
    }

    fn gone(&mut self, _cx: &mut Cx, conn: Conn, _why: Gone) {
        self.conns.retain(|other| *other != conn);
    }

    fn data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        if let Some(place) = self.conns.iter().position(|other| *other == conn) {
            self.conns[place..].rotate_left(1);
        }
        loop {
            let ask = match next_frame(rx) {
                Ok(None) => break,
                Ok(Some(frame)) => Ask::parse(frame),
                Err(bad) => Err(bad),
            };
            let Ok(ask) = ask else { return cx.close(conn, Close::Abort) };
            let Some(court) = &mut self.court else { continue };
            if self.questions.len() < QUESTIONS_MAX && court.hear(&ask) {
                self.questions.push_back((conn, ask));
            }
        }
        self.answer(cx);
    }

    fn disk(&mut self, cx: &mut Cx, _op: Token, result: DiskResult) {
        match self.cell.on_disk(cx, result) {
            None => {}
            Some(CellEvent::Opened(content)) => self.opened(cx, content),
            Some(CellEvent::Failed(why)) => cx.exit(Exit::Failed(why)),
            Some(CellEvent::Written(_)) => {
                let record = self.writing.take().expect("one record is written at a time");
                self.recorded += 1;
                if let Some(court) = &mut self.court {
                    court.recorded(record);
                }
                self.answer(cx);
            }
        }
    }

    fn invariants(&self) {
        if let Some(court) = &self.court {
            court.invariants();
        }
        assert!(self.questions.len() <= QUESTIONS_MAX, "questions are bounded");
        assert!(self.conns.len() < WITNESS_CONNS_MAX as usize, "one more finds a place");
    }

    fn counters(&self, each: &mut dyn FnMut(&'static str, u64)) {
        let record = self.court.as_ref().and_then(Court::record);
        each("granted", self.granted);
        each("denied", self.denied);
        each("recorded", self.recorded);
        each("epoch", record.map_or(0, |record| record.epoch));
        each("both_equal", u64::from(record.is_some_and(|record| record.both)));
    }
}
