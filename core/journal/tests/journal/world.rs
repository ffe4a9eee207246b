//! The journal on a host of a world that loses its power, its processes and its room.

use crate::host::small;
use std::sync::{Arc, Mutex};
use storytime_journal::{Journal, JournalEvent, JournalOptions, Local, Lsn};
use storytime_machine::{
    Boot, Cx, DiskResult, Duration, Exit, Machine, Process, Ratio, Rng, Time, Token,
};
use storytime_sim::disk::{DiskConfig, DiskFaults, Profile};
use storytime_sim::{Config, HostConfig, ProgramConfig, Ran, World};

const TICK: Token = Token(0);

/// What the outside was told, over all lives.
#[derive(Debug, Default)]
struct Told {
    durable: u64,
    lives: u32,
    failures: u32,
}

/// Appends a record with its own number at every tick.
#[derive(Debug)]
struct Ticker {
    journal: Journal,
    recovered: u64,
    told: Arc<Mutex<Told>>,
}

impl Ticker {
    fn drain(&mut self, cx: &mut Cx) {
        while let Some(event) = self.journal.next_event() {
            let mut told = self.told.lock().expect("one thread");
            match event {
                JournalEvent::Checkpoint(piece) => {
                    self.recovered = u64::from_le_bytes(piece[..].try_into().expect("a number"));
                }
                JournalEvent::Record(lsn, bytes) => {
                    self.recovered += 1;
                    assert_eq!((lsn, &bytes[..8]), (Lsn(self.recovered), &lsn.0.to_le_bytes()[..]));
                }
                JournalEvent::Ready(ready) => {
                    assert_eq!(ready.last, Lsn(self.recovered));
                    assert!(self.recovered >= told.durable, "an acknowledged record is lost");
                    told.durable = self.recovered;
                    told.lives += 1;
                    cx.after(TICK, Duration::from_millis(1));
                }
                JournalEvent::Durable(lsn) => told.durable = lsn.0,
                JournalEvent::Refused(refusal) => panic!("{refusal}"),
                JournalEvent::Failed(why) => {
                    told.failures += 1;
                    cx.exit(Exit::Failed(why));
                }
                _ => {}
            }
        }
        while self.journal.wants_checkpoint_piece() {
            let at = self.journal.checkpoint_at().expect("one is under way");
            self.journal.checkpoint_piece(cx, &mut Local, &at.0.to_le_bytes());
            self.journal.end_checkpoint(cx, &mut Local);
        }
    }
}

impl Machine for Ticker {
    fn start(&mut self, cx: &mut Cx, _boot: Boot) {
        self.journal.open(cx, &mut Local);
    }

    fn timer(&mut self, cx: &mut Cx, _timer: Token) {
        let next = self.journal.last().0 + 1;
        let mut record = next.to_le_bytes().to_vec();
        record.resize(8 + (next * 37 % 900) as usize, 1);
        let _ = self.journal.append(&record); // refused while the disk is full
        self.journal.commit(cx, &mut Local);
        if next.is_multiple_of(200) && !self.journal.is_checkpointing() {
            let at = self.journal.last();
            self.journal.begin_checkpoint(cx, &mut Local, at);
        }
        cx.after(TICK, Duration::from_millis(1));
        self.drain(cx);
    }

    fn disk(&mut self, cx: &mut Cx, op: Token, result: DiskResult) {
        self.journal.on_disk(cx, &mut Local, op, result);
        self.journal.commit(cx, &mut Local);
        self.drain(cx);
    }

    fn invariants(&self) {
        self.journal.invariants();
    }
}

fn live(seed: u64, profile: Profile) -> (u64, u32, u32) {
    let told = Arc::new(Mutex::new(Told::default()));
    let mut world = World::new(Config::new(seed));
    let faults = DiskFaults { sync_fails: Ratio::new(1, 500), ..DiskFaults::NONE };
    let disk = DiskConfig { faults, iops: 2_000, ..DiskConfig::new(profile) };
    let disk = DiskConfig { flush: Duration::from_micros(400), ..disk };
    let host = world.add_host(HostConfig { disk: Some(disk), ..HostConfig::new("log") });
    let book = Arc::clone(&told);
    let options = JournalOptions { segment_bytes: 64 << 10, ..small() };
    let processes = world.add_program(
        host,
        ProgramConfig::new("ticker", move |setup| {
            let journal = Journal::new(options.clone(), Token(1 << 20));
            let ticker = Ticker { journal, recovered: 0, told: Arc::clone(&book) };
            Box::new(Process::new(ticker, setup))
        }),
    );
    let mut rng = Rng::new(seed, 99);
    let mut now = Time::ZERO;
    world.power_on(host);
    for _ in 0..30 {
        now += rng.duration(Duration::from_millis(20), Duration::from_millis(300));
        let ran = world.run_until(now);
        assert!(!matches!(ran, Ran::Broken(_)), "{ran:?}");
        match rng.below(3) {
            0 => world.kill(processes[0]),
            _ => world.power_cut(host),
        }
        world.power_on(host);
        world.start(processes[0]);
    }
    now += Duration::from_secs(1);
    world.run_until(now);
    let told = told.lock().expect("one thread");
    (told.durable, told.lives, told.failures)
}

#[test]
fn a_host_that_loses_its_power_again_and_again_keeps_what_it_acknowledged() {
    let mut failures = 0;
    for seed in 0..2 {
        for profile in [Profile::Friendly, Profile::Posix, Profile::Hostile] {
            let (durable, lives, failed) = live(seed, profile);
            assert!(durable > 500 && lives > 15, "{profile}: {durable} records, {lives} lives");
            failures += failed;
        }
    }
    assert!(failures > 0, "syncs failed, too");
}
