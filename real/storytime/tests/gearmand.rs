//! gearmand as a program: what it does around its server.

mod outside;

use outside::{kill, wait_until};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use storytime_real::{Running, nobodys_address};

/// A folder of the test's own, removed at its end, and an address.
struct Place {
    folder: PathBuf,
    at: SocketAddr,
}

impl Place {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("gearmand-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        Self { folder, at: nobodys_address() }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_storytime"));
        command.arg("gearmand").args(line.split_whitespace());
        command.current_dir(&self.folder).stdin(Stdio::null());
        command
    }

    fn run(&self, line: &str) -> Output {
        self.command(line).output().expect("the program starts")
    }

    /// Where it is told to listen, as words.
    fn words(&self) -> String {
        format!("--listen={} --port={}", self.at.ip(), self.at.port())
    }

    /// Starts a server and waits until it listens.
    fn serve(&self, line: &str) -> Running {
        let mut command = self.command(&format!("{} {line}", self.words()));
        let child = command.spawn().expect("the program starts");
        let server = Running(child);
        wait_until("it listens", || TcpStream::connect(self.at).is_ok());
        server
    }

    fn ask(&self, line: &str) -> String {
        let mut stream = TcpStream::connect(self.at).expect("it listens");
        stream.write_all(format!("{line}\r\n").as_bytes()).expect("it listens");
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).expect("it answers in text");
        answer
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Waits for the end after a signal; its exit status.
fn end(mut server: Running, signal: &str) -> Option<i32> {
    kill(server.0.id(), signal);
    server.0.wait().expect("it was started").code()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_default()
}

#[test]
fn the_command_line_of_the_originals_tests_starts_it_and_a_signal_ends_it() {
    let place = Place::new("harness");
    let server = place.serve("--verbose=INFO --log-file=log --pid-file=pid -u root");
    assert_eq!(read(&place.file("pid")), format!("{}\n", server.0.id()));
    assert_eq!(place.ask("version"), "OK 1.1.20\n");
    assert_eq!(place.ask("verbose"), "OK INFO\n");
    assert_eq!(place.ask("getpid"), format!("OK {}\n", server.0.id()));
    let again = place.run(&place.words());
    assert_eq!(again.status.code(), Some(1), "the port is taken");
    assert!(text(&again.stderr).contains("is the port taken?"));
    assert_eq!(end(server, "-TERM"), Some(0));
    assert!(!place.file("pid").exists(), "it leaves nothing behind");
    assert!(read(&place.file("log")).contains("SIGTERM"), "it tells why it ended");
}

#[test]
fn a_daemon_listens_when_its_starter_returns() {
    let place = Place::new("daemon");
    let ran = place.run(&format!("-d -P pid -l log {}", place.words()));
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    let pid: u32 = read(&place.file("pid")).trim().parse().expect("a number");
    assert_eq!(place.ask("getpid"), format!("OK {pid}\n"));
    let again = place.run(&format!("-d {}", place.words()));
    assert_eq!(again.status.code(), Some(1), "the starter hears that the port is taken");
    kill(pid, "-TERM");
    wait_until("the daemon ends", || !place.file("pid").exists());
}

#[test]
fn it_can_be_told_to_end_when_all_have_gone() {
    let place = Place::new("graceful");
    let mut server = place.serve("-l none");
    let client = TcpStream::connect(place.at).expect("it listens");
    // Taken, and not only in the queue.
    assert!(place.ask("workers").contains("127."));
    kill(server.0.id(), "-USR1");
    wait_until("it takes no more", || TcpStream::connect(place.at).is_err());
    assert_eq!(server.0.try_wait().expect("it was started"), None, "somebody is there still");
    drop(client);
    assert_eq!(server.0.wait().expect("it was started").code(), Some(0));
}

