//! A toy database around the part under test: rows and registers of numbers, a log that becomes
//! durable a little later, checkpoints that cut it.

use bytes::{Bytes, BytesMut};
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use storytime_database::Reply;
use storytime_database::replication::{
    Caller, Handled, Host, LogState, Replication, ReplicationEvent, ReplicationOptions, Verdict,
};
use storytime_database::resp::{Frame, ReplyReader};
use storytime_journal::{AppendError, Lsn, ReadError};
use storytime_machine::hash::digest_bytes;
use storytime_machine::{
    Boot, Close, Conn, Cx, Endpoint, Gone, IpAddr, Listen, Machine, Open, ResolveError, Token,
};

pub(crate) const PORT: u16 = 6379;
const SYNC: Token = Token(1);
const READ: Token = Token(2);
const RESET: Token = Token(3);
const REPLICATION: Token = Token(100);
const HEADER_BYTES: usize = 16;
const ENTRY_BYTES: usize = 32;
const PENDING_MAX: u64 = 16;
/// A checkpoint cuts the log when it is twice as long.
const LOG_MIN: usize = 60;

/// What survives.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    checkpoint: Option<(u64, Vec<Bytes>)>,
    /// Number of the first record.
    first: u64,
    records: VecDeque<Bytes>,
    /// Records that vanish at the next start although they were called durable.
    pub(crate) lies: usize,
}

impl Disk {
    /// Writes a record of this term that sets nothing anew.
    pub(crate) fn write(&mut self, term: u64) {
        let record = [term, 7].map(u64::to_le_bytes).concat();
        self.records.push_back(record.into());
    }
}

pub(crate) type SharedDisk = Arc<Mutex<Disk>>;
type Content = BTreeMap<[u64; 3], u64>;

#[derive(Debug, Default)]
struct Core {
    disk: SharedDisk,
    first: u64,
    records: VecDeque<Bytes>,
    durable: u64,
    syncing: Option<u64>,
    content: Content,
    snapshot: Option<VecDeque<Bytes>>,
    reset: Option<(u64, Vec<Bytes>)>,
    resetting: bool,
    read: Option<(Lsn, usize)>,
}

impl Core {
    fn last(&self) -> u64 {
        self.first + self.records.len() as u64 - 1
    }

    fn apply(&mut self, entries: &[u8]) {
        for entry in entries.chunks_exact(ENTRY_BYTES) {
            let word = |n: usize| u64::from_le_bytes(*entry[n * 8..].first_chunk().expect("eight"));
            self.content.insert([word(0), word(1), word(2)], word(3));
        }
    }

    /// Starts a sync if there is something to be made durable.
    fn commit(&mut self, cx: &mut Cx) {
        if self.syncing.is_none() && !self.resetting && self.last() > self.durable {
            self.syncing = Some(self.last());
            let span = cx.rng().duration(Duration::from_micros(300), Duration::from_millis(4));
            cx.after(SYNC, span);
        }
    }

    fn synced(&mut self) {
        let Some(to) = self.syncing.take() else { return };
        let mut disk = self.disk.lock().expect("one thread");
        for lsn in self.durable + 1..=to {
            disk.records.push_back(self.records[(lsn - self.first) as usize].clone());
        }
        self.durable = to;
    }

    fn pieces(&self) -> VecDeque<Bytes> {
        let entries: Vec<u8> = self
            .content
            .iter()
            .flat_map(|(key, value)| key.iter().chain([value]).flat_map(|w| w.to_le_bytes()))
            .collect();
        entries.chunks(ENTRY_BYTES * 20).map(Bytes::copy_from_slice).collect()
    }

    fn checkpoint(&mut self, history: Bytes) {
        if self.durable < self.last() || self.records.len() < 2 * LOG_MIN || self.resetting {
            return;
        }
        let mut disk = self.disk.lock().expect("one thread");
        let pieces = [history].into_iter().chain(self.pieces()).collect();
        disk.checkpoint = Some((self.last(), pieces));
        while self.records.len() > LOG_MIN {
            self.records.pop_front();
            disk.records.pop_front();
            self.first += 1;
            disk.first += 1;
        }
    }
}

impl Host for Core {
    fn log(&self) -> LogState {
        let last = Lsn(self.last());
        LogState { oldest: Lsn(self.first), durable: Lsn(self.durable), last, applied: last }
    }

