//! `gearman`, `gearadmin` and `gearman-bench` as a user meets them, against a job server of this
//! program: under the originals' names, with real commands, files and pipes.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use storytime_real::{Listening, Running, nobodys_address};

const PATIENCE: Duration = Duration::from_secs(30);

/// A job server, and a folder of one test with the tools in it.
struct Bench {
    folder: PathBuf,
    server: Listening,
}

impl Bench {
    fn start(name: &str) -> Self {
        let folder = format!("storytime-gearman-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        fs::create_dir_all(&folder).expect("a folder for the test");
        let program = env!("CARGO_BIN_EXE_storytime");
        for tool in ["gearman", "gearadmin"] {
            symlink(program, folder.join(tool)).expect("a link to the program");
        }
        let at = nobodys_address();
        let mut gearmand = Command::new(program);
        gearmand.args(["gearmand", "-L", &at.ip().to_string(), "-p", &at.port().to_string()]);
        gearmand.args(["--config-file", "/dev/null", "-l", "none"]);
        let server = Listening::start(gearmand.current_dir(&folder), at).expect("it serves");
        Self { folder, server }
    }

    /// Something typed in the folder, where the tools are found by name.
    fn command(&self, program: &str) -> Command {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new(program);
        command.current_dir(&self.folder);
        command.env("PATH", format!("{}:{path}", self.folder.display()));
        command.env("GEARMAN_SERVER", self.server.at().to_string());
        command
    }

    fn shell(&self, line: &str) -> Output {
        self.command("sh").args(["-c", line]).output().expect("a shell")
    }

    /// What a line prints, and its exit status.
    fn said(&self, line: &str) -> (String, String, Option<i32>) {
        let ran = self.shell(line);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        (text(ran.stdout), text(ran.stderr), ran.status.code())
    }

    fn worker(&self, line: &str) -> Running {
        // The shell becomes the worker, so that ending the one ends the other.
        let line = format!("exec gearman -w {line}");
        let mut command = self.command("sh");
        let child = command.args(["-c", &line]).stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        Running(child.expect("a worker"))
    }

    fn bench(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_storytime"));
        command.args(["gearman-bench", "--server", &self.server.at().to_string()]);
        command.args(words).output().expect("the program starts")
    }

    fn measured(&self, words: &[&str]) -> serde_json::Value {
        let pid = self.server.id().to_string();
        let ran = self.bench(&[words, &["--json", "--pid", &pid]].concat());
        assert!(ran.status.success(), "{words:?}: {}", String::from_utf8_lossy(&ran.stderr));
        serde_json::from_slice(&ran.stdout).expect("JSON")
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.folder);
    }
}

fn said(out: &str, err: &str, code: i32) -> (String, String, Option<i32>) {
    (out.to_owned(), err.to_owned(), Some(code))
}

/// Bytes of every kind, not the same at every place.
fn picture(bytes: usize) -> Vec<u8> {
    (0..bytes as u64).map(|at| ((at * at / 251) >> (at % 3)) as u8).collect()
}

#[test]
fn the_slides_lines_do_what_the_slides_say() {
    let bench = Bench::start("slides");
    let _grep = bench.worker("-f test -- grep lib");
    fs::create_dir(bench.folder.join("root")).expect("a folder");
    for name in ["bin", "lib", "lib64", "usr"] {
        fs::create_dir(bench.folder.join("root").join(name)).expect("a folder");
    }
    assert_eq!(bench.said("ls root | gearman -f test"), said("lib\nlib64\n", "", 0));

    // A thumbnail: every fourth byte, by a command that reads and writes at the same time.
    let _resize = bench.worker("-f resize -- tr -d '\\001-\\277'");
    let large = picture(3 << 20);
    fs::write(bench.folder.join("large.jpg"), &large).expect("a picture");
    assert!(bench.shell("gearman -f resize < large.jpg > thumb.jpg").status.success());
    let small: Vec<u8> = large.into_iter().filter(|byte| !(1..=0o277).contains(byte)).collect();
    assert!(!small.is_empty());
    assert_eq!(fs::read(bench.folder.join("thumb.jpg")).expect("a thumbnail"), small);
}

