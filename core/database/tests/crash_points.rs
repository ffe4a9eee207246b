//! Power cuts at every point: what was acknowledged is there, nothing is invented, and what belongs
//! together is there together.

use storytime_database::{Command, Config, Database, PORT};
use storytime_machine::{Rng, Setup};
use storytime_sim::DiskConfig;
use storytime_sim::disk::{Lies, Profile};
use storytime_sim::enumerate::{
    Client, Flaw, FlawKind, Lone, More, Options, Report, Subject, enumerate,
};

/// Batches that the script asks for.
const BATCHES: u64 = 6;
/// Batches asked for and not answered.
const AHEAD: u64 = 3;
/// Behind so many batches a checkpoint is made.
const SAVE_BEHIND: u64 = 3;
/// How far apart the two rows of a batch are.
const TWIN: u64 = 1000;

/// A client that stores twin rows and counts its batches, one number after the other.
struct Twins {
    config: Config,
    client: Option<Client>,
    asked: u64,
    acknowledged: u64,
    saved: bool,
}

impl Twins {
    fn new(options: &[&str]) -> Self {
        let Ok(Command::Serve(config)) = Command::from_words(options) else {
            panic!("good words");
        };
        Self { config: *config, client: None, asked: 0, acknowledged: 0, saved: false }
    }

    fn request(n: u64) -> String {
        let twin = n + TWIN;
        format!("ROW.BATCH 1 PUT t {n} v{n} PUT t {twin} v{n}\r\nSET last {n}\r\n")
    }
}

impl Subject for Twins {
    type Machine = Database;

    fn machine(&self) -> Database {
        Database::new(self.config.clone())
    }

    fn setup(&self, rng: Rng) -> Setup {
        Setup { limits: self.config.limits(), ..Setup::new(rng) }
    }

    fn is_up(&self, lone: &Lone<Database>) -> bool {
        lone.machine().is_serving()
    }

    fn step(&mut self, lone: &mut Lone<Database>) -> More {
        let client = match self.client {
            Some(client) => client,
            None => *self.client.insert(lone.connect(PORT).expect("it listens while it recovers")),
        };
        let inbox = lone.received(client);
        assert!(!inbox.contains(&b'-'), "no errors: {}", inbox.escape_ascii());
        // A batch and a SET are answered by an array and one OK.
        self.acknowledged += inbox.windows(3).filter(|three| three == b"*2\r").count() as u64;
        inbox.clear();
        if self.acknowledged == BATCHES {
            return More::No;
        }
        if self.acknowledged >= SAVE_BEHIND && !self.saved {
            self.saved = true;
            lone.send(client, b"BGSAVE\r\n");
        }
        while self.asked < BATCHES && self.asked < self.acknowledged + AHEAD {
            self.asked += 1;
            lone.send(client, Self::request(self.asked).as_bytes());
        }
        More::Yes
    }

    fn promises(&self) -> u64 {
        self.acknowledged
    }

    fn check(&self, lone: &mut Lone<Database>) -> Result<(), Flaw> {
        let store = lone.machine().store();
        store.audit();
        let rows = store.db(0).and_then(|db| db.owner(b"t", 1));
        let there = |n: u64| rows.is_some_and(|rows| rows.row(n).is_some());
        let last = (1..=BATCHES + 1).take_while(|&n| there(n)).last().unwrap_or(0);
        if last < self.acknowledged {
            return Err(Flaw::lost(format!("{last} of {} batches", self.acknowledged)));
        }
        if last > self.asked {
            return Err(Flaw::invented(format!("{last} of {} batches", self.asked)));
        }
        for n in 1..=BATCHES {
            if there(n) != there(n + TWIN) || there(n) != (n <= last) {
                return Err(Flaw::invented(format!("batch {n} is there by half")));
            }
        }
        Ok(())
    }
}

fn examine(words: &[&str], disk: DiskConfig) -> Report {
    // The journal's own tests try more of what a disk can leave; this is the server above it.
    let options = Options {
        combined_choices_max: 3,
        single_choices_max: 12,
        random: 2,
        second_cut_every: 200,
        ..Options::new(disk)
    };
    enumerate(&options, || Twins::new(words))
}

#[test]
fn nothing_acknowledged_is_lost_on_an_honest_disk_wherever_the_power_goes() {
    for profile in [Profile::Friendly, Profile::Posix, Profile::Hostile] {
        let report = examine(&["--databases", "16"], DiskConfig::new(profile));
        report.assert_clean();
        assert_eq!(report.promises, BATCHES);
    }
}

#[test]
fn an_acknowledgement_before_the_disk_has_it_is_found() {
    let report = examine(&["--appendfsync", "no"], DiskConfig::new(Profile::Posix));
    assert!(report.flaws_of(FlawKind::Lost) > 0, "{report}");
    assert_eq!(report.flaws_of(FlawKind::Invented), 0, "{report}");
}

#[test]
fn a_disk_that_lies_loses_and_invents_nothing() {
    let disk = DiskConfig { lies: Lies::DRIVE, ..DiskConfig::new(Profile::Liar) };
    let report = examine(&[], disk);
    assert!(report.flaws_of(FlawKind::Lost) > 0, "{report}");
    assert_eq!(report.flaws_of(FlawKind::Invented), 0, "{report}");
}
