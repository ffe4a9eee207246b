//! Somebody who writes numbers to whichever half serves, and remembers what was acknowledged.

use core::time::Duration;
use std::collections::{BTreeSet, VecDeque};
use storytime_machine::{
    Boot, BytesMut, Close, Conn, Cx, Endpoint, Gone, Machine, Open, Time, Token,
};

const PATIENCE: Duration = Duration::from_millis(400);
const TICK: Token = Token(0);

/// The machine.
pub(crate) struct Client {
    halves: [Endpoint; 2],
    at: usize,
    conn: Option<Conn>,
    connecting: bool,
    asked_at: Time,
    next: u64,
    pub(crate) acked: BTreeSet<u64>,
    reads: VecDeque<usize>,
    pub(crate) quiet: bool,
    pace: u64,
    /// Does not complain about data that is gone.
    pub(crate) forgiving: bool,
    pub(crate) complaint: Option<String>,
    pub(crate) reads_done: u64,
    pub(crate) switches: u64,
}

impl Client {
    pub(crate) const fn new(halves: [Endpoint; 2], pace: u64) -> Self {
        Self {
            halves,
            at: 0,
            conn: None,
            connecting: false,
            asked_at: Time::ZERO,
            next: 1,
            acked: BTreeSet::new(),
            reads: VecDeque::new(),
            quiet: false,
            pace,
            forgiving: false,
            complaint: None,
            reads_done: 0,
            switches: 0,
        }
    }

    fn line(&mut self, line: &str) {
        let (kind, number) = line.split_at(2);
        let number: u64 = number.parse().expect("a number");
        if kind == "K " {
            self.acked.insert(number);
            return;
        }
        let known = self.reads.pop_front().expect("a read was sent");
        self.reads_done += 1;
        if (number as usize) < known && !self.forgiving && self.complaint.is_none() {
            self.complaint = Some(format!("read {number} records after {known} acknowledged"));
        }
    }

    fn turn(&mut self) {
        self.conn = None;
        self.reads.clear();
        self.at = 1 - self.at;
        self.switches += 1;
    }
}

impl Machine for Client {
    fn start(&mut self, cx: &mut Cx, _boot: Boot) {
        cx.after(TICK, Duration::from_millis(10));
    }

    fn timer(&mut self, cx: &mut Cx, _timer: Token) {
        cx.after(TICK, Duration::from_millis(10));
        match self.conn {
            None if !self.connecting => {
                self.connecting = true;
                cx.connect(Token(0), self.halves[self.at].clone(), Duration::from_millis(200));
            }
            None => {}
            Some(conn) if cx.now().since(self.asked_at) > PATIENCE => {
                cx.close(conn, Close::Abort);
                self.turn();
            }
            Some(conn) if self.reads.len() < 8 => {
                if self.reads.is_empty() {
                    self.asked_at = cx.now();
                }
                self.reads.push_back(self.acked.len());
                if let Some(tx) = cx.tx(conn) {
                    tx.put(b"G\n");
                    for _ in 0..if self.quiet { 0 } else { self.pace } {
                        tx.put(format!("A {}\n", self.next).as_bytes());
                        self.next += 1;
                    }
                }
            }
            Some(_) => {}
        }
    }

    fn open(&mut self, cx: &mut Cx, conn: Conn, _how: Open) {
        (self.conn, self.connecting, self.asked_at) = (Some(conn), false, cx.now());
    }

    fn data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        if self.conn != Some(conn) {
            return rx.clear();
        }
        while let Some(end) = rx.iter().position(|&byte| byte == b'\n') {
            let line = rx.split_to(end + 1);
            self.asked_at = cx.now();
            self.line(core::str::from_utf8(&line[..end]).expect("text"));
        }
    }

    fn gone(&mut self, _cx: &mut Cx, conn: Conn, _why: Gone) {
        if self.conn == Some(conn) {
            self.turn();
        }
    }

    fn failed(&mut self, _cx: &mut Cx, _connect: Token, _why: Gone) {
        self.connecting = false;
        self.turn();
    }
}
