//! A little job server: queues in order, wakes everybody, coalesces as the original does, and
//! misbehaves on request, by the names of functions (see `special`).

use bytes::{Bytes, BytesMut};
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use storytime_gearman::packet::{Kind, Magic, Packet, Parser, put, put_with_data};
use storytime_machine::{Boot, Close, Conn, Cx, Endpoint, Gone, Listen, Machine, Open, Token};

pub(crate) const PORT: u16 = 4730;

/// A job.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) function: Bytes,
    pub(crate) unique: Bytes,
    pub(crate) reducer: Bytes,
    pub(crate) data: Bytes,
    /// Once for each submit that is this job.
    listeners: Vec<Conn>,
    worker: Option<Conn>,
}

#[derive(Default)]
struct Peer {
    conn: Option<Conn>,
    abilities: Vec<Bytes>,
    sleeps: bool,
    exceptions: bool,
    /// Answers that are held back.
    held: Option<Vec<Bytes>>,
}

/// What the toy saw.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) accepted: usize,
    pub(crate) packets: Vec<(Kind, Vec<Bytes>)>,
    pub(crate) kinds: BTreeMap<Kind, usize>,
    /// Ends of jobs, by their data: `WORK_COMPLETE` and the like.
    pub(crate) ends: Vec<(Bytes, Kind, Bytes)>,
}

#[derive(Default)]
pub(crate) struct Toy {
    peers: Vec<Peer>,
    jobs: BTreeMap<u64, Job>,
    queue: VecDeque<u64>,
    last: u64,
    /// Jobs that the toy does by itself after a while.
    pub(crate) slow: BTreeMap<u64, Conn>,
    /// How often each flaky job was asked for.
    pub(crate) flaky: BTreeMap<Bytes, u64>,
    /// Nothing is answered to workers that ask for a job.
    pub(crate) deaf: bool,
    pub(crate) seen: Seen,
}

impl Toy {
    /// Puts a job into the queue that nobody waits for.
    pub(crate) fn add(&mut self, function: &str, data: impl Into<Bytes>) {
        let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
        let (function, unique, reducer) = (bytes(function), bytes("key"), bytes("parts"));
        let job = Job {
            function,
            unique,
            reducer,
            data: data.into(),
            listeners: Vec::new(),
            worker: None,
        };
        self.last += 1;
        self.jobs.insert(self.last, job);
        self.queue.push_back(self.last);
    }

    /// Wakes everybody who sleeps.
    pub(crate) fn wake(&mut self, cx: &mut Cx) {
        for peer in &mut self.peers {
            if core::mem::take(&mut peer.sleeps) {
                say(cx, peer.conn.expect("who sleeps is there"), Kind::Noop, &[]);
            }
        }
    }

    pub(crate) fn waiting(&self) -> usize {
        self.queue.len()
    }

    pub(crate) fn running(&self) -> usize {
        self.jobs.len() - self.queue.len()
    }

    fn peer(&mut self, conn: Conn) -> &mut Peer {
        &mut self.peers[conn.index()]
    }

