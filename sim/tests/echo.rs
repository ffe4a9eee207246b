//! Echo over TCP: the smallest whole run, and what faults do to it.

mod common;

use common::{Client, EchoServer, echo_world};
use storytime_machine::{Duration, Ratio, Time};
use storytime_sim::{Config, Fault, Link, Ran};

#[test]
fn clients_get_back_what_they_sent() {
    let (mut world, clients) = echo_world(Config::new(1), 10, 100);
    assert!(!matches!(world.run_until(Time(10_000_000_000)), Ran::Broken(_)));
    for client in clients {
        let machine = world.machine::<Client>(client).expect("it is a client");
        assert_eq!(machine.answered, 100);
    }
}

#[test]
fn the_same_seed_gives_the_same_digest_and_another_seed_another() {
    let digest = |seed| {
        let (mut world, _) = echo_world(Config::new(seed), 5, 50);
        world.run_until(Time(10_000_000_000));
        (world.digest(), world.events())
    };
    assert_eq!(digest(1), digest(1));
    assert_ne!(digest(1).0, digest(2).0);
}

#[test]
fn cuts_and_losses_change_the_times_but_not_the_bytes() {
    let link = Link { cut: Ratio::new(1, 2), loss: Ratio::new(1, 20), ..Link::RACK };
    let (mut world, clients) = echo_world(Config { link, ..Config::new(3) }, 5, 100);
    assert!(!matches!(world.run_until(Time(60_000_000_000)), Ran::Broken(_)));
    for client in clients {
        assert_eq!(world.machine::<Client>(client).map(|c| c.answered), Some(100));
    }
}

#[test]
fn a_killed_server_ends_connections_and_a_power_cut_leaves_them_half_open() {
    for power in [false, true] {
        let (mut world, clients) = echo_world(Config::new(1), 3, u64::MAX);
        world.run_until(Time(1_000_000_000));
        let server = world.host("server").expect("it was added");
        let process = world.processes(server)[0];
        assert!(world.machine::<EchoServer>(process).is_some());
        let fault = if power { Fault::PowerCut(server) } else { Fault::Kill(process) };
        world.apply(&fault);
        world.run_until(Time(3_000_000_000));
        for &client in &clients {
            let gone = world.machine::<Client>(client).map(|c| c.gone);
            assert_eq!(gone, Some(!power), "power cut: {power}");
        }
        // Retransmission gives up in the end, or the rebooted kernel resets.
        world.run_until(Time::ZERO + Duration::from_secs(300));
        for &client in &clients {
            assert_eq!(world.machine::<Client>(client).map(|c| c.gone), Some(true));
        }
    }
}
