//! What the shell around a machine promises, driven by hand.

mod common;

use common::{Hand, Told};
use storytime_machine::{
    Breach, Buf, Bytes, Close, Closing, Conn, Cx, DiskError, DiskOk, Drive, Duration, Effect,
    Endpoint, Exit, FileId, Gone, Limits, Listen, OpKey, Slots, Time, Tls, Token,
};

fn small() -> Limits {
    Limits {
        rx_bytes_max: 64,
        tx_high: 100,
        tx_low: 10,
        tx_bytes_max: 10_000,
        buffers_bytes_max: 100_000,
        ..Limits::default()
    }
}

fn put(conn: Conn, len: usize) -> impl FnMut(&mut Cx) + Send + 'static {
    move |cx| {
        if let Some(tx) = cx.tx(conn) {
            tx.put(&vec![b'x'; len]);
        }
    }
}

// ---- reading
// -------------------------------------------------------------------------------------

#[test]
fn input_waits_while_paused_and_comes_again_on_resuming_with_the_fin_behind_it() {
    let mut hand = Hand::new(Limits::default());
    let conn = hand.connected();
    hand.act(move |cx| cx.pause(conn, true));
    assert!(!hand.view(conn).read);
    hand.receive(conn, b"early");
    hand.feed(|process, now| process.eof(now, conn));
    assert_eq!(hand.told(), [Told::Open(conn)]);
    hand.act(move |cx| cx.pause(conn, false));
    assert_eq!(hand.told()[1..], [Told::Data(conn, b"early".to_vec()), Told::Eof(conn)]);
}

#[test]
fn a_pause_in_the_middle_of_input_leaves_the_rest() {
    let mut hand = Hand::new(Limits::default());
    let conn = hand.connected();
    hand.process.machine_mut().eat = Some(Box::new(|cx, conn, rx| {
        rx.advance(1);
        cx.pause(conn, true);
    }));
    hand.receive(conn, b"abc");
    assert_eq!(hand.buffered(), 2);
    hand.act(move |cx| cx.pause(conn, false));
    hand.act(move |cx| cx.pause(conn, false));
    let data = |bytes: &[u8]| Told::Data(conn, bytes.to_vec());
    assert_eq!(hand.told()[1..], [data(b"abc"), data(b"bc"), data(b"c")]);
    assert_eq!(hand.buffered(), 0);
}

#[test]
fn more_resumed_connections_than_one_step_serves_still_get_their_input_before_the_fin() {
    let mut hand = Hand::new(small());
    let conns: Vec<Conn> = (0..200).map(|_| hand.connected()).collect();
    for &conn in &conns {
        hand.act(move |cx| cx.pause(conn, true));
        // A driver that had read before it was told may be over the cap.
        hand.receive(conn, &[b'x'; 65]);
    }
    hand.forget();
    let all = conns.clone();
    hand.act(move |cx| all.iter().for_each(|&conn| cx.pause(conn, false)));
    assert!(hand.told().len() < 200, "the rest waits for the next step");
    assert_eq!(hand.process.take_breach(), None, "what waits was not left by the machine");
    for &conn in &conns {
        hand.feed(|process, now| process.eof(now, conn));
    }
    while hand.process.deadline() == Some(Time(0)) {
        hand.feed(|process, now| process.tick(now));
    }
    for &conn in &conns {
        let of = |told: &&Told| matches!(told, Told::Data(c, _) | Told::Eof(c) if *c == conn);
        let told: Vec<&Told> = hand.told().iter().filter(of).collect();
        assert_eq!(told, [&Told::Data(conn, vec![b'x'; 65]), &Told::Eof(conn)]);
    }
    assert!(conns.iter().all(|conn| hand.dirty.contains(conn)), "the driver may read again");
}

#[test]
fn a_machine_that_leaves_a_full_buffer_would_never_hear_more_and_is_found_out() {
    let mut hand = Hand::new(small());
    let conn = hand.connected();
    hand.process.machine_mut().eat = Some(Box::new(|_, _, _| {}));
    hand.receive(conn, &[b'x'; 63]);
    assert_eq!(hand.process.take_breach(), None);
    assert!(hand.view(conn).read);
    hand.receive(conn, b"x");
    assert!(!hand.view(conn).read);
    assert_eq!(hand.process.take_breach(), Some(Breach::UnreadInput { conn, bytes: 64 }));
}