    fn serve(&mut self, cx: &mut Cx, conn: Conn, packet: &Packet) {
        let count = packet.kind.arguments() + usize::from(packet.kind.has_data());
        let words: Vec<Bytes> = (0..count).map(|nth| packet.argument_shared(nth)).collect();
        *self.seen.kinds.entry(packet.kind).or_default() += 1;
        self.seen.packets.push((packet.kind, words.clone()));
        match packet.kind {
            Kind::CanDo | Kind::CanDoTimeout => self.peer(conn).abilities.push(words[0].clone()),
            Kind::CantDo => self.peer(conn).abilities.retain(|known| *known != words[0]),
            Kind::SetClientId => {}
            Kind::PreSleep => match self.find(conn) {
                Some(_) => say(cx, conn, Kind::Noop, &[]),
                None => self.peer(conn).sleeps = true,
            },
            Kind::GrabJob | Kind::GrabJobUniq | Kind::GrabJobAll => {
                self.grab(cx, conn, packet.kind);
            }
            Kind::EchoReq => say(cx, conn, Kind::EchoRes, &[&words[0]]),
            Kind::OptionReq => {
                self.peer(conn).exceptions = true;
                say(cx, conn, Kind::OptionRes, &[&words[0]]);
            }
            Kind::GetStatus => {
                let known = number(&words[0]).and_then(|number| self.jobs.get(&number));
                let word = |yes: bool| if yes { b"1" } else { b"0" };
                let running = known.is_some_and(|job| job.worker.is_some());
                let words: [&[u8]; 5] =
                    [&words[0], word(known.is_some()), word(running), b"3", b"4"];
                say(cx, conn, Kind::StatusRes, &words);
            }
            Kind::GetStatusUnique => {
                let words: [&[u8]; 6] = [&words[0], b"1", b"0", b"0", b"0", b"2"];
                say(cx, conn, Kind::StatusResUnique, &words);
            }
            Kind::WorkStatus => self.relay(cx, conn, packet, false),
            Kind::WorkData | Kind::WorkWarning => self.relay(cx, conn, packet, false),
            Kind::WorkComplete | Kind::WorkFail | Kind::WorkException => {
                self.relay(cx, conn, packet, true);
            }
            _ => self.submitted(cx, conn, packet.kind, &words),
        }
    }

    fn submitted(&mut self, cx: &mut Cx, conn: Conn, kind: Kind, words: &[Bytes]) {
        let data = words.last().expect("every submit has data").clone();
        if self.special(cx, conn, &words[0], &data) {
            return;
        }
        let background = matches!(
            kind,
            Kind::SubmitJobBg
                | Kind::SubmitJobHighBg
                | Kind::SubmitJobLowBg
                | Kind::SubmitJobEpoch
                | Kind::SubmitJobSched
                | Kind::SubmitReduceJobBackground
        );
        let same = |job: &Job| job.function == words[0] && job.unique == words[1];
        let found = self.jobs.iter().find(|(_, job)| !words[1].is_empty() && same(job));
        let found = found.map(|(number, _)| *number);
        let number = found.unwrap_or_else(|| {
            self.last += 1;
            self.last
        });
        let listeners = if background { Vec::new() } else { vec![conn] };
        match self.jobs.get_mut(&number) {
            Some(job) => job.listeners.extend(listeners),
            None => {
                let reduce =
                    matches!(kind, Kind::SubmitReduceJob | Kind::SubmitReduceJobBackground);
                let reducer = if reduce { words[2].clone() } else { Bytes::new() };
                let (function, unique) = (words[0].clone(), words[1].clone());
                let job = Job { function, unique, reducer, data, listeners, worker: None };
                self.jobs.insert(number, job);
                self.queue.push_back(number);
            }
        }
        self.created(cx, conn, number);
        self.wake(cx);
    }

    /// A job's handle, which may be held back.
    pub(crate) fn created(&mut self, cx: &mut Cx, conn: Conn, number: u64) {
        let handle = Bytes::from(format!("H:toy:{number}"));
        match &mut self.peer(conn).held {
            Some(held) => held.push(handle),
            None => say(cx, conn, Kind::JobCreated, &[&handle]),
        }
    }

    /// Handles are held back for a while.
    pub(crate) fn hold(&mut self, cx: &mut Cx, conn: Conn, span: Duration) {
        self.peer(conn).held = Some(Vec::new());
        cx.after(Token(u64::from(conn.slot)), span);
    }

    pub(crate) fn tells_exceptions(&mut self, conn: Conn) -> bool {
        self.peer(conn).exceptions
    }

