//! A recorder that stays alive, one client process at a time, and a disk that lies on demand.

pub(crate) mod disk;

pub(crate) use disk::{Disk, Lie};
use std::collections::VecDeque;
use storytime_diskcheck::{Command, Config, Recorder, Verdict, Verifier, Writer};
use storytime_machine::{
    Boot, BytesMut, Conn, DiskOp, Drive, Duration, Effect, Endpoint, Exit, Machine, Now, OpKey,
    Process, Rng, Setup, Time, Token, WallTime,
};

const STEPS_MAX: u32 = 1_000_000;

pub(crate) struct Bench {
    now: Now,
    seed: u64,
    pub(crate) disk: Disk,
    pub(crate) recorder: Process<Recorder>,
    /// How long one disk operation takes.
    pub(crate) op_takes: Duration,
}

/// A client process and its connection.
pub(crate) struct Client<M> {
    pub(crate) process: Process<M>,
    conns: Option<(Conn, Conn)>,
    ops: VecDeque<(OpKey, DiskOp)>,
}

impl Bench {
    pub(crate) fn new(lie: Lie, seed: u64) -> Self {
        Self::with_recorder(lie, seed, "record")
    }

    pub(crate) fn with_recorder(lie: Lie, seed: u64, line: &str) -> Self {
        let Command::Record(config) = parse(line) else { panic!("{line} is no recorder") };
        let mut bench = Self {
            now: Now { mono: Time(0), wall: WallTime(0) },
            seed,
            disk: Disk::new(lie, Rng::new(seed, 1)),
            recorder: Process::new(Recorder::new(config), Setup::new(Rng::new(seed, 2))),
            op_takes: Duration::from_millis(1),
        };
        bench.recorder.start(bench.now, BOOT);
        while bench.recorder.next_effect().is_some() {}
        let at = Endpoint::any(5400);
        bench.recorder.bound(bench.now, Token(1), Ok(at));
        bench
    }

    pub(crate) fn writer(&mut self, line: &str) -> Client<Writer> {
        let Command::Write(config) = parse(line) else { panic!("{line} is no writer") };
        self.client(Writer::new(config))
    }

    pub(crate) fn verifier(&mut self, line: &str) -> Client<Verifier> {
        let Command::Verify(config) = parse(line) else { panic!("{line} is no verifier") };
        self.client(Verifier::new(config))
    }

    fn client<M: Machine>(&mut self, machine: M) -> Client<M> {
        let process = Process::new(machine, Setup::new(Rng::new(self.seed, 3)));
        let mut client = Client { process, conns: None, ops: VecDeque::new() };
        client.process.start(self.now, BOOT);
        client
    }

    /// One round: bytes both ways until none move, then one disk operation.
    pub(crate) fn step<M: Machine>(&mut self, client: &mut Client<M>) {
        self.effects(client);
        while client.conns.is_some() && self.carry(client) {
            self.effects(client);
        }
        self.now.mono += self.op_takes;
        if let Some((key, op)) = client.ops.pop_front() {
            let result = self.disk.run(op);
            client.process.disk_done(self.now, key, result);
        }
        client.process.tick(self.now);
        client.process.invariants();
        self.recorder.invariants();
    }

    fn effects<M: Machine>(&mut self, client: &mut Client<M>) {
        while self.recorder.next_effect().is_some() {}
        while let Some(effect) = client.process.next_effect() {
            match effect {
                Effect::Disk { key, op } => client.ops.push_back((key, op)),
                Effect::Resolve { lookup, name } => {
                    assert_eq!(name, "alive");
                    let ip = "10.0.0.2".parse().unwrap();
                    client.process.resolved(self.now, lookup, Ok(vec![ip]));
                }
                Effect::Connect { connect, .. } => {
                    let theirs = self.recorder.accepted(self.now, Token(1), Endpoint::any(1));
                    let ours = client.process.connected(self.now, connect);
                    client.conns = ours.zip(theirs);
                }
                Effect::Exit(_) => {}
                other => panic!("not asked for: {other:?}"),
            }
        }
    }

    /// Moves bytes and ends; false when nothing moved.
    fn carry<M: Machine>(&mut self, client: &mut Client<M>) -> bool {
        let Some((ours, theirs)) = client.conns else { return false };
        let now = self.now;
        let there = carry(now, &mut client.process, ours, &mut self.recorder, theirs);
        let back = carry(now, &mut self.recorder, theirs, &mut client.process, ours);
        if there == Moved::End || back == Moved::End {
            client.process.gone(now, ours, storytime_machine::Gone::Closed);
            self.recorder.gone(now, theirs, storytime_machine::Gone::Closed);
            client.conns = None;
        }
        there == Moved::Bytes || back == Moved::Bytes
    }

    /// Writes for so many rounds, cuts the power, boots, verifies.
    pub(crate) fn cut_after(&mut self, rounds: u32, write: &str) -> Verdict {
        let mut writer = self.writer(write);
        for _ in 0..rounds {
            self.step(&mut writer);
        }
        assert_eq!(writer.process.exit(), None, "the writer writes until the power dies");
        drop(writer);
        self.disk.cut();
        self.verify()
    }

    pub(crate) fn verify(&mut self) -> Verdict {
        let mut verifier = self.verifier("verify --recorder 10.0.0.2 data/f");
        assert_eq!(self.finish(&mut verifier), Exit::Stopped);
        verifier.process.machine().verdict().expect("it stopped with a verdict").clone()
    }

    pub(crate) fn finish<M: Machine>(&mut self, client: &mut Client<M>) -> Exit {
        for _ in 0..STEPS_MAX {
            self.step(client);
            if let Some(exit) = client.process.exit() {
                return exit;
            }
        }
        panic!("it never ends");
    }
}

const BOOT: Boot = Boot { host: 0, worker: 0, incarnation: 0 };

#[derive(PartialEq, Eq)]
enum Moved {
    Nothing,
    Bytes,
    End,
}

fn carry(now: Now, from: &mut dyn Drive, ours: Conn, to: &mut dyn Drive, theirs: Conn) -> Moved {
    use storytime_machine::Closing;
    let mut bytes = BytesMut::new();
    if from.take_output(now, ours, usize::MAX, &mut bytes) > 0 {
        if let Some(rx) = to.rx(theirs) {
            rx.extend_from_slice(&bytes);
        }
        to.received(now, theirs);
        return Moved::Bytes;
    }
    match from.view(ours).map(|view| view.closing) {
        Some(Closing::No) => Moved::Nothing,
        _ => Moved::End,
    }
}

pub(crate) fn parse(line: &str) -> Command {
    let words: Vec<&str> = line.split_whitespace().collect();
    Config::from_words(&words).expect("a command line")
}
