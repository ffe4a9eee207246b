//! A small machine above a pair: an append-only log in segments, with checkpoints, that
//! acknowledges a number once it is flushed.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use std::collections::{BTreeMap, VecDeque};
use storytime_journal::Storage;
use storytime_machine::{
    AddressError, BindError, Boot, Close, Conn, Cx, DiskError, DiskOk, DiskOp, DiskResult,
    Endpoint, Exit, FileId, Gone, IpAddr, Listen, Machine, Open, Time, Token,
};
use storytime_pair::{Pair, PairConfig, PairEvent};

pub(crate) const PORT: u16 = 6379;
/// A record fills a sector, so that torn records are not this log's concern.
const RECORD_BYTES: usize = 512;
const SEGMENT_RECORDS: u64 = 40;
const SEGMENTS_MAX: usize = 3;
const PAIR: Token = Token(1 << 30);
const LISTENER: Token = Token(0);

/// One thing after the other.
#[derive(Clone, Debug)]
enum Step {
    List,
    OpenOld(Bytes),
    ReadOld(FileId, bool),
    SyncOld(FileId),
    CloseOld(FileId),
    OpenSegment(u64),
    SyncDir,
    Recovered,
    Write { at: u64, data: Bytes },
    Sync { last: u64 },
    CloseSegment,
    OpenCheckpoint,
    WriteCheckpoint(FileId),
    SyncCheckpoint(FileId),
    CloseCheckpoint(FileId),
    Rename,
    Unlink(Bytes),
}

/// The machine.
pub(crate) struct Member {
    pub(crate) pair: Pair,
    pub(crate) active: bool,
    steps: VecDeque<Step>,
    running: Option<Step>,
    /// Everything recovered and appended, in order; acknowledged up to `flushed`.
    pub(crate) numbers: Vec<u64>,
    pub(crate) flushed: usize,
    /// In segments up to here.
    written: usize,
    segment: Option<FileId>,
    segment_number: u64,
    segment_records: u64,
    segments: Vec<Bytes>,
    serving: bool,
    clients: BTreeMap<Conn, ()>,
    waiting: VecDeque<(Conn, u64, usize)>,
    pub(crate) last_step: Time,
}

impl Member {
    pub(crate) fn new(config: PairConfig) -> Self {
        Self {
            pair: Pair::new(config, PAIR),
            active: false,
            steps: VecDeque::new(),
            running: None,
            numbers: Vec::new(),
            flushed: 0,
            written: 0,
            segment: None,
            segment_number: 0,
            segment_records: 0,
            segments: Vec::new(),
            serving: false,
            clients: BTreeMap::new(),
            waiting: VecDeque::new(),
            last_step: Time::ZERO,
        }
    }

    fn drain(&mut self, cx: &mut Cx) {
        self.last_step = cx.now();
        while let Some(event) = self.pair.next_event() {
            match event {
                PairEvent::Activate => {
                    self.active = true;
                    cx.reached("tenant: activated");
                    self.steps.push_back(Step::List);
                    self.run(cx);
                }
                PairEvent::Fenced(why) => {
                    self.active = false;
                    cx.exit(Exit::Failed(why));
                    return;
                }
                PairEvent::Disk(_, result) => self.done(cx, result),
            }
        }
    }

    fn run(&mut self, cx: &mut Cx) {
        while self.running.is_none()
            && let Some(step) = self.steps.pop_front()
        {
            let dir = Bytes::from_static(b"journal");
            let op = match step.clone() {
                Step::Recovered => {
                    self.serving = true;
                    self.flushed = self.numbers.len();
                    self.written = self.flushed;
                    continue;
                }
                Step::List => DiskOp::List { path: dir },
                Step::OpenOld(path) => DiskOp::Open { path, create: false },
                Step::ReadOld(file, _) => DiskOp::Read { file, at: 0, len: 4 << 20 },
                // What a killed process left in the page cache must be durable before anybody sees it.
                Step::SyncOld(file) => DiskOp::Sync { file },
                Step::CloseOld(file) | Step::CloseCheckpoint(file) => DiskOp::Close { file },
                Step::OpenSegment(number) => {
                    DiskOp::Open { path: segment_path(number), create: true }
                }
                Step::SyncDir => DiskOp::SyncDir { path: dir },
                Step::Write { at, data } => {
                    DiskOp::Write { file: self.segment.expect("open"), at, data }
                }
                Step::Sync { .. } => DiskOp::Sync { file: self.segment.expect("open") },
                Step::CloseSegment => DiskOp::Close { file: self.segment.take().expect("open") },
                Step::OpenCheckpoint => {
                    DiskOp::Open { path: Bytes::from_static(b"journal/ckpt.new"), create: true }
                }
                Step::WriteCheckpoint(file) => {
                    DiskOp::Write { file, at: 0, data: checkpoint(&self.numbers[..self.flushed]) }
                }
                Step::SyncCheckpoint(file) => DiskOp::Sync { file },
                Step::Rename => DiskOp::Rename {
                    from: Bytes::from_static(b"journal/ckpt.new"),
                    to: Bytes::from_static(b"journal/ckpt"),
                },
                Step::Unlink(path) => DiskOp::Unlink { path },
            };
            self.running = Some(step);
            self.pair.submit(cx, Token(7), op);
        }
    }