    fn append(&mut self, _: &mut Cx, record: &[u8]) -> Result<Lsn, AppendError> {
        if self.last() - self.durable >= PENDING_MAX {
            return Err(AppendError::Busy);
        }
        self.records.push_back(Bytes::copy_from_slice(record));
        self.apply(&record[HEADER_BYTES..]);
        Ok(Lsn(self.last()))
    }

    fn read(&mut self, cx: &mut Cx, from: Lsn, bytes_max: usize) {
        assert!(self.read.is_none(), "one read at a time");
        self.read = Some((from, bytes_max));
        let span = cx.rng().duration(Duration::from_micros(300), Duration::from_millis(3));
        cx.after(READ, span);
    }

    fn begin_snapshot(&mut self, cx: &mut Cx, _: u64) -> bool {
        if cx.rng().below(3) == 0 {
            return false;
        }
        self.snapshot = Some(self.pieces());
        true
    }

    fn is_snapshot_overrun(&self) -> bool {
        false
    }

    fn next_piece(&mut self, _: &mut Cx) -> Option<Bytes> {
        let piece = self.snapshot.as_mut().and_then(VecDeque::pop_front);
        if piece.is_none() {
            self.snapshot = None;
        }
        piece
    }

    fn abandon_snapshot(&mut self, _: &mut Cx) {
        assert!(self.snapshot.take().is_some(), "there is one to abandon");
    }

    fn begin_reset(&mut self, cx: &mut Cx, at: Lsn) {
        cx.cancel(SYNC);
        *self.disk.lock().expect("one thread") = Disk { first: 1, ..Disk::default() };
        self.content.clear();
        self.records.clear();
        (self.first, self.durable, self.syncing) = (1, 0, None);
        self.resetting = true;
        self.reset = Some((at.0, Vec::new()));
    }

    fn reset_piece(&mut self, cx: &mut Cx, piece: &Bytes) -> bool {
        if cx.rng().below(4) == 0 {
            cx.after(RESET, Duration::from_millis(1));
            return false;
        }
        let (_, pieces) = self.reset.as_mut().expect("a reset is under way");
        pieces.push(piece.clone());
        if pieces.len() > 1 {
            self.apply(piece);
        }
        true
    }

    fn end_reset(&mut self, cx: &mut Cx) {
        self.resetting = false;
        cx.after(RESET, Duration::from_millis(2));
    }
}

/// The toy.
pub(crate) struct ToyDb {
    core: Core,
    replication: Replication,
    peers: BTreeMap<u32, (Conn, Endpoint, ReplyReader)>,
    /// Replies that wait for a record, and whether they are to writing it.
    replies: VecDeque<(Lsn, bool, Conn, String)>,
    /// The last record that each connection wrote.
    wrote: BTreeMap<u32, Lsn>,
}

impl ToyDb {
    pub(crate) fn new(disk: SharedDisk, options: ReplicationOptions) -> Self {
        Self {
            core: Core { disk, first: 1, ..Core::default() },
            replication: Replication::new(options, REPLICATION),
            peers: BTreeMap::new(),
            replies: VecDeque::new(),
            wrote: BTreeMap::new(),
        }
    }

    fn settle(&mut self, cx: &mut Cx) {
        let shared = self.replication.history_piece();
        if !self.replication.is_loading() {
            self.core.checkpoint(shared);
        }
        self.core.commit(cx);
        while let Some((lsn, wrote, conn, reply)) = self.replies.front() {
            let text = match self.replication.verdict(&self.core, *lsn) {
                Verdict::Await => break,
                Verdict::NotReplicated if *wrote => {
                    format!("-{}\r\n", self.replication.not_replicated(*lsn))
                }
                Verdict::Acknowledged | Verdict::NotReplicated => reply.clone(),
            };
            if let Some(tx) = cx.tx(*conn) {
                tx.put(text.as_bytes());
            }
            self.replies.pop_front();
        }
        while let Some(event) = self.replication.next_event() {
            if let ReplicationEvent::WaitOver { conn, replicas } = event
                && let Some(tx) = cx.tx(conn)
            {
                tx.put(format!(":{replicas}\r\n").as_bytes());
            }
        }
    }

