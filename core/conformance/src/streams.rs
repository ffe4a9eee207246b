//! Bytes arrive once, in order, however they are cut.

use crate::kit::{actor, fail, limited, matches, piece, play, put, require};
use crate::roles::{Role, content_if_closed};
use crate::{Arm, Body};
use storytime_machine::{Buf, Bytes, BytesMut, Close, Conn, Cx, Duration, Endpoint, Limits, Token};

pub(crate) const BODIES: &[Body] = &[
    Body {
        name: "frames_survive_a_writer_that_sends_byte_by_byte",
        needs: &[],
        run: frames_survive_a_writer_that_sends_byte_by_byte,
    },
    Body {
        name: "a_message_may_be_cut_at_every_byte",
        needs: &[],
        run: a_message_may_be_cut_at_every_byte,
    },
    Body {
        name: "megabytes_cross_both_ways_at_once",
        needs: &[],
        run: megabytes_cross_both_ways_at_once,
    },
    Body {
        name: "one_write_may_be_larger_than_every_buffer",
        needs: &[],
        run: one_write_may_be_larger_than_every_buffer,
    },
    Body {
        name: "a_small_input_cap_holds_and_loses_nothing",
        needs: &[],
        run: a_small_input_cap_holds_and_loses_nothing,
    },
    Body {
        name: "many_small_writes_keep_their_order_among_large_ones",
        needs: &[],
        run: many_small_writes_keep_their_order_among_large_ones,
    },
];

const PORT: u16 = 4001;
const SALT: u8 = 1;

/// Reads frames of a length byte and so many bytes of the pattern; leaves partial ones.
#[derive(Default)]
struct Framed {
    frames: u64,
    bytes: u64,
    /// Length of the partial frame left last time.
    left: usize,
}

impl Framed {
    fn eat(&mut self, cx: &mut Cx, rx: &mut BytesMut) {
        require(cx, rx.len() > self.left, "data was told again without more of it");
        while let [len, rest @ ..] = &rx[..]
            && rest.len() >= usize::from(*len)
        {
            let len = usize::from(*len);
            if !matches(SALT, self.bytes, &rest[..len]) {
                return fail(cx, "a frame holds the wrong bytes");
            }
            self.bytes += len as u64;
            self.frames += 1;
            rx.advance(1 + len);
        }
        self.left = rx.len();
    }
}

/// Frames as [`Framed`] reads them: lengths 0, 1, 2 … up to `count`.
fn frames(count: u8) -> Bytes {
    let mut wire = BytesMut::new();
    let mut at = 0;
    for len in 0..count {
        wire.extend_from_slice(&[len]);
        wire.extend_from_slice(&piece(SALT, at, usize::from(len)));
        at += u64::from(len);
    }
    wire.freeze()
}

const FRAMES: u8 = 25;

fn frames_survive_a_writer_that_sends_byte_by_byte(arm: &mut dyn Arm) {
    let server = Role::on_port(PORT, Framed::default())
        .data(|s, cx, _, rx| s.eat(cx, rx))
        .eof(|s, cx, conn| {
            require(cx, s.frames == u64::from(FRAMES), "not every frame arrived");
            require(cx, s.left == 0, "part of a frame is left");
            cx.close(conn, Close::Flush);
        })
        .gone(content_if_closed);
    let client = Role::client(Endpoint::tcp(arm.ip(0), PORT), (frames(FRAMES), None))
        .open(|s: &mut (Bytes, Option<Conn>), cx, conn| {
            s.1 = Some(conn);
            cx.after(Token(1), Duration::ZERO);
        })
        .timer(|s, cx, _| {
            let Some(conn) = s.1 else { return };
            if s.0.is_empty() {
                return cx.close(conn, Close::Flush);
            }
            put(cx, conn, &s.0[..1]);
            s.0.advance(1);
            cx.after(Token(1), Duration::from_micros(50));
        })
        .gone(content_if_closed);
    let cast = vec![actor("server", arm.ip(0), server), actor("client", arm.ip(1), client)];
    play(cast, arm);
}