    fn done(&mut self, cx: &mut Cx, result: DiskResult) {
        let step = self.running.take().expect("one operation at a time");
        match (step, result) {
            (Step::Unlink(_), Err(DiskError::NotFound)) => {}
            (step, Err(error)) => panic!("{step:?}: {error}"),
            (Step::List, Ok(DiskOk::Names(names))) => self.plan_recovery(&names),
            (Step::OpenOld(path), Ok(DiskOk::File { file, .. })) => {
                self.steps.push_front(Step::CloseOld(file));
                self.steps.push_front(Step::SyncOld(file));
                self.steps.push_front(Step::ReadOld(file, path.ends_with(b"ckpt")));
            }
            (Step::ReadOld(_, checkpoint), Ok(DiskOk::Data(data))) => {
                if checkpoint {
                    self.numbers = parse_checkpoint(data);
                } else {
                    self.replay(data);
                }
            }
            (Step::OpenSegment(number), Ok(DiskOk::File { file, .. })) => {
                self.segment = Some(file);
                (self.segment_number, self.segment_records) = (number, 0);
                self.segments.push(segment_path(number));
            }
            (Step::Sync { last }, _) => self.acknowledge(cx, last as usize),
            (Step::OpenCheckpoint, Ok(DiskOk::File { file, .. })) => {
                for step in [
                    Step::CloseCheckpoint(file),
                    Step::SyncCheckpoint(file),
                    Step::WriteCheckpoint(file),
                ] {
                    self.steps.push_front(step);
                }
            }
            _ => {}
        }
        self.plan_append();
        self.run(cx);
    }

    fn plan_recovery(&mut self, names: &[Bytes]) {
        let path = |name: &Bytes| Bytes::from([b"journal/", &name[..]].concat());
        let mut next = 1;
        if names.iter().any(|name| &name[..] == b"ckpt") {
            self.steps.push_back(Step::OpenOld(Bytes::from_static(b"journal/ckpt")));
        }
        for name in names.iter().filter(|name| name.starts_with(b"seg-")) {
            let number = core::str::from_utf8(&name[4..]).expect("digits");
            next = number.parse::<u64>().expect("digits") + 1;
            self.segments.push(path(name));
            self.steps.push_back(Step::OpenOld(path(name)));
        }
        for step in [Step::OpenSegment(next), Step::SyncDir, Step::Recovered] {
            self.steps.push_back(step);
        }
    }

    fn replay(&mut self, data: Bytes) {
        for record in data.chunks(RECORD_BYTES) {
            let Some((place, number)) = parse_record(record) else { return };
            if place as usize == self.numbers.len() {
                self.numbers.push(number);
            } else {
                assert!((place as usize) < self.numbers.len(), "a gap in the log before {place}");
            }
        }
    }

    fn plan_append(&mut self) {
        if !self.serving || !self.steps.is_empty() || self.running.is_some() {
            return;
        }
        if self.segment_records >= SEGMENT_RECORDS {
            let next = self.segment_number + 1;
            if self.segments.len() >= SEGMENTS_MAX {
                for step in [Step::OpenCheckpoint, Step::Rename, Step::SyncDir] {
                    self.steps.push_back(step);
                }
                for path in core::mem::take(&mut self.segments) {
                    self.steps.push_back(Step::Unlink(path));
                }
            }
            for step in [Step::CloseSegment, Step::OpenSegment(next), Step::SyncDir] {
                self.steps.push_back(step);
            }
            return;
        }
        if self.written == self.numbers.len() {
            return;
        }
        let mut data = BytesMut::new();
        for place in self.written..self.numbers.len() {
            put_record(&mut data, place as u64, self.numbers[place]);
        }
        let at = self.segment_records * RECORD_BYTES as u64;
        self.segment_records += (self.numbers.len() - self.written) as u64;
        self.written = self.numbers.len();
        let last = self.written as u64;
        self.steps.push_back(Step::Write { at, data: data.freeze() });
        self.steps.push_back(Step::Sync { last });
    }

