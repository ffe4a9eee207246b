//! memcached as a program: what it does around its server.

mod outside;

use outside::{PATIENCE, kill, wait_until};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use storytime_real::Running;

/// A folder of the test's own, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("mc-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("a temporary folder");
        Self(path)
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_storytime"));
        command.args(["memcached", "-u", "root", "-t", "2"]).args(line.split_whitespace());
        command.current_dir(&self.0);
        command
    }

    fn run(&self, line: &str) -> Output {
        self.command(line).output().expect("the program starts")
    }

    /// Starts a server on a unix socket and waits until it listens.
    fn serve(&self, line: &str) -> Running {
        let mut command = self.command(&format!("-s socket {line}"));
        let child = command.stderr(Stdio::piped()).spawn().expect("the program starts");
        let server = Running(child);
        let _ = self.connect();
        server
    }

    fn connect(&self) -> UnixStream {
        let began = Instant::now();
        loop {
            match UnixStream::connect(self.0.join("socket")) {
                Ok(stream) => return stream,
                Err(why) => assert!(began.elapsed() < PATIENCE, "{why}"),
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn ask(&self, request: &str) -> String {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).expect("it listens");
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).expect("it answers in text");
        line
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Sends a signal, waits for the end, and returns status and log.
fn end(mut server: Running, signal: &str) -> (Option<i32>, String) {
    kill(server.0.id(), signal);
    let status = server.0.wait().expect("it was started");
    let mut log = String::new();
    let mut stderr = server.0.stderr.take().expect("it was piped");
    stderr.read_to_string(&mut log).expect("logs are text");
    (status.code(), log)
}

#[test]
fn a_daemon_listens_when_its_starter_returns_and_leaves_nothing_behind() {
    let folder = Folder::new("daemon");
    let ran = folder.run("-d -P pid -s socket");
    assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stderr));
    let pid = std::fs::read_to_string(folder.0.join("pid")).expect("it was written");
    let pid: u32 = pid.trim().parse().expect("a number");
    let stream = UnixStream::connect(folder.0.join("socket")).expect("it listens already");
    let again = folder.run("-d -s socket");
    assert_eq!(again.status.code(), Some(1), "the starter hears that the socket is taken");
    drop(stream);
    kill(pid, "-TERM");
    wait_until("the daemon ends", || !folder.0.join("pid").exists());
    wait_until("its socket goes", || !folder.0.join("socket").exists());
}

#[test]
fn the_socket_has_the_permissions_asked_for() {
    let folder = Folder::new("mask");
    let server = folder.serve("-a 750");
    let found = std::fs::metadata(folder.0.join("socket")).expect("it is there");
    assert_eq!(found.permissions().mode() & 0o777, 0o750);
    assert_eq!(end(server, "-INT").0, Some(0));
}

#[test]
fn ports_that_were_bound_are_written_for_whoever_waits() {
    let folder = Folder::new("ports");
    let mut command = folder.command("-l 127.0.0.1 -p -1 -U -1");
    let file = folder.0.join("ports");
    let child = command.env("MEMCACHED_PORT_FILENAME", &file).stderr(Stdio::piped()).spawn();
    let server = Running(child.expect("the program starts"));
    wait_until("the file appears", || file.exists());
    let lines = std::fs::read_to_string(&file).expect("it is there");
    let ports: Vec<_> = lines.lines().filter_map(|line| line.split_once(" INET: ")).collect();
    assert_eq!(ports.iter().map(|(what, _)| *what).collect::<Vec<_>>(), ["TCP", "UDP"]);
    let tcp: u16 = ports[0].1.parse().expect("a number");
    std::net::TcpStream::connect(("127.0.0.1", tcp)).expect("that port is served");
    assert_eq!(end(server, "-TERM").0, Some(0));
}

#[test]
fn a_graceful_end_keeps_the_data_and_any_other_does_not() {
    let folder = Folder::new("restart");
    let first = folder.serve("-e ./memory");
    assert_eq!(folder.ask("set talk 0 0 9\r\nstorytime\r\n"), "STORED\r\n");
    let (status, log) = end(first, "-USR1");
    assert_eq!(status, Some(0), "{log}");
    assert!(log.contains("1 items are in the memory file"), "{log}");
    let second = folder.serve("-e ./memory");
    assert_eq!(folder.ask("get talk\r\n"), "VALUE talk 0 9\r\n");
    assert!(!folder.0.join("memory").exists() && !folder.0.join("memory.meta").exists());
    assert_eq!(end(second, "-TERM").0, Some(0));
    let third = folder.serve("-e ./memory");
    assert_eq!(folder.ask("get talk\r\n"), "END\r\n");
    assert_eq!(end(third, "-USR1").0, Some(0));
    std::fs::write(folder.0.join("memory.meta"), "mine").expect("it can be written");
    let refused = folder.run("-e ./memory -s other");
    assert_eq!(refused.status.code(), Some(1), "{}", String::from_utf8_lossy(&refused.stderr));
}

#[test]
fn secrets_are_read_again_on_demand() {
    let folder = Folder::new("users");
    let write = |line: &str| std::fs::write(folder.0.join("users"), line).expect("a new file");
    write("lj:goat\n");
    let server = folder.serve("-Y users");
    let log_in = |word: &str| folder.ask(&format!("set x 0 0 {}\r\n{word}\r\n", word.len()));
    assert_eq!(log_in("lj goat"), "STORED\r\n");
    write("lj:frank\n");
    kill(server.0.id(), "-HUP");
    wait_until("the new password counts", || log_in("lj frank") == "STORED\r\n");
    assert_eq!(log_in("lj goat"), "CLIENT_ERROR authentication failure\r\n");
    assert_eq!(end(server, "-TERM").0, Some(0));
}

#[test]
fn what_cannot_be_had_is_refused_before_anything_is_served() {
    let folder = Folder::new("refused");
    std::fs::write(folder.0.join("empty"), "").expect("a new file");
    for (line, says) in [
        ("-Y nowhere", "nowhere"),
        ("-Z -o ssl_chain_cert=nowhere", "no certificate can be read from nowhere"),
        ("-Z -o ssl_chain_cert=empty", "empty holds no certificate in PEM form"),
    ] {
        let ran = folder.run(line);
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert_eq!(ran.status.code(), Some(2), "{line}: {said}");
        assert!(said.contains(says), "{line}: {said}");
    }
}
