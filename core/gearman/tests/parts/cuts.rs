//! The same run again and again, each time with the server, a cable or the power failing at another
//! event: every request ends once, and no job is lost silently.

use crate::asker::{Ask, What, job};
use crate::toy::Toy;
use crate::worker::can;
use crate::{Bench, text};
use storytime_gearman::client::{ClientOptions, Job, Unique};
use storytime_gearman::worker::WorkerOptions;
use storytime_machine::Ratio;
use storytime_sim::{Config, Fault, Link};

/// What fails.
#[derive(Clone, Copy, Debug)]
enum Failure {
    Kill,
    Power,
    Cable,
}

fn cut_config(seed: u64) -> Config {
    let link = Link { cut: Ratio::new(1, 2), ..Link::RACK };
    Config { link, ..Config::new(seed) }
}

/// Breaks the server and mends it a second later.
fn fail(bench: &mut Bench, failure: Failure) {
    let (server, host) = (bench.servers[0], bench.host_of(0));
    let others: Vec<_> = bench.world.hosts().filter(|other| *other != host).collect();
    let at = bench.world.now();
    let back = at + core::time::Duration::from_secs(1);
    match failure {
        Failure::Kill => {
            bench.world.kill(server);
            bench.world.schedule(back, Fault::Start(server));
        }
        Failure::Power => {
            bench.world.power_cut(host);
            bench.world.schedule(back, Fault::PowerOn(host));
        }
        Failure::Cable => {
            for other in others {
                for (from, to) in [(host, other), (other, host)] {
                    bench.world.apply(&Fault::Cut { from, to });
                    bench.world.schedule(back, Fault::Mend { from, to });
                }
            }
        }
    }
}

fn script() -> Vec<Ask> {
    let same = || Job::new("work", "1").unique(Unique::Key(text("k")));
    let mut script = vec![
        job(0, "parts", ""),
        (0, What::Submit(same())),
        (0, What::Submit(same())),
        (0, What::Submit(Job::new("work", "2").background())),
        job(1, "echo", "a"),
        job(1, "slow", "3"),
        (2, What::Echo(0, "b")),
        (2, What::StatusUnique("k")),
        job(3, "big", "3000"),
        job(4, "work", "5"),
    ];
    // Behind the trouble.
    script.push(job(45_000, "echo", "c"));
    script.push(job(45_000, "work", "1"));
    script
}

fn bench() -> Bench {
    let options = WorkerOptions { jobs_max: 2, ..can(&["work"]) };
    let bench = Bench::with(cut_config(7), 1, Toy::default);
    bench.ask(ClientOptions::default(), script()).work(options)
}

#[test]
fn wherever_a_server_fails_every_request_ends_once_and_the_next_ones_are_done() {
    let mut whole = bench();
    whole.run_ms(50);
    let events = whole.world.events();
    whole.run(50);
    let requests = script().len();
    assert_eq!(whole.asker().ends(), requests);
    assert!(events > 60, "the run has {events} events before it is quiet");
    let mut lost = 0;
    for failure in [Failure::Kill, Failure::Power, Failure::Cable] {
        for at in 0..events {
            let mut bench = bench();
            bench.world.run_events(at);
            fail(&mut bench, failure);
            bench.run(60);
            let asker = bench.asker();
            assert_eq!(asker.ends(), requests, "{failure:?} at {at}");
            let endings = asker.endings(0..requests as u64);
            lost += endings.iter().filter(|end| end.starts_with("lost")).count();
            assert_eq!(endings[10..], ["complete c", "complete 1"], "{failure:?} at {at}");
            let doer = bench.doer(0);
            assert_eq!(doer.begun.len() as u64, doer.done, "{failure:?} at {at}");
            let counters = doer.worker.counters();
            let ended = counters.completed + counters.failed + counters.jobs_gone;
            assert_eq!(counters.jobs, ended, "{failure:?} at {at}: no job is lost silently");
        }
    }
    assert!(lost > 0, "some requests were under way");
}
