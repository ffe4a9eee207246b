//! Switching things on and off: processes, hosts, racks, paths, clocks, disks.

use super::World;
use crate::disk::{CrashPlan, Plan};
use crate::faults::{Fault, Span};
use crate::host::{HostId, Input, Power, ProcState, ProcessId, Waiting};
use crate::net::{Link, Phase};
use crate::streams;
use storytime_machine::buggify::Buggify;
use storytime_machine::{Rng, Setup, Signal};

impl World {
    /// Switches a host on: its programs marked `autostart` start, each in a new life.
    pub fn power_on(&mut self, host: HostId) {
        let this = &mut self.hosts[host.0 as usize];
        if this.power == Power::On {
            return;
        }
        this.power = Power::On;
        self.net.up[host.0 as usize] = true;
        for process in this.processes.clone() {
            let program = self.procs[process as usize].program;
            if self.programs[program as usize].autostart {
                self.start_process(process);
            }
        }
    }

    /// Takes a host's power: memory and the page cache are gone, peers hear nothing.
    pub fn power_cut(&mut self, host: HostId) {
        self.cut_power(host, None);
    }

    /// The same, with what survives on its disk chosen.
    pub fn power_cut_with(&mut self, host: HostId, plan: CrashPlan) {
        self.cut_power(host, Some(plan));
    }

    fn cut_power(&mut self, host: HostId, plan: Option<CrashPlan>) {
        let this = &mut self.hosts[host.0 as usize];
        if this.power == Power::Off {
            return;
        }
        this.power = Power::Off;
        this.datagrams.clear();
        if let Some(disk) = &mut this.disk {
            match plan {
                Some(plan) => disk.power_cut_with(self.now, &mut Plan::new(plan)),
                None => disk.power_cut(self.now),
            };
        }
        self.net.up[host.0 as usize] = false;
        self.net.forget_addresses(host.0);
        self.trace.note(self.now, "power-cut", u32::MAX, u64::from(host.0), 0);
        for process in this.processes.clone() {
            self.forget(process);
        }
        let hosts_ends = |world: &Self, end: usize| {
            let path = world.net.ends[end].path;
            path != u32::MAX && world.net.paths[path as usize].from == host.0
        };
        for index in 0..self.net.listeners.len() {
            let key_host = match self.net.listeners[index].key {
                crate::net::Key::Tcp { host, .. } | crate::net::Key::Unix { host, .. } => host,
            };
            if self.net.listeners[index].open && key_host == host.0 {
                self.net.close_listener(&mut self.queue, self.now, index as u32, false);
            }
        }
        for end in 0..self.net.ends.len() {
            let phase = self.net.ends[end].phase;
            if !matches!(phase, Phase::Free | Phase::Vanished) && hosts_ends(self, end) {
                self.net.vanish(&mut self.queue, self.now, end as u32);
            }
        }
    }

    /// Starts a process that is down, in a new life, if its host has power.
    pub fn start(&mut self, process: ProcessId) {
        let host = self.procs[process.0 as usize].host as usize;
        let down = self.procs[process.0 as usize].state == ProcState::Down;
        if down && self.hosts[host].power == Power::On {
            self.start_process(process.0);
        }
    }

    fn start_process(&mut self, process: u32) {
        let seed = self.config.seed;
        let proc = &mut self.procs[process as usize];
        proc.life += 1;
        let stream = u64::from(process) << 16 | u64::from(proc.life & 0xffff);
        let program = &mut self.programs[proc.program as usize];
        let setup = Setup {
            limits: program.limits,
            costs: program.costs,
            rng: Rng::new(seed, streams::PROCESSES + stream),
            buggify: self.config.buggify.map(|(active, fire)| {
                Buggify::new(Rng::new(seed, streams::BUGGIFY + stream), active, fire)
            }),
            marks: true,
        };
        proc.drive = Some((program.factory)(setup));
        (proc.state, proc.exit) = (ProcState::Running, None);
        self.input(process, Input::Start);
    }

