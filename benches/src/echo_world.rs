//! Echo over TCP in a simulated world: hosts that call, one that answers.
//!
//! Everything that the simulator models is compiled in and asked at every event (loss, cuts,
//! partitions, windows, cores, clocks, memory, invariants, trace and digest); nothing bad is drawn.

use crate::echo::{Callers, Echo, PORT, SIM_MESSAGE_BYTES};
use storytime_machine::{Endpoint, Process};
use storytime_sim::{Config, HostConfig, Link, ProcessId, ProgramConfig, Ran, World};

/// What runs in the world.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Hosts that call, with one process each.
    pub hosts: u64,
    /// Connections of each of them.
    pub conns: u64,
    /// Bytes of a message.
    pub message_bytes: usize,
    /// Between any two hosts.
    pub link: Link,
}

impl Shape {
    /// All connections from one host in the same rack.
    pub const fn from_one_host(conns: u64) -> Self {
        Self { hosts: 1, conns, message_bytes: SIM_MESSAGE_BYTES, link: Link::RACK }
    }
}

/// A world in which connections echo.
pub struct EchoWorld {
    world: World,
    callers: Vec<ProcessId>,
    conns: u64,
}

impl EchoWorld {
    /// A world of that shape. Handshakes are still to come.
    pub fn new(shape: Shape) -> Self {
        let Shape { hosts, conns, message_bytes, link } = shape;
        let mut world = World::new(Config { link, ..Config::new(1) });
        let server = world.add_host(HostConfig::new("server"));
        let echo = move |setup| {
            let machine = Echo::new(Endpoint::any(PORT), message_bytes, |_| ());
            Box::new(Process::new(machine, setup)) as _
        };
        world.add_program(server, ProgramConfig::new("echo", echo));
        world.power_on(server);
        let to = Endpoint::tcp(world.ip(server), PORT);
        let mut callers = Vec::new();
        for host in 0..hosts {
            let host = world.add_host(HostConfig::new(format!("caller-{host}")));
            let to = to.clone();
            let program = move |setup| {
                let machine = Callers::new(to.clone(), conns, message_bytes);
                Box::new(Process::new(machine, setup)) as _
            };
            callers.extend(world.add_program(host, ProgramConfig::new("callers", program)));
            world.power_on(host);
        }
        Self { world, callers, conns: hosts * conns }
    }

    /// Runs until every connection has had a few dozen messages, and the trace's ring has gone
    /// round: everything has its size then.
    pub fn warm_up(&mut self) {
        self.run_messages((self.conns * 50).max(10_000));
    }

    /// Runs `events` further trace events.
    pub fn run(&mut self, events: u64) {
        let until = self.world.events() + events;
        assert_eq!(self.world.run_events(until), Ran::Reached, "an echo has no end");
    }

    /// Runs until at least `messages` further messages have come back.
    pub fn run_messages(&mut self, messages: u64) {
        let until = self.answered() + messages;
        while self.answered() < until {
            let left = until - self.answered();
            self.run(left * 2);
        }
    }

    /// Messages that have come back.
    pub fn answered(&mut self) -> u64 {
        let mut sum = 0;
        for &process in &self.callers {
            let callers = self.world.machine::<Callers>(process);
            sum += callers.expect("the callers run for ever").answered;
        }
        sum
    }
}
