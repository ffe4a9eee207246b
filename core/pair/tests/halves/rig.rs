//! A world of two members, a witness and a client, and what must hold in it.

use crate::client::Client;
use crate::tenant::{Member, PORT};
pub(crate) use crate::watched::quick_disk;
use crate::watched::{self, Halves, add_court, boxed, supervised};
use core::time::Duration;
use std::collections::BTreeMap;
use storytime_machine::{
    Bytes, DiskError, DiskOk, DiskOp, DiskResult, Endpoint, IpAddr, OpKey, Time, Token,
};
use storytime_pair::config::Bug;
use storytime_pair::{Mirror, PairConfig, Role};
use storytime_sim::{
    Clock, Config, DiskConfig, HostConfig, ProcessId, ProgramConfig, SimDisk, World,
};

pub(crate) const PAIR_PORT: u16 = 21350;
pub(crate) const WITNESS_PORT: u16 = 7000;
const CLIENT: ProcessId = ProcessId(3);

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

/// Members, whose clocks may drift.
pub(crate) struct Members {
    drift_ppm: [i32; 3],
}

pub(crate) type Rig = watched::Rig<Members>;

impl Halves for Members {
    const STEP: Duration = Duration::from_millis(2);

    fn serves(rig: &mut Rig, index: usize) -> bool {
        let clock = rig.clock(index);
        rig.member(index).pair.serves(clock)
    }

    fn is_equal(rig: &mut Rig, active: usize) -> bool {
        rig.member(active).pair.mirror() == Mirror::Equal
            && rig.member(1 - active).pair.role() == Role::Standby
    }

    fn complaint(rig: &mut Rig) -> Option<String> {
        rig.client().complaint.take()
    }
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
            supervised(&mut world, hosts[index], ProgramConfig::new("member", make));
        }
        add_court(&mut world, witness);
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
        Self::around(world, Members { drift_ppm: setting.drift_ppm })
    }

    /// A host's monotonic clock now.
    fn clock(&self, index: usize) -> Time {
        let now = i128::from(self.world.now().0);
        Time((now + now * i128::from(self.halves.drift_ppm[index]) / 1_000_000) as u64)
    }

    pub(crate) fn member(&mut self, index: usize) -> &mut Member {
        self.world.machine::<Member>(self.members[index]).expect("it was started")
    }

    pub(crate) fn client(&mut self) -> &mut Client {
        self.world.machine::<Client>(CLIENT).expect("it was started")
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