#[test]
fn input_left_behind_a_flush_is_thrown_away_so_that_reading_can_go_on() {
    let mut hand = Hand::new(small());
    let conn = hand.connected();
    hand.process.machine_mut().eat = Some(Box::new(|cx, conn, _| cx.close(conn, Close::Flush)));
    hand.receive(conn, &[b'x'; 64]);
    assert!(hand.view(conn).read);
    assert!(hand.process.rx(conn).is_some_and(|rx| rx.is_empty()));
    assert_eq!((hand.buffered(), hand.view(conn).closing), (0, Closing::FinThenGone));
    hand.receive(conn, b"more");
    hand.feed(|process, now| process.eof(now, conn));
    hand.gone(conn, Gone::Closed);
    assert_eq!(hand.told().last(), Some(&Told::Gone(conn, Gone::Closed)));
    assert_eq!(hand.told().len(), 3, "nothing between the data and the end");
}

// ---- writing and closing
// ---------------------------------------------------------------------------

#[test]
fn drained_is_told_once_when_the_output_fell_from_high_to_low() {
    let mut hand = Hand::new(small());
    let conn = hand.connected();
    hand.act(put(conn, 101));
    hand.forget();
    assert_eq!(hand.take(conn, 90).len(), 90);
    assert_eq!(hand.told(), []);
    hand.take(conn, 1);
    assert_eq!(hand.told(), [Told::Drained(conn)]);
    hand.take(conn, 100);
    hand.act(put(conn, 100));
    hand.take(conn, 100);
    assert_eq!(hand.told(), [Told::Drained(conn)], "it was never above the mark again");
}

#[test]
fn half_closing_flushes_first_and_goes_on_reading() {
    let mut hand = Hand::new(Limits::default());
    let conn = hand.connected();
    hand.act(put(conn, 5));
    hand.act(move |cx| cx.close(conn, Close::Write));
    assert_eq!(hand.view(conn).closing, Closing::FlushThenFin);
    hand.act(put(conn, 5));
    assert_eq!(hand.take(conn, 100).len(), 5, "our side is closed");
    assert_eq!(hand.view(conn).closing, Closing::Fin);
    hand.receive(conn, b"late");
    assert_eq!(hand.told().last(), Some(&Told::Data(conn, b"late".to_vec())));
    hand.act(move |cx| cx.close(conn, Close::Flush));
    assert_eq!(hand.view(conn).closing, Closing::FinThenGone);
    hand.act(move |cx| cx.close(conn, Close::Write));
    assert_eq!(hand.view(conn).closing, Closing::FinThenGone, "only ever harsher");
    hand.act(move |cx| cx.close(conn, Close::Abort));
    assert_eq!(hand.view(conn).closing, Closing::Abort);
    hand.gone(conn, Gone::Reset);
    assert_eq!(hand.told().last(), Some(&Told::Gone(conn, Gone::Aborted)));
}

#[test]
fn stale_handles_do_nothing() {
    let mut hand = Hand::new(Limits::default());
    let old = hand.connected();
    hand.act(put(old, 7));
    hand.gone(old, Gone::Reset);
    let new = hand.connected();
    assert_eq!((old.slot, new.age), (new.slot, old.age + 1));
    hand.forget();
    hand.act(move |cx| {
        assert!(cx.tx(old).is_none());
        cx.close(old, Close::Abort);
        cx.pause(old, true);
        cx.start_tls(old, Tls::Server);
        assert_eq!(cx.pending(old), 0);
    });
    for input in [Drive::received, Drive::eof, Drive::secured] {
        hand.feed(|process, now| input(process, now, old));
    }
    hand.gone(old, Gone::Closed);
    hand.feed(|process, now| process.sent(now, old, 3));
    assert_eq!(hand.take(old, 10), b"");
    let done = Ok(DiskOk::Data(Bytes::from_static(b"file")));
    hand.feed(|process, now| process.disk_done(now, OpKey::SendFile(old), done.clone()));
    assert!(hand.told().is_empty() && hand.effects.is_empty() && hand.process.rx(old).is_none());
    assert_eq!(hand.view(new), hand.process.view(new).expect("the new one lives"));
    assert_eq!((hand.view(new).closing, hand.buffered()), (Closing::No, 0));
}