/// The client of [`a_message_may_be_cut_at_every_byte`].
struct Cutter {
    conn: Option<Conn>,
    message: Bytes,
    cut: usize,
}

impl Cutter {
    fn first(&self, cx: &mut Cx) {
        let Some(conn) = self.conn else { return };
        put(cx, conn, &self.message[..self.cut]);
        cx.after(Token(1), Duration::from_micros(300));
    }
}

fn a_message_may_be_cut_at_every_byte(arm: &mut dyn Arm) {
    let server = Role::on_port(PORT, 0usize)
        .data(|_, cx, conn, rx| {
            let message = frames(6);
            if rx.len() < message.len() {
                return require(cx, message.starts_with(rx), "a partial message differs");
            }
            require(cx, rx[..] == message[..], "a message differs");
            rx.clear();
            put(cx, conn, b"k");
        })
        .gone(content_if_closed);
    let cutter = Cutter { conn: None, message: frames(6), cut: 0 };
    let client = Role::client(Endpoint::tcp(arm.ip(0), PORT), cutter)
        .open(|s, cx, conn| {
            s.conn = Some(conn);
            s.first(cx);
        })
        .timer(|s, cx, _| {
            // The answer to a message that was sent whole may have come first.
            if let (Some(conn), Some(rest)) = (s.conn, s.message.get(s.cut..)) {
                put(cx, conn, rest);
            }
        })
        .data(|s, cx, conn, rx| {
            require(cx, rx[..] == b"k"[..], "the answer differs");
            rx.clear();
            s.cut += 1;
            if s.cut <= s.message.len() {
                s.first(cx);
            } else {
                cx.close(conn, Close::Flush);
            }
        })
        .gone(content_if_closed);
    let cast = vec![actor("server", arm.ip(0), server), actor("client", arm.ip(1), client)];
    play(cast, arm);
}

/// Sends one stream of the pattern and checks another.
struct Bulk {
    out_salt: u8,
    in_salt: u8,
    sent: u64,
    got: u64,
}

impl Bulk {
    const BYTES: u64 = 4 << 20;
    const PIECE: usize = 40_000;
    const PENDING: usize = 300 << 10;

    const fn new(out_salt: u8, in_salt: u8) -> Self {
        Self { out_salt, in_salt, sent: 0, got: 0 }
    }

    fn fill(&mut self, cx: &mut Cx, conn: Conn) {
        while self.sent < Self::BYTES && cx.pending(conn) <= Self::PENDING {
            let len = Self::PIECE.min((Self::BYTES - self.sent) as usize);
            let bytes = piece(self.out_salt, self.sent, len);
            let Some(tx) = cx.tx(conn) else {
                return fail(cx, "the output closed early");
            };
            // Copied and shared buffers in turn.
            if (self.sent / Self::PIECE as u64).is_multiple_of(2) {
                tx.push(bytes);
            } else {
                tx.put(&bytes);
            }
            self.sent += len as u64;
            if self.sent == Self::BYTES {
                cx.close(conn, Close::Write);
            }
        }
    }

    fn eat(&mut self, cx: &mut Cx, rx: &mut BytesMut) {
        require(cx, matches(self.in_salt, self.got, rx), "the stream differs");
        self.got += rx.len() as u64;
        rx.clear();
    }
}

fn bulk(role: Role<Bulk>) -> Role<Bulk> {
    role.open(|s, cx, conn| s.fill(cx, conn))
        .drained(|s, cx, conn| s.fill(cx, conn))
        .data(|s, cx, _, rx| s.eat(cx, rx))
        // Our own output may still be on its way: the peer's end does not end it.
        .eof(|s, cx, _| require(cx, s.got == Bulk::BYTES, "the stream ended early"))
        .gone(content_if_closed)
}

fn megabytes_cross_both_ways_at_once(arm: &mut dyn Arm) {
    let server = bulk(Role::on_port(PORT, Bulk::new(1, 2)));
    let client = bulk(Role::client(Endpoint::tcp(arm.ip(0), PORT), Bulk::new(2, 1)));
    let cast = vec![actor("server", arm.ip(0), server), actor("client", arm.ip(1), client)];
    play(cast, arm);
}

