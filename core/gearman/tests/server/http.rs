//! Jobs and counters over HTTP.

use crate::rig::{Rig, config};
use storytime_gearman::Command;
use storytime_gearman::server::HEAD_BYTES_MAX;
use storytime_machine::{Exit, Signal};
use storytime_sim::enumerate::Client;

const PORT: u16 = 8080;

/// A server that speaks HTTP, too.
pub(crate) fn rig(line: &str) -> Rig {
    let mut rig = Rig::new(&format!("-r http {line}"));
    assert!(rig.lone.run_until(|lone| lone.listens(PORT)), "it listens");
    rig
}

pub(crate) fn web(rig: &mut Rig) -> Client {
    rig.lone.connect(PORT).expect("it listens")
}

/// What came back to a request.
pub(crate) fn ask(rig: &mut Rig, client: Client, request: &str) -> String {
    rig.lone.send(client, request.as_bytes());
    told(rig, client)
}

pub(crate) fn told(rig: &mut Rig, client: Client) -> String {
    assert_eq!(rig.lone.broken(), None);
    let bytes = core::mem::take(rig.lone.received(client));
    String::from_utf8(bytes.to_vec()).expect("text")
}

/// A job with a body.
fn post(function: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("POST /{function} HTTP/1.1\r\nContent-Length: {length}\r\n{headers}\r\n{body}")
}

/// The first line, and the body.
pub(crate) fn short(answer: &str) -> (String, String) {
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head ends");
    let status = head.lines().next().expect("a status").to_owned();
    (status.trim_start_matches("HTTP/1.1 ").to_owned(), body.to_owned())
}

pub(crate) fn has(answer: &str, header: &str) -> bool {
    answer.lines().take_while(|line| !line.is_empty()).any(|line| line == header)
}

#[test]
fn a_job_is_run_and_its_result_is_the_answer() {
    let mut rig = rig("");
    let (client, worker) = (web(&mut rig), rig.open());
    assert_eq!(ask(&mut rig, client, &post("f", "X-Gearman-Unique: u\r\n", "data")), "");
    rig.say(worker, "CAN_DO f");
    assert_eq!(rig.say(worker, "GRAB_JOB_UNIQ"), "JOB_ASSIGN_UNIQ H:1 f u data");
    rig.say(worker, "WORK_STATUS H:1 1 2\nWORK_WARNING H:1 careful\nWORK_COMPLETE H:1 result");
    let answer = told(&mut rig, client);
    assert_eq!(short(&answer), ("200 OK".into(), "result".into()));
    assert!(has(&answer, "Content-Length: 6") && has(&answer, "X-Gearman-Job-Handle: H:1"));
    assert!(has(&answer, "X-Gearman-Command: WORK_COMPLETE"), "{answer}");
    assert!(rig.lone.is_open(client), "for the next one");
    ask(&mut rig, client, "GET /f HTTP/1.1\r\n\r\n");
    assert_eq!(rig.say(worker, "GRAB_JOB"), "JOB_ASSIGN H:2 f _");
    rig.say(worker, "WORK_COMPLETE H:2 _");
    assert_eq!(short(&told(&mut rig, client)), ("200 OK".into(), String::new()));
}

#[test]
fn data_before_the_result_comes_in_chunks() {
    let mut rig = rig("");
    let (client, worker) = (web(&mut rig), rig.open());
    ask(&mut rig, client, &post("f", "", ""));
    rig.say(worker, "CAN_DO f\nGRAB_JOB\nWORK_DATA H:1 part");
    let answer = told(&mut rig, client);
    assert_eq!(short(&answer), ("200 OK".into(), "4\r\npart\r\n".into()));
    assert!(has(&answer, "Transfer-Encoding: chunked"), "{answer}");
    rig.say(worker, "WORK_COMPLETE H:1 the end");
    assert_eq!(told(&mut rig, client), "7\r\nthe end\r\n0\r\n\r\n");
    let old = "PUT /f HTTP/1.0\r\nContent-Length: 0\r\n\r\n";
    ask(&mut rig, client, &old.replace("1.0", "1.1"));
    let old_client = web(&mut rig);
    ask(&mut rig, old_client, old);
    rig.say(
        worker,
        "GRAB_JOB\nWORK_COMPLETE H:2 _\nGRAB_JOB\nWORK_DATA H:3 a\nWORK_COMPLETE H:3 b",
    );
    let answer = told(&mut rig, old_client);
    assert_eq!(short(&answer).1, "ab", "HTTP/1.0 knows no chunks");
    assert!(has(&answer, "Connection: close") && !rig.lone.is_open(old_client));
}

