//! Several clients, one server of two workers, a bad network: what every client saw of a key must
//! fit one order of all that was asked about it.
//!
//! Requests whose reply was lost may have taken effect or not, at any time after they were made.
//! The server's host stays up: a cache that starts anew has lost everything, and is allowed to.

mod client;
mod lossy;
mod model;

use client::{Asker, History};
use core::time::Duration;
use lossy::Lossy;
use model::{Answer, Ask, Key, What};
use std::sync::Arc;
use storytime_machine::{Machine, Process, Ratio, Time};
use storytime_memcached::{Config, Server, Shared};
use storytime_sim::check::linear::{Operation, Search, Verdict, by_key};
use storytime_sim::faults::{Fault, FaultPlan, Menu};
use storytime_sim::{HostConfig, HostId, Link, ProgramConfig, Ran, World};

const CLIENTS: usize = 4;
const WORKERS: u32 = 2;
const PORT: u16 = 11211;
const SEEDS: u64 = 100;
/// How long the network is bad.
const SAFETY: Duration = Duration::from_secs(6);
/// How long a run takes, at most.
const END: Duration = Duration::from_secs(30);

/// Slow, lossy, and bursts arrive in pieces.
const BAD: Link = Link {
    latency_min: Duration::from_micros(50),
    latency_max: Duration::from_millis(30),
    loss: Ratio::new(1, 50),
    cut: Ratio::new(1, 3),
    ..Link::RACK
};

fn add_server<M: Machine>(world: &mut World, wrap: fn(Server) -> M) -> HostId {
    let host = world.add_host(HostConfig::new("cache"));
    let words = ["-t", "2", "-m", "64"];
    let config = Config::from_words(&words).expect("a good command line");
    let shared = Arc::new(Shared::new(&config));
    let limits = config.limits();
    let factory = move |setup| {
        let server = Server::new(config.clone(), Arc::clone(&shared));
        Box::new(Process::new(wrap(server), setup)) as _
    };
    let program =
        ProgramConfig { workers: WORKERS, limits, ..ProgramConfig::new("memcached", factory) };
    world.add_program(host, program);
    world.power_on(host);
    host
}

/// What a plan may not do: end the server.
fn ends(host: HostId, world: &World, fault: &Fault) -> bool {
    match fault {
        Fault::PowerCut(at) => *at == host,
        Fault::Kill(process) => world.processes(host).contains(process),
        _ => false,
    }
}

/// All that the clients of one run asked, and what they heard.
fn history<M: Machine>(seed: u64, wrap: fn(Server) -> M) -> Vec<Operation<Ask, Answer>> {
    let mut world =
        World::new(storytime_sim::Config { link: BAD, ..storytime_sim::Config::new(seed) });
    let cache = add_server(&mut world, wrap);
    let ip = world.ip(cache);
    let history = History::default();
    let mut hosts = vec![(cache, world.processes(cache))];
    for n in 0..CLIENTS {
        let host = world.add_host(HostConfig::new(format!("client{n}")));
        let history = Arc::clone(&history);
        let factory = move |setup| {
            Box::new(Process::new(Asker::new(ip, PORT, Arc::clone(&history)), setup)) as _
        };
        let processes = world.add_program(host, ProgramConfig::new("asker", factory));
        world.power_on(host);
        hosts.push((host, processes));
    }
    let window = (Duration::from_millis(50), Duration::from_millis(900));
    let gap = Duration::from_millis(300);
    let plan = FaultPlan::draw(seed, &Menu { hosts, budget: 2, safety: SAFETY, gap, window });
    for (at, fault) in plan.faults() {
        if !ends(cache, &world, fault) {
            world.schedule(*at, fault.clone());
        }
    }
    let ran = world.run_until(Time::ZERO + END);
    assert!(!matches!(ran, Ran::Broken(_)), "seed {seed}, {plan}: {ran:?}");
    let history = history.lock().expect("no machine panics").clone();
    let last = client::last_answer(&history).expect("some requests are answered");
    assert!(last < Time::ZERO + END, "seed {seed}: the clients come to their end");
    history
}

/// The first key whose history fits no order, with that history.
fn broken(history: &[Operation<Ask, Answer>]) -> Option<(usize, String)> {
    let histories = by_key(history.iter().cloned(), |ask| ask.key);
    histories.into_iter().find_map(|(key, history)| match Search::default().check(&Key, &history) {
        Verdict::Linearizable(_) => None,
        Verdict::Undecided => Some((key, "the search found no end".into())),
        Verdict::Broken(best) => {
            let rest = (0..history.len()).filter(|at| !best.contains(at));
            let line = |at: usize| format!("  {:?}\n", history[at]);
            let (best, rest): (String, String) =
                (best.iter().map(|&at| line(at)).collect(), rest.map(line).collect());
            Some((key, format!("in order:\n{best}does not fit:\n{rest}")))
        }
    })
}

#[test]
fn what_clients_see_of_a_key_fits_one_order_of_requests() {
    let (mut unknown, mut swapped, mut refused, mut overlapping) = (0, 0, 0, 0);
    for seed in 0..SEEDS {
        let history = history(seed, |server| server);
        if let Some((key, why)) = broken(&history) {
            panic!("seed {seed}, key {key}:\n{why}");
        }
        unknown += history.iter().filter(|operation| operation.done.is_none()).count();
        for (at, operation) in history.iter().enumerate() {
            let Some((time, answer)) = &operation.done else { continue };
            if let What::Cas(..) = operation.input.what {
                swapped += usize::from(*answer == Answer::Done);
                refused += usize::from(*answer == Answer::Exists);
            }
            let later = history[at + 1..].iter();
            let mut same_key = later.filter(|other| other.input.key == operation.input.key);
            overlapping += usize::from(same_key.any(|other| other.call < *time));
        }
    }
    // Otherwise nothing would have been tried.
    assert!(unknown > 100, "{unknown} requests have an unknown outcome");
    assert!(swapped > 300 && refused > 300, "{swapped} swaps done, {refused} refused");
    assert!(overlapping > 1000, "{overlapping} requests overlap with a later one on their key");
}

#[test]
fn a_server_that_loses_an_update_is_found_out() {
    let found = (0..8).filter_map(|seed| broken(&history(seed, Lossy::new))).count();
    assert!(found >= 6, "found in {found} of 8 runs");
}