    /// Asks a process to end (SIGTERM).
    pub fn stop(&mut self, process: ProcessId) {
        if self.procs[process.0 as usize].state != ProcState::Down {
            self.input(process.0, Input::Stop);
        }
    }

    /// Sends a process another signal.
    pub fn signal(&mut self, process: ProcessId, signal: Signal) {
        if self.procs[process.0 as usize].state != ProcState::Down {
            self.input(process.0, Input::Signal(signal));
        }
    }

    /// Kills a process (SIGKILL): its host's kernel closes its connections and listeners.
    pub fn kill(&mut self, process: ProcessId) {
        if self.procs[process.0 as usize].state != ProcState::Down {
            self.trace.note(self.now, "kill", process.0, 0, 0);
            self.end_process(process.0, true);
            self.respawn(process.0);
        }
    }

    /// A process ended that its supervisor does not want down: it will start again, unless
    /// somebody was faster, or its host has no power then.
    pub(super) fn respawn(&mut self, process: u32) {
        let program = self.procs[process as usize].program;
        if let Some(after) = self.programs[program as usize].respawn {
            self.schedule(self.now + after, Fault::Start(ProcessId(process)));
        }
    }

    /// Stops a process's steps (SIGSTOP). The kernel below it goes on, and a step that has begun is
    /// finished.
    pub fn freeze(&mut self, process: ProcessId) {
        let proc = &mut self.procs[process.0 as usize];
        if proc.state == ProcState::Running {
            proc.state = ProcState::Frozen;
        }
    }

    /// Lets a frozen process go on.
    pub fn thaw(&mut self, process: ProcessId) {
        let proc = &mut self.procs[process.0 as usize];
        if proc.state == ProcState::Frozen {
            proc.state = ProcState::Running;
            let (core, life) = (proc.core, proc.life);
            let parked =
                proc.parked.drain(..).map(|input| Waiting { process: process.0, life, input });
            self.cores[core as usize].ready.extend(parked);
            self.run_core(core);
        }
    }

    /// Ends a process whose host lives on. An exited machine stays readable until the next start; a
    /// killed one too.
    pub(super) fn end_process(&mut self, process: u32, killed: bool) {
        self.bury(process);
        let proc = &mut self.procs[process as usize];
        let (host, core) = (proc.host as usize, proc.core);
        let ends = core::mem::take(&mut proc.ends);
        let connecting = core::mem::take(&mut proc.connecting);
        let listeners = core::mem::take(&mut proc.listeners);
        proc.sockets.clear();
        for end in ends.into_iter().chain(connecting) {
            self.kernel_closes(process, end);
        }
        self.hosts[host].datagrams.retain(|_, (owner, _)| *owner != process);
        if let Some(disk) = &mut self.hosts[host].disk {
            disk.process_died(self.now, process);
        }
        for listener in listeners.into_values() {
            self.leave(process, listener);
        }
        if killed && self.cores[core as usize].busy == Some(process) {
            // Output of a step whose time has not passed dies with the process.
            self.cores[core as usize].stop(self.now);
            self.run_core(core);
        }
    }

    /// Ends a process's life: nothing that was meant for it reaches the next.
    fn bury(&mut self, process: u32) {
        let proc = &mut self.procs[process as usize];
        proc.state = ProcState::Down;
        proc.life += 1;
        proc.incarnation += 1;
        proc.alarms.clear();
        for input in core::mem::take(&mut proc.parked) {
            self.drop_input(&input);
        }
    }

    /// A process leaves a listener; another that shares it may take what was offered to the first.
    pub(super) fn leave(&mut self, process: u32, listener: u32) {
        self.net.unlisten(&mut self.queue, self.now, process, listener);
        self.acceptable(listener);
    }

