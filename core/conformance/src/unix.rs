//! Unix-domain sockets behave as connections do.

use crate::kit::{actor, matches, piece, play, put, require};
use crate::roles::{Role, content_if_closed};
use crate::{Ability, Arm, Body};
use storytime_machine::{Close, Listen};

pub(crate) const BODIES: &[Body] = &[Body {
    name: "a_unix_socket_carries_bytes_and_ends_both_ways",
    needs: &[Ability::UnixSockets],
    run: a_unix_socket_carries_bytes_and_ends_both_ways,
}];

const BYTES: u64 = 1 << 20;

fn a_unix_socket_carries_bytes_and_ends_both_ways(arm: &mut dyn Arm) {
    let at = arm.unix("conformance.sock");
    let server = Role::server(Listen::at(at.clone()), 0u64)
        .data(|got, cx, _, rx| {
            require(cx, matches(7, *got, rx), "the stream differs");
            *got += rx.len() as u64;
            rx.clear();
        })
        .eof(|got, cx, conn| {
            require(cx, *got == BYTES, "eof was told before the data");
            put(cx, conn, b"thanks");
            cx.close(conn, Close::Flush);
        })
        .gone(content_if_closed);
    let client = Role::client(at, false)
        .open(|_, cx, conn| {
            put(cx, conn, &piece(7, 0, BYTES as usize));
            cx.close(conn, Close::Write);
        })
        .data(|thanked, _, _, rx| {
            *thanked = rx[..] == b"thanks"[..];
        })
        .gone(|thanked, cx, conn, why| {
            require(cx, *thanked, "the answer was lost");
            content_if_closed(thanked, cx, conn, why);
        });
    // Unix sockets do not leave their host.
    let cast = vec![actor("server", arm.ip(0), server), actor("client", arm.ip(0), client)];
    play(cast, arm);
}