#[test]
fn a_log_that_was_moved_away_begins_anew() {
    let place = Place::new("log");
    let server = place.serve("-l log --verbose INFO --threads 4");
    assert!(read(&place.file("log")).contains("--threads has no effect"));
    std::fs::rename(place.file("log"), place.file("log.1")).expect("it is there");
    kill(server.0.id(), "-HUP");
    wait_until("a new log", || place.file("log").exists());
    assert_eq!(end(server, "-INT"), Some(0));
    assert!(read(&place.file("log")).contains("SIGINT"));
}

#[test]
fn flags_come_from_a_file_too_and_the_port_from_the_environment() {
    let place = Place::new("config");
    let words = place.words().replace('=', " ");
    std::fs::write(place.file("flags"), format!("{words}\n--verbose DEBUG\n")).expect("a folder");
    let mut command = place.command("--config-file=flags -l none");
    let server = Running(command.spawn().expect("the program starts"));
    wait_until("it listens", || TcpStream::connect(place.at).is_ok());
    assert_eq!(place.ask("verbose"), "OK DEBUG\n");
    drop(server);
    let missing = place.run("--check-args --config-file=nothing");
    assert_eq!(missing.status.code(), Some(1));
    assert!(text(&missing.stderr).contains("Could not open configuration file."));
    let mut command = place.command(&format!("-l none --listen {}", place.at.ip()));
    let port = place.at.port().to_string();
    let server = Running(command.env("GEARMAND_PORT", port).spawn().expect("the program starts"));
    wait_until("it listens", || TcpStream::connect(place.at).is_ok());
    drop(server);
}

#[test]
fn mistakes_end_it_with_the_originals_status_and_words() {
    let place = Place::new("mistakes");
    for (line, said) in [
        ("--bogus", "unrecognised option '--bogus'"),
        ("-vvv", "please use --verbose"),
        ("--check-args --verbose=BAD", "Invalid value for --verbose supplied"),
        ("-P nothing/pid", "Could not open pid file for writing"),
        ("-q nonesuch", "Error while initializing the queue : nonesuch"),
        ("-L 192.0.2.1 -p 4799", "not this host's address"),
        ("-L name.invalid", "cannot listen"),
    ] {
        let ran = place.run(line);
        assert_eq!(ran.status.code(), Some(1), "{line}");
        let told = text(&ran.stderr);
        assert!(told.contains(said), "{line}: {told}");
    }
    if text(&Command::new("id").arg("-u").output().expect("id is everywhere").stdout) == "0\n" {
        // Nobody else may become somebody else, and so is not asked who.
        let ran = place.run("-u nobody-of-that-name");
        assert!(text(&ran.stderr).contains("Could not find user"));
        assert_eq!(ran.status.code(), Some(1));
    }
    let checked = place.run("--check-args --ssl --threads=10 -h");
    assert_eq!((checked.status.code(), checked.stdout.len()), (Some(0), 0));
    for (line, said) in [("--help", "gearadmin --status"), ("-V", "gearmand 1.1.20")] {
        let ran = place.run(line);
        assert_eq!(ran.status.code(), Some(0));
        assert!(text(&ran.stdout).contains(said), "{line}");
    }
}

#[test]
fn it_listens_at_a_name_and_goes_by_its_own_when_called_by_it() {
    let place = Place::new("name");
    let link = place.file("gearmand");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_storytime"), &link).expect("a folder");
    let mut command = Command::new(&link);
    // A free port, which nobody can ask for: the log tells.
    command.args(["-L", "localhost", "-p", "0", "-l", "log", "--verbose", "INFO"]);
    let server = Running(command.current_dir(&place.folder).spawn().expect("the program starts"));
    wait_until("it listens", || read(&place.file("log")).contains("listening at=127.0.0.1:"));
    assert_eq!(end(server, "-TERM"), Some(0));
}

/// Another of the program's commands, beside a server.
fn beside(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_storytime"));
    command.args(words).stdin(Stdio::null());
    command
}

