//! How processes end, and handles that outlive their connection.

use crate::kit::{A_WHILE, actor, done, fail, play, play_to, put, require};
use crate::roles::{Role, content_if_closed};
use crate::{Actor, Arm, Body, Ending, Scene};
use storytime_machine::{Boot, Close, Conn, Cx, Endpoint, Exit, Gone, Machine, Token};

pub(crate) const BODIES: &[Body] = &[
    Body {
        name: "a_process_that_exits_ends_its_connections",
        needs: &[],
        run: a_process_that_exits_ends_its_connections,
    },
    Body { name: "an_exit_status_is_told", needs: &[], run: an_exit_status_is_told },
    Body {
        name: "a_process_that_does_not_exit_is_told_at_the_limit",
        needs: &[],
        run: a_process_that_does_not_exit_is_told_at_the_limit,
    },
    Body {
        name: "a_process_asked_to_stop_may_finish_its_work",
        needs: &[],
        run: a_process_asked_to_stop_may_finish_its_work,
    },
    Body {
        name: "a_process_asked_to_stop_ends_by_default",
        needs: &[],
        run: a_process_asked_to_stop_ends_by_default,
    },
    Body { name: "stale_handles_are_inert", needs: &[], run: stale_handles_are_inert },
];

const PORT: u16 = 4008;

fn a_process_that_exits_ends_its_connections(arm: &mut dyn Arm) {
    let server = Role::on_port(PORT, ()).data(|(), cx, conn, rx| {
        if rx.len() >= 4 {
            rx.clear();
            put(cx, conn, b"last words");
            done(cx);
        }
    });
    let client = Role::client(Endpoint::tcp(arm.ip(0), PORT), false)
        .open(|_, cx, conn| put(cx, conn, b"quit"))
        .data(|heard, cx, _, rx| {
            require(cx, b"last words".starts_with(rx), "the last words differ");
            *heard = rx.len() == 10;
        })
        .gone(|heard, cx, _, _| {
            require(cx, *heard, "output of the last step was not offered to the transport");
            done(cx);
        });
    let cast = vec![actor("server", arm.ip(0), server), actor("client", arm.ip(1), client)];
    play(cast, arm);
}

fn an_exit_status_is_told(arm: &mut dyn Arm) {
    let fails =
        Role::alone(()).start(|(), cx| cx.after(Token(1), A_WHILE / 10)).timer(|(), cx, _| {
            cx.exit(Exit::Failed("on purpose"));
            // Only the first exit counts.
            cx.exit(Exit::Stopped);
            cx.after(Token(2), A_WHILE);
        });
    let at_once = Role::alone(()).start(|(), cx| done(cx));
    let cast = vec![actor("fails", arm.ip(0), fails), actor("at once", arm.ip(1), at_once)];
    let wanted = [Ending::Exited(Exit::Failed("on purpose")), Ending::Exited(Exit::Stopped)];
    play_to(Scene { cast, names: Vec::new(), limit: crate::kit::LIMIT }, &wanted, arm);
}

fn a_process_that_does_not_exit_is_told_at_the_limit(arm: &mut dyn Arm) {
    let cast = vec![
        actor("idler", arm.ip(0), Role::on_port(PORT, ())),
        actor("worker", arm.ip(1), Role::alone(()).start(|(), cx| done(cx))),
    ];
    let wanted = [Ending::StillRunning, Ending::Exited(Exit::Stopped)];
    play_to(Scene { cast, names: Vec::new(), limit: 2 * A_WHILE }, &wanted, arm);
}

fn a_process_asked_to_stop_may_finish_its_work(arm: &mut dyn Arm) {
    let server = Role::on_port(PORT, None)
        .open(|s, _, conn| *s = Some(conn))
        .stop(|s, cx| match *s {
            Some(conn) => {
                put(cx, conn, b"one more");
                cx.close(conn, Close::Flush);
            }
            None => fail(cx, "nobody connected before the stop"),
        })
        .gone(content_if_closed);
    let client = Role::client(Endpoint::tcp(arm.ip(0), PORT), false)
        .data(|heard, _, _, rx| *heard = rx.len() == 8)
        .gone(|heard, cx, conn, why| {
            require(cx, *heard, "the work was not finished");
            content_if_closed(heard, cx, conn, why);
        });
    let server = Actor { stop_after: Some(4 * A_WHILE), ..actor("server", arm.ip(0), server) };
    let client = actor("client", arm.ip(1), client);
    play(vec![server, client], arm);
}

/// Knows nothing of stopping.
struct Plain;

impl Machine for Plain {
    fn start(&mut self, _cx: &mut Cx, _boot: Boot) {}
}

fn a_process_asked_to_stop_ends_by_default(arm: &mut dyn Arm) {
    let plain = Actor { stop_after: Some(A_WHILE), ..actor("plain", arm.ip(0), Plain) };
    play(vec![plain], arm);
}

/// The server of [`stale_handles_are_inert`].
#[derive(Default)]
struct Keeps {
    first: Option<Conn>,
    live: Option<Conn>,
}

impl Keeps {
    /// With a second connection up, in the first one's place: the old handle must do nothing.
    fn open(&mut self, cx: &mut Cx, conn: Conn) {
        let Some(old) = self.first else {
            self.first = Some(conn);
            return;
        };
        self.live = Some(conn);
        require(cx, old != conn, "two connections have one handle");
        require(cx, old.slot == conn.slot, "a free slot was not used again");
        let output = cx.tx(old).is_some();
        require(cx, !output, "a stale handle has output");
        require(cx, cx.pending(old) == 0, "a stale handle has pending output");
        cx.pause(old, true);
        cx.close(old, Close::Abort);
        cx.close(old, Close::Flush);
        put(cx, conn, b"fresh");
    }
}

fn stale_handles_are_inert(arm: &mut dyn Arm) {
    let server = Role::on_port(PORT, Keeps::default())
        .open(Keeps::open)
        .data(|s, cx, conn, rx| {
            rx.clear();
            if s.live.is_none() {
                cx.close(conn, Close::Flush);
            }
        })
        .gone(|s, cx, conn, why| {
            require(cx, why == Gone::Closed, "a connection did not end in order");
            if s.live == Some(conn) {
                done(cx);
            }
        });
    // Comes, goes, comes again.
    let client = Role::client(Endpoint::tcp(arm.ip(0), PORT), (arm.ip(0), 0u32))
        .open(|s, cx, conn| {
            s.1 += 1;
            put(cx, conn, b"hello");
        })
        .data(|s, cx, conn, rx| {
            require(cx, s.1 == 2, "an answer to the first connection");
            if rx[..] == b"fresh"[..] {
                rx.clear();
                cx.close(conn, Close::Flush);
            }
        })
        .gone(|s, cx, _, why| {
            require(cx, why == Gone::Closed, "a connection did not end in order");
            if s.1 == 2 {
                return done(cx);
            }
            cx.after(Token(1), A_WHILE);
        })
        .timer(|s, cx, _| {
            let to = Endpoint::tcp(s.0, PORT);
            cx.connect(crate::kit::CONNECT, to, crate::kit::CONNECT_TIMEOUT);
        });
    let cast = vec![actor("server", arm.ip(0), server), actor("client", arm.ip(1), client)];
    play(cast, arm);
}
