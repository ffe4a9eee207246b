//! A small machine above a pair: a journal of numbers, with checkpoints. A number is acknowledged
//! once it is durable.

use core::str::from_utf8;
use std::collections::VecDeque;
use storytime_journal::{Journal, JournalEvent, JournalOptions, Lsn};
use storytime_machine::{
    AddressError, BindError, Boot, Buf, Bytes, BytesMut, Close, Conn, Cx, DiskResult, Endpoint,
    Exit, Gone, IpAddr, Listen, Machine, Open, Token,
};
use storytime_pair::{Pair, PairConfig, PairEvent};

pub(crate) const PORT: u16 = 6379;
/// Records behind a checkpoint at which the next one begins.
const CHECKPOINT_EVERY: u64 = 150;
/// Numbers in a piece of a checkpoint.
const PIECE: usize = 100;
const JOURNAL: Token = Token(1 << 8);
const PAIR: Token = Token(1 << 30);
const LISTENER: Token = Token(0);

/// The machine.
pub(crate) struct Member {
    pub(crate) pair: Pair,
    journal: Journal,
    active: bool,
    /// Recovery is over.
    ready: bool,
    /// Record n is the n-th of them, from 1.
    pub(crate) numbers: Vec<u64>,
    durable: Lsn,
    checkpoint: Lsn,
    /// Pieces of the checkpoint under way.
    giving: Option<VecDeque<Bytes>>,
    waiting: VecDeque<(Conn, u64, Lsn)>,
}

impl Member {
    pub(crate) fn new(config: PairConfig) -> Self {
        let options = JournalOptions {
            segment_bytes: 64 << 10,
            reserve_bytes: 4 << 10,
            ..JournalOptions::default()
        };
        Self {
            pair: Pair::new(config, PAIR),
            journal: Journal::new(options, JOURNAL),
            active: false,
            ready: false,
            numbers: Vec::new(),
            durable: Lsn(0),
            checkpoint: Lsn(0),
            giving: None,
            waiting: VecDeque::new(),
        }
    }

    /// What the pair and the journal have to say, until neither has anything.
    fn drain(&mut self, cx: &mut Cx) {
        loop {
            while let Some(event) = self.journal.next_event() {
                self.journal_says(cx, event);
            }
            self.give(cx);
            match self.pair.next_event() {
                None => return,
                Some(PairEvent::Activate) => {
                    self.active = true;
                    self.journal.open(cx, &mut self.pair);
                }
                Some(PairEvent::Fenced(why)) => {
                    self.active = false;
                    return cx.exit(Exit::Failed(why));
                }
                Some(PairEvent::Disk(op, result)) => {
                    assert!(self.journal.on_disk(cx, &mut self.pair, op, result));
                    self.journal.commit(cx, &mut self.pair);
                }
            }
        }
    }

    fn journal_says(&mut self, cx: &mut Cx, event: JournalEvent) {
        match event {
            JournalEvent::Checkpoint(mut piece) => {
                self.numbers.extend(core::iter::from_fn(|| piece.try_get_u64_le().ok()));
            }
            JournalEvent::Record(lsn, mut record) => {
                self.numbers.push(record.get_u64_le());
                assert_eq!(lsn.0, self.numbers.len() as u64, "records come in order");
            }
            JournalEvent::Ready(recovery) => {
                self.ready = true;
                (self.durable, self.checkpoint) = (recovery.last, recovery.checkpoint);
            }
            JournalEvent::Refused(refusal) => panic!("the journal refuses: {refusal:?}"),
            JournalEvent::Durable(lsn) => self.acknowledge(cx, lsn),
            JournalEvent::Checkpointed(at) => self.checkpoint = at,
            JournalEvent::Failed(why) => cx.exit(Exit::Failed(why)),
            other => panic!("{other:?}"),
        }
    }