// ---- files
// -----------------------------------------------------------------------------------------

fn reads(effects: &[Effect]) -> usize {
    let read = |e: &&Effect| matches!(e, Effect::Disk { key: OpKey::SendFile(_), .. });
    effects.iter().filter(read).count()
}

#[test]
fn files_on_their_way_take_no_memory_however_many_they_are() {
    let limits =
        Limits { tx_high: 5_000, tx_bytes_max: 8_000, buffers_bytes_max: 9_000, ..small() };
    let mut hand = Hand::new(limits);
    for _ in 0..10 {
        let conn = hand.connected();
        hand.act(move |cx| cx.tx(conn).expect("it is open").push_file(FileId(1), 0, 4_000));
        assert_eq!(hand.process.take_breach(), None);
    }
    assert_eq!((hand.buffered(), reads(&hand.effects)), (0, 10));
}

#[test]
fn a_file_that_cannot_be_read_resets_the_connection_and_is_not_read_again() {
    let mut hand = Hand::new(Limits::default());
    let conn = hand.connected();
    hand.act(move |cx| cx.tx(conn).expect("it is open").push_file(FileId(1), 0, 10));
    assert_eq!(reads(&hand.effects), 1);
    hand.feed(|process, now| process.disk_done(now, OpKey::SendFile(conn), Err(DiskError::Io)));
    assert_eq!(hand.view(conn).closing, Closing::Abort);
    assert_eq!(reads(&hand.effects), 1);
    hand.gone(conn, Gone::Reset);
    assert_eq!(hand.told().last(), Some(&Told::Gone(conn, Gone::FileFailed)));
}

#[test]
fn a_file_piece_is_accounted_while_it_is_in_memory() {
    let mut hand = Hand::new(Limits::default());
    let conn = hand.connected();
    hand.act(move |cx| cx.tx(conn).expect("it is open").push_file(FileId(1), 0, 10));
    let piece = |bytes: &'static [u8]| Ok(DiskOk::Data(Bytes::from_static(bytes)));
    hand.feed(|process, now| process.disk_done(now, OpKey::SendFile(conn), piece(b"0123456")));
    assert_eq!(hand.buffered(), 7);
    assert_eq!(hand.take(conn, 5), b"01234");
    assert_eq!(hand.buffered(), 2);
    assert_eq!((hand.take(conn, 5).len(), reads(&hand.effects)), (2, 2));
    hand.act(move |cx| cx.close(conn, Close::Abort));
    // The read completes between the abort and its end.
    hand.feed(|process, now| process.disk_done(now, OpKey::SendFile(conn), piece(b"789")));
    hand.gone(conn, Gone::Reset);
    assert_eq!(hand.buffered(), 0);
}

// ---- TLS
// -------------------------------------------------------------------------------------------

#[test]
fn tls_starts_when_clear_output_has_left_and_nothing_is_read_meanwhile() {
    let mut hand = Hand::new(Limits::default());
    let conn = hand.connected();
    hand.act(move |cx| {
        cx.tx(conn).expect("it is open").put(b"ready");
        cx.start_tls(conn, Tls::Server);
        cx.tx(conn).expect("it is open").put(b"secret");
    });
    assert!(!hand.view(conn).read, "what comes now is not for the machine");
    assert_eq!(hand.take(conn, 100), b"ready");
    assert!(hand.effects.contains(&Effect::StartTls { conn, tls: Tls::Server }));
    assert_eq!((hand.view(conn).sendable, hand.view(conn).read), (0, false));
    hand.feed(|process, now| process.secured(now, conn));
    assert_eq!(hand.told().last(), Some(&Told::Secured(conn)));
    assert!(hand.view(conn).read && hand.take(conn, 100) == b"secret");
}

