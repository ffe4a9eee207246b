//! Connects that fail, listeners that cannot be had, ports of the driver's choice.

use crate::kit::{CONNECT_TIMEOUT, LISTENER, actor, done, fail, play, require};
use crate::{Ability, Arm, Body};
use storytime_machine::{
    BindError, Boot, BytesMut, Close, Conn, Cx, Duration, Endpoint, Gone, IpAddr, Listen, Machine,
    Open, Slots, Token,
};

pub(crate) const BODIES: &[Body] = &[
    Body {
        name: "a_connect_to_a_port_without_listener_is_refused",
        needs: &[],
        run: a_connect_to_a_port_without_listener_is_refused,
    },
    Body {
        name: "a_connect_to_nowhere_is_unreachable",
        needs: &[Ability::Unreachable],
        run: a_connect_to_nowhere_is_unreachable,
    },
    Body {
        name: "a_connect_to_a_full_listen_queue_times_out",
        needs: &[Ability::ListenQueue],
        run: a_connect_to_a_full_listen_queue_times_out,
    },
    Body {
        name: "a_listener_on_port_0_tells_its_port",
        needs: &[],
        run: a_listener_on_port_0_tells_its_port,
    },
    Body { name: "a_port_can_be_had_once", needs: &[], run: a_port_can_be_had_once },
    Body {
        name: "a_closed_listener_refuses_and_keeps_what_it_took",
        needs: &[],
        run: a_closed_listener_refuses_and_keeps_what_it_took,
    },
];

const PORT: u16 = 4004;

/// Connects once and wants it to fail with this.
struct Fails {
    to: Endpoint,
    wants: Gone,
}

impl Machine for Fails {
    fn start(&mut self, cx: &mut Cx, _boot: Boot) {
        cx.connect(Token(77), self.to.clone(), CONNECT_TIMEOUT);
    }

    fn open(&mut self, cx: &mut Cx, _conn: Conn, _how: Open) {
        fail(cx, "the connect came up");
    }

    fn failed(&mut self, cx: &mut Cx, connect: Token, why: Gone) {
        require(cx, connect == Token(77), "the failure names another connect");
        require(cx, why == self.wants, "the connect failed for another reason");
        done(cx);
    }
}

fn a_connect_to_a_port_without_listener_is_refused(arm: &mut dyn Arm) {
    let ip = arm.ip(0);
    let client = Fails { to: Endpoint::tcp(ip, PORT), wants: Gone::Refused };
    play(vec![actor("client", ip, client)], arm);
}

fn a_connect_to_nowhere_is_unreachable(arm: &mut dyn Arm) {
    let to = Endpoint::tcp(arm.nowhere(), PORT);
    let client = Fails { to, wants: Gone::Unreachable };
    play(vec![actor("client", arm.ip(0), client)], arm);
}

/// Listens, never accepts, and connects to itself until one connect runs out of time.
struct FullQueue {
    ip: IpAddr,
    up: u32,
}

impl FullQueue {
    const BACKLOG: u32 = 1;
    /// Kernels are generous with short queues; none takes so many.
    const CONNECTS: u64 = 16;
    const TIMEOUT: Duration = Duration::from_millis(700);

    /// One after the other: handshakes that cross each other may all find room.
    fn connect(&self, cx: &mut Cx) {
        cx.connect(Token(u64::from(self.up)), Endpoint::tcp(self.ip, PORT), Self::TIMEOUT);
    }
}

impl Machine for FullQueue {
    fn start(&mut self, cx: &mut Cx, _boot: Boot) {
        let at = Endpoint::any(PORT);
        cx.listen(LISTENER, Listen { at, backlog: Self::BACKLOG, slots: Slots::AtMost(0) });
    }

    fn bound(&mut self, cx: &mut Cx, _socket: Token, result: Result<Endpoint, BindError>) {
        require(cx, result.is_ok(), "the listener could not be had");
        self.connect(cx);
    }

    fn open(&mut self, cx: &mut Cx, _conn: Conn, how: Open) {
        let ours = matches!(how, Open::Connected { .. });
        require(cx, ours, "a connection was accepted without a slot");
        self.up += 1;
        require(cx, u64::from(self.up) < Self::CONNECTS, "the queue took everything");
        self.connect(cx);
    }

    fn failed(&mut self, cx: &mut Cx, _connect: Token, why: Gone) {
        require(cx, why == Gone::TimedOut, "a full queue was told as something else");
        require(cx, self.up >= 1, "the queue took nothing");
        done(cx);
    }
}

fn a_connect_to_a_full_listen_queue_times_out(arm: &mut dyn Arm) {
    let ip = arm.ip(0);
    play(vec![actor("both", ip, FullQueue { ip, up: 0 })], arm);
}

