//! The same run again and again, each time with the server, a cable or the power failing at another
//! event: every request ends once, and no job is lost silently.

use crate::asker::{Ask, What, job};
use crate::toy::Toy;
use crate::worker::can;
use crate::{Bench, text};
use storytime_gearman::client::{ClientOptions, Job, Unique};
use storytime_gearman::config::Config as Gearman;
use storytime_gearman::server::Gearmand;
use storytime_gearman::worker::{Dialect, WorkerOptions};
use storytime_machine::Ratio;
use storytime_sim::{Config, Fault, Link};

/// When requests begin.
const BEGIN_MS: u64 = 2000;

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
    // Once a disk has been read.
    script.iter_mut().for_each(|(at, _)| *at += BEGIN_MS);
    // Behind the trouble.
    script.push(job(45_000, "echo", "c"));
    script.push(job(45_000, "work", "1"));
    script
}

/// Who serves.
#[derive(Clone, Copy, Debug)]
enum Server {
    /// The little one.
    Toy,
    /// The real one, with its jobs in memory.
    Memory(Dialect),
    /// The real one, with its background jobs on a disk.
    Durable,
}

fn bench(server: Server) -> Bench {
    let (dialect, queue_dir) = match server {
        Server::Toy => (Dialect::Gearmand, None),
        Server::Memory(dialect) => (dialect, None),
        Server::Durable => (Dialect::Gearmand, Some("queue".to_owned())),
    };
    let config = Gearman { dialect, queue_dir, packet_bytes_max: 1 << 20, ..Gearman::default() };
    let real = move || Gearmand::new(config.clone());
    let bench = match server {
        Server::Toy => Bench::with(cut_config(7), 1, Toy::default),
        Server::Memory(_) | Server::Durable => Bench::with(cut_config(7), 1, real),
    };
    let functions = ["work", "parts", "echo", "slow", "big"];
    let options = WorkerOptions { jobs_max: 2, dialect, ..can(&functions) };
    bench.ask(ClientOptions::default(), script()).work(options)
}

/// Fails the server at every event until the run is quiet. How many requests were lost.
fn fail_everywhere(server: Server) -> usize {
    let mut whole = bench(server);
    whole.run_ms(BEGIN_MS + 50);
    let events = whole.world.events();
    whole.run(50);
    let requests = script().len();
    assert_eq!(whole.asker().ends(), requests);
    assert!(events > 60, "the run has {events} events before it is quiet");
    let mut lost = 0;
    for failure in [Failure::Kill, Failure::Power, Failure::Cable] {
        for at in 0..events {
            let at_what = format!("{server:?}, {failure:?} at {at}");
            let mut bench = bench(server);
            bench.world.run_events(at);
            fail(&mut bench, failure);
            bench.run(60);
            let asker = bench.asker();
            assert_eq!(asker.ends(), requests, "{at_what}");
            let endings = asker.endings(0..requests as u64);
            lost += endings.iter().filter(|end| end.starts_with("lost")).count();
            assert_eq!(endings[10..], ["complete c", "complete 1"], "{at_what}");
            let accepted = endings[3] == "accepted";
            let doer = bench.doer(0);
            assert_eq!(doer.begun.len() as u64, doer.done, "{at_what}");
            let lives_on = matches!((server, failure), (Server::Durable, _) | (_, Failure::Cable));
            let done = doer.finished.iter().any(|data| data == "2");
            assert!(done || !accepted || !lives_on, "{at_what}: an accepted job is done");
            let counters = bench.worker(0).counters();
            let ended = counters.completed + counters.failed + counters.jobs_gone;
            assert_eq!(counters.jobs, ended, "{at_what}: no job is lost silently");
        }
    }
    lost
}

#[test]
fn wherever_the_little_server_fails_every_request_ends_once_and_the_next_ones_are_done() {
    assert!(fail_everywhere(Server::Toy) > 0, "some requests were under way");
}

#[test]
fn wherever_a_server_fails_every_request_ends_once_and_the_next_ones_are_done() {
    for dialect in [Dialect::Gearmand, Dialect::Danga] {
        assert!(fail_everywhere(Server::Memory(dialect)) > 0, "some requests were under way");
    }
}

#[test]
fn wherever_a_server_with_a_disk_fails_no_accepted_job_is_lost() {
    assert!(fail_everywhere(Server::Durable) > 0, "some requests were under way");
}
