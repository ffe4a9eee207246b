//! How connections end: half, in order, at once.

use crate::kit::{A_WHILE, actor, done, fail, limited, matches, piece, play, put, require};
use crate::roles::{Role, content_if_closed};
use crate::{Ability, Arm, Body};
use storytime_machine::{BytesMut, Close, Conn, Cx, Endpoint, Gone, Limits, Token};

pub(crate) const BODIES: &[Body] = &[
    Body {
        name: "a_client_may_half_close_and_go_on_reading",
        needs: &[Ability::HalfClose],
        run: a_client_may_half_close_and_go_on_reading,
    },
    Body {
        name: "a_server_may_half_close_and_go_on_reading",
        needs: &[Ability::HalfClose],
        run: a_server_may_half_close_and_go_on_reading,
    },
    Body {
        name: "a_flush_delivers_everything_though_input_waits_unread",
        needs: &[],
        run: a_flush_delivers_everything_though_input_waits_unread,
    },
    Body { name: "both_sides_may_close_at_once", needs: &[], run: both_sides_may_close_at_once },
    Body {
        name: "a_flushed_connection_waits_no_longer_than_it_lingers",
        needs: &[Ability::HalfClose, Ability::Resets],
        run: a_flushed_connection_waits_no_longer_than_it_lingers,
    },
    Body {
        name: "an_abort_drops_output_and_ends_both_sides",
        needs: &[],
        run: an_abort_drops_output_and_ends_both_sides,
    },
    Body {
        name: "an_abort_reaches_the_peer_as_a_reset",
        needs: &[Ability::Resets],
        run: an_abort_reaches_the_peer_as_a_reset,
    },
    Body {
        name: "a_flush_can_still_be_turned_into_an_abort",
        needs: &[],
        run: a_flush_can_still_be_turned_into_an_abort,
    },
    Body {
        name: "nothing_is_told_of_a_connection_after_our_flush",
        needs: &[],
        run: nothing_is_told_of_a_connection_after_our_flush,
    },
];

const PORT: u16 = 4003;
const ANSWER: u64 = 1 << 20;

/// Counts a stream of the pattern.
#[derive(Default)]
struct Count {
    got: u64,
    eof: bool,
}

impl Count {
    fn eat<const SALT: u8>(&mut self, cx: &mut Cx, _conn: Conn, rx: &mut BytesMut) {
        require(cx, matches(SALT, self.got, rx), "the stream differs");
        self.got += rx.len() as u64;
        rx.clear();
    }
}

fn a_client_may_half_close_and_go_on_reading(arm: &mut dyn Arm) {
    let server = Role::on_port(PORT, Count::default())
        .data(Count::eat::<1>)
        .eof(|s, cx, conn| {
            require(cx, s.got == 1000, "eof was told before the data");
            put(cx, conn, &piece(2, 0, ANSWER as usize));
            cx.close(conn, Close::Write);
        })
        .gone(content_if_closed);
    let client = Role::client(Endpoint::tcp(arm.ip(0), PORT), Count::default())
        .open(|_, cx, conn| {
            put(cx, conn, &piece(1, 0, 1000));
            cx.close(conn, Close::Write);
            let closed = cx.tx(conn).is_none();
            require(cx, closed, "there is output after our half-close");
        })
        .data(Count::eat::<2>)
        .eof(|s, _, _| s.eof = true)
        .gone(|s, cx, conn, why| {
            require(cx, s.eof && s.got == ANSWER, "the answer did not arrive before the end");
            content_if_closed(s, cx, conn, why);
        });
    let cast = vec![actor("server", arm.ip(0), server), actor("client", arm.ip(1), client)];
    play(cast, arm);
}

fn a_server_may_half_close_and_go_on_reading(arm: &mut dyn Arm) {
    let server = Role::on_port(PORT, Count::default())
        .open(|_, cx, conn| {
            put(cx, conn, &piece(1, 0, 1000));
            cx.close(conn, Close::Write);
        })
        .data(Count::eat::<2>)
        .eof(|s, _, _| s.eof = true)
        .gone(|s, cx, conn, why| {
            require(cx, s.eof && s.got == ANSWER, "the answer did not arrive before the end");
            content_if_closed(s, cx, conn, why);
        });
    let client = Role::client(Endpoint::tcp(arm.ip(0), PORT), Count::default())
        .data(Count::eat::<1>)
        .eof(|s, cx, conn| {
            require(cx, s.got == 1000, "eof was told before the data");
            put(cx, conn, &piece(2, 0, ANSWER as usize));
            cx.close(conn, Close::Write);
        })
        .gone(content_if_closed);
    let cast = vec![actor("server", arm.ip(0), server), actor("client", arm.ip(1), client)];
    play(cast, arm);
}

fn a_flush_delivers_everything_though_input_waits_unread(arm: &mut dyn Arm) {
    let server = Role::on_port(PORT, false)
        .data(|answered, cx, conn, rx| {
            require(cx, !*answered, "data was told after our flush");
            if rx.len() >= 100 {
                *answered = true;
                put(cx, conn, &piece(2, 0, ANSWER as usize));
                // What is left in `rx`, and all that follows, is never looked at.
                cx.close(conn, Close::Flush);
            }
        })
        .eof(|_, cx, _| fail(cx, "eof was told after our flush"))
        .gone(content_if_closed);
    let client = Role::client(Endpoint::tcp(arm.ip(0), PORT), Count::default())
        .open(|_, cx, conn| put(cx, conn, &piece(1, 0, ANSWER as usize)))
        .data(Count::eat::<2>)
        .eof(|s, cx, conn| {
            require(cx, s.got == ANSWER, "the answer was cut short by our own unread output");
            cx.close(conn, Close::Flush);
        })
        .gone(|s, cx, conn, why| {
            require(cx, s.got == ANSWER, "the answer was lost");
            content_if_closed(s, cx, conn, why);
        });
    let cast = vec![actor("server", arm.ip(0), server), actor("client", arm.ip(1), client)];
    play(cast, arm);
}