    /// A job's number that no other has.
    pub(crate) fn fresh(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    fn find(&mut self, conn: Conn) -> Option<usize> {
        let abilities = &self.peers[conn.index()].abilities;
        let can = |number: &u64| abilities.contains(&self.jobs[number].function);
        self.queue.iter().position(can)
    }

    fn grab(&mut self, cx: &mut Cx, conn: Conn, how: Kind) {
        self.peer(conn).sleeps = false;
        if self.deaf {
            return;
        }
        let Some(at) = self.find(conn) else { return say(cx, conn, Kind::NoJob, &[]) };
        let number = self.queue.remove(at).expect("it was found there");
        let job = self.jobs.get_mut(&number).expect("queued jobs are known");
        job.worker = Some(conn);
        let handle = format!("H:toy:{number}");
        let Some(tx) = cx.tx(conn) else { return };
        let all: [&[u8]; 4] = [handle.as_bytes(), &job.function, &job.unique, &job.reducer];
        let (kind, words) = match how {
            Kind::GrabJob => (Kind::JobAssign, &all[..2]),
            Kind::GrabJobAll if !job.reducer.is_empty() => (Kind::JobAssignAll, &all[..]),
            _ => (Kind::JobAssignUniq, &all[..3]),
        };
        put_with_data(tx, Magic::Response, kind, words, &job.data);
    }

    fn relay(&mut self, cx: &mut Cx, conn: Conn, packet: &Packet, ends: bool) {
        let job = number(packet.argument(0)).and_then(|number| self.jobs.get(&number));
        let Some(job) = job.filter(|job| job.worker == Some(conn)) else {
            return say(cx, conn, Kind::Error, &[b"JOB_NOT_FOUND", b"no such job"]);
        };
        let words = packet.kind.arguments() + usize::from(packet.kind.has_data());
        let words: Vec<Bytes> = (0..words).map(|nth| packet.argument_shared(nth)).collect();
        let words: Vec<&[u8]> = words.iter().map(|word| &word[..]).collect();
        for listener in &job.listeners {
            say(cx, *listener, packet.kind, &words);
        }
        if ends {
            let number = number(packet.argument(0)).expect("it was found");
            let job = self.jobs.remove(&number).expect("it was found");
            let data = if packet.kind.has_data() { packet.data() } else { Bytes::new() };
            self.seen.ends.push((job.data, packet.kind, data));
        }
    }
}

/// Says something to a connection, if it is there.
pub(crate) fn say(cx: &mut Cx, conn: Conn, kind: Kind, words: &[&[u8]]) {
    if let Some(tx) = cx.tx(conn) {
        put(tx, Magic::Response, kind, words);
    }
}

fn number(handle: &[u8]) -> Option<u64> {
    let digits = handle.strip_prefix(b"H:toy:")?;
    core::str::from_utf8(digits).ok()?.parse().ok()
}

/// Timers of jobs that the toy does by itself begin here.
pub(crate) const SLOW: u64 = 1 << 40;

impl Machine for Toy {
    fn start(&mut self, cx: &mut Cx, _: Boot) {
        cx.listen(Token(0), Listen::at(Endpoint::any(PORT)));
    }

    fn open(&mut self, _: &mut Cx, conn: Conn, _: Open) {
        if self.peers.len() <= conn.index() {
            self.peers.resize_with(conn.index() + 1, Peer::default);
        }
        self.seen.accepted += 1;
        self.peers[conn.index()] = Peer { conn: Some(conn), ..Peer::default() };
    }

    fn data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        let parser = Parser::new(Magic::Request, 1 << 20);
        while let Some(packet) = parser.next(rx).expect("our own side says packets") {
            self.serve(cx, conn, &packet);
        }
    }

    fn eof(&mut self, cx: &mut Cx, conn: Conn) {
        cx.close(conn, Close::Flush);
    }

    fn gone(&mut self, cx: &mut Cx, conn: Conn, _: Gone) {
        self.peers[conn.index()] = Peer::default();
        for (number, job) in &mut self.jobs {
            job.listeners.retain(|listener| *listener != conn);
            if job.worker == Some(conn) {
                job.worker = None;
                self.queue.push_back(*number);
            }
        }
        self.wake(cx);
    }

    fn timer(&mut self, cx: &mut Cx, timer: Token) {
        if timer.0 >= SLOW {
            return self.special_timer(cx, timer.0 - SLOW);
        }
        let peer = &mut self.peers[timer.0 as usize];
        let (Some(conn), Some(held)) = (peer.conn, peer.held.take()) else { return };
        for handle in held {
            say(cx, conn, Kind::JobCreated, &[&handle]);
        }
    }
}
