//! The program as a user meets it: output, exit status, files.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A folder of one test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = format!("storytime-test-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(folder);
        std::fs::create_dir_all(&path).expect("a folder for the test");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

fn storytime(folder: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_storytime"));
    command.current_dir(folder).args(words).output().expect("the program starts")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("the program prints text")
}

#[test]
fn stories_are_listed_with_where_they_come_from() {
    let folder = Folder::new("stories");
    let listed = storytime(&folder.0, &["stories"]);
    assert!(listed.status.success());
    for word in ["add-a-server", "does-fsync-work", "LJ 37", "LJ 85"] {
        assert!(text(&listed.stdout).contains(word), "{word}");
    }
    let json = storytime(&folder.0, &["stories", "--json"]);
    assert!(text(&json.stdout).lines().all(|line| line.starts_with('{')));
}

#[test]
fn a_run_prints_one_json_object_writes_its_report_and_holds() {
    let folder = Folder::new("run");
    let ran = storytime(&folder.0, &["run", "does-fsync-work", "--json", "--seed", "3"]);
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    assert_eq!(text(&ran.stdout).lines().count(), 1);
    let object: serde_json::Value = serde_json::from_slice(&ran.stdout).expect("it is JSON");
    assert_eq!(
        (object["story"].as_str(), object["seed"].as_u64()),
        (Some("does-fsync-work"), Some(3))
    );
    let page = folder.0.join(object["report"].as_str().expect("a report was written"));
    let page = std::fs::read_to_string(page).expect("it can be read");
    assert!(page.starts_with("<!DOCTYPE html>") || page.starts_with("<!doctype html>"));
}

#[test]
fn what_is_wrong_is_said_and_exits_with_2() {
    let folder = Folder::new("wrong");
    let cases: [(&[&str], &str); 6] = [
        (&["run", "add-a-sever"], "did you mean `add-a-server`"),
        (&["run", "add-a-server", "--set", "load.web.kes=3"], "load.web.kes"),
        (&["run", "./missing.toml"], "missing.toml"),
        (&["replay", "missing.json"], "missing.json"),
        (&["memcached", "--bogus"], "bogus"),
        (&["frobnicate"], "frobnicate"),
    ];
    for (words, said) in cases {
        let ran = storytime(&folder.0, words);
        assert_eq!(ran.status.code(), Some(2), "{words:?}: {}", text(&ran.stderr));
        assert!(text(&ran.stderr).contains(said), "{words:?}: {}", text(&ran.stderr));
    }
}

/// A disk that lies under an expectation of honesty: the story must fail, or it proves nothing.
const CANARY: &str = "disk.ide.lies=drive";

#[test]
fn the_canary_fails_and_its_failure_replays_to_the_same_digest() {
    let folder = Folder::new("canary");
    let words = ["campaign", "does-fsync-work", "--seeds", "3", "--set", CANARY];
    let failed = storytime(&folder.0, &words);
    assert_eq!(failed.status.code(), Some(1), "{}", text(&failed.stdout));
    let kept = std::fs::read_dir(folder.0.join("failures")).expect("failures are kept");
    let file = kept.flatten().next().expect("at least one").path();
    let file = file.to_str().expect("a plain path");
    let replayed = storytime(&folder.0, &["replay", file]);
    assert_eq!(replayed.status.code(), Some(1), "it fails again");
    let said = text(&replayed.stdout);
    assert!(said.contains("same run, to the byte"), "{said}");
    let traced = storytime(&folder.0, &["replay", file, "--until", "50"]);
    assert!(text(&traced.stdout).lines().count() > 20, "{}", text(&traced.stdout));
}

