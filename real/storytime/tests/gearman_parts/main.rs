//! The Gearman client and worker on real sockets, against Debian's gearmand and ours: what is told
//! of each job is the same.
//!
//! Without Debian's `gearman-job-server` (or another one, named by `STORYTIME_PEER_GEARMAND`) only
//! ours is used, and this says so.

mod sides;

use bytes::Bytes;
use sides::{Caller, Helper};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};
use storytime_gearman::adapter::Adapter;
use storytime_gearman::client::{Event, Job, Priority, Unique, When, Why};
use storytime_real::{Handle, Host, Listening, nobodys_address, spawn};

/// Where Debian puts gearmand.
const DEBIAN: &str = "/usr/sbin/gearmand";
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

fn find_peer() -> Option<PathBuf> {
    let named = std::env::var_os("STORYTIME_PEER_GEARMAND").map(PathBuf::from);
    Some(named.unwrap_or_else(|| DEBIAN.into())).filter(|path| path.exists())
}

fn start(mut command: Command) -> Listening {
    let at = nobodys_address();
    command.args(["--listen", &at.ip().to_string(), "--port", &at.port().to_string()]);
    command.args(["--log-file", "none"]);
    Listening::start(&mut command, at).unwrap_or_else(|why| panic!("{why}"))
}

/// The original, if it is here, and ours.
fn servers() -> Vec<(&'static str, Listening)> {
    let mut ours = Command::new(env!("CARGO_BIN_EXE_storytime"));
    ours.arg("gearmand");
    let mut all = vec![("ours", start(ours))];
    match find_peer() {
        Some(peer) => all.push(("the original", start(Command::new(peer)))),
        None => eprintln!("no {DEBIAN} here: SKIPPED the original, tried ours alone"),
    }
    all
}

fn host() -> Host {
    Host { check_invariants: true, ..Host::new(std::env::temp_dir()) }
}

fn call(server: &Listening, exceptions: bool, jobs: Vec<Job>) -> Handle<Adapter<Caller>> {
    spawn(host(), Caller::new(server.at(), exceptions, jobs)).expect("there are threads")
}

fn help(server: &Listening, jobs_max: usize) -> Handle<Adapter<Helper>> {
    spawn(host(), Helper::new(server.at(), jobs_max)).expect("there are threads")
}

fn wait(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "{what}: not in {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn wait_for_all(what: &str, caller: &Handle<Adapter<Caller>>) {
    wait(what, || caller.with_machine(|Adapter { handler: caller, .. }| caller.left == 0));
}

#[test]
fn every_kind_of_job_is_told_of_in_the_same_way() {
    for (name, server) in servers() {
        let _helper = help(&server, 1);
        let keyed = |key: &'static str| Unique::Key(Bytes::from(key));
        let jobs = vec![
            Job::new("echo", "hello"),
            Job::new("stream", "end"),
            Job::new("fail", "x"),
            Job::new("exception", "words"),
            Job::new("big", "x"),
            Job::new("echo", "").priority(Priority::High),
            Job::new("echo", "low").priority(Priority::Low),
            Job::new("key", "x").unique(keyed("mine")),
            Job { reducer: Some("parts".into()), ..Job::new("echo", "reduce") },
            Job::new("echo", "back").background(),
            Job::new("echo", "back high").background().priority(Priority::High),
            Job { when: When::Epoch(1), ..Job::new("echo", "epoch").background() },
        ];
        let caller = call(&server, true, jobs);
        wait_for_all(name, &caller);
        let ends = [
            "complete hello",
            "complete end",
            "failed",
            "exception words",
            "complete big",
            "complete ",
            "complete low",
            "complete mine",
            "complete reduce",
            "accepted",
            "accepted",
            "accepted",
        ];
        caller.with_machine(|Adapter { handler: caller, .. }| {
            for (tag, end) in ends.iter().enumerate() {
                let story = caller.story(tag);
                assert_eq!(story.last().map(String::as_str), Some(*end), "{name}: {story:?}");
            }
            let told = ["created", "data part", "warning careful", "status 1/2", "complete end"];
            assert_eq!(caller.story(1), told, "{name}");
        });
    }
}