#[test]
fn clear_text_that_comes_while_tls_starts_is_never_told() {
    let mut hand = Hand::new(Limits::default());
    let conn = hand.connected();
    hand.act(move |cx| {
        cx.tx(conn).expect("it is open").put(b"ready");
        cx.start_tls(conn, Tls::Server);
    });
    hand.receive(conn, b"MAIL FROM:<mallory>");
    assert_eq!(hand.view(conn).closing, Closing::Abort);
    hand.gone(conn, Gone::Reset);
    assert_eq!(hand.told()[1..], [Told::Gone(conn, Gone::Misbehaved)]);
}

#[test]
fn an_aborted_connection_does_not_shake_hands() {
    let mut hand = Hand::new(Limits::default());
    let conn = hand.connected();
    hand.act(move |cx| {
        cx.start_tls(conn, Tls::Server);
        cx.close(conn, Close::Abort);
    });
    assert!(hand.effects.is_empty(), "{:?}", hand.effects);
}

// ---- listeners
// -------------------------------------------------------------------------------------

fn accepts(effects: &[Effect]) -> Vec<bool> {
    let on = |effect: &Effect| match effect {
        Effect::Accept { on, .. } => Some(*on),
        _ => None,
    };
    effects.iter().filter_map(on).collect()
}

const DOOR: Token = Token(80);

#[test]
fn a_listener_accepts_while_it_has_slots() {
    let mut hand = Hand::new(Limits::default());
    hand.listen(DOOR, Slots::AtMost(2));
    let first = hand.accept(DOOR).expect("a slot is free");
    hand.accept(DOOR).expect("a slot is free");
    assert_eq!(accepts(&hand.effects), [true, false]);
    hand.gone(first, Gone::Closed);
    hand.act(|cx| cx.set_slots(DOOR, Slots::AtMost(0)));
    hand.act(|cx| cx.set_slots(DOOR, Slots::Unlimited));
    assert_eq!(accepts(&hand.effects), [true, false, true, false, true]);
}

#[test]
fn a_listener_reopened_under_its_token_counts_its_own_connections() {
    let mut hand = Hand::new(Limits::default());
    hand.listen(DOOR, Slots::AtMost(1));
    let old = hand.accept(DOOR).expect("a slot is free");
    hand.act(|cx| cx.unlisten(DOOR));
    hand.forget();
    hand.listen(DOOR, Slots::AtMost(1));
    let new = hand.accept(DOOR).expect("a slot is free");
    assert_eq!(accepts(&hand.effects), [true, false]);
    hand.gone(new, Gone::Closed);
    assert_eq!(accepts(&hand.effects), [true, false, true], "its slot is free again");
    hand.accept(DOOR).expect("a slot is free");
    hand.gone(old, Gone::Closed);
    assert_eq!(accepts(&hand.effects), [true, false, true, false], "that was not its slot");
}

#[test]
fn a_bind_that_fails_leaves_older_connections_of_the_token_in_order() {
    let mut hand = Hand::new(Limits::default());
    hand.listen(DOOR, Slots::AtMost(1));
    let old = hand.accept(DOOR).expect("a slot is free");
    hand.act(|cx| {
        cx.unlisten(DOOR);
        cx.listen(DOOR, Listen::at(Endpoint::any(80)));
    });
    let in_use = Err(storytime_machine::BindError::InUse);
    hand.feed(|process, now| process.bound(now, DOOR, in_use.clone()));
    hand.listen(DOOR, Slots::AtMost(1));
    hand.gone(old, Gone::Closed);
    hand.accept(DOOR).expect("a slot is free");
    assert_eq!(hand.accept(Token(81)), None, "nobody listens under that name");
}

#[test]
fn a_datagram_socket_that_cannot_be_bound_does_not_close_the_listener_of_its_name() {
    let mut hand = Hand::new(Limits::default());
    hand.listen(DOOR, Slots::Unlimited);
    let at = storytime_machine::Addr::new([0, 0, 0, 0].into(), 80);
    hand.act(move |cx| cx.bind_datagram(DOOR, at));
    hand.feed(|process, now| process.bound(now, DOOR, Err(storytime_machine::BindError::InUse)));
    assert!(hand.accept(DOOR).is_some());
}

