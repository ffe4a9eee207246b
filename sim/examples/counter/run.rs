//! The world around the counter, and what must hold at the end of a run.

use crate::machine::{Client, Counter, PORT};
use storytime_machine::{Endpoint, Process, Time};
use storytime_sim::disk::{DiskConfig, Profile};
use storytime_sim::{Config, HostConfig, Outcome, ProcessId, ProgramConfig, World};

const CLIENTS: u64 = 3;
const INCREMENTS: u64 = 5;
/// Long enough for every client to finish.
pub(crate) const END: Time = Time(300_000_000_000);

/// One counter, three clients.
pub(crate) fn world(seed: u64, fixed: bool) -> (World, Vec<ProcessId>) {
    let mut world = World::new(Config::new(seed));
    let disk = Some(DiskConfig::new(Profile::Posix));
    let server = world.add_host(HostConfig { disk, ..HostConfig::new("counter") });
    let counter = move |setup| Box::new(Process::new(Counter::new(fixed), setup)) as _;
    world.add_program(server, ProgramConfig::new("counter", counter));
    world.power_on(server);
    let to = Endpoint::tcp(world.ip(server), PORT);
    let mut clients = Vec::new();
    for n in 0..CLIENTS {
        let host = world.add_host(HostConfig::new(format!("client{n}")));
        let to = to.clone();
        let client = move |setup| {
            let server = to.clone();
            let client = Client { server, left: INCREMENTS, answers: 0, greatest: 0, conn: None };
            Box::new(Process::new(client, setup)) as _
        };
        clients.extend(world.add_program(host, ProgramConfig::new("client", client)));
        world.power_on(host);
    }
    (world, clients)
}

/// Runs a seed. What must hold: as many increments counted as answered.
pub(crate) fn run(seed: u64, fixed: bool) -> Outcome {
    let (mut world, clients) = world(seed, fixed);
    world.run_until(END);
    let (mut answers, mut greatest) = (0, 0);
    for client in clients {
        let machine = world.machine::<Client>(client).expect("it runs a client");
        answers += machine.answers;
        greatest = greatest.max(machine.greatest);
    }
    let result = if answers != CLIENTS * INCREMENTS {
        Err(format!("only {answers} of {} increments were answered", CLIENTS * INCREMENTS))
    } else if greatest != answers {
        Err(format!("lost update: {answers} increments answered, the counter says {greatest}"))
    } else {
        Ok(())
    };
    let (digest, events) = (world.digest(), world.events());
    Outcome { seed, digest, events, drawn: String::new(), result }
}