#[test]
fn lines_of_a_log_are_jobs_as_soon_as_they_are_there() {
    let bench = Bench::start("tail");
    let mut logger = bench.worker("-f logger");
    let mut printed = BufReader::new(logger.0.stdout.take().expect("it was asked for"));
    let mut command = bench.command("gearman");
    let mut tail = command.args(["-n", "-f", "logger"]).stdin(Stdio::piped()).spawn().expect("it");
    let mut log = tail.stdin.take().expect("it was asked for");
    for line in ["GET /\n", "GET /friends\n", "POST /update.bml\n"] {
        log.write_all(line.as_bytes()).expect("it reads");
        let mut read = String::new();
        printed.read_line(&mut read).expect("it prints");
        assert_eq!(read, line);
    }
    drop(log);
    assert!(tail.wait().expect("it ends").success());
}

#[test]
fn large_data_goes_both_ways_whoever_speaks_first() {
    let bench = Bench::start("large");
    let _cat = bench.worker("-f cat -- cat");
    let _first = bench.worker("-f first -- sh -c 'head -c 1000000 /dev/zero; cat'");
    let _deaf = bench.worker("-f deaf -- echo done");
    let data = picture(9_000_000);
    fs::write(bench.folder.join("data"), &data).expect("a file");
    assert!(bench.shell("gearman -f cat < data").stdout == data, "every byte comes back");
    let both = bench.shell("gearman -f first < data").stdout;
    assert!(both[..1_000_000].iter().all(|&byte| byte == 0) && both[1_000_000..] == data);
    assert_eq!(bench.said("gearman -f deaf < data"), said("done\n", "", 0));
}

#[test]
fn a_command_that_prints_faster_than_the_server_takes_it_waits() {
    let bench = Bench::start("room");
    let _seq = bench.worker("-n -f count -- seq 1 400000");
    let numbers = bench.shell("gearman -s -f count").stdout;
    let numbers = String::from_utf8(numbers).expect("text");
    let expected = (1..=400_000).map(|number| number.to_string());
    assert!(numbers.lines().eq(expected), "every line once, in order");
}

#[test]
fn a_command_that_fails_is_told_of_on_both_sides() {
    let bench = Bench::start("fails");
    let _exits = bench.worker("-f exits -- sh -c 'cat; exit 3'");
    let _dies = bench.worker("-f dies -- sh -c 'kill -9 $$'");
    assert_eq!(bench.said("gearman -f exits some"), said("some", "Job failed\n", 1));
    assert_eq!(bench.said("gearman -P -f dies x"), said("", "dies: Job failed\n", 1));
    let missing = "gearman -w -c 1 -f misses -- no-such-command & gearman -f misses x; wait";
    let (out, err, code) = bench.said(missing);
    assert_eq!((out.as_str(), code), ("", Some(0)), "the shell's own");
    assert!(err.contains("gearman: no-such-command: No such file"), "{err}");
    assert!(err.contains("Job failed\n"), "{err}");
}

#[test]
fn a_worker_ends_after_as_many_jobs_as_it_was_told() {
    let bench = Bench::start("count");
    let (out, err, code) = bench.said("gearman -b -f later one two three");
    assert_eq!((out.as_str(), err.as_str(), code), ("", "", Some(0)));
    assert_eq!(bench.said("gearman -w -c 2 -f later"), said("onetwo", "", 0));
    let status = "later\t1\t0\t0\n.\n";
    let at = bench.server.at();
    let line = format!("gearadmin --status -h {} -p {}", at.ip(), at.port());
    assert_eq!(bench.said(&line), said(status, "", 0));
    let idle = "gearman: no job in 200 ms\n";
    assert_eq!(bench.said("gearman -w -c 1 -t 200 -f none"), said("", idle, 0));
}