/// Listens wherever the driver likes and connects to itself there.
struct AnyPort {
    ip: IpAddr,
    opens: u32,
}

impl Machine for AnyPort {
    fn start(&mut self, cx: &mut Cx, _boot: Boot) {
        cx.listen(LISTENER, Listen::at(Endpoint::any(0)));
    }

    fn bound(&mut self, cx: &mut Cx, socket: Token, result: Result<Endpoint, BindError>) {
        require(cx, socket == LISTENER, "another socket was bound");
        match result.ok().and_then(|at| at.port()) {
            Some(port) if port > 0 => {
                cx.connect(Token(1), Endpoint::tcp(self.ip, port), CONNECT_TIMEOUT);
            }
            _ => fail(cx, "no port was told"),
        }
    }

    fn open(&mut self, cx: &mut Cx, _conn: Conn, how: Open) {
        self.opens += 1;
        if let Open::Accepted { listener, peer } = how {
            require(cx, listener == LISTENER, "another listener accepted");
            require(cx, peer.port().is_some_and(|p| p > 0), "the peer has no address");
        }
        if self.opens == 2 {
            done(cx);
        }
    }

    fn failed(&mut self, cx: &mut Cx, _connect: Token, _why: Gone) {
        fail(cx, "nobody listens at the port told");
    }
}

fn a_listener_on_port_0_tells_its_port(arm: &mut dyn Arm) {
    let ip = arm.ip(0);
    play(vec![actor("both", ip, AnyPort { ip, opens: 0 })], arm);
}

/// Listens twice on one port.
struct Twice {
    first: bool,
}

impl Machine for Twice {
    fn start(&mut self, cx: &mut Cx, _boot: Boot) {
        cx.listen(LISTENER, Listen::at(Endpoint::any(PORT)));
    }

    fn bound(&mut self, cx: &mut Cx, socket: Token, result: Result<Endpoint, BindError>) {
        if self.first {
            self.first = false;
            require(cx, result.is_ok(), "the listener could not be had");
            cx.listen(Token(2), Listen::at(Endpoint::any(PORT)));
        } else {
            require(cx, socket == Token(2), "another socket was told");
            require(cx, result == Err(BindError::InUse), "a port was had twice");
            done(cx);
        }
    }
}

fn a_port_can_be_had_once(arm: &mut dyn Arm) {
    play(vec![actor("greedy", arm.ip(0), Twice { first: true })], arm);
}

/// Takes one connection from itself, closes the listener, and tries another.
struct Closes {
    ip: IpAddr,
    accepted: Option<Conn>,
    connected: Option<Conn>,
}

impl Closes {
    const SECOND: Token = Token(2);

    fn both_up(&self, cx: &mut Cx) {
        if self.accepted.is_some() && self.connected.is_some() {
            cx.unlisten(LISTENER);
            cx.connect(Self::SECOND, Endpoint::tcp(self.ip, PORT), CONNECT_TIMEOUT);
        }
    }
}

impl Machine for Closes {
    fn start(&mut self, cx: &mut Cx, _boot: Boot) {
        cx.listen(LISTENER, Listen::at(Endpoint::any(PORT)));
    }

    fn bound(&mut self, cx: &mut Cx, _socket: Token, result: Result<Endpoint, BindError>) {
        require(cx, result.is_ok(), "the listener could not be had");
        cx.connect(Token(1), Endpoint::tcp(self.ip, PORT), CONNECT_TIMEOUT);
    }

    fn open(&mut self, cx: &mut Cx, conn: Conn, how: Open) {
        match how {
            Open::Accepted { .. } => self.accepted = Some(conn),
            Open::Connected { connect: Self::SECOND } => fail(cx, "a closed listener took one"),
            Open::Connected { .. } => self.connected = Some(conn),
        }
        self.both_up(cx);
    }

    fn failed(&mut self, cx: &mut Cx, connect: Token, why: Gone) {
        require(cx, connect == Self::SECOND, "the first connect failed");
        require(cx, why == Gone::Refused, "a closed listener was told as something else");
        if let Some(tx) = self.connected.and_then(|conn| cx.tx(conn)) {
            tx.put(b"still there?");
        }
    }

    fn data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        require(cx, Some(conn) == self.accepted, "data on the wrong connection");
        if rx.len() == 12 {
            rx.clear();
            cx.close(conn, Close::Abort);
        }
    }

    fn gone(&mut self, cx: &mut Cx, _conn: Conn, why: Gone) {
        require(cx, why == Gone::Aborted || why == Gone::Reset, "it ended otherwise");
        done(cx);
    }
}

fn a_closed_listener_refuses_and_keeps_what_it_took(arm: &mut dyn Arm) {
    let ip = arm.ip(0);
    play(vec![actor("both", ip, Closes { ip, accepted: None, connected: None })], arm);
}