    fn acknowledge(&mut self, cx: &mut Cx, last: usize) {
        self.flushed = self.flushed.max(last);
        while let Some(&(conn, number, place)) = self.waiting.front()
            && place < last
        {
            self.waiting.pop_front();
            if let Some(tx) = cx.tx(conn) {
                tx.put(format!("K {number}\n").as_bytes());
            }
        }
    }

    fn lines(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        while let Some(end) = rx.iter().position(|&byte| byte == b'\n') {
            let line = rx.split_to(end + 1);
            let line = core::str::from_utf8(&line[..end]).expect("text");
            if let Some(number) = line.strip_prefix("A ") {
                let number = number.parse().expect("a number");
                self.waiting.push_back((conn, number, self.numbers.len()));
                self.numbers.push(number);
            } else if let Some(tx) = cx.tx(conn) {
                tx.put(format!("N {}\n", self.flushed).as_bytes());
            }
        }
        self.plan_append();
        self.run(cx);
    }

    /// A process that was stopped for a while finds out before it answers anybody.
    fn may_serve(&mut self, cx: &mut Cx) -> bool {
        let may = self.serving && self.pair.serves(cx.now());
        if self.active && !self.pair.serves(cx.now()) {
            self.active = false;
            cx.exit(Exit::Failed("not active any more"));
        }
        may
    }
}

fn segment_path(number: u64) -> Bytes {
    format!("journal/seg-{number:08}").into()
}

fn put_record(into: &mut BytesMut, place: u64, number: u64) {
    let from = into.len();
    into.put_u32_le(0);
    into.put_u64_le(place);
    into.put_u64_le(number);
    into.resize(from + RECORD_BYTES, (number % 251) as u8);
    let sum = crc32fast::hash(&into[from + 4..]);
    into[from..from + 4].copy_from_slice(&sum.to_le_bytes());
}

fn parse_record(mut record: &[u8]) -> Option<(u64, u64)> {
    if record.len() < RECORD_BYTES || record.get_u32_le() != crc32fast::hash(record) {
        return None;
    }
    Some((record.get_u64_le(), record.get_u64_le()))
}

fn checkpoint(numbers: &[u64]) -> Bytes {
    let mut bytes = BytesMut::new();
    numbers.iter().for_each(|number| bytes.put_u64_le(*number));
    let sum = crc32fast::hash(&bytes);
    bytes.put_u32_le(sum);
    bytes.freeze()
}

fn parse_checkpoint(mut bytes: Bytes) -> Vec<u64> {
    let mut tail = bytes.split_off(bytes.len() - 4);
    assert_eq!(tail.get_u32_le(), crc32fast::hash(&bytes), "a checkpoint is whole");
    core::iter::from_fn(|| bytes.try_get_u64_le().ok()).collect()
}

impl Machine for Member {
    fn start(&mut self, cx: &mut Cx, _boot: Boot) {
        self.pair.start(cx);
        cx.listen(LISTENER, Listen::at(Endpoint::any(PORT)));
    }

    fn open(&mut self, cx: &mut Cx, conn: Conn, how: Open) {
        if !self.pair.on_open(cx, conn, &how) {
            if self.may_serve(cx) {
                self.clients.insert(conn, ());
            } else {
                cx.close(conn, Close::Abort);
            }
        }
        self.drain(cx);
    }

    fn data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        if !self.pair.on_data(cx, conn, rx) {
            if self.may_serve(cx) && self.clients.contains_key(&conn) {
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
        if !self.pair.on_gone(cx, conn, why) {
            self.clients.remove(&conn);
        }
        self.drain(cx);
    }

    fn failed(&mut self, cx: &mut Cx, connect: Token, why: Gone) {
        assert!(self.pair.on_failed(cx, connect, why));
        self.drain(cx);
    }

    fn timer(&mut self, cx: &mut Cx, timer: Token) {
        assert!(self.pair.on_timer(cx, timer));
        self.drain(cx);
    }

    fn disk(&mut self, cx: &mut Cx, op: Token, result: DiskResult) {
        assert!(self.pair.on_disk(cx, op, result));
        self.drain(cx);
    }

    fn bound(&mut self, cx: &mut Cx, socket: Token, result: Result<Endpoint, BindError>) {
        if !self.pair.on_bound(cx, socket, &result) {
            result.expect("a free port");
        }
    }

    fn addressed(&mut self, cx: &mut Cx, ip: IpAddr, result: Result<(), AddressError>) {
        self.pair.on_addressed(cx, ip, result);
        self.drain(cx);
    }

    fn invariants(&self) {
        self.pair.invariants();
    }
}
