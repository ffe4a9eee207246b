//! What is read again at SIGHUP.

use crate::rig::{Rig, config};
use core::fmt;
use std::sync::{Arc, Mutex};
use storytime_gearman::config::Verbosity;
use storytime_gearman::server::Surroundings;
use storytime_gearman::tenants::Tenants;
use storytime_machine::Signal;
use storytime_sim::enumerate::Client;

/// A program with a file of tenants, certificates, and a log.
#[derive(Debug, Default)]
pub(crate) struct Program {
    tenants: Mutex<String>,
    certificates: Mutex<Option<&'static str>>,
    log: Mutex<Vec<String>>,
}

impl Program {
    fn write(&self, tenants: &str) {
        *self.tenants.lock().expect("nobody panicked") = tenants.to_owned();
    }

    pub(crate) fn logged(&self) -> Vec<String> {
        core::mem::take(&mut *self.log.lock().expect("nobody panicked"))
    }
}

impl Surroundings for Program {
    fn say(&self, level: Verbosity, what: fmt::Arguments<'_>) {
        self.log.lock().expect("nobody panicked").push(format!("{} {what}", level.name()));
    }

    fn read_certificates(&self) -> Result<(), String> {
        let wrong = *self.certificates.lock().expect("nobody panicked");
        wrong.map_or(Ok(()), |wrong| Err(wrong.to_owned()))
    }

    fn read_tenants(&self, file: &str) -> Result<Tenants, String> {
        let text = self.tenants.lock().expect("nobody panicked");
        Tenants::parse(&text).map_err(|why| format!("{file}:{why}"))
    }
}

const FILE: &str = "shop horse jobs=2\nblog staple\n* all\n";

fn rig() -> (Rig, Arc<Program>) {
    let mut config = config("--job-handle-prefix H --grab-patience 0 --tenants who");
    config.tenants = Some(Arc::new(Tenants::parse(FILE).expect("it is right")));
    let program = Arc::new(Program::default());
    let rig = Rig::within(config, Arc::clone(&program) as _);
    (rig, program)
}

/// A connection of a tenant's.
fn of(rig: &mut Rig, credential: &str) -> Client {
    let client = rig.open();
    assert_eq!(log_in(rig, client, credential), "OPTION_RES tenant");
    client
}

fn log_in(rig: &mut Rig, client: Client, credential: &str) -> String {
    rig.say(client, &format!("OPTION_REQ tenant={credential}"))
}

const REFUSED: &str = "ERROR NOT_AUTHORIZED No such tenant";
const FULL: &str = "ERROR QUEUE_ERROR Quota is used up";

#[test]
fn tenants_come_change_and_go_while_connections_stay() {
    let (mut rig, program) = rig();
    let (shop, blog) = (of(&mut rig, "shop:horse"), of(&mut rig, "blog:staple"));
    let operator = of(&mut rig, "*:all");
    let stranger = rig.open();
    assert_eq!(rig.say(shop, "SUBMIT_JOB_BG f _ 1"), "JOB_CREATED H:1");
    assert_eq!(rig.say(blog, "SUBMIT_JOB_BG f _ 2"), "JOB_CREATED H:2");
    program.write("shop cart jobs=1\n* all\nnews print\n");
    rig.signal(Signal::Reload);
    assert_eq!(program.logged(), ["NOTICE the tenants were read again"]);
    let open = [shop, blog, operator, stranger].map(|client| rig.lone.is_open(client));
    assert_eq!(open, [true, false, true, true], "who is no tenant any more goes");
    assert_eq!(rig.say(shop, "SUBMIT_JOB_BG f _ 3"), FULL, "the new quota, with the job before");
    for (credential, answer) in [
        ("shop:horse", REFUSED),
        ("blog:staple", REFUSED),
        ("news:print", "OPTION_RES tenant"),
        ("shop:cart", "OPTION_RES tenant"),
    ] {
        assert_eq!(log_in(&mut rig, stranger, credential), answer, "{credential}");
    }
    assert_eq!(rig.say(stranger, "CAN_DO f\nGRAB_JOB"), "JOB_ASSIGN H:1 f 1");
    assert_eq!(rig.say(stranger, "WORK_COMPLETE H:1 _\nSUBMIT_JOB_BG f _ 4"), "JOB_CREATED H:3");
    assert_eq!(rig.counter("evicted_peers"), 1);
    // Jobs outlive their tenant, and count when it is back.
    program.write(&FILE.replace("staple", "staple jobs=2"));
    rig.signal(Signal::Reload);
    let blog = of(&mut rig, "blog:staple");
    let two = "SUBMIT_JOB_BG g _ 5\nSUBMIT_JOB_BG g _ 6";
    assert_eq!(rig.say(blog, two), format!("JOB_CREATED H:4, {FULL}"));
    assert_eq!(rig.say(blog, "CAN_DO f\nGRAB_JOB"), "JOB_ASSIGN H:2 f 2");
    assert_eq!(rig.say(shop, "SUBMIT_JOB_BG f _ 7"), "JOB_CREATED H:5", "as before");
}

#[test]
fn a_file_that_is_wrong_changes_nothing() {
    let (mut rig, program) = rig();
    let shop = of(&mut rig, "shop:horse");
    for (file, said) in [
        ("shop cart jobs=9\nblog", "who:2:5: a line is NAME SECRET [jobs=N] [bytes=N]"),
        ("", "who: it names nobody; a line is NAME SECRET [jobs=N] [bytes=N]"),
    ] {
        program.write(file);
        rig.signal(Signal::Reload);
        let expected = format!("ERROR {said}; the tenants stay as they were");
        assert_eq!(program.logged(), [expected]);
    }
    assert!(rig.lone.is_open(shop));
    of(&mut rig, "shop:horse");
    let three = "SUBMIT_JOB_BG f _ 1\nSUBMIT_JOB_BG f _ 2\nSUBMIT_JOB_BG f _ 3";
    assert_eq!(rig.say(shop, three), format!("JOB_CREATED H:1, JOB_CREATED H:2, {FULL}"));
    assert_eq!((rig.counter("reloads"), rig.counter("reloads_refused")), (0, 2));
}

#[test]
fn certificates_are_read_again_where_there_are_any() {
    let program = Arc::new(Program::default());
    let encrypted = config("--ssl --job-handle-prefix H");
    let mut rig = Rig::within(encrypted, Arc::clone(&program) as _);
    rig.signal(Signal::Reload);
    *program.certificates.lock().expect("nobody panicked") = Some("ca holds no certificate");
    rig.signal(Signal::Reload);
    let expected = [
        "NOTICE the certificates were read again",
        "ERROR ca holds no certificate; the certificates stay as they were",
    ];
    assert_eq!(program.logged(), expected);
    assert_eq!((rig.counter("reloads"), rig.counter("reloads_refused")), (1, 1));
    let mut rig = Rig::within(config("--job-handle-prefix H"), Arc::clone(&program) as _);
    rig.signal(Signal::Reload);
    assert_eq!(program.logged(), [""; 0], "in clear text there are none");
}
