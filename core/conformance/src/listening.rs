//! Accepting is the machine's choice: slots, the listen queue, the cap on connections.

use crate::kit::{
    A_WHILE, CONNECT_TIMEOUT, LISTENER, actor, done, fail, limited, play, put, require,
};
use crate::roles::{Role, content_if_closed};
use crate::{Ability, Actor, Arm, Body};
use storytime_machine::{
    Boot, BytesMut, Close, Conn, Cx, Endpoint, Gone, IpAddr, Limits, Listen, Machine, Open, Slots,
    Token,
};

pub(crate) const BODIES: &[Body] = &[
    Body {
        name: "without_slots_nothing_is_accepted_until_there_are_some",
        needs: &[Ability::ListenQueue],
        run: without_slots_nothing_is_accepted_until_there_are_some,
    },
    Body {
        name: "one_slot_serves_one_after_the_other",
        needs: &[Ability::ListenQueue],
        run: one_slot_serves_one_after_the_other,
    },
    Body {
        name: "three_slots_serve_three_at_once",
        needs: &[Ability::ListenQueue],
        run: three_slots_serve_three_at_once,
    },
    Body {
        name: "fewer_slots_close_nothing",
        needs: &[Ability::ListenQueue],
        run: fewer_slots_close_nothing,
    },
    Body {
        name: "a_closed_listener_resets_what_waits_in_its_queue",
        needs: &[Ability::ListenQueue, Ability::Resets],
        run: a_closed_listener_resets_what_waits_in_its_queue,
    },
    Body {
        name: "the_cap_on_connections_holds_for_accepting",
        needs: &[Ability::ListenQueue],
        run: the_cap_on_connections_holds_for_accepting,
    },
    Body {
        name: "the_cap_on_connections_holds_for_connecting",
        needs: &[],
        run: the_cap_on_connections_holds_for_connecting,
    },
];

const PORT: u16 = 4005;

fn with_slots(slots: Slots) -> Listen {
    Listen { at: Endpoint::any(PORT), backlog: 64, slots }
}

/// Asks at once, before anybody can have accepted it, and wants an answer.
fn asker(ip: IpAddr) -> Role<bool> {
    Role::client(Endpoint::tcp(ip, PORT), false)
        .open(|_, cx, conn| put(cx, conn, b"question"))
        .data(|answered, cx, conn, rx| {
            if rx.len() >= 6 {
                require(cx, rx[..] == b"answer"[..], "the answer differs");
                rx.clear();
                *answered = true;
                cx.close(conn, Close::Flush);
            }
        })
        .gone(|answered, cx, conn, why| {
            require(cx, *answered, "the connection ended without an answer");
            content_if_closed(answered, cx, conn, why);
        })
}

fn with_askers(arm: &dyn Arm, server: Actor, count: usize) -> Vec<Actor> {
    const NAMES: [&str; 9] = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
    let clients = NAMES[..count].iter().map(|name| actor(name, arm.ip(1), asker(arm.ip(0))));
    core::iter::once(server).chain(clients).collect()
}

/// Counts connections, and answers whole questions when it is told to.
struct Desk {
    open: u32,
    open_max: u32,
    served: u32,
    /// Asked, and not answered yet.
    waiting: Vec<Conn>,
    /// Answers once so many wait.
    batch: usize,
    /// How many there will be.
    expected: u32,
    /// More than this at once is a broken promise.
    allowed: u32,
}

impl Desk {
    const fn new(expected: u32, allowed: u32, batch: usize) -> Self {
        Self { open: 0, open_max: 0, served: 0, waiting: Vec::new(), batch, expected, allowed }
    }

    fn open(&mut self, cx: &mut Cx, _conn: Conn) {
        self.open += 1;
        self.open_max = self.open_max.max(self.open);
        require(cx, self.open <= self.allowed, "more connections than slots");
    }

    fn data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        if rx.len() < 8 {
            return;
        }
        require(cx, rx[..] == b"question"[..], "the question differs");
        rx.clear();
        self.waiting.push(conn);
        if self.waiting.len() >= self.batch {
            for conn in self.waiting.drain(..) {
                put(cx, conn, b"answer");
            }
        }
    }

    fn gone(&mut self, cx: &mut Cx, _conn: Conn, _why: Gone) {
        self.open -= 1;
        self.served += 1;
        if self.served == self.expected {
            require(cx, self.open_max == self.allowed, "slots stayed unused");
            done(cx);
        }
    }

    fn role(self, slots: Slots) -> Role<Self> {
        Role::server(with_slots(slots), self).open(Self::open).data(Self::data).gone(Self::gone)
    }
}

fn without_slots_nothing_is_accepted_until_there_are_some(arm: &mut dyn Arm) {
    let server = Desk::new(4, 2, 1)
        .role(Slots::AtMost(0))
        .start(|s, cx| {
            s.allowed = 0;
            cx.after(Token(1), 2 * A_WHILE);
        })
        .timer(|s, cx, _| {
            s.allowed = 2;
            s.batch = 2;
            cx.set_slots(LISTENER, Slots::AtMost(2));
        });
    let server = actor("server", arm.ip(0), server);
    let cast = with_askers(arm, server, 4);
    play(cast, arm);
}

