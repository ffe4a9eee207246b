//! A server on a disk of its own, and clients that type.

use storytime_database::{Command, Config, Database, PORT};
use storytime_machine::{Rng, Setup, Time};
use storytime_sim::disk::Profile;
use storytime_sim::enumerate::{Client, Lone};
use storytime_sim::{DiskConfig, disk::SimDisk};

/// A server and its clock.
pub(crate) struct Rig {
    pub(crate) lone: Lone<Database>,
    /// How often the host was booted before.
    life: u32,
}

/// Options from a command line.
pub(crate) fn config(line: &str) -> Config {
    let words: Vec<&str> = line.split_whitespace().collect();
    match Command::from_words(&words) {
        Ok(Command::Serve(config)) => *config,
        other => panic!("{line}: {other:?}"),
    }
}

impl Rig {
    /// A server that is up.
    pub(crate) fn new(line: &str) -> Self {
        Self::of(config(line))
    }

    /// The same, with options that no command line has.
    pub(crate) fn of(config: Config) -> Self {
        let disk = SimDisk::new(DiskConfig::new(Profile::Posix), Rng::new(1, 6379));
        Self::on(disk, config, 0)
    }

    fn on(disk: SimDisk, config: Config, life: u32) -> Self {
        let setup = Setup { limits: config.limits(), ..Setup::new(Rng::new(2004, 6379)) };
        let machine = Database::new(config);
        let mut lone = Lone::boot(machine, setup, disk, Time(1 << 40), life);
        assert!(lone.run_until(|lone| lone.machine().is_serving()), "it comes up");
        Self { lone, life }
    }

    /// A server on what a power cut left of this one's disk.
    pub(crate) fn after_power_cut(self, line: &str) -> Self {
        let mut disk = self.lone.disk().clone();
        disk.power_cut(self.lone.now());
        Self::on(disk, config(line), self.life + 1)
    }

    pub(crate) fn open(&mut self) -> Client {
        self.lone.connect(PORT).expect("it listens")
    }

    /// Types a line and waits until the server rests.
    pub(crate) fn say(&mut self, client: Client, line: &str) -> String {
        self.send(client, format!("{line}\r\n").as_bytes())
    }

    /// Sends bytes and waits until the server rests.
    pub(crate) fn send(&mut self, client: Client, bytes: &[u8]) -> String {
        self.lone.send(client, bytes);
        self.rest();
        self.take(client)
    }

    /// Runs until no disk operation is under way and no record waits to be written.
    pub(crate) fn rest(&mut self) {
        let rests = |lone: &mut Lone<Database>| lone.is_idle() && lone.machine().is_settled();
        assert!(self.lone.run_until(rests), "it comes to rest");
    }

    /// What a client got so far.
    pub(crate) fn take(&mut self, client: Client) -> String {
        let inbox = self.lone.received(client);
        let text = String::from_utf8_lossy(inbox).replace("\r\n", " ");
        inbox.clear();
        text.trim_end().to_owned()
    }
}
