//! A world of two halves, a witness and a client, and what must hold in it.

use crate::client::Client;
use crate::tenant::{Member, PORT};
use core::time::Duration;
use std::collections::BTreeMap;
use storytime_machine::{
    Bytes, DiskError, DiskOk, DiskOp, DiskResult, Drive, Endpoint, IpAddr, Machine, OpKey, Process,
    Setup, Time, Token,
};
use storytime_pair::config::Bug;
use storytime_pair::{Mirror, PairConfig, Role, Witness, WitnessConfig};
use storytime_sim::{
    Clock, Config, DiskConfig, HostConfig, HostId, ProcessId, ProgramConfig, Ran, SimDisk, World,
};

pub(crate) const PAIR_PORT: u16 = 21350;
pub(crate) const WITNESS_PORT: u16 = 7000;
pub(crate) const STEP: Duration = Duration::from_millis(2);

/// How a world is made.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) seed: u64,
    pub(crate) disks: [DiskConfig; 2],
    /// Of the first half, the second, and the witness.
    pub(crate) drift_ppm: [i32; 3],
    pub(crate) bug: Option<Bug>,
    /// An address that moves with the role, which the client uses.
    pub(crate) address: Option<IpAddr>,
    /// How many numbers the client writes at a time.
    pub(crate) pace: u64,
}

impl Setting {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            disks: [quick_disk(), quick_disk()],
            drift_ppm: [0; 3],
            bug: None,
            address: None,
            pace: 3,
        }
    }
}

/// An honest disk, fast enough for many flushes in a short run.
pub(crate) fn quick_disk() -> DiskConfig {
    DiskConfig { iops: 20_000, flush: Duration::from_micros(300), ..DiskConfig::default() }
}

/// The world, and where everything is in it.
pub(crate) struct Rig {
    pub(crate) world: World,
    pub(crate) hosts: [HostId; 2],
    pub(crate) witness: HostId,
    pub(crate) members: [ProcessId; 2],
    pub(crate) court: ProcessId,
    pub(crate) client: ProcessId,
    drift_ppm: [i32; 3],
    last_active: Option<usize>,
    pub(crate) failovers: u64,
}

impl Rig {
    pub(crate) fn new(setting: &Setting) -> Self {
        let mut world = World::new(Config::new(setting.seed));
        let mut add = |name: &str, disk: Option<DiskConfig>, drift_ppm| {
            let clock = Clock { drift_ppm, ..Clock::default() };
            world.add_host(HostConfig { disk, clock, ..HostConfig::new(name) })
        };
        let [first, second] = setting.disks.clone().map(Some);
        let hosts =
            [add("db1", first, setting.drift_ppm[0]), add("db2", second, setting.drift_ppm[1])];
        let witness = add("witness", Some(quick_disk()), setting.drift_ppm[2]);
        let caller = add("web", None, 0);
        let at = |world: &World, host, port| Endpoint::tcp(world.ip(host), port);
        for index in [0, 1] {
            let config = PairConfig {
                prefer_active: index == 0,
                lease: Duration::from_millis(1_000),
                heartbeat: Duration::from_millis(100),
                peer_timeout: Duration::from_millis(300),
                flush_timeout: Duration::from_secs(2),
                bug: setting.bug,
                address: setting.address,
                ..PairConfig::new(
                    Endpoint::any(PAIR_PORT),
                    at(&world, hosts[1 - index], PAIR_PORT),
                    at(&world, witness, WITNESS_PORT),
                )
            };
            let make = move |setup| boxed(Member::new(config.clone()), setup);
            world.add_program(hosts[index], ProgramConfig::new("member", make));
        }
        let court = ProgramConfig::new("witness", |setup| {
            boxed(Witness::new(WitnessConfig::default()), setup)
        });
        world.add_program(witness, court);
        let halves = hosts.map(|host| match setting.address {
            Some(ip) => Endpoint::tcp(ip, PORT),
            None => at(&world, host, PORT),
        });
        let pace = setting.pace;
        let make = move |setup| boxed(Client::new(halves.clone(), pace), setup);
        world.add_program(caller, ProgramConfig::new("client", make));
        for host in [hosts[0], hosts[1], witness, caller] {
            world.power_on(host);
        }
        Self::around(world, setting)
    }

    /// Takes over a world that was made with this setting, at any time of its life.
    pub(crate) fn around(world: World, setting: &Setting) -> Self {
        Self {
            world,
            hosts: [HostId(0), HostId(1)],
            witness: HostId(2),
            members: [ProcessId(0), ProcessId(1)],
            court: ProcessId(2),
            client: ProcessId(3),
            drift_ppm: setting.drift_ppm,
            last_active: None,
            failovers: 0,
        }
    }

    /// A host's monotonic clock now.
    fn clock(&self, index: usize) -> Time {
        let now = i128::from(self.world.now().0);
        Time((now + now * i128::from(self.drift_ppm[index]) / 1_000_000) as u64)
    }

    pub(crate) fn member(&mut self, index: usize) -> &mut Member {
        self.world.machine::<Member>(self.members[index]).expect("it was started")
    }

    pub(crate) fn client(&mut self) -> &mut Client {
        self.world.machine::<Client>(self.client).expect("it was started")
    }

    /// Whether a half would serve at this moment.
    pub(crate) fn serves(&mut self, index: usize) -> bool {
        let clock = self.clock(index);
        let running = self.world.is_running(self.members[index]);
        running && self.member(index).pair.serves(clock)
    }