/// A worker that makes text loud, and ends after one job.
fn shouter(at: SocketAddr) -> Running {
    let (ip, port) = (at.ip().to_string(), at.port().to_string());
    let words = ["gearman", "-h", &ip, "-p", &port, "-w", "-c", "1", "-f", "shout", "--"];
    let mut command = beside(&words);
    Running(command.args(["tr", "a-z", "A-Z"]).spawn().expect("the program starts"))
}

fn shout(at: SocketAddr, key: &str, word: &str) -> String {
    let (ip, port) = (at.ip().to_string(), at.port().to_string());
    let words = ["gearman", "-h", &ip, "-p", &port, "-f", "shout", "-u", key, word];
    text(&beside(&words).output().expect("the program starts").stdout)
}

#[test]
fn a_result_in_memcached_needs_no_worker_again() {
    let place = Place::new("results");
    let cache = nobodys_address();
    let (ip, port) = (cache.ip().to_string(), cache.port().to_string());
    let memcached = beside(&["memcached", "-l", &ip, "-p", &port, "-t", "1", "-u", "root"])
        .spawn()
        .map(Running)
        .expect("the program starts");
    wait_until("it listens", || TcpStream::connect(cache).is_ok());
    let server = place.serve(&format!("-l none --result-cache {cache}"));
    let mut worker = shouter(place.at);
    assert_eq!(shout(place.at, "key", "hello"), "HELLO");
    assert!(worker.0.wait().expect("it was started").success());
    assert_eq!(shout(place.at, "key", "hello"), "HELLO", "nobody is there to work");
    drop(memcached);
    let mut worker = shouter(place.at);
    assert_eq!(shout(place.at, "key", "hello"), "HELLO", "the cache is gone, and is not missed");
    assert!(worker.0.wait().expect("it was started").success());
    drop(server);
}

/// What comes back to a request, to the end of the connection.
fn http(at: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(at).expect("it listens");
    stream.write_all(request.as_bytes()).expect("it listens");
    let mut answer = String::new();
    let mut stream = BufReader::new(stream);
    std::io::Read::read_to_string(&mut stream, &mut answer).expect("it answers in text");
    answer
}

#[test]
fn jobs_come_over_http_and_counters_go() {
    let place = Place::new("http");
    let web = SocketAddr::new(place.at.ip(), 22_480);
    let server = place.serve("-l none --http-port 22480");
    let mut worker = shouter(place.at);
    let post = "POST /shout HTTP/1.1\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello";
    let answer = http(web, post);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("HELLO"), "{answer}");
    assert!(worker.0.wait().expect("it was started").success());
    let counters = http(web, "GET /metrics HTTP/1.0\r\n\r\n");
    assert!(counters.contains("\ngearmand_http_requests 2\n"), "{counters}");
    drop(server);
}

#[test]
fn tenants_are_read_from_their_file() {
    let place = Place::new("tenants");
    std::fs::write(place.file("tenants"), "shop horse\n").expect("a folder");
    let server = place.serve("-l none --tenants tenants");
    assert_eq!(place.ask("status"), "ERR NOT_AUTHORIZED\r\n");
    assert_eq!(place.ask("tenant shop horse"), "OK\r\n");
    drop(server);
    for (file, said) in
        [("nothing", "No such file"), ("wrong", "--tenants wrong:1:5: a line is NAME SECRET")]
    {
        std::fs::write(place.file("wrong"), "shop\n").expect("a folder");
        let ran = place.run(&format!("{} --tenants {file}", place.words()));
        assert_eq!(ran.status.code(), Some(1), "{file}");
        assert!(text(&ran.stderr).contains(said), "{}", text(&ran.stderr));
    }
}