#[test]
fn at_the_cap_of_connections_nothing_is_accepted_and_connects_fail() {
    let mut hand = Hand::new(Limits { conns_max: 1, ..Limits::default() });
    hand.listen(DOOR, Slots::Unlimited);
    let conn = hand.accept(DOOR).expect("there is room");
    assert_eq!(accepts(&hand.effects), [true, false]);
    assert_eq!(hand.accept(DOOR), None);
    assert_eq!(hand.feed(|process, now| process.connected(now, Token(9))), None);
    assert_eq!(hand.told().last(), Some(&Told::Failed(Token(9), Gone::NoResources)));
    hand.gone(conn, Gone::Closed);
    assert_eq!(accepts(&hand.effects), [true, false, true]);
}

// ---- timers and the end
// ------------------------------------------------------------------------------

#[test]
fn a_timer_set_into_the_past_again_and_again_does_not_starve_the_others() {
    let mut hand = Hand::new(Limits::default());
    hand.at = 10;
    hand.act(|cx| {
        cx.at(Token(1), Time(10));
        cx.at(Token(2), Time(0));
    });
    hand.feed(|process, now| process.tick(now));
    assert_eq!(hand.told(), [Told::Timer(Token(1)), Told::Timer(Token(2))]);
    assert_eq!(hand.process.deadline(), None);
}

#[test]
fn behind_an_exit_nothing_comes_and_nothing_is_heard() {
    let mut hand = Hand::new(Limits::default());
    let conn = hand.connected();
    hand.forget();
    hand.act(move |cx| {
        cx.tx(conn).expect("it is open").put(b"last words");
        cx.start_tls(conn, Tls::Server);
        cx.after(Token(1), Duration::ZERO);
        cx.exit(Exit::Stopped);
        cx.connect(Token(1), Endpoint::any(1), Duration::ZERO);
        cx.exit(Exit::Failed("too late"));
    });
    assert_eq!(hand.effects, [Effect::Exit(Exit::Stopped)]);
    assert_eq!(hand.take(conn, 100), b"last words", "the transport may still have it");
    hand.receive(conn, b"x");
    hand.feed(|process, now| process.tick(now));
    hand.gone(conn, Gone::Closed);
    assert!(hand.told().is_empty() && hand.effects.len() == 1);
    assert_eq!((hand.process.deadline(), hand.process.exit()), (None, Some(Exit::Stopped)));
}

#[test]
fn buffers_are_accounted_to_the_byte_through_the_life_of_connections() {
    let mut rng = storytime_machine::Rng::new(7, 7);
    let mut hand = Hand::new(Limits::default());
    hand.process.machine_mut().eat = Some(Box::new(|cx, conn, rx| {
        // Eats some, answers some, pauses now and then.
        let eat = cx.rng().index(rx.len() + 1);
        let answer = rx.split_to(eat);
        if let Some(tx) = cx.tx(conn) {
            tx.put(&answer);
        }
        let pause = cx.rng().below(4) == 0;
        cx.pause(conn, pause);
    }));
    let mut conns: Vec<Conn> = (0..10).map(|_| hand.connected()).collect();
    for _ in 0..20_000 {
        let at = rng.index(conns.len());
        let conn = conns[at];
        match rng.below(8) {
            0..3 if hand.view(conn).read => hand.receive(conn, &[7; 100][..rng.index(100)]),
            3..5 => drop(hand.take(conn, rng.index(200))),
            5 => hand.act(move |cx| cx.pause(conn, false)),
            6 if rng.below(20) == 0 => {
                hand.gone(conn, Gone::Reset);
                conns[at] = hand.connected();
            }
            7 if rng.below(20) == 0 => hand.act(move |cx| cx.close(conn, Close::Flush)),
            _ => {}
        }
        let mut total = 0;
        for conn in conns.clone() {
            let rx = hand.process.rx(conn).map_or(0, |rx| rx.len());
            total += (rx + hand.view(conn).sendable) as u64;
        }
        assert_eq!(hand.buffered(), total);
    }
}
