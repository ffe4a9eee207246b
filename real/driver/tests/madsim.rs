//! The conformance suite on madsim, over many seeds: other interleavings of the same tasks.
//!
//! `RUSTFLAGS="--cfg madsim" cargo test -p storytime-real --target-dir target/madsim`; everything
//! is built anew for it, hence the directory.

#![cfg(madsim)]

use madsim::runtime::{NodeHandle, Runtime};
use std::collections::BTreeMap;
use storytime_conformance::{Ability, Actor, Arm, Ending, Scene, play_all};
use storytime_machine::{Duration, IpAddr, Ipv4Addr};
use storytime_real::{Host, prepare};

/// Seeds of one run of the test, unless `STORYTIME_MADSIM_SEEDS` says otherwise.
const SEEDS: u64 = 200;

struct Madsim {
    seed: u64,
}

impl Arm for Madsim {
    fn name(&self) -> &'static str {
        "madsim"
    }

    fn can(&self, ability: Ability) -> bool {
        match ability {
            Ability::Disk | Ability::Datagrams | Ability::Resets | Ability::HalfClose => true,
            Ability::UnixSockets
            | Ability::Tls
            | Ability::Windows
            | Ability::ListenQueue
            | Ability::Addresses
            | Ability::Unreachable => false,
        }
    }

    fn ip(&self, host: u8) -> IpAddr {
        Ipv4Addr::new(10, 0, 77, host + 1).into()
    }

    fn nowhere(&self) -> IpAddr {
        Ipv4Addr::new(10, 0, 99, 1).into()
    }

    /// Each scene in a thread of its own: a second runtime in one thread would not repeat its seed.
    fn play(&mut self, scene: Scene) -> Vec<Ending> {
        let seed = self.seed;
        let body = move || {
            Runtime::with_seed_and_config(seed, Default::default()).block_on(perform(scene))
        };
        let played = std::thread::spawn(body).join();
        played.unwrap_or_else(|panic| {
            eprintln!("under madsim with seed {seed}");
            std::panic::resume_unwind(panic)
        })
    }
}

async fn perform(scene: Scene) -> Vec<Ending> {
    let runtime = madsim::runtime::Handle::current();
    let mut hosts: BTreeMap<IpAddr, NodeHandle> = BTreeMap::new();
    let mut stage = Vec::new();
    for Actor { name, ip, machine, limits, stop_after } in scene.cast {
        let make = || runtime.create_node().name(ip.to_string()).ip(ip).build();
        let node = hosts.entry(ip).or_insert_with(make);
        let mut host = Host::new(name);
        (host.ip, host.names, host.limits) = (Some(ip), scene.names.clone(), limits);
        host.check_invariants = true;
        let (control, process) = prepare(host, machine);
        if let Some(after) = stop_after {
            node.spawn(async move {
                madsim::time::sleep(after).await;
                control.stop();
            });
        }
        stage.push(node.spawn(process));
    }
    let limit = madsim::time::Instant::now() + scene.limit;
    let mut endings = Vec::new();
    for process in stage {
        let left = limit.saturating_duration_since(madsim::time::Instant::now());
        endings.push(
            match madsim::time::timeout(left.max(Duration::from_millis(1)), process).await {
                Ok(Ok(storytime_real::Ending::Exited(exit))) => Ending::Exited(exit),
                Ok(other) => panic!("nobody ended it: {other:?}"),
                Err(_) => Ending::StillRunning,
            },
        );
    }
    endings
}

#[test]
fn madsim_keeps_every_promise_it_can_under_many_seeds() {
    let asked = std::env::var("STORYTIME_MADSIM_SEEDS").ok();
    let seeds = asked.map_or(SEEDS, |n| n.parse().expect("a number of seeds"));
    for seed in 0..seeds {
        let played = play_all(&mut Madsim { seed });
        assert!(played.ran.len() > 10, "{:?}", played.ran);
        if seed == 0 {
            println!("ran {:?}\nskipped {:?}", played.ran, played.skipped);
        }
    }
}