#[test]
fn failures_are_failures() {
    let mut rig = rig("");
    let (client, worker) = (web(&mut rig), rig.open());
    rig.say(worker, "CAN_DO f");
    ask(&mut rig, client, &post("f", "", ""));
    rig.say(worker, "GRAB_JOB\nWORK_FAIL H:1");
    let answer = told(&mut rig, client);
    assert_eq!(short(&answer).0, "500 Internal Server Error");
    assert!(has(&answer, "X-Gearman-Command: WORK_FAIL"), "{answer}");
    ask(&mut rig, client, &post("f", "", ""));
    rig.say(worker, "GRAB_JOB\nWORK_EXCEPTION H:2 no such photo");
    let answer = told(&mut rig, client);
    assert_eq!(short(&answer), ("500 Internal Server Error".into(), "no such photo".into()));
    ask(&mut rig, client, &post("f", "", ""));
    rig.say(worker, "GRAB_JOB\nWORK_DATA H:3 part\nWORK_FAIL H:3");
    assert!(!rig.lone.is_open(client), "a part is not the whole");
    assert!(!told(&mut rig, client).ends_with("0\r\n\r\n"));
}

#[test]
fn a_background_job_is_accepted_at_once() {
    let mut rig = rig("");
    let (client, worker) = (web(&mut rig), rig.open());
    let headers = "X-Gearman-Background: true\r\nX-Gearman-Priority: low\r\n";
    let two = post("f", headers, "a") + &post("f", "X-Gearman-Background: TRUE\r\n", "b");
    let answer = ask(&mut rig, client, &two);
    assert_eq!(answer.matches("HTTP/1.1 202 Accepted").count(), 2, "{answer}");
    assert!(has(&answer, "X-Gearman-Job-Handle: H:1"), "{answer}");
    rig.lone.reset(client);
    assert_eq!(rig.say(worker, "CAN_DO f\nGRAB_JOB"), "JOB_ASSIGN H:2 f b", "low goes last");
}

#[test]
fn requests_that_come_together_are_answered_one_after_the_other() {
    let mut rig = rig("");
    let (client, worker) = (web(&mut rig), rig.open());
    rig.say(worker, "CAN_DO f");
    let three: String = ["a", "b", "c"].map(|body| post("f", "", body)).concat();
    ask(&mut rig, client, &three);
    for (number, body) in [(1, "a"), (2, "b"), (3, "c")] {
        assert_eq!(rig.say(worker, "GRAB_JOB"), format!("JOB_ASSIGN H:{number} f {body}"));
        assert_eq!(rig.say(worker, "GRAB_JOB"), "NO_JOB", "one at a time");
        rig.say(worker, &format!("WORK_COMPLETE H:{number} {body}"));
        rig.lone.run_until(|lone| lone.is_idle());
        assert_eq!(short(&told(&mut rig, client)).1, body);
    }
}

#[test]
fn a_request_may_come_in_any_pieces() {
    let whole = post("resize%20it", "Expect: 100-continue\r\nX-Gearman-Unique: u\r\n", "body");
    for step in 1..whole.len() {
        let mut rig = rig("");
        let client = web(&mut rig);
        for piece in whole.as_bytes().chunks(step) {
            rig.lone.send(client, piece);
        }
        let worker = rig.open();
        let said = rig.say(worker, "CAN_DO resize it\nGRAB_JOB_UNIQ");
        assert!(said.starts_with("JOB_ASSIGN_UNIQ H:1 resize it u body"), "{step}: {said}");
        let told = told(&mut rig, client);
        assert!(told.is_empty() || told == "HTTP/1.1 100 Continue\r\n\r\n", "{step}: {told}");
    }
}

#[test]
fn who_hangs_up_waits_no_more() {
    let mut rig = rig("");
    let client = web(&mut rig);
    ask(&mut rig, client, &post("f", "", ""));
    assert_eq!(rig.counter("jobs"), 1);
    rig.lone.reset(client);
    assert_eq!(rig.counter("jobs"), 0);
}

