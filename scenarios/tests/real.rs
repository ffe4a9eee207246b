//! The stories on real sockets.
//!
//! No test harness: the run starts this very program again for each of the hosts' command lines, as
//! it would start `storytime`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use storytime_diskcheck as diskcheck;
use storytime_machine::{Exit, Machine};
use storytime_real::{Host, Options, run, spawn};
use storytime_scenarios::catalog;
use storytime_scenarios::models::results::Result as Figure;
use storytime_scenarios::overlay::Override;
use storytime_scenarios::program::Program;
use storytime_scenarios::read::File;
use storytime_scenarios::real::{RealError, RealOptions, run_real};
use storytime_scenarios::run::Run;
use storytime_scenarios::simulate::{self, run_simulated};
use storytime_scenarios::story::{Profile, Story};
use storytime_sharding::mover;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == "--host-ip") {
        return be_a_server(words);
    }
    // Test runners that list or filter tests get an honest answer.
    if words.iter().any(|word| word == "--list") {
        println!("real_stories: test");
        return ExitCode::SUCCESS;
    }
    let tests: [(&str, fn()); 8] = [
        ("servers_tell_their_counters_for_real", servers_tell_their_counters_for_real),
        ("a_proxy_tells_its_counters_for_real", a_proxy_tells_its_counters_for_real),
        ("a_job_server_tells_its_counters_for_real", a_job_server_tells_its_counters_for_real),
        ("cas_loses_nothing_for_real", cas_loses_nothing_for_real),
        ("a_killed_writer_loses_nothing", a_killed_writer_loses_nothing),
        ("keys_move_for_real_as_simulated", keys_move_for_real_as_simulated),
        ("a_story_that_is_not_for_real_is_refused", a_story_that_is_not_for_real_is_refused),
        ("children_end_with_an_interrupted_run", children_end_with_an_interrupted_run),
    ];
    for (name, test) in tests {
        test();
        println!("test {name} ... ok");
    }
    ExitCode::SUCCESS
}

fn story(id: &str, sets: &[&str]) -> Story {
    let sets: Result<Vec<_>, _> = sets.iter().map(|set| Override::from_argument(set)).collect();
    let story = sets.and_then(|sets| catalog::open(id)?.story(Profile::Real, &sets));
    story.unwrap_or_else(|diagnostic| panic!("{}", diagnostic.render(false)))
}

fn options(name: &str) -> RealOptions {
    let work_dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    RealOptions::new(std::env::current_exe().expect("this program has a path"), work_dir)
}

fn real(story: &Story, name: &str) -> Run {
    run_real(story, 1, &options(name)).unwrap_or_else(|error| panic!("{error}"))
}

fn a_killed_writer_loses_nothing() {
    let sets = [
        "story.duration=3s",
        "timeline.plug-pulled.at=1s",
        "timeline.power-back.at=200ms",
        "timeline.checking.at=100ms",
        "expect.something-was-acknowledged.at_least=1",
    ];
    let story = story("does-fsync-work", &sets);
    let run = real(&story, "fsync");
    assert_eq!(run.variants.len(), 1, "only the honest disk exists here");
    assert_eq!(run.first_failure(&story), None);
    assert!(run.notes.iter().any(|note| note.contains("kill -9")), "{:?}", run.notes);
}

/// Which keys move depends on placement alone, so both runtimes count the same.
fn keys_move_for_real_as_simulated() {
    let sets =
        ["story.duration=2s", "story.bucket=100ms", "timeline.change.at=1s", "load.web.rate=300/s"];
    let story = story("add-a-server", &sets);
    let real = real(&story, "add-a-server");
    let simulated = run_simulated(&story, 1, simulate::Options::default());
    for (real, simulated) in real.variants.iter().zip(&simulated.variants) {
        let moved = |run: &storytime_scenarios::run::VariantRun| {
            let Some(Figure::Share(moved, of)) = run.measured.loads[0].0.get("keys_moved") else {
                panic!("keys were counted")
            };
            (*moved, *of)
        };
        assert_eq!(moved(real), moved(simulated));
        let Some(Figure::Series(pages)) = real.measured.loads[0].0.get("pages") else {
            panic!("pages were counted")
        };
        assert!(pages.counts().iter().sum::<u64>() > 100, "pages were served: {pages:?}");
        let Some(Figure::Series(failed)) = real.measured.loads[0].0.get("pages_failed") else {
            panic!("failures were counted")
        };
        assert_eq!(failed.counts().iter().sum::<u64>(), 0, "no page failed");
    }
}

fn cas_loses_nothing_for_real() {
    // Whoever is still at it when time is up has long enough, also on a busy machine.
    let sets = ["story.duration=3500ms", "load.clients.settle=2s"];
    let story = story("cas-loop", &sets);
    let run = real(&story, "cas-loop");
    let cas = &run.variants[story.variant("gets-cas").expect("a variant of the story")];
    let count = |name: &str| match &cas.measured.loads[0].0[name] {
        Figure::Series(series) => series.counts().iter().sum::<u64>(),
        other => panic!("{name} is counted over time: {other:?}"),
    };
    assert!(count("appended") > 100, "clients appended: {}", count("appended"));
    assert_eq!((count("lost"), count("in_list")), (0, count("appended")));
    assert_eq!(count("jobs_failed"), 0);
}

/// The shares of the keys are counted by the servers, and asked of them.
fn servers_tell_their_counters_for_real() {
    let sets = [
        "story.duration=3s",
        "load.web.keys=1000",
        "expect.first-gets-a-quarter.between=[\"17%\", \"33%\"]",
        "expect.second-gets-half.between=[\"41%\", \"59%\"]",
        "expect.third-gets-a-quarter.between=[\"17%\", \"33%\"]",
    ];
    let story = story("pick-a-server", &sets);
    let run = real(&story, "pick-a-server");
    assert_eq!(run.first_failure(&story), None);
}

