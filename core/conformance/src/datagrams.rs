//! Datagrams: whole or not at all.

use crate::kit::{A_WHILE, actor, done, fail, matches, piece, play, require};
use crate::{Ability, Arm, Body};
use storytime_machine::{
    ANY, Addr, BindError, Boot, Cx, DATAGRAM_BYTES_MAX, DatagramTooLong, Endpoint, IpAddr, Machine,
    Token,
};

pub(crate) const BODIES: &[Body] = &[
    Body {
        name: "datagrams_come_back_whole",
        needs: &[Ability::Datagrams],
        run: datagrams_come_back_whole,
    },
    Body {
        name: "a_datagram_too_large_is_the_callers_mistake",
        needs: &[Ability::Datagrams],
        run: a_datagram_too_large_is_the_callers_mistake,
    },
];

const PORT: u16 = 4006;
const SOCKET: Token = Token(9);
const SALT: u8 = 6;
/// Lengths that are sent, one after the other. The last ends the conversation.
const LENGTHS: [usize; 6] = [1, 0, 512, 1_400, 9_000, DATAGRAM_BYTES_MAX];

/// Sends back what it gets, until it got the longest.
struct Echo;

impl Machine for Echo {
    fn start(&mut self, cx: &mut Cx, _boot: Boot) {
        cx.bind_datagram(SOCKET, Addr::new(ANY, PORT));
    }

    fn bound(&mut self, cx: &mut Cx, _socket: Token, result: Result<Endpoint, BindError>) {
        require(cx, result.is_ok(), "the socket could not be had");
    }

    fn datagram(&mut self, cx: &mut Cx, socket: Token, from: Addr, bytes: &[u8]) {
        require(cx, socket == SOCKET, "another socket was told");
        let sent = cx.send_to(socket, from, bytes.to_vec());
        require(cx, sent.is_ok(), "what arrived is too long to go back");
        if bytes.len() == DATAGRAM_BYTES_MAX {
            // Datagrams may be lost: stay for a while to answer again.
            cx.after(Token(1), 6 * A_WHILE);
        }
    }

    fn timer(&mut self, cx: &mut Cx, _timer: Token) {
        done(cx);
    }
}

/// Sends each length until it comes back.
struct Sender {
    to: Addr,
    /// Index of the length under way.
    next: usize,
}

impl Sender {
    fn send(&self, cx: &mut Cx) {
        let bytes = piece(SALT, 0, LENGTHS[self.next]);
        let sent = cx.send_to(SOCKET, self.to, bytes);
        require(cx, sent.is_ok(), "a datagram that fits was refused");
        cx.after(Token(1), A_WHILE / 2);
    }
}

impl Machine for Sender {
    fn start(&mut self, cx: &mut Cx, _boot: Boot) {
        cx.bind_datagram(SOCKET, Addr::new(ANY, 0));
    }

    fn bound(&mut self, cx: &mut Cx, _socket: Token, result: Result<Endpoint, BindError>) {
        match result.ok().and_then(|at| at.port()) {
            Some(port) if port > 0 => self.send(cx),
            _ => fail(cx, "no port was told"),
        }
    }

    fn datagram(&mut self, cx: &mut Cx, _socket: Token, from: Addr, bytes: &[u8]) {
        require(cx, from == self.to, "an answer from somebody else");
        require(cx, matches(SALT, 0, bytes), "the bytes differ");
        if bytes.len() != LENGTHS[self.next] {
            // A late copy of an earlier one, sent twice.
            let earlier = LENGTHS[..self.next].contains(&bytes.len());
            return require(cx, earlier, "a datagram was cut or glued");
        }
        self.next += 1;
        if self.next == LENGTHS.len() {
            return done(cx);
        }
        self.send(cx);
    }

    fn timer(&mut self, cx: &mut Cx, _timer: Token) {
        self.send(cx);
    }
}

fn datagrams_come_back_whole(arm: &mut dyn Arm) {
    let to = Addr::new(arm.ip(0), PORT);
    let cast =
        vec![actor("echo", arm.ip(0), Echo), actor("sender", arm.ip(1), Sender { to, next: 0 })];
    play(cast, arm);
}

/// Tries one byte too many.
struct TooLong {
    ip: IpAddr,
}

impl Machine for TooLong {
    fn start(&mut self, cx: &mut Cx, _boot: Boot) {
        cx.bind_datagram(SOCKET, Addr::new(ANY, 0));
    }

    fn bound(&mut self, cx: &mut Cx, _socket: Token, _result: Result<Endpoint, BindError>) {
        let bytes = DATAGRAM_BYTES_MAX + 1;
        let sent = cx.send_to(SOCKET, Addr::new(self.ip, PORT), piece(SALT, 0, bytes));
        require(cx, sent == Err(DatagramTooLong { bytes }), "it was not refused");
        done(cx);
    }
}

fn a_datagram_too_large_is_the_callers_mistake(arm: &mut dyn Arm) {
    let ip = arm.ip(0);
    play(vec![actor("sender", ip, TooLong { ip })], arm);
}