fn one_slot_serves_one_after_the_other(arm: &mut dyn Arm) {
    let server = actor("server", arm.ip(0), Desk::new(5, 1, 1).role(Slots::AtMost(1)));
    let cast = with_askers(arm, server, 5);
    play(cast, arm);
}

fn three_slots_serve_three_at_once(arm: &mut dyn Arm) {
    let server = actor("server", arm.ip(0), Desk::new(9, 3, 3).role(Slots::AtMost(3)));
    let cast = with_askers(arm, server, 9);
    play(cast, arm);
}

fn fewer_slots_close_nothing(arm: &mut dyn Arm) {
    // With three open, slots shrink to one: the three are served, the rest one by one.
    let server = Desk::new(6, 3, 3).role(Slots::AtMost(3)).open(|s, cx, conn| {
        s.open(cx, conn);
        if s.open == 3 {
            cx.set_slots(LISTENER, Slots::AtMost(1));
        } else if s.served > 0 {
            s.batch = 1;
            require(cx, s.open == 1, "a slot that was taken back was used");
        }
    });
    let server = actor("server", arm.ip(0), server);
    let cast = with_askers(arm, server, 6);
    play(cast, arm);
}

fn a_closed_listener_resets_what_waits_in_its_queue(arm: &mut dyn Arm) {
    let server = Role::server(with_slots(Slots::AtMost(0)), ())
        .start(|(), cx| cx.after(Token(1), 2 * A_WHILE))
        .timer(|(), cx, timer| {
            if timer == Token(1) {
                cx.unlisten(LISTENER);
                // The host stays, so that the reset comes from the listener and not from its end.
                cx.after(Token(2), 4 * A_WHILE);
            } else {
                done(cx);
            }
        })
        .open(|(), cx, _| fail(cx, "a connection was accepted without a slot"));
    let client = Role::client(Endpoint::tcp(arm.ip(0), PORT), ()).gone(|(), cx, _, why| {
        require(cx, why == Gone::Reset, "the queue's end was told as something else");
        done(cx);
    });
    play(vec![actor("server", arm.ip(0), server), actor("client", arm.ip(1), client)], arm);
}

fn the_cap_on_connections_holds_for_accepting(arm: &mut dyn Arm) {
    let server = actor("server", arm.ip(0), Desk::new(6, 2, 2).role(Slots::Unlimited));
    let server = limited(server, Limits { conns_max: 2, ..Limits::default() });
    let cast = with_askers(arm, server, 6);
    play(cast, arm);
}

/// May have one connection and wants two.
struct OneTooMany {
    ip: IpAddr,
    first: Option<Conn>,
}

impl OneTooMany {
    const FIRST: Token = Token(1);
    const SECOND: Token = Token(2);
    const RETRY: Token = Token(3);

    fn dial(&self, cx: &mut Cx, connect: Token) {
        cx.connect(connect, Endpoint::tcp(self.ip, PORT), CONNECT_TIMEOUT);
    }
}

impl Machine for OneTooMany {
    fn start(&mut self, cx: &mut Cx, _boot: Boot) {
        self.dial(cx, Self::FIRST);
    }

    fn timer(&mut self, cx: &mut Cx, _timer: Token) {
        self.dial(cx, Self::FIRST);
    }

    fn open(&mut self, cx: &mut Cx, conn: Conn, how: Open) {
        if how == (Open::Connected { connect: Self::FIRST }) {
            self.first = Some(conn);
            self.dial(cx, Self::SECOND);
        } else {
            fail(cx, "a connection above the cap was opened");
        }
    }

    fn failed(&mut self, cx: &mut Cx, connect: Token, why: Gone) {
        match (connect, why, self.first) {
            // The server is not up yet.
            (Self::FIRST, Gone::Refused | Gone::Unreachable, None) => {
                cx.after(Self::RETRY, A_WHILE / 8);
            }
            (Self::SECOND, Gone::NoResources, Some(first)) => cx.close(first, Close::Flush),
            _ => fail(cx, "a connect failed for another reason"),
        }
    }

    fn gone(&mut self, cx: &mut Cx, _conn: Conn, why: Gone) {
        require(cx, why == Gone::Closed, "the first connection did not end in order");
        done(cx);
    }
}

fn the_cap_on_connections_holds_for_connecting(arm: &mut dyn Arm) {
    let server = Role::on_port(PORT, ()).gone(|(), cx, _, why| {
        // The connection above the cap may be seen here, too; it ends in a reset.
        if why == Gone::Closed {
            done(cx);
        }
    });
    let client = actor("client", arm.ip(1), OneTooMany { ip: arm.ip(0), first: None });
    let client = limited(client, Limits { conns_max: 1, ..Limits::default() });
    play(vec![actor("server", arm.ip(0), server), client], arm);
}
