//! What is not done, and what is said then.

use crate::rig::{Rig, framed, packet};
use storytime_gearman::packet::{Kind, Magic};

#[test]
fn what_a_server_is_not_asked_is_told_so_and_the_next_packet_is_read() {
    let mut rig = Rig::new("");
    let client = rig.open();
    let echo = packet(Kind::EchoReq, &[b"on"]);
    let asked = [
        Kind::Unused,
        Kind::Noop,
        Kind::JobCreated,
        Kind::NoJob,
        Kind::AllYours,
        Kind::OptionRes,
        Kind::Error,
        Kind::StatusResUnique,
    ];
    for kind in asked {
        let wanted = kind.arguments() + usize::from(kind.has_data());
        let bytes = packet(kind, &vec![&b"1"[..]; wanted]);
        assert_eq!(
            rig.send(client, &[bytes, echo.clone()].concat()),
            "ERROR INVALID_COMMAND Command not expected, ECHO_RES on",
            "{}",
            kind.name()
        );
    }
    let answer = framed(Magic::Response, Kind::EchoReq as u32, b"x");
    assert_eq!(
        rig.send(client, &[answer, echo].concat()),
        "ERROR INVALID_MAGIC Request magic expected, ECHO_RES on"
    );
}

#[test]
fn who_speaks_of_a_job_that_never_was_is_told_so() {
    let mut rig = Rig::new("");
    let worker = rig.open();
    let result = "ERROR JOB_NOT_FOUND Job given in work result not found";
    for (packet, told) in [
        ("WORK_COMPLETE H:1 x", result),
        ("WORK_FAIL nonsense", result),
        ("WORK_STATUS H:1 1 2", result),
        ("WORK_DATA H:1 x", "ERROR JOB_NOT_FOUND Job does not exist on server"),
        ("WORK_WARNING H:0 x", "ERROR JOB_NOT_FOUND Job does not exist on server"),
        (
            "WORK_EXCEPTION H:1 x",
            "ERROR JOB_NOT_FOUND An exception was received for a job that does not exist",
        ),
    ] {
        assert_eq!(rig.say(worker, packet), told, "{packet}");
    }
}

#[test]
fn who_was_never_handed_a_job_cannot_have_lost_one() {
    let mut rig = Rig::new("");
    let (client, worker, stranger) = (rig.open(), rig.open(), rig.open());
    rig.say(client, "SUBMIT_JOB f _ x");
    rig.say(worker, "CAN_DO f\nGRAB_JOB");
    let told = "ERROR JOB_NOT_FOUND Job given in work result not found";
    assert_eq!(rig.say(stranger, "CAN_DO f\nWORK_COMPLETE H:1 forged"), told);
    assert_eq!(rig.say(worker, "WORK_COMPLETE H:1 true"), "");
    assert_eq!(rig.take(client), "WORK_COMPLETE H:1 true");
    assert_eq!(rig.say(worker, "WORK_COMPLETE H:1 late"), "", "it may have been slow");
}

#[test]
fn arguments_are_bounded() {
    let mut rig = Rig::new("");
    let client = rig.open();
    let keys = ["k".repeat(64), "k".repeat(65)];
    let told = keys.map(|key| rig.say(client, &format!("SUBMIT_JOB_BG f {key} x")));
    assert_eq!(told, ["JOB_CREATED H:1", "ERROR ARGUMENT_TOO_LARGE Unique value too large"]);
    for option in ["foo", "_"] {
        assert_eq!(
            rig.say(client, &format!("OPTION_REQ {option}")),
            "ERROR UNKNOWN_OPTION Server does not recognize given option"
        );
    }
    let unknown = rig.say(client, &format!("GET_STATUS {}", "h".repeat(99)));
    assert_eq!(unknown, format!("STATUS_RES {} 0 0 0 0", "h".repeat(99)), "it is answered");
    let sched = rig.say(client, "SUBMIT_JOB_SCHED f _ 61 * * * * x");
    assert_eq!(sched, "ERROR INVALID_ARGUMENT Schedule not understood");
}

