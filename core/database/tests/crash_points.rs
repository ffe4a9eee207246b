//! A server and one client, and every state that a power cut could leave of its disk: the content
//! that comes back is what some number of the requests made, in order, and no fewer than were
//! answered.

use std::collections::VecDeque;
use std::sync::OnceLock;
use storytime_database::config::Durability;
use storytime_database::{Config, Database, PORT};
use storytime_machine::{BytesMut, Machine as _};
use storytime_sim::disk::{Lies, Profile};
use storytime_sim::enumerate::{
    Client, Ended, Flaw, FlawKind, Lone, More, Options, Report, Subject, enumerate,
};
use storytime_sim::{DiskConfig, SimDisk};

const HONEST: [Profile; 3] = [Profile::Friendly, Profile::Posix, Profile::Hostile];
/// Requests of the script.
const REQUESTS: usize = 100;
/// Requests that are sent without waiting for the first's reply.
const PIPELINED: usize = 4;
/// Journal bytes behind which a checkpoint is made: some are made within the script.
const CHECKPOINT_BYTES: u64 = 1_500;
/// Zeros ahead of the journal's end: each of its sectors is a state of its own.
const RESERVE_BYTES: usize = 8 << 10;

fn config(durability: Durability) -> Config {
    Config {
        checkpoint_bytes: CHECKPOINT_BYTES,
        reserve_bytes: RESERVE_BYTES,
        databases: 16,
        durability,
        ..Config::default()
    }
}

/// A request: each kind of content, rows with their versions and numbers, batches, deletions.
fn request(number: usize) -> Vec<u8> {
    let value = "v".repeat(number * 37 % 300);
    let line = match number % 10 {
        0 => format!("SET key{number} {number}{value}"),
        1 => format!("ROW.PUT posts {} {number} {number}{value}", number % 3),
        2 => "INCR counter".to_owned(),
        3 => format!("HSET hash field{number} {number}"),
        4 => format!("ROW.NEXT posts {} 3", number % 3),
        5 => format!("ZADD sorted {number} member{number}"),
        6 => format!("ROW.BATCH 7 PUT home {number} a PUT posts {number} b"),
        7 => format!("DEL key{}", number - 7),
        8 => format!("ROW.DEL posts {} {}", (number - 7) % 3, number - 7),
        _ => format!("SADD set{} {number}", number % 4),
    };
    let words: Vec<&str> = line.split(' ').collect();
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
    }
    bytes
}

/// Takes one reply off; `None` if it is not whole. An error is the script's mistake.
fn reply(bytes: &mut BytesMut) -> Option<()> {
    let mut at = 0;
    let mut left = 1;
    while left > 0 {
        let end = at + bytes[at..].windows(2).position(|two| two == b"\r\n")?;
        let head = bytes[at];
        let number = || std::str::from_utf8(&bytes[at + 1..end]).ok()?.parse::<usize>().ok();
        assert_ne!(head, b'-', "{}", bytes.escape_ascii());
        left -= 1;
        match head {
            b'*' => left += number()?,
            b'$' => at += number()? + 2,
            _ => {}
        }
        at += end + 2 - at;
    }
    let _ = bytes.split_to(at);
    Some(())
}

/// The content's digest behind each number of requests, of a server whose power never goes.
fn digests() -> &'static [u64] {
    static DIGESTS: OnceLock<Vec<u64>> = OnceLock::new();
    DIGESTS.get_or_init(|| {
        let subject = Requests::new(Durability::Always);
        let disk = SimDisk::new(DiskConfig::default(), storytime_machine::Rng::new(1, 1));
        let setup = subject.setup(storytime_machine::Rng::new(1, 2));
        let mut lone = Lone::boot(subject.machine(), setup, disk, storytime_machine::Time::ZERO, 0);
        assert!(lone.run_until(|lone| lone.is_idle()));
        let client = lone.connect(PORT).expect("it listens");
        let digest = |lone: &Lone<Database>| lone.machine().store().digest();
        let mut digests = vec![digest(&lone)];
        for number in 0..REQUESTS {
            lone.send(client, &request(number));
            assert!(lone.run_until(|lone| reply(lone.received(client)).is_some()));
            digests.push(digest(&lone));
        }
        let mut checkpoints = 0;
        lone.machine().counters(&mut |name, value| {
            checkpoints += if name == "checkpoints" { value } else { 0 };
        });
        assert!(checkpoints > 1, "the script makes checkpoints");
        digests
    })
}