const HUGE: u64 = 12 << 20;

fn one_write_may_be_larger_than_every_buffer(arm: &mut dyn Arm) {
    let server = Role::on_port(PORT, 0u64)
        .data(|got, cx, _, rx| {
            require(cx, matches(SALT, *got, rx), "the stream differs");
            *got += rx.len() as u64;
            rx.clear();
        })
        .eof(|got, cx, conn| {
            require(cx, *got == HUGE, "the stream ended early");
            cx.close(conn, Close::Flush);
        })
        .gone(content_if_closed);
    let client = Role::client(Endpoint::tcp(arm.ip(0), PORT), false)
        .open(|_, cx, conn| {
            let half = (HUGE / 2) as usize;
            if let Some(tx) = cx.tx(conn) {
                tx.push(piece(SALT, 0, half));
                tx.put(&piece(SALT, half as u64, half));
            }
            require(cx, cx.pending(conn) as u64 == HUGE, "pending counts what was put");
        })
        .drained(|drained, cx, conn| {
            *drained = true;
            cx.close(conn, Close::Flush);
        })
        .gone(|drained, cx, conn, why| {
            require(cx, *drained, "drained was never told");
            content_if_closed(drained, cx, conn, why);
        });
    let cast = vec![actor("server", arm.ip(0), server), actor("client", arm.ip(1), client)];
    play(cast, arm);
}

fn a_small_input_cap_holds_and_loses_nothing(arm: &mut dyn Arm) {
    const COUNT: u8 = 250;
    let server = Role::on_port(PORT, Framed::default())
        .data(|s, cx, _, rx| s.eat(cx, rx))
        .eof(|s, cx, conn| {
            require(cx, s.frames == 4 * u64::from(COUNT), "not every frame arrived");
            cx.close(conn, Close::Flush);
        })
        .gone(content_if_closed);
    let client = Role::client(Endpoint::tcp(arm.ip(0), PORT), ())
        .open(|(), cx, conn| {
            let mut at = 0;
            for len in (0..COUNT).cycle().take(4 * usize::from(COUNT)) {
                put(cx, conn, &[len]);
                put(cx, conn, &piece(SALT, at, usize::from(len)));
                at += u64::from(len);
            }
            cx.close(conn, Close::Flush);
        })
        .gone(content_if_closed);
    let tight = Limits { rx_bytes_max: 256, ..Limits::default() };
    let server = limited(actor("server", arm.ip(0), server), tight);
    let cast = vec![server, actor("client", arm.ip(1), client)];
    play(cast, arm);
}

fn many_small_writes_keep_their_order_among_large_ones(arm: &mut dyn Arm) {
    const ROUNDS: u64 = 400;
    const ROUND: u64 = 1 + 700 + 3 + 512 + 513;
    let server = Role::on_port(PORT, 0u64)
        .data(|got, cx, conn, rx| {
            require(cx, matches(SALT, *got, rx), "the stream differs");
            *got += rx.len() as u64;
            rx.clear();
            if *got == ROUNDS * ROUND {
                put(cx, conn, b"all");
            }
            require(cx, *got <= ROUNDS * ROUND, "more arrived than was sent");
        })
        .gone(content_if_closed);
    let client = Role::client(Endpoint::tcp(arm.ip(0), PORT), ())
        .open(|(), cx, conn| {
            let mut at = 0;
            let Some(tx) = cx.tx(conn) else { return };
            for _ in 0..ROUNDS {
                for (len, shared) in [(1, false), (700, true), (3, true), (512, true), (513, true)]
                {
                    let bytes = piece(SALT, at, len);
                    at += len as u64;
                    if shared { tx.push(bytes) } else { tx.put(&bytes) }
                }
            }
        })
        .data(|(), cx, conn, rx| {
            if rx.len() == 3 {
                rx.clear();
                cx.close(conn, Close::Flush);
            }
        })
        .gone(content_if_closed);
    let cast = vec![actor("server", arm.ip(0), server), actor("client", arm.ip(1), client)];
    play(cast, arm);
}
