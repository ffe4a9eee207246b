//! Lives of processes, the cores that they share, and the inputs between them.

mod puppet;

use puppet::{PORT, Puppet, SECOND, Seen, WORK, add, call, program, seen, serve, two_hosts};
use storytime_machine::{
    Addr, Boot, Cx, Duration, Endpoint, Exit, Listen, Machine, Process, Signal, Slots, Time, Token,
};
use storytime_sim::{Clock, Config, HostConfig, HostId, ProgramConfig, Ran, World};

#[test]
fn a_frozen_process_does_not_hold_up_the_others_of_its_core() {
    let (mut world, host, other) = two_hosts(Config::new(1));
    let frozen = add(&mut world, host, || Puppet::new(serve));
    let lively = add(&mut world, host, || Puppet {
        timer: |cx, timer| cx.after(timer, Duration::from_millis(1)),
        ..Puppet::new(|cx| cx.after(Token(1), Duration::from_millis(1)))
    });
    world.run_until(Time(1_000_000));
    world.freeze(frozen);
    add(&mut world, other, || Puppet {
        open: |cx, conn| cx.tx(conn).expect("it is open").put(b"word"),
        ..Puppet::new(call)
    });
    world.run_until(Time(SECOND));
    let rang = seen(&mut world, lively).count(|s| *s == Seen::Timer);
    assert_eq!(rang, 1000);
    assert_eq!(seen(&mut world, frozen).seen.len(), 1);
    world.thaw(frozen);
    world.run_until(Time(2 * SECOND));
    assert!(seen(&mut world, frozen).has(Seen::Data(4)));
}

#[test]
fn a_new_life_hears_nothing_that_was_meant_for_an_old_one() {
    let (mut world, host, _) = two_hosts(Config::new(1));
    add(&mut world, host, || Puppet::new(|cx| cx.work(WORK, 5)));
    let process = add(&mut world, host, || Puppet::new(serve));
    world.stop(process);
    world.kill(process);
    world.start(process);
    world.run_until(Time(10 * SECOND));
    let puppet = seen(&mut world, process);
    assert!(matches!(puppet.seen[..], [(_, Seen::Start(_))]), "{puppet:?}");
}

#[test]
fn a_signal_reaches_a_process_that_runs_and_no_other() {
    let (mut world, host, _) = two_hosts(Config::new(1));
    let process = add(&mut world, host, || Puppet::new(serve));
    world.run_until(Time(SECOND));
    world.signal(process, Signal::Reload);
    world.run_until(Time(2 * SECOND));
    assert!(seen(&mut world, process).has(Seen::Signal(Signal::Reload)));
    world.kill(process);
    world.signal(process, Signal::User1);
    world.start(process);
    world.run_until(Time(3 * SECOND));
    assert!(!seen(&mut world, process).has(Seen::Signal(Signal::User1)));
}

#[test]
fn every_life_of_a_process_has_a_higher_incarnation() {
    let (mut world, host, _) = two_hosts(Config::new(1));
    let process = add(&mut world, host, || Puppet::new(serve));
    let mut lives = Vec::new();
    for end in [World::kill, |world: &mut World, _| world.power_cut(HostId(0)), World::kill] {
        world.run_until(world.now() + Duration::from_secs(1));
        lives.push(seen(&mut world, process).seen[0].1);
        end(&mut world, process);
        world.power_on(host);
        world.start(process);
    }
    assert_eq!(lives, [Seen::Start(0), Seen::Start(1), Seen::Start(2)]);
}

#[test]
fn a_supervisor_starts_again_what_failed_or_was_killed_and_nothing_else() {
    let (mut world, host, _) = two_hosts(Config::new(1));
    let respawned = |start: fn(&mut Cx)| {
        let respawn = Some(Duration::from_secs(1));
        ProgramConfig { respawn, ..program(move || Puppet::new(start)) }
    };
    let fails = respawned(|cx| cx.exit(Exit::Failed("it cannot")));
    let ends = respawned(|cx| cx.exit(Exit::Stopped));
    let ids = [fails, ends, respawned(serve)].map(|config| world.add_program(host, config)[0]);
    world.power_on(host);
    world.run_until(Time(SECOND / 2));
    world.kill(ids[2]);
    world.run_until(Time(2 * SECOND + SECOND / 4));
    let lives = ids.map(|id| seen(&mut world, id).seen.last().map(|(_, seen)| *seen));
    assert_eq!(lives, [2, 0, 1].map(|n| Some(Seen::Start(n))));
    world.power_cut(host);
    world.run_until(Time(5 * SECOND));
    let lives = ids.map(|id| world.is_running(id));
    assert_eq!(lives, [false; 3], "a supervisor needs power, too");
}

#[test]
fn the_memory_of_the_dead_is_free() {
    /// Holds twice what its host has.
    struct Hog;
    impl Machine for Hog {
        fn start(&mut self, _: &mut Cx, _: Boot) {}
        fn memory(&self) -> u64 {
            2 << 20
        }
    }
    let mut world = World::new(Config::new(1));
    let small = HostConfig { memory_bytes: Some(1 << 20), ..HostConfig::new("small") };
    let host = world.add_host(small);
    let hog = ProgramConfig::new("hog", |setup| Box::new(Process::new(Hog, setup)));
    let hog = world.add_program(host, hog)[0];
    let modest = add(&mut world, host, || Puppet::new(|cx| cx.after(Token(1), Duration::ZERO)));
    world.run_until(Time(SECOND));
    assert!(!world.is_running(hog) && world.is_running(modest));
}