    /// Carries a request out; its reply, once the record is safe.
    fn serve(&mut self, cx: &mut Cx, conn: Conn, words: &[Bytes]) -> String {
        let number = |n: usize| -> u64 {
            let text = core::str::from_utf8(&words[n]).expect("the tests write text");
            text.parse().expect("the tests write numbers")
        };
        match &words[0][..] {
            b"SET" => self.write(cx, conn, [0, number(1), 0], number(2), "+OK\r\n"),
            b"ROW.PUT" => self.write(cx, conn, [1, number(2), number(3)], number(4), ":1\r\n"),
            b"GET" => match self.core.content.get(&[0, number(1), 0]) {
                Some(value) => {
                    let text = value.to_string();
                    format!("${}\r\n{text}\r\n", text.len())
                }
                None => "$-1\r\n".to_owned(),
            },
            b"ROW.RANGE" => {
                let range = [1, number(2), 0]..=[1, number(2), u64::MAX];
                let items: Vec<u64> = self.core.content.range(range).map(|(k, _)| k[2]).collect();
                let lines: String = items.iter().map(|item| format!(":{item}\r\n")).collect();
                format!("*{}\r\n{lines}", items.len())
            }
            b"DB.DIGEST" => {
                let mut digest = 0;
                for (key, value) in &self.core.content {
                    for word in key.iter().chain([value]) {
                        digest = digest_bytes(digest, &word.to_le_bytes());
                    }
                }
                format!("+{digest:016x}\r\n")
            }
            b"INFO" => {
                let mut text = String::new();
                self.replication.info(&self.core, cx.now(), &mut text);
                format!("${}\r\n{text}\r\n", text.len())
            }
            other => format!("-ERR unknown command '{}'\r\n", other.escape_ascii()),
        }
    }

    fn write(&mut self, cx: &mut Cx, conn: Conn, key: [u64; 3], value: u64, reply: &str) -> String {
        if let Err(text) = self.replication.may_write(&self.core, cx.now()) {
            return format!("-{}\r\n", String::from_utf8_lossy(&text));
        }
        let words = [self.replication.term().0, 7].into_iter().chain(key).chain([value]);
        let record: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
        match self.core.append(cx, &record) {
            Ok(lsn) => {
                self.replication.appended(cx, lsn, &record);
                self.wrote.insert(conn.slot, lsn);
                reply.to_owned()
            }
            Err(why) => format!("-BUSY {why:?}\r\n"),
        }
    }

    fn request(&mut self, cx: &mut Cx, conn: Conn, words: &[Bytes]) -> Handled {
        let peer = self.peers.get(&conn.slot).map(|(_, peer, _)| peer.clone());
        let last_write = self.wrote.get(&conn.slot).copied().unwrap_or_default();
        let caller = Caller { conn, peer: peer.as_ref(), last_write };
        let mut out = BytesMut::new();
        let (replication, core) = (&mut self.replication, &mut self.core);
        let handled = replication.command(cx, core, &caller, words, &mut out);
        if let Some(tx) = cx.tx(conn) {
            tx.put(&out);
        }
        if handled == Handled::No {
            let before = self.core.last();
            let reply = self.serve(cx, conn, words);
            let last = self.core.last();
            self.replies.push_back((Lsn(last), last > before, conn, reply));
        }
        handled
    }
}

impl Machine for ToyDb {
    fn start(&mut self, cx: &mut Cx, _: Boot) {
        let disk = self.core.disk.clone();
        let mut disk = disk.lock().expect("one thread");
        disk.first = disk.first.max(1);
        for _ in 0..core::mem::take(&mut disk.lies) {
            disk.records.pop_back();
        }
        let mut applied = 0;
        if let Some((at, pieces)) = &disk.checkpoint {
            applied = *at;
            self.replication.restore(&pieces[0]).expect("the first piece is the history");
            pieces[1..].iter().for_each(|piece| self.core.apply(piece));
        }
        self.core.first = disk.first;
        for (lsn, record) in (disk.first..).zip(&disk.records) {
            self.core.records.push_back(record.clone());
            if lsn > applied {
                self.core.apply(&record[HEADER_BYTES..]);
                self.replication.recovered(Lsn(lsn), record);
            }
        }
        self.core.durable = self.core.last();
        if self.core.last() < applied {
            // The whole of a short log was a lie; the checkpoint stands.
            self.core.records.clear();
            disk.records.clear();
            (self.core.first, self.core.durable) = (applied + 1, applied);
            disk.first = applied + 1;
        }
        drop(disk);
        cx.listen(Token(0), Listen::at(Endpoint::any(PORT)));
        self.replication.ready(cx, &mut self.core);
        self.settle(cx);
    }