    /// Runs on, looking at every few milliseconds, and starts what has ended by itself.
    pub(crate) fn run(&mut self, span: Duration) -> Result<(), String> {
        let until = self.world.now() + span;
        while self.world.now() < until {
            if let Ran::Broken(failure) = self.world.run_until(self.world.now() + STEP) {
                return Err(failure.to_string());
            }
            let serve = [self.serves(0), self.serves(1)];
            if serve == [true; 2] {
                return Err(format!("{}: both halves are active", self.world.now()));
            }
            if let Some(active) = serve.iter().position(|serves| *serves)
                && self.last_active != Some(active)
            {
                self.failovers += u64::from(self.last_active.is_some());
                self.last_active = Some(active);
            }
            for process in [self.members[0], self.members[1], self.court] {
                if self.world.exit(process).is_some() && !self.world.is_running(process) {
                    self.world.start(process);
                }
            }
            if let Some(complaint) = self.client().complaint.take() {
                return Err(format!("{}: {complaint}", self.world.now()));
            }
        }
        Ok(())
    }

    /// Runs until something holds.
    pub(crate) fn run_until(
        &mut self,
        most: Duration,
        what: &str,
        mut holds: impl FnMut(&mut Self) -> bool,
    ) -> Result<(), String> {
        let until = self.world.now() + most;
        while !holds(self) {
            if self.world.now() >= until {
                return Err(format!("{}: not within {most:?}: {what}", self.world.now()));
            }
            self.run(STEP * 5)?;
        }
        Ok(())
    }

    pub(crate) fn active(&mut self) -> Option<usize> {
        (0..2).find(|&index| self.serves(index))
    }

    /// Whether one half serves, the other has everything, and the witness knows it.
    pub(crate) fn is_whole(&mut self) -> bool {
        let Some(active) = self.active() else { return false };
        let mut recorded = false;
        self.world.counters(self.court, &mut |name, value| {
            recorded |= name == "both_equal" && value == 1;
        });
        recorded
            && self.member(active).pair.mirror() == Mirror::Equal
            && self.member(1 - active).pair.role() == Role::Standby
    }

    /// Numbers that were acknowledged and are not in the active half.
    pub(crate) fn lost(&mut self) -> Vec<u64> {
        let active = self.active().expect("somebody serves");
        let has: std::collections::BTreeSet<u64> =
            self.member(active).numbers.iter().copied().collect();
        self.client().acked.iter().copied().filter(|number| !has.contains(number)).collect()
    }

    /// After everything was healed: comes to rest, has lost nothing, has equal disks.
    pub(crate) fn settle(&mut self) -> Result<(), String> {
        let acked = self.client().acked.len();
        self.run_until(
            Duration::from_secs(20),
            "one active half and an equal one",
            Self::is_whole,
        )?;
        self.run_until(Duration::from_secs(20), "new acknowledgements", |rig| {
            rig.client().acked.len() > acked
        })?;
        self.come_to_rest()?;
        let lost = self.lost();
        if !lost.is_empty() {
            return Err(format!("acknowledged and lost: {lost:?}"));
        }
        self.compare_disks()
    }

    /// Both halves lose their power, and only the standby comes back: its disk has everything.
    pub(crate) fn succeed(&mut self) -> Result<(), String> {
        let standby = 1 - self.active().expect("somebody serves");
        for host in self.hosts {
            self.world.power_cut(host);
        }
        self.world.power_on(self.hosts[standby]);
        let most = Duration::from_secs(10);
        self.run_until(most, "the standby serves", |rig| rig.active() == Some(standby))?;
        self.run(Duration::from_millis(200))?;
        let lost = self.lost();
        if lost.is_empty() { Ok(()) } else { Err(format!("not durable on the standby: {lost:?}")) }
    }

    pub(crate) fn come_to_rest(&mut self) -> Result<(), String> {
        self.client().quiet = true;
        self.run(Duration::from_millis(500))?;
        if self.is_whole() { Ok(()) } else { Err("not whole at rest".to_owned()) }
    }

    /// Compares the mirrored directories, as programs see them.
    fn compare_disks(&mut self) -> Result<(), String> {
        let now = self.world.now();
        let seen = self.hosts.map(|host| {
            let mut disk = self.world.disk(host).expect("it has one").clone();
            contents(&mut disk, now)
        });
        if seen[0] != seen[1] {
            return Err(format!("the disks differ: {}", difference(&seen[0], &seen[1])));
        }
        Ok(())
    }
}

fn boxed<M: Machine>(machine: M, setup: Setup) -> Box<dyn Drive> {
    Box::new(Process::new(machine, setup))
}

type Contents = BTreeMap<Bytes, Bytes>;

fn difference(a: &Contents, b: &Contents) -> String {
    let lens = |files: &Contents| {
        files.iter().map(|(name, data)| format!("{name:?} {}", data.len())).collect::<Vec<_>>()
    };
    format!("{:?} and {:?}", lens(a), lens(b))
}

fn operate(disk: &mut SimDisk, now: Time, op: DiskOp) -> DiskResult {
    let submitted = disk.submit(now, u32::MAX, OpKey::Machine(Token(0)), op);
    let (_, _, result) = disk.complete(submitted.id).ok_or(DiskError::Io)?;
    result
}

/// What the mirrored directory holds.
fn contents(disk: &mut SimDisk, now: Time) -> Contents {
    let mut files = Contents::new();
    let list = operate(disk, now, DiskOp::List { path: Bytes::from_static(b"journal") });
    let Ok(DiskOk::Names(names)) = list else { return files };
    for name in names {
        let path = Bytes::from([b"journal/", &name[..]].concat());
        let Ok(DiskOk::File { file, len }) =
            operate(disk, now, DiskOp::Open { path: path.clone(), create: false })
        else {
            panic!("a listed file opens");
        };
        let read = DiskOp::Read { file, at: 0, len: len as u32 };
        let Ok(DiskOk::Data(data)) = operate(disk, now, read) else { panic!("it is readable") };
        files.insert(path, data);
    }
    files
}