    fn acknowledge(&mut self, cx: &mut Cx, lsn: Lsn) {
        self.durable = lsn;
        while let Some(&(conn, number, at)) = self.waiting.front()
            && at <= lsn
        {
            self.waiting.pop_front();
            if let Some(tx) = cx.tx(conn) {
                tx.put(format!("K {number}\n").as_bytes());
            }
        }
        if self.giving.is_none()
            && !self.journal.is_checkpointing()
            && lsn.0 >= self.checkpoint.0 + CHECKPOINT_EVERY
        {
            let bytes = |numbers: &[u64]| {
                numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Bytes>()
            };
            self.giving = Some(self.numbers[..lsn.0 as usize].chunks(PIECE).map(bytes).collect());
            self.journal.begin_checkpoint(cx, &mut self.pair, lsn);
        }
    }

    fn give(&mut self, cx: &mut Cx) {
        while let Some(pieces) = &mut self.giving
            && self.journal.wants_checkpoint_piece()
        {
            match pieces.pop_front() {
                Some(piece) => self.journal.checkpoint_piece(cx, &mut self.pair, &piece),
                None => {
                    self.giving = None;
                    self.journal.end_checkpoint(cx, &mut self.pair);
                }
            }
        }
    }

    fn lines(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        while let Some(end) = rx.iter().position(|&byte| byte == b'\n') {
            let line = rx.split_to(end + 1);
            let line = from_utf8(&line[..end]).expect("text");
            if let Some(number) = line.strip_prefix("A ") {
                let number: u64 = number.parse().expect("a number");
                let lsn = self.journal.append(&number.to_le_bytes()).expect("there is room");
                self.numbers.push(number);
                self.waiting.push_back((conn, number, lsn));
            } else if let Some(tx) = cx.tx(conn) {
                tx.put(format!("N {}\n", self.durable.0).as_bytes());
            }
        }
        self.journal.commit(cx, &mut self.pair);
    }

    /// A process that was stopped for a while finds out before it answers anybody.
    fn may_serve(&mut self, cx: &mut Cx) -> bool {
        let serves = self.pair.serves(cx.now());
        if self.active && !serves {
            self.active = false;
            cx.exit(Exit::Failed("not active any more"));
        }
        self.ready && serves
    }
}

impl Machine for Member {
    fn start(&mut self, cx: &mut Cx, _boot: Boot) {
        self.pair.start(cx);
        cx.listen(LISTENER, Listen::at(Endpoint::any(PORT)));
    }

    fn open(&mut self, cx: &mut Cx, conn: Conn, how: Open) {
        if !self.pair.on_open(cx, conn, &how) && !self.may_serve(cx) {
            cx.close(conn, Close::Abort);
        }
        self.drain(cx);
    }

    fn data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        if !self.pair.on_data(cx, conn, rx) {
            if self.may_serve(cx) {
                self.lines(cx, conn, rx);
            } else {
                rx.clear();
                cx.close(conn, Close::Abort);
            }
        }
        self.drain(cx);
    }

    fn eof(&mut self, cx: &mut Cx, conn: Conn) {
        if !self.pair.on_eof(cx, conn) {
            cx.close(conn, Close::Abort);
        }
    }

    fn gone(&mut self, cx: &mut Cx, conn: Conn, why: Gone) {
        self.pair.on_gone(cx, conn, why);
        self.drain(cx);
    }

    fn failed(&mut self, cx: &mut Cx, connect: Token, why: Gone) {
        assert!(self.pair.on_failed(cx, connect, why), "nobody else connects");
        self.drain(cx);
    }

    fn timer(&mut self, cx: &mut Cx, timer: Token) {
        assert!(self.pair.on_timer(cx, timer), "nobody else has timers");
        self.drain(cx);
    }

    fn disk(&mut self, cx: &mut Cx, op: Token, result: DiskResult) {
        assert!(self.pair.on_disk(cx, op, result), "nobody else has the disk");
        self.drain(cx);
    }

    fn bound(&mut self, cx: &mut Cx, socket: Token, result: Result<Endpoint, BindError>) {
        if !self.pair.on_bound(cx, socket, &result) {
            result.expect("a free port");
        }
        self.drain(cx);
    }

    fn addressed(&mut self, cx: &mut Cx, ip: IpAddr, result: Result<(), AddressError>) {
        self.pair.on_addressed(cx, ip, result);
        self.drain(cx);
    }

    fn invariants(&self) {
        self.pair.invariants();
        self.journal.invariants();
    }
}