    fn open(&mut self, cx: &mut Cx, conn: Conn, how: Open) {
        if !self.replication.on_open(cx, conn, &how)
            && let Open::Accepted { peer, .. } = how
        {
            self.peers.insert(conn.slot, (conn, peer, ReplyReader::new(1 << 20)));
            self.wrote.remove(&conn.slot);
        }
        self.settle(cx);
    }

    fn data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        let mut adopted = self.replication.on_data(cx, &mut self.core, conn, rx);
        while !adopted && let Some((_, _, reader)) = self.peers.get_mut(&conn.slot) {
            match reader.next(rx) {
                Ok(None) => break,
                Ok(Some(Frame::Reply(Reply::Array(words)))) => {
                    let word = |reply| match reply {
                        Reply::Bulk(word) => word,
                        other => panic!("a request of {other:?}"),
                    };
                    let words: Vec<Bytes> = words.into_iter().map(word).collect();
                    adopted = self.request(cx, conn, &words) == Handled::Adopted;
                }
                other => panic!("a request of {other:?}"),
            }
        }
        self.settle(cx);
    }

    fn drained(&mut self, cx: &mut Cx, conn: Conn) {
        self.replication.on_drained(cx, &mut self.core, conn);
        self.settle(cx);
    }

    fn eof(&mut self, cx: &mut Cx, conn: Conn) {
        if !self.replication.on_eof(cx, &mut self.core, conn) {
            cx.close(conn, Close::Flush);
        }
        self.settle(cx);
    }

    fn gone(&mut self, cx: &mut Cx, conn: Conn, why: Gone) {
        self.replication.on_gone(cx, &mut self.core, conn, why);
        self.replication.on_client_gone(conn);
        if self.peers.get(&conn.slot).is_some_and(|(of, ..)| *of == conn) {
            self.peers.remove(&conn.slot);
        }
        self.settle(cx);
    }

    fn failed(&mut self, cx: &mut Cx, connect: Token, why: Gone) {
        assert!(self.replication.on_failed(cx, connect, why));
        self.settle(cx);
    }

    fn resolved(&mut self, cx: &mut Cx, lookup: Token, result: Result<Vec<IpAddr>, ResolveError>) {
        assert!(self.replication.on_resolved(cx, lookup, &result));
        self.settle(cx);
    }

    fn timer(&mut self, cx: &mut Cx, timer: Token) {
        match timer {
            SYNC => {
                self.core.synced();
                self.replication.on_durable(cx, &mut self.core);
            }
            READ => {
                let (from, bytes_max) = self.core.read.take().expect("a read is under way");
                let skip = from.0.wrapping_sub(self.core.first) as usize;
                let durable = self.core.durable;
                if from.0 < self.core.first {
                    let why = ReadError::Gone;
                    self.replication.on_read_failed(cx, &mut self.core, why);
                } else {
                    let mut room = bytes_max.min(2000);
                    let records = (from.0..=durable).zip(self.core.records.iter().skip(skip));
                    let records = records.take_while(|(_, record)| {
                        let fits = room > 0;
                        room = room.saturating_sub(record.len());
                        fits
                    });
                    let records: Vec<(Lsn, Bytes)> =
                        records.map(|(lsn, record)| (Lsn(lsn), record.clone())).collect();
                    self.replication.on_records(cx, &mut self.core, &records);
                }
            }
            RESET if self.core.resetting => self.replication.resume(cx, &mut self.core),
            RESET => {
                let (at, pieces) = self.core.reset.take().expect("a reset ends once");
                let checkpoint = Some((at, pieces));
                let disk = Disk { checkpoint, first: at + 1, ..Disk::default() };
                *self.core.disk.lock().expect("one thread") = disk;
                (self.core.first, self.core.durable) = (at + 1, at);
                self.replication.on_reset_done(cx, &mut self.core);
            }
            timer => assert!(self.replication.on_timer(cx, &mut self.core, timer)),
        }
        self.settle(cx);
    }

    fn invariants(&self) {
        self.replication.invariants();
        if !self.replication.is_loading() {
            assert_eq!(self.replication.position().lsn.0, self.core.last(), "one log");
        }
    }
}
