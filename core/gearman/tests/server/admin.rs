//! What operators are shown, to the byte.

use crate::rig::Rig;

/// What a line is answered with.
fn ask(rig: &mut Rig, line: &str) -> String {
    let operator = rig.open();
    rig.lone.send(operator, format!("{line}\n").as_bytes());
    let said = rig.lone.received(operator).clone();
    rig.lone.reset(operator);
    String::from_utf8(said.to_vec()).expect("it is text")
}

/// Two workers and five jobs, of which one runs and one is abandoned.
fn busy() -> Rig {
    let mut rig = Rig::new("");
    let (client, gone, worker, other) = (rig.open(), rig.open(), rig.open(), rig.open());
    rig.say(worker, "SET_CLIENT_ID alice in wonderland\nCAN_DO f\nCAN_DO g");
    rig.say(other, "CAN_DO_TIMEOUT g 5000");
    rig.say(client, "SUBMIT_JOB_HIGH f key 1\nSUBMIT_JOB_BG f other 2\nSUBMIT_JOB_LOW f _ 3");
    rig.say(gone, "SUBMIT_JOB_HIGH g left 5");
    rig.say(client, "SUBMIT_JOB_BG g - 4");
    assert_eq!(rig.say(other, "GRAB_JOB"), "JOB_ASSIGN H:4 g 5");
    rig.lone.reset(gone);
    rig
}

#[test]
fn the_status_counts_jobs_running_ones_and_workers_of_each_function() {
    let mut rig = busy();
    assert_eq!(ask(&mut rig, "status"), "f\t3\t0\t1\ng\t2\t1\t2\n.\n");
    assert_eq!(ask(&mut rig, "PRIORITYSTATUS"), "f\t1\t1\t1\t1\ng\t0\t1\t0\t2\n.\n");
    assert_eq!(ask(&mut Rig::new(""), "status"), ".\n");
}

#[test]
fn workers_are_listed_with_what_they_can_do() {
    let mut rig = busy();
    let all = "0 127.0.0.1 - :\n1 127.0.0.1 - :\n2 127.0.0.1 alice in wonderland : g f\n\
               3 127.0.0.1 - : g\n.\n";
    assert_eq!(ask(&mut rig, "workers"), all, "the operator has the place that became free");
}

#[test]
fn jobs_are_listed_with_their_losses_and_keys() {
    let mut rig = busy();
    let lines = |text: String| {
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines.join("|")
    };
    let jobs = lines(ask(&mut rig, "show jobs"));
    assert_eq!(jobs, ".|H:1\t0\t0\t1|H:2\t0\t0\t1|H:3\t0\t0\t1|H:4\t0\t1\t0|H:5\t0\t0\t1");
    assert_eq!(lines(ask(&mut rig, "show unique jobs")), "|-|.|key|left|other");
}

#[test]
fn counters_are_listed_by_name() {
    let mut rig = busy();
    let said = ask(&mut rig, "counters");
    let has = |line: &str| said.lines().any(|said| said == line);
    assert!(has("submits\t5") && has("assigned\t1") && has("jobs\t5"), "{said}");
    assert!(said.ends_with("\n.\n") && said.matches("\n.\n").count() == 1, "{said}");
}

#[test]
fn a_cancelled_job_fails_for_its_client_and_is_not_run() {
    let mut rig = Rig::new("");
    let (client, worker) = (rig.open(), rig.open());
    rig.say(client, "SUBMIT_JOB f _ 1");
    assert_eq!(ask(&mut rig, "cancel job H:1"), "OK\r\n");
    assert_eq!(rig.take(client), "WORK_FAIL H:1");
    assert_eq!(rig.say(worker, "CAN_DO f\nGRAB_JOB"), "NO_JOB");
    for handle in ["H:1", "H:7", "H:x", "nonsense"] {
        let told = ask(&mut rig, &format!("cancel job {handle}"));
        assert_eq!(told, "ERR UNKNOWN_JOB\r\n", "{handle}");
    }
}

#[test]
fn functions_are_made_bounded_and_dropped() {
    let mut rig = Rig::new("");
    let (client, worker) = (rig.open(), rig.open());
    assert_eq!(ask(&mut rig, "create function f"), "OK\r\n");
    assert_eq!(ask(&mut rig, "maxqueue f 1"), "OK\r\n");
    assert_eq!(ask(&mut rig, "maxqueue new 1"), "OK\r\n");
    for function in ["f", "new"] {
        rig.say(client, &format!("SUBMIT_JOB_BG {function} _ 1"));
        assert_eq!(
            rig.say(client, &format!("SUBMIT_JOB_BG {function} _ 2")),
            "ERROR QUEUE_ERROR Job queue is full"
        );
    }
    assert_eq!(ask(&mut rig, "drop function nothing"), "ERR function not found\r\n");
    rig.say(worker, "CAN_DO f\nGRAB_JOB");
    let used = "ERR there are still connected workers or executing clients\r\n";
    assert_eq!(ask(&mut rig, "drop function f"), used);
    rig.say(worker, "WORK_COMPLETE H:1 _\nCANT_DO f");
    assert_eq!(ask(&mut rig, "drop function f"), "OK\r\n");
    assert_eq!(ask(&mut rig, "status"), "new\t1\t0\t0\n.\n");
}

#[test]
fn the_server_tells_its_version_process_and_how_much_it_logs() {
    let mut rig = Rig::new("--verbose INFO");
    assert_eq!(ask(&mut rig, "version"), "OK 1.1.20\n");
    assert_eq!(ask(&mut rig, "getpid"), "OK 0\n");
    assert_eq!(ask(&mut rig, "verbose"), "OK INFO\n");
}

#[test]
fn a_name_cannot_forge_a_line() {
    let mut rig = Rig::new("");
    let worker = rig.open();
    rig.say(worker, "SET_CLIENT_ID x");
    rig.send(
        worker,
        &crate::rig::packet(storytime_gearman::packet::Kind::SetClientId, &[b"x\n.\n"]),
    );
    rig.send(worker, &crate::rig::packet(storytime_gearman::packet::Kind::CanDo, &[b"a\tb\nc"]));
    assert_eq!(ask(&mut rig, "status"), "a?b?c\t0\t0\t1\n.\n");
    assert_eq!(ask(&mut rig, "workers"), "0 127.0.0.1 x?.? : a?b?c\n1 127.0.0.1 - :\n.\n");
}
