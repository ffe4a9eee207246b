//! The memcached client as a user meets it, against a server of this program on a socket.

use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A server in a folder of one test.
struct Server {
    folder: PathBuf,
    socket: String,
    child: Child,
}

impl Server {
    fn start(name: &str) -> Self {
        let folder = format!("storytime-mc-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        std::fs::create_dir_all(&folder).expect("a folder for the test");
        let socket = folder.join("socket").display().to_string();
        let child = Command::new(env!("CARGO_BIN_EXE_storytime"))
            .current_dir(&folder)
            .args(["memcached", "-u", "root", "-t", "1", "-s", &socket])
            .stderr(Stdio::null())
            .spawn()
            .expect("the server starts");
        let deadline = Instant::now() + Duration::from_secs(30);
        while UnixStream::connect(&socket).is_err() {
            assert!(Instant::now() < deadline, "the server listens");
            std::thread::sleep(Duration::from_millis(10));
        }
        Self { folder, socket, child }
    }

    fn mc(&self, words: &[&str]) -> Output {
        mc(&[&["-s", &self.socket], words].concat())
    }

    /// What is printed, and the exit status.
    fn said(&self, words: &[&str]) -> (String, Option<i32>) {
        let ran = self.mc(words);
        (String::from_utf8(ran.stdout).expect("text"), ran.status.code())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _status = self.child.wait();
        let _gone = std::fs::remove_dir_all(&self.folder);
    }
}

fn mc(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_storytime"));
    command.arg("mc").args(words).output().expect("the program starts")
}

fn said(text: &str, code: i32) -> (String, Option<i32>) {
    (text.to_owned(), Some(code))
}

#[test]
fn values_are_stored_read_counted_and_deleted() {
    let server = Server::start("values");
    assert_eq!(server.said(&["get", "k"]), said("", 1));
    assert_eq!(server.said(&["set", "k", "hello", "--flags", "7"]), said("", 0));
    assert_eq!(server.said(&["get", "k"]), said("hello\n", 0));
    assert_eq!(server.said(&["get", "none", "k"]), said("hello\n", 1));
    assert_eq!(server.said(&["add", "k", "x"]), said("", 1));
    assert_eq!(server.said(&["append", "k", "!"]), said("", 0));
    let (gets, code) = server.said(&["gets", "k"]);
    assert!(gets.ends_with(" 7 hello!\n") && code == Some(0), "{gets}");
    let version = gets.split(' ').next().expect("a version");
    assert_eq!(server.said(&["cas", "999999", "k", "x"]), said("", 1));
    assert_eq!(server.said(&["cas", version, "k", "5"]), said("", 0));
    assert_eq!(server.said(&["incr", "k", "3"]), said("8\n", 0));
    assert_eq!(server.said(&["decr", "k", "100"]), said("0\n", 0));
    assert_eq!(server.said(&["touch", "60", "k"]), said("", 0));
    assert_eq!(server.said(&["delete", "k"]), said("", 0));
    assert_eq!(server.said(&["delete", "k"]), said("", 1));
    assert_eq!(server.said(&["flush"]), said("", 0));
    let (stats, _) = server.said(&["stats"]);
    assert!(stats.contains("STAT curr_items "), "{stats}");
    assert!(server.said(&["version"]).0.starts_with("VERSION "));
}

#[test]
fn a_value_may_come_from_standard_input_and_be_large() {
    let server = Server::start("stdin");
    let value: Vec<u8> = (0..900_000).map(|n| (n % 251) as u8).collect();
    let mut child = Command::new(env!("CARGO_BIN_EXE_storytime"))
        .args(["mc", "-s", &server.socket, "set", "big", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("the program starts");
    child.stdin.take().expect("it was piped").write_all(&value).expect("it reads");
    assert!(child.wait().expect("it ends").success());
    let got = server.mc(&["get", "big"]).stdout;
    assert_eq!(got[..value.len()], value);
}

#[test]
fn what_goes_wrong_is_said_with_what_to_do_next() {
    let refused = mc(&["-s", "/nowhere/socket", "get", "k"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("/nowhere/socket"));
    for words in
        [&["-s", ":1", "get", "k"][..], &["get"], &["frobnicate"], &["load", "--ratio", "x"]]
    {
        let wrong = mc(words);
        assert_eq!(wrong.status.code(), Some(2), "{words:?}");
        assert!(String::from_utf8_lossy(&wrong.stderr).contains("--help"), "{words:?}");
    }
}

#[test]
fn load_is_generated_measured_and_verified() {
    let server = Server::start("load");
    for rate in [None, Some("2000")] {
        let mut words = vec![
            "load",
            "--json",
            "--fill",
            "--verify",
            "--keys",
            "100",
            "--ops",
            "500",
            "-c",
            "3",
            "--value-bytes",
            "0-3000",
            "--skew",
            "zipf",
            "--multiget",
            "3",
        ];
        words.extend(rate.iter().flat_map(|rate| ["--rate", rate]));
        let ran = server.mc(&words);
        assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stderr));
        let found: serde_json::Value = serde_json::from_slice(&ran.stdout).expect("it is JSON");
        assert_eq!(found["requests"], 500);
        let gets = found["gets"]["requests"].as_u64().expect("a number");
        assert_eq!(found["hits"], gets * 3, "every key was stored before");
        assert_eq!((&found["misses"], &found["wrong_values"]), (&0.into(), &0.into()));
        assert_eq!(found["open_loop"], rate.is_some());
    }
    let (table, code) = server.said(&["top", "--once"]);
    assert!(code == Some(0) && table.contains("ops/s") && table.lines().count() == 2, "{table}");
}
