//! Random steps. What is known to differ is left out here, and stands in the table.

use storytime_machine::Rng;

fn one_of<'a>(rng: &mut Rng, all: &[&'a str]) -> &'a str {
    all[rng.index(all.len())]
}

/// Lines, right and wrong; no function has jobs.
pub(crate) fn lines(rng: &mut Rng) -> String {
    let peer = one_of(rng, &["a", "b"]);
    let line = one_of(
        rng,
        &[
            "status",
            "STATUS ",
            "prioritystatus",
            "workers",
            "version",
            "verbose",
            "verbose x",
            "getpid",
            "show jobs",
            "show unique jobs",
            "show",
            "show x",
            "show jobs x",
            "show unique",
            "cancel",
            "cancel job",
            "cancel foo H:1",
            "cancel job H:1",
            "create",
            "create function f@\\r",
            "create function",
            "create function a b",
            "create x f@",
            "drop function f@",
            "drop function nothing",
            "drop",
            "maxqueue",
            "maxqueue other",
            "maxqueue other 1",
            "maxqueue other 1 2",
            "maxqueue other 1 2 3",
            "maxqueue other -1",
            "shutdown",
            "a b c d e",
            "  ",
            "",
            "\\r",
            "nonsense",
            "version\tx",
            "  status",
            "workers\\r",
        ],
    );
    if rng.index(12) == 0 {
        // Functions of a connection are listed, the one first that it named last.
        let function = one_of(rng, &["f@", "g@", "h@"]);
        return format!("{peer} AS {function} ECHO_REQ x");
    }
    if rng.index(12) == 0 {
        let id = one_of(rng, &["x", "a b", "long-long-long-name"]);
        return format!("{peer} SET_CLIENT_ID {id}");
    }
    format!("{peer} line {line}")
}

/// Packets that make no jobs, and bytes that are no packets.
pub(crate) fn packets(rng: &mut Rng) -> String {
    let peer = one_of(rng, &["a", "b", "c"]);
    let step = one_of(
        rng,
        &[
            "ECHO_REQ _",
            "ECHO_REQ some words",
            "OPTION_REQ exceptions",
            "OPTION_REQ EXCEPTIONS",
            "OPTION_REQ nothing",
            "OPTION_REQ _",
            "GET_STATUS H:x:1",
            "GET_STATUS nonsense",
            "GET_STATUS _",
            "GET_STATUS_UNIQUE nothing",
            "GRAB_JOB",
            "GRAB_JOB_UNIQ",
            "GRAB_JOB_ALL",
            "PRE_SLEEP",
            "RESET_ABILITIES",
            "CANT_DO f@",
            "ALL_YOURS",
            "NOOP",
            "NO_JOB",
            "JOB_CREATED x",
            "UNUSED",
            "STATUS_RES 1 2 3 4 5",
            "ERROR a b",
            "WORK_COMPLETE H:nothing:1 x",
            "WORK_FAIL H:nothing:1",
            "WORK_STATUS H:nothing:1 1 2",
            "WORK_DATA H:nothing:1 x",
            "WORK_WARNING H:nothing:1 x",
            "WORK_EXCEPTION H:nothing:1 x",
            "raw \\0FOO\\0\\0\\0\\x10\\0\\0\\0\\0",
            "raw \\0REQ\\0\\0\\0\\0\\0\\0\\0\\0",
            "raw \\0REQ\\0\\0\\0\\x2b\\0\\0\\0\\0",
            "raw \\0RES\\0\\0\\0\\x10\\0\\0\\0\\x01x",
            "raw \\0REQ\\0\\0\\0\\x09\\0\\0\\0\\x03abc",
            "line a b c d e f",
            "line version",
            "SET_CLIENT_ID me",
        ],
    );
    format!("{peer} {step}")
}

/// Jobs of two functions, one worker for each, no keys.
pub(crate) fn jobs(rng: &mut Rng) -> String {
    match rng.index(10) {
        0..=2 => submit(rng, "_"),
        3..=7 => {
            let (worker, function) = if rng.index(2) == 0 { ("w", "f@") } else { ("x", "g@") };
            work(rng, worker, function)
        }
        8 => ask(rng),
        _ => format!("o line {}", one_of(rng, &["status", "prioritystatus"])),
    }
}

/// Jobs of one function, many with the same key.
pub(crate) fn keys(rng: &mut Rng) -> String {
    match rng.index(10) {
        0..=3 => {
            let key = one_of(rng, &["k@", "l@", "-", "_"]);
            submit(rng, key).replace("g@", "f@")
        }
        4..=7 => work(rng, "w", "f@"),
        8 => ask(rng),
        _ => format!("o line {}", one_of(rng, &["status", "prioritystatus"])),
    }
}

fn submit(rng: &mut Rng, key: &str) -> String {
    let client = one_of(rng, &["a", "b"]);
    let function = one_of(rng, &["f@", "g@"]);
    let data = one_of(rng, &["x", "data", "some words", "_"]);
    let kind = one_of(
        rng,
        &[
            "SUBMIT_JOB",
            "SUBMIT_JOB_HIGH",
            "SUBMIT_JOB_LOW",
            "SUBMIT_JOB_BG",
            "SUBMIT_JOB_HIGH_BG",
            "SUBMIT_JOB_LOW_BG",
            "SUBMIT_REDUCE_JOB",
            "SUBMIT_REDUCE_JOB_BACKGROUND",
            "SUBMIT_JOB_EPOCH",
            "OPTION_REQ",
        ],
    );
    match kind {
        "SUBMIT_REDUCE_JOB" | "SUBMIT_REDUCE_JOB_BACKGROUND" => {
            format!("{client} {kind} {function} {key} r@ unused {data}")
        }
        "SUBMIT_JOB_EPOCH" => {
            let epoch = one_of(rng, &["0", "1", "abc", "-7"]);
            format!("{client} {kind} {function} {key} {epoch} {data}")
        }
        "OPTION_REQ" => format!("{client} OPTION_REQ exceptions"),
        _ => format!("{client} {kind} {function} {key} {data}"),
    }
}

fn work(rng: &mut Rng, worker: &str, function: &str) -> String {
    let step = one_of(
        rng,
        &[
            "GRAB_JOB",
            "GRAB_JOB",
            "GRAB_JOB_UNIQ",
            "GRAB_JOB_ALL",
            "PRE_SLEEP",
            "WORK_COMPLETE ! done",
            "WORK_COMPLETE ! _",
            "WORK_FAIL !",
            "WORK_EXCEPTION ! oops",
            "WORK_DATA ! part",
            "WORK_WARNING ! careful",
            "WORK_STATUS ! 1 2",
            "WORK_STATUS ! 3 400",
        ],
    );
    format!("{worker} AS {function} {step}")
}

fn ask(rng: &mut Rng) -> String {
    let client = one_of(rng, &["a", "b"]);
    let nth = 1 + rng.index(8);
    format!("{client} GET_STATUS #{nth}")
}
