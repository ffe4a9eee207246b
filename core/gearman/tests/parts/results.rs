//! A job server that keeps results in memcached: who asks again waits for no worker, and a cache
//! that is away, slow or full of something else costs next to nothing.

use crate::asker::{Ask, What};
use crate::{Bench, text};
use core::time::Duration;
use storytime_gearman::client::{ClientOptions, Job, Unique};
use storytime_gearman::server::{Gearmand, WAIT_MAX};
use storytime_gearman::worker::WorkerOptions;
use storytime_gearman::{Command, Config};
use storytime_machine::Machine;
use storytime_memcached::{Config as CacheConfig, Server};
use storytime_sim::{Config as WorldConfig, HostId, ProcessId};

/// How long a worker takes for a job, milliseconds.
const WORK_MS: u64 = 200;

fn config(line: &str) -> Config {
    let words: Vec<&str> = line.split_whitespace().collect();
    match Command::from_words(&words) {
        Ok(Command::Serve(config)) => *config,
        other => panic!("{line}: {other:?}"),
    }
}

/// An application, a job server, a worker and, perhaps, a memcached.
struct Kitchen {
    bench: Bench,
    cache: Option<(HostId, ProcessId)>,
}

impl Kitchen {
    fn new(line: &'static str, cache: bool, script: Vec<Ask>) -> Self {
        let config = config(line);
        let server = move || Gearmand::new(config.clone());
        // Names are there before who looks them up.
        let mut bench = Bench::with(WorldConfig::new(5), 0, server.clone());
        let memcached = || Server::alone(CacheConfig::from_words(&["-t", "1"]).expect("words"));
        let cache = cache.then(|| bench.add("cache", memcached));
        let (host, process) = bench.add("server", server);
        bench.ips.push(bench.world.ip(host));
        bench.servers.push(process);
        let functions = ["work", "stream", "fail", "grow"].map(|name| (text(name), None));
        let options = WorkerOptions {
            functions: functions.to_vec(),
            jobs_max: 8,
            ..WorkerOptions::default()
        };
        let bench = bench.ask(ClientOptions::default(), script).work(options);
        Self { bench, cache }
    }

    fn run(mut self) -> Self {
        self.bench.run(5);
        self
    }

    /// What the server counted.
    fn counter(&mut self, name: &str) -> u64 {
        let server = self.bench.servers[0];
        let server: &mut Gearmand = self.bench.world.machine(server).expect("it runs");
        let mut found = None;
        server.counters(&mut |each, value| {
            if each == name {
                found = Some(value);
            }
        });
        found.expect("a counter of that name")
    }

    /// How long a request took, begun at this millisecond.
    fn took(&mut self, tag: u64, begun_ms: u64) -> Duration {
        let ended = self.bench.asker().ended_at(tag).expect("it ended");
        ended - Duration::from_millis(begun_ms)
    }

    fn work(&mut self) -> usize {
        self.bench.doer(0).begun.len()
    }
}

/// A job with a key.
fn keyed(at_ms: u64, function: &'static str, data: &'static str, key: &'static str) -> Ask {
    (at_ms, What::Submit(Job::new(function, data).unique(Unique::Key(text(key)))))
}

const CACHED: &str = "--result-cache cache";

#[test]
fn the_second_caller_waits_for_no_worker() {
    let script = vec![keyed(10, "work", "200", "u"), keyed(1000, "work", "200", "u")];
    let mut kitchen = Kitchen::new(CACHED, true, script).run();
    assert_eq!(kitchen.bench.asker().story(0), ["created", "complete 200"]);
    assert_eq!(kitchen.bench.asker().story(1), ["created", "complete 200"]);
    assert!(kitchen.took(0, 10) >= Duration::from_millis(WORK_MS));
    assert!(kitchen.took(1, 1000) < Duration::from_millis(10));
    assert_eq!(kitchen.work(), 1);
    let counted = ["hits", "misses", "stores", "questions"];
    let counted = counted.map(|name| kitchen.counter(&format!("result_cache_{name}")));
    assert_eq!(counted, [1, 1, 1, 0]);
}

#[test]
fn without_the_flag_each_is_worked_for() {
    let script = vec![keyed(10, "work", "200", "u"), keyed(1000, "work", "200", "u")];
    let mut kitchen = Kitchen::new("", true, script).run();
    assert_eq!(kitchen.bench.asker().endings(0..2), ["complete 200", "complete 200"]);
    assert_eq!(kitchen.work(), 2);
}

#[test]
fn data_that_came_before_the_result_comes_again() {
    let script = vec![keyed(10, "stream", "7", "u"), keyed(1000, "stream", "7", "u")];
    let mut kitchen = Kitchen::new(CACHED, true, script).run();
    assert_eq!(kitchen.bench.asker().story(0), ["created", "data s", "data s", "complete 7"]);
    assert_eq!(kitchen.bench.asker().story(1), ["created", "data ss", "complete 7"]);
}

#[test]
fn who_submits_while_the_cache_is_asked_joins_and_one_question_is_asked() {
    let many = |at_ms| (0..10).map(move |_| keyed(at_ms, "work", "200", "u"));
    let script = many(10).chain(many(1000)).collect();
    let mut kitchen = Kitchen::new(CACHED, true, script).run();
    assert_eq!(kitchen.bench.asker().endings(0..20), vec!["complete 200"; 20]);
    assert_eq!(kitchen.work(), 1);
    assert_eq!(kitchen.counter("result_cache_misses"), 1);
    assert_eq!(kitchen.counter("result_cache_hits"), 1);
}