#[test]
fn output_of_accepting_leaves_only_when_its_work_is_done() {
    let (mut world, host, other) = two_hosts(Config::new(1));
    add(&mut world, host, || Puppet {
        open: |cx, conn| {
            cx.work(WORK, 1);
            cx.tx(conn).expect("it is open").put(b"welcome");
        },
        ..Puppet::new(serve)
    });
    let client = add(&mut world, other, || Puppet::new(call));
    world.run_until(Time(SECOND / 2));
    assert_eq!(seen(&mut world, client).bytes(), 0);
    world.run_until(Time(2 * SECOND));
    assert_eq!(seen(&mut world, client).bytes(), 7);
}

#[test]
fn a_timer_beyond_all_time_never_rings_whatever_the_clock() {
    for drift_ppm in [-100_000, 0, 100_000] {
        let mut world = World::new(Config::new(1));
        let clock = Clock { drift_ppm, uptime_ns: 5, ..Clock::default() };
        let host = world.add_host(HostConfig { clock, ..HostConfig::new("patient") });
        let puppet = || Puppet::new(|cx| cx.after(Token(1), Duration::MAX));
        let process = add(&mut world, host, puppet);
        assert_eq!(world.run_until(Time(SECOND)), Ran::Quiet);
        assert_eq!(world.run_until(Time::MAX), Ran::Quiet);
        assert!(!seen(&mut world, process).has(Seen::Timer));
    }
}

#[test]
fn a_connection_that_was_to_go_to_a_killed_worker_goes_to_another() {
    let mut world = World::new(Config::new(1));
    let host = world.add_host(HostConfig { cores: 2, ..HostConfig::new("server") });
    let other = world.add_host(HostConfig::new("client"));
    let workers = ProgramConfig { workers: 2, ..program(|| Puppet::new(serve)) };
    let workers = world.add_program(host, workers);
    world.power_on(host);
    world.run_until(Time(1));
    for &worker in &workers {
        world.freeze(worker);
    }
    add(&mut world, other, || Puppet::new(call));
    world.run_until(Time(SECOND));
    world.thaw(workers[1]);
    world.run_until(Time(2 * SECOND));
    assert!(!seen(&mut world, workers[1]).has(Seen::Open), "it was offered to the other");
    world.kill(workers[0]);
    world.run_until(Time(3 * SECOND));
    assert!(seen(&mut world, workers[1]).has(Seen::Open));
}

#[test]
fn idle_workers_take_connections_before_busy_and_frozen_ones() {
    let mut world = World::new(Config::new(1));
    let host = world.add_host(HostConfig { cores: 3, ..HostConfig::new("server") });
    let worker = || Puppet { open: |cx, _| cx.work(WORK, 10), ..Puppet::new(serve) };
    let workers = world.add_program(host, ProgramConfig { workers: 3, ..program(worker) });
    world.power_on(host);
    world.run_until(Time(1));
    world.freeze(workers[0]);
    for n in 0..2 {
        let client = world.add_host(HostConfig::new(format!("client{n}")));
        add(&mut world, client, || Puppet::new(call));
    }
    world.run_until(Time(SECOND));
    let open = |&worker: &_| seen(&mut world, worker).count(|s| *s == Seen::Open);
    assert_eq!(workers.iter().map(open).collect::<Vec<_>>(), [0, 1, 1]);
}

#[test]
fn limits_of_slots_hold_while_accepting_costs_time() {
    let (mut world, host, other) = two_hosts(Config::new(1));
    let server = add(&mut world, host, || Puppet {
        open: |cx, _| cx.work(WORK, 1),
        ..Puppet::new(|cx| {
            let at = Endpoint::any(PORT);
            cx.listen(Token(1), Listen { slots: Slots::AtMost(2), ..Listen::at(at) });
        })
    });
    add(&mut world, other, || Puppet::new(|cx| (0..9).for_each(|_| call(cx))));
    world.run_until(Time(20 * SECOND));
    assert_eq!(seen(&mut world, server).count(|s| *s == Seen::Open), 2);
}

#[test]
fn datagrams_for_a_socket_that_changed_hands_are_lost() {
    let (mut world, host, _) = two_hosts(Config::new(1));
    let first = add(&mut world, host, || {
        Puppet::new(|cx| cx.bind_datagram(Token(1), Addr::new([0, 0, 0, 0].into(), PORT)))
    });
    world.run_until(Time(1));
    world.freeze(first);
    add(&mut world, host, || {
        Puppet::new(|cx| {
            cx.bind_datagram(Token(2), Addr::new([0, 0, 0, 0].into(), 0));
            let to = Addr::new([127, 0, 0, 1].into(), PORT);
            cx.send_to(Token(2), to, &b"x"[..]).expect("it is short");
        })
    });
    world.run_until(Time(SECOND));
    world.kill(first);
    world.start(first);
    world.run_until(Time(2 * SECOND));
    assert!(!seen(&mut world, first).has(Seen::Datagram));
}