#[test]
fn without_asking_for_exceptions_a_job_fails() {
    for (name, server) in servers() {
        let _helper = help(&server, 1);
        let caller = call(&server, false, vec![Job::new("exception", "words")]);
        wait_for_all(name, &caller);
        caller.with_machine(|Adapter { handler: caller, .. }| {
            assert_eq!(caller.story(0), ["created", "failed"], "{name}");
        });
    }
}

#[test]
fn two_jobs_of_a_client_that_are_one_each_get_their_copy() {
    for (name, server) in servers() {
        let same = || Job::new("stream", "end").unique(Unique::Key("k".into()));
        let jobs = vec![same(), same(), Job::new("echo", "other"), same()];
        let caller = call(&server, false, jobs);
        wait(name, || {
            caller.with_machine(|Adapter { handler: caller, .. }| caller.events.len() == 4)
        });
        let helper = help(&server, 1);
        wait_for_all(name, &caller);
        let told = ["created", "data part", "warning careful", "status 1/2", "complete end"];
        caller.with_machine(|Adapter { handler: caller, .. }| {
            for tag in [0, 1, 3] {
                assert_eq!(caller.story(tag), told, "{name}");
            }
        });
        assert_eq!(
            helper.with_machine(|Adapter { handler: helper, .. }| helper.begun.len()),
            2,
            "{name}"
        );
    }
}

#[test]
fn thousands_of_jobs_go_through_a_few_workers() {
    for (name, server) in servers() {
        let helpers: Vec<_> = (1..=4).map(|jobs_max| help(&server, jobs_max)).collect();
        let jobs = (0..4000).map(|n| Job::new("echo", n.to_string())).collect();
        let caller = call(&server, false, jobs);
        wait_for_all(name, &caller);
        caller.with_machine(|Adapter { handler: caller, .. }| {
            for tag in 0..4000 {
                assert_eq!(caller.story(tag), ["created".to_owned(), format!("complete {tag}")]);
            }
        });
        let done = helpers.iter().map(|helper| {
            helper.with_machine(|Adapter { handler: helper, .. }| helper.begun.len())
        });
        assert_eq!(done.sum::<usize>(), 4000, "{name}");
    }
}

#[test]
fn a_job_whose_worker_dies_is_done_by_another() {
    for (name, server) in servers() {
        let first = help(&server, 1);
        let caller = call(&server, false, vec![Job::new("slow", "x")]);
        wait(name, || {
            first.with_machine(|Adapter { handler: helper, .. }| helper.begun.len() == 1)
        });
        let second = help(&server, 1);
        wait(name, || second.with_machine(|Adapter { handler: helper, .. }| helper.ups == 1));
        first.kill();
        wait_for_all(name, &caller);
        caller.with_machine(|Adapter { handler: caller, .. }| {
            assert_eq!(caller.story(0), ["created", "complete x"]);
        });
        assert_eq!(
            second.with_machine(|Adapter { handler: helper, .. }| helper.begun.len()),
            1,
            "{name}"
        );
    }
}

#[test]
fn both_sides_are_told_when_a_server_dies() {
    for (name, server) in servers() {
        let helper = help(&server, 1);
        let caller = call(&server, false, vec![Job::new("slow", "x")]);
        wait(name, || {
            helper.with_machine(|Adapter { handler: helper, .. }| helper.begun.len() == 1)
        });
        drop(server);
        wait_for_all(name, &caller);
        caller.with_machine(|Adapter { handler: caller, .. }| {
            let lost = caller.events.last().expect("there is an end");
            let connection = matches!(lost, Event::Lost { why: Why::Connection, .. });
            assert!(connection, "{name}: {lost:?}");
        });
        wait(name, || helper.with_machine(|Adapter { handler: helper, .. }| helper.gone == 1));
    }
}
