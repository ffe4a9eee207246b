//! TLS that starts in mid-stream, as SMTP, XMPP and MySQL do.

use crate::arm::TLS_NAME;
use crate::kit::{actor, done, fail, matches, piece, play, put, require};
use crate::roles::{Role, content_if_closed};
use crate::{Ability, Arm, Body};
use storytime_machine::{Buf, BytesMut, Close, Conn, Cx, Endpoint, Gone, Tls};

pub(crate) const BODIES: &[Body] = &[
    Body {
        name: "tls_starts_behind_clear_text_and_carries_both_ways",
        needs: &[Ability::Tls],
        run: tls_starts_behind_clear_text_and_carries_both_ways,
    },
    Body {
        name: "clear_text_behind_a_tls_start_is_refused",
        needs: &[Ability::Tls],
        run: clear_text_behind_a_tls_start_is_refused,
    },
];

const PORT: u16 = 4007;
const START: &[u8] = b"STARTTLS\n";
const READY: &[u8] = b"ready\n";
const BYTES: u64 = 300 << 10;

/// One side of the exchange.
#[derive(Default)]
struct Side {
    secured: bool,
    got: u64,
}

impl Side {
    /// Checks what comes under TLS; true when all of it is here.
    fn eat(&mut self, cx: &mut Cx, rx: &mut BytesMut, salt: u8) -> bool {
        require(cx, matches(salt, self.got, rx), "the secured stream differs");
        self.got += rx.len() as u64;
        rx.clear();
        require(cx, self.got <= BYTES, "more arrived than was sent");
        self.got == BYTES
    }

    fn secured(&mut self, cx: &mut Cx) {
        require(cx, !self.secured, "secured was told twice");
        self.secured = true;
    }
}

/// Answers a whole `STARTTLS` and begins the handshake; later output is for TLS alone.
fn serve(s: &mut Side, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
    if s.secured {
        if s.eat(cx, rx, 1) {
            put(cx, conn, &piece(2, 1000, BYTES as usize - 1000));
        }
    } else if rx.len() >= START.len() {
        require(cx, rx.starts_with(START), "the clear text differs");
        rx.advance(START.len());
        put(cx, conn, READY);
        cx.start_tls(conn, Tls::Server);
        // Waits for the handshake.
        put(cx, conn, &piece(2, 0, 1000));
    }
}

fn tls_starts_behind_clear_text_and_carries_both_ways(arm: &mut dyn Arm) {
    let server = Role::on_port(PORT, Side::default())
        .data(serve)
        .secured(|s, cx, _| s.secured(cx))
        .gone(content_if_closed);
    let client = Role::client(Endpoint::tcp(arm.ip(0), PORT), Side::default())
        .open(|_, cx, conn| put(cx, conn, START))
        .data(|s, cx, conn, rx| {
            if s.secured {
                if s.eat(cx, rx, 2) {
                    cx.close(conn, Close::Flush);
                }
            } else if rx.len() >= READY.len() {
                require(cx, rx[..] == READY[..], "the clear text differs");
                rx.clear();
                cx.start_tls(conn, Tls::Client { name: TLS_NAME.into() });
            }
        })
        .secured(|s, cx, conn| {
            s.secured(cx);
            put(cx, conn, &piece(1, 0, BYTES as usize));
        })
        .gone(|s, cx, conn, why| {
            require(cx, s.got == BYTES, "the secured stream ended early");
            content_if_closed(s, cx, conn, why);
        });
    let cast = vec![actor("server", arm.ip(0), server), actor("client", arm.ip(1), client)];
    play(cast, arm);
}

fn clear_text_behind_a_tls_start_is_refused(arm: &mut dyn Arm) {
    const INJECTED: &[u8] = b"MAIL FROM:<mallory>\n";
    let server = Role::on_port(PORT, ())
        .data(|(), cx, conn, rx| {
            // Whole, so that the injected part is here when TLS starts.
            if rx.len() == START.len() + INJECTED.len() {
                rx.advance(START.len());
                put(cx, conn, READY);
                cx.start_tls(conn, Tls::Server);
            }
        })
        .secured(|(), cx, _| fail(cx, "injected clear text was carried into TLS"))
        .gone(|(), cx, _, why| {
            require(cx, why == Gone::Misbehaved, "the injection was told as something else");
            done(cx);
        });
    let client = Role::client(Endpoint::tcp(arm.ip(0), PORT), ())
        .open(|(), cx, conn| {
            put(cx, conn, START);
            put(cx, conn, INJECTED);
        })
        .gone(|(), cx, _, _| done(cx));
    let cast = vec![actor("server", arm.ip(0), server), actor("client", arm.ip(1), client)];
    play(cast, arm);
}
