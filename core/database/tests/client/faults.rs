//! Many seeds of loss, cuts, kills and power cuts.

use crate::app::{App, Ask, ask};
use crate::toy::{Happened, Toy};
use crate::{Bench, bench};
use core::time::Duration;
use storytime_database::Reply;
use storytime_database::client::{ClientOptions, Failure, Keep};
use storytime_machine::Ratio;
use storytime_sim::faults::{FaultPlan, Menu};
use storytime_sim::{Config, Link};

const SEEDS: u64 = 100;
const ASKS: u64 = 600;
const SECONDS: u64 = 30;

/// How often each kind of outcome was seen.
#[derive(Debug, Default)]
struct Seen {
    replies: u64,
    not_sent: u64,
    unknown: u64,
    happened_unknown: u64,
}

fn storm(seed: u64, keep: Keep, seen: &mut Seen) {
    let happened = Happened::default();
    let link = Link {
        loss: Ratio::new(1, 50),
        cut: Ratio::new(1, 3),
        latency_max: Duration::from_millis(4),
        ..Link::RACK
    };
    let config = Config { link, ..Config::new(seed) };
    let client = move || App::client(ClientOptions { keep, ..ClientOptions::default() });
    let on_server = happened.clone();
    let toy = move || Toy::new(on_server.clone());
    let every = |n: u64| -> Ask { ask(n * SECONDS * 1000 / ASKS, &format!("MARK {n}")) };
    let mut bench: Bench = bench(config, client, toy, &[0], (0..ASKS).map(every).collect());
    let hosts: Vec<_> = bench.world.hosts().collect();
    // The application lives throughout; the paths to it do not.
    let hosts = vec![(hosts[0], bench.world.processes(hosts[0])), (hosts[1], Vec::new())];
    let window = (Duration::from_millis(50), Duration::from_secs(4));
    let gap = Duration::from_secs(2);
    let menu = Menu { hosts, budget: 1, safety: Duration::from_secs(SECONDS), gap, window };
    let plan = FaultPlan::draw(seed, &menu);
    for (at, fault) in plan.faults() {
        let app_power = matches!(fault, storytime_sim::Fault::PowerCut(h) if h.0 == 1);
        if !app_power {
            bench.world.schedule(*at, fault.clone());
        }
    }
    bench.run(SECONDS + 10);
    let happened = happened.lock().expect("one thread");
    let app = bench.app();
    assert_eq!(app.ended.len() as u64, ASKS, "every request ends");
    for (tag, (outcome, _)) in &app.ended {
        let did = happened.contains(tag);
        match outcome {
            Ok(Reply::Integer(n)) => {
                assert!(did && *n == *tag as i64, "{tag} was answered with {n}");
                seen.replies += 1;
            }
            Ok(other) => panic!("{tag} was answered with {other:?}"),
            Err(Failure::NotSent) => {
                assert!(!did, "{tag} was not sent, and happened");
                seen.not_sent += 1;
            }
            Err(Failure::Unknown) => {
                seen.unknown += 1;
                seen.happened_unknown += u64::from(did);
            }
            Err(Failure::Garbled | Failure::TooLong) => panic!("{tag}: it says what it was asked"),
        }
    }
}

#[test]
fn through_loss_cuts_and_kills_every_request_ends_once_and_truly() {
    for keep in [Keep::Pooled(1), Keep::Pooled(3), Keep::Exclusive(3), Keep::PerRequest] {
        let mut seen = Seen::default();
        for seed in 0..SEEDS {
            storm(seed, keep, &mut seen);
        }
        let lost = seen.unknown - seen.happened_unknown;
        assert!(seen.replies > 4 * seen.unknown, "{keep:?}: {seen:?}");
        assert!(seen.not_sent > 0 && seen.happened_unknown > 0 && lost > 0, "{keep:?}: {seen:?}");
    }
}