    /// A dead process's connection, or connect under way: output that the process still held is
    /// lost; FIN, or RST if input was left unread.
    fn kernel_closes(&mut self, process: u32, end: u32) {
        if end == u32::MAX {
            return;
        }
        let this = &self.net.ends[end as usize];
        if this.owner.process != process || !matches!(this.phase, Phase::Open | Phase::AwaitSynAck)
        {
            return;
        }
        if this.phase == Phase::AwaitSynAck {
            // An answer that comes now is answered by a reset.
        } else if this.arrived > 0 {
            self.net.send_rst(&mut self.queue, self.now, end);
        } else if !this.fin_sent {
            self.net.send_fin(&mut self.queue, self.now, end);
        }
        self.net.release(end, Phase::Free);
    }

    /// Forgets a process with its host's power.
    fn forget(&mut self, process: u32) {
        if self.procs[process as usize].state != ProcState::Down {
            self.bury(process);
        }
        let proc = &mut self.procs[process as usize];
        proc.ends.clear();
        proc.connecting.clear();
        proc.listeners.clear();
        proc.sockets.clear();
        let core = &mut self.cores[proc.core as usize];
        core.stop(self.now);
        for waiting in core::mem::take(&mut core.ready) {
            self.drop_input(&waiting.input);
        }
    }

    /// Applies a fault now.
    pub fn apply(&mut self, fault: &Fault) {
        match fault {
            Fault::PowerCut(host) => self.power_cut(*host),
            Fault::PowerOn(host) => self.power_on(*host),
            Fault::RackPower { rack, on } => self.rack_power(*rack, *on),
            Fault::Start(process) => self.start(*process),
            Fault::Stop(process) => self.stop(*process),
            Fault::Kill(process) => self.kill(*process),
            Fault::Freeze(process) => self.freeze(*process),
            Fault::Thaw(process) => self.thaw(*process),
            Fault::Cut { from, to } => self.block(*from, *to, true),
            Fault::Mend { from, to } => self.block(*from, *to, false),
            Fault::Clog { from, to, span } => self.clog(*from, *to, *span),
            Fault::Link { a, b, link } => self.link(*a, *b, *link),
            Fault::StepClock { host, by, back } => {
                self.hosts[host.0 as usize].clock.step(*by, *back);
            }
            Fault::NamesDown(down) => self.names_down = *down,
            Fault::StallDisk { host, span } => {
                let until = self.now + *span;
                if let Some(disk) = &mut self.hosts[host.0 as usize].disk {
                    disk.stall_until(until);
                }
            }
            Fault::Disk { host, config } => {
                if let Some(disk) = &mut self.hosts[host.0 as usize].disk {
                    disk.set_config(config.clone());
                }
            }
            Fault::HealAll => self.heal_all(),
        }
    }

    fn rack_power(&mut self, rack: u32, on: bool) {
        for index in 0..self.hosts.len() as u32 {
            if self.hosts[index as usize].rack == rack {
                if on { self.power_on(HostId(index)) } else { self.power_cut(HostId(index)) }
            }
        }
    }

    fn block(&mut self, from: HostId, to: HostId, blocked: bool) {
        let path = self.net.path(from.0, to.0);
        self.net.paths[path as usize].blocked = blocked;
    }

    fn clog(&mut self, from: HostId, to: HostId, span: Span) {
        let until = self.now + span;
        let path = self.net.path(from.0, to.0);
        let clogged = &mut self.net.paths[path as usize].clogged_until;
        *clogged = until.max(*clogged);
    }

    /// Mends every path, switches every host on, starts every autostart process, thaws all.
    /// Properties of links and disks that were changed stay.
    fn heal_all(&mut self) {
        for path in &mut self.net.paths {
            path.blocked = false;
            path.clogged_until = self.now;
        }
        self.names_down = false;
        for host in 0..self.hosts.len() as u32 {
            self.power_on(HostId(host));
        }
        for process in 0..self.procs.len() as u32 {
            self.thaw(ProcessId(process));
            let program = self.procs[process as usize].program;
            let exited = self.procs[process as usize].exit.is_some();
            if self.programs[program as usize].autostart && !exited {
                self.start(ProcessId(process));
            }
        }
    }

    /// Properties of links that have none of their own, from now on.
    pub fn set_default_link(&mut self, link: Link) {
        self.net.default_link = link;
    }
}
