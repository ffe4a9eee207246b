//! The machines around the check itself: refusals, bounds, retries, failing disks.

use crate::bench::{Bench, Disk, Lie, parse};
use storytime_diskcheck::{Command, Kind, Recorder, Writer};
use storytime_machine::{
    Boot, BytesMut, Closing, Conn, Drive, Effect, Endpoint, Exit, Gone, Now, Process, ResolveError,
    Rng, Setup, Time, Token, WallTime,
};

const WRITE: &str = "write --recorder alive --blocks 4 --block-bytes 512 --run 5 data/f";

/// A recorder and what it answers to some bytes on a fresh connection.
struct Talk(Process<Recorder>);

impl Talk {
    fn new(line: &str) -> Self {
        let Command::Record(config) = parse(line) else { panic!("{line} is no recorder") };
        let mut process = Process::new(Recorder::new(config), Setup::new(Rng::new(1, 1)));
        process.start(now(0), Boot { host: 0, worker: 0, incarnation: 0 });
        process.bound(now(0), Token(1), Ok(Endpoint::any(5400)));
        Self(process)
    }

    fn connect(&mut self) -> Conn {
        self.0.accepted(now(0), Token(1), Endpoint::any(9)).expect("a free slot")
    }

    /// Says it in pieces of `step` bytes.
    fn say(&mut self, conn: Conn, text: &str, step: usize) -> String {
        let mut answer = BytesMut::new();
        for piece in text.as_bytes().chunks(step) {
            self.0.rx(conn).expect("an open connection").extend_from_slice(piece);
            self.0.received(now(0), conn);
            self.0.invariants();
            self.0.take_output(now(0), conn, usize::MAX, &mut answer);
        }
        String::from_utf8(answer.to_vec()).expect("text")
    }
}

fn now(ns: u64) -> Now {
    Now { mono: Time(ns), wall: WallTime(ns) }
}

const REPORT: &str = "begin 5 4 512\nwill block 3 1\nwill log 0 1\nwrote 0\nsynced 0\nwrote 1\n";

#[test]
fn the_recorder_remembers_what_was_reported_whatever_the_pieces() {
    for step in 1..=REPORT.len() {
        let mut talk = Talk::new("record");
        let writer = talk.connect();
        assert_eq!(talk.say(writer, REPORT, step), "ok 5\ngo 0\ngo 1\n", "pieces of {step}");
        let verifier = talk.connect();
        assert_eq!(
            talk.say(verifier, "verify latest\nsteps 0\nsteps 1\nsteps 9\n", step),
            "run 5 4 512 2\n\
             step block 3 1 synced 1 3 0\nstep log 0 1 written 2 0 0\nend\n\
             step log 0 1 written 2 0 0\nend\n\
             end\n"
        );
    }
}

#[test]
fn the_recorder_refuses_what_makes_no_sense_and_ends_the_connection() {
    for (said, answer) in [
        ("hello\n", "error malformed line\n"),
        ("will block 1 1\n", "error out of turn\n"),
        ("verify latest\n", "error no such run\n"),
        ("verify 9\n", "error no such run\n"),
        ("begin 5 4 512\nbegin 6 4 512\n", "ok 5\nerror out of turn\n"),
        ("begin 5 4 512\nwill block 4 1\n", "ok 5\nerror no such block or file\n"),
        ("begin 5 4 512\nwill name 64 1\n", "ok 5\nerror no such block or file\n"),
        ("begin 5 4 512\nwill log 1 0\n", "ok 5\nerror no such block or file\n"),
        ("begin 5 4 512\nwrote 0\n", "ok 5\nerror no such step under way\n"),
        ("begin 5 4 512\nwill log 0 1\nsynced 0\n", "ok 5\ngo 0\nerror no such step under way\n"),
        ("begin 5 0 512\n", "error impossible number or length of blocks\n"),
    ] {
        let mut talk = Talk::new("record");
        let conn = talk.connect();
        assert_eq!(talk.say(conn, said, 1000), answer, "{said:?}");
        assert_eq!(talk.0.view(conn).map(|v| v.closing), Some(Closing::FinThenGone));
    }
    let mut talk = Talk::new("record");
    let conn = talk.connect();
    assert_eq!(talk.say(conn, &"x".repeat(200), 200), "error line too long\n");
}