fn both_sides_may_close_at_once(arm: &mut dyn Arm) {
    let hang_up = |role: Role<()>| {
        role.open(|(), cx, conn| {
            put(cx, conn, b"goodbye");
            cx.close(conn, Close::Flush);
        })
        .gone(content_if_closed)
    };
    let server = hang_up(Role::on_port(PORT, ()));
    let client = hang_up(Role::client(Endpoint::tcp(arm.ip(0), PORT), ()));
    let cast = vec![actor("server", arm.ip(0), server), actor("client", arm.ip(1), client)];
    play(cast, arm);
}

fn a_flushed_connection_waits_no_longer_than_it_lingers(arm: &mut dyn Arm) {
    let server = Role::on_port(PORT, ())
        .data(|(), cx, conn, rx| {
            rx.clear();
            put(cx, conn, b"bye");
            cx.close(conn, Close::Flush);
        })
        .gone(content_if_closed);
    // Hears the end and goes on talking, for ever or until nobody is there any more.
    let client = Role::client(Endpoint::tcp(arm.ip(0), PORT), None)
        .open(|_, cx, conn| put(cx, conn, b"hello"))
        .eof(|s, cx, conn| {
            *s = Some(conn);
            cx.after(Token(1), A_WHILE);
        })
        .timer(|s, cx, timer| {
            if let Some(conn) = *s {
                put(cx, conn, b"and another thing");
                cx.after(timer, A_WHILE);
            }
        })
        .gone(|_, cx, _, why| {
            require(cx, why == Gone::Reset, "talking to nobody was told as something else");
            done(cx);
        });
    let short = Limits { linger: A_WHILE, ..Limits::default() };
    let server = limited(actor("server", arm.ip(0), server), short);
    play(vec![server, actor("client", arm.ip(1), client)], arm);
}

fn an_abort_drops_output_and_ends_both_sides(arm: &mut dyn Arm) {
    let server = Role::on_port(PORT, ())
        .data(|(), cx, conn, rx| {
            rx.clear();
            put(cx, conn, b"never to be seen");
            cx.close(conn, Close::Abort);
            let closed = cx.tx(conn).is_none();
            require(cx, closed, "there is output after our abort");
        })
        .gone(|(), cx, _, why| {
            require(cx, why == Gone::Aborted, "our abort was told as something else");
            done(cx);
        });
    let client = Role::client(Endpoint::tcp(arm.ip(0), PORT), ())
        .open(|(), cx, conn| put(cx, conn, b"hello"))
        .data(|(), cx, _, _| fail(cx, "output that was aborted arrived"))
        .gone(|(), cx, _, _| done(cx));
    let cast = vec![actor("server", arm.ip(0), server), actor("client", arm.ip(1), client)];
    play(cast, arm);
}

fn an_abort_reaches_the_peer_as_a_reset(arm: &mut dyn Arm) {
    let server = Role::on_port(PORT, ())
        .data(|(), cx, conn, _| cx.close(conn, Close::Abort))
        .gone(|(), cx, _, _| done(cx));
    let client = Role::client(Endpoint::tcp(arm.ip(0), PORT), ())
        .open(|(), cx, conn| put(cx, conn, b"hello"))
        .eof(|(), cx, _| fail(cx, "an abort looked like an orderly end"))
        .gone(|(), cx, _, why| {
            require(cx, why == Gone::Reset, "an abort was not told as a reset");
            done(cx);
        });
    let cast = vec![actor("server", arm.ip(0), server), actor("client", arm.ip(1), client)];
    play(cast, arm);
}

fn a_flush_can_still_be_turned_into_an_abort(arm: &mut dyn Arm) {
    let server = Role::on_port(PORT, ())
        .open(|(), cx, conn| {
            put(cx, conn, &piece(1, 0, ANSWER as usize));
            cx.close(conn, Close::Flush);
            cx.close(conn, Close::Abort);
            cx.close(conn, Close::Flush);
        })
        .gone(|(), cx, _, why| {
            require(cx, why == Gone::Aborted, "our abort was told as something else");
            done(cx);
        });
    let client = Role::client(Endpoint::tcp(arm.ip(0), PORT), ())
        .data(|(), cx, _, _| fail(cx, "output that was aborted arrived"))
        .gone(|(), cx, _, _| done(cx));
    let cast = vec![actor("server", arm.ip(0), server), actor("client", arm.ip(1), client)];
    play(cast, arm);
}

fn nothing_is_told_of_a_connection_after_our_flush(arm: &mut dyn Arm) {
    let server = Role::on_port(PORT, ())
        .open(|(), cx, conn| {
            put(cx, conn, b"go away");
            cx.close(conn, Close::Flush);
        })
        .data(|(), cx, _, _| fail(cx, "data was told after our flush"))
        .eof(|(), cx, _| fail(cx, "eof was told after our flush"))
        .drained(|(), cx, _| fail(cx, "drained was told after our flush"))
        .gone(content_if_closed);
    let client = Role::client(Endpoint::tcp(arm.ip(0), PORT), ())
        .open(|(), cx, conn| put(cx, conn, b"hello?"))
        .data(|(), cx, conn, rx| {
            if rx.len() >= 7 {
                rx.clear();
                put(cx, conn, b"one more thing");
            }
        })
        .gone(content_if_closed);
    let cast = vec![actor("server", arm.ip(0), server), actor("client", arm.ip(1), client)];
    play(cast, arm);
}
