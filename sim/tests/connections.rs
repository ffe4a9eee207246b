//! Connections in trouble: cut paths, dead peers, full queues, clear text under TLS.

mod puppet;

use puppet::{PORT, Puppet, SECOND, Seen, WORK, add, call, seen, serve, two_hosts};
use storytime_machine::{Close, Conn, Duration, Endpoint, Gone, Listen, Time, Tls, Token};
use storytime_sim::{Config, Fault, Link, World};

/// Runs in steps until the condition holds.
fn run_until(world: &mut World, mut holds: impl FnMut(&mut World) -> bool) {
    for _ in 0..1_000_000 {
        if holds(world) {
            return;
        }
        let next = world.now() + Duration::from_micros(5);
        world.run_until(next);
    }
    panic!("it never came to that");
}

#[test]
fn handshakes_that_never_finish_do_not_fill_the_syn_queue_for_ever() {
    let mut config = Config::new(1);
    config.tcp.syn_backlog = 10;
    let (mut world, host, other) = two_hosts(config);
    let server = add(&mut world, host, || Puppet::new(serve));
    world.apply(&Fault::Cut { from: host, to: other });
    let clients = add(&mut world, other, || Puppet {
        timer: |cx, _| call(cx),
        ..Puppet::new(|cx| {
            (0..10).for_each(|_| call(cx));
            cx.after(Token(100), Duration::from_secs(200));
        })
    });
    world.run_until(Time(100 * SECOND));
    let timed_out = seen(&mut world, clients).count(|s| *s == Seen::Failed(Gone::TimedOut));
    assert_eq!(timed_out, 10);
    world.apply(&Fault::Mend { from: host, to: other });
    world.run_until(Time(300 * SECOND));
    assert!(seen(&mut world, server).has(Seen::Open), "the eleventh finds room");
}

#[test]
fn the_peer_of_a_process_that_died_before_it_knew_of_its_connection_learns_of_it() {
    let (mut world, host, other) = two_hosts(Config::new(1));
    let server = add(&mut world, host, || Puppet::new(serve));
    // Asks at once, and is at work when the answer comes.
    let client = add(&mut world, other, || Puppet {
        timer: |cx, _| cx.work(WORK, 10),
        ..Puppet::new(|cx| {
            call(cx);
            cx.after(Token(1), Duration::from_nanos(1));
        })
    });
    world.run_until(Time(SECOND));
    assert!(seen(&mut world, server).has(Seen::Open));
    world.kill(client);
    world.run_until(Time(5 * SECOND));
    let puppet = seen(&mut world, server);
    assert!(puppet.has(Seen::Eof) || puppet.has(Seen::Gone(Gone::Reset)), "{puppet:?}");
}

#[test]
fn what_was_under_way_behind_a_stall_is_lost_with_its_sender() {
    let link = Link {
        latency_min: Duration::from_secs(1),
        latency_max: Duration::from_secs(1),
        ..Link::RACK
    };
    let (mut world, host, other) = two_hosts(Config { link, ..Config::new(1) });
    let server = add(&mut world, host, || Puppet::new(serve));
    add(&mut world, other, || Puppet {
        open: |cx, conn| {
            cx.tx(conn).expect("it is open").put(b"first");
            cx.after(Token(u64::from(conn.slot)), Duration::from_millis(300));
        },
        timer: |cx, token| {
            let conn = Conn { slot: token.0 as u32, age: 0 };
            cx.tx(conn).expect("it is open").put(b"second");
        },
        ..Puppet::new(call)
    });
    // Open at 2 s, the first part arrives at 3 s and finds the path cut, the second is under way.
    world.run_until(Time(2 * SECOND + SECOND / 2));
    world.apply(&Fault::Cut { from: other, to: host });
    world.run_until(Time(3 * SECOND + SECOND / 10));
    world.power_cut(other);
    world.run_until(Time(3 * SECOND + 140_000_000));
    assert_eq!(seen(&mut world, server).bytes(), 0);
    let (from, to) = (other, host);
    world.schedule(Time(3 * SECOND + 210_000_000), Fault::Mend { from, to });
    world.run_until(Time(60 * SECOND));
    assert_eq!(seen(&mut world, server).bytes(), 0, "the first part is missing for ever");
}

#[test]
fn a_sender_that_waits_for_a_window_learns_that_the_peers_host_lost_its_power() {
    for comes_back in [false, true] {
        let (mut world, host, other) = two_hosts(Config::new(1));
        add(&mut world, host, || Puppet {
            open: |cx, conn| cx.pause(conn, true),
            ..Puppet::new(serve)
        });
        let client = add(&mut world, other, || Puppet {
            open: |cx, conn| cx.tx(conn).expect("it is open").put(&[0; 1 << 20]),
            ..Puppet::new(call)
        });
        world.run_until(Time(SECOND));
        world.power_cut(host);
        if comes_back {
            world.schedule(Time(10 * SECOND), Fault::PowerOn(host));
        }
        world.run_until(Time(600 * SECOND));
        let why = if comes_back { Gone::Reset } else { Gone::TimedOut };
        let puppet = seen(&mut world, client);
        assert!(puppet.has(Seen::Gone(why)), "{puppet:?}");
    }
}