/// The client, and what it was answered.
struct Requests {
    durability: Durability,
    client: Option<Client>,
    asked: usize,
    answered: usize,
}

impl Requests {
    const fn new(durability: Durability) -> Self {
        Self { durability, client: None, asked: 0, answered: 0 }
    }
}

impl Subject for Requests {
    type Machine = Database;

    fn machine(&self) -> Database {
        Database::new(config(self.durability))
    }

    fn step(&mut self, lone: &mut Lone<Database>) -> More {
        let client = *self.client.get_or_insert_with(|| lone.connect(PORT).expect("it listens"));
        while reply(lone.received(client)).is_some() {
            self.answered += 1;
        }
        let wanted = REQUESTS.min(self.answered + PIPELINED);
        for number in self.asked..wanted {
            lone.send(client, &request(number));
            self.asked = number + 1;
        }
        if self.answered == REQUESTS && lone.is_idle() { More::No } else { More::Yes }
    }

    fn promises(&self) -> u64 {
        self.answered as u64
    }

    fn check(&self, lone: &mut Lone<Database>) -> Result<(), Flaw> {
        let digest = lone.machine().store().digest();
        let Some(found) = digests().iter().position(|&known| known == digest) else {
            return Err(Flaw::invented("content that no number of requests makes"));
        };
        if found < self.answered {
            return Err(Flaw::lost(format!("{found} requests, {} answered", self.answered)));
        }
        if found > self.asked {
            return Err(Flaw::invented(format!("{found} requests, {} asked", self.asked)));
        }
        serves(lone)
    }
}

/// It goes on: what is asked now is answered.
fn serves(lone: &mut Lone<Database>) -> Result<(), Flaw> {
    let Some(client) = lone.connect(PORT) else {
        return Err(Flaw::stuck("it takes no connections"));
    };
    lone.send(client, b"*1\r\n$4\r\nPING\r\n");
    if lone.run_until(|lone| lone.received(client).len() >= 7)
        && lone.received(client)[..] == b"+PONG\r\n"[..]
    {
        return Ok(());
    }
    Err(Flaw::stuck(format!("PING: {}", lone.received(client).escape_ascii())))
}

fn options(disk: DiskConfig) -> Options {
    Options {
        random: 4,
        combined_choices_max: 4,
        single_choices_max: 24,
        second_cut_every: 64,
        ..Options::new(disk)
    }
}

fn examine(options: &Options) -> Report {
    enumerate(options, || Requests::new(Durability::Always))
}

#[test]
fn the_script_makes_another_content_with_each_request() {
    let mut known: VecDeque<u64> = digests().iter().copied().collect();
    assert_eq!(known.len(), REQUESTS + 1);
    while let Some(digest) = known.pop_front() {
        assert!(!known.contains(&digest), "the content tells how far the script was");
    }
}

#[test]
fn no_answered_request_is_lost_in_any_state_of_an_honest_disk() {
    for profile in HONEST {
        let report = examine(&options(DiskConfig::new(profile)));
        println!("{profile}: {report}");
        report.assert_clean();
        assert_eq!(report.promises, REQUESTS as u64);
        assert!(report.states.total() > 100, "{report}");
    }
}

#[test]
fn an_answer_before_the_sync_is_found_wherever_power_goes() {
    for profile in HONEST {
        let options = options(DiskConfig::new(profile));
        let report = enumerate(&options, || Requests::new(Durability::Behind));
        assert!(report.flaws_of(FlawKind::Lost) > 0, "{profile}: {report}");
        assert_eq!(report.flaws_of(FlawKind::Lost), report.flawed(), "{profile}: {report}");
    }
}

#[test]
fn a_lying_disk_loses_answered_requests_and_invents_none() {
    for lies in [Lies::DRIVE, Lies::CONTROLLER, Lies::FILE_SYSTEM] {
        let disk = DiskConfig { lies, ..DiskConfig::new(Profile::Liar) };
        // A drive holds thousands of sectors back: a few of them alone will do.
        let options =
            Options { random: 1, single_choices_max: 2, second_cut_every: 0, ..options(disk) };
        let report = examine(&options);
        println!("{lies:?}: {report}");
        assert_eq!(report.ended, Ended::Done);
        assert!(report.flaws_of(FlawKind::Lost) > 0, "{lies:?}: {report}");
        let said = report.flaws_of(FlawKind::Lost) + report.flaws_of(FlawKind::Refused);
        assert_eq!(said, report.flawed(), "{lies:?}: {report}");
    }
}