/// One of the tools, as this tenant.
fn tool(place: &Place, words: &[&str], tenant: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_storytime"));
    let (host, port) = (place.at.ip().to_string(), place.at.port().to_string());
    match words[0] {
        "gearman-bench" => command.args(words).args(["--server", &place.at.to_string()]),
        tool => command.args([tool, "-h", &host, "-p", &port]).args(&words[1..]),
    };
    let command = command.env("GEARMAN_TENANT", tenant).stdin(Stdio::null());
    command.output().expect("it starts")
}

#[test]
fn the_tools_say_as_whose_they_ask_and_work() {
    let place = Place::new("whose");
    std::fs::write(place.file("tenants"), "shop horse\n* all\n").expect("a folder");
    let server = place.serve("-l none --tenants tenants");
    let submit = ["gearman", "-b", "-s", "-f", "f"];
    let work = ["gearman", "-w", "-c", "1", "-f", "f", "--", "true"];
    let status = ["gearadmin", "--status"];
    let bench = ["gearman-bench", "submit", "--jobs", "5", "--function", "b"];
    for words in [&submit[..], &status, &bench] {
        // A load asks nothing of who it is before it is refused.
        let who = if words == bench { &["shop:cow"][..] } else { &["", "shop:cow"] };
        for tenant in who {
            let ran = tool(&place, words, tenant);
            let told = text(&ran.stderr);
            assert_eq!(ran.status.code(), Some(1), "{words:?} {tenant}: {told}");
            assert!(told.contains("GEARMAN_TENANT"), "{words:?} {tenant}: {told}");
            assert!(!told.contains("cow"), "secrets are not shown: {told}");
        }
        let wrong = tool(&place, words, "shop");
        assert!(!wrong.status.success(), "{words:?}");
        assert!(text(&wrong.stderr).contains("GEARMAN_TENANT is not NAME:SECRET"), "{words:?}");
    }
    for words in [&submit[..], &bench] {
        let ran = tool(&place, words, "shop:horse");
        assert_eq!(ran.status.code(), Some(0), "{words:?}: {}", text(&ran.stderr));
    }
    let shown = |tenant| text(&tool(&place, &status, tenant).stdout);
    assert_eq!(shown("shop:horse"), "f\t1\t0\t0\nb\t5\t0\t0\n.\n");
    assert_eq!(shown("*:all"), "shop/f\t1\t0\t0\nshop/b\t5\t0\t0\n.\n");
    assert_eq!(tool(&place, &work, "shop:horse").status.code(), Some(0));
    assert_eq!(shown("shop:horse"), "f\t0\t0\t0\nb\t5\t0\t0\n.\n");
    drop(server);
}

#[test]
fn tenants_are_read_again_when_it_is_told_to() {
    let place = Place::new("again");
    let write = |text: &str| std::fs::write(place.file("tenants"), text).expect("a folder");
    write("shop horse\n");
    let server = place.serve("-l log --verbose INFO --tenants tenants");
    let stays = TcpStream::connect(place.at).expect("it listens");
    let asks = |line: &str| {
        let mut answer = String::new();
        (&stays).write_all(format!("{line}\r\n").as_bytes()).expect("it listens");
        BufReader::new(&stays).read_line(&mut answer).expect("it answers in text");
        answer
    };
    assert_eq!(asks("tenant shop horse"), "OK\r\n");
    write("shop horse jobs=many\nblog staple\n");
    kill(server.0.id(), "-HUP");
    let wrong = "--tenants tenants:1:12: a quota is jobs=N or bytes=N[k|m|g], without spaces; the \
        tenants stay as they were";
    wait_until("it says what is wrong", || read(&place.file("log")).contains(wrong));
    assert_eq!(place.ask("tenant blog staple"), "ERR NOT_AUTHORIZED\r\n");
    write("shop horse\nblog staple\n");
    kill(server.0.id(), "-HUP");
    wait_until("it is read", || place.ask("tenant blog staple") == "OK\r\n");
    assert_eq!(asks("status"), ".\n", "the connection stays what it was");
    assert_eq!(end(server, "-TERM"), Some(0));
}
