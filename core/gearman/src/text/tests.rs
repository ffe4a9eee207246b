//! Lines and what they are.

use super::*;
use crate::engine::Dialect::{Danga, Gearmand};
use bytes::BytesMut;

fn read(line: &str) -> Result<Request<'_>, Wrong<'_>> {
    Request::read(line.as_bytes(), Gearmand)
}

fn said(line: &str, dialect: crate::engine::Dialect) -> String {
    let mut out = BytesMut::new();
    match Request::read(line.as_bytes(), dialect) {
        Ok(request) => panic!("{line:?} is {request:?}"),
        Err(wrong) => wrong.say(dialect, &mut out),
    }
    String::from_utf8(out.to_vec()).expect("it is text")
}

#[test]
fn a_line_ends_with_lf_or_with_cr_lf() {
    assert_eq!(line(b"status\r\nx"), Line::Whole(6, 8));
    assert_eq!(line(b"status\nx"), Line::Whole(6, 7));
    assert_eq!(line(b"\r\n"), Line::Whole(0, 2));
    assert_eq!(line(b"\n"), Line::Whole(0, 1));
    assert_eq!(line(b"status\r"), Line::Partial);
    assert_eq!(line(&[b'x'; LINE_BYTES_MAX - 1]), Line::Partial);
    assert_eq!(line(&[b'x'; LINE_BYTES_MAX]), Line::TooLong);
    let mut late = [b'x'; LINE_BYTES_MAX + 1];
    late[LINE_BYTES_MAX] = b'\n';
    assert_eq!(line(&late), Line::TooLong, "where the end comes does not depend on the pieces");
}

#[test]
fn commands_are_read_without_case_and_with_more_words_than_they_need() {
    assert_eq!(read("STATUS"), Ok(Request::Status));
    assert_eq!(read("status "), Ok(Request::Status));
    assert_eq!(read("verbose x"), Ok(Request::Verbose));
    assert_eq!(read("Counters"), Ok(Request::Counters));
    assert_eq!(read("Show  Jobs"), Ok(Request::ShowJobs));
    assert_eq!(read("show unique jobs"), Ok(Request::ShowUniqueJobs));
    assert_eq!(read("cancel job H:a:1"), Ok(Request::CancelJob(b"H:a:1")));
    assert_eq!(read("create function  f"), Ok(Request::CreateFunction(b"f")));
    assert_eq!(read("drop function f"), Ok(Request::DropFunction(b"f")));
}

#[test]
fn limits_are_read_as_c_reads_them() {
    assert_eq!(read("maxqueue f"), Ok(Request::MaxQueue(b"f", [0; 3])));
    assert_eq!(read("maxqueue f 7"), Ok(Request::MaxQueue(b"f", [7; 3])));
    assert_eq!(read("maxqueue f 7 8"), Ok(Request::MaxQueue(b"f", [7, 8, 0])));
    assert_eq!(read("maxqueue f 7 8 9"), Ok(Request::MaxQueue(b"f", [7, 8, 9])));
    assert_eq!(read("maxqueue f -1"), Ok(Request::MaxQueue(b"f", [0; 3])));
    assert_eq!(read("maxqueue f 12x"), Ok(Request::MaxQueue(b"f", [12; 3])));
    assert_eq!(read("maxqueue f 99999999999"), Ok(Request::MaxQueue(b"f", [u32::MAX; 3])));
}

#[test]
fn who_watches_says_what_and_how_often() {
    let stats = |seconds| Ok(Request::Monitor(Watch::Stats { seconds }));
    for line in ["monitor", "MONITOR ", "monitor events"] {
        assert_eq!(read(line), Ok(Request::Monitor(Watch::Events)), "{line:?}");
    }
    assert_eq!((read("monitor stats"), read("monitor stats 60")), (stats(1), stats(60)));
    for line in ["monitor x", "monitor stats 0", "monitor stats x", "monitor stats 86401"] {
        assert_eq!(read(line), Err(Wrong::Incomplete(b"monitor")), "{line:?}");
    }
}

#[test]
fn what_is_no_command_is_told_as_the_original_tells_it() {
    let unknown = |word: &str| format!("ERR UNKNOWN_COMMAND Unknown+server+command{word}\r\n");
    for (line, word) in [
        ("a b c d e", "a"),
        (" status", ""),
        ("", ""),
        ("cancel", "cancel"),
        ("cancel job", "cancel"),
        ("show", "show"),
        ("version\tfoo", "version\tfoo"),
        ("shutdown", "shutdown"),
        ("nul\0in it", "nul"),
    ] {
        assert_eq!(said(line, Gearmand), unknown(word), "{line:?}");
    }
    for line in ["create function", "create function foo bar", "create", "create x y"] {
        assert_eq!(
            said(line, Gearmand),
            "ERR INVALID_ARGUMENTS An+incomplete+set+of+arguments+was+sent+to+this+command+create\
             \r\n"
        );
    }
    assert!(said("maxqueue", Gearmand).ends_with("+command+maxqueue\r\n"));
    assert_eq!(said("cancel foo H:x", Gearmand), "ERR UNKNOWN_ERROR\r\n");
    for line in ["show x", "show jobs x", "show unique"] {
        assert_eq!(said(line, Gearmand), "ERR UNKNOWN_SHOW_ARGUMENTS\r\n");
    }
    assert_eq!(said("a b c d e f", Gearmand), "", "hung up on");
    assert_eq!(read("maxqueue a 1 2 3 "), Err(Wrong::TooManyWords));
}

#[test]
fn the_perl_server_has_commands_and_words_of_its_own() {
    let danga = |line| Request::read(str::as_bytes(line), Danga);
    assert_eq!(danga("jobs"), Ok(Request::Jobs));
    assert_eq!(danga("clients"), Ok(Request::Clients));
    assert_eq!(danga("shutdown"), Ok(Request::Shutdown { graceful: false }));
    assert_eq!(danga("shutdown graceful"), Ok(Request::Shutdown { graceful: true }));
    assert_eq!(danga("status"), Ok(Request::Status));
    assert_eq!(read("jobs"), Err(Wrong::Unknown(b"jobs")));
    assert_eq!(said("what", Danga), "ERR unknown_command \r\n");
    assert_eq!(
        said("shutdown now", Danga),
        "ERR unknown_args Unknown+arguments+to+server+command\r\n"
    );
    assert!(said("maxqueue", Danga).starts_with("ERR incomplete_args An+incomplete+set"));
}
