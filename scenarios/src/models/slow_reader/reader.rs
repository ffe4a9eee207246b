//! Who reads the value, slowly.

use super::{DIGITS, Figures, SlowReader, TIMEOUT, versions};
use crate::models::Results;
use crate::models::app::lock;
use crate::models::kinds::{Measures, Shared};
use crate::models::results::record;
use bytes::{Buf, BytesMut};
use std::time::Duration;
use storytime_machine::{Boot, Conn, Cx, Endpoint, Gone, Machine, Open, Time, Token, nanos};

/// Pause of a reader that found nothing, or lost its connection.
const RETRY: Duration = Duration::from_millis(50);
/// Connects and timers of the n-th reader: this plus n.
const READERS: u64 = 1 << 20;

/// What a connection awaits.
#[derive(Clone, Copy, Debug)]
enum Awaits {
    /// The end of its connect, or of a pause.
    Connection,
    /// The line before the value.
    Head,
    /// So many more bytes of it.
    Value(u64),
    /// The line behind it.
    End,
}

/// One connection of the reader.
#[derive(Debug)]
struct Line {
    conn: Option<Conn>,
    awaits: Awaits,
    asked: Time,
    /// The version that was stored when it asked.
    stored: u64,
    /// The version that the value began with, and whether all of it was so far.
    version: Option<[u8; DIGITS]>,
    whole: bool,
    /// It takes nothing until its timer fires.
    paused: bool,
    /// When what was taken so far may have come, at its rate.
    paid: Time,
}

#[derive(Debug)]
pub(super) struct Reader {
    numbers: SlowReader,
    at: Endpoint,
    key: String,
    shared: Shared,
    figures: Figures,
    lines: Vec<Line>,
}

impl Reader {
    pub(super) const fn new(
        numbers: SlowReader,
        at: Endpoint,
        key: String,
        shared: Shared,
        figures: Figures,
    ) -> Self {
        Self { numbers, at, key, shared, figures, lines: Vec::new() }
    }

    fn line_of(&self, conn: Conn) -> Option<usize> {
        self.lines.iter().position(|line| line.conn == Some(conn))
    }

    fn ask(&mut self, cx: &mut Cx, n: usize) {
        let stored = lock(versions(&self.shared)).stored;
        let line = &mut self.lines[n];
        let Some(tx) = line.conn.and_then(|conn| cx.tx(conn)) else { return };
        tx.put(format!("get {}\r\n", self.key).as_bytes());
        line.awaits = Awaits::Head;
        (line.asked, line.paid) = (cx.now(), line.paid.max(cx.now()));
        (line.stored, line.version, line.whole) = (stored, None, true);
    }

    /// Takes what has come; returns whether there may be more.
    fn take(&mut self, cx: &mut Cx, n: usize, rx: &mut BytesMut) -> bool {
        let line = &mut self.lines[n];
        match line.awaits {
            Awaits::Connection => {
                rx.clear();
                false
            }
            Awaits::Head => {
                let Some(head) = take_line(rx) else { return false };
                match head.rsplit(' ').next().filter(|_| head.starts_with("VALUE")) {
                    Some(bytes) => line.awaits = Awaits::Value(bytes.parse().unwrap_or(0)),
                    // Not there yet.
                    None => {
                        cx.after(Token(READERS + n as u64), RETRY);
                        return false;
                    }
                }
                true
            }
            Awaits::Value(left) => {
                // Whole versions, so that each can be compared; the last may be cut.
                let there = (rx.len() as u64).min(left);
                let eaten = if there == left { there } else { there - there % DIGITS as u64 };
                let eaten = eaten as usize;
                for block in rx[..eaten].chunks(DIGITS) {
                    let first = *line.version.get_or_insert_with(|| {
                        let mut first = [0; DIGITS];
                        first[..block.len()].copy_from_slice(block);
                        first
                    });
                    line.whole &= first[..block.len()] == *block;
                }
                rx.advance(eaten);
                let left = left - eaten as u64;
                line.awaits = if left == 0 { Awaits::End } else { Awaits::Value(left) };
                self.figures.taken.add(cx.now(), eaten as u64);
                self.pay(cx, n, eaten as u64);
                left == 0
            }
            Awaits::End => {
                const END: &[u8] = b"\r\nEND\r\n";
                if rx.len() < END.len() {
                    return false;
                }
                rx.advance(END.len());
                self.has_read(cx.now(), n);
                self.ask(cx, n);
                false
            }
        }
    }