#[test]
fn a_worker_in_the_background_leaves_its_id_and_takes_it_away() {
    let bench = Bench::start("daemon");
    let line = "gearman -w -d -c 1 -i worker.pid -f f -- cat";
    assert_eq!(bench.said(line), said("", "", 0), "it does not hold the terminal");
    let file = bench.folder.join("worker.pid");
    let pid = fs::read_to_string(&file).expect("it is there when the line is done");
    assert!(fs::exists(format!("/proc/{}", pid.trim())).expect("it can be looked at"));
    assert_eq!(bench.said("gearman -f f x"), said("x", "", 0));
    let deadline = Instant::now() + PATIENCE;
    while fs::exists(&file).expect("it can be looked at") {
        assert!(Instant::now() < deadline, "it is removed");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn mistakes_are_told_with_the_originals_exit_status() {
    let bench = Bench::start("mistakes");
    let (out, err, code) = bench.said("gearman -x");
    assert_eq!((out.as_str(), code), ("", Some(1)));
    assert!(err.contains("Error in usage(-x is no option)"), "{err}");
    assert!(bench.said("gearman -b x").1.contains("No Functions were provided"));
    let (help, err, code) = bench.said("gearman -H");
    assert!(help.starts_with("Client mode: gearman [options]") && err.is_empty(), "{help}{err}");
    assert_eq!(code, Some(0));
    let (out, _, code) = bench.said("gearadmin --shutdown");
    assert!(out.starts_with("gearadmin : unrecognised option '--shutdown'\n\nOptions:\n"), "{out}");
    assert_eq!(code, Some(1));
    let away = "gearman: f: not sent: cannot connect to 127.0.0.1:1\n";
    assert_eq!(bench.said("GEARMAN_SERVER=127.0.0.1:1 gearman -f f x"), said("", away, 1));
    let away = "Error: Error connecting to 127.0.0.1.\n\n";
    assert_eq!(bench.said("gearadmin -h 127.0.0.1 -p 1 --status"), said("", away, 1));
    let dir = "gearman -f f < .";
    let (_, err, code) = bench.said(dir);
    assert!(err.contains("standard input cannot be read") && code == Some(1), "{err}");
}

#[test]
fn a_reader_that_goes_away_ends_the_client() {
    let bench = Bench::start("reader");
    let _yes = bench.worker("-f yes -- head -c 3000000 /dev/zero");
    let (out, err, code) = bench.said("gearman -f yes a b c d | head -c 5 | tr '\\0' z");
    assert_eq!((out.as_str(), err.as_str(), code), ("zzzzz", "", Some(0)));
}

#[test]
fn the_load_tool_counts_what_it_does() {
    let bench = Bench::start("load");
    let submitted =
        bench.measured(&["submit", "--connections", "3", "--depth", "7", "--jobs", "1000"]);
    assert_eq!((&submitted["jobs"], &submitted["refused"]), (&1000.into(), &0.into()));
    assert!(submitted["times"]["p99_ns"].as_u64() >= submitted["times"]["p50_ns"].as_u64());
    assert!(submitted["server_cpu_ns_per_job"].as_f64() > Some(0.0), "{submitted}");
    let same = ["submit", "--depth", "10", "--jobs", "500", "--keys", "20", "-f", "same"];
    assert_eq!(bench.measured(&same)["jobs"], 500);
    let at = bench.server.at();
    let line = format!("gearadmin --status -h {} -p {}", at.ip(), at.port());
    let (status, ..) = bench.said(&line);
    assert!(status.contains("bench\t1000\t0\t0\n"), "{status}");
    assert!(status.contains("same\t20\t0\t0\n"), "500 jobs with 20 keys are 20: {status}");

    let drained =
        bench.measured(&["drain", "--workers", "4", "--jobs", "300", "--unique", "-f", "drained"]);
    assert_eq!(drained["jobs"], 300);
    let round = ["foreground", "--clients", "2", "--depth", "3", "--workers", "5"];
    let round = bench.measured(&[&round[..], &["--jobs", "700", "-f", "wait"]].concat());
    assert_eq!(round["jobs"], 700);
    let timed = ["foreground", "--duration", "200ms", "--warmup", "50ms", "-f", "wait"];
    assert!(bench.measured(&timed)["jobs"].as_u64() > Some(0));

    let table = bench.bench(&["submit", "--jobs", "100"]);
    let table = String::from_utf8(table.stdout).expect("text");
    assert!(
        table.starts_with("submit: 1 connections, 1 under way on each\n100 jobs in "),
        "{table}"
    );
    let wrong = bench.bench(&["foreground", "--keys", "3"]);
    assert_eq!(wrong.status.code(), Some(2));
}
