//! Addresses that move from host to host.

use crate::kit::{Dial, LISTENER, actor, done, fail, play, put, require};
use crate::{Ability, Arm, Body};
use storytime_machine::{
    AddressError, Boot, BytesMut, Close, Conn, Cx, Endpoint, Gone, IpAddr, Listen, Machine, Open,
    Token,
};

pub(crate) const BODIES: &[Body] = &[
    Body {
        name: "an_address_serves_at_the_host_that_has_taken_it",
        needs: &[Ability::Addresses],
        run: an_address_serves_at_the_host_that_has_taken_it,
    },
    Body {
        name: "the_own_address_of_another_host_is_denied",
        needs: &[],
        run: the_own_address_of_another_host_is_denied,
    },
];

/// Where the moving address is served.
const PORT: u16 = 4101;
/// Where a host is told to take it.
const TAKE_PORT: u16 = 4102;

/// Takes the address when a connection asks for it, serves one client there, and gives it up.
struct Host {
    moving: IpAddr,
    name: u8,
}

impl Machine for Host {
    fn start(&mut self, cx: &mut Cx, _: Boot) {
        cx.listen(Token(0), Listen::at(Endpoint::any(TAKE_PORT)));
    }

    fn open(&mut self, cx: &mut Cx, conn: Conn, how: Open) {
        match how {
            Open::Accepted { listener: LISTENER, .. } => {
                put(cx, conn, &[self.name]);
                cx.close(conn, Close::Flush);
            }
            _ => cx.take_address(self.moving),
        }
    }

    fn addressed(&mut self, cx: &mut Cx, ip: IpAddr, result: Result<(), AddressError>) {
        require(cx, ip == self.moving, "an address was answered that nobody asked for");
        require(cx, result == Ok(()), "the address is not to be had");
        cx.listen(LISTENER, Listen::at(Endpoint::tcp(self.moving, PORT)));
    }

    fn gone(&mut self, cx: &mut Cx, _: Conn, _: Gone) {
        // Both connections end together: the client's first, or the one that asked.
        cx.unlisten(LISTENER);
        cx.release_address(self.moving);
        done(cx);
    }
}

/// Has one host after the other take the address, and hears who serves there.
struct Mover {
    moving: IpAddr,
    hosts: [IpAddr; 2],
    turn: usize,
    dial: Dial,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    AwaitHost,
    AwaitName(Conn),
}

impl Machine for Mover {
    fn start(&mut self, cx: &mut Cx, _: Boot) {
        self.dial.start(cx);
    }

    fn open(&mut self, cx: &mut Cx, conn: Conn, _: Open) {
        if self.state == State::AwaitHost {
            self.state = State::AwaitName(conn);
            self.dial = Dial::to(Endpoint::tcp(self.moving, PORT));
            self.dial.start(cx);
        }
    }

    fn data(&mut self, cx: &mut Cx, _: Conn, rx: &mut BytesMut) {
        require(cx, rx[..] == [self.turn as u8], "another host serves at the address");
        rx.clear();
    }

    fn gone(&mut self, cx: &mut Cx, conn: Conn, _: Gone) {
        let State::AwaitName(asked) = self.state else { return };
        if conn != asked {
            return cx.close(asked, Close::Flush);
        }
        self.turn += 1;
        if self.turn == self.hosts.len() {
            return done(cx);
        }
        self.state = State::AwaitHost;
        self.dial = Dial::to(Endpoint::tcp(self.hosts[self.turn], TAKE_PORT));
        self.dial.start(cx);
    }

    fn failed(&mut self, cx: &mut Cx, _: Token, why: Gone) {
        self.dial.failed(cx, why);
    }

    fn timer(&mut self, cx: &mut Cx, timer: Token) {
        self.dial.timer(cx, timer);
    }
}

fn an_address_serves_at_the_host_that_has_taken_it(arm: &mut dyn Arm) {
    let (moving, hosts) = (arm.spare(), [arm.ip(0), arm.ip(1)]);
    let dial = Dial::to(Endpoint::tcp(hosts[0], TAKE_PORT));
    let mover = Mover { moving, hosts, turn: 0, dial, state: State::AwaitHost };
    let host = |name| Host { moving, name };
    let cast = vec![
        actor("first", hosts[0], host(0)),
        actor("second", hosts[1], host(1)),
        actor("mover", arm.ip(2), mover),
    ];
    play(cast, arm);
}

/// Wants what is another's.
struct Thief {
    wants: IpAddr,
}

impl Machine for Thief {
    fn start(&mut self, cx: &mut Cx, _: Boot) {
        cx.take_address(self.wants);
    }

    fn addressed(&mut self, cx: &mut Cx, ip: IpAddr, result: Result<(), AddressError>) {
        if ip == self.wants && result == Err(AddressError::Denied) {
            done(cx);
        } else {
            fail(cx, "another host's own address was granted");
        }
    }
}

/// Is there.
struct Idle;

impl Machine for Idle {
    fn start(&mut self, cx: &mut Cx, _: Boot) {
        done(cx);
    }
}

fn the_own_address_of_another_host_is_denied(arm: &mut dyn Arm) {
    let owner = actor("owner", arm.ip(1), Idle);
    let thief = actor("thief", arm.ip(0), Thief { wants: arm.ip(1) });
    play(vec![owner, thief], arm);
}
