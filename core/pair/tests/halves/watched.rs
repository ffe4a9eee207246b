//! A world of two halves and a witness, whatever the halves are: its parts, how it is steered, and
//! looks at it every few milliseconds, so that two that serve are seen.

use core::time::Duration;
use storytime_machine::{Drive, Machine, Process, Setup};
use storytime_pair::{Witness, WitnessConfig};
use storytime_sim::{DiskConfig, Fault, HostId, ProcessId, ProgramConfig, Ran, World};

/// How long after it ended by itself a half, or the witness, is started again.
const RESPAWN: Duration = Duration::from_millis(5);

/// The witness behind the two halves.
const WITNESS: usize = 2;

/// What the halves are.
pub(crate) trait Halves: Sized {
    /// Between two looks.
    const STEP: Duration;

    /// Whether a half that runs would serve at this moment.
    fn serves(rig: &mut Rig<Self>, index: usize) -> bool;

    /// Whether the half that serves says that the other one has everything.
    fn is_equal(rig: &mut Rig<Self>, active: usize) -> bool;

    /// What those who use the halves have to say.
    fn complaint(_rig: &mut Rig<Self>) -> Option<String> {
        None
    }
}

/// The world, and where everything is in it.
pub(crate) struct Rig<H> {
    pub(crate) world: World,
    pub(crate) hosts: [HostId; 2],
    pub(crate) witness: HostId,
    pub(crate) members: [ProcessId; 2],
    pub(crate) court: ProcessId,
    pub(crate) halves: H,
    last_active: Option<usize>,
    pub(crate) failovers: u64,
}

/// An honest disk, fast enough for many flushes in a short run.
pub(crate) fn quick_disk() -> DiskConfig {
    DiskConfig { iops: 20_000, flush: Duration::from_micros(300), ..DiskConfig::default() }
}

pub(crate) fn boxed<M: Machine>(machine: M, setup: Setup) -> Box<dyn Drive> {
    Box::new(Process::new(machine, setup))
}

/// Adds a program that is started again when it ends by itself.
pub(crate) fn supervised(world: &mut World, host: HostId, program: ProgramConfig) {
    world.add_program(host, ProgramConfig { respawn: Some(RESPAWN), ..program });
}

/// Adds the witness.
pub(crate) fn add_court(world: &mut World, host: HostId) {
    let make = |setup| boxed(Witness::new(WitnessConfig::default()), setup);
    supervised(world, host, ProgramConfig::new("witness", make));
}

impl<H: Halves> Rig<H> {
    /// Takes over a world, at any time of its life, whose first hosts and programs are the halves
    /// and the witness.
    pub(crate) fn around(world: World, halves: H) -> Self {
        Self {
            world,
            hosts: [HostId(0), HostId(1)],
            witness: HostId(2),
            members: [ProcessId(0), ProcessId(1)],
            court: ProcessId(2),
            halves,
            last_active: None,
            failovers: 0,
        }
    }

    /// Whether a half would serve at this moment.
    pub(crate) fn serves(&mut self, index: usize) -> bool {
        self.world.is_running(self.members[index]) && H::serves(self, index)
    }

    pub(crate) fn active(&mut self) -> Option<usize> {
        (0..2).find(|&index| self.serves(index))
    }

    /// A counter of a half, or, behind them, of the witness.
    pub(crate) fn counter(&mut self, index: usize, name: &str) -> u64 {
        let mut found = 0;
        let process = [self.members[0], self.members[1], self.court][index];
        self.world.counters(process, &mut |each, value| {
            if each == name {
                found = value;
            }
        });
        found
    }

    /// Whether one half serves, the other has everything, and the witness knows it.
    pub(crate) fn is_whole(&mut self) -> bool {
        let Some(active) = self.active() else { return false };
        self.counter(WITNESS, "both_equal") == 1 && H::is_equal(self, active)
    }

    /// Runs on, looking every few milliseconds.
    pub(crate) fn run(&mut self, span: Duration) -> Result<(), String> {
        let until = self.world.now() + span;
        while self.world.now() < until {
            if let Ran::Broken(failure) = self.world.run_until(self.world.now() + H::STEP) {
                return Err(failure.to_string());
            }
            let serve = [self.serves(0), self.serves(1)];
            if serve == [true; 2] {
                return Err(format!("{}: both serve", self.world.now()));
            }
            if let Some(active) = serve.iter().position(|serves| *serves)
                && self.last_active != Some(active)
            {
                self.failovers += u64::from(self.last_active.is_some());
                self.last_active = Some(active);
            }
            if let Some(complaint) = H::complaint(self) {
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
            self.run(H::STEP * 5)?;
        }
        Ok(())
    }

    /// Everybody that troubles may be drawn for.
    pub(crate) fn victims(&self) -> Vec<(HostId, Vec<ProcessId>)> {
        let hosts = [self.hosts[0], self.hosts[1], self.witness];
        let processes = [self.members[0], self.members[1], self.court];
        hosts.into_iter().zip(processes.map(|process| vec![process])).collect()
    }

    /// Cuts both ways between two hosts.
    pub(crate) fn cut(&mut self, a: HostId, b: HostId) {
        self.world.apply(&Fault::Cut { from: a, to: b });
        self.world.apply(&Fault::Cut { from: b, to: a });
    }
}
