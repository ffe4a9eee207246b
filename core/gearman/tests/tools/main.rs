//! `gearman` and `gearadmin`, typed on hosts of a simulated world beside a job server: what is
//! printed, and how they end.

use bytes::Bytes;
use core::time::Duration;
use storytime_gearman::config::Config as ServerConfig;
use storytime_gearman::server::Gearmand;
use storytime_gearman::tools::{
    Admin, AdminCommand, Command, Ended, Performer, Ran, Scripted, Submitter, limits,
};
use storytime_machine::{Drive, Exit, Machine, Process, Time};
use storytime_sim::{Config, HostConfig, HostId, ProcessId, ProgramConfig, Ran as Ended_, World};

/// Longest time of a test, simulated.
const PATIENCE: Duration = Duration::from_secs(3600);

/// A world with a job server, `jobs`, and whoever types command lines.
struct Stage {
    world: World,
    server: ProcessId,
    now: Duration,
}

impl Stage {
    fn new() -> Self {
        let mut world = World::new(Config::new(1));
        let make = || {
            let handle_prefix = Some("H:jobs".to_owned());
            Gearmand::new(ServerConfig { handle_prefix, ..ServerConfig::default() })
        };
        let (host, server) = add(&mut world, "jobs", make);
        let ip = world.ip(host);
        world.add_name("jobs", vec![ip]);
        Self { world, server, now: Duration::ZERO }
    }

    /// Types a `gearman` command line on a host of its own.
    fn gearman(&mut self, line: &str, shell: &Scripted) -> ProcessId {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let (command, _) = Command::from_words(&words, Some("jobs")).expect(line);
        let shell = shell.clone();
        let process = match command {
            Command::Client(config) => {
                let make = move || Submitter::new(config.clone(), Box::new(shell.clone()));
                add(&mut self.world, line, make).1
            }
            Command::Worker(config) => {
                let make = move || Performer::new(config.clone(), Box::new(shell.clone()));
                add(&mut self.world, line, make).1
            }
            Command::Help => panic!("nobody needs help"),
        };
        self.run(Duration::from_millis(1));
        process
    }

    /// Types a `gearadmin` command line and waits for its end.
    fn gearadmin(&mut self, line: &str) -> (String, String, Option<Exit>) {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let Ok(AdminCommand::Ask(config)) = AdminCommand::from_words(&words) else {
            panic!("{line}: it asks nothing");
        };
        let shell = Scripted::default();
        let own = shell.clone();
        let make = move || Admin::new(config.clone(), Box::new(own.clone()));
        let process = add(&mut self.world, line, make).1;
        let exit = self.wait(process);
        (shell.out(), shell.err(), exit)
    }

    fn run(&mut self, time: Duration) {
        self.now += time;
        let ran = self.world.run_until(Time::ZERO + self.now);
        assert!(!matches!(ran, Ended_::Broken(_)), "{ran:?}");
    }

    /// Runs until a process has ended.
    fn wait(&mut self, process: ProcessId) -> Option<Exit> {
        let limit = self.now + PATIENCE;
        while self.world.exit(process).is_none() && self.now < limit {
            self.run(Duration::from_millis(10));
        }
        self.world.exit(process)
    }