#[test]
fn a_failure_of_another_build_says_so() {
    let folder = Folder::new("build");
    let words = ["campaign", "does-fsync-work", "--seeds", "1", "--set", CANARY];
    storytime(&folder.0, &words);
    let kept = std::fs::read_dir(folder.0.join("failures")).expect("failures are kept");
    let file = kept.flatten().next().expect("at least one").path();
    let failure = std::fs::read_to_string(&file).expect("it can be read");
    let mut object: serde_json::Value = serde_json::from_str(&failure).expect("it is JSON");
    object["build"] = "0.0.1-release-0123456789abcdef".into();
    std::fs::write(&file, object.to_string()).expect("it can be written");
    let replayed = storytime(&folder.0, &["replay", file.to_str().expect("a plain path")]);
    let said = text(&replayed.stdout);
    assert!(said.contains("another build") && said.contains("0.0.1-release"), "{said}");
}

#[test]
fn the_same_seeds_have_the_same_digests_in_another_process() {
    let folder = Folder::new("digests");
    for (story, file) in [("add-a-server", "a"), ("add-a-server", "b")] {
        let words = ["campaign", story, "--seeds", "20", "--jobs", "2", "--digests", file];
        assert_eq!(storytime(&folder.0, &words).status.code(), Some(0));
    }
    let read = |file| std::fs::read_to_string(folder.0.join(file)).expect("it was written");
    assert_eq!(read("a"), read("b"));
    assert_eq!(read("a").lines().count(), 20);
}

#[test]
fn memcached_serves_until_it_is_told_to_end() {
    let folder = Folder::new("memcached");
    let port = 21_987;
    let mut server = Command::new(env!("CARGO_BIN_EXE_storytime"))
        .args(["--host-ip", "127.0.79.1", "--log", "info", "memcached", "-t", "2", "-p"])
        .arg(port.to_string())
        .current_dir(&folder.0)
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let began = Instant::now();
    let mut stream = loop {
        match TcpStream::connect(("127.0.79.1", port)) {
            Ok(stream) => break stream,
            Err(why) => assert!(began.elapsed() < Duration::from_secs(20), "{why}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    stream.write_all(b"set talk 0 0 9\r\nstorytime\r\nget talk\r\n").expect("it listens");
    let mut lines = BufReader::new(&stream).lines();
    for expected in ["STORED", "VALUE talk 0 9", "storytime", "END"] {
        assert_eq!(lines.next().expect("it answers").expect("in text"), expected);
    }
    drop(stream);
    let pid = server.id().to_string();
    let told = Command::new("kill").args(["-TERM", &pid]).status().expect("kill is everywhere");
    assert!(told.success());
    assert_eq!(server.wait().expect("it was started").code(), Some(0));
    let mut logs = String::new();
    let mut stderr = server.stderr.take().expect("it was piped");
    stderr.read_to_string(&mut logs).expect("logs are text");
    assert!(!logs.contains("ERROR"), "{logs}");
}

#[test]
fn the_disk_checker_finds_an_honest_disk_after_a_kill() {
    let folder = Folder::new("diskcheck");
    let program = env!("CARGO_BIN_EXE_storytime");
    let start = |words: &[&str]| {
        let host = ["--host-ip", "127.0.79.2", "diskcheck"];
        let mut command = Command::new(program);
        command.args(host).args(words).current_dir(&folder.0).spawn().expect("it starts")
    };
    let mut recorder = start(&["record", "-p", "25400"]);
    let file = folder.0.join("disk/file");
    let file = file.to_str().expect("a plain path");
    let mut writer = start(&["write", "--recorder", "127.0.79.2:25400", file]);
    // Once the file is there the first flushes are a matter of milliseconds.
    let began = Instant::now();
    while !Path::new(file).exists() {
        assert!(began.elapsed() < Duration::from_secs(30), "the writer does not write");
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(1500));
    writer.kill().expect("it runs");
    writer.wait().expect("it was started");
    let words = ["diskcheck", "verify", "--recorder", "127.0.79.2:25400", file];
    let verified = storytime(&folder.0, &words);
    recorder.kill().expect("it runs");
    recorder.wait().expect("it was started");
    let said = text(&verified.stdout);
    assert_eq!(verified.status.code(), Some(0), "{said}{}", text(&verified.stderr));
    assert!(said.contains("honest"), "{said}");
}