#[test]
fn what_is_wrong_is_said_and_ends_the_connection() {
    let many = "X: y\r\n".repeat(70);
    let long = format!("X: {}\r\n", "y".repeat(HEAD_BYTES_MAX));
    let cases = [
        ("POST /f HTTP/1.1\r\n\r\n", "411"),
        ("POST /f HTTP/1.1\nContent-Length: 0\n\n", "400"),
        ("POST /f HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", "413"),
        ("POST /f HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n", "400"),
        ("POST /f HTTP/1.1\r\nContent-Length: +1\r\n\r\n", "400"),
        ("POST /f HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "400"),
        ("POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", "404"),
        ("GET / HTTP/1.1\r\n\r\n", "404"),
        ("GET /f?x=y HTTP/1.1\r\n\r\n", "400"),
        ("GET /%zz HTTP/1.1\r\n\r\n", "400"),
        ("GET /%00 HTTP/1.1\r\n\r\n", "400"),
        ("GET * HTTP/1.1\r\n\r\n", "400"),
        ("DELETE /f HTTP/1.1\r\n\r\n", "405"),
        ("HEAD /f HTTP/1.1\r\n\r\n", "405"),
        ("GET /f HTTP/2.0\r\n\r\n", "505"),
        ("GET /f HTTP/1.1\r\nExpect: tea\r\n\r\n", "417"),
        ("GET /f HTTP/1.1\r\nX-Gearman-Priority: urgent\r\n\r\n", "400"),
        ("GET /f HTTP/1.1\r\nX-Gearman-Background: perhaps\r\n\r\n", "400"),
        ("\0REQ\0\0\0\x07\0\0\0\x04f\0\0x", "400"),
        (&format!("GET /f HTTP/1.1\r\n{many}\r\n"), "431"),
        (&format!("GET /f HTTP/1.1\r\n{long}\r\n"), "431"),
    ];
    for (request, status) in cases {
        let mut rig = rig("--max-packet 1m");
        let client = web(&mut rig);
        let answer = ask(&mut rig, client, request);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {answer}");
        assert!(has(&answer, "Connection: close") && !rig.lone.is_open(client), "{request}");
        assert_eq!(rig.counter("jobs"), 0, "{request}");
    }
}

#[test]
fn what_the_queue_does_not_take_may_be_tried_again() {
    let mut rig = rig("");
    let (client, operator) = (web(&mut rig), rig.open());
    rig.send(operator, b"maxqueue f 1\n");
    let background = post("f", "X-Gearman-Background: true\r\n", "");
    assert_eq!(short(&ask(&mut rig, client, &background)).0, "202 Accepted");
    let answer = ask(&mut rig, client, &background);
    assert_eq!(short(&answer), ("503 Service Unavailable".into(), "Job queue is full\n".into()));
    assert!(has(&answer, "Retry-After: 1") && rig.lone.is_open(client));
    let unique = format!("X-Gearman-Unique: {}\r\n", "u".repeat(65));
    assert_eq!(short(&ask(&mut rig, client, &post("g", &unique, ""))).0, "400 Bad Request");
}

#[test]
fn counters_are_told_as_prometheus_reads_them() {
    let mut rig = rig("");
    let (client, worker) = (web(&mut rig), rig.open());
    rig.say(worker, "CAN_DO f\"x");
    rig.say(worker, "SUBMIT_JOB_BG f\"x _ y");
    let (status, body) = short(&ask(&mut rig, client, "GET /metrics HTTP/1.1\r\n\r\n"));
    assert_eq!(status, "200 OK");
    for line in [
        "# TYPE gearmand_submits counter",
        "gearmand_submits 1",
        "# TYPE gearmand_jobs gauge",
        "gearmand_jobs 1",
        "gearmand_function_jobs{function=\"f\\\"x\"} 1",
        "gearmand_function_workers{function=\"f\\\"x\"} 1",
    ] {
        assert!(body.lines().any(|one| one == line), "{line}: {body}");
    }
    let names: Vec<&str> = body.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    let mut once = names.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), names.len(), "a name is told once");
    let head = ask(&mut rig, client, "HEAD /metrics HTTP/1.1\r\nConnection: close\r\n\r\n");
    assert_eq!(short(&head).1, "");
    assert!(!rig.lone.is_open(client));
}

#[test]
fn a_server_that_is_to_end_finishes_its_requests() {
    let mut rig = rig("");
    let (client, idle, worker) = (web(&mut rig), web(&mut rig), rig.open());
    ask(&mut rig, client, &post("f", "", ""));
    rig.signal(Signal::User1);
    assert!(!rig.lone.is_open(idle));
    rig.say(worker, "CAN_DO f\nGRAB_JOB\nWORK_COMPLETE H:1 x");
    assert_eq!(short(&told(&mut rig, client)).0, "200 OK");
    assert!(!rig.lone.is_open(client));
    rig.lone.reset(worker);
    rig.lone.run_until(|lone| lone.exit().is_some());
    assert_eq!(rig.lone.exit(), Some(Exit::Stopped));
}

#[test]
fn it_is_spoken_where_it_is_asked_for() {
    assert_eq!(config("").http_port, None);
    assert_eq!(config("-r http").http_port, Some(8080));
    assert_eq!(config("--http-port 8090").http_port, Some(8090));
    assert_eq!(config("--protocol=http --http-port=8090").http_port, Some(8090));
    for wrong in ["-r gopher", "--http-port 0", "--http-port 4730", "-p 8080 -r http"] {
        let words: Vec<&str> = wrong.split_whitespace().collect();
        assert!(Command::from_words(&words).is_err(), "{wrong}");
    }
}

#[test]
fn who_asks_for_much_and_reads_nothing_is_not_read_from() {
    let mut rig = rig("");
    let client = web(&mut rig);
    rig.lone.set_reads(client, false);
    let asked = 2_000;
    let all = "GET /metrics HTTP/1.1\r\n\r\n".repeat(asked);
    rig.lone.send(client, all.as_bytes());
    assert!(rig.counter("http_requests") < asked as u64 / 2, "most of it waits");
    rig.lone.set_reads(client, true);
    rig.lone.run_until(|lone| lone.is_idle());
    assert_eq!(told(&mut rig, client).matches("HTTP/1.1 200 OK").count(), asked);
}

#[test]
fn the_answer_to_head_has_no_body_whatever_it_is() {
    let mut rig = rig("");
    let client = web(&mut rig);
    let answer = ask(&mut rig, client, "HEAD /f HTTP/1.1\r\n\r\n");
    assert_eq!(short(&answer), ("405 Method Not Allowed".into(), String::new()));
    assert!(has(&answer, "Content-Length: 33"), "as long as it would be: {answer}");
}