#[test]
fn epochs_are_read_as_c_reads_them() {
    let mut rig = Rig::new("");
    let (client, worker) = (rig.open(), rig.open());
    for (nth, epoch) in ["abc", "-5", "0", "12"].into_iter().enumerate() {
        let created = rig.say(client, &format!("SUBMIT_JOB_EPOCH f _ {epoch} x"));
        assert_eq!(created, format!("JOB_CREATED H:{}", nth + 1), "{epoch}");
    }
    let far = rig.say(client, &format!("SUBMIT_JOB_EPOCH f _ {} x", "9".repeat(30)));
    assert_eq!(far, "ERROR INVALID_ARGUMENT Epoch not understood");
    let grabbed = rig.say(worker, "CAN_DO f\nGRAB_JOB\nGRAB_JOB\nGRAB_JOB\nGRAB_JOB\nGRAB_JOB");
    assert_eq!(grabbed.matches("JOB_ASSIGN").count(), 4, "their time has come: {grabbed}");
}

#[test]
fn time_outs_that_are_no_numbers_are_none() {
    for timeout in ["abc", "0", "-1", &"9".repeat(40)] {
        let mut rig = Rig::new("");
        let (client, worker) = (rig.open(), rig.open());
        rig.say(client, "SUBMIT_JOB f _ x");
        let grabbed = rig.say(worker, &format!("CAN_DO_TIMEOUT f {timeout}\nGRAB_JOB"));
        assert_eq!(grabbed, "JOB_ASSIGN H:1 f x", "{timeout}");
        rig.pass(storytime_machine::Duration::from_secs(100));
        rig.say(worker, "WORK_COMPLETE H:1 y");
        assert_eq!(rig.take(client), "WORK_COMPLETE H:1 y", "{timeout}");
    }
}

#[test]
fn what_follows_a_nul_in_a_name_is_no_part_of_it() {
    let mut rig = Rig::new("");
    let (client, worker) = (rig.open(), rig.open());
    rig.send(worker, &packet(Kind::CanDo, &[b"f\0rest"]));
    rig.say(client, "SUBMIT_JOB f _ x");
    assert_eq!(rig.say(worker, "GRAB_JOB"), "JOB_ASSIGN H:1 f x");
    let status = rig.send(client, &packet(Kind::GetStatus, &[b"H:1\0rest"]));
    assert_eq!(status, "STATUS_RES H:1 1 1 0 0");
    assert_eq!(
        rig.send(client, &packet(Kind::OptionReq, &[b"exceptions\0"])),
        "OPTION_RES exceptions\\x00"
    );
}

#[test]
fn jobs_beyond_the_memory_for_them_are_refused_until_there_is_some() {
    let mut rig = Rig::new("--max-memory 1m -r http");
    let (client, worker) = (rig.open(), rig.open());
    let large = "x".repeat(300 << 10);
    let submit = |key: &str| format!("SUBMIT_JOB_BG f {key} {large}");
    let full = "ERROR QUEUE_ERROR Job queue is full";
    for (key, answer) in
        [("a", "JOB_CREATED H:1"), ("b", "JOB_CREATED H:2"), ("c", "JOB_CREATED H:3")]
    {
        assert_eq!(rig.say(client, &submit(key)), answer);
    }
    assert_eq!(rig.say(client, &submit("d")), full);
    assert_eq!(rig.say(client, &submit("a")), "JOB_CREATED H:1", "it is there");
    assert_eq!(rig.say(client, "SUBMIT_JOB_BG f e small"), "JOB_CREATED H:4", "there is room");
    let (taken, most) = (rig.counter("jobs_memory"), rig.counter("jobs_memory_max"));
    assert!(taken > 3 * (300 << 10) && taken <= most && most == 1 << 20, "{taken}");
    assert!(rig.lone.run_until(|lone| lone.listens(8080)), "it listens");
    let web = rig.lone.connect(8080).expect("it listens");
    let head = format!("POST /f HTTP/1.1\r\nContent-Length: {}\r\n\r\n", large.len());
    rig.lone.send(web, (head + &large).as_bytes());
    assert!(rig.lone.received(web).starts_with(b"HTTP/1.1 503 "), "over HTTP, too");
    rig.say(worker, "CAN_DO f\nGRAB_JOB\nWORK_COMPLETE H:1 _");
    assert_eq!(rig.say(client, &submit("d")), "JOB_CREATED H:5");
}

#[test]
fn jobs_without_data_take_memory_too() {
    let mut rig = Rig::new("--max-memory 1m");
    let client = rig.open();
    let many = "SUBMIT_JOB_BG f _ _\n".repeat(12_000);
    let told = rig.say(client, &many);
    let jobs = rig.counter("jobs");
    assert!((9_000..11_000).contains(&jobs), "{jobs} jobs");
    assert_eq!(told.matches("QUEUE_ERROR").count() as u64, 12_000 - jobs);
}
