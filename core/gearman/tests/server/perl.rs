//! The Perl server's habits.

use crate::rig::Rig;
use storytime_machine::Duration;

const LINE: &str = "--dialect danga";

fn ask(rig: &mut Rig, line: &str) -> String {
    let operator = rig.open();
    rig.send(operator, format!("{line}\r\n").as_bytes())
}

#[test]
fn its_own_commands_are_answered_in_its_own_words() {
    let mut rig = Rig::new(LINE);
    let (client, worker) = (rig.open(), rig.open());
    rig.say(client, "SUBMIT_JOB zeta key 1\nSUBMIT_JOB_BG alpha _ 2");
    rig.say(worker, "SET_CLIENT_ID a b\nCAN_DO zeta\nGRAB_JOB");
    assert_eq!(ask(&mut rig, "version"), "1.130.1\\n");
    assert_eq!(ask(&mut rig, "status"), "alpha\\t1\\t0\\t0\\n, zeta\\t1\\t1\\t1\\n, .\\n");
    assert_eq!(
        ask(&mut rig, "jobs"),
        "zeta\\tkey\\t127.0.0.1:40001\\t1\\n, alpha\\t\\t-\\t0\\n, .\\n"
    );
    let clients = ask(&mut rig, "clients");
    assert!(
        clients.starts_with(
            "127.0.0.1:40000\\n, \\tzeta\\tkey\\t127.0.0.1:40001\\n, 127.0.0.1:40001\\n"
        )
    );
    assert!(ask(&mut rig, "workers").contains("127.0.0.1 ab : zeta"), "spaces are left out");
    assert_eq!(ask(&mut rig, "maxqueue f 3"), "OK\\n");
    assert_eq!(ask(&mut rig, "gladiator"), ".\\n");
    assert_eq!(ask(&mut rig, "nonsense"), "ERR unknown_command \\r\\n");
}

#[test]
fn a_lost_worker_and_a_slow_one_fail_their_jobs() {
    let mut rig = Rig::new(LINE);
    let (client, worker, slow) = (rig.open(), rig.open(), rig.open());
    rig.say(client, "SUBMIT_JOB f _ 1\nSUBMIT_JOB f _ 2");
    rig.say(worker, "CAN_DO f\nGRAB_JOB");
    rig.lone.reset(worker);
    assert_eq!(rig.take(client), "WORK_FAIL H:1");
    rig.say(slow, "CAN_DO_TIMEOUT f 3\nGRAB_JOB");
    rig.pass(Duration::from_secs(2));
    assert_eq!(rig.take(client), "", "seconds, not milliseconds");
    rig.pass(Duration::from_secs(2));
    assert_eq!(rig.take(client), "WORK_FAIL H:2");
    assert_eq!(rig.say(slow, "WORK_COMPLETE H:2 late"), "");
}

#[test]
fn an_exception_is_not_the_end() {
    let mut rig = Rig::new(LINE);
    let (client, worker) = (rig.open(), rig.open());
    rig.say(client, "OPTION_REQ exceptions\nSUBMIT_JOB f _ 1");
    rig.say(worker, "CAN_DO f\nGRAB_JOB\nWORK_EXCEPTION H:1 oops");
    assert_eq!(rig.take(client), "WORK_EXCEPTION H:1 oops");
    rig.say(worker, "WORK_FAIL H:1");
    assert_eq!(rig.take(client), "WORK_FAIL H:1");
}

#[test]
fn it_knows_the_first_packets_alone() {
    let mut rig = Rig::new(LINE);
    let client = rig.open();
    let told = "ERROR server_error Command not expected";
    for packet in ["GRAB_JOB_UNIQ", "SUBMIT_JOB_LOW f _ x", "GET_STATUS_UNIQUE x"] {
        assert_eq!(rig.say(client, packet), told, "{packet}");
    }
    assert_eq!(
        rig.say(client, "OPTION_REQ Exceptions"),
        "ERROR unknown_option Server does not recognize given option"
    );
    assert_eq!(
        rig.say(client, "WORK_FAIL H:77"),
        "ERROR not_worker Job given in work result not found"
    );
}

#[test]
fn shutdown_ends_it_at_once_or_when_all_have_gone() {
    let mut rig = Rig::new(LINE);
    let operator = rig.open();
    assert_eq!(
        rig.send(operator, b"shutdown now\n"),
        "ERR unknown_args \
        Unknown+arguments+to+server+command\\r\\n"
    );
    assert_eq!(rig.send(operator, b"shutdown graceful\n"), "OK\\n");
    assert!(!rig.lone.listens(storytime_gearman::PORT) && rig.lone.exit().is_none());
    rig.lone.reset(operator);
    assert!(rig.lone.exit().is_some());
    let mut rig = Rig::new(LINE);
    let operator = rig.open();
    assert_eq!(rig.send(operator, b"shutdown\n"), "OK\\n");
    assert!(rig.lone.exit().is_some());
}