/// What the proxy counts, and its clients, are asked of it, and not of the servers behind it.
fn a_proxy_tells_its_counters_for_real() {
    let sets = ["story.duration=4s", "expect.two-thousand-connections.at_least=300"];
    let story = story("proxy-in-between", &sets);
    let run = real(&story, "proxy-in-between");
    let checks = run.checks(&story);
    // How long a page takes is not for a machine that has other tests to run.
    let counted = checks.iter().filter(|check| check.expect.name != "a-page-hardly-waits");
    let failed = counted.filter(|check| !check.holds);
    let failed: Vec<_> = failed.map(|check| (&check.expect.name, check.outcome.show())).collect();
    assert_eq!(failed, []);
}

/// Every call is counted where it is made and where it is taken, and the asker is no client.
fn a_job_server_tells_its_counters_for_real() {
    const MORE: &str = r#"
[[expect]]
name = "calls-are-submits"
metric = "jobs1.submits"
of = "client.calls"
equals = "100%"

[[expect]]
name = "client-and-worker"
metric = "jobs1.connections"
take = "peak"
equals = 2
"#;
    let mut stories = catalog::STORIES.iter();
    let (_, text) = stories.find(|(name, _)| *name == "hello-reverse.toml").unwrap();
    let file = File::from_bytes("more.toml", format!("{text}\n{MORE}").into_bytes());
    let story = file.and_then(|file| file.story(Profile::Real, &[]));
    let story = story.unwrap_or_else(|diagnostic| panic!("{}", diagnostic.render(false)));
    let checks = real(&story, "job-server").checks(&story);
    let counted = checks.iter().filter(|check| check.expect.name != "three-hops");
    let failed: Vec<_> = counted
        .filter(|check| !check.holds)
        .map(|check| (&check.expect.name, check.outcome.show()))
        .collect();
    assert_eq!(failed, []);
}

fn a_story_that_is_not_for_real_is_refused() {
    let story = story("add-a-server", &["story.real=false"]);
    let refused = run_real(&story, 1, &options("refused"));
    assert!(matches!(refused, Err(RealError::NotReal(_))));
}

fn children_end_with_an_interrupted_run() {
    let story = story("does-fsync-work", &[]);
    let options = options("interrupted");
    options.interrupted.store(true, std::sync::atomic::Ordering::Relaxed);
    assert!(matches!(run_real(&story, 1, &options), Err(RealError::Interrupted)));
    // The recorder's port is free again, so a second run finds it.
    assert!(matches!(run_real(&story, 1, &options), Err(RealError::Interrupted)));
}

// ---- the program that is started ----------------------------------------------------------------

fn be_a_server(words: Vec<String>) -> ExitCode {
    let mut host = Host::new(".");
    let mut words = words.into_iter().peekable();
    while let Some(option) = words.next_if(|word| word.starts_with("--")) {
        let value = words.next().expect("every host option has a value");
        match option.as_str() {
            "--host-ip" => host.ip = Some(value.parse().expect("an address")),
            "--host-name" => {
                let (name, ip) = value.split_once('=').expect("a name and an address");
                let ip: IpAddr = ip.parse().expect("an address");
                host.names.push((name.to_owned(), vec![ip]));
            }
            "--data-dir" => host.data_dir = value.into(),
            "--server-seed" => host.seed = value.parse().expect("a number"),
            other => panic!("no option {other}"),
        }
    }
    let words: Vec<String> = words.collect();
    let program = Program::from_words(&words).expect("the file was checked");
    host.limits = program.limits();
    match program {
        Program::Memcached(config) => {
            serve(host, || storytime_memcached::Server::alone((*config).clone()))
        }
        Program::Mcproxy(config) => {
            serve(host, || storytime_mcproxy::Proxy::new(config.clone()).expect("it was checked"))
        }
        Program::Dbd(config) => {
            serve(host, || storytime_database::Database::new((*config).clone()))
        }
        Program::Gearmand(config) => {
            serve(host, || storytime_gearman::Gearmand::new((*config).clone()))
        }
        Program::Gearman(_) => unreachable!("no story here types a command line"),
        Program::Witness(config) => serve(host, || storytime_pair::Witness::new(config.clone())),
        Program::Mover(config) => serve(host, || mover::Named::new((*config).clone())),
        Program::MoveCoordinator(config) => serve(host, || mover::Named::new(config.clone())),
        Program::Diskcheck(diskcheck::Command::Record(config)) => {
            serve(host, || diskcheck::Recorder::new(config.clone()))
        }
        Program::Diskcheck(diskcheck::Command::Write(config)) => {
            serve(host, || diskcheck::Writer::new(config.clone()))
        }
        Program::Diskcheck(diskcheck::Command::Verify(config)) => verify(host, config),
    }
}

fn serve<M: Machine>(host: Host, make: impl Fn() -> M) -> ExitCode {
    match run(host, &Options::default(), |_| make()) {
        Ok(Exit::Stopped) => ExitCode::SUCCESS,
        other => {
            eprintln!("{other:?}");
            ExitCode::FAILURE
        }
    }
}

fn verify(host: Host, config: diskcheck::VerifierConfig) -> ExitCode {
    let mut handle = spawn(host, diskcheck::Verifier::new(config)).expect("it starts");
    let ending = handle.wait();
    match handle.with_machine(|verifier| verifier.verdict().cloned()) {
        Some(verdict) => print!("{}", verdict.render()),
        None => eprintln!("{ending:?}"),
    }
    ExitCode::SUCCESS
}