#[test]
fn a_connection_that_comes_and_ends_behind_a_cut_is_accepted_all_the_same() {
    let (mut world, host, other) = two_hosts(Config::new(1));
    let server = add(&mut world, host, || Puppet::new(serve));
    let client = add(&mut world, other, || Puppet {
        open: |cx, conn| {
            cx.tx(conn).expect("it is open").put(b"all of it");
            cx.close(conn, Close::Write);
        },
        ..Puppet::new(call)
    });
    run_until(&mut world, |world| seen(world, client).has(Seen::Open));
    world.apply(&Fault::Cut { from: other, to: host });
    world.run_until(Time(SECOND / 10));
    world.apply(&Fault::Mend { from: other, to: host });
    world.run_until(Time(60 * SECOND));
    let puppet = seen(&mut world, server);
    assert!(puppet.has(Seen::Data(9)) && puppet.has(Seen::Eof), "{puppet:?}");
}

#[test]
fn clear_text_that_comes_during_a_handshake_resets_the_connection() {
    let (mut world, host, other) = two_hosts(Config::new(1));
    let server = add(&mut world, host, || Puppet {
        open: |cx, conn| cx.start_tls(conn, Tls::Server),
        ..Puppet::new(serve)
    });
    let client = add(&mut world, other, || Puppet {
        open: |cx, conn| {
            cx.tx(conn).expect("it is open").put(b"clear");
            cx.start_tls(conn, Tls::Client { name: String::new() });
        },
        ..Puppet::new(call)
    });
    world.run_until(Time(SECOND));
    let puppet = seen(&mut world, server);
    assert!(puppet.has(Seen::Gone(Gone::Misbehaved)), "{puppet:?}");
    assert!(!puppet.has(Seen::Data(5)) && !puppet.has(Seen::Secured), "{puppet:?}");
    assert!(seen(&mut world, client).has(Seen::Gone(Gone::Reset)));
}

#[test]
fn a_handshake_needs_both_sides_of_this_connection() {
    let (mut world, host, other) = two_hosts(Config::new(1));
    let server = add(&mut world, host, || Puppet {
        open: |cx, conn| {
            cx.start_tls(conn, Tls::Server);
            cx.close(conn, Close::Abort);
        },
        ..Puppet::new(serve)
    });
    let client = add(&mut world, other, || Puppet {
        open: |cx, _| cx.after(Token(1), Duration::from_secs(1)),
        timer: |cx, _| call(cx),
        ..Puppet::new(call)
    });
    world.run_until(Time(SECOND / 2));
    seen(&mut world, server).open = |_, _| {};
    seen(&mut world, client).open =
        |cx, conn| cx.start_tls(conn, Tls::Client { name: String::new() });
    world.run_until(Time(10 * SECOND));
    assert!(!seen(&mut world, client).has(Seen::Secured), "the server wants none of it");
}

#[test]
fn a_full_queue_does_not_make_a_link_faster() {
    let slow = Link { bandwidth: 10_000, queue_bytes_max: 1_000, ..Link::RACK };
    let mut config = Config { link: slow, ..Config::new(1) };
    config.tcp.burst_bytes_max = 500;
    let (mut world, host, other) = two_hosts(config);
    let server = add(&mut world, host, || Puppet::new(serve));
    add(&mut world, other, || Puppet {
        open: |cx, conn| cx.tx(conn).expect("it is open").put(&[0; 100_000]),
        ..Puppet::new(call)
    });
    world.run_until(Time(5 * SECOND));
    let bytes = seen(&mut world, server).bytes();
    assert!((20_000..=50_000).contains(&bytes), "{bytes} bytes in 5 s at 10,000 a second");
    world.run_until(Time(20 * SECOND));
    assert_eq!(seen(&mut world, server).bytes(), 100_000);
}

#[test]
fn a_listener_on_the_loopback_address_is_for_its_own_host() {
    let (mut world, host, other) = two_hosts(Config::new(1));
    add(&mut world, host, || {
        Puppet::new(|cx| {
            let at = Endpoint::tcp([127, 0, 0, 1], PORT);
            cx.listen(Token(1), Listen::at(at));
        })
    });
    let near = add(&mut world, host, || {
        Puppet::new(|cx| {
            let to = Endpoint::tcp([127, 0, 0, 1], PORT);
            cx.connect(Token(1), to, Duration::from_secs(5));
        })
    });
    let far = add(&mut world, other, || Puppet::new(call));
    world.run_until(Time(SECOND));
    assert!(seen(&mut world, near).has(Seen::Open));
    assert!(seen(&mut world, far).has(Seen::Failed(Gone::Refused)));
}