    /// Reads no more until so many bytes may have come.
    fn pay(&mut self, cx: &mut Cx, n: usize, bytes: u64) {
        let rate = self.numbers.bytes_per_s;
        let line = &mut self.lines[n];
        let (Some(conn), false) = (line.conn, rate == 0) else { return };
        let ns = u128::from(bytes) * 1_000_000_000 / u128::from(rate);
        line.paid += Duration::from_nanos(u64::try_from(ns).unwrap_or(u64::MAX));
        if line.paid > cx.now() {
            cx.pause(conn, true);
            line.paused = true;
            cx.at(Token(READERS + n as u64), line.paid);
        }
    }

    fn has_read(&mut self, now: Time, n: usize) {
        let line = &self.lines[n];
        let stored = lock(versions(&self.shared)).stored;
        let figures = &mut self.figures;
        figures.values_read += 1;
        figures.torn += u64::from(!line.whole);
        let digits = line.version.unwrap_or_default();
        let version = std::str::from_utf8(&digits).ok().and_then(|text| text.parse::<u64>().ok());
        // One more than was acknowledged may have been on its way when it was asked.
        let expected = line.stored..=line.stored + 1;
        figures.as_asked.0 += u64::from(version.is_some_and(|version| expected.contains(&version)));
        figures.as_asked.1 += 1;
        figures.overwritten += stored - line.stored;
        record(&mut figures.read_times, nanos(now.since(line.asked)));
    }

    fn connect(&mut self, cx: &mut Cx, n: usize) {
        self.lines[n].conn = None;
        self.lines[n].awaits = Awaits::Connection;
        cx.connect(Token(READERS + n as u64), self.at.clone(), TIMEOUT);
    }
}

/// Takes a line off the front, without its end.
fn take_line(rx: &mut BytesMut) -> Option<String> {
    let end = rx.iter().position(|&byte| byte == b'\n')?;
    let line = rx.split_to(end + 1);
    Some(String::from_utf8_lossy(&line).trim_end().to_owned())
}

impl Measures for Reader {
    fn results(&self) -> Results {
        self.figures.results()
    }
}

impl Machine for Reader {
    fn start(&mut self, cx: &mut Cx, _boot: Boot) {
        self.figures.begin(cx.now());
        for n in 0..self.numbers.readers as usize {
            self.lines.push(Line {
                conn: None,
                awaits: Awaits::Connection,
                asked: cx.now(),
                stored: 0,
                version: None,
                whole: true,
                paused: false,
                paid: cx.now(),
            });
            self.connect(cx, n);
        }
    }

    fn open(&mut self, cx: &mut Cx, conn: Conn, how: Open) {
        let Open::Connected { connect } = how else { return };
        let n = (connect.0 - READERS) as usize;
        self.lines[n].conn = Some(conn);
        self.ask(cx, n);
    }

    fn data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        match self.line_of(conn) {
            Some(n) => while self.take(cx, n, rx) {},
            None => rx.clear(),
        }
    }

    fn gone(&mut self, cx: &mut Cx, conn: Conn, _why: Gone) {
        if let Some(n) = self.line_of(conn) {
            (self.lines[n].conn, self.lines[n].paused) = (None, false);
            self.lines[n].awaits = Awaits::Connection;
            cx.after(Token(READERS + n as u64), RETRY);
        }
    }

    fn failed(&mut self, cx: &mut Cx, connect: Token, _why: Gone) {
        cx.after(connect, RETRY);
    }

    fn timer(&mut self, cx: &mut Cx, timer: Token) {
        let n = (timer.0 - READERS) as usize;
        let line = &mut self.lines[n];
        match line.conn {
            None => self.connect(cx, n),
            Some(conn) if line.paused => {
                line.paused = false;
                cx.pause(conn, false);
            }
            Some(_) => self.ask(cx, n),
        }
    }
}