    /// A command line that submits jobs: what it printed, and how it ended.
    fn submit(&mut self, line: &str, input: &[&'static str]) -> (String, String, Option<Exit>) {
        let shell = typed(input);
        let process = self.gearman(line, &shell);
        let exit = self.wait(process);
        (shell.out(), shell.err(), exit)
    }
}

fn add<M: Machine>(
    world: &mut World,
    name: &str,
    machine: impl Fn() -> M + 'static,
) -> (HostId, ProcessId) {
    let host = world.add_host(HostConfig::new(name));
    let make = move |setup| -> Box<dyn Drive> { Box::new(Process::new(machine(), setup)) };
    let program = ProgramConfig { limits: limits(), ..ProgramConfig::new("program", make) };
    let process = world.add_program(host, program)[0];
    world.power_on(host);
    (host, process)
}

/// A shell with standard input in pieces, and with a few programs.
fn typed(input: &[&'static str]) -> Scripted {
    let second = Duration::from_secs(1);
    Scripted::new(input.iter().map(|piece| Bytes::from_static(piece.as_bytes())))
        .program("grep", Duration::from_millis(1), grep)
        .program("cat", Duration::from_millis(1), |_, input| ran(input, Ended::Exited(0)))
        .program("slow", 5 * second, |_, input| ran(input, Ended::Exited(0)))
        .program("fail", Duration::ZERO, |_, input| ran(input, Ended::Exited(3)))
        .program("die", Duration::ZERO, |_, _| ran(b"", Ended::Signalled(9)))
}

fn ran(output: &[u8], ended: Ended) -> Ran {
    Ran { output: Bytes::copy_from_slice(output), ended }
}

/// The lines with a word in them; none is a failure.
fn grep(words: &[String], input: &[u8]) -> Ran {
    let text = String::from_utf8_lossy(input);
    let found: String =
        text.split_inclusive('\n').filter(|line| line.contains(&words[0])).collect();
    let ended = Ended::Exited(i32::from(found.is_empty()));
    ran(found.as_bytes(), ended)
}

fn said(out: &str, err: &str) -> (String, String, Option<Exit>) {
    (out.to_owned(), err.to_owned(), Some(Exit::Stopped))
}

fn failed(out: &str, err: &str) -> (String, String, Option<Exit>) {
    (out.to_owned(), err.to_owned(), Some(Exit::Failed("a job failed")))
}

#[test]
fn the_slides_first_worker_and_client() {
    let mut stage = Stage::new();
    let worker = typed(&[]);
    stage.gearman("-w -f test -- grep lib", &worker);
    let root = ["bin\netc\nl", "ib\nlib64\nusr\n"];
    assert_eq!(stage.submit("-f test", &root), said("lib\nlib64\n", ""));
    assert_eq!(stage.submit("-P -f test", &root), said("test: lib\nlib64\n", ""));
    assert_eq!(stage.submit("-f test", &["bin\n"]), failed("", "Job failed\n"));
    assert_eq!((worker.runs(), worker.err()), (3, String::new()));
}

#[test]
fn a_worker_without_a_command_prints_the_jobs() {
    let mut stage = Stage::new();
    let logger = typed(&[]);
    stage.gearman("-w -f logger", &logger);
    assert_eq!(stage.submit("-n -f logger", &["one\ntw", "o\nthree"]), said("", ""));
    assert_eq!(logger.out(), "one\ntwo\nthree");
    assert_eq!(stage.submit("-N -P -f logger", &["a\nb\n"]), said("logger: logger: ", ""));
    assert_eq!(stage.submit("-s -f logger", &[]), said("", ""));
    assert_eq!(logger.out(), "one\ntwo\nthreeab");
}

#[test]
fn words_are_jobs_for_every_function_in_turn() {
    let mut stage = Stage::new();
    stage.gearman("-w -f a -f b -- cat", &typed(&[]));
    let (out, err, exit) = stage.submit("-v -P -f a -f b one two", &[]);
    assert_eq!((err.as_str(), exit), ("", Some(Exit::Stopped)));
    let created = |number| format!("Task created: H:jobs:{number}\n");
    for part in ["a: one", "b: one", "a: two", "b: two"] {
        assert_eq!(out.matches(part).count(), 1, "{part} in {out}");
    }
    assert!((1..=4).all(|number| out.contains(&created(number))), "{out}");
    assert!(out.find("one") < out.find("H:jobs:3"), "the second word waits for the first: {out}");
}

#[test]
fn background_jobs_wait_for_nobody_and_keep_their_order() {
    let mut stage = Stage::new();
    let line = "-b -v -n -f later";
    let lines: String = (0..1000).map(|number| format!("{number}\n")).collect();
    let lines: &'static str = Box::leak(lines.into_boxed_str());
    let (out, err, exit) = stage.submit(line, &[lines]);
    assert_eq!((err.as_str(), exit), ("", Some(Exit::Stopped)));
    assert_eq!(out.lines().count(), 1000);
    let worker = typed(&[]);
    let process = stage.gearman("-w -c 1000 -f later", &worker);
    assert_eq!(stage.wait(process), Some(Exit::Stopped), "-c counts jobs");
    assert_eq!(worker.out(), lines);
}

#[test]
fn a_unique_key_makes_two_jobs_one() {
    let mut stage = Stage::new();
    let first = stage.submit("-b -v -u key -f f x", &[]);
    assert_eq!(stage.submit("-b -v -I -u key -f f y", &[]), first);
    let (status, ..) = stage.gearadmin("-h jobs --status --priority-status");
    assert_eq!(status, "f\t0\t1\t0\t0\n.\nf\t1\t0\t0\n.\n");
}

#[test]
fn output_comes_in_lines_if_it_is_asked_for() {
    let mut stage = Stage::new();
    stage.gearman("-w -n -f each -- cat", &typed(&[]));
    stage.gearman("-w -N -f stripped -- cat", &typed(&[]));
    let text = ["a\nbb\nc"];
    assert_eq!(stage.submit("-P -f each", &text), said("each: a\neach: bb\neach: ceach: ", ""));
    let stripped = "stripped: astripped: bbstripped: cstripped: ";
    assert_eq!(stage.submit("-P -f stripped", &text), said(stripped, ""));
}

#[test]
fn output_that_finds_no_room_waits_for_it() {
    let mut stage = Stage::new();
    stage.gearman("-w -n -f each -- cat", &typed(&[]));
    let text: String = (0..300_000).map(|number| format!("{number}\n")).collect();
    let text: &'static str = Box::leak(text.into_boxed_str());
    let (out, err, exit) = stage.submit("-f each", &[text]);
    assert_eq!((err.as_str(), exit), ("", Some(Exit::Stopped)));
    assert!(out == text, "every line once, in order");
}

#[test]
fn a_command_that_fails_fails_the_job_after_its_output() {
    let mut stage = Stage::new();
    let (failing, dying, missing) = (typed(&[]), typed(&[]), typed(&[]));
    stage.gearman("-w -c 2 -f fails -- fail", &failing);
    stage.gearman("-w -f dies -- die", &dying);
    stage.gearman("-w -f misses -- nothing", &missing);
    assert_eq!(stage.submit("-f fails x", &[]), failed("x", "Job failed\n"));
    assert_eq!(stage.submit("-f fails y", &[]), failed("y", "Job failed\n"), "it counts once");
    assert_eq!(stage.submit("-P -f dies x", &[]), failed("", "dies: Job failed\n"));
    assert_eq!(stage.submit("-f misses x", &[]), failed("", "Job failed\n"));
    assert_eq!(dying.err(), "gearman: die: ended by signal 9\n");
    assert_eq!(missing.err(), "gearman: nothing: nothing: not found\n");
}

#[test]
fn time_runs_out_for_results_and_for_idle_workers() {
    let mut stage = Stage::new();
    let late = failed("", "gearman: none: no result in time (-t)\n");
    assert_eq!(stage.submit("-t 500 -f none x", &[]), late);
    let idle = typed(&[]);
    let process = stage.gearman("-w -t 700 -c 3 -f quiet", &idle);
    let before = stage.now;
    assert_eq!(stage.wait(process), Some(Exit::Stopped));
    assert_eq!(idle.err(), "gearman: no job in 700 ms\n".repeat(3));
    assert!((2..3).contains(&(stage.now - before).as_secs()), "{:?}", stage.now - before);
}

#[test]
fn a_job_server_that_is_away_is_told_of() {
    let mut stage = Stage::new();
    stage.world.kill(stage.server);
    let ip = stage.world.ip(stage.world.host("jobs").expect("it has a host"));
    let (out, err, exit) = stage.submit("-f f x y", &[]);
    let away = "gearman: f: not sent: cannot connect to jobs:4730\n";
    assert_eq!((out, err, exit), failed("", &away.repeat(2)));
    let worker = typed(&[]);
    stage.gearman("-w -f f -- cat", &worker);
    stage.run(Duration::from_secs(60));
    let told = format!("gearman: {ip}:4730 cannot be reached: refused; trying again\n");
    assert_eq!(worker.err(), told, "once");
    stage.world.start(stage.server);
    assert_eq!(stage.submit("-f f back", &[]), said("back", ""), "the worker came back too");
    let (.., exit) = stage.gearadmin("-h nowhere --status");
    assert!(matches!(exit, Some(Exit::Failed(_))), "{exit:?}");
}

#[test]
fn a_connection_lost_in_the_middle_of_a_job_is_told_of_on_both_sides() {
    let mut stage = Stage::new();
    let (worker, client) = (typed(&[]), typed(&[]));
    stage.gearman("-w -c 2 -f f -- slow", &worker);
    let submitting = stage.gearman("-f f x", &client);
    stage.run(Duration::from_secs(1));
    stage.world.kill(stage.server);
    stage.run(Duration::from_secs(1));
    stage.world.start(stage.server);
    assert_eq!(stage.wait(submitting), Some(Exit::Failed("a job failed")));
    assert_eq!(client.err(), "gearman: f: connection lost; the job may still be done\n");
    assert_eq!(stage.submit("-f f again", &[]), said("again", ""));
    assert!(worker.err().contains("the job is done by somebody else"), "{}", worker.err());
}

#[test]
fn an_operator_asks_for_everything_in_the_originals_words() {
    let mut stage = Stage::new();
    stage.gearman("-w -f f -- slow", &typed(&[]));
    stage.gearman("-u key -f f x", &typed(&[]));
    stage.run(Duration::from_secs(1));
    let jobs = "H:jobs:1\t0\t0\t0\n.\nkey\n.\n";
    assert_eq!(stage.gearadmin("-h jobs --show-jobs --show-unique-jobs"), said(jobs, ""));
    let (workers, ..) = stage.gearadmin("-h jobs --workers");
    assert!(workers.contains(" : f\n") && workers.ends_with(".\n"), "{workers}");
    assert_eq!(stage.gearadmin("-h jobs --create-function g"), said("OK\n", ""));
    assert_eq!(stage.gearadmin("-h jobs --drop-function g"), said("OK\n", ""));
    let unknown = stage.gearadmin("-h jobs --drop-function g --cancel-job H:jobs:9");
    assert_eq!(unknown, said("", "Error: function not found\r\nError: UNKNOWN_JOB\r\n"));
    let (version, err, exit) = stage.gearadmin("-h jobs --server-version --server-verbose");
    assert_eq!((version.lines().count(), err.as_str(), exit), (2, "", Some(Exit::Stopped)));
}