#[test]
fn evidence_is_never_overwritten() {
    let mut talk = Talk::new("record");
    let first = talk.connect();
    talk.say(first, REPORT, 1000);
    talk.0.gone(now(0), first, Gone::Reset);
    let second = talk.connect();
    let answer = talk.say(second, "begin 5 4 512\n", 1000);
    assert_eq!(answer, "error run exists: choose another number\n");
    assert_eq!(talk.0.machine().steps(5).map(<[_]>::len), Some(2));
}

#[test]
fn a_verifier_that_does_not_read_is_refused() {
    let mut talk = Talk::new("record");
    let writer = talk.connect();
    let many: String = (0..2_000).map(|n| format!("will log {n} 1\n")).collect();
    talk.say(writer, &format!("begin 5 4 512\n{many}"), 100_000);
    let verifier = talk.connect();
    let asks = format!("verify 5\n{}", "steps 0\n".repeat(100_000));
    talk.0.rx(verifier).unwrap().extend_from_slice(asks.as_bytes());
    talk.0.received(now(0), verifier);
    assert!(talk.0.memory() < 3 << 20, "{} bytes for one peer", talk.0.memory());
    assert_eq!(talk.0.take_breach(), None);
    assert_eq!(talk.0.view(verifier).map(|v| v.closing), Some(Closing::FlushThenFin));
}

#[test]
fn a_full_recorder_ends_the_run_without_losing_it() {
    let mut bench = Bench::with_recorder(Lie::None, 1, "record --steps-max 100");
    let mut writer = bench.writer(WRITE);
    assert_eq!(bench.finish(&mut writer), Exit::Stopped);
    bench.disk.cut();
    let verdict = bench.verify();
    assert_eq!((verdict.acknowledged, verdict.kind), (100, Kind::Honest));
    assert_eq!(verdict.run, 5);
}

#[test]
fn a_long_run_is_told_page_by_page() {
    let mut bench = Bench::new(Lie::None, 2);
    let mut writer = bench.writer(&format!("{WRITE} --steps 2000"));
    assert_eq!(bench.finish(&mut writer), Exit::Stopped);
    assert_eq!(bench.verify().acknowledged, 2_000);
}

#[test]
fn a_failed_flush_ends_the_writer_unacknowledged() {
    let mut bench = Bench::new(Lie::None, 3);
    let mut writer = bench.writer(WRITE);
    for _ in 0..100 {
        bench.step(&mut writer);
    }
    let before = bench.recorder.machine().acknowledged();
    bench.disk.fail_sync = true;
    assert_eq!(bench.finish(&mut writer), Exit::Failed("a flush failed"));
    assert_eq!(bench.recorder.machine().acknowledged(), before);
}

#[test]
fn a_lost_recorder_ends_the_writer() {
    let mut bench = Bench::new(Lie::None, 4);
    let mut writer = bench.writer(WRITE);
    for _ in 0..100 {
        bench.step(&mut writer);
    }
    let conn = writer.process.conns()[0];
    writer.process.gone(now(u64::MAX), conn, Gone::Reset);
    let why = "the connection to the recorder broke";
    assert_eq!(writer.process.exit(), Some(Exit::Failed(why)));
}

#[test]
fn a_recorder_that_is_late_is_waited_for_and_one_that_never_comes_is_not() {
    let Command::Write(config) = parse(WRITE) else { panic!("a writer") };
    let mut process = Process::new(Writer::new(config), Setup::new(Rng::new(1, 1)));
    process.start(now(0), Boot { host: 0, worker: 0, incarnation: 0 });
    let mut disk = Disk::new(Lie::None, Rng::new(1, 2));
    let mut attempts = 0;
    while process.exit().is_none() {
        let at = process.deadline().map_or_else(|| now(0), |due| now(due.0));
        process.tick(at);
        while let Some(effect) = process.next_effect() {
            match effect {
                Effect::Disk { key, op } => process.disk_done(at, key, disk.run(op)),
                Effect::Resolve { lookup, .. } if attempts == 3 => {
                    process.resolved(at, lookup, Err(ResolveError::Unavailable));
                    attempts += 1;
                }
                Effect::Resolve { lookup, .. } => {
                    process.resolved(at, lookup, Ok(vec!["10.0.0.2".parse().unwrap()]));
                }
                Effect::Connect { connect, .. } => {
                    attempts += 1;
                    process.failed(at, connect, Gone::Refused);
                }
                _ => {}
            }
        }
    }
    assert_eq!(attempts, 120);
    assert_eq!(process.exit(), Some(Exit::Failed("the recorder does not answer")));
}
