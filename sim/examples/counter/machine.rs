//! A counter kept on disk: the machine under test, with a planted bug, and the clients that drive
//! it.

use std::collections::VecDeque;
use storytime_machine::{
    Boot, Buf, Bytes, BytesMut, Close, Conn, Cx, DiskOk, DiskOp, DiskResult, Duration, Endpoint,
    Exit, FileId, Listen, Machine, Open, Time, Token,
};

/// Where the counter listens.
pub(crate) const PORT: u16 = 2007;
const LISTENER: Token = Token(0);
const OPEN: Token = Token(u64::MAX);
/// One increment on the wire; its answer is eight bytes, the counter's new value.
const REQUEST: u8 = b'+';

/// Counts increments. For each it reads the value from its file, writes it back plus one, and
/// answers when the write is durable.
pub(crate) struct Counter {
    file: Option<FileId>,
    /// One increment after the other. The planted bug is to leave this out: two increments whose
    /// reads overlap then write the same value, and one of them is lost.
    one_at_a_time: bool,
    waiting: VecDeque<Conn>,
    /// Increments between their read and their answer, by token.
    under_way: Vec<Increment>,
}

struct Increment {
    conn: Conn,
    stage: Stage,
}

enum Stage {
    AwaitRead,
    AwaitWrite(u64),
    AwaitSync(u64),
    Answered,
}

impl Counter {
    pub(crate) fn new(one_at_a_time: bool) -> Self {
        Self { file: None, one_at_a_time, waiting: VecDeque::new(), under_way: Vec::new() }
    }

    fn begin(&mut self, cx: &mut Cx) {
        let Some(file) = self.file else { return };
        let busy = self.under_way.iter().any(|i| !matches!(i.stage, Stage::Answered));
        if busy && self.one_at_a_time {
            return;
        }
        let Some(conn) = self.waiting.pop_front() else { return };
        let token = Token(self.under_way.len() as u64);
        self.under_way.push(Increment { conn, stage: Stage::AwaitRead });
        cx.disk(token, DiskOp::Read { file, at: 0, len: 8 });
    }
}

impl Machine for Counter {
    fn start(&mut self, cx: &mut Cx, _: Boot) {
        cx.disk(OPEN, DiskOp::Open { path: Bytes::from_static(b"counter"), create: true });
        cx.listen(LISTENER, Listen::at(Endpoint::any(PORT)));
    }

    fn data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        while rx.has_remaining() {
            match rx.get_u8() {
                REQUEST => self.waiting.push_back(conn),
                _ => return cx.close(conn, Close::Abort),
            }
            self.begin(cx);
        }
    }

    fn disk(&mut self, cx: &mut Cx, op: Token, result: DiskResult) {
        let Ok(done) = result else { return cx.exit(Exit::Failed("the counter's disk failed")) };
        if let DiskOk::File { file, .. } = done {
            self.file = Some(file);
            return self.begin(cx);
        }
        let file = self.file.expect("reads and writes come after the open");
        let increment = &mut self.under_way[op.0 as usize];
        match (&increment.stage, done) {
            (Stage::AwaitRead, DiskOk::Data(bytes)) => {
                let old = bytes.first_chunk().map_or(0, |&value| u64::from_be_bytes(value));
                increment.stage = Stage::AwaitWrite(old + 1);
                let data = Bytes::copy_from_slice(&(old + 1).to_be_bytes());
                cx.disk(op, DiskOp::Write { file, at: 0, data });
            }
            (Stage::AwaitWrite(value), _) => {
                increment.stage = Stage::AwaitSync(*value);
                cx.disk(op, DiskOp::Sync { file });
            }
            (Stage::AwaitSync(value), _) => {
                if let Some(tx) = cx.tx(increment.conn) {
                    tx.put(&value.to_be_bytes());
                }
                increment.stage = Stage::Answered;
                self.begin(cx);
            }
            (Stage::AwaitRead | Stage::Answered, _) => unreachable!("one completion an operation"),
        }
    }
}

/// Increments a number of times, with random pauses, and keeps the greatest answer.
pub(crate) struct Client {
    pub(crate) server: Endpoint,
    pub(crate) left: u64,
    pub(crate) answers: u64,
    pub(crate) greatest: u64,
    pub(crate) conn: Option<Conn>,
}

impl Client {
    /// The next increment comes at one of the coming tenths of a second, as people's cron jobs do:
    /// now and then two clients pick the same one.
    fn pause(cx: &mut Cx) {
        const TENTH: u64 = 100_000_000;
        let tenths = cx.now().0 / TENTH + 1 + cx.rng().below(40);
        cx.at(Token(0), Time(tenths * TENTH));
    }
}

impl Machine for Client {
    fn start(&mut self, cx: &mut Cx, _: Boot) {
        cx.connect(Token(0), self.server.clone(), Duration::from_secs(10));
    }

    fn open(&mut self, cx: &mut Cx, conn: Conn, _: Open) {
        self.conn = Some(conn);
        Self::pause(cx);
    }

    fn timer(&mut self, cx: &mut Cx, _: Token) {
        if let Some(tx) = self.conn.and_then(|conn| cx.tx(conn)) {
            tx.put(&[REQUEST]);
        }
    }

    fn data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        while let Some(&value) = rx.first_chunk() {
            rx.advance(8);
            self.greatest = self.greatest.max(u64::from_be_bytes(value));
            (self.answers, self.left) = (self.answers + 1, self.left - 1);
            if self.left == 0 {
                cx.close(conn, Close::Flush);
            } else {
                Self::pause(cx);
            }
        }
    }
}
