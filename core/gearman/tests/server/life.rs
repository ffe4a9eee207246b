//! Beginnings and ends.

use crate::reload::Program;
use crate::rig::{Rig, config};
use std::sync::Arc;
use storytime_gearman::{Gearmand, PORT};
use storytime_machine::{
    BindError, Boot, Drive as _, Duration, Effect, Endpoint, Exit, IpAddr, Machine as _, Now,
    Process, ResolveError, Rng, Setup, Signal, Time, Token,
};
use storytime_sim::disk::Profile;
use storytime_sim::enumerate::Lone;
use storytime_sim::{DiskConfig, SimDisk};

#[test]
fn it_ends_when_it_is_told_to() {
    let mut rig = Rig::new("");
    let worker = rig.open();
    rig.say(worker, "CAN_DO f\nPRE_SLEEP");
    rig.lone.call(storytime_machine::Machine::stop);
    assert_eq!(rig.lone.exit(), Some(Exit::Stopped));
}

#[test]
fn it_can_be_told_to_wait_until_all_have_gone() {
    let mut rig = Rig::new("");
    let (client, worker) = (rig.open(), rig.open());
    rig.say(client, "SUBMIT_JOB f _ x");
    rig.signal(Signal::User1);
    assert!(!rig.lone.listens(PORT), "nobody comes any more");
    rig.say(worker, "CAN_DO f\nGRAB_JOB\nWORK_COMPLETE H:1 y");
    assert_eq!(rig.take(client), "WORK_COMPLETE H:1 y");
    rig.lone.reset(client);
    assert_eq!(rig.lone.exit(), None);
    rig.lone.reset(worker);
    assert_eq!(rig.lone.exit(), Some(Exit::Stopped));
}

#[test]
fn a_signal_with_nobody_there_ends_it() {
    let mut rig = Rig::new("");
    rig.signal(Signal::Reload);
    assert_eq!(rig.lone.exit(), None);
    rig.signal(Signal::User1);
    assert_eq!(rig.lone.exit(), Some(Exit::Stopped));
}

#[test]
fn it_can_be_told_to_end_while_it_reads_its_queue() {
    for signal in [None, Some(Signal::User1)] {
        let config = config("--queue-dir q");
        let setup = Setup { limits: config.limits(), ..Setup::new(Rng::new(1, 1)) };
        let disk = SimDisk::new(DiskConfig::new(Profile::Posix), Rng::new(1, 2));
        let mut lone = Lone::boot(Gearmand::new(config), setup, disk, Time(1 << 40), 0);
        assert!(!lone.listens(PORT), "it reads");
        lone.call(|server, cx| match signal {
            Some(signal) => server.signal(cx, signal),
            None => server.stop(cx),
        });
        assert_eq!((lone.exit(), lone.broken()), (Some(Exit::Stopped), None));
    }
}

/// A server that was told to listen at a name, which has these addresses; each is bound, or not.
fn at_a_name(
    found: Result<&[IpAddr], ResolveError>,
    bind: impl Fn(&Endpoint) -> Result<(), BindError>,
) -> (Vec<Endpoint>, Option<Exit>) {
    let config = config("--listen localhost -p 4799");
    let setup = Setup { limits: config.limits(), ..Setup::new(Rng::new(1, 1)) };
    let mut process = Process::new(Gearmand::new(config), setup);
    let now = Now::default();
    process.start(now, Boot { host: 0, worker: 0, incarnation: 0 });
    let mut asked = Vec::new();
    while let Some(effect) = process.next_effect() {
        match effect {
            Effect::Resolve { lookup, name } => {
                assert_eq!(name, "localhost");
                process.resolved(now, lookup, found.map(<[IpAddr]>::to_vec));
            }
            Effect::Listen { listener, listen } => {
                let result = bind(&listen.at).map(|()| listen.at.clone());
                asked.push(listen.at);
                process.bound(now, listener, result);
            }
            Effect::Exit(_) => break,
            _ => {}
        }
    }
    let _ = process.accepted(now, Token(0), Endpoint::any(1));
    (asked, process.exit())
}

#[test]
fn a_name_is_listened_on_at_all_its_addresses() {
    let both: [IpAddr; 2] = ["::1".parse().unwrap(), "127.0.0.1".parse().unwrap()];
    let (asked, exit) = at_a_name(Ok(&both), |_| Ok(()));
    assert_eq!(asked, both.map(|ip| Endpoint::tcp(ip, 4799)));
    assert_eq!(exit, None);
    let first = Endpoint::tcp(both[0], 4799);
    let without = |at: &Endpoint| if *at == first { Err(BindError::NotHere) } else { Ok(()) };
    assert_eq!(at_a_name(Ok(&both), without).1, None, "one of them is enough");
    let nowhere = |_: &Endpoint| Err(BindError::NotHere);
    assert!(matches!(at_a_name(Ok(&both), nowhere).1, Some(Exit::Failed(_))));
    let taken = |_: &Endpoint| Err(BindError::InUse);
    assert!(matches!(at_a_name(Ok(&both), taken).1, Some(Exit::Failed(_))), "others have the port");
    let unknown = at_a_name(Err(ResolveError::NotFound), |_| Ok(()));
    assert!(matches!(unknown.1, Some(Exit::Failed(_))));
}

#[test]
fn a_cache_of_results_that_is_away_is_told_of_once() {
    let program = Arc::new(Program::default());
    let config = config("--job-handle-prefix H --grab-patience 0 --result-cache 10.0.0.9");
    let mut rig = Rig::within(config, Arc::clone(&program) as _);
    let client = rig.open();
    for (key, handle) in [("u", "H:1"), ("v", "H:2"), ("w", "H:3")] {
        assert_eq!(
            rig.say(client, &format!("SUBMIT_JOB f {key} x")),
            format!("JOB_CREATED {handle}")
        );
        rig.pass(Duration::from_secs(5));
    }
    let said = program.logged();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("WARNING --result-cache: a server cannot be reached"), "{said:?}");
}