#[test]
fn a_result_is_kept_for_as_long_as_is_said() {
    let script = vec![
        keyed(10, "work", "200", "u"),
        keyed(500, "work", "200", "u"),
        keyed(4000, "work", "200", "u"),
    ];
    let line = "--result-cache cache:11211 --result-cache-seconds 2";
    let mut kitchen = Kitchen::new(line, true, script).run();
    assert_eq!(kitchen.work(), 2);
    assert!(kitchen.took(2, 4000) >= Duration::from_millis(WORK_MS));
}

#[test]
fn keys_functions_and_failures_are_told_apart() {
    let plain = |at_ms| (at_ms, What::Submit(Job::new("work", "1")));
    let background = |at_ms| {
        (at_ms, What::Submit(Job::new("work", "1").unique(Unique::Key(text("u"))).background()))
    };
    let script = vec![
        keyed(10, "work", "1", "u"),
        keyed(500, "work", "2", "v"),
        keyed(500, "stream", "3", "u"),
        plain(500),
        plain(500),
        background(500),
        keyed(500, "fail", "4", "w"),
        keyed(1000, "fail", "4", "w"),
    ];
    let mut kitchen = Kitchen::new(CACHED, true, script).run();
    assert_eq!(kitchen.work(), 8, "none has another's result");
    assert_eq!(kitchen.bench.asker().endings(6..8), ["failed", "failed"]);
}

#[test]
fn a_long_result_is_not_kept() {
    let script = vec![keyed(10, "grow", "1", "u"), keyed(1000, "grow", "1", "u")];
    let line = "--result-cache cache --result-cache-bytes 256k";
    let mut kitchen = Kitchen::new(line, true, script).run();
    assert_eq!(kitchen.work(), 2);
    assert_eq!(kitchen.counter("result_cache_stores"), 0);
}

#[test]
fn without_a_cache_there_jobs_are_done_all_the_same() {
    for (line, cache) in [("--result-cache nowhere", false), ("--result-cache 10.9.9.9", false)] {
        let script = vec![keyed(10, "work", "20", "u"), keyed(500, "work", "20", "v")];
        let mut kitchen = Kitchen::new(line, cache, script).run();
        assert_eq!(kitchen.bench.asker().endings(0..2), ["complete 20", "complete 20"]);
        let patience = WAIT_MAX + Duration::from_millis(30);
        assert!(kitchen.took(0, 10) < patience && kitchen.took(1, 500) < patience);
    }
}

#[test]
fn a_cache_that_does_not_answer_delays_one_job_by_a_little_and_the_next_not_at_all() {
    let script = vec![
        keyed(10, "work", "20", "u"),
        keyed(500, "work", "20", "v"),
        keyed(600, "work", "20", "w"),
    ];
    let mut kitchen = Kitchen::new(CACHED, true, script);
    kitchen.bench.run_ms(300);
    let (_, memcached) = kitchen.cache.expect("there is one");
    kitchen.bench.world.freeze(memcached);
    let mut kitchen = kitchen.run();
    let (first, second) = (kitchen.took(1, 500), kitchen.took(2, 600));
    assert!(first >= WAIT_MAX && first < WAIT_MAX + Duration::from_millis(30), "{first:?}");
    assert!(second < Duration::from_millis(30), "{second:?}: nobody is asked while it rests");
    assert_eq!(kitchen.bench.asker().endings(0..3), vec!["complete 20"; 3]);
}

#[test]
fn a_cache_that_loses_its_power_loses_no_job_and_is_used_again() {
    let mut script: Vec<Ask> = (0..40).map(|n| keyed(10 + 50 * n, "work", "5", "u")).collect();
    script.push(keyed(20_000, "work", "5", "u"));
    script.push(keyed(20_100, "work", "5", "u"));
    let mut kitchen = Kitchen::new("--result-cache cache --result-cache-seconds 3", true, script);
    let (host, _) = kitchen.cache.expect("there is one");
    kitchen.bench.run_ms(500);
    kitchen.bench.world.power_cut(host);
    kitchen.bench.run_ms(1500);
    kitchen.bench.world.power_on(host);
    kitchen.bench.run(21);
    assert_eq!(kitchen.bench.asker().endings(0..42), vec!["complete 5"; 42]);
    let before = kitchen.work();
    assert!((3..40).contains(&before), "{before}");
    assert!(kitchen.took(41, 20_100) < Duration::from_millis(5), "it answers again");
}

#[test]
fn servers_of_results_are_read_and_checked() {
    let cache = config("--result-cache a,b:11299 --result-cache-seconds 60").result_cache;
    let cache = cache.expect("it is asked for");
    let names: Vec<String> = cache.servers.iter().map(ToString::to_string).collect();
    assert_eq!((names, cache.seconds), (vec!["a:11211".into(), "b:11299".into()], 60));
    assert_eq!(config("").result_cache, None);
    for wrong in [
        "--result-cache ,",
        "--result-cache a:b",
        "--result-cache a --result-cache-seconds 0",
        "--result-cache a --result-cache-seconds 2592001",
        "--result-cache a --result-cache-bytes 0",
        "--result-cache a --result-cache-bytes 65m",
        "--result-cache a --result-cache-bytes 1m --max-packet 64k",
        "--result-cache-seconds 5",
    ] {
        let words: Vec<&str> = wrong.split_whitespace().collect();
        assert!(Command::from_words(&words).is_err(), "{wrong}");
    }
}
